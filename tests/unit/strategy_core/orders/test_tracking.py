"""What the venue says is taken in once, and what cannot be is called so."""

from decimal import Decimal

import msgspec
import pytest
from tests.support.order_venue import COIN, NOT_KNOWN, Managed, OrderVenue, Resting, entry

from strategy_core.intents import ParentOrder, Passive
from strategy_core.orders.memory import CLOSED_KEPT, FILLS_KEPT
from suite.contracts.hyperliquid_info import FillLiquidation, UserFill
from suite.contracts.venue import ActionReply, CancelOrder, PlaceOrder


def resting(managed: Managed) -> Resting:
    (order,) = managed.venue.orders.values()
    return order


def quoted(size: str = "1") -> Managed:
    """A plain limit order rests, and is known to."""
    managed = Managed()
    managed.turn(entry(size, limit="1999"))
    managed.turn()
    return managed


def change(managed: Managed, **values: object) -> None:
    """Falsify the last fill."""
    managed.venue.fills[-1] = msgspec.structs.replace(managed.venue.fills[-1], **values)


def test_fills_count_once_in_whatever_order_they_come() -> None:
    """Replayed after a reconnect they change nothing and are no trouble."""
    managed = quoted()
    for size in ("0.1", "0.2", "0.3"):
        managed.venue.fill(resting(managed), Decimal(size))
    fills = list(managed.venue.fills)
    managed.venue.fills.reverse()
    managed.turn()
    managed.venue.fills = fills
    managed.venue.woke_by = ("join",)
    managed.turn()
    (child,) = managed.memory.children.values()
    assert (Decimal("0.6"), []) == (child.filled, managed.trouble)
    assert {COIN: Decimal("0.6")} == managed.memory.positions


def test_a_fill_told_twice_is_trouble_and_counts_once() -> None:
    """Outside a reconnect no venue repeats itself."""
    managed = quoted()
    managed.venue.fill(resting(managed), Decimal("0.1"))
    managed.venue.fills *= 2
    managed.turn()
    assert ["reported twice" in text for text in managed.trouble] == [True]
    assert {COIN: Decimal("0.1")} == managed.memory.positions


def test_a_fill_of_an_order_nobody_knows_is_trouble() -> None:
    """By number and by name."""
    managed = quoted()
    managed.venue.fill(resting(managed), Decimal("0.1"))
    change(managed, oid=999, cloid="0x" + "f" * 32)
    managed.turn()
    assert ["not ours" in text for text in managed.trouble] == [True]


def test_orders_of_others_are_told_once_and_named() -> None:
    """One from before and one that comes later; our own, and the legs of our own, are not."""
    managed = Managed(OrderVenue())
    early = managed.venue._rest(is_buy=True, sz=Decimal(1), px=Decimal(1990), reduce_only=False)
    managed.turn(entry("1", stop="1900", target="2100"), entry("1", limit="1999"))
    late = managed.venue._rest(is_buy=False, sz=Decimal(1), px=Decimal(2300), reduce_only=True)
    late.cloid = "0x" + "ab" * 16
    managed.turn()
    upkeep = managed.manager(managed.memory).observe(managed.venue.observe())
    assert frozenset({early.oid, late.oid}) == upkeep.foreign
    managed.turn()
    assert [f"order {early.oid}", f"order {late.oid}"] == [
        note.partition(": ")[2].partition(" is not ours")[0]
        for note in managed.notes
        if "is not ours" in note
    ]
    assert [] == managed.trouble


def test_a_fill_is_found_by_either_name() -> None:
    """The number may be new, and the name may be missing."""
    managed = quoted()
    managed.venue.fill(resting(managed), Decimal("0.1"))
    change(managed, cloid=msgspec.UNSET)
    managed.venue.fill(resting(managed), Decimal("0.1"))
    change(managed, oid=12345)
    managed.turn()
    assert [] == managed.trouble


def test_more_than_was_asked_is_trouble() -> None:
    """The sum of its fills is beyond the order's size."""
    managed = quoted()
    managed.venue.fill(resting(managed), Decimal(1))
    change(managed, sz="1.5")
    managed.turn()
    assert "1.5 filled of order" in managed.trouble[0]


@pytest.mark.parametrize("text", ["NaN", "", "1e999x", "0x1"])
def test_a_fill_without_a_number_is_trouble(text: str) -> None:
    """It is called so and left out."""
    managed = quoted()
    managed.venue.fill(resting(managed), Decimal("0.1"))
    change(managed, sz=text)
    managed.turn()
    assert "has the size" in managed.trouble[0]


def test_a_fill_on_the_wrong_side_or_coin_is_trouble() -> None:
    """Its order bought BTC."""
    for values in ({"side": "A"}, {"coin": "ETH"}):
        managed = quoted()
        managed.venue.fill(resting(managed), Decimal("0.1"))
        change(managed, **values)
        managed.turn()
        assert "not of its order" in managed.trouble[0]


def test_positions_that_its_fills_do_not_make_are_trouble_when_they_last() -> None:
    """One observation may be ahead of the other feed; two in a row are not."""
    managed = quoted()
    managed.venue.position = Decimal("0.5")
    managed.turn()
    assert [] == managed.trouble
    managed.turn()
    assert ["position is 0.5, its fills make it 0" in text for text in managed.trouble] == [True]
    managed.venue.position = Decimal(0)
    managed.trouble.clear()
    managed.turn()
    managed.turn()
    assert [] == managed.trouble


def test_after_a_reconnect_the_venues_position_is_taken_and_a_difference_said() -> None:
    """The explicit report is the target; what cannot be explained pauses."""
    managed = quoted()
    managed.venue.position = Decimal("0.5")
    managed.venue.woke_by = ("join",)
    managed.turn()
    assert ["position is 0.5" in text for text in managed.trouble] == [True]
    managed.venue.woke_by = ("time",)
    managed.trouble.clear()
    managed.turn()
    managed.turn()
    assert [] == managed.trouble


@pytest.mark.parametrize("count", [0, 2, 5])
def test_a_wrong_number_of_answers_is_trouble_and_the_orders_are_unknown(count: int) -> None:
    """Nobody can tell which answer is whose; the open orders tell what lives."""
    managed = Managed()
    managed.turn(entry("1", limit="1999"))
    managed.venue.results = [ActionReply(status="ok", response={"type": "default"})] * count
    managed.turn()
    assert [f"{count} answers came to 1 actions"] == managed.trouble
    (child,) = managed.memory.children.values()
    assert "open" == child.state


def test_answers_to_nothing_are_trouble() -> None:
    """Nothing was sent."""
    managed = Managed()
    managed.turn()
    managed.venue.results = [ActionReply(status="ok", response={"type": "default"})]
    managed.turn()
    assert ["1 answers came to 0 actions"] == managed.trouble


def test_an_answer_that_nobody_understands_is_trouble() -> None:
    """The order is looked for among the open ones."""
    managed = Managed()
    managed.turn(entry("1", limit="1999"))
    managed.venue.results = [ActionReply(status="ok", response={"data": {"statuses": [3]}})]
    managed.turn()
    assert ["nobody understands" in text for text in managed.trouble] == [True]
    assert ["open"] == [child.state for child in managed.memory.children.values()]


def test_fills_that_an_answer_promised_and_that_do_not_come_are_trouble() -> None:
    """Said to be filled, without a fill, for longer than feeds may lag."""
    managed = Managed()
    managed.turn(entry("1"))
    managed.venue.fills.clear()
    for _ in range(8):
        managed.turn()
    assert any("is said to have filled 1, its fills are 0" in text for text in managed.trouble)


def test_a_late_fill_after_a_cancel_counts_and_is_flagged() -> None:
    """No second order is sent for it."""
    managed = quoted()
    order = resting(managed)
    managed.turn(CancelOrder(coin=COIN, cloid=order.cloid))
    managed.turn()
    managed.venue.fill(order, Decimal("0.4"))
    assert managed.turn() == ()
    assert any("late fill of 0.4 after canceled" in note for note in managed.notes)
    assert ([], Decimal("0.4")) == (managed.trouble, managed.memory.positions[COIN])


def test_a_fill_of_an_order_that_was_refused_counts_and_is_trouble() -> None:
    """An order that failed and then filled: the position is what the fill says."""
    managed = Managed()
    managed.turn(entry("1", limit="1999"))
    managed.venue.results = [ActionReply(status="err", response="Insufficient margin.")]
    (order,) = managed.venue.orders.values()
    managed.venue.orders = {}
    managed.turn()
    managed.venue.fill(order, Decimal(1))
    managed.turn()
    assert "which was refused" in managed.trouble[0]
    assert Decimal(1) == managed.memory.positions[COIN]


def test_a_cancel_of_what_is_gone_is_success() -> None:
    """It had filled: the fill says so, and no cancel is repeated."""
    managed = quoted()
    order = resting(managed)
    managed.venue.fill(order, Decimal(1))
    managed.turn(CancelOrder(coin=COIN, cloid=order.cloid))
    managed.turn()
    assert ([], {}) == (managed.trouble, managed.memory.children)


def test_an_order_of_unknown_outcome_ends_by_evidence_only() -> None:
    """Seen, it lives; never seen, it is dead once it has expired."""
    managed = Managed()
    managed.turn(entry("1", limit="1999"))
    managed.venue.results = [NOT_KNOWN]
    order = managed.venue.orders.popitem()[1]
    for _ in range(19):
        managed.turn()
        assert ["unknown"] == [child.state for child in managed.memory.children.values()]
    managed.turn()
    assert {} == managed.memory.children
    found = Managed()
    found.turn(entry("1", limit="1999"))
    found.venue.results = [NOT_KNOWN]
    found.turn()
    assert ["open"] == [child.state for child in found.memory.children.values()]
    assert order.cloid is not None


def test_an_order_is_not_held_for_dead_while_a_position_hints_at_it() -> None:
    """Its fill is on the way: another order for the same would be one too many."""
    managed = Managed()
    managed.turn(entry("1"))
    managed.venue.results = [NOT_KNOWN]
    fills, managed.venue.fills = managed.venue.fills, []
    managed.venue.now_ms += 30_000
    managed.turn()
    assert ["unknown"] == [child.state for child in managed.memory.children.values()]
    managed.venue.fills = fills
    managed.turn()
    assert ({}, []) == (managed.memory.children, managed.trouble)


def test_an_order_held_for_dead_that_lives_is_followed_again() -> None:
    """It came later than it could: evidence wins, and it ends under its own name."""
    managed = Managed()
    managed.turn(entry("1", limit="1999"))
    managed.venue.results = [NOT_KNOWN]
    hidden, managed.venue.orders = managed.venue.orders, {}
    managed.venue.now_ms += 30_000
    managed.turn()
    assert {} == managed.memory.children
    managed.venue.orders = hidden
    managed.turn()
    (child,) = managed.memory.children.values()
    assert ("open", []) == (child.state, managed.trouble)
    assert any("lives although it was lost" in note for note in managed.notes)


def test_a_quote_that_lives_after_its_parent_was_missed_is_taken_back() -> None:
    """Nothing waits for it any more; what it fills meanwhile still counts."""
    managed = Managed()
    managed.turn(ParentOrder(coin=COIN, is_buy=True, sz=Decimal(1), execution=Passive()))
    managed.venue.results = [NOT_KNOWN]
    hidden, managed.venue.orders = managed.venue.orders, {}
    managed.venue.now_ms += 30_000
    managed.turn()
    assert {} == managed.memory.works
    managed.venue.orders = hidden
    (cancel,) = managed.turn()
    assert isinstance(cancel, CancelOrder)
    managed.turn()
    assert ({}, {}) == (managed.venue.orders, managed.memory.children)


def test_an_order_that_was_refused_and_lives_is_trouble() -> None:
    """An answer and a list that cannot both be true."""
    managed = Managed()
    managed.turn(entry("1", limit="1999"))
    managed.venue.results = [ActionReply(status="err", response="Insufficient margin.")]
    managed.turn()
    assert ["lives although it was refused" in text for text in managed.trouble] == [True]


def test_what_the_venue_does_itself_is_noted_and_explained() -> None:
    """Liquidations and settlements are no orders of ours."""
    managed = quoted()
    managed.venue.fill(resting(managed), Decimal(1))
    managed.turn()
    forced = UserFill(
        coin=COIN,
        px="1500",
        sz="1",
        side="A",
        time=managed.venue.now_ms,
        startPosition="1",
        dir="Close Long",
        closedPnl="0",
        hash="0x",
        oid=77,
        crossed=True,
        fee="0",
        tid=77,
        liquidation=FillLiquidation(liquidatedUser="0x", markPx="1500", method="market"),
    )
    managed.venue.fills = [forced]
    managed.venue.position = Decimal(0)
    managed.turn()
    assert ([], {}) == (managed.trouble, managed.memory.positions)


def test_orders_found_at_the_start_are_not_ours_and_not_unknown() -> None:
    """Their fills count, and are noted."""
    venue = OrderVenue()
    venue.send([PlaceOrder(coin=COIN, is_buy=True, sz=Decimal(1), limit_px=Decimal(1999))])
    venue.results = []
    managed = Managed(venue)
    managed.turn()
    venue.fill(resting(managed), Decimal("0.5"))
    managed.turn()
    assert ([], Decimal("0.5")) == (managed.trouble, managed.memory.positions[COIN])
    assert any("was there at the start" in note for note in managed.notes)


def test_what_is_remembered_is_bounded_and_says_when_it_is_not_enough() -> None:
    """A fill older than all that are remembered cannot be told from one that was counted."""
    managed = quoted("10000")
    order = resting(managed)
    managed.venue.fill(order, Decimal("0.001"))
    oldest = managed.venue.fills[0]
    for _ in range(41):
        for _ in range(100):
            managed.venue.now_ms += 1
            managed.venue.fill(order, Decimal("0.001"))
        managed.turn()
    assert FILLS_KEPT == len(managed.memory.fills)
    managed.venue.fills = [oldest]
    managed.turn()
    assert ["too old" in text for text in managed.trouble] == [True]


def test_orders_at_their_end_are_forgotten_in_their_order() -> None:
    """So that the memory of a market maker does not grow."""
    managed = Managed()
    for _ in range(CLOSED_KEPT + 20):
        managed.turn(entry("0.01"))
    managed.turn()
    assert CLOSED_KEPT == len(managed.memory.closed)
    assert len(managed.memory.oids) == CLOSED_KEPT
    assert len(managed.memory.owing) == 0
