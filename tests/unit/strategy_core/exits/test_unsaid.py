"""A decision that says nothing of exits needs no second look: the same comes of it."""

import copy
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.strategy_core.exits.small_venue import BTC, ETH, SmallVenue

from strategy_core.exits.manager import ExitManager
from strategy_core.exits.plans import says_of_exits
from strategy_core.exits.rules import ExitRules
from strategy_core.intents import ExitPlan
from suite.bars import MINUTE_MS
from suite.contracts.venue import CancelOrder, Leg, PlaceOrder

PLAN = ExitPlan(coin="ETH", confidence=0.7, model_id="m1", stop=Decimal(1980))
PLAIN = (
    CancelOrder(coin="ETH", oid=1),
    PlaceOrder(coin="BTC", is_buy=True, sz=Decimal(1)),
    PlaceOrder(coin="ETH", is_buy=False, sz=Decimal(1), reduce_only=True),
)
"""Orders of which none says where an exit belongs."""
RULES = [
    ExitRules(),
    ExitRules(smart=True, time_stop_hours=0.2),
    ExitRules(smart=True, structure_trail=True),
    ExitRules(smart=True, margin_usage_max=0.3, margin_usage_safe=0.2),
]
steps = st.lists(st.tuples(st.integers(1600, 2300), st.integers(1, 30)), min_size=1, max_size=15)


@given(
    rules=st.sampled_from(RULES),
    size=st.sampled_from(["0.375", "-0.375", "60"]),
    plan=st.sampled_from([PLAN, None]),
    path=steps,
)
def test_it_says_what_a_whole_second_look_would(
    rules: ExitRules, size: str, plan: ExitPlan | None, path: list[tuple[int, int]]
) -> None:
    """A manager that has not reviewed has to look at everything: both agree, in memory too."""
    venue = SmallVenue(rules=rules)
    venue.step("2000", plan=plan)
    venue.open(size, "2000")
    quick = venue.manager()
    for mark, minutes in path:
        venue.now_ms += minutes * MINUTE_MS
        venue.marks["ETH"] = Decimal(mark)
        seen = venue.observe()
        reviewed = quick.review(seen)
        whole = ExitManager(
            rules,
            trader_id="t",
            interval_ms=MINUTE_MS,
            instruments={"ETH": ETH, "BTC": BTC},
            memory=copy.deepcopy(venue.memory),
        )
        assert whole.adopt((), seen, PLAIN) == quick.adopt((), seen, PLAIN)
        assert whole.memory == venue.memory
        venue.fills = []
        for action in reviewed.actions:
            venue.carry_out(action)


def test_plans_and_protected_entries_say_something() -> None:
    """The last order of a coin counts, and one that only reduces has no exit of its own."""
    bare = PlaceOrder(coin="ETH", is_buy=True, sz=Decimal(1))
    protected = PlaceOrder(
        coin="ETH", is_buy=True, sz=Decimal(1), stop_loss=Leg(price=Decimal(1900))
    )
    assert says_of_exits((PLAN,), ())
    assert says_of_exits((), (protected,))
    assert not says_of_exits((), PLAIN)
    assert not says_of_exits((), (protected, bare))
