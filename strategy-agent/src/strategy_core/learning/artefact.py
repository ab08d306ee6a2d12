"""A model as files: what was learned, from what, how good it was, and how to tell it is whole.

    model.ubj          the trees, XGBoost's own binary JSON
    calibration.json   from scores to probabilities and confidences
    meta.json          `Meta`: features, labels, training, data, results, hashes of the others
    probe.npz          rows and the scores they had when the model was made

Equal data, rules and seed make equal files. Nothing in them is code.
"""

import hashlib
import io
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np

from strategy_core.ict.schema import NAMES, SCHEMA, schema_hash
from strategy_core.learning.boosting import Trees
from strategy_core.learning.calibration import Calibration
from strategy_core.learning.events import F32
from strategy_core.learning.metrics import Scores
from strategy_core.learning.rules import LabelRules, TrainingRules
from suite.bars import F64

MODEL, CALIBRATION, META, PROBE = "model.ubj", "calibration.json", "meta.json", "probe.npz"
FILES: Final = (MODEL, CALIBRATION, META, PROBE)
PROBES: Final = 100
FILE_MAX: Final = 64 << 20
"""No file of a model is larger, bytes."""

_encode = msgspec.json.Encoder(order="deterministic").encode


class ArtefactRefused(ValueError):
    """A model that cannot be used, and why."""


class Traded(msgspec.Struct, frozen=True, kw_only=True):
    """What taking trades would have brought, after costs.

    Attributes:
        trades: taken.
        gross_bp, net_bp: mean of each, basis points of the notional, before and after costs.
        t_value: of the net mean, clustered by day.
        won: share of winners after costs.
    """

    trades: int
    gross_bp: float
    net_bp: float
    t_value: float
    won: float


class Meta(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a model.

    Attributes:
        model_id: made of what it was made from: equal models have equal ids.
        created_ms: when, by the clock of whoever trained it: simulated time in a backtest.
        schema, schema_hash, feature_names, interval_ms: what it is shown.
        coins: traded in its data.
        train_start_ms, train_end_ms: of everything that it has seen.
        test_start_ms, test_end_ms: of what it has not.
        rows: in the slices to fit, to calibrate, and to test.
        label, training: rules.
        rounds: trees.
        data_digest: names the labelled trades exactly.
        scores, taken, every: on the test slice: how good, what it would have traded, and what
            trading every proposal would have brought.
        gains: share of each feature in what was learned.
        drift: how far each feature moved from the fit to the test slice.
        parent: model in use when it was trained; empty for none.
        library: version of XGBoost.
        synthetic: it was trained on a market that never was.
        sha256: of the other files, by name.
    """

    model_id: str
    created_ms: int
    schema: str
    schema_hash: str
    feature_names: tuple[str, ...]
    interval_ms: int
    coins: tuple[str, ...]
    train_start_ms: int
    train_end_ms: int
    test_start_ms: int
    test_end_ms: int
    rows: tuple[int, int, int]
    label: LabelRules
    training: TrainingRules
    rounds: int
    data_digest: str
    scores: Scores
    taken: Traded
    every: Traded
    gains: dict[str, float]
    drift: dict[str, float]
    parent: str = ""
    library: str = ""
    synthetic: bool = False
    sha256: dict[str, str] = {}


class Model:
    """A model that can be asked.

    Args:
        meta: what is known of it.
        calibration: of its scores.
        trees: that score.
        files: that it was read from.
    """

    def __init__(
        self, meta: Meta, calibration: Calibration, trees: Trees, files: Mapping[str, bytes]
    ) -> None:
        self.meta = meta
        self.calibration = calibration
        self.trees = trees
        self.files = {name: files[name] for name in FILES}

    def probability(self, features: F32) -> F64:
        """Probability that a trade wins after costs.

        Args:
            features: shape (n, 12), mirrored to the side.
        """
        return self.calibration.probability(self.trees.scores(features))

    def confidence(self, features: F32) -> F64:
        """The same, moved so that 0.5 breaks even."""
        return self.calibration.confidence(self.probability(features))


def name_of(meta: Meta) -> str:
    """Make the id of a model of what it was made from: its time is not part of it."""
    bare = msgspec.structs.replace(meta, model_id="", created_ms=0)
    return f"m-{hashlib.sha256(_encode(bare)).hexdigest()[:16]}"


def written(meta: Meta, model: bytes, calibration: Calibration, rows: F32) -> dict[str, bytes]:
    """Write a model as files.

    Args:
        meta: without id and hashes.
        model: the trees.
        calibration: of their scores.
        rows: shape (n, 12), to remember scores of.
    """
    probes = np.ascontiguousarray(rows[:PROBES])
    kept = io.BytesIO()
    np.savez(kept, rows=probes, scores=Trees(model).scores(probes))
    files = {MODEL: model, CALIBRATION: _encode(calibration), PROBE: kept.getvalue()}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    # as it will be read: a 3 that stands for a float comes back as 3.0
    hashed = msgspec.json.decode(_encode(msgspec.structs.replace(meta, sha256=hashes)), type=Meta)
    named = msgspec.structs.replace(hashed, model_id=name_of(hashed))
    return {**files, META: msgspec.json.format(_encode(named), indent=1)}


def read(
    files: Mapping[str, bytes],
    *,
    interval_ms: int | None = None,
    label: LabelRules | None = None,
) -> Model:
    """Read a model, and look whether it is whole and fits.

    Args:
        files: content by name.
        interval_ms: of the bars that it shall judge; None does not ask.
        label: trades that it shall judge, likewise.

    Raises:
        ArtefactRefused: a file is missing or damaged, it was made for other features, bars or
            trades, or it does not score as it did when it was made.
    """
    if missing := [name for name in FILES if name not in files]:
        raise ArtefactRefused(f"no {', '.join(missing)}: the model is not whole")
    try:
        meta = msgspec.json.decode(files[META], type=Meta)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ArtefactRefused(f"{META} cannot be read: {error}") from None
    _check_fit(meta, interval_ms, label)
    for name, expected in meta.sha256.items():
        if hashlib.sha256(files.get(name, b"")).hexdigest() != expected:
            raise ArtefactRefused(f"{name} is damaged: its hash is not the one in {META}")
    if meta.model_id != name_of(meta):
        raise ArtefactRefused(f"{META} was changed: {meta.model_id} is not the id of its content")
    try:
        calibration = msgspec.json.decode(files[CALIBRATION], type=Calibration)
        trees = Trees(files[MODEL])
        with np.load(io.BytesIO(files[PROBE]), allow_pickle=False) as probe:
            rows, scores = probe["rows"], probe["scores"]
    except (msgspec.DecodeError, ValueError, KeyError, OSError) as error:
        raise ArtefactRefused(f"the model cannot be read: {error}") from None
    if trees.names != NAMES:
        raise ArtefactRefused("the trees were grown on other features than they say")
    if not np.array_equal(trees.scores(rows), scores):
        raise ArtefactRefused("the model does not score as it did when it was made")
    return Model(meta, calibration, trees, files)


def _check_fit(meta: Meta, interval_ms: int | None, label: LabelRules | None) -> None:
    expected = schema_hash(meta.interval_ms)
    if (meta.schema, meta.schema_hash) != (SCHEMA, expected):
        raise ArtefactRefused(
            f"the model was made for features {meta.schema[:20]} {meta.schema_hash[:16]}, these "
            f"are {SCHEMA} {expected}: train it again"
        )
    if interval_ms is not None and meta.interval_ms != interval_ms:
        raise ArtefactRefused(
            f"the model was made for bars of {meta.interval_ms // 1000} s, these have "
            f"{interval_ms // 1000} s: train one for them"
        )
    if label is not None and meta.label != label:
        raise ArtefactRefused(
            f"the model judges other trades ({_difference(meta.label, label)}): train one for these"
        )


def _difference(was: LabelRules, now: LabelRules) -> str:
    """Say in which rules two labels differ."""
    before, after = msgspec.structs.asdict(was), msgspec.structs.asdict(now)
    told: list[Any] = [
        f"{name} {before[name]}, not {after[name]}"
        for name in before
        if before[name] != after[name]
    ]
    return "; ".join(told)
