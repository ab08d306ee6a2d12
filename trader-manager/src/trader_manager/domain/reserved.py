"""Variables of the environment that are the suite's own and that no trader may name.

A trader's entry is written by somebody who may use the manager, and its values go to the process of
that trader, where a plugin reads them: what opens the database or the venue must not.
"""

import re
from typing import Final

from suite.errors import ConfigError

_RESERVED: Final = re.compile(
    r"DATABASE_URL|PG[A-Z]+|(.*_)?OPERATOR_TOKEN|TRADER_TOKENS?"
    r"|(POSTGRES|CCXT|DATA_COLLECTOR|HYPERLIQUID_EXCHANGE|PORTFOLIO_SERVICE|STRATEGY_AGENT"
    r"|TRADER_MANAGER|VIRTUAL_EXCHANGE)_.*",
    re.IGNORECASE,  # settings are read in any case
)


def is_reserved(name: str) -> bool:
    """Say whether a variable is the suite's own."""
    return _RESERVED.fullmatch(name) is not None


def refusal(name: str) -> str:
    """Say why a trader may not name a variable, and what to do."""
    return f"{name} is the suite's own; give the trader's secret a variable of another name"


def check_names(names: tuple[str, ...]) -> None:
    """Refuse the suite's own variables.

    Raises:
        ConfigError: one of the names is the suite's own.
    """
    for name in names:
        if is_reserved(name):
            raise ConfigError(refusal(name))
