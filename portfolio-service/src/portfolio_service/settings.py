"""Settings of the portfolio-service."""

from pathlib import Path

from pydantic import Field, SecretStr

from suite.errors import ConfigError
from suite.service.database_url import DatabaseUrl
from suite.service.settings import BaseUrl, ServedSettings, settings_config, shared_name


class Settings(ServedSettings):
    """What the operator decides; variables begin with `PORTFOLIO_SERVICE_`.

    Attributes:
        manager_url: `MANAGER_URL`, the trader-manager whose traders these are.
        manager_token: `MANAGER_TOKEN`, of its operator; manager_token_file: `MANAGER_TOKEN_FILE`,
            instead, a file that it is in: `var/tokens/operator.token` of the manager.
        trading_url: `TRADING_URL`, the venue, for funding rates and its health.
        venue_token: `VENUE_TOKEN`, where the venue lets nobody in without; venue_token_file:
            `VENUE_TOKEN_FILE`, instead, a file that it is in.
        live: the venue is the live proxy, whose safety level is shown.
        data_service_url: `DATA_SERVICE_URL`, market data and what is stored of it.
        database_url: `DATABASE_URL`; `postgresql://...`, which has a password in it, or
            `embedded://FOLDER` for a server of our own.
        database_connections: at most.
        database_timeout_s: how long one call may take.
        sync_s: between two looks at the manager.
        stale_after_s: how old what is known of a trader's money may be, until it is told as what
            was last known.
        settle_s: how long who takes part has to stay the same, until a rebalance is made of it
            by itself, where that is wanted.
        session_hours: how long a login lasts.
    """

    model_config = settings_config("PORTFOLIO_SERVICE_")

    port: int = 8500
    manager_url: BaseUrl | None = Field(default=None, validation_alias=shared_name("MANAGER_URL"))
    manager_token: SecretStr = Field(
        default=SecretStr(""), validation_alias=shared_name("MANAGER_TOKEN")
    )
    manager_token_file: Path | None = Field(
        default=None, validation_alias=shared_name("MANAGER_TOKEN_FILE")
    )
    trading_url: BaseUrl | None = Field(default=None, validation_alias=shared_name("TRADING_URL"))
    venue_token: SecretStr = Field(
        default=SecretStr(""), validation_alias=shared_name("VENUE_TOKEN")
    )
    venue_token_file: Path | None = Field(
        default=None, validation_alias=shared_name("VENUE_TOKEN_FILE")
    )
    live: bool = False
    data_service_url: BaseUrl | None = Field(
        default=None, validation_alias=shared_name("DATA_SERVICE_URL")
    )
    database_url: DatabaseUrl = Field(
        default=SecretStr("embedded://./var/pg"), validation_alias=shared_name("DATABASE_URL")
    )
    database_connections: int = Field(default=4, ge=1, le=1000)
    database_timeout_s: float = Field(default=10.0, gt=0)
    sync_s: float = Field(default=1.0, ge=0.1, le=60)
    stale_after_s: float = Field(default=180.0, gt=0)
    settle_s: float = Field(default=30.0, ge=0)
    session_hours: float = Field(default=24.0 * 7, gt=0)

    def manager_secret(self) -> SecretStr:
        """Find the token of the manager's operator.

        Raises:
            ConfigError: there is none, or its file cannot be used.
        """
        found = _secret(self.manager_token, self.manager_token_file)
        if not found.get_secret_value():
            raise ConfigError(
                "the manager's operator token is not given: set MANAGER_TOKEN_FILE to its"
                " var/tokens/operator.token"
            )
        return found

    def venue_secret(self) -> SecretStr | None:
        """Find the token at the venue; None where none is given.

        Raises:
            ConfigError: its file cannot be used.
        """
        found = _secret(self.venue_token, self.venue_token_file)
        return found if found.get_secret_value() else None


def _secret(given: SecretStr, path: Path | None) -> SecretStr:
    if given.get_secret_value() or path is None:
        return given
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{path} is readable by others; run: chmod 400 {path}")
        return SecretStr(path.read_text(encoding="ascii").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot use {path}: {error}") from None
