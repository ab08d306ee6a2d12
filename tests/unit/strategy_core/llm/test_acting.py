"""What becomes of a decision that can be read: orders that mean what was asked, or why not."""

from decimal import Decimal
from typing import Any

import pytest
from tests.unit.strategy_core.fake_venue import INSTRUMENTS

from strategy_core.llm.acting import Done, Rules, act_on
from strategy_core.llm.answer import Refused, read_item
from strategy_core.llm.memory import Idea
from strategy_core.port import Observation
from suite.contracts.clock import PositionView
from suite.contracts.hyperliquid_info import OpenOrder
from suite.contracts.venue import CancelOrder, Leg, PlaceOrder, SetLeverage

D = Decimal
RULES = Rules(valid_ms=3_600_000)
LONG: dict[str, Any] = {"signal": "buy_to_enter", "size_usd": D(1000), "stop_loss": D(98)}
SHORT: dict[str, Any] = {"signal": "sell_to_enter", "size_usd": D(1000), "stop_loss": D(102)}
ENTRY = OpenOrder(coin="BTC", side="B", limitPx="99", sz="1", oid=1, timestamp=0, origSz="1")
STOP = OpenOrder(
    coin="BTC", side="A", limitPx="90", sz="1", oid=2, timestamp=0, origSz="1", reduceOnly=True
)
IDEA = Idea(coin="BTC", side=1, since_ms=0, until_ms=9, stop=D(95), target=D(110))


def seen(size: int = 0, price: str = "100") -> Observation:
    held = PositionView(coin="BTC", size=D(size), entry_px=D(100), unrealized_pnl=D(0), leverage=2)
    return Observation(
        now_ms=1_000,
        equity=D(10_000),
        mids={"BTC": D(price)} if price else {},
        positions={"BTC": held} if size else {},
        open_orders=(ENTRY, STOP),
    )


def act(
    now: Observation | None = None, *, idea: Idea | None = None, rules: Rules = RULES, **item: Any
) -> Done:
    read = read_item({"coin": "BTC", **item}, 0, ("BTC",))
    return act_on(read, now or seen(), INSTRUMENTS, {"BTC": idea} if idea else {}, rules)


@pytest.mark.parametrize(
    ("now", "item", "kind"),
    [
        (seen(price=""), LONG, "no_price"),
        (seen(), {**LONG, "size_usd": None}, "no_size"),
        (seen(), {**LONG, "risk_usd": D(5)}, "two_sizes"),
        (seen(), {**LONG, "stop_loss": None}, "no_stop"),
        (seen(), {**LONG, "stop_loss": D(101)}, "wrong_side"),
        (seen(), {**LONG, "stop_loss": D(100)}, "wrong_side"),
        (seen(), {**LONG, "take_profit": D(99)}, "wrong_side"),
        (seen(), {**SHORT, "stop_loss": D("0.02")}, "wrong_side"),
        (seen(), {**SHORT, "take_profit": D(101)}, "wrong_side"),
        (seen(), {**LONG, "stop_loss": D("0.02")}, "too_far"),
        (seen(), {**LONG, "take_profit": D(100_000)}, "too_far"),
        (seen(), {**LONG, "entry": D(40)}, "too_far"),
        (seen(), {**LONG, "entry": D("97.5")}, "wrong_side"),
        (seen(), {**LONG, "size_usd": D(9)}, "too_small"),
        (seen(1), LONG, "has_position"),
        (seen(-1), LONG, "has_position"),
        (seen(), {"signal": "adjust", "stop_loss": D(98)}, "no_position"),
        (seen(1), {"signal": "adjust"}, "nothing_to_do"),
        (seen(1), {"signal": "adjust", "stop_loss": D(94)}, "stop_loosened"),
        (seen(1), {"signal": "adjust", "stop_loss": D(101)}, "wrong_side"),
    ],
)
def test_what_cannot_be_done_has_its_kind(
    now: Observation, item: dict[str, Any], kind: str
) -> None:
    """And one line that says what to do instead."""
    with pytest.raises(Refused) as caught:
        act(now, idea=IDEA, **item)
    assert kind == caught.value.kind
    assert "\n" not in caught.value.text


def test_money_at_risk_becomes_a_size() -> None:
    """What is lost at the stop, costs included: 50 of 2 % and 12 basis points."""
    (_, order) = act(**{**LONG, "size_usd": None, "risk_usd": D(50)}).actions
    assert isinstance(order, PlaceOrder)
    assert D("23.58490") == order.sz
    assert D(50) >= order.sz * (D(2) + D("0.12"))


def test_an_entry_takes_down_what_waits_and_leaves_what_protects() -> None:
    """Leverage is set first, as far as the coin has it."""
    first, leverage, order = act(**LONG, leverage=D(90), entry=D("99.4")).actions
    assert CancelOrder(coin="BTC", oid=1) == first
    assert SetLeverage(coin="BTC", leverage=40) == leverage
    assert isinstance(order, PlaceOrder)
    assert (D("99.4"), D("10.06036"), Leg(price=D(98))) == (
        order.limit_px,
        order.sz,
        order.stop_loss,
    )


def test_what_an_entry_was_taken_for_is_kept() -> None:
    """With its rule, and how long it may wait."""
    done = act(**LONG, invalidation="close(4h)<90", confidence=D("0.6"), valid_for="30m")
    assert done.idea is not None
    assert done.plan is not None
    assert (1_801_000, "close(4h) < 90", D(98)) == (
        done.idea.until_ms,
        done.idea.invalidation,
        done.idea.stop,
    )
    assert (0.6, "close(4h) < 90") == (done.plan.confidence, done.plan.invalidation)
    late = act(**LONG).idea
    assert late is not None
    assert 3_601_000 == late.until_ms


def test_an_adjusted_position_is_never_without_a_stop() -> None:
    """The new ones are placed before the old ones are taken down; the target stays."""
    *placed, cancel = act(seen(2), idea=IDEA, signal="adjust", stop_loss=D(99)).actions
    assert CancelOrder(coin="BTC", oid=2) == cancel
    prices = []
    for order in placed:
        assert isinstance(order, PlaceOrder)
        assert order.reduce_only
        assert (False, D(2)) == (order.is_buy, order.sz)
        assert order.order_type.trigger is not None
        prices.append((order.order_type.trigger.tpsl, order.order_type.trigger.triggerPx))
    assert [("sl", D(99)), ("tp", D(110))] == prices
    only_rule = act(seen(2), idea=IDEA, signal="adjust", invalidation="price < 97")
    assert () == only_rule.actions
    assert only_rule.plan is not None
    assert "price < 97" == only_rule.plan.invalidation


def test_a_close_is_whole_or_in_part() -> None:
    """A part leaves the protection; the whole takes everything down, even without a price."""
    *cancels, order = act(seen(3), signal="close").actions
    assert [1, 2] == [cancel.oid for cancel in cancels if isinstance(cancel, CancelOrder)]
    assert isinstance(order, PlaceOrder)
    assert (False, D(3), True) == (order.is_buy, order.sz, order.reduce_only)
    (part,) = act(seen(-3), signal="close", size_usd=D(100)).actions
    assert isinstance(part, PlaceOrder)
    assert (True, D(1), True) == (part.is_buy, part.sz, part.reduce_only)
    assert 3 == len(act(seen(3, price=""), signal="close").actions)
    assert 2 == len(act(signal="close").actions)


def test_hold_is_nothing() -> None:
    """Whatever else it says."""
    assert Done() == act(signal="hold", stop_loss=D(1))


def test_stops_are_optional_where_the_trader_says_so() -> None:
    """Then only size_usd can be asked for."""
    free = Rules(require_stop=False, valid_ms=1)
    (_, order) = act(rules=free, signal="buy_to_enter", size_usd=D(100)).actions
    assert isinstance(order, PlaceOrder)
    assert order.stop_loss is None
    with pytest.raises(Refused, match="risk_usd is lost at the stop_loss"):
        act(rules=free, signal="buy_to_enter", risk_usd=D(100))
