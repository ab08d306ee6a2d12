"""Settings of the portfolio-service."""

from suite.service.settings import ServiceSettings, settings_config


class Settings(ServiceSettings):
    """What the operator decides; variables begin with `PORTFOLIO_SERVICE_`."""

    model_config = settings_config("PORTFOLIO_SERVICE_")

    port: int = 8500
