"""42: the bars that a strategy needs are there, whole and fresh."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from strategy_core.port import Needs
from strategy_core.snapshot import INTERVALS
from suite.bars import MINUTE_MS
from suite.checklist import Line, failed, judged, passed
from suite.intervals import INTERVAL_MS
from suite.moments import format_moment

NUMBER: Final = 42
NAME: Final = "warm-up data"
LATE_MS: Final = MINUTE_MS
"""How long after its end a bar may come."""
_NAMES: Final = {length_ms // MINUTE_MS: name for name, length_ms in INTERVAL_MS.items()}
_FIX: Final = (
    "DATA_SERVICE_URL names the data-collector; let it collect and fill these bars, "
    "docs/collecting.md"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Bars that must be there.

    Attributes:
        interval: their name, as `15m`.
        length_ms: of one.
        from_ms, to_ms: open time of the first, end of the last.
    """

    coin: str
    interval: str
    length_ms: int
    from_ms: int
    to_ms: int

    def missing(self, open_ms: Sequence[int]) -> list[int]:
        """Tell the open times that are not among those of whole bars, in their order."""
        there = set(open_ms)
        return [at for at in range(self.from_ms, self.to_ms, self.length_ms) if at not in there]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a data service has of them.

    Attributes:
        open_ms: open times of whole bars; others may be among them.
        fault: why it has said nothing; empty where it has.
    """

    span: Span
    open_ms: tuple[int, ...] = ()
    fault: str = ""


def spans_of(needs: Needs, now_ms: int) -> tuple[Span, ...]:
    """Name the bars that a strategy needs at a time; none where it reads no market data."""
    spans = []
    for coin in needs.snapshots:
        for minutes in map(int, needs.intervals or INTERVALS):
            length_ms = minutes * MINUTE_MS
            to_ms = (now_ms - LATE_MS) // length_ms * length_ms
            spans.append(
                Span(
                    coin=coin,
                    interval=_NAMES[minutes],
                    length_ms=length_ms,
                    from_ms=to_ms - needs.bars * length_ms,
                    to_ms=to_ms,
                )
            )
    return tuple(spans)


def check_warm_up(trader_id: str, needs: Needs, found: Sequence[Found], fault: str = "") -> Line:
    """Decide.

    Args:
        trader_id: whose.
        needs: of its strategy.
        found: for each of `spans_of`.
        fault: why nobody could be asked; empty where somebody was.
    """
    if not needs.snapshots:
        return passed(NUMBER, NAME, f"{trader_id}: reads no bars")
    if fault:
        return failed(NUMBER, NAME, f"{trader_id}: {fault}", "start it, or correct its address")
    faults = [text for one in found if (text := _fault_of(one))]
    intervals = dict.fromkeys(one.span.interval for one in found)
    good = f"{needs.bars} bars of {', '.join(intervals)} for {', '.join(needs.snapshots)}"
    if needs.warm_up:
        good += f"; opens nothing before it has seen {needs.warm_up} bars, or remembers them"
    line = judged(NUMBER, NAME, faults, good, _FIX)
    return Line(
        number=NUMBER,
        name=NAME,
        status=line.status,
        reason=f"{trader_id}: {line.reason}",
        fix=line.fix,
    )


def _fault_of(found: Found) -> str:
    span = found.span
    name = f"{span.coin} {span.interval}"
    count = (span.to_ms - span.from_ms) // span.length_ms
    if found.fault:
        first, last = format_moment(span.from_ms), format_moment(span.to_ms)
        return f"{name}: none of {count} bars is there, from {first} to {last}: {found.fault}"
    missing = span.missing(found.open_ms)
    if not missing:
        return ""
    first, last = format_moment(missing[0]), format_moment(missing[-1] + span.length_ms)
    stale = ", the newest among them" if missing[-1] + span.length_ms == span.to_ms else ""
    return f"{name}: {len(missing)} of {count} bars are missing, from {first} to {last}{stale}"
