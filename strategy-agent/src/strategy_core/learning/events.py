"""Labelled trades in columns: what was seen at the proposal, and how the trade ended."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from suite.bars import DAY_MS, F64, I64, BoolArray

F32 = NDArray[np.float32]
I8 = NDArray[np.int8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Labelled trades, by time and then by coin.

    Attributes:
        coins: names; `coin` counts into them.
        start_ms: shape (n,), open time of the bar that proposed the trade.
        end_ms: shape (n,), end of the bar that the trade ended in.
        coin: shape (n,).
        side: shape (n,), 1 long, -1 short.
        gross, net: shape (n,), fractions of the notional, before and after costs and funding.
        features: shape (n, 12), mirrored to the side.
    """

    coins: tuple[str, ...]
    start_ms: I64
    end_ms: I64
    coin: I8
    side: I8
    gross: F64
    net: F64
    features: F32

    def __len__(self) -> int:
        return len(self.start_ms)

    @property
    def won(self) -> BoolArray:
        """Shape (n,), whether something was left after costs."""
        return self.net > 0

    @property
    def day(self) -> I64:
        """Shape (n,), days since 1970."""
        return self.start_ms // DAY_MS

    def take(self, rows: NDArray[np.generic]) -> "Events":
        """Some of them: a mask or row numbers."""
        return Events(coins=self.coins, **{name: getattr(self, name)[rows] for name in _COLUMNS})

    def digest(self) -> str:
        """Name exactly this data."""
        told = hashlib.sha256("\n".join(self.coins).encode())
        for name in _COLUMNS:
            column = np.ascontiguousarray(getattr(self, name))
            told.update(f"{name}{column.shape}{column.dtype.str}".encode())
            told.update(column.tobytes())
        return told.hexdigest()


_COLUMNS: Final = tuple(field.name for field in fields(Events))[1:]
_TYPES: Final = {
    "start_ms": np.int64,
    "end_ms": np.int64,
    "coin": np.int8,
    "side": np.int8,
    "gross": np.float64,
    "net": np.float64,
    "features": np.float32,
}


def no_events(coins: Sequence[str], width: int) -> Events:
    """None of these coins, with so many features."""
    empty = {name: np.zeros(0, kind) for name, kind in _TYPES.items() if name != "features"}
    return Events(coins=tuple(coins), features=np.zeros((0, width), np.float32), **empty)


def merged(parts: Iterable[Events]) -> Events:
    """Put the events of several coins together, sorted by time and then by name of the coin."""
    kept = list(parts)
    coins = tuple(sorted({coin for part in kept for coin in part.coins}))
    place = {coin: index for index, coin in enumerate(coins)}
    columns = {name: [getattr(part, name) for part in kept] for name in _COLUMNS}
    columns["coin"] = [
        np.array([place[coin] for coin in part.coins], np.int8)[part.coin] for part in kept
    ]
    whole = Events(coins=coins, **{name: np.concatenate(columns[name]) for name in _COLUMNS})
    return whole.take(np.lexsort((whole.side, whole.coin, whole.start_ms)))


def to_columns(events: Events) -> dict[str, NDArray[np.generic]]:
    """Columns by name, for a file."""
    return {"coins": np.array(events.coins), **{name: getattr(events, name) for name in _COLUMNS}}


def from_columns(columns: dict[str, NDArray[np.generic]]) -> Events:
    """Read them back.

    Raises:
        ValueError: a column is missing, or of another kind or length.
    """
    if missing := [name for name in ("coins", *_COLUMNS) if name not in columns]:
        raise ValueError(f"events without {', '.join(missing)}")
    read = {name: np.ascontiguousarray(columns[name], kind) for name, kind in _TYPES.items()}
    if len({len(column) for column in read.values()}) != 1 or read["features"].ndim != 2:
        raise ValueError("the columns of the events are not of one length")
    return Events(coins=tuple(str(coin) for coin in columns["coins"]), **read)
