"""Both sides of a comparison in one form, so that only what matters can differ."""

from collections.abc import Sequence
from dataclasses import asdict

from tests.support.oracle.oracle import Oracle, Row

from perp_engine.engine import Engine
from perp_engine.events import Event

DERIVED = ("held_usd", "refunded_usd")
"""What an order held when it was told of: compared as the margin that is free after the command."""

Line = tuple[int, int, str, tuple[tuple[str, str], ...]]
"""An event: time, account, kind, and its other fields by name."""


def canonical(events: Sequence[Event]) -> list[Line]:
    """Sort events by time, account and content.

    The order in which an instant's events are told is no rule of the engine; that of trades is, and
    their ids carry it.
    """
    lines = []
    for event in events:
        fields = asdict(event)
        time, account = fields.pop("time_ms"), fields.pop("account", -1)
        content = tuple(
            (name, f"{value}") for name, value in sorted(fields.items()) if name not in DERIVED
        )
        lines.append((time, account, type(event).__name__, content))
    return sorted(lines)


def oracle_state(oracle: Oracle, accounts: int, symbols: int) -> dict[str, object]:
    """Everything of an oracle that a comparison looks at."""
    state: dict[str, object] = {"bar": oracle.bar}
    for a in range(accounts):
        state[f"cash {a}"] = oracle.cash(a)
        state[f"equity {a}"] = oracle.equity(a)
        state[f"available {a}"] = oracle.available(a)
        state[f"orders {a}"] = oracle.open_orders(a)
        for s in range(symbols):
            state[f"position {a} {s}"] = oracle.position(a, s)
    for s in range(symbols):
        state[f"mark {s}"] = oracle.mark(s)
    return state


def engine_state(engine: Engine, accounts: int, symbols: int) -> dict[str, object]:
    """The same of an engine."""
    state: dict[str, object] = {"bar": engine.bar}
    for a in range(accounts):
        money = engine.account(a)
        state[f"cash {a}"] = money.cash_usd
        state[f"equity {a}"] = money.equity_usd
        state[f"available {a}"] = money.available_usd
        rows: list[Row] = [
            (o.oid, o.symbol, int(o.side), o.size, o.limit_price, o.trigger_price, str(o.status))
            for o in engine.open_orders(a)
        ]
        state[f"orders {a}"] = sorted(rows)
        for s in range(symbols):
            position = engine.position(a, s)
            state[f"position {a} {s}"] = (position.size, position.cost_usd, position.bucket_usd)
    for s in range(symbols):
        state[f"mark {s}"] = engine.mark(s)
    return state
