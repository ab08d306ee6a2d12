"""Settings of the data-collector."""

from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import NoDecode

from suite.service.redis_tier import RedisUrl
from suite.service.settings import BaseUrl, ServedSettings, settings_config, shared_name


class Settings(ServedSettings):
    """What the operator decides; variables begin with `DATA_COLLECTOR_`.

    Attributes:
        data: the kline store: a folder, or an address such as `s3://bucket/prefix`.
        collect: venue to collect from; nothing is collected without one.
        symbols: coins to collect, comma-separated.
        intervals: of them; 1m is collected, longer ones are made of it.
        url: another address of the venue, such as that of a virtual-exchange.
        disable_websocket: `DISABLE_WEBSOCKET`, nothing is collected, whatever `collect` says; what
            is stored is served.
        disable_rest_fallback: `DISABLE_REST_FALLBACK`, a venue's history is not asked for bars that
            its stream left out; they stay gaps, with that reason.
        redis_url: `REDIS_URL`, where collectors that serve the same store share their answers;
            `redis://...`, or `rediss://...` with TLS.
        flush_s: how long collected bars stay in the journal before they go to the store.
    """

    model_config = settings_config("DATA_COLLECTOR_")

    port: int = Field(default=8000, ge=0, le=65535)
    data: str = "data"
    collect: str = ""
    symbols: Annotated[tuple[str, ...], NoDecode] = ()
    intervals: Annotated[tuple[str, ...], NoDecode] = ("1m",)
    url: BaseUrl | None = None
    flush_s: float = Field(default=300.0, gt=0)
    redis_url: RedisUrl = Field(default=SecretStr(""), validation_alias=shared_name("REDIS_URL"))
    disable_websocket: bool = Field(
        default=False, validation_alias=shared_name("DISABLE_WEBSOCKET")
    )
    disable_rest_fallback: bool = Field(
        default=False, validation_alias=shared_name("DISABLE_REST_FALLBACK")
    )
