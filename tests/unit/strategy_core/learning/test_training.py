"""One training: what it makes, that it is repeatable, and all that it refuses with its reason."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from tests.unit.strategy_core.learning.worlds import LABEL, QUICK, START_MS, drawn_events

from strategy_core.ict.schema import NAMES
from strategy_core.learning import artefact
from strategy_core.learning.artefact import ArtefactRefused
from strategy_core.learning.events import Events, no_events
from strategy_core.learning.jobs import (
    decode_events,
    decode_outcome,
    encode_events,
    encode_job,
    outcome_of,
    run,
)
from strategy_core.learning.port import Job
from strategy_core.learning.promotion import gates
from strategy_core.learning.rules import RISING, LabelRules, SignalMode
from strategy_core.learning.training import Circumstances, Refusal, Trained, Untrained, train
from suite.bars import DAY_MS, MINUTE_MS

NOW_MS = START_MS + 41 * DAY_MS
ASKED = Circumstances(MINUTE_MS, LABEL, QUICK, NOW_MS)


def trained(events: Events, asked: Circumstances = ASKED) -> Trained:
    found = train(events, asked)
    assert isinstance(found, Trained), found
    return found


def refused(events: Events) -> Refusal:
    found = train(events, ASKED)
    assert isinstance(found, Refusal)
    return found


@pytest.fixture(scope="module")
def good() -> Trained:
    return trained(drawn_events(edge=0.8))


def test_known_edge_is_found_and_passes_every_gate(good: Trained) -> None:
    meta = good.meta
    assert meta.scores.auc > 0.7
    assert meta.scores.skill > 0.05
    assert meta.taken.net_bp > 10 > -5 > meta.every.net_bp
    assert {"order_blocks", "market_structure"} < set(meta.gains)
    challenger = artefact.read(good.files, interval_ms=MINUTE_MS, label=LABEL)
    judged = gates(challenger, None, drawn_events(edge=0.8), now_ms=NOW_MS)
    assert all(gate.passed for gate in judged), judged


def test_equal_data_and_seed_make_equal_files(good: Trained) -> None:
    again = trained(drawn_events(edge=0.8))
    assert good.files == again.files
    other = trained(drawn_events(edge=0.8, seed=2))
    assert good.meta.model_id != other.meta.model_id


def test_monotone_trees_never_score_a_sign_in_favor_lower() -> None:
    """Trees that are free learn that more of a block is worse, where that is what the data says."""
    events = drawn_events(edge=0.8)  # of these, order blocks speak against
    rows = drawn_events(400, seed=3).features
    for monotone, falls in ((False, True), (True, False)):
        boosting = msgspec.structs.replace(QUICK.boosting, monotone=monotone)
        asked = ASKED._replace(training=msgspec.structs.replace(QUICK, boosting=boosting))
        model = artefact.read(trained(events, asked).files)
        low = np.inf
        for name in RISING:
            column = np.tile(rows, (9, 1))
            column[:, NAMES.index(name)] = np.repeat(np.linspace(-1, 1, 9), len(rows))
            scores = model.trees.scores(column).reshape(9, len(rows))
            low = min(low, float(np.diff(scores, axis=0).min()))
        assert falls == (low < -1e-6)


@pytest.mark.parametrize("seed", [2, 7])
def test_trees_that_split_nowhere_are_no_model(seed: int) -> None:
    """Leaves too heavy to split: such trees follow the base rate, and judge all trades alike."""
    boosting = msgspec.structs.replace(QUICK.boosting, child_weight=100.0)
    asked = ASKED._replace(training=msgspec.structs.replace(QUICK, boosting=boosting))
    found = train(drawn_events(edge=0.8, seed=seed), asked)
    assert isinstance(found, Refusal)
    assert Untrained.NO_SIGNAL is found.why
    assert found.text.endswith("trees split nowhere: all trades look alike to them")


def test_noise_has_no_signal_or_is_kept_out_by_the_gates() -> None:
    for seed in range(4):
        events = drawn_events(edge=0.0, seed=seed)
        found = train(events, ASKED)
        if isinstance(found, Refusal):
            assert Untrained.NO_SIGNAL == found.why
            continue
        judged = gates(artefact.read(found.files), None, events, now_ms=NOW_MS)
        assert not all(gate.passed for gate in judged)


def test_model_that_was_written_scores_the_same_when_read(good: Trained) -> None:
    rows = drawn_events(50, seed=9).features
    first, second = artefact.read(good.files), artefact.read(dict(good.files))
    assert np.array_equal(first.probability(rows), second.probability(rows))
    one_by_one = np.concatenate([first.probability(rows[i : i + 1]) for i in range(50)])
    assert np.array_equal(first.probability(rows), one_by_one)
    shares = first.trees.shares(rows)
    assert shares.sum(axis=1) == pytest.approx(first.trees.scores(rows), abs=1e-5)
    assert 1.0 == pytest.approx(sum(good.meta.gains.values()))


def few(events: Events) -> Events:
    return events.take(np.arange(len(events)) % 30 == 0)


def one_class(events: Events) -> Events:
    return events.take(events.won)


def short(events: Events) -> Events:
    return events.take(events.start_ms >= NOW_MS - 4 * DAY_MS)


def still(events: Events) -> Events:
    features = events.features.copy()
    features[:, 3] = 0.5
    return replace(events, features=features)


def with_nan(events: Events) -> Events:
    features = events.features.copy()
    features[100, 2] = np.nan
    return replace(events, features=features)


def late_losses(events: Events) -> Events:
    """All losses of the calibration slice are gone."""
    share = (events.start_ms - events.start_ms[0]) / (events.start_ms[-1] - events.start_ms[0])
    return events.take((share < 0.6) | (share > 0.85) | events.won)


@pytest.mark.parametrize(
    ("spoil", "why", "text"),
    [
        (few, Untrained.INSUFFICIENT_DATA, "200 labelled trades, 400 are needed"),
        (one_class, Untrained.INSUFFICIENT_DATA, "only 0 lost, 80 are needed"),
        (short, Untrained.INSUFFICIENT_DATA, "days, 5 are needed"),
        (still, Untrained.BAD_DATA, "never changes: liquidity_grab"),
        (with_nan, Untrained.BAD_DATA, "not a number"),
        (late_losses, Untrained.INSUFFICIENT_DATA, "the calibration slice has"),
        (lambda _: no_events(("BTC",), 12), Untrained.INSUFFICIENT_DATA, "0 labelled trades"),
    ],
)
def test_what_teaches_nothing_is_refused_with_its_reason(
    spoil: Callable[[Events], Events], why: Untrained, text: str
) -> None:
    found = refused(spoil(drawn_events(edge=0.8)))
    assert why == found.why
    assert text in found.text


def test_trades_that_have_not_ended_yet_teach_nothing() -> None:
    events = drawn_events(edge=0.8)
    cut_ms = START_MS + 30 * DAY_MS
    early = trained(events, ASKED._replace(now_ms=cut_ms))
    known = trained(events.take(events.end_ms <= cut_ms), ASKED._replace(now_ms=cut_ms))
    assert early.files == known.files
    assert early.meta.test_end_ms <= cut_ms


def changed(good: Trained, **fields: object) -> dict[str, bytes]:
    """Files whose meta says something else, with an id that fits."""
    meta = msgspec.structs.replace(good.meta, **fields)
    named = msgspec.structs.replace(meta, model_id=artefact.name_of(meta))
    return {**good.files, artefact.META: msgspec.json.encode(named)}


def test_foreign_and_damaged_models_are_refused_by_name(good: Trained) -> None:
    def why(files: dict[str, bytes], **asked: object) -> str:
        with pytest.raises(ArtefactRefused) as caught:
            artefact.read(files, **asked)  # type: ignore[arg-type]
        return str(caught.value)

    assert "made for features smc12 0123456789abcdef" in why(
        changed(good, schema_hash="0123456789abcdef")
    )
    assert "bars of 60 s, these have 900 s" in why(good.files, interval_ms=15 * MINUTE_MS)
    relaxed = LabelRules(mode=SignalMode.RELAXED)
    assert "judges other trades (mode strict, not relaxed)" in why(good.files, label=relaxed)
    broken = bytearray(good.files[artefact.MODEL])
    broken[len(broken) // 2] ^= 1
    assert "model.ubj is damaged" in why({**good.files, artefact.MODEL: bytes(broken)})
    assert "no probe.npz" in why({k: v for k, v in good.files.items() if k != artefact.PROBE})
    assert "meta.json cannot be read" in why({**good.files, artefact.META: b"{"})
    boasting = json.loads(good.files[artefact.META])
    boasting["scores"]["auc"] = 0.99
    assert "was changed" in why({**good.files, artefact.META: json.dumps(boasting).encode()})
    for name in artefact.FILES:
        assert why({**good.files, name: b""})


def test_without_the_library_a_model_is_refused_with_what_to_install(
    good: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(ArtefactRefused, match=r"XGBoost is not installed.*strategy-agent\[ml\]"):
        artefact.read(good.files)


def test_job_goes_through_bytes_unchanged(good: Trained) -> None:
    events = drawn_events(edge=0.8)
    assert events.digest() == decode_events(encode_events(events)).digest()
    asked = ASKED._replace(parent=good.meta.model_id)
    job = Job(number=3, begun_ms=NOW_MS, asked=asked, champion=good.files, events=events)
    outcome = decode_outcome(run(encode_job(job)))
    assert outcome_of(job) == outcome
    assert (3, good.meta.model_id, 6000) == (
        outcome.attempt.number, outcome.attempt.champion, outcome.attempt.rows,
    )  # fmt: skip
    with pytest.raises(ValueError, match="cannot be read"):
        decode_outcome(b"nonsense")
    with pytest.raises(ValueError, match="no file of labelled trades"):
        decode_events(b"nonsense")


def test_challenger_that_is_not_better_is_refused_with_the_values(good: Trained) -> None:
    events = drawn_events(edge=0.8)
    job = Job(number=1, begun_ms=NOW_MS, asked=ASKED, champion=good.files, events=events)
    outcome = outcome_of(job)
    assert ("refused", None) == (outcome.attempt.verdict, outcome.files)
    assert outcome.attempt.reason.startswith("better: Brier +0.00000 better on")
    assert ["schema", "better", "useful", "honest", "sane"] == [
        gate.name for gate in outcome.attempt.gates
    ]


def test_challenger_replaces_a_champion_of_another_time(good: Trained) -> None:
    """The market has turned: what was learned before it is worse than the base rate."""
    turned = drawn_events(6000, edge=0.8, seed=4, weights=(-1.0, 0.8, -0.6, -0.5))
    later = replace(
        turned,
        start_ms=turned.start_ms + 45 * DAY_MS,
        end_ms=turned.end_ms + 45 * DAY_MS,
    )
    now_ms = NOW_MS + 45 * DAY_MS
    asked = ASKED._replace(now_ms=now_ms)
    job = Job(number=1, begun_ms=now_ms, asked=asked, champion=good.files, events=later)
    outcome = outcome_of(job)
    assert "promoted" == outcome.attempt.verdict, outcome.attempt.reason
    assert outcome.files is not None
    assert outcome.attempt.model_id == artefact.read(outcome.files).meta.model_id


def test_one_feature_that_decides_alone_is_not_sane() -> None:
    found = trained(drawn_events(edge=1.0, weights=(1.0,)))
    judged = gates(artefact.read(found.files), None, drawn_events(edge=1.0), now_ms=NOW_MS)
    assert "sane" in [gate.name for gate in judged if not gate.passed]
