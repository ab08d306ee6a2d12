"""News for people: in the log at once, in a chat when there is one, and never in anybody's way.

    notices.tell("killed", "all traders by the watchdog: no beat for 60 s", is_critical=True)

What is told again within a minute is counted and told once at its end. What is critical is told at
once, then again until somebody acknowledges it or it was told three times. A channel that hangs
holds up this queue and nothing else.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Protocol

import structlog

from suite.clock import Clock
from suite.errors import SuiteError, one_line

MOST: Final = 1_000
"""Notices that wait at the most; beyond, the oldest that is not critical goes."""
_TEXT_CHARS: Final = 600
_HARMLESS: Final = str.maketrans(
    {
        "@": "@\u200b",  # nobody is called: `@everyone`, `<@id>`
        "<": "\u2039",
        ">": "\u203a",
        "[": "(",
        "]": ")",
        "`": "'",
        "\\": "\u2216",
    }
)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that a person should hear of.

    Attributes:
        kind: of it, a word.
        text: in one line, harmless wherever it is shown.
        at_ms: wall time.
        is_critical: it is told until a channel has taken it, and then again.
        number: of it, by which it is acknowledged; 0 for one that need not be.
    """

    kind: str
    text: str
    at_ms: int
    is_critical: bool = False
    number: int = 0


class Channel(Protocol):
    """A way to people."""

    async def send(self, notice: Notice) -> None:
        """Tell one.

        Raises:
            SuiteError: it was not taken.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRules:
    """How often.

    Attributes:
        interval_s: between two notices that leave.
        fold_s: within which the same is only counted.
        retry_s: before one that is critical is tried again where no channel took it.
        again_s: before one that is critical and not acknowledged is told again.
        times: that it is told in all.
    """

    interval_s: float = 1.0
    fold_s: float = 60.0
    retry_s: float = 5.0
    again_s: float = 300.0
    times: int = 3


@dataclass(slots=True)
class _Fold:
    """What was told, and how often since."""

    until_ms: int
    more: int = 0


@dataclass(slots=True)
class _Reminder:
    """What was told and is not acknowledged."""

    notice: Notice
    due_ms: int
    told: int = 1


class Notices:
    """Tells people without ever waiting for them.

    Args:
        channels: tried in order, until one has taken the notice; what is critical and told again
            goes to all.
        clock: wall time.
        rules: how often.

    Attributes:
        dropped: notices that nobody was told of.
        failing: the last notice was taken by no channel.
        records: told of each notice at once, whatever becomes of it; they return at once.
    """

    def __init__(
        self, channels: Sequence[Channel], clock: Clock, rules: NoticeRules | None = None
    ) -> None:
        self.dropped = 0
        self.failing = False
        self.records: list[Callable[[str, str], None]] = []
        self._channels = tuple(channels)
        self._clock = clock
        self._rules = rules or NoticeRules()
        self._waiting: deque[Notice] = deque()
        self._woken = asyncio.Event()
        self._folds: dict[tuple[str, str], _Fold] = {}
        self._reminders: dict[int, _Reminder] = {}
        self._numbers = 0

    @property
    def trouble(self) -> str:
        """What is wrong with the channels; empty where nothing is."""
        return "no channel has taken the last notice" if self.failing else ""

    @property
    def unacknowledged(self) -> list[Notice]:
        """What is critical and nobody has said yet to have seen."""
        return [one.notice for one in self._reminders.values()]

    def tell(self, kind: str, text: str, *, is_critical: bool = False) -> None:
        """Tell people; returns at once."""
        text = harmless(text)
        log = _log.error if is_critical else _log.warning
        log("alert", kind=kind, text=text)
        self.note(kind, text)
        if not self._channels or self._is_folded(kind, text, is_critical=is_critical):
            return
        number = 0
        if is_critical:
            self._numbers += 1
            number = self._numbers
        self._put(
            Notice(
                kind=kind,
                text=text,
                at_ms=self._clock.now_ms(),
                is_critical=is_critical,
                number=number,
            )
        )

    def note(self, kind: str, text: str) -> None:
        """Tell the records alone: it is no news."""
        for one in self.records:
            one(kind, text)

    def acknowledge(self, number: int | None = None) -> int:
        """Tell a critical notice no more; all of them without its number.

        Returns:
            How many they were.
        """
        gone = [one for one in self._reminders if number in {None, one}]
        for one in gone:
            del self._reminders[one]
        return len(gone)

    async def run(self) -> None:
        """Tell what waits, until canceled."""
        while True:
            self._end_folds()
            self._remind()
            if not self._waiting:
                await self._rest()
                continue
            notice = self._waiting[0]
            is_taken = await self._send(notice)
            self.failing = not is_taken
            if not is_taken and notice.is_critical:
                await asyncio.sleep(self._rules.retry_s)
                continue
            self.dropped += not is_taken
            if self._waiting and self._waiting[0] is notice:
                self._waiting.popleft()
            if is_taken and notice.number and notice.number not in self._reminders:
                due_ms = self._clock.now_ms() + round(self._rules.again_s * 1000)
                self._reminders[notice.number] = _Reminder(notice, due_ms)
            await asyncio.sleep(self._rules.interval_s)

    def _is_folded(self, kind: str, text: str, *, is_critical: bool) -> bool:
        """Count what was told of late; what is critical only while it waits."""
        key, now_ms = (kind, text), self._clock.now_ms()
        if is_critical:
            known = (*self._waiting, *self.unacknowledged)
            return any((one.kind, one.text) == key for one in known)
        fold = self._folds.get(key)
        if fold is not None and now_ms < fold.until_ms:
            fold.more += 1
            return True
        if len(self._folds) < MOST:
            self._folds[key] = _Fold(now_ms + round(self._rules.fold_s * 1000))
        return False

    def _end_folds(self) -> None:
        now_ms = self._clock.now_ms()
        for key, fold in list(self._folds.items()):
            if now_ms >= fold.until_ms:
                del self._folds[key]
                if fold.more:
                    text = f"{key[1]} ({fold.more} more within {self._rules.fold_s:g} s)"
                    self._put(Notice(kind=key[0], text=text, at_ms=now_ms))

    def _remind(self) -> None:
        now_ms = self._clock.now_ms()
        for number, one in list(self._reminders.items()):
            if now_ms < one.due_ms:
                continue
            one.told += 1
            if one.told > self._rules.times:
                del self._reminders[number]
                continue
            one.due_ms = now_ms + round(self._rules.again_s * 1000)
            text = f"{one.notice.text} (told {one.told} of {self._rules.times} times)"
            self._put(replace(one.notice, text=text))

    async def _rest(self) -> None:
        """Wait for something to tell."""
        dues = [fold.until_ms for fold in self._folds.values()]
        dues += [one.due_ms for one in self._reminders.values()]
        left_s = (min(dues) - self._clock.now_ms()) / 1000 if dues else None
        self._woken.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(None if left_s is None else max(left_s, 0.001)):
                await self._woken.wait()

    async def _send(self, notice: Notice) -> bool:
        is_taken = False
        is_again = notice.number in self._reminders
        for channel in self._channels:
            try:
                await channel.send(notice)
            except SuiteError as error:
                _log.warning("alert_not_taken", kind=notice.kind, reason=str(error))
            else:
                is_taken = True
                if not is_again:
                    break
        return is_taken

    def _put(self, notice: Notice) -> None:
        if len(self._waiting) >= MOST:
            self._drop()
        self._waiting.append(notice)
        self._woken.set()

    def _drop(self) -> None:
        for one in self._waiting:
            if not one.is_critical:
                self._waiting.remove(one)
                break
        else:
            self._waiting.popleft()
        self.dropped += 1


def harmless(text: str) -> str:
    """Make one line of text that calls nobody, formats nothing and leads nowhere.

    Names of traders and texts of errors come from elsewhere, and a chat reads marks in them.
    """
    line = one_line("".join(c if c.isprintable() or c.isspace() else "\ufffd" for c in text))
    line = line.translate(_HARMLESS).replace("://", ":/\u200b/")
    return line if len(line) <= _TEXT_CHARS else line[: _TEXT_CHARS - 1] + "…"
