"""Settings of the data-collector."""

from pathlib import Path

from pydantic import Field

from suite.service.settings import ServiceSettings, settings_config


class Settings(ServiceSettings):
    """What the operator decides; variables begin with `DATA_COLLECTOR_`.

    Attributes:
        data: root of the kline store.
    """

    model_config = settings_config("DATA_COLLECTOR_")

    port: int = Field(default=8000, ge=0, le=65535)
    data: Path = Path("data")
