"""What a trader may do: LIVE, PAUSED or STOPPED, as a pure state machine.

A trader is PAUSED while there is a cause for it. A person's causes go when a person says so, those
of a day when the day does and its positions are closed, those seen on the connection once they have
been over for a while. So an automatic pause never ends one by a person. A cause `name:COIN` keeps
that coin back alone; it pauses the trader only when each of its coins is kept back.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from suite.enums import TraderStatus

CLOSING: Final = "closing"
"""Cause of a lost day that is over before its positions are closed."""


class EventKind(StrEnum):
    """What may happen to a status."""

    RESUME = "resume"
    PAUSE = "pause"
    STOP = "stop"
    FLATTEN = "flatten"
    DAY_LOSS = "day_loss"
    NEW_DAY = "new_day"
    DRAWDOWN_PAUSE = "drawdown_pause"
    DRAWDOWN_STOP = "drawdown_stop"
    EXECUTIONS = "executions"
    TROUBLE = "trouble"
    HEALED = "healed"
    FLAT = "flat"
    ALLOCATE = "allocate"


class CauseKind(StrEnum):
    """Who ends a cause."""

    HUMAN = "human"
    AUTO = "auto"
    DAY = "day"


class Cause(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Why there is no new risk.

    Attributes:
        since_ms: when it began.
        seen_ms: when it was last there.
        present: whether it was there at the last look.
    """

    kind: CauseKind
    reason: str
    since_ms: int
    seen_ms: int
    present: bool = True


class StatusState(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """All that the machine remembers.

    Attributes:
        closing: positions are to be closed.
        sequence: of the last change.
    """

    stopped: bool = False
    closing: bool = False
    sequence: int = 0
    causes: dict[str, Cause] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusEvent:
    """Something that happened.

    Attributes:
        actor: who or what says so.
        cause: of a pause, a trouble or its healing.
        closes: positions are to be closed as well.
        preflight_passed: the checks before a start have been made and passed.
    """

    kind: EventKind
    at_ms: int
    actor: str = "risk"
    reason: str = ""
    cause: str = ""
    closes: bool = False
    preflight_passed: bool = False


class StatusChange(msgspec.Struct, frozen=True, kw_only=True):
    """What an event did.

    Attributes:
        sequence: 1, 2, 3, ... for each change; that of the last one where nothing changed.
        causes: those left, sorted.
        changed: something is other than before, be it a cause only.
        refused: why the event was not allowed; empty when it was.
    """

    sequence: int
    at_ms: int
    event: EventKind
    actor: str
    reason: str
    before: TraderStatus
    after: TraderStatus
    causes: tuple[str, ...]
    changed: bool
    refused: str = ""


class StatusMachine:
    """Applies events to a state that outlives it."""

    def __init__(self, state: StatusState, *, symbols: Sequence[str]) -> None:
        self._state = state
        self._symbols = tuple(symbols)
        self._rules: dict[EventKind, Callable[[StatusEvent], str]] = {
            EventKind.RESUME: self._resume,
            EventKind.PAUSE: self._pause,
            EventKind.STOP: self._stop,
            EventKind.FLATTEN: self._flatten,
            EventKind.DAY_LOSS: self._day_loss,
            EventKind.NEW_DAY: self._new_day,
            EventKind.DRAWDOWN_PAUSE: self._human_cause,
            EventKind.DRAWDOWN_STOP: self._stop,
            EventKind.EXECUTIONS: self._human_cause,
            EventKind.TROUBLE: self._trouble,
            EventKind.HEALED: self._healed,
            EventKind.FLAT: self._flat,
            EventKind.ALLOCATE: lambda _event: "",
        }

    @property
    def status(self) -> TraderStatus:
        """What the trader may do at present."""
        if self._state.stopped:
            return TraderStatus.STOPPED
        if not self._state.causes:
            return TraderStatus.LIVE
        coins = {_coin(name) for name in self._state.causes}
        if "" in coins or (self._symbols and coins.issuperset(self._symbols)):
            return TraderStatus.PAUSED
        return TraderStatus.LIVE

    def holds_back(self, coin: str) -> bool:
        """Whether a coin has a cause of its own."""
        return any(_coin(name) == coin for name in self._state.causes)

    def apply(self, event: StatusEvent) -> StatusChange:
        """Let an event happen; one that changes nothing is no error."""
        state, before = self._state, self.status
        was = (state.stopped, state.closing, tuple(state.causes))
        refused = self._rules[event.kind](event)
        changed = was != (state.stopped, state.closing, tuple(state.causes))
        state.sequence += changed
        return StatusChange(
            sequence=state.sequence,
            at_ms=event.at_ms,
            event=event.kind,
            actor=event.actor,
            reason=event.reason,
            before=before,
            after=self.status,
            causes=tuple(sorted(state.causes)),
            changed=changed,
            refused=refused,
        )

    def look(
        self, trouble: Mapping[str, str], *, now_ms: int, heal_ms: int
    ) -> tuple[StatusChange, ...]:
        """Compare the troubles there are with those remembered.

        Args:
            trouble: causes present now, each with what is known about it.
            now_ms: the venue's time.
            heal_ms: how long a cause must have been absent to be over.

        Returns:
            What changed.
        """
        changes = [
            self.apply(
                StatusEvent(
                    kind=EventKind.TROUBLE,
                    at_ms=now_ms,
                    actor="connection",
                    reason=reason or name,
                    cause=name,
                )
            )
            for name, reason in trouble.items()
        ]
        for name, cause in list(self._state.causes.items()):
            if cause.kind is not CauseKind.AUTO or name in trouble:
                continue
            cause.present = False
            cause.seen_ms = min(cause.seen_ms, now_ms)  # a clock set back heals nothing earlier
            if now_ms - cause.seen_ms >= heal_ms:
                event = StatusEvent(
                    kind=EventKind.HEALED,
                    at_ms=now_ms,
                    actor="connection",
                    reason=f"{name} is over",
                    cause=name,
                )
                changes.append(self.apply(event))
        return tuple(change for change in changes if change.changed)

    def _resume(self, event: StatusEvent) -> str:
        state = self._state
        if state.stopped:
            if not event.reason.strip():
                return "a stopped trader starts with a reason only"
            if not event.preflight_passed:
                return "a stopped trader starts after a passed preflight only"
            state.stopped = False
            self._keep(self._lasting())
            return ""
        human = [name for name, c in state.causes.items() if c.kind is CauseKind.HUMAN]
        lasting = self._lasting()
        if human and not event.reason.strip():
            return "say why it may go on: " + ", ".join(sorted(human))
        if lasting and not human:
            return "the cause is still there: " + ", ".join(sorted(lasting))
        self._keep(lasting)
        return ""

    def _lasting(self) -> list[str]:
        """Causes that no person can end: of the day, and troubles that are still there."""
        return [
            name
            for name, cause in self._state.causes.items()
            if cause.kind is CauseKind.DAY or (cause.kind is CauseKind.AUTO and cause.present)
        ]

    def _keep(self, names: Sequence[str]) -> None:
        """Let go of all other causes; a lost day's positions are closed all the same."""
        for name in list(self._state.causes):
            if name not in names:
                del self._state.causes[name]
        self._state.closing = self._state.closing and "day_loss" in names

    def _pause(self, event: StatusEvent) -> str:
        if self._state.stopped:
            return "it is stopped"
        return self._human_cause(event)

    def _stop(self, event: StatusEvent) -> str:
        self._state.closing = self._state.closing or event.closes
        self._state.stopped = True
        return ""

    def _flatten(self, event: StatusEvent) -> str:
        if not self._state.stopped:
            self._human_cause(event)
        self._state.closing = True
        return ""

    def _day_loss(self, event: StatusEvent) -> str:
        if "day_loss" not in self._state.causes:
            self._state.closing = self._state.closing or event.closes
            self._add("day_loss", CauseKind.DAY, event)
        return ""

    def _new_day(self, event: StatusEvent) -> str:
        """End the causes of a day; what it leaves to be closed holds back new risk until then."""
        for name, cause in list(self._state.causes.items()):
            if cause.kind is CauseKind.DAY:
                del self._state.causes[name]
                if self._state.closing:
                    self._add(CLOSING, CauseKind.HUMAN, event)
        return ""

    def _human_cause(self, event: StatusEvent) -> str:
        """A cause that only a person ends; STOPPED needs no further one."""
        names = {EventKind.DRAWDOWN_PAUSE: "drawdown", EventKind.EXECUTIONS: "executions"}
        if not self._state.stopped:
            self._add(names.get(event.kind, event.cause or "user"), CauseKind.HUMAN, event)
        return ""

    def _trouble(self, event: StatusEvent) -> str:
        self._add(event.cause, CauseKind.AUTO, event)
        return ""

    def _healed(self, event: StatusEvent) -> str:
        cause = self._state.causes.get(event.cause)
        if cause is not None and cause.kind is CauseKind.AUTO:
            del self._state.causes[event.cause]
        return ""

    def _flat(self, event: StatusEvent) -> str:
        self._state.closing = False
        self._state.causes.pop(CLOSING, None)
        return ""

    def _add(self, name: str, kind: CauseKind, event: StatusEvent) -> None:
        """Remember a cause; one that is known keeps its beginning, and a person's its owner."""
        known = self._state.causes.get(name)
        if known is None:
            self._state.causes[name] = Cause(
                kind=kind, reason=event.reason, since_ms=event.at_ms, seen_ms=event.at_ms
            )
            return
        known.seen_ms, known.present = event.at_ms, True
        if kind is CauseKind.HUMAN:
            known.kind = kind


def _coin(cause: str) -> str:
    """Coin that a cause is about, empty for all."""
    return cause.partition(":")[2]
