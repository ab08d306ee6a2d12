"""When a trader wakes: several have wishes, and each is asked only when its own has come."""

from collections.abc import Sequence
from typing import Final

import msgspec

from strategy_core.port import NOTHING_EARLIER
from suite.bars import INTERVAL_MS
from suite.contracts.clock import Interval, WakeOn

_SOME: Final = ("fill", "order", "liquidation")


class Wake(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to be asked again.

    Attributes:
        until_ms: at the latest; None where only conditions count.
        wake_on: what may come earlier.
    """

    until_ms: int | None = None
    wake_on: WakeOn = NOTHING_EARLIER

    def due(self, now_ms: int, woke_by: Sequence[str]) -> bool:
        """Whether this wish may have come true.

        A price of somebody else's wish cannot be told from one's own, so any wakes both; and who
        asks for a turn from outside asks everybody.

        Args:
            now_ms: the venue's time.
            woke_by: reasons of the wake-up.
        """
        if "asked" in woke_by or (self.until_ms is not None and now_ms >= self.until_ms):
            return True
        on = self.wake_on
        if any(name in woke_by and getattr(on, name) for name in _SOME):
            return True
        if on.bar is not None and now_ms % INTERVAL_MS[on.bar] == 0:
            return True
        return bool(on.price) and "price" in woke_by


def merged(wishes: Sequence[Wake], now_ms: int) -> Wake:
    """Put wishes together, so that none is missed.

    Args:
        wishes: of everybody.
        now_ms: the venue's time.

    Returns:
        The earliest time and all conditions. Of several bar intervals the shortest is a condition;
        the others become times.
    """
    bars = sorted(
        {wish.wake_on.bar for wish in wishes if wish.wake_on.bar is not None},
        key=lambda interval: INTERVAL_MS[interval],
    )
    times = [wish.until_ms for wish in wishes if wish.until_ms is not None]
    times += [next_boundary_ms(now_ms, INTERVAL_MS[bar]) for bar in bars[1:]]
    shortest: Interval | None = bars[0] if bars else None
    on = WakeOn(
        fill=any(wish.wake_on.fill for wish in wishes),
        order=any(wish.wake_on.order for wish in wishes),
        liquidation=any(wish.wake_on.liquidation for wish in wishes),
        bar=shortest,
        price=tuple(dict.fromkeys(cross for wish in wishes for cross in wish.wake_on.price)),
    )
    until_ms = max(min(times), now_ms + 1) if times else None
    return Wake(until_ms=until_ms, wake_on=on)


def next_boundary_ms(now_ms: int, interval_ms: int) -> int:
    """First multiple of the interval after a time."""
    return (now_ms // interval_ms + 1) * interval_ms
