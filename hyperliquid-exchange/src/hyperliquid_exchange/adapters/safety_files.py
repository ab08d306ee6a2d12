"""The kill ladder on disk, in the state folder.

    safety.json     causes that are set: written whole beside, synced, and put in place
    safety.log      a JSON line for every change, who and why; never shortened
    KILL            forbids everything to all while it is there; anybody makes it with `touch`
    KILL.<trader>   to one trader; a slash in its name is written `%2F`
    gate.json       where losses and fills are measured from

A folder that is gone, or a file that was there and is not any more, is nothing that can be read.
"""

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec

from hyperliquid_exchange.domain.marks import Marks
from hyperliquid_exchange.domain.safety import EVERYBODY, Cause
from suite.clock import Clock
from suite.errors import StorageError, one_line
from suite.ids import TraderId

SENTINEL: Final = "KILL"
PREFLIGHT_AGE_MS: Final = 15 * 60_000
"""How old a preflight may be that a kill is ended with."""
_REASON_BYTES: Final = 200

_encode = msgspec.json.Encoder().encode
_causes = msgspec.json.Decoder(list[Cause])
_marks = msgspec.json.Decoder(dict[str, Marks])


class SafetyFiles:
    """Causes and sentinels of one state folder.

    Args:
        folder: of the state; made when missing.
        clock: wall time, for the record.

    Raises:
        StorageError: the folder cannot be made.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._path = folder / "safety.json"
        self._record = folder / "safety.log"
        self._clock = clock
        self._seen: tuple[int, ...] | None = None
        # written as text once: they are looked at several times for every order
        self._texts = str(folder), str(self._path)
        self._sentinels: dict[str, str] = {}
        _make(folder)

    def load(self) -> Sequence[Cause]:
        """Read the causes that are set; the first time ever there are none.

        Raises:
            StorageError: they cannot be read, or are gone.
        """
        try:
            seen = _identity(self._path)
            found = _causes.decode(self._path.read_bytes())
        except FileNotFoundError:
            if self._record.exists():
                raise StorageError(f"{self._path} is gone") from None
            self.save([], "began")
            return ()
        except OSError as error:
            raise _fault("read", self._path, error) from None
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise StorageError(f"{self._path} is damaged: {one_line(str(error))}") from None
        self._seen = seen
        return found

    def save(self, causes: Sequence[Cause], note: str) -> None:
        """Write all causes, whole or not at all; durable on return.

        Raises:
            StorageError: they could not be written.
        """
        line = _encode({"at_ms": self._clock.now_ms(), "what": note}) + b"\n"
        try:
            _append(self._record, line)
            _replace(self._path, _encode(list(causes)))
            self._seen = _identity(self._path)
        except OSError as error:
            raise _fault("write", self._path, error) from None

    def changed(self) -> bool:
        """Whether the causes are not as this process read or wrote them last.

        Raises:
            StorageError: they cannot be looked at, or are gone.
        """
        try:
            return _identity(self._texts[1]) != self._seen
        except OSError as error:
            raise _fault("look at", self._path, error) from None

    def sentinel(self, scope: TraderId | str) -> str | None:
        """Tell why a file forbids; None where there is none.

        Raises:
            StorageError: nobody can look.
        """
        text = self._sentinels.get(scope)
        if text is None:
            text = self._sentinels[scope] = str(sentinel_path(self._folder, scope))
        try:
            os.lstat(text)
        except FileNotFoundError:
            if not os.path.isdir(self._texts[0]):  # noqa: PTH112 - a volume that was not mounted
                raise StorageError(f"{self._folder} is gone") from None
            return None
        except OSError as error:
            raise _fault("look at", Path(text), error) from None
        path = Path(text)
        with contextlib.suppress(OSError):
            with path.open("rb") as file:
                said = file.read(_REASON_BYTES).decode(errors="replace")
            return one_line(said.partition("\n")[0]) or f"{path.name} was made by hand"
        return f"{path.name} is there"

    def place_sentinel(self, scope: TraderId | str, reason: str) -> None:
        """Make the file that forbids everything; nothing where it is there.

        Raises:
            StorageError: it could not be made.
        """
        place_sentinel(self._folder, scope, reason)


class MarksFile:
    """Where losses and fills are measured from.

    Args:
        folder: of the state; made when missing.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "gate.json"
        _make(folder)

    def load(self) -> Mapping[str, Marks]:
        """Read all; none the first time.

        Raises:
            StorageError: they are there, and cannot be read.
        """
        try:
            return _marks.decode(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise _fault("read", self._path, error) from None
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise StorageError(
                f"{self._path} is damaged ({one_line(str(error))}): look at what was lost today, "
                "then move the file away"
            ) from None

    def save(self, marks: Mapping[str, Marks]) -> None:
        """Write all, whole or not at all.

        Raises:
            StorageError: they could not be written.
        """
        try:
            _replace(self._path, _encode(dict(marks)))
        except OSError as error:
            raise _fault("write", self._path, error) from None


class PreflightFile:
    """The result that the checklist leaves: `{"green": true, "at_ms": 1790000000000, ...}`.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def trouble(self, now_ms: int) -> str:
        """Tell why it is not clean, or not recent enough to end a kill; empty where it is."""
        try:
            found: Any = msgspec.json.decode(self._path.read_bytes())
        except FileNotFoundError:
            return "there is none; run: hyperliquid-exchange preflight"
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return f"{self._path} cannot be read"
        if not isinstance(found, dict) or found.get("green") is not True:
            return "it is not green"
        at_ms = found.get("at_ms")
        if not isinstance(at_ms, int) or not 0 <= now_ms - at_ms < PREFLIGHT_AGE_MS:
            return "it is not of the last 15 minutes; run: hyperliquid-exchange preflight"
        return ""


def sentinel_path(folder: Path, scope: TraderId | str) -> Path:
    """Name the file that forbids everything to a scope."""
    return folder / (SENTINEL if scope == EVERYBODY else f"{SENTINEL}.{quote(scope, safe='')}")


def place_sentinel(folder: Path, scope: TraderId | str, reason: str) -> Path:
    """Make the file that forbids everything; nothing where it is there.

    Returns:
        It.

    Raises:
        StorageError: it could not be made.
    """
    path = sentinel_path(folder, scope)
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        return path
    except OSError as error:
        raise _fault("make", path, error) from None
    # the file itself forbids: that its words could not be written changes nothing
    with contextlib.suppress(OSError):
        try:
            os.write(handle, f"{one_line(reason)}\n".encode())
            os.fsync(handle)
        finally:
            os.close(handle)
        _sync_folder(folder)
    return path


def _identity(path: Path | str) -> tuple[int, ...]:
    found = os.stat(path)  # noqa: PTH116 - a text, as this is asked for every order
    return found.st_ino, found.st_size, found.st_mtime_ns


def _append(path: Path, line: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        os.write(handle, line)
        os.fsync(handle)
    finally:
        os.close(handle)


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(handle, view) :]
        os.fsync(handle)
    finally:
        os.close(handle)
    draft.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _fault("make", folder, error) from None


def _fault(what: str, path: Path, error: OSError) -> StorageError:
    return StorageError(f"cannot {what} {path}: {error.strerror or error}")
