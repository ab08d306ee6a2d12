"""Settings of the trader-manager."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, SecretStr

from suite.service.database_url import DatabaseUrl
from suite.service.settings import BaseUrl, ServedSettings, settings_config, shared_name
from suite.service.token_file import read_token

_CADENCE_LEAST_S: Final = 0.1
_CADENCE_MOST_S: Final = 604_800.0


def _cadence(seconds: float) -> float:
    if 0 < seconds < _CADENCE_LEAST_S:
        raise ValueError(f"must be 0, for no rounds, or at least {_CADENCE_LEAST_S:g} s")
    if seconds > _CADENCE_MOST_S:
        raise ValueError(f"must be at most {_CADENCE_MOST_S:g} s, a week")
    return seconds


class Settings(ServedSettings):
    """What the operator decides; variables begin with `TRADER_MANAGER_`.

    Attributes:
        traders: a traders file, which is followed.
        traders_config: `TRADERS_CONFIG`, the same as text, JSON or YAML, instead of a file.
        trading_url: `TRADING_URL`, the venue of all traders; a world's own address for one of
            several.
        data_service_url: `DATA_SERVICE_URL`, market data; the venue's own when not given.
        trader_tokens: `TRADER_TOKENS`, a JSON object of tokens by trader id.
        trader_tokens_dir: `TRADER_TOKENS_DIR`, a folder with a file `<trader>.token` for each whose
            token is not among those: the `var/tokens` of the live venue.
        venue_operator_token: `VENUE_OPERATOR_TOKEN`, of a simulated venue: accounts of traders that
            have no token are opened with it.
        venue_reader_token: `VENUE_READER_TOKEN`, of a live venue, which lets nobody read without
            one; `reader.token` of the folder above when not given.
        seed: of what traders draw at random.
        runtime: where traders run that do not say so: `process`, `fleet`, `docker`, `kubernetes`.
        fleet_plugins: take plugins into the one process of `fleet` too, beside all its traders.
        kubernetes_image: of strategy-agent; where it is given there is the runtime `kubernetes`, in
            the cluster of the kubeconfig, or that this process is a pod of.
        kubernetes_namespace: of the objects of traders.
        kubernetes_prefix: of their names; another for each manager of a namespace.
        kubernetes_storage: of each trader's disk; `none` for no disk, so that a trader whose pod is
            gone begins without what it remembered.
        kubernetes_storage_class: of the disks; the cluster's usual one when not given.
        kubernetes_memory_mb: of one pod at most.
        kubernetes_cpus: likewise, processors.
        docker_image: of strategy-agent; where it is given there is the runtime `docker`, at the
            engine of `DOCKER_HOST`.
        docker_prefix: of names of containers and volumes; another for each manager of an engine.
        docker_network: `bridge`, where control APIs are published on loopback; `host`; or the name
            of a network that this process is in.
        docker_memory_mb: of one container at most.
        docker_cpus: likewise, processors.
        database_url: `DATABASE_URL`; `postgresql://...`, which has a password in it, or
            `embedded://FOLDER` for a server of our own.
        database_connections: at most.
        database_timeout_s: how long one call may take.
        lease_ttl_s: how long an agent has a trader that it has claimed, without renewing that.
        notify_urls: channels that are told of trades, trouble and each day, with commas between
            them; secrets. See docs/notifications.md.
        cadence_s: between two rounds in which all traders decide; 0 for none, see `/scheduler`.
        collecting_cadence_s: between two samples of each account, the venue's time.
        collecting_pause_s: between two rounds of collecting at least, however fast that time runs.
        collecting_rows_max: that wait for a database that is away.
        collecting_decisions_s: that a round gives the traders' processes to tell their decisions.
    """

    model_config = settings_config("TRADER_MANAGER_")

    port: int = 8400
    traders: Path | None = None
    traders_config: str = Field(default="", validation_alias=shared_name("TRADERS_CONFIG"))
    trading_url: BaseUrl | None = Field(default=None, validation_alias=shared_name("TRADING_URL"))
    data_service_url: BaseUrl | None = Field(
        default=None, validation_alias=shared_name("DATA_SERVICE_URL")
    )
    trader_tokens: dict[str, SecretStr] = Field(
        default_factory=dict, validation_alias=shared_name("TRADER_TOKENS")
    )
    trader_tokens_dir: Path | None = Field(
        default=None, validation_alias=shared_name("TRADER_TOKENS_DIR")
    )
    venue_operator_token: SecretStr = Field(
        default=SecretStr(""), validation_alias=shared_name("VENUE_OPERATOR_TOKEN")
    )
    venue_reader_token: SecretStr = Field(
        default=SecretStr(""), validation_alias=shared_name("VENUE_READER_TOKEN")
    )
    seed: int = Field(default=0, ge=0)
    runtime: str = "process"
    fleet_plugins: bool = False
    kubernetes_image: str = ""
    kubernetes_namespace: str = "default"
    kubernetes_prefix: str = Field(default="trader", pattern=r"^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$")
    kubernetes_storage: str = "1Gi"
    kubernetes_storage_class: str = ""
    kubernetes_memory_mb: int = Field(default=512, ge=64)
    kubernetes_cpus: float = Field(default=1.0, gt=0)
    docker_image: str = ""
    docker_prefix: str = Field(default="trader", pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")
    docker_network: str = "bridge"
    docker_memory_mb: int = Field(default=512, ge=64)
    docker_cpus: float = Field(default=1.0, gt=0)
    database_url: DatabaseUrl = Field(
        default=SecretStr("embedded://./var/pg"), validation_alias=shared_name("DATABASE_URL")
    )
    database_connections: int = Field(default=8, ge=1, le=1000)
    database_timeout_s: float = Field(default=10.0, gt=0)
    lease_ttl_s: float = Field(default=30.0, ge=1)
    notify_urls: SecretStr = Field(default=SecretStr(""))
    cadence_s: Annotated[float, AfterValidator(_cadence)] = Field(default=0.0, ge=0)
    collecting_cadence_s: float = Field(default=60.0, gt=0)
    collecting_pause_s: float = Field(default=1.0, gt=0)
    collecting_rows_max: int = Field(default=100_000, ge=1)
    collecting_decisions_s: float = Field(default=5.0, gt=0)

    def reader_token(self) -> str:
        """Find the token that reads all accounts; empty where the venue wants none.

        Raises:
            ConfigError: others may read its file, or this process may not.
        """
        given = self.venue_reader_token.get_secret_value()
        if given or self.trader_tokens_dir is None:
            return given
        return read_token(self.trader_tokens_dir, "reader")

    def token_of(self, trader_id: str) -> SecretStr | None:
        """Find the token of a trader at the venue; None where none is named.

        Raises:
            ConfigError: others may read its file, or this process may not.
        """
        if trader_id in self.trader_tokens or self.trader_tokens_dir is None:
            return self.trader_tokens.get(trader_id)
        token = read_token(self.trader_tokens_dir, trader_id)
        return SecretStr(token) if token else None
