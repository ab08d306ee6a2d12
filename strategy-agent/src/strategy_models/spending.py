"""Money for models: reserved before a call, corrected after it, kept over restarts.

A call that nobody comes back from (a crash, a strategy whose time was over) stays reserved in full:
what is not known to be unspent is spent.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from strategy_core.llm.port import FaultKind
from suite.errors import StorageError
from suite.fixed import USD_ONE, Usd, format_fixed

_DAY_MS: Final = 86_400_000
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS spent (
    purse TEXT NOT NULL, day INTEGER NOT NULL, micro_usd INTEGER NOT NULL,
    PRIMARY KEY (purse, day)
) WITHOUT ROWID
"""
_BUSY_S: Final = 10.0


class Spent(Exception):
    """A purse does not hold what a call could cost.

    Args:
        kind: of the day, or of all.
        text: one line.
    """

    def __init__(self, kind: FaultKind, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


class Ledger(Protocol):
    """What purses have spent, by day."""

    def add(self, purse: str, day: int, amount: Usd, allowed: Callable[[Usd, Usd], None]) -> None:
        """Add an amount, which may be below 0.

        Args:
            purse: whose.
            day: since 1970.
            amount: micro-USD.
            allowed: told what was spent that day and in all; raises to refuse.

        Raises:
            StorageError: it cannot be kept.
        """
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


class MemoryLedger:
    """Forgets with its process: the days of a simulated world begin anew with each run."""

    def __init__(self) -> None:
        self._spent: dict[str, dict[int, int]] = {}
        self._lock = threading.Lock()

    def add(self, purse: str, day: int, amount: Usd, allowed: Callable[[Usd, Usd], None]) -> None:
        """Add an amount."""
        with self._lock:
            days = self._spent.setdefault(purse, {})
            allowed(Usd(days.get(day, 0)), Usd(sum(days.values())))
            days[day] = days.get(day, 0) + amount

    def close(self) -> None:
        """Close nothing."""


class FileLedger:
    """A file that all processes of a machine share; each addition is on disk before it counts.

    Args:
        path: made when missing, for nobody else to read.

    Raises:
        StorageError: it cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(_TABLE)
        except (OSError, sqlite3.Error) as error:
            raise self._fault(error) from None

    def add(self, purse: str, day: int, amount: Usd, allowed: Callable[[Usd, Usd], None]) -> None:
        """Add an amount.

        Raises:
            StorageError: the disk does not take it.
        """
        try:
            with self._lock, self._changing():
                today, ever = self._db.execute(
                    "SELECT coalesce(sum(CASE day WHEN ? THEN micro_usd END), 0),"
                    " coalesce(sum(micro_usd), 0) FROM spent WHERE purse = ?",
                    (day, purse),
                ).fetchone()
                allowed(Usd(today), Usd(ever))
                self._db.execute(
                    "INSERT INTO spent VALUES (?, ?, ?) ON CONFLICT (purse, day)"
                    " DO UPDATE SET micro_usd = micro_usd + excluded.micro_usd",
                    (purse, day, amount),
                )
        except sqlite3.Error as error:
            raise self._fault(error) from None

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _fault(self, error: Exception) -> StorageError:
        return StorageError(f"cannot keep what models cost in {self._path}: {error}")


@dataclass(frozen=True, slots=True)
class Reservation:
    """Money that a call may use.

    Attributes:
        day: that it counts for.
        amount: micro-USD.
    """

    day: int
    amount: Usd


class Purse:
    """What one trader, or all of a machine, may spend.

    Args:
        ledger: where it is kept.
        name: in the ledger.
        owner: for messages.
        per_day: micro-USD.
        total: micro-USD; None for no limit.
        cure: what can be done about an empty one.
    """

    def __init__(
        self,
        ledger: Ledger,
        name: str,
        *,
        owner: str,
        per_day: Usd,
        total: Usd | None,
        cure: str,
    ) -> None:
        self._ledger = ledger
        self._name = name
        self._owner = owner
        self._per_day = per_day
        self._total = total
        self._cure = cure

    def reserve(self, amount: Usd, at_ms: int) -> Reservation:
        """Take money out for a call.

        Args:
            amount: that it could cost.
            at_ms: time, whose day counts.

        Raises:
            Spent: there is too little.
            StorageError: it cannot be kept.
        """
        if amount == 0:  # what is free needs no purse
            return Reservation(at_ms // _DAY_MS, amount)

        def allowed(today: Usd, ever: Usd) -> None:
            if self._total is not None and ever + amount > self._total:
                raise self._spent(FaultKind.ALL_SPENT, "in all", self._total, ever, amount)
            if today + amount > self._per_day:
                raise self._spent(FaultKind.DAY_SPENT, "a day", self._per_day, today, amount)

        day = at_ms // _DAY_MS
        self._ledger.add(self._name, day, amount, allowed)
        return Reservation(day, amount)

    def settle(self, reserved: Reservation, cost: Usd) -> None:
        """Put back what a call did not cost, or take what it cost more.

        Raises:
            StorageError: it cannot be kept.
        """
        if cost != reserved.amount:
            rest = Usd(cost - reserved.amount)
            self._ledger.add(self._name, reserved.day, rest, lambda _today, _ever: None)

    def _spent(self, kind: FaultKind, span: str, limit: Usd, spent: Usd, amount: Usd) -> Spent:
        return Spent(
            kind,
            f"{self._owner} may spend {_usd(limit)} USD {span} on models, has spent "
            f"{_usd(spent)}, and the next call could cost {_usd(amount)}: {self._cure}",
        )


def _usd(amount: Usd) -> str:
    return format_fixed(amount, len(str(USD_ONE)) - 1)
