"""Real money is risked by a model whose evaluation found an edge, and by what follows from it."""

from typing import Any

import msgspec
import pytest
from tests.unit.strategy_core.learning.worlds import LABEL, QUICK, drawn_events

from strategy_core.learning.artefact import META, Meta
from strategy_core.learning.evidence import (
    EVIDENCE,
    Evidence,
    Subject,
    attest,
    attested,
    objection_to,
)
from strategy_core.learning.training import Circumstances, Trained, train
from strategy_core.learning.walkforward import Trial, evaluate
from suite.bars import DAY_MS, MINUTE_MS

PASSED = Evidence(passed=True, conditions=(("trades", True, "300, 200 needed"),))


@pytest.fixture(scope="module")
def model() -> tuple[Meta, dict[str, bytes]]:
    events = drawn_events(3000, edge=0.8)
    asked = Circumstances(MINUTE_MS, LABEL, QUICK, int(events.end_ms.max()) + DAY_MS)
    found = train(events, asked)
    assert isinstance(found, Trained)
    return found.meta, found.files


def subject_of(meta: Meta, **changed: Any) -> Subject:
    known = {
        "schema_hash": meta.schema_hash, "interval_ms": meta.interval_ms, "coins": meta.coins,
        "label": meta.label, "training": meta.training, "synthetic": False,
        "data_digest": "d", "start_ms": 0, "end_ms": 1,
    }  # fmt: skip
    return Subject(**{**known, **changed})


def test_entry_that_says_that_an_edge_was_found_lets_its_model_risk_money(
    model: tuple[Meta, dict[str, bytes]],
) -> None:
    meta, files = model
    assert "it has not been evaluated" == objection_to(meta, files)
    assert "" == objection_to(meta, {**files, EVIDENCE: attest(subject_of(meta), PASSED)})


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"schema_hash": "0"}, "of other features"),
        ({"interval_ms": 900_000}, "of other bars"),
        ({"label": msgspec.structs.replace(LABEL, stop_atr=3.0)}, "of other labels"),
        ({"training": msgspec.structs.replace(QUICK, days=9)}, "of other rules of training"),
        ({"coins": ("BTC",)}, "of other coins"),
        ({"synthetic": True}, "on a synthetic market"),
    ],
)
def test_evaluation_of_something_else_says_nothing(
    model: tuple[Meta, dict[str, bytes]], changed: dict[str, Any], told: str
) -> None:
    meta, _ = model
    assert told in objection_to(meta, {EVIDENCE: attest(subject_of(meta, **changed), PASSED)})


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence(passed=False, conditions=(("trades", False, "0"), ("overfitting", True, ""))),
        Evidence(passed=True, conditions=(("trades", False, "0"),)),
        Evidence(passed=True, conditions=()),
    ],
)
def test_condition_that_is_not_met_is_named(
    model: tuple[Meta, dict[str, bytes]], evidence: Evidence
) -> None:
    meta, _ = model
    told = objection_to(meta, {EVIDENCE: attest(subject_of(meta), evidence)})
    assert told.startswith("its evaluation found no edge")
    assert not evidence.conditions or "(not met: trades)" in told


def test_entry_that_was_changed_or_is_broken_counts_for_nothing(
    model: tuple[Meta, dict[str, bytes]],
) -> None:
    meta, _ = model
    missed = Evidence(passed=False, conditions=(("trades", False, "0"),))
    content = attest(subject_of(meta), missed).replace(b"false", b"true")
    assert "evidence.json was changed" == attested({EVIDENCE: content})
    for broken in (b"", b"{}", b"\xff", b"[" * 5000):
        assert "evidence.json cannot be read" == attested({EVIDENCE: broken})


def test_evaluation_names_what_it_was_of(model: tuple[Meta, dict[str, bytes]]) -> None:
    meta, _ = model
    events = drawn_events(3000, edge=0.8)
    found = evaluate([Trial("one", events, MINUTE_MS, LABEL, QUICK)], volatility={}, synthetic=True)
    assert (True, events.digest()) == (found.subject.synthetic, found.subject.data_digest)
    kept = {EVIDENCE: attest(found.subject, found.evidence)}
    assert "on a synthetic market" in objection_to(meta, kept)
    assert META in model[1]
