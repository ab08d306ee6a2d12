"""The model in use, and how it is replaced: by trainings that take effect at a time set before."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec
import numpy as np

from strategy_core.ict.schema import schema_hash
from strategy_core.learning.artefact import ArtefactRefused, Model, read
from strategy_core.learning.events import Events, merged, no_events
from strategy_core.learning.evidence import EVIDENCE, objection_to
from strategy_core.learning.port import Attempt, Files, Job, Learning
from strategy_core.learning.rules import LabelRules, TrainingRules
from strategy_core.learning.training import Circumstances
from suite.bars import DAY_MS, MINUTE_MS
from suite.errors import ConfigError

RETRAIN_AFTER: Final = 50
"""Closed trades after which the next training begins."""


class ModelState(StrEnum):
    """Whether there is a model to trade by."""

    READY = "READY"
    NO_MODEL = "NO_MODEL"
    SUSPENDED = "SUSPENDED"
    """What it does is worse than what it says; nothing new is opened."""
    PAPER_ONLY = "PAPER_ONLY"
    """Money is real, and the model has no evidence of an edge; nothing new is opened."""


class TutorState(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of trainings over a restart.

    Attributes:
        jobs: begun so far.
        begun_ms: when the one under way began; None where none is.
        tried_ms: when a first model was tried for last.
        champion: name of the model in use.
        last: the last attempt that took effect.
        promoted: attempts that put a model in use; refused: those that did not.
    """

    jobs: int = 0
    begun_ms: int | None = None
    tried_ms: int | None = None
    champion: str = ""
    last: Attempt | None = None
    promoted: int = 0
    refused: int = 0


class Tutor:
    """Keeps labelled trades, has models trained, and says which one is in use.

    Args:
        learning: where models and trainings come from.
        label, training: rules.
        interval_ms: of the bars.
        coins: of the trader.
        delay_ms: after its begin, when a training takes effect.

    Attributes:
        model: in use; None for none.
        refused: models that could not be used, and why.
    """

    def __init__(
        self,
        learning: Learning | None,
        *,
        label: LabelRules,
        training: TrainingRules,
        interval_ms: int,
        coins: Sequence[str],
        delay_ms: int = 15 * MINUTE_MS,
    ) -> None:
        self._learning = learning
        self._label = label
        self._training = training
        self._interval_ms = interval_ms
        self._delay_ms = delay_ms
        self._coins = tuple(coins)
        self._parts: dict[str, Events] = {}
        self._state = TutorState()
        self._begun = False
        self._entry: Files = {}
        self.model: Model | None = None
        self.refused: list[str] = []
        if learning is not None:
            self.add(list(learning.known()), keep=False)
            self._choose("")

    @property
    def state(self) -> TutorState:
        """What is remembered."""
        return self._state

    @property
    def rows(self) -> int:
        """Labelled trades that are known."""
        return sum(map(len, self._parts.values()))

    @property
    def unproven(self) -> str:
        """Why the model in use has not earned real money; empty where it has."""
        if self.model is None:
            return ""
        return objection_to(self.model.meta, self._entry)

    @property
    def real_money(self) -> bool:
        """Whether the money is real."""
        return self._learning is not None and self._learning.switches.real_money

    @property
    def excused(self) -> bool:
        """Whether the operator has named the model in use as one that needs no evidence."""
        if self._learning is None or self.model is None:
            return False
        return self._model_id in self._learning.switches.unproven

    @property
    def trains(self) -> bool:
        """Whether models may be trained."""
        return self._learning is not None and self._learning.switches.training

    def recall(self, state: TutorState) -> None:
        """Go on after a restart.

        The first of the kept models is in use, as it was or as the operator has chosen since. But
        where the training under way has put it there already, and the process ended before that
        was remembered, the training takes effect again.
        """
        first, self._state = self.model, state
        if first is not None:
            if (first.meta.parent, first.meta.created_ms) == (state.champion, state.begun_ms):
                self._choose(state.champion)
            else:
                self._state = msgspec.structs.replace(state, champion=first.meta.model_id)

    def add(self, parts: Sequence[Events], *, keep: bool = True) -> None:
        """Take labelled trades in; those known already count once."""
        for part in parts:
            for index, coin in enumerate(part.coins):
                rows = part.take(part.coin == index)
                own = Events(
                    coins=(coin,),
                    **{name: getattr(rows, name) for name in _COLUMNS if name != "coin"},
                    coin=np.zeros(len(rows), np.int8),
                )
                self._add(coin, own, keep=keep)

    def from_future(self, now_ms: int) -> str:
        """Say that the model in use has seen what is still to come; empty where it has not.

        In a backtest over the time that it was trained or judged on, results would mean nothing.
        """
        model = self.model
        if model is None or model.meta.test_end_ms <= now_ms:
            return ""
        ahead = (model.meta.test_end_ms - now_ms) / DAY_MS
        return f"{model.meta.model_id} has seen {ahead:.1f} days that are still to come"

    def look(self, now_ms: int, *, closed: int, due: bool) -> str:
        """Begin what is due, and let what has come to its end take effect.

        Args:
            now_ms: the venue's time.
            closed: trades closed since the last training began.
            due: the trades are those of a trader that may train now.

        Returns:
            What happened, in words; empty for nothing.
        """
        told = self._take_effect(now_ms)
        if self._learning is None or not self.trains or self._state.begun_ms is not None:
            return told
        if closed >= RETRAIN_AFTER or (self.model is None and due and self._first_due(now_ms)):
            self._begin(now_ms)
            told = f"{told} training {self._state.jobs} begins".strip()
        return told

    def _first_due(self, now_ms: int) -> bool:
        """Whether a first model may be tried: once a day, where there is enough."""
        tried, least = self._state.tried_ms, self._training.minimum
        if self.rows < least.events or (tried is not None and now_ms // DAY_MS <= tried // DAY_MS):
            return False
        first_ms = min(int(part.start_ms[0]) for part in self._parts.values())
        return now_ms // DAY_MS - first_ms // DAY_MS >= least.days

    def _begin(self, now_ms: int) -> None:
        self._state = msgspec.structs.replace(
            self._state, jobs=self._state.jobs + 1, begun_ms=now_ms, tried_ms=now_ms
        )
        self._send()

    def _send(self) -> None:
        """Hand the job over; what it holds follows from the time it began alone."""
        begun_ms = self._state.begun_ms
        if self._learning is None or begun_ms is None:
            return
        known_ms = begun_ms - (self._label.horizon + 1) * self._interval_ms
        events = self._events()
        champion = self.model
        self._begun = True
        self._learning.begin(
            Job(
                number=self._state.jobs,
                begun_ms=begun_ms,
                asked=Circumstances(
                    interval_ms=self._interval_ms,
                    label=self._label,
                    training=self._training,
                    now_ms=begun_ms,
                    parent=champion.meta.model_id if champion else "",
                ),
                champion=champion.files if champion else None,
                events=events.take(events.start_ms <= known_ms),
            )
        )

    def _take_effect(self, now_ms: int) -> str:
        begun_ms = self._state.begun_ms
        if self._learning is None or begun_ms is None:
            return ""
        if not self._begun:  # a restart has lost the worker
            self._send()
        if now_ms < begun_ms + self._delay_ms:
            return ""
        outcome = self._learning.outcome()
        if outcome is None:
            return ""
        self._begun = False
        attempt, good = outcome.attempt, outcome.files is not None
        if outcome.files is not None:
            try:
                self._use(outcome.files)
            except ArtefactRefused as error:
                good = False
                attempt = msgspec.structs.replace(attempt, verdict="failed", reason=str(error))
                outcome = msgspec.structs.replace(outcome, attempt=attempt, files=None)
            else:
                outcome = msgspec.structs.replace(outcome, files=dict(self._entry))
        self._learning.keep(outcome, now_ms=now_ms)
        self._state = msgspec.structs.replace(
            self._state,
            begun_ms=None,
            champion=self._model_id,
            last=attempt,
            promoted=self._state.promoted + good,
            refused=self._state.refused + (not good),
        )
        said = f"training {attempt.number}: {attempt.verdict}"
        if good:
            return f"{said}, {attempt.model_id} is in use"
        kept = f"{attempt.champion} stays" if attempt.champion else "no model"
        made = f" {attempt.model_id}" if attempt.model_id else ""
        return f"{said}{made} ({attempt.reason}), {kept}"

    def _choose(self, wanted: str) -> None:
        """Put the first model in use that can be; a wanted one before all others.

        Raises:
            ConfigError: the present one was made for other features, and that shall stop the start.
        """
        if self._learning is None:
            return
        self.model, self._entry, self.refused = None, {}, []
        kept = self._learning.champions()
        for name, files in sorted(kept, key=lambda one: one[0] != wanted):
            try:
                self._use(files)
            except ArtefactRefused as error:
                self.refused.append(f"{name}: {error}")
                if "made for features" in str(error) and self._learning.switches.schema_lock:
                    raise ConfigError(
                        f"model {name}: {error}, or set FEATURE_SCHEMA_LOCK=false to start flat"
                    ) from None
                continue
            self._state = msgspec.structs.replace(self._state, champion=self._model_id)
            return

    @property
    def _model_id(self) -> str:
        return self.model.meta.model_id if self.model is not None else ""

    def _use(self, files: Files) -> None:
        """Put a model in use; one without evidence inherits that of the one before it.

        Raises:
            ArtefactRefused: it cannot be used; the one before it stays.
        """
        model = read(files, interval_ms=self._interval_ms, label=self._label)
        inherited = {EVIDENCE: self._entry[EVIDENCE]} if EVIDENCE in self._entry else {}
        self.model, self._entry = model, {**inherited, **files}

    def _events(self) -> Events:
        if not self._parts:
            return no_events(self._coins, 12)
        return merged(list(self._parts.values()))

    def _add(self, coin: str, rows: Events, *, keep: bool) -> None:
        known = self._parts.get(coin)
        if known is not None and len(known):
            rows = rows.take(~np.isin(rows.start_ms, known.start_ms[-4 * len(rows) - 4096 :]))
        if not len(rows):
            return
        if keep and self._learning is not None:
            self._learning.add(rows)
        if known is None:
            self._parts[coin] = rows
            return
        both = merged([known, rows])
        oldest = int(both.start_ms[-1]) - (self._training.days + 1) * DAY_MS
        self._parts[coin] = both.take(both.start_ms >= oldest)

    @property
    def schema(self) -> str:
        """Name of the features."""
        return schema_hash(self._interval_ms)


_COLUMNS: Final = ("start_ms", "end_ms", "coin", "side", "gross", "net", "features")
