"""The business log: what became of traders and their money, a short line each, without noise.

    {"at": "2026-11-22T20:00:00Z", "kind": "trade_closed", "text": "anna closed BTC long at ..."}

It is one file a service, beside the technical log on stderr: starts and ends, trades that open and
close with what they made, alerts, kills and who ended them. What is told again within a minute is
counted, and the count is told once: `"more": 12`. No secret is in it. A disk that refuses costs
lines and nothing else.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import structlog

from suite.clock import Clock
from suite.errors import one_line
from suite.service.logging import hide_secrets

MOST_BYTES: Final = 16 << 20
"""Of the file, after which it becomes the one `before`, and a new one begins."""
_FOLD_MS: Final = 60_000
_MOST_FOLDS: Final = 1_000
_log = structlog.get_logger(__name__)


class BusinessLog:
    """The file of one service.

    Args:
        path: of it; made with the first line, for its owner alone.
        clock: wall time.
        most_bytes: of the file.
    """

    def __init__(self, path: Path, clock: Clock, *, most_bytes: int = MOST_BYTES) -> None:
        self._path = path
        self._clock = clock
        self._most_bytes = most_bytes
        self._folds: dict[tuple[str, str], tuple[int, int]] = {}
        self._fails = False

    def tell(self, kind: str, text: str) -> None:
        """Write a line, or count one that was written of late; never raises, never waits long.

        Args:
            kind: of what happened, a word.
            text: in one line.
        """
        now_ms, key = self._clock.now_ms(), (kind, hide_secrets(one_line(text)))
        self._end_folds(now_ms)
        if key in self._folds:
            until_ms, more = self._folds[key]
            self._folds[key] = until_ms, more + 1
            return
        if len(self._folds) < _MOST_FOLDS:
            self._folds[key] = now_ms + _FOLD_MS, 0
        self._write(key, now_ms)

    def close(self) -> None:
        """Write what was only counted."""
        self._end_folds(None)

    def _end_folds(self, now_ms: int | None) -> None:
        """Tell how often what was counted came, once its time is over, or at once without one."""
        for key, (until_ms, more) in list(self._folds.items()):
            if now_ms is None or now_ms >= until_ms:
                del self._folds[key]
                if more:
                    self._write(key, until_ms if now_ms is None else now_ms, more)

    def _write(self, key: tuple[str, str], at_ms: int, more: int = 0) -> None:
        at = datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        line: dict[str, str | int] = {"at": at, "kind": key[0], "text": key[1]}
        if more:
            line["more"] = more
        try:
            self._append(msgspec.json.encode(line) + b"\n")
        except OSError as error:
            if not self._fails:
                _log.error("business_not_written", file=str(self._path), reason=error.strerror)
            self._fails = True
        else:
            self._fails = False

    def _append(self, line: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        handle = os.open(self._path, flags, 0o600)
        try:
            if os.fstat(handle).st_size + len(line) > self._most_bytes:
                self._path.replace(self._path.with_suffix(".before.jsonl"))
                os.close(handle)
                handle = os.open(self._path, flags, 0o600)
            os.write(handle, line)
        finally:
            os.close(handle)
