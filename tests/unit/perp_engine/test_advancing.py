"""Where an advance stops, what can be read of a world, and going back in it."""

import numpy as np
import pytest
from tests.support.random_traders import COINS, MINUTE, Driver, random_tape

from perp_engine.commands import Advance, CancelOrder, Deposit, NewOrder, PlaceOrders, PriceWatch
from perp_engine.engine import Engine
from perp_engine.events import ActionRejected, ActionSent, Advanced, Event, Fill, OrderOpened
from perp_engine.past import funding_at, print_at
from perp_engine.rules import PLAIN, FillAt, Rules
from perp_engine.tape import Detail, Tape
from perp_engine.views import FundingStamp
from suite.bars import DAY_MS
from suite.checks import InvariantViolated
from suite.enums import Side, Tif
from suite.errors import RejectReason
from suite.fixed import Price, Rate, Size, Usd
from suite.ids import Oid

NEVER = np.array([[1 << 50, 0]], np.int64)


def ramp(rules: Rules = PLAIN, accounts: int = 2) -> Engine:
    """BTC climbs 100 USD a bar from 60000; the fourth bar is missing. ETH stands still."""
    closes = 600_000 + 1000 * np.arange(1, 11)
    opens = closes - 1000
    btc = np.stack([opens, closes, opens, closes, np.full(10, 1000)])
    btc[4, 3] = -1
    eth = np.stack([np.full(10, 250_000)] * 4 + [np.full(10, 1000)])
    stamps = np.array([[2 * MINUTE, 500], [5 * MINUTE, -700]], np.int64)
    tape = Tape(0, MINUTE, np.ascontiguousarray([btc, eth]), (stamps, NEVER))
    engine = Engine(COINS[:2], tape, accounts, rules)
    for account in range(accounts):
        engine.apply(Deposit(account=account, usd=Usd(10**13)))
    return engine


def limit(account: int, side: Side, price: int, symbol: int = 0) -> PlaceOrders:
    order = NewOrder(
        symbol=symbol, side=side, size=Size(10_000), limit_price=Price(price), tif=Tif.GTC
    )
    return PlaceOrders(account=account, orders=(order,))


def stopped(events: tuple[Event, ...]) -> Advanced:
    assert isinstance(events[-1], Advanced)
    return events[-1]


@pytest.mark.parametrize(
    ("watches", "bar", "met"),
    [
        # reached by the high of bar 1, and of bar 2
        ((PriceWatch(symbol=0, price=Price(602_000), above=True),), 2, (0,)),
        ((PriceWatch(symbol=0, price=Price(602_001), above=True),), 3, (0,)),
        # the first low is below it already
        ((PriceWatch(symbol=0, price=Price(600_000), above=False),), 1, (0,)),
        ((PriceWatch(symbol=0, price=Price(599_999), above=False),), 10, ()),
        # nothing is reached in a bar that is missing: 60350 is in the fifth as well
        ((PriceWatch(symbol=0, price=Price(603_500), above=True),), 5, (0,)),
        (
            (
                PriceWatch(symbol=1, price=Price(250_001), above=True),
                PriceWatch(symbol=0, price=Price(605_500), above=True),
                PriceWatch(symbol=0, price=Price(606_000), above=True),
            ),
            6,
            (1, 2),
        ),
    ],
)
def test_a_price_watch_stops_at_the_end_of_its_bar(
    watches: tuple[PriceWatch, ...], bar: int, met: tuple[int, ...]
) -> None:
    """Those that were reached are named by their places."""
    end = stopped(ramp().apply(Advance(until_bar=99, watches=watches)))
    assert (end.bar, end.watches_met, end.time_ms) == (bar, met, bar * MINUTE)


def test_an_advance_stops_at_fills_and_order_changes_of_whom_it_is_told() -> None:
    """At the end of the bar; what happens to others does not wake it."""
    everyone, one = frozenset({0, 1}), frozenset({1})
    engine = ramp()
    engine.apply(limit(0, Side.SELL, 601_500))
    engine.apply(limit(1, Side.SELL, 606_500))
    snapshot = engine.snapshot()
    assert stopped(engine.apply(Advance(until_bar=9, stop_on_fill=everyone))).bar == 2
    engine.restore(snapshot)
    assert stopped(engine.apply(Advance(until_bar=9, stop_on_fill=one))).bar == 7
    engine.restore(snapshot)
    assert stopped(engine.apply(Advance(until_bar=9, stop_on_order=one))).bar == 7
    engine.restore(snapshot)
    assert stopped(engine.apply(Advance(until_bar=9))).bar == 9
    # the flags of one advance are not those of the next
    engine.restore(snapshot)
    engine.apply(Advance(until_bar=0, stop_on_fill=everyone))
    assert stopped(engine.apply(Advance(until_bar=9))).bar == 9
    # the end of the world ends an order
    engine.restore(snapshot)
    assert stopped(engine.apply(Advance(until_bar=99, stop_on_order=frozenset({0})))).bar == 2


def test_an_advance_into_the_past_does_nothing() -> None:
    """Time goes one way; beyond the end there is nothing either."""
    engine = ramp()
    engine.apply(Advance(until_bar=4))
    before = engine.digest()
    assert stopped(engine.apply(Advance(until_bar=2))).bar == 4
    assert before == engine.digest()
    assert stopped(engine.apply(Advance(until_bar=99))).bar == 10
    assert engine.finished
    assert stopped(engine.apply(Advance(until_bar=99))).bar == 10


def test_last_funding_is_the_last_settled_one() -> None:
    """With the time since the one before; the first stands for eight hours; none before it."""
    engine = ramp()
    seen = []
    for bar in range(1, 7):
        engine.apply(Advance(until_bar=bar))
        seen.append(engine.last_funding(0))
    first = FundingStamp(time_ms=2 * MINUTE, rate=Rate(500), interval_ms=8 * 3_600_000)
    second = FundingStamp(time_ms=5 * MINUTE, rate=Rate(-700), interval_ms=3 * MINUTE)
    assert seen == [None, first, first, first, second, second]
    assert engine.last_funding(1) is None


@pytest.mark.parametrize("fill_at", list(FillAt))
@pytest.mark.parametrize("seed", range(6))
def test_past_is_told_as_it_was_when_it_was_present(fill_at: FillAt, seed: int) -> None:
    """Prints and funding at every boundary, with bars that are missing and stamps or none."""
    drawn, rules, start_ms = random_tape(seed, 300), Rules(fill_at=fill_at), DAY_MS
    stamps = [np.add(rows, [start_ms, 0]) if seed % 2 else rows[:0] for rows in drawn.funding]
    tape = Tape(start_ms, MINUTE, drawn.bars, tuple(stamps))
    engine = Engine(COINS[: tape.symbols], tape, 1, rules)
    while not engine.finished:
        for symbol in range(tape.symbols):
            asked = (tape, rules, symbol, engine.now_ms)
            assert engine.print_price(symbol) == print_at(*asked)
            assert engine.last_funding(symbol) == funding_at(*asked)
        engine.apply(Advance(until_bar=engine.bar + 1))


def test_equities_and_exposures_are_those_of_each_account() -> None:
    """Both coins, signs aside, at the present marks."""
    engine = ramp()
    for symbol, side in ((0, Side.BUY), (1, Side.SELL)):
        order = NewOrder(symbol=symbol, side=side, size=Size(10_000), tif=Tif.IOC)
        engine.apply(PlaceOrders(account=1, orders=(order,)))
    engine.apply(Advance(until_bar=2))
    assert engine.exposures().tolist() == [0, 10_000 * (602_000 + 250_000)]
    expected = [engine.account(account).equity_usd for account in range(2)]
    assert expected == engine.equities().tolist()


def test_the_queue_of_actions_on_their_way_has_an_end() -> None:
    """When it is full the next action is refused, and all that are in it arrive."""
    engine = ramp(Rules(decision_latency_ms=2 * MINUTE), accounts=1)
    for bar in range(2):
        for _ in range(30):
            assert isinstance(engine.apply(limit(0, Side.BUY, 590_000))[0], ActionSent)
        assert len(engine.open_orders(0)) == 0
        engine.apply(Advance(until_bar=bar + 1))
    assert len(engine.open_orders(0)) == 30
    answers: list[Event] = []
    while not answers or isinstance(answers[-1], ActionSent):
        answers += engine.apply(CancelOrder(account=0, symbol=0, oid=Oid(1)))
    full = answers[-1]
    assert isinstance(full, ActionRejected)
    assert full.reason is RejectReason.TOO_MANY_OPEN_ORDERS
    engine.apply(Advance(until_bar=3))
    # room again: what has arrived gives its place back
    assert isinstance(engine.apply(limit(0, Side.BUY, 590_000))[0], ActionSent)
    assert len(engine.open_orders(0)) == 60


def test_a_long_advance_finds_room_for_all_that_happens() -> None:
    """Thousands of events in one command: the table grows on the way, none is lost."""
    # so many prices that a bar fills dozens of orders
    tape = random_tape(5, 300)
    events: list[list[Event]] = []
    for step in (300, 1):
        engine = Engine(COINS[:2], tape, 20, Rules(participation=Rate(0)))
        for account in range(20):
            engine.apply(Deposit(account=account, usd=Usd(10**13)))
            orders = tuple(
                NewOrder(
                    symbol=0,
                    side=Side.BUY if index % 2 else Side.SELL,
                    size=Size(100),
                    limit_price=Price(600_000 + (-100 if index % 2 else 100) * (index + 1)),
                )
                for index in range(100)
            )
            engine.apply(PlaceOrders(account=account, orders=orders))
        seen: list[Event] = []
        while not engine.finished:
            seen += engine.apply(Advance(until_bar=engine.bar + step))[:-1]
        events.append(seen)
    assert events[0] == events[1]
    assert sum(isinstance(event, Fill) for event in events[0]) > 500


def test_a_snapshot_goes_back_also_after_the_tables_have_grown() -> None:
    """What follows is what followed; a snapshot of another engine is refused."""
    engine = ramp()
    engine.apply(limit(0, Side.BUY, 590_000))
    snapshot, before = engine.snapshot(), engine.digest()
    many = tuple(order for index in range(300) for order in limit(0, Side.BUY, 590_000).orders)
    engine.apply(PlaceOrders(account=0, orders=many))
    engine.apply(Advance(until_bar=5))
    engine.restore(snapshot)
    assert before == engine.digest()
    assert (engine.bar, len(engine.open_orders(0))) == (0, 1)
    events = engine.apply(PlaceOrders(account=0, orders=many))
    assert sum(isinstance(event, OrderOpened) for event in events) == 300
    with pytest.raises(InvariantViolated, match="another engine"):
        ramp(accounts=3).restore(snapshot)


def test_trades_become_the_detail_of_the_bars_they_lie_in() -> None:
    """A trade belongs to the bar that starts at or before it; those outside the tape are left."""
    tape = ramp().tape
    first = (
        np.array([-5, 0, MINUTE - 1, MINUTE, 10 * MINUTE]),
        np.array([1, 600_000, 601_000, 601_500, 2]),
    )
    second = (np.array([7 * MINUTE], np.int64), np.array([250_000], np.int64))
    detail = Detail.of_trades(tape, (first, second))
    assert detail.rows[:, 0].tolist() == [600_000, 601_000, 601_500, 250_000]
    assert detail.first[0].tolist() == [0, 2] + [3] * 9
    assert detail.first[1].tolist() == [3] * 8 + [4] * 3
    Tape(0, MINUTE, tape.bars, tape.funding, detail)


def test_a_tape_knows_its_times() -> None:
    """The first boundary that is not before a time."""
    tape = ramp().tape
    assert [tape.bar_at(time_ms) for time_ms in (0, 1, MINUTE, MINUTE + 1)] == [0, 1, 1, 2]
    assert tape.time_ms(3) == 3 * MINUTE


def test_the_random_driver_reaches_the_end() -> None:
    """A driver is no more than its commands: the same seed, the same bytes."""
    ends = set()
    for _ in range(2):
        driver = Driver.start(9, random_tape(9, 30), 2, Rules())
        while not driver.engine.finished:
            driver.step()
        ends.add(driver.engine.digest())
    assert len(ends) == 1
