"""Closed trades: from flat to flat in one coin, whatever fills that took."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from trader_manager.domain.records import Trade


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrip:
    """One closed trade.

    Attributes:
        opened_ms: of its first fill; None where that was before the first fill known.
        closed_ms: of its last one.
        net_usd: realized by its fills less their fees; funding is not in it.
    """

    coin: str
    opened_ms: int | None
    closed_ms: int
    net_usd: Decimal


def round_trips(trades: Iterable[Trade]) -> tuple[RoundTrip, ...]:
    """Put closed trades together.

    The fee of a fill that flips a position is divided by size: one part ends the trade, the rest
    begins the next one.

    Args:
        trades: fills of one trader in the order in which they happened.

    Returns:
        Those that have ended, in the order of their ends.
    """
    opened: dict[str, tuple[int | None, Decimal]] = {}
    closed: list[RoundTrip] = []
    for trade in trades:
        start, signed = trade.start_position, trade.side * trade.size
        closing = min(abs(start), trade.size) if start * signed < 0 else Decimal(0)
        opened_ms, net_usd = opened.pop(trade.coin, (None, Decimal(0)))
        fee_usd = trade.fee_usd
        if closing == abs(start) and closing > 0:
            part_usd = fee_usd if closing == trade.size else fee_usd * closing / trade.size
            closed.append(
                RoundTrip(
                    coin=trade.coin,
                    opened_ms=opened_ms,
                    closed_ms=trade.time_ms,
                    net_usd=net_usd + trade.closed_pnl_usd - part_usd,
                )
            )
            if closing < trade.size:
                opened[trade.coin] = (trade.time_ms, part_usd - fee_usd)
            continue
        if start == 0:
            opened_ms, net_usd = trade.time_ms, Decimal(0)
        opened[trade.coin] = (opened_ms, net_usd + trade.closed_pnl_usd - fee_usd)
    return tuple(closed)
