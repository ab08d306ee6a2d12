"""The kill ladder: what is forbidden is the worst of what anybody has set.

The state is the OR of three: what this process remembers, the durable causes, and the files by
which anybody forbids. What cannot be read counts as PAUSED, and is not written over: it may have
been a kill, so it is ended like one. Forbidding is in force when `engage` returns, whatever the
disk does.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import structlog

from hyperliquid_exchange.application.safety_ports import Latch
from hyperliquid_exchange.domain.clearing import Clearing, clearing_refusal
from hyperliquid_exchange.domain.safety import EVERYBODY, Cause, Level, level_of
from suite.clock import Clock
from suite.errors import Conflict, StorageError
from suite.ids import TraderId

SENTINEL: Final = "sentinel"
STORAGE: Final = "storage"

_log = structlog.get_logger(__name__)


class KillLadder:
    """The ladder of one process.

    Args:
        latch: where causes survive.
        traders: that there are.
        clock: wall time.

    Attributes:
        on_engage: told of every cause that is set anew or made worse; they return at once.
        on_clear: told of every cause that a person has cleared; likewise.
    """

    def __init__(self, latch: Latch, traders: Sequence[TraderId], clock: Clock) -> None:
        self.on_engage: list[Callable[[Cause], None]] = []
        self.on_clear: list[Callable[[Cause], None]] = []
        self._latch = latch
        self._traders = tuple(traders)
        self._clock = clock
        self._causes: dict[tuple[str, str], Cause] = {}
        self._unreadable: Cause | None = None
        self._unsaved = False
        self._is_known = False
        self.look()

    def level(self, trader_id: TraderId) -> Level:
        """Tell what is forbidden to a trader now; what cannot be read counts as PAUSED."""
        self._look((EVERYBODY, trader_id))
        return level_of(self._all(), trader_id)

    def engage(self, cause: Cause) -> None:
        """Forbid, from this moment on; durable before this returns, as far as the disk allows."""
        key = (cause.scope, cause.by)
        old = self._causes.get(key)
        if old is not None:
            flatten = old.flatten or cause.flatten
            worse = cause if cause.level > old.level else old
            cause = replace(worse, flatten=flatten)
            if cause == old:
                return
        self._causes[key] = cause
        _log.warning(
            "forbidden",
            scope=cause.scope or "all",
            level=cause.level.name,
            by=cause.by,
            reason=cause.reason,
        )
        self._save(f"set {_told(cause)}")
        for told in self.on_engage:
            told(cause)

    @property
    def causes(self) -> Sequence[Cause]:
        """Everything that is set."""
        self.look()
        return tuple(self._all())

    def look(self) -> None:
        """Look at files that others may have placed; what they forbid is remembered."""
        self._look((EVERYBODY, *self._traders))
        if self._unsaved and self._is_known and self._save("what could not be written before"):
            self._unreadable = None

    def clear(
        self, scope: TraderId | str, clearing: Clearing, *, by: str | None = None
    ) -> Sequence[Cause]:
        """Allow again what was forbidden.

        Args:
            scope: whose causes; those of `EVERYBODY` are its own.
            clearing: who asks, and with what.
            by: only the cause that this one has set; all of the scope without it.

        Returns:
            What was cleared; empty where nothing was set.

        Raises:
            Conflict: one of them may not be cleared so; nothing is.
            StorageError: it could not be written down; nothing is cleared.
        """
        self.look()
        chosen = [one for one in self._all() if one.scope == scope and (by is None or one.by == by)]
        for cause in chosen:
            self._refuse(cause, clearing)
        if not chosen:
            return ()
        if self._unreadable is not None and self._unreadable not in chosen:
            raise Conflict(f"{_told(self._unreadable)}: resume all first")
        kept = [one for one in self._causes.values() if one not in chosen]
        names = "; ".join(_told(one) for one in chosen)
        self._latch.save(kept, f"{clearing.by} cleared {names}")
        self._causes = {(one.scope, one.by): one for one in kept}
        self._unsaved = False
        if scope == EVERYBODY:
            self._unreadable = None
        _log.warning("allowed_again", scope=scope or "all", by=clearing.by, was=names)
        if clearing.is_person:
            for cause in chosen:
                for told in self.on_clear:
                    told(cause)
        return chosen

    def release(self, scope: TraderId | str, by: str) -> None:
        """Let a component take back its own PAUSED; nothing where it has set none.

        While the durable causes cannot be read all is PAUSED anyway, and nothing is taken back.

        Raises:
            Conflict: it has set more than that.
            StorageError: it could not be written down.
        """
        if (scope, by) in self._causes and self._unreadable is None:
            self.clear(scope, Clearing(by=by), by=by)

    # how

    def _refuse(self, cause: Cause, clearing: Clearing) -> None:
        """Make sure that a cause may be cleared.

        Raises:
            Conflict: it may not.
        """
        judged = replace(cause, level=Level.KILLED) if cause is self._unreadable else cause
        reason = clearing_refusal(judged, clearing)
        if not reason and cause.by == SENTINEL:
            with contextlib.suppress(StorageError):
                if self._latch.sentinel(cause.scope) is not None:
                    reason = "the file that forbids is still there; remove it first"
        if reason:
            raise Conflict(f"{_told(cause)} stays: {reason}")

    def _all(self) -> list[Cause]:
        found = list(self._causes.values())
        return found if self._unreadable is None else [*found, self._unreadable]

    def _look(self, scopes: Sequence[TraderId | str]) -> None:
        trouble = ""
        try:
            if not self._is_known or self._latch.changed():
                self._reload()
        except StorageError as error:
            self._is_known = False
            trouble = str(error)
        for scope in scopes:
            try:
                reason = self._latch.sentinel(scope)
            except StorageError as error:
                trouble = str(error)
            else:
                if reason is not None:
                    self._see(scope, reason)
        if trouble:
            self._cannot_read(trouble)
        elif self._is_known and not self._unsaved:
            self._unreadable = None

    def _see(self, scope: TraderId | str, reason: str) -> None:
        if (scope, SENTINEL) not in self._causes:
            self.engage(
                Cause(
                    scope=scope,
                    level=Level.KILLED,
                    by=SENTINEL,
                    reason=reason,
                    since_ms=self._clock.now_ms(),
                )
            )

    def _reload(self) -> None:
        """Take in what is durable; what this process remembers stays.

        Raises:
            StorageError: it cannot be read.
        """
        stored = self._latch.load()
        self._is_known = True
        for cause in stored:
            old = self._causes.get((cause.scope, cause.by))
            if old is None or old.level < cause.level:
                self._causes[cause.scope, cause.by] = cause
                for told in self.on_engage:
                    told(cause)

    def _cannot_read(self, reason: str) -> None:
        if self._unreadable is None:
            _log.error("safety_unreadable", reason=reason)
            self._unreadable = Cause(
                scope=EVERYBODY,
                level=Level.PAUSED,
                by=STORAGE,
                reason=reason,
                since_ms=self._clock.now_ms(),
            )

    def _save(self, note: str) -> bool:
        """Write the causes down; where the disk refuses, memory and perhaps a file hold them."""
        try:
            if not self._is_known:
                self._reload()
            self._latch.save(list(self._causes.values()), note)
        except StorageError as error:
            self._unsaved = True
            self._is_known = False
            self._cannot_read(str(error))
            for cause in self._causes.values():
                if cause.level is Level.KILLED:
                    with contextlib.suppress(StorageError):
                        self._latch.place_sentinel(cause.scope, cause.reason)
            return False
        self._unsaved = False
        return True


def _told(cause: Cause) -> str:
    return f"{cause.level.name} for {cause.scope or 'all'} by {cause.by} ({cause.reason})"
