"""Whatever traders send and the market does, every fill passes the auditor."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.auditor import audit
from tests.support.random_traders import COINS, MINUTE, random_tape
from tests.support.wild_traders import WildTraders

from perp_engine.events import Fill
from perp_engine.rules import PLAIN, BarPath, FeeTier, FillAt, LimitFill, Rules
from perp_engine.tape import NO_BAR, VOLUME, Detail, Tape
from suite.bars import DAY_MS
from suite.enums import FillCause
from suite.fixed import Rate, Usd

BARS = 100
SEEDS = st.integers(0, 10_000)
TIERS = (
    FeeTier(volume_usd=Usd(0), taker=Rate(450_000), maker=Rate(-20_000)),
    FeeTier(volume_usd=Usd(10**12), taker=Rate(300_000), maker=Rate(0)),
)


def as_drawn(tape: Tape, _: int) -> Tape:
    return tape


def around_midnight(tape: Tape, _: int) -> Tape:
    """The same bars, half of them on another UTC day."""
    start_ms = DAY_MS - BARS // 2 * MINUTE
    later = np.array([start_ms, 0])
    return replace(tape, start_ms=start_ms, funding=tuple(table + later for table in tape.funding))


def gapping(tape: Tape, seed: int) -> Tape:
    """Every twentieth bar opens some percent from where the one before closed."""
    rng = np.random.default_rng(seed)
    jumps = np.where(np.arange(tape.length) % 20 == 0, rng.normal(1, 0.05, tape.length), 1)
    bars = tape.bars.copy()
    bars[:, :4] = bars[:, :4] * np.cumprod(jumps)
    return replace(tape, bars=bars)


def delisted(tape: Tape, seed: int) -> Tape:
    """A coin whose data ends early, and one without recorded funding."""
    bars = tape.bars.copy()
    bars[seed % tape.symbols, VOLUME, BARS // 2 :] = NO_BAR
    return replace(tape, bars=bars, funding=(tape.funding[0][:0], *tape.funding[1:]))


def recorded(tape: Tape, seed: int) -> Tape:
    """Two thirds of the bars made of three finer ones each, which gap."""
    rng = np.random.default_rng(seed)
    rows: list[list[int]] = []
    first = np.zeros((tape.symbols, tape.length + 1), np.int64)
    for symbol in range(tape.symbols):
        for bar, (opened, high, low, close, volume) in enumerate(tape.bars[symbol].T.tolist()):
            first[symbol, bar] = len(rows)
            if volume == NO_BAR or rng.random() < 1 / 3:
                continue
            points = [opened, *rng.integers(low, high + 1, 4).tolist(), close]
            rows += [
                [begin, max(begin, end), min(begin, end), end]
                for begin, end in zip(points[::2], points[1::2], strict=True)
            ]
            rows[-2][1:3] = high, low
        first[symbol, -1] = len(rows)
    return replace(tape, detail=Detail(np.array(rows, np.int64), first))


WORLDS: list[tuple[Rules, Callable[[Tape, int], Tape]]] = [
    (Rules(), as_drawn),
    (Rules(), delisted),
    (PLAIN, as_drawn),
    (Rules(bar_path=BarPath.OHLC, limit_fill=LimitFill.TOUCH), as_drawn),
    (Rules(bar_path=BarPath.OLHC, fill_at=FillAt.CLOSE), delisted),
    (Rules(bar_path=BarPath.RECORDED), recorded),
    (Rules(fee_tiers=TIERS), around_midnight),
    (Rules(impact=Rate(5_000_000), participation=Rate(20_000_000)), as_drawn),
    (Rules(partial_liquidation_usd=Usd(10**9)), as_drawn),
    (Rules(), gapping),
    (Rules(fill_at=FillAt.CLOSE), gapping),
    (Rules(decision_latency_ms=90_000), as_drawn),
]


@example(500, WORLDS[1])  # a leg between the trigger and the limit of its entry
@given(SEEDS, st.sampled_from(WORLDS))
def test_every_fill_of_wild_traders_passes_the_auditor(
    seed: int, world: tuple[Rules, Callable[[Tape, int], Tape]]
) -> None:
    """Prices, fees, profits, positions, ends of orders, funding, liquidations, and the money."""
    rules, shape = world
    tape = shape(random_tape(seed, BARS, 3), seed)
    traders = WildTraders.start(seed, COINS, tape, rules, accounts=3)
    traders.run(every=3)
    report = audit(COINS, tape, rules, traders.log, money=traders.money())
    assert report.faults == []
    assert report.fills > 0


def test_wild_traders_see_everything_that_can_happen() -> None:
    """Fills of every cause, payments, liquidations: nothing is passed for want of a case."""
    causes: set[FillCause] = set()
    kinds: set[str] = set()
    for seed in range(2 * len(WORLDS)):
        rules, shape = WORLDS[seed % len(WORLDS)]
        tape = shape(random_tape(seed, BARS, 3), seed)
        traders = WildTraders.start(seed, COINS, tape, rules, accounts=3)
        traders.run(every=3)
        for _, events in traders.log:
            kinds.update(type(event).__name__ for event in events)
            causes.update(event.cause for event in events if isinstance(event, Fill))
    assert set(FillCause) == causes
    assert {"Liquidated", "InsuranceMoved", "MarginMoved", "FundingPaid", "FeesSet"} <= kinds
    assert {"ActionSent", "CancelScheduled", "LeverageSet", "OrderChanged"} <= kinds
