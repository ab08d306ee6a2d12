"""Who changed what: a line for every write that somebody was allowed or refused by name.

    {"at_ms": ..., "token": "operator", "token_id": "1f0c...", "scope": "admin",
     "route": "POST /traders/{trader_id}/stop", "object": {"trader_id": "alice"}, "status": 200,
     "request": "<sha256 of the body>", "chain": "<sha256 of the line before and of this one>"}

The file is only ever appended to. Each line carries the hash of all before it, so one that was
changed, moved or taken out is found by `broken_line`. No token is in it, and no body.
"""

import hashlib
import os
import re
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog
from starlette.types import Message, Receive, Scope

from suite.clock import Clock
from suite.service.tokens import OPEN, declared_scopes, noted

_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_FIRST: Final = "0" * 64
_log = structlog.get_logger(__name__)


class AuditLog:
    """The file of one service.

    Args:
        path: of it; made with the first line, for its owner alone.
        clock: wall time.
        unaudited: paths that are written down elsewhere, or change nothing.
    """

    def __init__(self, path: Path, clock: Clock, unaudited: re.Pattern[str] | None = None) -> None:
        self._path = path
        self._clock = clock
        self._unaudited = unaudited
        self._file: int | None = None
        self._chain = _FIRST

    def covers(self, scope: Scope) -> bool:
        """Whether a request would be written down."""
        if scope["method"] in _READS:
            return False
        return self._unaudited is None or self._unaudited.search(scope["path"]) is None

    def write(self, scope: Scope, *, route: str, status: int, request: str) -> None:
        """Add a line; a request that showed no known token leaves none.

        Args:
            scope: of the request, routed.
            route: its template.
            status: of the answer.
            request: SHA-256 of its body.
        """
        who = noted(scope)
        if who is None:
            declared = declared_scopes(scope.get("endpoint"), ())
            if not any(one.startswith(OPEN) for one in declared):
                return
        record: dict[str, Any] = {
            "at_ms": self._clock.now_ms(),
            "token": who.name if who else "",
            "token_id": who.token_id if who else "",
            "scope": who.needed if who else OPEN,
            "route": f"{scope['method']} {route}",
            "object": {key: str(value) for key, value in scope.get("path_params", {}).items()},
            "status": status,
            "request": request,
        }
        try:
            self._append(record)
        except OSError as error:
            _log.critical("audit_not_written", file=str(self._path), reason=error.strerror)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _append(self, record: dict[str, Any]) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._file = os.open(self._path, flags, 0o600)
            self._chain = _last_chain(self._path)
        self._chain = _linked(self._chain, record)
        os.write(self._file, msgspec.json.encode({**record, "chain": self._chain}) + b"\n")


class Hashed:
    """Hashes a body while somebody else reads it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._hash = hashlib.sha256()

    async def __call__(self) -> Message:
        """Hand a part on."""
        message = await self._receive()
        self._hash.update(message.get("body", b""))
        return message

    @property
    def digest(self) -> str:
        """SHA-256 of what was read."""
        return self._hash.hexdigest()


def broken_line(path: Path) -> int | None:
    """Find the first line that does not follow from those before it; None where all do.

    Returns:
        Its number, from 1.
    """
    chain = _FIRST
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            record = msgspec.json.decode(line)
            told = record.pop("chain")
        except (msgspec.DecodeError, KeyError, AttributeError):
            return number
        chain = _linked(chain, record)
        if told != chain:
            return number
    return None


def _linked(chain: str, record: dict[str, Any]) -> str:
    return hashlib.sha256(chain.encode() + msgspec.json.encode(record)).hexdigest()


def _last_chain(path: Path) -> str:
    """Go on from the last line that is whole; a torn one stays, and is found by who looks."""
    chain = _FIRST
    for line in reversed(path.read_bytes().splitlines()[-2:]):
        try:
            found = msgspec.json.decode(line)["chain"]
        except (msgspec.DecodeError, KeyError, TypeError):
            continue
        return str(found)
    return chain
