"""What each of the seven exits adds to trades or takes from them: each off in turn.

A label knows stop, target and time. The trader ends its trades by seven conditions besides, and
one that costs money must be seen. So the proposals of the tests of a walk forward are followed bar
by bar with the exits of a trader, then again without each exit that acted. Conditions, stops and
targets are the trader's own functions; only the venue is simple:

- Entry at the open after the proposal. Within a bar the stop comes before the target, and a gap
  through the stop ends at the open, as in a label.
- Exits are judged at the close and filled at the next open. Stops that were moved count from then.
- Leverage 1, alone on its account: what guards margin has nothing to do.
- What nothing has ended after `LIMIT` horizons, or where bars end or have a hole, is closed there.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec
import numpy as np

from strategy_core.exits.facts import add_reading, position_facts
from strategy_core.exits.kinds import ExitKind
from strategy_core.exits.memory import BarReading, CoinMemory, StopOrder
from strategy_core.exits.rules import ExitRules
from strategy_core.exits.seven import evaluate, trailing_begins
from strategy_core.exits.standing import Backing
from strategy_core.exits.stops import trailing_price, wanted_stop
from strategy_core.ict.schema import NAMES
from strategy_core.lattice import exact
from strategy_core.learning.events import Events
from strategy_core.learning.labels import Market, bracket_at, funding_until
from strategy_core.learning.metrics import Interval, day_bootstrap
from strategy_core.learning.signals import SIDES, mirrored_rows
from strategy_core.learning.training import BP, Fitted, Refusal, fit
from strategy_core.learning.walkforward import Trial, taken_of
from strategy_core.learning.weights import Fold, slices
from strategy_core.port import ZERO
from suite.bars import DAY_MS, F64, I64

LIMIT: Final = 10
"""Horizons of the label after which a trade is closed whatever its exits say."""
ONE: Final = Decimal(1)
STRUCTURE, TREND = NAMES.index("market_structure"), NAMES.index("trend_alignment")


class WithoutExit(msgspec.Struct, frozen=True, kw_only=True):
    """Trades without one of the exits.

    Attributes:
        exit: the one that is off.
        acted: trades that it ended, took a part of or moved the stop of while it was on.
        net_bp: mean result of all trades without it.
        adds_bp: what it adds to a trade: mean with all exits less mean without it.
        adds_95: its interval, by a bootstrap of days.
    """

    exit: ExitKind
    acted: int
    net_bp: float
    adds_bp: float
    adds_95: Interval


class ExitReport(msgspec.Struct, frozen=True, kw_only=True):
    """Trades of one kind, with their exits and without each.

    Attributes:
        who: which trades.
        trades: how many.
        label_bp: mean result by stop, target and time alone, as labels have it.
        net_bp: mean result with all exits.
        net_95: its interval, by a bootstrap of days.
        without: each exit.
    """

    who: str
    trades: int
    label_bp: float
    net_bp: float
    net_95: Interval
    without: tuple[WithoutExit, ...]


class Path(NamedTuple):
    """A trade to be followed.

    Attributes:
        row: bar that proposed it.
        side: 1 or -1.
        confidence: shape of the bars, for this side; None where no model is asked.
    """

    row: int
    side: int
    confidence: F64 | None


class Ended(NamedTuple):
    """How a trade ended.

    Attributes:
        net: result after costs and funding, fraction of the notional.
        acted: exits that did something.
    """

    net: float
    acted: frozenset[ExitKind]


class _Row(NamedTuple):
    """One trade of the report: results with all exits and without each, what acted, and when."""

    day: int
    label: float
    nets: tuple[float, ...]
    acted: frozenset[ExitKind]


def ablate(
    trial: Trial,
    begins: Sequence[Fold],
    markets: Sequence[Market],
    rules: ExitRules,
    *,
    told: Callable[[str], None] = lambda _coin: None,
) -> tuple[ExitReport, ...]:
    """Follow the trades of a walk forward with their exits, and without each in turn.

    Args:
        trial: the configuration.
        begins: steps of its walk forward.
        markets: all whose trades it has.
        rules: of the exits.
        told: name of each coin, when it is done.

    Returns:
        Every proposal, for which no model is asked, and those that the models took, whose
        confidence is followed.
    """
    embargo_ms = trial.label.horizon * trial.interval_ms
    steps = []
    for fold in begins:
        cut = slices(trial.events, embargo_ms=embargo_ms, **fold._asdict())
        found = fit(trial.events, cut, trial.training, now_ms=fold.test_ms)
        test = trial.events.take(cut.test)
        steps.append((test, found, taken_of(found, test)))
    every: list[_Row] = []
    taken: list[_Row] = []
    for market in markets:
        walk = _Walk(market, trial, rules)
        place = trial.events.coins.index(market.instrument.coin)
        for test, found, chosen in steps:
            mine = test.coin == place
            every += walk.follow(test.take(mine), None)
            if not isinstance(found, Refusal) and chosen[mine].any():
                taken += walk.follow(test.take(mine & chosen), found)
        told(market.instrument.coin)
    seed = trial.training.boosting.seed
    return (
        _report("Every proposal, no model asked", every, seed),
        _report("Trades that the model took", taken, seed),
    )


class _Walk:
    """Follows the trades of one coin."""

    def __init__(self, market: Market, trial: Trial, rules: ExitRules) -> None:
        self._market = market
        self._trial = trial
        self._variants = [rules, *(without(rules, kind) for kind in ExitKind)]

    def follow(self, events: Events, model: Fitted | None) -> list[_Row]:
        """Follow trades with all exits, and again without each that acted."""
        times = self._market.bars.open_time_ms
        sure = _confidences(self._market, events, model, self._trial) if model else {}
        found = []
        for at_ms, side, net in zip(events.start_ms, events.side, events.net, strict=True):
            row, way = int(np.searchsorted(times, at_ms)), int(side)
            path = Path(row, way, sure.get(way))
            whole = self._ended(path, self._variants[0])
            nets = [
                self._ended(path, rules).net if kind in whole.acted else whole.net
                for kind, rules in zip(ExitKind, self._variants[1:], strict=True)
            ]
            day = int(at_ms // DAY_MS)
            found.append(_Row(day, float(net), (whole.net, *nets), whole.acted))
        return found

    def _ended(self, path: Path, rules: ExitRules) -> Ended:
        return ended(self._market, path, self._trial, rules)


def without(rules: ExitRules, kind: ExitKind) -> ExitRules:
    """The same exits but one."""
    return msgspec.structs.replace(rules, **{kind.value: False})


def ended(market: Market, path: Path, trial: Trial, rules: ExitRules) -> Ended:
    """Follow one trade to its end.

    Args:
        market: of the coin, with at least one bar after the proposal.
        path: the trade.
        trial: rules of its label.
        rules: of its exits.
    """
    bars, row, side = market.bars, path.row, path.side
    opened, label = float(bars.open[row + 1]), trial.label
    bracket = bracket_at(side, opened, float(market.atr[row]), market.instrument, label)
    held = CoinMemory(
        coin=market.instrument.coin,
        noted_ms=0,
        stop_asked=bracket.stop,
        target_asked=bracket.target,
        side=side,
        opened_at_ms=int(bars.open_time_ms[row + 1]),
        entry_price=exact(opened),
        size=ONE,
        size_max=ONE,
        leverage=1,
        unit_risk=side * (exact(opened) - bracket.stop),
        confidence_at_entry=None if path.confidence is None else float(path.confidence[row]),
        best=exact(opened),
        worst=exact(opened),
    )
    book = _Book(market, held, label.cost)
    stop, target = float(bracket.stop), float(bracket.target)
    acted: set[ExitKind] = set()
    last = _last(market, row, LIMIT * label.horizon)
    for at in range(row + 1, last + 1):
        end_ms = int(bars.open_time_ms[at]) + bars.interval_ms
        price = _touched(market, at, side, stop=stop, target=target)
        if price is not None:
            book.close(end_ms, price)
            return Ended(book.net, frozenset(acted))
        fired = _judged(market, path, at, held, rules)
        if held.trailing:
            acted.add(ExitKind.TRAILING_TAKE_PROFIT)
        price = float(bars.open[at + 1]) if at < last else _close(market, at)
        if fired is ExitKind.PARTIAL_TAKE_PROFIT:
            acted.add(fired)
            book.take(end_ms, price, exact(rules.partial_share))
        elif fired is not None:
            acted.add(fired)
            book.close(end_ms, price)
            return Ended(book.net, frozenset(acted))
        if moved := _moved(market, at, held, rules):
            stop = moved
    book.close(int(bars.open_time_ms[last]) + bars.interval_ms, _close(market, last))
    return Ended(book.net, frozenset(acted))


class _Book:
    """What a trade has brought so far."""

    def __init__(self, market: Market, held: CoinMemory, cost: float) -> None:
        self._market = market
        self._held = held
        self.net = -cost

    def take(self, at_ms: int, price: float, share: Decimal) -> None:
        """Close a share of what is open at a price, USD."""
        held = self._held
        part, entry = float(held.size * share), float(held.entry_price)
        before, until = funding_until(self._market, np.array([held.opened_at_ms, at_ms]))
        gross = held.side * (price - entry) / entry
        self.net += part * (gross - held.side * (until - before))
        held.size -= held.size * share
        held.partial_done = held.partial_taken = True

    def close(self, at_ms: int, price: float) -> None:
        """Close what is open at a price, USD."""
        self.take(at_ms, price, ONE)


def _judged(
    market: Market, path: Path, at: int, held: CoinMemory, rules: ExitRules
) -> ExitKind | None:
    """Judge the exits at the close of a bar; the memory of the trade is brought up to it."""
    bars, values = market.bars, market.values[at]
    mark, atr = exact(_close(market, at)), exact(float(market.atr[at]))
    now_ms = int(bars.open_time_ms[at]) + bars.interval_ms
    held.see(mark)
    reading = BarReading(
        close_ms=now_ms,
        close=mark,
        confidence=None if path.confidence is None else float(path.confidence[at]),
        model_id="",
        structure=path.side * float(values[STRUCTURE]),
        trend=path.side * float(values[TREND]),
    )
    held.bars = add_reading(held.bars, reading)
    facts = position_facts(
        held,
        Backing(size=held.side * held.size, mark=mark, rate=None, equity=ZERO, maintenance=ZERO),
        rules,
        now_ms=now_ms,
        interval_ms=bars.interval_ms,
        account_age_ms=0,
        atr=atr,
        invalidated=None,
    )
    if held.trailing or trailing_begins(facts, rules):
        facts = msgspec.structs.replace(facts, trailing_price=trailing_price(held, atr))
        held.trailing = True
    return evaluate(facts, rules).fired


def _moved(market: Market, at: int, held: CoinMemory, rules: ExitRules) -> float | None:
    """Move the stop as the trader would at the close of a bar; None where it stays."""
    mark, atr = exact(_close(market, at)), exact(float(market.atr[at]))
    price = wanted_stop(held, rules, market.instrument, mark=mark, atr=atr)
    if price is None:
        return None
    held.stop = StopOrder(cloid="", price=price, size=held.size, sent_ms=0)
    return float(price)


def _touched(market: Market, at: int, side: int, *, stop: float, target: float) -> float | None:
    """Price at which stop or target ends a trade within a bar; the stop first."""
    bars = market.bars
    opened, high, low = float(bars.open[at]), float(bars.high[at]), float(bars.low[at])
    worst, best = (low, high) if side > 0 else (high, low)
    if side * (worst - stop) <= 0:
        return opened if side * (opened - stop) <= 0 else stop
    return target if side * (best - target) >= 0 else None


def _last(market: Market, row: int, most: int) -> int:
    """Last bar that a trade may be followed to: no hole, and bars are there."""
    times, interval_ms = market.bars.open_time_ms, market.bars.interval_ms
    part = times[row : row + most + 1]
    return row + int(np.searchsorted(part - part[0] - np.arange(len(part)) * interval_ms, 1)) - 1


def _close(market: Market, at: int) -> float:
    return float(market.bars.close[at])


def _confidences(market: Market, events: Events, model: Fitted, trial: Trial) -> dict[int, F64]:
    """A model's confidence in either side at every bar that some trades may live through."""
    times = market.bars.open_time_ms
    first = int(np.searchsorted(times, events.start_ms[0]))
    last = int(np.searchsorted(times, events.start_ms[-1])) + LIMIT * trial.label.horizon + 1
    part = market.values[first:last]
    found = {}
    for side in SIDES:
        rows = mirrored_rows(part, np.full(len(part), side, np.int8)).astype(np.float32)
        probability = model.calibration.probability(model.trees.scores(rows))
        found[side] = np.full(len(times), np.nan)
        found[side][first:last] = model.calibration.confidence(probability)
    return found


def _report(who: str, rows: Sequence[_Row], seed: int) -> ExitReport:
    """Sum trades up."""
    nets = np.array([row.nets for row in rows]).reshape(len(rows), 1 + len(ExitKind)) * BP
    day = np.array([row.day for row in rows], np.int64)
    adds = nets[:, :1] - nets[:, 1:]
    return ExitReport(
        who=who,
        trades=len(rows),
        label_bp=_mean(np.array([row.label for row in rows]) * BP),
        net_bp=_mean(nets[:, 0]),
        net_95=_interval(nets[:, 0], day, seed),
        without=tuple(
            WithoutExit(
                exit=kind,
                acted=sum(kind in row.acted for row in rows),
                net_bp=_mean(nets[:, place + 1]),
                adds_bp=_mean(adds[:, place]),
                adds_95=_interval(adds[:, place], day, seed),
            )
            for place, kind in enumerate(ExitKind)
        ),
    )


def _mean(values: F64) -> float:
    return float(values.mean()) if len(values) else 0.0


def _interval(values: F64, day: I64, seed: int) -> Interval:
    return day_bootstrap(lambda rows: float(values[rows].mean()), day, level=0.95, seed=seed)
