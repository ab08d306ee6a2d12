"""Settings of the trader-manager."""

from suite.service.settings import ServiceSettings, settings_config


class Settings(ServiceSettings):
    """What the operator decides; variables begin with `TRADER_MANAGER_`."""

    model_config = settings_config("TRADER_MANAGER_")

    port: int = 8400
