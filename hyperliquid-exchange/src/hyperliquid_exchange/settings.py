"""Settings of the hyperliquid-exchange."""

from suite.service.settings import ServiceSettings, settings_config


class Settings(ServiceSettings):
    """What the operator decides; variables begin with `HYPERLIQUID_EXCHANGE_`."""

    model_config = settings_config("HYPERLIQUID_EXCHANGE_")

    port: int = 8200
