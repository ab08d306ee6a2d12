"""Settings of the hyperliquid-exchange."""

from pathlib import Path
from typing import Literal

from suite.service.settings import ServiceSettings, settings_config


class Settings(ServiceSettings):
    """What the operator decides; variables begin with `HYPERLIQUID_EXCHANGE_`.

    Attributes:
        accounts: the file of traders, keys and limits; nothing is signed without it.
        network: that is signed for; the accounts file must name the same.
    """

    model_config = settings_config("HYPERLIQUID_EXCHANGE_")

    port: int = 8200
    accounts: Path | None = None
    network: Literal["testnet", "mainnet"] = "testnet"
