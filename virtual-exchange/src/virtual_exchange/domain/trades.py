"""Trades from flat to flat, put together from fills, exact to the micro-USD."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from perp_engine.events import Fill, FundingPaid
from suite.fixed import Usd, mul_div_floor


@dataclass(slots=True, kw_only=True)
class Trade:
    """A position's life, or the life so far of one that is still open.

    Attributes:
        direction: 1 long, -1 short.
        size: largest size reached, size units.
        entry_size, exit_size: sums over its fills, size units.
        entry_value, exit_value: summed size × price, micro-USD.
        slippage_usd: cost of spread and slippage against the print, micro-USD, positive is worse.
        realized_usd: before fees and funding.
        entry_oids: orders that opened or added to it, an id a fill.
    """

    symbol: int
    direction: int
    entry_ms: int
    exit_ms: int | None = None
    size: int = 0
    entry_size: int = 0
    exit_size: int = 0
    entry_value: int = 0
    exit_value: int = 0
    entry_fills: int = 0
    exit_fills: int = 0
    fees_usd: int = 0
    funding_usd: int = 0
    slippage_usd: int = 0
    realized_usd: int = 0
    entry_oids: list[int] = field(default_factory=list)

    @property
    def net_usd(self) -> Usd:
        """Result after fees and funding."""
        return Usd(self.realized_usd - self.fees_usd + self.funding_usd)


@dataclass(frozen=True, slots=True)
class TradeList:
    """Trades of one account, closed ones in the order in which they ended."""

    closed: tuple[Trade, ...]
    open: tuple[Trade, ...]


def slippage_of(fill: Fill) -> int:
    """Cost of a fill against the print it was made from, micro-USD; positive is worse."""
    return fill.side * (fill.price - fill.reference_price) * fill.size


def trades_of(fills: Iterable[Fill], funding: Iterable[FundingPaid]) -> TradeList:
    """Put trades together from an account's events.

    A fill that flips a position ends one trade and begins the next; its fee and slippage are
    divided by size, the remainder goes to the new one, so that sums stay exact.

    Args:
        fills, funding: each in the order in which they happened.
    """
    open_trades: dict[int, Trade] = {}
    closed: list[Trade] = []
    events: list[Fill | FundingPaid] = [*fills, *funding]
    # at one boundary funding is paid before anything trades
    events.sort(key=lambda event: (event.time_ms, isinstance(event, Fill)))
    for event in events:
        if isinstance(event, FundingPaid):
            open_trades[event.symbol].funding_usd += event.usd
            continue
        start = event.start_position
        closing = min(abs(start), event.size) if start * event.side < 0 else 0
        fee, slippage = int(event.fee_usd), slippage_of(event)
        if closing:
            trade = open_trades[event.symbol]
            part_fee = fee if closing == event.size else _share(fee, closing, event.size)
            part_slip = slippage if closing == event.size else _share(slippage, closing, event.size)
            _exit(trade, event, closing, part_fee, part_slip)
            fee, slippage = fee - part_fee, slippage - part_slip
            if closing == abs(start):
                trade.exit_ms = event.time_ms
                closed.append(open_trades.pop(event.symbol))
        if event.size > closing:
            trade = open_trades.setdefault(
                event.symbol,
                Trade(symbol=event.symbol, direction=int(event.side), entry_ms=event.time_ms),
            )
            _enter(trade, event, event.size - closing, fee, slippage)
    return TradeList(tuple(closed), tuple(open_trades[symbol] for symbol in sorted(open_trades)))


def _share(amount: int, part: int, whole: int) -> int:
    return mul_div_floor(amount, part, whole)


def _enter(trade: Trade, fill: Fill, size: int, fee: int, slippage: int) -> None:
    trade.entry_fills += 1
    trade.entry_size += size
    trade.entry_value += size * fill.price
    trade.size = max(trade.size, trade.entry_size - trade.exit_size)
    trade.entry_oids.append(fill.oid)
    _note(trade, fee, slippage)


def _exit(trade: Trade, fill: Fill, size: int, fee: int, slippage: int) -> None:
    trade.exit_fills += 1
    trade.exit_size += size
    trade.exit_value += size * fill.price
    trade.realized_usd += fill.realized_pnl_usd
    _note(trade, fee, slippage)


def _note(trade: Trade, fee: int, slippage: int) -> None:
    trade.fees_usd += fee
    trade.slippage_usd += slippage
