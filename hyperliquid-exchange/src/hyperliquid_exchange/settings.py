"""Settings of the hyperliquid-exchange."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from suite.service.database_url import DatabaseUrl
from suite.service.settings import BaseUrl, ServedSettings, settings_config, shared_name


class Settings(ServedSettings):
    """What the operator decides; variables begin with `HYPERLIQUID_EXCHANGE_`.

    Attributes:
        accounts: the file of traders, keys and limits; nothing is signed without it.
        network: that is signed for; the accounts file must name the same.
        upstream_url: of the venue: Hyperliquid's own for the network, or a stand-in.
        database_url: `DATABASE_URL`, where other machines could sign too: it says who may. Empty
            where this machine is the only one.
        data_service_url: `DATA_SERVICE_URL`, a data-collector: whether it is up to date is checked,
            and live orders are played again on its bars.
        weight_per_minute: requests that the venue takes of this address, in its own weight; more
            than its limit only at a stand-in.
        stream_silence_s: after which a connection that tells nothing is replaced, pongs or not.
        journal_reserve_mb: of the disk, set aside for what takes risk away when it is full.
        watchdog_limit_s: how long the service, or its watchdog, may show no progress before the
            other acts, seconds.
        watchdog_required: nothing may add risk before a watchdog was seen; on mainnet when not set.
        alert_webhook_url: takes alerts as JSON; a secret.
        keep_paused_entries: entries of a trader that is only PAUSED stay at the venue.
    """

    model_config = settings_config("HYPERLIQUID_EXCHANGE_")

    port: int = 8200
    accounts: Path | None = None
    network: Literal["testnet", "mainnet"] = "testnet"
    upstream_url: BaseUrl | None = None
    database_url: DatabaseUrl = Field(
        default=SecretStr(""), validation_alias=shared_name("DATABASE_URL")
    )
    data_service_url: BaseUrl | None = Field(
        default=None, validation_alias=shared_name("DATA_SERVICE_URL")
    )
    weight_per_minute: int = Field(default=1200, ge=100, le=10_000_000)
    stream_silence_s: float = Field(default=20.0, gt=0, le=3600)
    journal_reserve_mb: int = Field(default=64, ge=1, le=65536)
    watchdog_limit_s: float = Field(default=60.0, gt=0)
    watchdog_required: bool | None = None
    alert_webhook_url: SecretStr = Field(default=SecretStr(""))
    keep_paused_entries: bool = False

    @property
    def own_url(self) -> str:
        """Where the service answers, as its own machine asks it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"
