"""A rehearsal shows everything that may happen, the same to everyone who decides the same."""

from collections import Counter
from decimal import Decimal

import msgspec

from strategy_core.port import ZERO, Needs, Observation
from strategy_core.testkit.rehearsal import SITUATIONS, YOUNG, Rehearsal
from suite.bars import MINUTE_MS
from suite.contracts.venue import CancelOrder, Leg, ModifyOrder, PlaceOrder
from suite.enums import TraderStatus

STEPS = 300
NEEDS = Needs(snapshots=("BTC", "ETH"), intervals=("15", "60"))


def rehearsal(seed: int = 1) -> Rehearsal:
    return Rehearsal(("BTC", "ETH"), NEEDS, interval_ms=15 * MINUTE_MS, steps=STEPS, seed=seed)


def shown(world: Rehearsal) -> list[tuple[str, Observation]]:
    """Trade a little on the way: enter with protection, rest, move what rests, take it back."""
    seen: list[tuple[str, Observation]] = []
    for situation, observation in world.observations():
        seen.append((situation, observation))
        price = observation.mids.get("BTC", ZERO)
        low = price.quantize(Decimal(10)) - 1000
        actions: list[PlaceOrder | CancelOrder | ModifyOrder] = []
        if price > 10_000 and len(seen) % 3 == 0:
            buy = len(seen) % 2 == 0
            sz = Decimal("0.02")
            actions.append(PlaceOrder(coin="BTC", is_buy=buy, sz=sz, stop_loss=Leg(price=low)))
            actions.append(PlaceOrder(coin="BTC", is_buy=True, sz=sz, limit_px=low))
        for order in observation.open_orders[:1]:
            oid, sz = order.oid, Decimal("0.01")
            actions.append(
                CancelOrder(coin="BTC", oid=oid)
                if len(seen) % 2
                else ModifyOrder(coin="BTC", is_buy=True, sz=sz, limit_px=low, oid=oid)
            )
        world.answer(actions)
    return seen


def test_equal_seeds_and_decisions_are_shown_the_same() -> None:
    one, other = (msgspec.json.encode(shown(rehearsal())) for _ in range(2))
    assert one == other
    assert one != msgspec.json.encode(shown(rehearsal(seed=2)))


def test_everything_that_is_rare_is_shown_several_times() -> None:
    count = Counter(situation for situation, _ in shown(rehearsal()))
    assert {"a young market", "ordinary", *SITUATIONS} == set(count)
    assert YOUNG == count["a young market"]
    assert min(count[situation] for situation in SITUATIONS) > 5


def test_account_is_flat_long_and_short_with_fills_orders_and_refusals() -> None:
    seen = [observation for _, observation in shown(rehearsal())]
    sides = {(size > 0) - (size < 0) for size in (item.size_of("BTC") for item in seen)}
    assert {-1, 0, 1} == sides
    kinds = {fill.dir for item in seen for fill in item.fills}
    assert {"Open Long", "Close Long", "Open Short", "Close Short", "Long > Short"} <= kinds
    assert {True, False} == {order.reduceOnly for item in seen for order in item.open_orders}
    assert {"ok", "err"} == {reply.status for item in seen for reply in item.results}
    assert {"accepted", "rejected"} == {row.outcome for item in seen for row in item.verdicts}
    assert set(TraderStatus) == {item.status for item in seen}


def test_value_of_the_account_is_what_its_fills_made_of_it() -> None:
    """Until somebody else changes a position: cash from fills, and what is open at the mid."""
    cash, held = Decimal(10_000), Counter[str]()
    for situation, seen in shown(rehearsal()):
        if situation == "positions turned by somebody else":
            return
        for fill in seen.fills:
            change = Decimal(fill.sz) * (1 if fill.side == "B" else -1)
            cash -= change * Decimal(fill.px)
            held[fill.coin] += change  # type: ignore[assignment]  # sizes are decimals
        if situation == "ordinary":
            value = sum(Decimal(size) * seen.mids[coin] for coin, size in held.items())
            assert abs(cash + value - seen.equity) < Decimal("1e-9")
    raise AssertionError("nobody changed a position")


def test_time_only_goes_on_and_snapshots_are_of_now() -> None:
    before_ms = 0
    for situation, seen in shown(rehearsal()):
        assert seen.now_ms > before_ms
        before_ms = seen.now_ms
        if situation == "ordinary":
            assert {"BTC", "ETH"} == set(seen.snapshots)
            for snapshot in seen.snapshots.values():
                assert seen.now_ms == snapshot["as_of_ms"]
                assert {"15", "60"} == set(snapshot["intervals_data"])
                assert snapshot["intervals_data"]["60"]["rsi_14"] is not None


def test_order_that_the_account_cannot_pay_for_is_refused() -> None:
    world = rehearsal()
    for _, seen in world.observations():
        assert "ok" not in {reply.status for reply in seen.results}
        assert () == seen.fills
        if "BTC" in seen.positions:
            return
        world.answer([PlaceOrder(coin="BTC", is_buy=True, sz=Decimal(1000))])
    raise AssertionError("nobody changed a position")
