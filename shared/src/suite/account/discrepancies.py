"""Telling differences that last from those that are only the order in which messages came."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass


@dataclass(slots=True)
class _Suspect:
    offset: str
    since_s: float
    looks: int = 1
    confirmed: bool = False


class Discrepancies:
    """Differences that were seen, and those of them that are confirmed.

    A difference is confirmed when it was seen by the same amount in so many states in a row, for so
    long, and nothing is in flight that could explain it.

    Args:
        looks: states in a row.
        dwell_s: seconds from the first to the last of them.
        now_s: seconds of a clock that never goes back.

    Attributes:
        total: how many were ever confirmed.
    """

    def __init__(self, *, looks: int, dwell_s: float, now_s: Callable[[], float]) -> None:
        self.total = 0
        self._looks = looks
        self._dwell_s = dwell_s
        self._now_s = now_s
        self._suspects: dict[str, _Suspect] = {}

    def look(self, found: Mapping[str, str], *, in_flight: bool) -> None:
        """Take in what differs at present.

        Args:
            found: what differs, and by how much.
            in_flight: an action is on its way to the venue: nothing is confirmed now.
        """
        before, self._suspects = self._suspects, {}
        now_s = self._now_s()
        for key, offset in found.items():
            suspect = before.get(key)
            if suspect is None or suspect.offset != offset:
                suspect = _Suspect(offset, now_s)
            else:
                suspect.looks += 1
            lasts = suspect.looks >= self._looks and now_s - suspect.since_s >= self._dwell_s
            if lasts and not in_flight and not suspect.confirmed:
                suspect.confirmed = True
                self.total += 1
            self._suspects[key] = suspect

    def confirm(self) -> None:
        """Confirm what differs at present, without waiting."""
        for suspect in self._suspects.values():
            self.total += not suspect.confirmed
            suspect.confirmed = True

    @property
    def confirmed(self) -> Iterable[str]:
        """What differs for sure, each with its amount: `position ETH: 0.5`."""
        return [f"{key}: {one.offset}" for key, one in self._suspects.items() if one.confirmed]

    def clear(self) -> None:
        """Begin anew."""
        self._suspects.clear()
