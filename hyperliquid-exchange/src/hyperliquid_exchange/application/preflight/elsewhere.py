"""Lines that this service decides by what it is, and those that it cannot decide: who can.

A line that nobody looked at must be seen as such, with the reason: a list without it would say
that all of it is well.
"""

from collections.abc import Sequence
from typing import Final

from hyperliquid_exchange.domain.accounts import LiveAccount
from suite.checklist import Line, passed, skipped
from suite.fixed import USD_DECIMALS, format_fixed

_AGENTS_PART: Final = "the agents' part: strategy-agent preflight"
_AGENTS_FIX: Final = "strategy-agent preflight --config traders.yaml, with the settings of `run`"
_UNDECIDED: Final = (
    *(
        (number, name, _AGENTS_PART, _AGENTS_FIX)
        for number, name in (
            (42, "warm-up data"),
            (43, "backtest"),
            (44, "paper run"),
            (45, "models"),
            (46, "cadence"),
        )
    ),
    (
        47,
        "operator",
        "whether a person can be reached is not seen from here",
        "agree on who it is, and that docs/runbooks/incident.md was read",
    ),
    (
        49,
        "first hour",
        "no size is stepped up by itself",
        "begin with a tenth of the limits in the accounts file, and raise them by hand",
    ),
)


def other_lines(accounts: Sequence[LiveAccount]) -> list[Line]:
    """Tell them.

    Args:
        accounts: that will trade.
    """
    armed = [
        f"{account.trader_id}: loss of a day {_usd(account.limits.max_day_loss_usd)}, drawdown "
        f"{_usd(account.limits.max_drawdown_usd)}, {account.limits.max_orders_per_minute} orders a "
        f"minute, {account.limits.max_executions} fills"
        for account in accounts
    ]
    return [
        passed(22, "limits armed", "; ".join(armed) or "nobody trades"),
        passed(29, "Redis", "none is used"),
        *(skipped(number, name, why, fix, required=False) for number, name, why, fix in _UNDECIDED),
    ]


def _usd(micro: int) -> str:
    return f"{format_fixed(micro, USD_DECIMALS)} USD"
