"""Lines that this service decides by what it is, and those that it cannot decide: who can.

A line that nobody looked at must be seen as such, with the reason: a list without it would say
that all of it is well.
"""

from collections.abc import Sequence

from hyperliquid_exchange.application.preflight.lines import Line, passed, skipped
from hyperliquid_exchange.domain.accounts import LiveAccount
from suite.fixed import USD_DECIMALS, format_fixed

_UNDECIDED = (
    (
        42,
        "warm-up data",
        "strategies are the agents', of which only tokens are known here",
        "nothing is opened before it is whole: look at what each agent journals at its start",
    ),
    (
        43,
        "backtest",
        "its configuration is the agents'",
        "run it again at the virtual-exchange, and compare the hash of its report",
    ),
    (
        44,
        "paper run",
        "who ran it, and for how long, is known to people",
        "let it run on paper or on the testnet first, and read `hyperliquid-exchange drift`",
    ),
    (
        45,
        "models",
        "the agents load and ask them",
        "a model that learns opens nothing with real money without its evidence (docs/ml.md)",
    ),
    (
        46,
        "cadence",
        "intervals are in the agents' traders.yaml",
        "check that no decision is valid for longer than its interval",
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
