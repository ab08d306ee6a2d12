"""Cassettes: what was asked and what came back, in one file that can be shared.

A line is one question, named by the SHA-256 of the request's body as it is put to a server that
takes every option; so a question is found again whoever asks it, and wherever the server was. No
header is kept, no address and no key; keys of this process are taken out of every text.

    {"cassette": 1}
    {"key": "9f...", "trader": "", "asked": {...}, "price": {...}, "reply": "{...}"}
    {"key": "03...", "trader": "a", "asked": {...}, "price": {...}, "fault": {"kind": ...}}

A failure belongs to the trader that met it, and is met by it once in a replay too.
"""

import fcntl
import gzip
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from strategy_core.llm.port import FaultKind
from strategy_models.prices import Price
from suite.errors import ConfigError, StorageError

_HEADER: Final = b'{"cassette":1}\n'
_REMOVED: Final = "[removed]"
_SHOWN: Final = 160


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """How a question ended that got no answer."""

    kind: FaultKind
    text: str


class Recording(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One question and how it ended.

    Attributes:
        key: of what was asked.
        asked: body of the request, in full form.
        price: of the model then.
        cost: of all attempts, micro-USD.
        trader: who met a failure; empty for an answer, which is anybody's.
        reply: body of the answer.
        fault: instead of it.
    """

    key: str
    asked: dict[str, Any]
    price: Price
    cost: int = 0
    trader: str = ""
    reply: str | None = None
    fault: Failure | None = None


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """First line of a file."""

    cassette: int


def canonical(body: Mapping[str, Any]) -> bytes:
    """Write a body in the one form that is hashed."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def key_of(body: Mapping[str, Any]) -> str:
    """Name a question."""
    return hashlib.sha256(canonical(body)).hexdigest()


class Cassette:
    """One file, read whole; for several threads, and when recording for several processes.

    Args:
        path: `.jsonl`, or `.jsonl.gz` to replay only.
        records: what is not there may be added.
        secrets: texts that must not get into it.

    Attributes:
        counts: of questions: `replayed`, `recorded`, `missed`.

    Raises:
        ConfigError: there is no such file, or it is no cassette.
        StorageError: it cannot be written.
    """

    def __init__(self, path: Path, *, records: bool, secrets: Iterable[str] = ()) -> None:
        self.path = path
        self.counts: Counter[str] = Counter()
        self._records = records
        self._secrets = [text for text in secrets if text]
        self._replies: dict[str, Recording] = {}
        self._faults: dict[tuple[str, str], list[Recording]] = {}
        self._met: Counter[tuple[str, str]] = Counter()
        self._read_to = 0
        self._lock = threading.RLock()
        if records:
            self._begin()
        else:
            for line in _lines(path):
                self._take(line)

    @property
    def digest(self) -> str:
        """Hash of all that it holds."""
        content = b"\n".join(msgspec.json.encode(one) for one in self.recordings())
        return hashlib.sha256(content).hexdigest()

    def keep_out(self, secret: str) -> None:
        """Take one more text out of whatever is recorded from now on."""
        if secret:
            self._secrets.append(secret)

    def price_of(self, provider: str, model: str) -> Price | None:
        """Find what a model cost when it was recorded; None where it never was."""
        for one in self.recordings():
            if one.asked.get("provider") == provider and one.asked.get("model") == model:
                return one.price
        return None

    def find(self, key: str, trader: str) -> Recording | None:
        """Look a question up; its failures come first, each once."""
        with self._lock:
            if self._records and key not in self._replies:
                with self._held():
                    self._catch_up()
            if not self._records:
                failed = self._faults.get((key, trader), [])
                met = self._met[key, trader]
                if met < len(failed):
                    self._met[key, trader] += 1
                    self.counts["replayed"] += 1
                    return failed[met]
            found = self._replies.get(key)
            if found is not None:
                self.counts["replayed"] += 1
            return found

    def add(self, recording: Recording) -> Recording:
        """Keep how a question ended.

        Returns:
            What counts: another process may have been told an answer first.

        Raises:
            StorageError: the disk does not take it.
        """
        line = self._clean(msgspec.json.encode(recording).decode()).encode() + b"\n"
        with self._lock, self._held():
            self._catch_up()
            first = self._replies.get(recording.key)
            if first is not None and recording.fault is None:
                return first
            try:
                with self.path.open("ab") as file:
                    file.write(line)
            except OSError as error:
                raise self._fault(error) from None
            self._catch_up()
            self.counts["recorded"] += 1
        return recording

    def missing(self, asked: Mapping[str, Any]) -> str:
        """Say what differs between a question and the nearest one that is recorded."""
        self.counts["missed"] += 1
        told = _leaves(asked)
        same = [one for one in self._replies.values() if one.asked.get("model") == asked["model"]]
        if not same:
            models = sorted({str(one.asked.get("model")) for one in self._replies.values()})
            return (
                f"{self.path} holds nothing of the model {asked['model']}; it has "
                f"{', '.join(models) or 'no answer at all'}"
            )
        nearest = max(same, key=lambda one: (_alike(told, _leaves(one.asked)), one.key))
        return (
            f"{self.path} has no answer to this question; the nearest of its {len(same)} to "
            f"{asked['model']} differs: {_difference(_leaves(nearest.asked), told)}; record it "
            "anew (make cassette, for that of the demo), or replay it over the market, traders "
            "and prompts that it was made with"
        )

    def recordings(self) -> Iterator[Recording]:
        """Go through all of it, in the order of keys."""
        failed = [one for several in self._faults.values() for one in several]
        return iter(sorted([*self._replies.values(), *failed], key=lambda one: one.key))

    def _begin(self) -> None:
        if self.path.suffix == ".gz":
            raise ConfigError(
                f"{self.path} is packed: record into a .jsonl, then strategy-agent cassette --pack"
            )
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._held():
                if not self.path.exists() or self.path.stat().st_size == 0:
                    self.path.write_bytes(_HEADER)
                self._catch_up()
        except OSError as error:
            raise self._fault(error) from None

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Keep other processes from writing."""
        try:
            with self.path.with_suffix(".lock").open("wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise self._fault(error) from None

    def _catch_up(self) -> None:
        """Read what others have added; a line that a crash cut short is taken off."""
        with self.path.open("rb+") as file:
            file.seek(self._read_to)
            whole, _, rest = file.read().rpartition(b"\n")
            if rest:
                file.truncate(self._read_to + len(whole) + (1 if whole else 0))
        if not whole:
            return
        lines = whole.split(b"\n")
        if self._read_to == 0:
            _check_header(lines.pop(0), self.path)
        for line in lines:
            self._take(line)
        self._read_to += len(whole) + 1

    def _take(self, line: bytes) -> None:
        try:
            recording = msgspec.json.decode(line, type=Recording)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ConfigError(f"{self.path} is damaged: {error}") from None
        if recording.fault is None:
            self._replies.setdefault(recording.key, recording)
        else:
            self._faults.setdefault((recording.key, recording.trader), []).append(recording)

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            written = json.dumps(secret)[1:-1]
            text = text.replace(written, _REMOVED).replace(secret, _REMOVED)
        return text

    def _fault(self, error: OSError) -> StorageError:
        return StorageError(f"cannot record into {self.path}: {error.strerror}")


def pack(source: Path, target: Path) -> int:
    """Write a cassette in the form that is shared: in the order of keys, compressed, each once.

    Returns:
        How many questions it holds.

    Raises:
        ConfigError: the source is no cassette.
        StorageError: the target cannot be written.
    """
    recordings = list(Cassette(source, records=False).recordings())
    lines = b"".join(msgspec.json.encode(one) + b"\n" for one in recordings)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(gzip.compress(_HEADER + lines, compresslevel=9, mtime=0))
    except OSError as error:
        raise StorageError(f"cannot write {target}: {error.strerror}") from None
    return len(recordings)


def _lines(path: Path) -> list[bytes]:
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except FileNotFoundError:
        raise ConfigError(f"there is no cassette {path}") from None
    except (OSError, EOFError, ValueError) as error:
        raise ConfigError(f"cannot read the cassette {path}: {error}") from None
    first, *lines = content.split(b"\n")
    _check_header(first, path)
    if lines and lines[-1]:
        lines.pop()  # cut short by a crash
    return [line for line in lines if line]


def _check_header(line: bytes, path: Path) -> None:
    try:
        version = msgspec.json.decode(line, type=Header).cassette
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise ConfigError(f"{path} is no cassette") from None
    if version != 1:
        raise ConfigError(f"{path} is a cassette of a later version ({version})")


def _leaves(value: Any, place: str = "") -> dict[str, str]:
    """List what a body says, line by line of its texts."""
    if isinstance(value, Mapping):
        items: Iterable[tuple[str, Any]] = ((f"{place}.{name}", one) for name, one in value.items())
    elif isinstance(value, list | tuple):
        items = ((f"{place}[{index}]", one) for index, one in enumerate(value))
    elif isinstance(value, str) and "\n" in value:
        items = ((f"{place} line {n}", line) for n, line in enumerate(value.split("\n"), 1))
    else:
        return {place.lstrip("."): json.dumps(value, ensure_ascii=False)}
    found: dict[str, str] = {}
    for name, one in items:
        found |= _leaves(one, name)
    return found


def _alike(one: Mapping[str, str], other: Mapping[str, str]) -> int:
    return sum(other.get(place) == text for place, text in one.items())


def _difference(recorded: Mapping[str, str], asked: Mapping[str, str]) -> str:
    """Show the first place where two bodies differ."""
    for place, text in asked.items():
        if (kept := recorded.get(place)) != text:
            was = "nothing" if kept is None else kept[:_SHOWN]
            return f"{place} was {was}, and is {text[:_SHOWN]}"
    return "something is no longer asked"
