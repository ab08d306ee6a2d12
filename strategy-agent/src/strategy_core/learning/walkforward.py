"""Walk forward over the past: train on what was, trade what comes, and count what is left.

Every configuration that is looked at counts: the deflated Sharpe ratio of the first is judged
against the best that so many worthless ones would show, and the probability of overfitting is that
of choosing among them.
"""

import contextlib
import hashlib
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

import msgspec
import numpy as np

from strategy_core.ict.schema import schema_hash
from strategy_core.learning.artefact import Traded
from strategy_core.learning.events import Events
from strategy_core.learning.evidence import Evidence, Subject
from strategy_core.learning.labels import Market
from strategy_core.learning.metrics import (
    Bin,
    Interval,
    Scores,
    calibration_curve,
    daily_sharpe,
    expectancy,
    judge,
    sharpe_interval,
    sum_by_day,
)
from strategy_core.learning.rules import LabelRules, TrainingRules
from strategy_core.learning.training import Fitted, Refusal, fit, scores_of, traded
from strategy_core.learning.weights import Fold, folds, sample_weights, slices
from suite.bars import DAY_MS, F64, I64, BoolArray
from suite.overfitting import deflated_sharpe, overfitting_probability
from suite.performance import sharpe_above

FOLDS: Final = 5
TOP: Final = 0.10
STRESS: Final = 1.5
"""Costs of the evidence gate, in multiples of the assumed ones."""
DSR_MIN, PBO_MAX, T_MIN, TRADES_MIN = 0.95, 0.20, 2.0, 200


class FoldReport(msgspec.Struct, frozen=True, kw_only=True):
    """One step.

    Attributes:
        train_ms, test_ms, end_ms: beginning of the training, of the test, and its end.
        rows: to fit, to calibrate, to test.
        refused: why there is no model; empty where there is one.
        rounds: trees.
        scores: on the test; None without a model.
        taken, every: what the model traded, and every proposal of the test.
    """

    train_ms: int
    test_ms: int
    end_ms: int
    rows: tuple[int, int, int]
    refused: str = ""
    rounds: int = 0
    scores: Scores | None = None
    taken: Traded
    every: Traded


class TrialReport(msgspec.Struct, frozen=True, kw_only=True):
    """One configuration, over all folds.

    Attributes:
        name: of the configuration.
        label, training: rules.
        folds: the steps.
        scores: over all tests that had a model; None without any.
        every: every proposal of the tests.
        taken: those with a confidence above 0.5.
        top: the tenth with the highest scores of each fold that had a model.
        coin: half of the proposals, drawn by a coin.
        sharpe: of the results a day, annualized; days without a trade count.
        sharpe_95: its interval.
        curve: calibration, over all tests.
    """

    name: str
    label: LabelRules
    training: TrainingRules
    folds: tuple[FoldReport, ...]
    scores: Scores | None
    every: Traded
    taken: Traded
    top: Traded
    coin: Traded
    sharpe: float
    sharpe_95: Interval
    curve: tuple[Bin, ...]


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """All configurations, and what is left of the first.

    Attributes:
        subject: what was evaluated.
        trials: the one that is judged first, then all others that were tried.
        days: of the tests.
        psr: probability that its Sharpe ratio is above 0; None where it does not vary.
        dsr: that it is above what the best of so many worthless ones would show.
        pbo: probability that the best of them is no better than the median elsewhere.
        evidence: whether that is enough for real money.
        daily: its results a day, fractions of one notional: `[day, result]`.
    """

    subject: Subject
    trials: tuple[TrialReport, ...]
    days: int
    psr: float | None
    dsr: float | None
    pbo: float | None
    evidence: Evidence
    daily: tuple[tuple[int, float], ...]


class Trial(NamedTuple):
    """A configuration to be tried.

    Attributes:
        name: of it.
        events: labelled trades, all coins together.
        interval_ms: of the bars.
        label, training: rules.
    """

    name: str
    events: Events
    interval_ms: int
    label: LabelRules
    training: TrainingRules


class Keeper(Protocol):
    """Keeps what came of configurations, so that an evaluation that was ended goes on."""

    def load(self, key: str) -> bytes | None:
        """Read what was kept; None for nothing, or for something that is not whole."""
        ...

    def keep(self, key: str, content: bytes) -> None:
        """Keep something, whole or not at all."""
        ...


class _Walked(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a configuration.

    Attributes:
        report: of it.
        daily: its results a day.
        net, day: of the trades that it took: results after costs, and days.
    """

    report: TrialReport
    daily: tuple[float, ...]
    net: tuple[float, ...]
    day: tuple[int, ...]


def evaluate(
    trials: Sequence[Trial],
    *,
    volatility: dict[int, float],
    count: int = FOLDS,
    synthetic: bool = False,
    keeper: Keeper | None = None,
    told: Callable[[int, int], None] = lambda _done, _fresh: None,
) -> Evaluation:
    """Walk every configuration forward, and judge the first against all.

    Args:
        trials: configurations, with their trades; the first is the one that is meant.
        volatility: of the market by day, in any unit.
        count: of the steps.
        synthetic: the market never was.
        keeper: of configurations that were walked before; None walks all.
        told: after each: how many configurations are done, and how many of them were not kept.

    Raises:
        ValueError: there is no configuration, or one without trades.
    """
    if not trials or not all(len(trial.events) for trial in trials):
        raise ValueError("there is no trade to learn from: more or other bars are needed")
    begins = steps_of(trials, count)
    days = np.arange(begins[0].test_ms // DAY_MS, (begins[-1].end_ms - 1) // DAY_MS + 1)
    walked, fresh = [], 0
    for done, trial in enumerate(trials, 1):
        one, was_kept = _walked(trial, begins, days, keeper)
        walked.append(one)
        fresh += not was_kept
        told(done, fresh)
    chosen, table = walked[0], np.array([one.daily for one in walked])
    daily = table[0]
    ratios = [float(one.mean() / one.std(ddof=1)) for one in table if one.any()]
    variance = float(np.var(ratios, ddof=1)) if len(ratios) > 1 else 0.0
    dsr = deflated_sharpe(daily, trials=len(trials), variance=variance)
    pbo = overfitting_probability(np.column_stack(list(table)))
    first = trials[0]
    return Evaluation(
        subject=Subject(
            schema_hash=schema_hash(first.interval_ms),
            interval_ms=first.interval_ms,
            coins=first.events.coins,
            label=first.label,
            training=first.training,
            synthetic=synthetic,
            data_digest=first.events.digest(),
            start_ms=int(first.events.start_ms[0]),
            end_ms=int(first.events.end_ms.max()),
        ),
        trials=tuple(one.report for one in walked),
        days=len(days),
        psr=_psr(daily),
        dsr=dsr,
        pbo=pbo,
        evidence=_evidence(chosen, dsr=dsr, pbo=pbo, days=days, volatility=volatility),
        daily=tuple(zip(days.tolist(), daily.tolist(), strict=True)),
    )


def steps_of(trials: Sequence[Trial], count: int = FOLDS) -> list[Fold]:
    """Divide the time of all trades of some configurations into the steps of a walk forward."""
    first_ms = min(int(trial.events.start_ms[0]) for trial in trials)
    last_ms = max(int(trial.events.start_ms[-1]) for trial in trials)
    return folds(first_ms, last_ms, count=count, calibrate_share=0.2)


def _walked(
    trial: Trial, begins: Sequence[Fold], days: I64, keeper: Keeper | None
) -> tuple[_Walked, bool]:
    """Walk a configuration forward, or find what came of it before."""
    if keeper is None:
        return _walk(trial, begins, days), False
    asked = (trial._replace(events=trial.events.digest()), list(begins), days.tolist())  # type: ignore[arg-type]
    key = hashlib.sha256(msgspec.msgpack.encode(asked, order="deterministic")).hexdigest()
    with contextlib.suppress(msgspec.DecodeError):
        if content := keeper.load(key):
            return msgspec.msgpack.decode(content, type=_Walked), True
    found = _walk(trial, begins, days)
    keeper.keep(key, msgspec.msgpack.encode(found))
    return found, False


def _walk(trial: Trial, begins: Sequence[Fold], days: I64) -> _Walked:
    events, embargo_ms = trial.events, trial.label.horizon * trial.interval_ms
    steps: list[FoldReport] = []
    tests, taken, tops, probabilities = [], [], [], []
    judged: list[Events] = []
    for fold in begins:
        cut = slices(
            events,
            calibrate_ms=fold.calibrate_ms,
            test_ms=fold.test_ms,
            end_ms=fold.end_ms,
            embargo_ms=embargo_ms,
        )
        test = events.take(cut.test)
        tests.append(test)
        fitted = fit(events, cut, trial.training, now_ms=fold.test_ms)
        chosen = taken_of(fitted, test)
        taken.append(test.take(chosen))
        if not isinstance(fitted, Refusal) and len(test):
            probability = fitted.probability(test)
            probabilities.append(probability)
            judged.append(test)
            best = np.argsort(-probability, kind="stable")[: max(1, round(len(test) * TOP))]
            tops.append(test.take(np.sort(best)))
        steps.append(
            FoldReport(
                train_ms=int(events.start_ms[0]),
                test_ms=fold.test_ms,
                end_ms=fold.end_ms,
                rows=(int(cut.fit.sum()), int(cut.calibrate.sum()), int(cut.test.sum())),
                refused=f"{fitted.why}: {fitted.text}" if isinstance(fitted, Refusal) else "",
                rounds=0 if isinstance(fitted, Refusal) else fitted.rounds,
                scores=None
                if isinstance(fitted, Refusal) or not len(test)
                else scores_of(fitted, test, trial.training, now_ms=fold.end_ms),
                taken=traded(taken[-1]),
                every=traded(test),
            )
        )
    every, bought = _joined(tests), _joined(taken)
    daily = sum_by_day(bought.net, bought.day, days)
    coin = np.random.default_rng(trial.training.boosting.seed).random(len(every)) < 0.5
    report = TrialReport(
        name=trial.name,
        label=trial.label,
        training=trial.training,
        folds=tuple(steps),
        scores=_overall(judged, probabilities, trial, steps),
        every=traded(every),
        taken=traded(bought),
        top=traded(_joined(tops)) if tops else traded(every.take(np.zeros(len(every), bool))),
        coin=traded(every.take(coin)),
        sharpe=daily_sharpe(daily),
        sharpe_95=sharpe_interval(daily),
        curve=tuple(
            calibration_curve(np.concatenate(probabilities), _joined(judged).won) if judged else ()
        ),
    )
    return _Walked(
        report=report,
        daily=tuple(daily.tolist()),
        net=tuple(bought.net.tolist()),
        day=tuple(bought.day.tolist()),
    )


def taken_of(fitted: Fitted | Refusal, test: Events) -> BoolArray:
    """Say which trades a model takes: without one none."""
    if isinstance(fitted, Refusal) or not len(test):
        return np.zeros(len(test), np.bool_)
    return fitted.confidence(test) > 0.5


def _overall(
    judged: Sequence[Events],
    probabilities: Sequence[F64],
    trial: Trial,
    steps: Sequence[FoldReport],
) -> Scores | None:
    """Judge all probabilities together, each fold by its own model."""
    if not judged:
        return None
    whole = _joined(judged)
    rates = [one.scores.base_rate for one in steps if one.scores is not None]
    return judge(
        np.concatenate(probabilities),
        whole.won,
        weight=sample_weights(
            whole,
            now_ms=int(whole.end_ms.max()),
            half_life_days=trial.training.half_life_days,
        ),
        base_rate=float(np.mean(rates)),
        day=whole.day,
        seed=trial.training.boosting.seed,
    )


def _joined(parts: Sequence[Events]) -> Events:
    """Put parts that follow one another together."""
    return Events(
        coins=parts[0].coins,
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("start_ms", "end_ms", "coin", "side", "gross", "net", "features")
        },
    )


def _psr(daily: F64) -> float | None:
    spread = float(np.std(daily, ddof=1)) if len(daily) > 1 else 0.0
    if spread <= 1e-15:
        return None
    standard = (daily - daily.mean()) / np.std(daily)
    return sharpe_above(
        0.0,
        ratio=float(daily.mean()) / spread,
        days=len(daily),
        skew=float(np.mean(standard**3)),
        kurtosis=float(np.mean(standard**4)),
    )


def _evidence(
    chosen: _Walked,
    *,
    dsr: float | None,
    pbo: float | None,
    days: I64,
    volatility: dict[int, float],
) -> Evidence:
    """Look at what real money needs."""
    costs = chosen.report.label.cost
    net, day = np.array(chosen.net), np.array(chosen.day, np.int64)
    dear = expectancy(net - (STRESS - 1.0) * costs, day)
    thirds = _thirds(np.array(chosen.daily), days, volatility)
    conditions = (
        ("deflated Sharpe", dsr is not None and dsr >= DSR_MIN, f"{_said(dsr)}, {DSR_MIN} needed"),
        ("overfitting", pbo is not None and pbo <= PBO_MAX, f"{_said(pbo)}, at most {PBO_MAX}"),
        (
            "expectancy at 1.5 times the costs",
            dear.mean > 0 and dear.t_value >= T_MIN,
            f"{dear.mean * 1e4:+.2f} bp a trade, t = {dear.t_value:.2f}, {T_MIN:g} needed",
        ),
        ("trades", dear.trades >= TRADES_MIN, f"{dear.trades}, {TRADES_MIN} needed"),
        (
            "calm, middle and wild days",
            sum(one >= 0 for one in thirds) >= 2 and dear.trades > 0,
            ", ".join(f"{one * 1e4:+.1f} bp a day" for one in thirds),
        ),
    )
    return Evidence(passed=all(met for _, met, _ in conditions), conditions=conditions)


def _thirds(daily: F64, days: I64, volatility: dict[int, float]) -> list[float]:
    """Mean result a day of the calmest, the middle and the wildest third of the days."""
    order = np.argsort([volatility.get(int(day), 0.0) for day in days], kind="stable")
    return [float(daily[part].mean()) if len(part) else 0.0 for part in np.array_split(order, 3)]


def _said(value: float | None) -> str:
    return "no number" if value is None else f"{value:.3f}"


def volatility_by_day(markets: Sequence[Market]) -> dict[int, float]:
    """Mean over coins of the standard deviation of log returns, by day since 1970."""
    found: dict[int, list[float]] = {}
    for market in markets:
        bars = market.bars
        if len(bars) < 2:
            continue
        change, day = np.diff(np.log(bars.close)), bars.open_time_ms[1:] // DAY_MS
        names, place, count = np.unique(day, return_inverse=True, return_counts=True)
        mean = np.bincount(place, weights=change) / count
        spread = np.sqrt(np.bincount(place, weights=(change - mean[place]) ** 2) / count)
        for name, value in zip(names.tolist(), spread.tolist(), strict=True):
            found.setdefault(name, []).append(value)
    return {day: float(np.mean(values)) for day, values in found.items()}
