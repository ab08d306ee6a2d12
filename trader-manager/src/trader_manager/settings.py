"""Settings of the trader-manager."""

from pydantic import Field, SecretStr

from suite.service.settings import ServiceSettings, settings_config, shared_name


class Settings(ServiceSettings):
    """What the operator decides; variables begin with `TRADER_MANAGER_`.

    Attributes:
        database_url: `DATABASE_URL`; `postgresql://...`, which has a password in it, or
            `embedded://FOLDER` for a server of our own.
        database_connections: at most.
        database_timeout_s: how long one call may take.
    """

    model_config = settings_config("TRADER_MANAGER_")

    port: int = 8400
    database_url: SecretStr = Field(
        default=SecretStr("embedded://./var/pg"), validation_alias=shared_name("DATABASE_URL")
    )
    database_connections: int = Field(default=8, ge=1, le=1000)
    database_timeout_s: float = Field(default=10.0, gt=0)
