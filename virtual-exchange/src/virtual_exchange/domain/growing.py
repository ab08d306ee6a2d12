"""Bars that grow while they are read: the minutes of a live market."""

from typing import Any, Final

import numpy as np

from suite.bars import Bars

_COLUMNS: Final = ("open_time_ms", "open", "high", "low", "close", "volume")
_ROOM: Final = 1440


class GrowingBars(Bars):
    """Bars of which the latest are told again and again, and more come.

    Whoever holds them sees them grow; what was cut out of them by `rows` and `between` does not.
    A bar that has not ended is in them too, and invisible to those who ask for closed ones.
    """

    __slots__ = ("_room",)

    _room: dict[str, Any]

    def __init__(self, bars: Bars) -> None:
        super().__init__(bars.interval_ms, *(getattr(bars, name) for name in _COLUMNS))
        self._take({name: getattr(bars, name) for name in _COLUMNS})

    def put(self, open_time_ms: int, *values: float) -> bool:
        """Add a bar, or tell one again; say whether it is another than before.

        Args:
            open_time_ms: when it opened.
            values: open, high, low, close, volume.
        """
        at = int(np.searchsorted(self.open_time_ms, open_time_ms))
        row = (open_time_ms, *values)
        if at == len(self):
            self._append(row)
            return True
        if int(self.open_time_ms[at]) != open_time_ms:
            columns = zip(_COLUMNS, row, strict=True)
            self._take({name: np.insert(getattr(self, name), at, value) for name, value in columns})
            return True
        before = tuple(float(getattr(self, name)[at]) for name in _COLUMNS[1:])
        for name, value in zip(_COLUMNS, row, strict=True):
            getattr(self, name)[at] = value
        return before != values

    def drop_from(self, time_ms: int) -> None:
        """Forget the bars that have not ended by a time."""
        self._show(self.closed_by(time_ms))

    def begun_by(self, time_ms: int) -> Bars:
        """The bars that have begun by a time, the last of them perhaps not ended."""
        return self.rows(0, int(np.searchsorted(self.open_time_ms, time_ms, side="right")))

    def _append(self, row: tuple[float, ...]) -> None:
        count = len(self)
        if count == len(self._room["open"]):
            self._take({name: getattr(self, name) for name in _COLUMNS})
        for name, value in zip(_COLUMNS, row, strict=True):
            self._room[name][count] = value
        self._show(count + 1)

    def _take(self, columns: dict[str, Any]) -> None:
        """Copy columns to where there is room behind them."""
        count = len(columns["open"])
        room = {}
        for name, column in columns.items():
            room[name] = np.empty(count + max(_ROOM, count // 4), column.dtype)
            room[name][:count] = column
        object.__setattr__(self, "_room", room)
        self._show(count)

    def _show(self, count: int) -> None:
        for name in _COLUMNS:
            # the dataclass is frozen for its readers; this is the one who writes
            object.__setattr__(self, name, self._room[name][:count])
