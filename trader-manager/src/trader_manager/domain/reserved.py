"""Variables of the environment that are the suite's own and that no trader may name.

A trader's entry is written by somebody who may use the manager, and its values go to the process of
that trader, where a plugin reads them: what opens the database or the venue must not.
"""

import re
from collections.abc import Mapping
from typing import Final

from suite.errors import ConfigError

_RESERVED: Final = re.compile(
    r"(MODELS_)?DATABASE_URL|PG[A-Z]+|(.*_)?OPERATOR_TOKEN|TRADER_TOKENS?(_DIR)?|TRADERS_CONFIG|MANAGER_TOKEN(_FILE)?"
    r"|(POSTGRES|CCXT|DATA_COLLECTOR|HYPERLIQUID_EXCHANGE|PORTFOLIO_SERVICE|STRATEGY_AGENT"
    r"|TRADER_MANAGER|VIRTUAL_EXCHANGE)_.*",
    re.IGNORECASE,  # settings are read in any case
)
_PASSED_ON: Final = re.compile(
    r"STRATEGY_AGENT_(?!(HOST|PORT|STATE_DIR|HOSTS_PLUGINS|CONTROL_TOKEN|CONTROL_URL)$).*"
    r"|LLM_(MODE|CASSETTE|PROVIDERS_FILE|USD_PER_DAY|USD_TOTAL|LEDGER|ATTEMPTS|PATIENCE_S"
    r"|BREAKER_FAILURES|BREAKER_PAUSE_S|LOCAL_URL)"
    r"|DISABLE_MODEL_TRAINING|RELAXED_SIGNAL_MODE|FEATURE_SCHEMA_LOCK|MODELS_DIR"
    r"|TRADE_WITHOUT_EVIDENCE",
    re.IGNORECASE,
)


def agent_settings(env: Mapping[str, str]) -> dict[str, str]:
    """Find the settings that all agents take over: none is a secret, nor says where one agent is.

    Args:
        env: environment of this process.
    """
    return {name: value for name, value in env.items() if _PASSED_ON.fullmatch(name)}


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
