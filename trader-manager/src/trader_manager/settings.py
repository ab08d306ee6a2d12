"""Settings of the trader-manager."""

from pathlib import Path

from pydantic import Field, SecretStr

from suite.service.settings import BaseUrl, ServiceSettings, settings_config, shared_name


class Settings(ServiceSettings):
    """What the operator decides; variables begin with `TRADER_MANAGER_`.

    Attributes:
        traders: a traders file whose entries are taken in at the start.
        trading_url: `TRADING_URL`, the venue of all traders; a world's own address for one of
            several.
        data_service_url: `DATA_SERVICE_URL`, market data; the venue's own when not given.
        trader_tokens: `TRADER_TOKENS`, a JSON object of tokens by trader id.
        venue_operator_token: `VENUE_OPERATOR_TOKEN`, of a simulated venue: accounts of traders that
            have no token are opened with it.
        seed: of what traders draw at random.
        database_url: `DATABASE_URL`; `postgresql://...`, which has a password in it, or
            `embedded://FOLDER` for a server of our own.
        database_connections: at most.
        database_timeout_s: how long one call may take.
    """

    model_config = settings_config("TRADER_MANAGER_")

    port: int = 8400
    traders: Path | None = None
    trading_url: BaseUrl | None = Field(default=None, validation_alias=shared_name("TRADING_URL"))
    data_service_url: BaseUrl | None = Field(
        default=None, validation_alias=shared_name("DATA_SERVICE_URL")
    )
    trader_tokens: dict[str, SecretStr] = Field(
        default_factory=dict, validation_alias=shared_name("TRADER_TOKENS")
    )
    venue_operator_token: SecretStr = Field(
        default=SecretStr(""), validation_alias=shared_name("VENUE_OPERATOR_TOKEN")
    )
    seed: int = Field(default=0, ge=0)
    database_url: SecretStr = Field(
        default=SecretStr("embedded://./var/pg"), validation_alias=shared_name("DATABASE_URL")
    )
    database_connections: int = Field(default=8, ge=1, le=1000)
    database_timeout_s: float = Field(default=10.0, gt=0)
