"""Whether a model has earned real money: what an evaluation came to, kept beside the model.

An evaluation walks a way of learning forward: rules of labels and training, features, coins. What
it finds holds for every model that was learned in that way, so one that is retrained by the same
rules inherits it, and one of other rules, bars or coins does not.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

import msgspec

from strategy_core.learning.artefact import Meta
from strategy_core.learning.rules import LabelRules, TrainingRules

EVIDENCE: Final = "evidence.json"
"""Name of the file beside those of the model."""
_encode = msgspec.json.Encoder(order="deterministic").encode


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a model has earned real money; every condition by its name, met or not, and why."""

    passed: bool
    conditions: tuple[tuple[str, bool, str], ...]


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What was evaluated.

    Attributes:
        schema_hash, interval_ms: what models are shown.
        coins: whose trades.
        label, training: rules.
        synthetic: on a market that never was.
        data_digest: names the labelled trades exactly.
        start_ms, end_ms: of them.
    """

    schema_hash: str
    interval_ms: int
    coins: tuple[str, ...]
    label: LabelRules
    training: TrainingRules
    synthetic: bool
    data_digest: str
    start_ms: int
    end_ms: int


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an evaluation that a model's entry takes over."""

    subject: Subject
    evidence: Evidence


class Attested(msgspec.Struct, frozen=True, kw_only=True):
    """What a model's entry says of its evaluation.

    Attributes:
        subject: what was evaluated.
        evidence: what it came to.
        sha256: of both; a changed file is found out.
    """

    subject: Subject
    evidence: Evidence
    sha256: str = ""

    def objection(self, meta: Meta) -> str:
        """Say why a model may not risk real money by this; empty where it may."""
        found = self.subject
        others = [
            name
            for name, same in (
                ("features", found.schema_hash == meta.schema_hash),
                ("bars", found.interval_ms == meta.interval_ms),
                ("labels", found.label == meta.label),
                ("rules of training", found.training == meta.training),
                ("coins", set(meta.coins) <= set(found.coins)),
            )
            if not same
        ]
        if others:
            return f"its evaluation was of other {', '.join(others)}"
        if found.synthetic or meta.synthetic:
            return "its evaluation was on a synthetic market"
        missed = [name for name, met, _ in self.evidence.conditions if not met]
        if missed or not (self.evidence.passed and self.evidence.conditions):
            return f"its evaluation found no edge (not met: {', '.join(missed)})"
        return ""


def attest(subject: Subject, evidence: Evidence) -> bytes:
    """Write what a model's entry shall say."""
    bare = Attested(subject=subject, evidence=evidence)
    digest = hashlib.sha256(_encode(bare)).hexdigest()
    return msgspec.json.format(_encode(msgspec.structs.replace(bare, sha256=digest)), indent=1)


def attested(files: Mapping[str, bytes]) -> Attested | str:
    """Read what a model's entry says.

    Args:
        files: of the entry, by name.

    Returns:
        It, or why there is nothing that counts.
    """
    if EVIDENCE not in files:
        return "it has not been evaluated"
    try:
        found = msgspec.json.decode(files[EVIDENCE], type=Attested)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        return f"{EVIDENCE} cannot be read"
    bare = msgspec.structs.replace(found, sha256="")
    if hashlib.sha256(_encode(bare)).hexdigest() != found.sha256:
        return f"{EVIDENCE} was changed"
    return found


def objection_to(meta: Meta, files: Mapping[str, bytes]) -> str:
    """Say why a model may not risk real money; empty where it may.

    Args:
        meta: of the model.
        files: of its entry.
    """
    found = attested(files)
    return found if isinstance(found, str) else found.objection(meta)
