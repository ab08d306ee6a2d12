"""Sums over a run are those of its events, and samples of equity those of its curve."""

from typing import Any

import pytest
from tests.bench import workloads
from tests.bench.series import INSTRUMENT, MINUTE_MS, START_MS
from tests.unit.perp_engine.test_drivers import BARS, tape

from perp_engine.callback import Callback
from perp_engine.commands import NewOrder, PlaceOrders
from perp_engine.events import Event, Fill, FundingPaid
from perp_engine.jitted import run_jitted
from perp_engine.rules import Rules
from perp_engine.tally import Tally, Traded
from suite.checks import InvariantViolated
from suite.enums import Side, Tif
from suite.fixed import Price, Size

END_MS = START_MS + BARS * MINUTE_MS


def counted(events: tuple[Event, ...]) -> Traded:
    """The same of one coin, event by event."""
    fills = [one for one in events if isinstance(one, Fill)]
    after = [one.start_position + int(one.side) * one.size for one in fills]
    until = [*(one.time_ms for one in fills), END_MS][1:]
    return Traded(
        entered=sum(
            1
            for one, held in zip(fills, after, strict=True)
            if held and held * one.start_position <= 0
        ),
        notional=sum(one.size * one.price for one in fills),
        fees=sum(one.fee_usd for one in fills),
        funding=sum(one.usd for one in events if isinstance(one, FundingPaid)),
        held_ms=sum(
            to - one.time_ms for one, held, to in zip(fills, after, until, strict=True) if held
        ),
    )


@pytest.mark.parametrize(
    ("strategy", "ints"),
    [
        (workloads.cross, workloads.CROSS),
        (workloads.bracket, workloads.BRACKET),
        (workloads.quotes, workloads.QUOTES),
        (workloads.idle, ()),
    ],
)
def test_sums_are_those_of_the_events(strategy: Any, ints: tuple[int, ...]) -> None:
    plain = workloads.start(INSTRUMENT, tape(), Rules(), curve_every=60)
    whole = counted(run_jitted(plain, strategy, ints=ints).events())
    assert (whole.entered > 0, whole.funding != 0) == (bool(ints), bool(ints))
    tally = Tally(samples=BARS // 60)
    summed = workloads.start(INSTRUMENT, tape(), Rules(), curve_every=60, tally=tally)
    start = summed.snapshot()
    for _ in range(2):  # nothing of one run is left for the next
        summed.restore(start)
        tally.clear()
        assert () == run_jitted(summed, strategy, ints=ints).events()
        assert whole == tally.traded(end_ms=END_MS)
        assert plain.equity_curve()[1][1:, 0].tolist() == tally.equity().tolist()
    assert plain.digest() == summed.digest()


def test_commands_of_a_called_strategy_are_added_up_and_answered() -> None:
    tally = Tally()
    run = Callback(workloads.start(INSTRUMENT, tape(), Rules(), tally=tally))
    run.run(lambda _bar, _close: None, until_bar=10)
    price = Price(run.engine.print_price(0) + 1_000)
    order = NewOrder(symbol=0, side=Side.BUY, size=Size(1000), limit_price=price, tif=Tif.IOC)
    (fill,) = [
        one for one in run.apply(PlaceOrders(account=0, orders=(order,))) if isinstance(one, Fill)
    ]
    run.run(lambda _bar, _close: None)
    traded = tally.traded(end_ms=END_MS)
    assert (1, fill.fee_usd, END_MS - fill.time_ms) == (
        traded.entered, traded.fees, traded.held_ms,
    )  # fmt: skip


def test_time_in_several_coins_counts_once() -> None:
    tally = Tally()
    # time, position before, side, size, price, fee: one coin is long from 10 to 50, then short
    # until 60; another one is held from 20 to 80
    tally.add_fills([(10, 0, 1, 5, 100, 1), (20, 0, -1, 7, 10, 2)])
    tally.add_fills([(50, 5, -1, 8, 100, 3), (60, -3, 1, 3, 100, 0), (80, -7, 1, 7, 10, -1)])
    traded = Traded(entered=3, notional=1740, fees=5, funding=-4, held_ms=70)
    assert traded == tally.traded(end_ms=100, funding=-4)
    tally.add_fills([(90, 0, 1, 1, 1, 0)])
    assert 80 == tally.traded(end_ms=100).held_ms


def test_samples_beyond_the_room_are_told() -> None:
    engine = workloads.start(INSTRUMENT, tape(), Rules(), curve_every=60, tally=Tally(samples=3))
    with pytest.raises(InvariantViolated, match="samples"):
        run_jitted(engine, workloads.idle)
