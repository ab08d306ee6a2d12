"""When a trader wakes: several have wishes, and each is asked only when its own has come."""

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from strategy_core.port import NOTHING_EARLIER
from suite.bars import INTERVAL_MS
from suite.contracts.clock import Interval, WakeOn

_SOME: Final = ("fill", "order", "liquidation")


class Wish(Protocol):
    """Of anybody, to be asked again: at a time at the latest, and when something happens."""

    @property
    def until_ms(self) -> int | None:
        """None where only conditions count."""

    @property
    def wake_on(self) -> WakeOn:
        """What may come earlier."""


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


def merged(wishes: Sequence[Wish], now_ms: int) -> Wake:
    """Put wishes together, so that none is missed.

    Args:
        wishes: of everybody.
        now_ms: the venue's time.

    Returns:
        The earliest time and all conditions. Of several bar intervals the shortest is a condition;
        the others become times.
    """
    on = [wish.wake_on for wish in wishes if wish.wake_on is not NOTHING_EARLIER]
    times = [wish.until_ms for wish in wishes if wish.until_ms is not None]
    if len(on) > 1:
        bars = sorted(
            {wake_on.bar for wake_on in on if wake_on.bar is not None}, key=INTERVAL_MS.__getitem__
        )
        times += [next_boundary_ms(now_ms, INTERVAL_MS[bar]) for bar in bars[1:]]
        shortest: Interval | None = bars[0] if bars else None
        on[0] = WakeOn(
            fill=any(wake_on.fill for wake_on in on),
            order=any(wake_on.order for wake_on in on),
            liquidation=any(wake_on.liquidation for wake_on in on),
            bar=shortest,
            price=tuple(dict.fromkeys(cross for wake_on in on for cross in wake_on.price)),
        )
    return Wake(
        until_ms=max(min(times), now_ms + 1) if times else None,
        wake_on=on[0] if on else NOTHING_EARLIER,
    )


def next_boundary_ms(now_ms: int, interval_ms: int) -> int:
    """First multiple of the interval after a time."""
    return (now_ms // interval_ms + 1) * interval_ms
