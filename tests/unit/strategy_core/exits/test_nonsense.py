"""A venue may answer anything: the exits go on, and ask for nothing that no market has."""

from decimal import Decimal
from random import Random
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.unit.strategy_core.exits.small_venue import SmallVenue
from tests.unit.strategy_core.exits.test_standing import REPORT

from strategy_core.exits.rules import ExitRules
from strategy_core.intents import ExitPlan
from strategy_core.port import Observation
from suite.bars import MINUTE_MS
from suite.contracts.venue import PlaceOrder

NUMBERS = ["0", "-1", "1e400", "-1e400", "1e-400", "5", "2000", "1e20", "0.0001", "1e15", "-1e16"]
VALUES = [None, 0.0, 4.0, 5.0, 1e300, -1e300, -2.0]
RULES = ["", "price < ema_9(1m)", "close(1m) > 3 or price > 5"]


def distort(seen: Observation, chance: Random) -> Observation:
    """Replace some of what is known by numbers of any size and sign."""
    changes: dict[str, Any] = {}
    if chance.random() < 0.6:
        changes["mids"] = {"ETH": Decimal(chance.choice(NUMBERS))}
    if chance.random() < 0.4:
        changes["equity"] = Decimal(chance.choice(NUMBERS))
    if chance.random() < 0.4 and "ETH" in seen.positions:
        position = msgspec.structs.replace(
            seen.positions["ETH"],
            entry_px=Decimal(chance.choice(NUMBERS)),
            unrealized_pnl=Decimal(chance.choice(NUMBERS)),
            size=Decimal(chance.choice(NUMBERS[1:])),
            leverage=chance.choice([0, 1, -3, 10**9]),
            isolated=chance.random() < 0.7,
            margin_used=Decimal(chance.choice(NUMBERS)),
        )
        changes["positions"] = {"ETH": position}
    if chance.random() < 0.4:
        bar = {name: chance.choice(VALUES) for name in ("close", "atr_14", "ema_9")}
        block = {"open_time_ms": seen.now_ms - MINUTE_MS, **bar}
        changes["snapshots"] = {"ETH": {"intervals_data": {"1": block}}}
    if chance.random() < 0.3:
        changes["fills"] = tuple(
            msgspec.structs.replace(
                fill,
                sz=chance.choice(NUMBERS),
                px=chance.choice(NUMBERS),
                startPosition=chance.choice(NUMBERS),
                tid=chance.randrange(10**6),
            )
            for fill in seen.fills
        )
    return replace(seen, **changes)


@pytest.mark.parametrize("part", range(4))
def test_no_answer_of_a_venue_stops_the_exits(part: int) -> None:
    """Hundreds of lives under a venue that lies: no failure, no impossible price or size."""
    for seed in range(part * 75, part * 75 + 75):
        chance = Random(seed)
        rules = ExitRules(smart=chance.random() < 0.7, structure_trail=True)
        venue = SmallVenue(rules=rules, restarts=chance.random() < 0.3)
        rule = chance.choice(RULES)
        plan = ExitPlan(coin="ETH", stop=Decimal(1980), confidence=0.7, invalidation=rule)
        venue.step("2000", plan=plan)
        venue.open(chance.choice(["0.375", "-3", "1000"]), "2000")
        for _ in range(12):
            venue.now_ms += chance.choice([0, 1, 10]) * MINUTE_MS
            seen = distort(venue.observe(), chance)
            manager = venue.manager()
            account = REPORT if chance.random() < 0.4 else None
            review = manager.review(seen, account, mark_age_ms=chance.choice([0, 99_999]))
            odd = Decimal(chance.choice(NUMBERS))
            later = ExitPlan(coin="ETH", confidence=chance.random() * 2, swing=odd, stop=odd)
            adopted = manager.adopt((later,), seen)
            venue.fills = [] if chance.random() < 0.5 else venue.fills
            for condition in (*review.watch.wake_on.price, *adopted.watch.wake_on.price):
                assert 0 < (condition.above or condition.below or 0) < 10**17
            for order in (*review.actions, *adopted.actions):
                if isinstance(order, PlaceOrder):
                    assert order.reduce_only
                    assert order.sz > 0
                    trigger = order.order_type.trigger
                    assert trigger is None or trigger.triggerPx > 0
