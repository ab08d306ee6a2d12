"""Trades from flat to flat in one coin, whatever fills that took."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from suite.enums import Side
from trader_manager.domain.records import FundingPayment, Trade

_MICRO: Final = Decimal("0.000001")
_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrip:
    """One trade.

    Attributes:
        side: of its entry.
        opened_ms: of its first fill; None where that was before the first fill known.
        closed_ms: of its last one; None where it is open.
        size: the largest reached, as far as is known.
        entry_price, exit_price: averages over its fills; None where they are not all known.
        fees_usd: positive is paid.
        funding_usd: positive was received.
        net_usd: realized by its fills less their fees, and with its funding.
    """

    coin: str
    side: Side
    opened_ms: int | None
    closed_ms: int | None
    size: Decimal
    entry_price: Decimal | None
    exit_price: Decimal | None
    fees_usd: Decimal
    funding_usd: Decimal
    net_usd: Decimal


@dataclass(slots=True)
class _Life:
    """A trade so far."""

    side: Side
    opened_ms: int | None
    size: Decimal
    funding_usd: Decimal = _NOTHING
    entered: Decimal = _NOTHING
    entry_value: Decimal = _NOTHING
    left: Decimal = _NOTHING
    exit_value: Decimal = _NOTHING
    fees_usd: Decimal = _NOTHING
    realized_usd: Decimal = _NOTHING

    def enter(self, trade: Trade, size: Decimal, *, held: Decimal, fee_usd: Decimal) -> None:
        self.entered += size
        self.entry_value += size * trade.price
        self.size = max(self.size, held + size)
        self.fees_usd += fee_usd

    def leave(self, trade: Trade, size: Decimal, *, fee_usd: Decimal) -> None:
        self.left += size
        self.exit_value += size * trade.price
        self.realized_usd += trade.closed_pnl_usd
        self.fees_usd += fee_usd

    def told(self, coin: str, closed_ms: int | None) -> RoundTrip:
        known = self.opened_ms is not None and self.entered
        return RoundTrip(
            coin=coin,
            side=self.side,
            opened_ms=self.opened_ms,
            closed_ms=closed_ms,
            size=self.size,
            entry_price=self.entry_value / self.entered if known else None,
            exit_price=self.exit_value / self.left if self.left else None,
            fees_usd=self.fees_usd,
            funding_usd=self.funding_usd,
            net_usd=self.realized_usd - self.fees_usd + self.funding_usd,
        )


class RoundTrips:
    """Puts trades together, as fills come.

    The fee of a fill that flips a position is divided by size: one part, to the whole micro-USD
    below, ends the trade, the rest begins the next one. Funding is of the trade that is open then;
    at one moment it is paid before anything trades.
    """

    def __init__(self) -> None:
        self._lives: dict[str, _Life] = {}
        self._early_usd: dict[str, Decimal] = {}
        self._payments: deque[FundingPayment] = deque()

    def add(
        self, trades: Iterable[Trade], funding: Iterable[FundingPayment] = ()
    ) -> list[RoundTrip]:
        """Take further fills and payments of one trader in, in the order in which they happened.

        Returns:
            Those that have ended by these fills, in the order of their ends.
        """
        self._payments.extend(funding)
        closed = []
        for trade in trades:
            while self._payments and self._payments[0].time_ms <= trade.time_ms:
                self._pay(self._payments.popleft())
            if (trip := self._take(trade)) is not None:
                closed.append(trip)
        return closed

    def still_open(self) -> list[RoundTrip]:
        """Tell those that have not ended, by coin, with all funding so far."""
        while self._payments:
            self._pay(self._payments.popleft())
        return [life.told(coin, None) for coin, life in sorted(self._lives.items())]

    def _pay(self, payment: FundingPayment) -> None:
        """Note a payment with the open trade; apart with one that no fill has told of yet."""
        coin, usd = payment.coin, payment.received_usd
        if (life := self._lives.get(coin)) is not None:
            life.funding_usd += usd
        else:
            self._early_usd[coin] = self._early_usd.get(coin, _NOTHING) + usd

    def _take(self, trade: Trade) -> RoundTrip | None:
        start = trade.start_position
        early_usd = self._early_usd.pop(trade.coin, _NOTHING)
        life = self._lives.pop(trade.coin, None) if start else None
        if life is None and start:
            life = _Life(Side.BUY if start > 0 else Side.SELL, None, abs(start), early_usd)
        closing = min(abs(start), trade.size) if start * trade.side < 0 else _NOTHING
        fee_usd, closed = trade.fee_usd, None
        if life is not None and closing:
            if closing != trade.size:
                fee_usd = (fee_usd * closing / trade.size).quantize(_MICRO, ROUND_FLOOR)
            life.leave(trade, closing, fee_usd=fee_usd)
            fee_usd = trade.fee_usd - fee_usd
            if closing == abs(start):
                closed, life = life.told(trade.coin, trade.time_ms), None
        if (opening := trade.size - closing) > 0:
            life = life or _Life(trade.side, trade.time_ms, _NOTHING)
            held = abs(start) if not closing else _NOTHING
            life.enter(trade, opening, held=held, fee_usd=fee_usd)
        if life is not None:
            self._lives[trade.coin] = life
        return closed


def round_trips(
    trades: Iterable[Trade], funding: Iterable[FundingPayment] = ()
) -> tuple[RoundTrip, ...]:
    """Put trades together from all fills and payments of one trader.

    Returns:
        Those that have ended in the order of their ends, then the open ones by coin.
    """
    book = RoundTrips()
    closed = book.add(trades, funding)
    return (*closed, *book.still_open())
