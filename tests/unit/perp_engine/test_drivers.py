"""Three ways to drive the engine, one result."""

from collections.abc import Callable

import numpy as np
import pytest
from tests.bench import workloads
from tests.bench.series import INSTRUMENT, MINUTE_MS, START_MS, peer_rules, synthetic
from tests.support.random_traders import COINS, random_tape

from perp_engine.callback import Callback
from perp_engine.commands import Advance, CancelAll, Command, Deposit, NewOrder, PlaceOrders
from perp_engine.engine import Engine
from perp_engine.events import Event, Fill, FundingPaid
from perp_engine.jitted import run_jitted, sweep
from perp_engine.rules import FillAt, Rules
from perp_engine.tape import CLOSE, Tape
from suite.enums import Side
from suite.fixed import Price, Rate, Size, Usd, div_half_even

BARS = 3_000
RULES = [
    peer_rules(500_000, 200_000),
    Rules(),
    Rules(fill_at=FillAt.CLOSE, impact=Rate(500_000), decision_latency_ms=90_000),
]


def tape() -> Tape:
    """Bars with funding every few hours, some of them missing."""
    bars = synthetic(BARS)
    rng = np.random.default_rng(3)
    bars[4, rng.random(BARS) < 0.01] = -1
    bars[4, [0, -1]] = 10**7
    times = START_MS + MINUTE_MS * np.arange(480, BARS, 480)
    stamps = np.column_stack([times, rng.integers(-(10**6), 10**6, len(times))])
    return Tape(START_MS, MINUTE_MS, bars[None].copy(), (stamps,))


class Recording(Engine):
    """An engine whose events are kept."""

    def __init__(self, rules: Rules) -> None:
        self.seen: list[Event] = []
        super().__init__([INSTRUMENT], tape(), 1, rules)

    def apply(self, command: Command) -> tuple[Event, ...]:
        events = super().apply(command)
        self.seen.extend(events)
        return events


def woken_quotes(engine: Engine) -> None:
    """The quotes by commands."""
    closes = engine.tape.bars[0, CLOSE]
    for bar in range(1, engine.tape.length):
        engine.apply(Advance(until_bar=bar))
        last, held = int(closes[bar - 1]), engine.position(0, 0).size
        orders = []
        for side in (Side.BUY, Side.SELL):
            if side * held < workloads.QUOTE_CAP:
                price = div_half_even(last * (10_000 - side * workloads.HALF), 10_000)
                orders.append(
                    NewOrder(
                        symbol=0,
                        side=side,
                        size=Size(workloads.QUOTE_SIZE),
                        limit_price=Price(price),
                    )
                )
        engine.apply(CancelAll(account=0))
        engine.apply(PlaceOrders(account=0, orders=tuple(orders)))
    engine.apply(Advance(until_bar=engine.tape.length))


@pytest.mark.parametrize("rules", RULES, ids=["plain", "default", "delayed"])
@pytest.mark.parametrize(
    ("compiled", "parameters", "called", "woken"),
    [
        (workloads.cross, workloads.CROSS, workloads.called_cross, workloads.woken_cross),
        (workloads.quotes, workloads.QUOTES, workloads.called_quotes, woken_quotes),
        (workloads.bracket, workloads.BRACKET, workloads.called_bracket, None),
    ],
    ids=["cross", "quotes", "bracket"],
)
def test_every_driver_fills_alike(
    rules: Rules,
    compiled: Callable[..., None],
    parameters: tuple[int, ...],
    called: Callable[[Callback], Callable[[int, int], None]],
    woken: Callable[[Engine], None] | None,
) -> None:
    """The same strategy compiled, called and woken trades the same to the last field."""
    first = workloads.start(INSTRUMENT, tape(), rules)
    events = run_jitted(first, compiled, ints=parameters).events()
    assert any(isinstance(event, Fill) for event in events)

    second = workloads.start(INSTRUMENT, tape(), rules)
    run = Callback(second)
    run.run(called(run))
    assert run.events() == events
    assert second.equities().tolist() == first.equities().tolist()

    if woken is not None:
        third = Recording(rules)
        third.apply(Deposit(account=0, usd=Usd(10**12)))
        woken(third)
        money = [event for event in third.seen if isinstance(event, Fill | FundingPaid)]
        assert money == list(events)
        assert third.equities().tolist() == first.equities().tolist()


def test_callback_walks_several_coins() -> None:
    """With more than one coin the kernel walks; fills are those of the event driver."""

    def start() -> Engine:
        engine = Engine(COINS[:2], random_tape(5, 200), 2, Rules())
        for account in (0, 1):
            engine.apply(Deposit(account=account, usd=Usd(10**11)))
        return engine

    called, woken = start(), start()
    run = Callback(called, account=1, symbol=1)

    def on_bar(bar: int, _close: int) -> None:
        if bar % 7 == 3:
            run.market(1 if bar % 2 else -1, 100)

    run.run(on_bar)
    fills = [event for event in run.events() if isinstance(event, Fill)]
    seen: list[Event] = []
    for bar in range(3, 200, 7):
        seen.extend(woken.apply(Advance(until_bar=bar)))
        order = NewOrder(symbol=1, side=Side.BUY if bar % 2 else Side.SELL, size=Size(100))
        seen.extend(woken.apply(PlaceOrders(account=1, orders=(order,))))
    seen.extend(woken.apply(Advance(until_bar=200)))
    assert fills == [event for event in seen if isinstance(event, Fill)]
    assert fills


def test_sweep_is_as_many_runs_from_one_start() -> None:
    """Each row of parameters ends as a run of its own does; the engine is left as it was."""
    engine = workloads.start(INSTRUMENT, tape(), Rules())
    rows = np.array([[fast, slow, 10_000] for fast in (5, 10) for slow in (50, 80)])
    finals = sweep(engine, workloads.cross, rows)
    assert (engine.bar, workloads.profit(engine)) == (0, 0.0)
    for row, final in zip(rows, finals, strict=True):
        alone = workloads.start(INSTRUMENT, tape(), Rules())
        run_jitted(alone, workloads.cross, ints=row)
        assert alone.equities().tolist() == final.tolist()
    assert len({final[0] for final in finals}) == 4


def test_curve_is_the_equity_at_its_times() -> None:
    """Every so many bars, for every account, whatever drives the engine."""
    sampled = workloads.start(INSTRUMENT, tape(), Rules(), curve_every=60)
    run_jitted(sampled, workloads.bracket, ints=workloads.BRACKET)
    times, values = sampled.equity_curve()
    assert times.tolist() == [START_MS + 60 * MINUTE_MS * k for k in range(BARS // 60 + 1)]
    plain = workloads.start(INSTRUMENT, tape(), Rules())
    run = Callback(plain)
    on_bar = workloads.called_bracket(run)
    for index, until in enumerate(range(60, BARS + 1, 60), start=1):
        run.run(on_bar, until_bar=until)
        assert values[index, 0] == plain.equities()[0]


def test_snapshot_brings_the_whole_state_back() -> None:
    """What follows a restored state is what followed it before."""
    engine = workloads.start(INSTRUMENT, tape(), Rules())
    engine.apply(Advance(until_bar=500))
    kept = engine.snapshot()
    first = run_jitted(engine, workloads.quotes, ints=workloads.QUOTES).events()
    end = engine.digest()
    engine.restore(kept)
    assert engine.bar == 500
    assert run_jitted(engine, workloads.quotes, ints=workloads.QUOTES).events() == first
    assert engine.digest() == end
