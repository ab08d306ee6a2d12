"""What makes a trader ask its model: each cause once, when it begins."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.strategy_core.llm.test_injection import FILL

from strategy_core.llm.learning import learn, note_bars
from strategy_core.llm.memory import Idea, MindMemory
from strategy_core.llm.triggers import Triggers, causes_of
from strategy_core.port import Observation
from suite.contracts.clock import PositionView
from suite.contracts.venue import ActionReply

D = Decimal
MINUTE = 60_000


def seen(
    at: int = 0, *, closes: tuple[float, float] = (100, 100), rate: float | None = None,
    size: int = 0, price: str = "100", atr: float | None = 1.0, **others: Any,
) -> Observation:  # fmt: skip
    """The market at the close of the so-many-th bar of 15 minutes."""
    rows = [[(at + i) * 15 * MINUTE, c, c, c, c, 1.0] for i, c in enumerate(closes)]
    block = {"timeframe": 15, "open_time_ms": rows[-1][0], "bars": rows, "atr_14": atr,
             "close": closes[-1], "rsi_14": closes[-1]}  # fmt: skip
    held = PositionView(coin="BTC", size=D(size), entry_px=D(100), unrealized_pnl=D(0), leverage=2)
    return Observation(
        now_ms=(at + 2) * 15 * MINUTE,
        mids={"BTC": D(price)},
        positions={"BTC": held} if size else {},
        snapshots={
            "BTC": {
                "intervals_data": {"15": block},
                "funding": None if rate is None else {"rate_hourly": rate, "settled_at_ms": 0},
            }
        },
        **others,
    )


def causes(memory: MindMemory, now: Observation, **triggers: Any) -> list[str]:
    news = learn(memory, now, 15 * MINUTE)
    found = causes_of(Triggers(**triggers), news, memory, coins=("BTC",), short="15m")
    note_bars(memory, now, ("BTC",), ("15m",))
    return found


def test_nothing_happens_in_a_quiet_market() -> None:
    """Bar after bar."""
    memory = MindMemory()
    assert [[], [], []] == [causes(memory, seen(at, rate=1e-5)) for at in range(3)]


def test_a_rule_counts_when_it_comes_true() -> None:
    """Not while it stays true; again after it was not."""
    memory = MindMemory()
    found = [
        causes(memory, seen(at, closes=(100, close)), rule="rsi_14(15m) > 70", volatility=None)
        for at, close in enumerate((60, 71, 72, 60, 75))
    ]
    assert [[], ["rule:BTC"], [], [], ["rule:BTC"]] == found


def test_a_wild_bar_counts_once() -> None:
    """At 2.5 average true ranges; a second look at the same bar finds nothing."""
    memory = MindMemory()
    assert [] == causes(memory, seen(0, closes=(100, 102.4)))
    assert ["volatility:BTC"] == causes(memory, seen(1, closes=(100, 97.5)))
    assert [] == causes(memory, seen(1, closes=(100, 97.5)))
    assert [] == causes(memory, seen(2, closes=(100, 90), atr=None))


def test_funding_counts_when_it_changes_its_sign() -> None:
    """Zero and unknown are no sign."""
    memory = MindMemory()
    rates = (1e-5, 2e-5, 0.0, None, -1e-5, -2e-5, 1e-5)
    found = [causes(memory, seen(at, rate=rate)) for at, rate in enumerate(rates)]
    assert [[], [], [], [], ["funding_flip:BTC"], [], ["funding_flip:BTC"]] == found


def test_a_position_that_has_ended_counts() -> None:
    """Whatever ended it."""
    memory = MindMemory()
    assert [] == causes(memory, seen(0, size=2))
    assert ["closed:BTC"] == causes(memory, seen(1))
    assert [] == causes(memory, seen(2))


def test_a_fill_counts_unless_it_answered_the_decision_itself() -> None:
    """An order at the market was no news."""
    memory = MindMemory()
    filled = {"data": {"statuses": [{"filled": {"totalSz": "1", "avgPx": "1", "oid": 1}}]}}
    own = seen(0, fills=(FILL,), results=(ActionReply(status="ok", response=filled),))
    assert [] == causes(memory, own)
    later = replace(FILL, oid=7, tid=2)
    assert ["fill"] == causes(memory, seen(1, fills=(later,)))
    assert [] == causes(memory, seen(2, fills=(later,)))  # shown again after a join
    assert 2 == len(memory.trades)


def test_a_stop_that_comes_near_counts_once() -> None:
    """Within half an average true range; again after it was far."""
    memory = MindMemory(ideas={"BTC": Idea(coin="BTC", side=1, since_ms=0, until_ms=0, stop=D(98))})
    found = [
        causes(memory, seen(at, size=1, price=price))
        for at, price in enumerate(("100", "98.5", "98.4", "99", "98.3"))
    ]
    assert [[], ["stop_near:BTC"], [], [], ["stop_near:BTC"]] == found


def test_each_can_be_switched_off() -> None:
    """Then only the heartbeat is left."""
    off = {
        "volatility": None,
        "funding_flip": False,
        "fill": False,
        "closed": False,
        "stop_near": None,
    }
    memory = MindMemory()
    causes(memory, seen(0, size=1, rate=1e-5), **off)
    now = seen(1, closes=(100, 50), rate=-1e-5, fills=(FILL,))
    assert [] == causes(memory, now, **off)


def test_who_asks_from_outside_is_answered() -> None:
    """And so is a liquidation."""
    memory = MindMemory()
    assert ["asked", "liquidation"] == causes(memory, seen(woke_by=("asked", "liquidation")))


def test_a_rule_that_is_none_is_refused() -> None:
    """Before anything runs."""
    with pytest.raises(ValueError, match="rule: column 1: unknown field"):
        Triggers(rule="vwap(4h) > 1")
