"""What a level means at the venue: cancel, verify, flatten, verify, and stops until then."""

import asyncio
from functools import partial
from pathlib import Path

import pytest
from tests.support.gate_setting import ANNA, BERT, NOW_MS, UNIVERSE, resting
from tests.support.risk_venue import USUAL, RiskStand, RiskVenue
from tests.support.waiting import until

from hyperliquid_exchange.adapters.safety_files import place_sentinel
from hyperliquid_exchange.domain.clearing import Clearing
from hyperliquid_exchange.domain.facts import RestingOrder
from hyperliquid_exchange.domain.flattening import collared
from hyperliquid_exchange.domain.safety import EVERYBODY, Cause, Level
from suite.contracts.hyperliquid_exchange import Cancel, Order
from suite.fixed import Price, Rate, Size
from suite.ids import TraderId

ENTRIES, STOPS = {1, 2}, {3, 4}
LEVELS = [Level.PAUSED, Level.STOPPED, Level.KILLED]


def stand(folder: Path, **changes: object) -> RiskStand:
    venue = RiskVenue(orders_of={ANNA: list(USUAL)}, held={ANNA: {0: Size(1_000)}})
    return RiskStand(folder, venue, **changes)  # type: ignore[arg-type]


def set_level(one: RiskStand, level: Level, scope: str = ANNA) -> None:
    one.ladder.engage(Cause(scope=scope, level=level, by="operator", reason="why", since_ms=NOW_MS))


def oids(one: RiskStand) -> set[int]:
    return {each.oid for each in one.venue.orders_of[ANNA]}


@pytest.mark.parametrize("level", LEVELS)
async def test_entries_go_and_what_protects_stays(tmp_path: Path, level: Level) -> None:
    one = stand(tmp_path)
    set_level(one, level)
    report = await one.work.carry_out(ANNA)

    assert oids(one) == STOPS
    assert (2, 0, 2, None, "") == (
        report.canceled, report.entries, report.stops, report.positions, report.trouble,
    )  # fmt: skip
    assert one.venue.held[ANNA] == {0: 1_000}
    assert one.venue.log[-1][0] == "orders"  # verified at the venue, last of all


async def test_a_trader_that_is_only_paused_may_keep_its_entries(tmp_path: Path) -> None:
    one = stand(tmp_path, keep_paused=True)
    set_level(one, Level.PAUSED)
    report = await one.work.carry_out(ANNA)
    assert (oids(one), report.is_done) == (ENTRIES | STOPS, True)

    set_level(one, Level.STOPPED)
    await one.work.carry_out(ANNA)
    assert oids(one) == STOPS


async def test_nothing_is_done_to_a_trader_that_is_live(tmp_path: Path) -> None:
    one = stand(tmp_path)
    await one.work.carry_out(ANNA)

    assert oids(one) == ENTRIES | STOPS


@pytest.mark.parametrize("fault", ["sends_lost", "answers_lost"])
async def test_a_cancel_without_an_answer_is_looked_up_at_the_venue(
    tmp_path: Path, fault: str
) -> None:
    one = stand(tmp_path)
    setattr(one.venue, fault, 2)
    set_level(one, Level.KILLED)
    report = await one.work.carry_out(ANNA)

    assert (oids(one), report.is_done) == (STOPS, True)


async def test_what_cannot_be_verified_is_no_success(tmp_path: Path) -> None:
    one = stand(tmp_path)
    one.venue.sends_lost = 1_000
    set_level(one, Level.KILLED)
    report = await one.work.carry_out(ANNA)

    assert (report.entries, report.is_done) == (2, False)

    one.venue.down = True
    assert "the venue is down" in (await one.work.carry_out(ANNA)).trouble


async def test_an_order_whose_fate_is_unknown_keeps_the_work_open(tmp_path: Path) -> None:
    one = stand(tmp_path)
    unknown = {ANNA}
    one.unsettled = lambda name: name in unknown
    set_level(one, Level.KILLED)
    assert "fate is not known" in (await one.work.carry_out(ANNA)).trouble

    one.venue.orders_of[ANNA].append(resting(9, 10, 400_000))  # it has arrived after all
    unknown.clear()
    report = await one.work.carry_out(ANNA)
    assert (oids(one), report.is_done) == (STOPS, True)


async def test_flattening_goes_in_slices_inside_the_collar_and_stops_go_last(
    tmp_path: Path,
) -> None:
    one = stand(tmp_path)
    set_level(one, Level.KILLED)
    report = await one.work.carry_out(ANNA, flatten=True)

    orders = [order for action in one.venue.sent(Order) for order in action.orders]
    assert [True] * 2 == [order.r for order in orders]
    assert ["0.006", "0.004"] == [order.s for order in orders]
    assert {"49500"} == {order.p for order in orders}
    assert ({}, "", set()) == (report.positions, report.trouble, oids(one))
    kinds = [type(what) for asked, _, what in one.venue.log if asked == "send"]
    assert [Cancel, Order, Order, Cancel] == kinds


async def test_stops_stay_while_a_position_cannot_be_closed(tmp_path: Path) -> None:
    one = stand(tmp_path)
    one.venue.sends_lost = 0
    one.venue.fill = 0.0001
    set_level(one, Level.STOPPED)
    report = await one.work.carry_out(ANNA, flatten=True)

    assert (oids(one), report.is_done) == (STOPS, False)
    assert "positions are left" in report.trouble


async def test_lost_answers_while_flattening_never_turn_a_position(tmp_path: Path) -> None:
    one = stand(tmp_path)
    one.venue.held[ANNA] = {0: Size(-1_000)}
    set_level(one, Level.KILLED)
    one.venue.answers_lost = 3
    report = await one.work.carry_out(ANNA, flatten=True)

    assert (one.venue.held[ANNA], report.is_done) == ({0: 0}, True)


async def test_a_coin_without_a_price_is_left_to_a_person(tmp_path: Path) -> None:
    one = stand(tmp_path)
    one.venue.prices.clear()
    set_level(one, Level.KILLED)

    assert "no price" in (await one.work.carry_out(ANNA, flatten=True)).trouble


async def test_the_background_does_what_is_set_by_anybody_until_it_is_done(
    tmp_path: Path,
) -> None:
    one = stand(tmp_path)
    one.venue.orders_of[BERT] = list(USUAL)
    running = asyncio.create_task(one.work.run())
    try:
        one.venue.down = True
        place_sentinel(tmp_path, ANNA, "by hand")
        await until(lambda: ANNA in one.work.reports)
        assert not one.work.reports[ANNA].is_done

        one.venue.down = False
        await until(lambda: one.work.reports[ANNA].is_done)
        assert oids(one) == STOPS
        assert BERT not in one.work.reports

        set_level(one, Level.STOPPED, EVERYBODY)
        await until(lambda: BERT in one.work.reports)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("trouble", ["unknown", "down"])
async def test_a_flatten_that_could_not_begin_is_done_as_soon_as_it_can(
    tmp_path: Path, trouble: str
) -> None:
    one = stand(tmp_path)
    one.venue.down = trouble == "down"
    one.unsettled = lambda _: trouble == "unknown"
    running = asyncio.create_task(one.work.run())
    try:
        set_level(one, Level.KILLED)
        assert not (await one.work.carry_out(ANNA, flatten=True)).is_done
        assert one.venue.held[ANNA] == {0: 1_000}

        one.venue.down, one.unsettled = False, lambda _: False
        await until(lambda: one.work.reports[ANNA].is_done)
        assert (one.venue.held[ANNA], oids(one)) == ({0: 0}, set())
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_what_cannot_be_read_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A size that is no number must not be the end of a kill."""
    one = stand(tmp_path)
    right = one.venue.orders

    async def wrong(trader_id: TraderId) -> tuple[RestingOrder, ...]:
        raise ValueError(f"'much' of {trader_id} is no size")

    monkeypatch.setattr(one.venue, "orders", wrong)
    running = asyncio.create_task(one.work.run())
    try:
        set_level(one, Level.KILLED)
        await until(lambda: ANNA in one.work.reports)
        assert "ValueError: 'much'" in one.work.reports[ANNA].trouble

        monkeypatch.setattr(one.venue, "orders", right)
        await until(lambda: one.work.reports[ANNA].is_done)
        assert oids(one) == STOPS
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_flatten_is_not_done_to_who_was_allowed_again(tmp_path: Path) -> None:
    one = stand(tmp_path)
    set_level(one, Level.STOPPED)
    one.venue.down = True
    await one.work.carry_out(ANNA, flatten=True)
    one.ladder.clear(ANNA, Clearing(by="anna", is_person=True))
    one.venue.down = False
    set_level(one, Level.PAUSED)
    await one.work.carry_out(ANNA)
    assert one.venue.held[ANNA] == {0: 1_000}


async def test_a_flatten_that_waits_is_done_after_a_restart(tmp_path: Path) -> None:
    """Of all too; of who was set anew by the same one, as well."""
    for scope in (ANNA, EVERYBODY):
        folder = tmp_path / (scope or "all")
        set_level(stand(folder), Level.STOPPED, scope)
        stand(folder).ladder.engage(
            Cause(
                scope=scope,
                level=Level.STOPPED,
                by="operator",
                reason="flat",
                since_ms=NOW_MS,
                flatten=True,
            )
        )
        one = stand(folder)
        running = asyncio.create_task(one.work.run())
        try:
            await until(partial(one.work.reports.__contains__, ANNA))
            assert (one.venue.held[ANNA], oids(one)) == ({0: 0}, set())
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_what_was_set_before_a_start_is_seen_to_at_the_start(tmp_path: Path) -> None:
    set_level(stand(tmp_path), Level.KILLED)
    one = stand(tmp_path)
    running = asyncio.create_task(one.work.run())
    try:
        await until(lambda: oids(one) == STOPS)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("is_buy", [True, False])
@pytest.mark.parametrize("mid", [7, 99, 12_345, 99_999, 100_001, 500_000, 9_999_999, 123_456_789])
def test_a_collared_price_is_valid_and_within_the_collar(mid: int, is_buy: bool) -> None:
    for instrument in UNIVERSE:
        price = collared(Price(mid), instrument, Rate(10_000_000), is_buy=is_buy)

        assert price > 0
        assert (price - mid) * (1 if is_buy else -1) * 100 <= mid
        assert price % instrument.tick(price) == 0
