"""What became of the orders that were sent: the journal of intents beside the venue's own rows.

What holds keys remembers orders by these records, so they need no engine, no numpy, and no bars.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from hyperliquid_exchange.domain.actions import OrderLeg
from suite.fixed import USD_DECIMALS, Price, Size, Usd, parse_fixed
from suite.instrument import Instrument
from suite.intervals import HOUR_MS

SKEW_MS: Final = 1_000
"""How far the venue's clock may be from the wall's, and still be taken for it."""
ALIVE: Final = frozenset({"open", "triggered", "waitingForFill", "waitingForTrigger"})

Tifs = Literal["Gtc", "Ioc", "Alo", "FrontendMarket"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFill:
    """A fill, of either side of the comparison.

    Attributes:
        time_ms: when.
        price, size: in the instrument's units, size positive.
        fee_usd: positive is paid, micro-USD.
        is_taker: it crossed.
    """

    time_ms: int
    price: Price
    size: Size
    fee_usd: Usd
    is_taker: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOrder:
    """An order as it was sent, and how it ended.

    Attributes:
        trader_id: whose it is.
        coin: of the market.
        is_buy: its side.
        size: as sent; in the instrument's units.
        limit_price: likewise.
        reduce_only: it could only make the position smaller.
        tif: None for a trigger order.
        trigger_price: 0 for a limit order.
        trigger: `tp` or `sl`.
        trigger_is_market: it fills at market once triggered.
        decided_ms: when it was about to leave, wall time.
        placed_ms: when the venue had it, by the venue's clock.
        ended_ms: when it was canceled or refused there; None where it filled or is open.
        told_ms: when the venue's answer was here, wall time; None where nobody noted it.
        oid, cloid: its names.
        fills: that the venue made, oldest first.
        held: signed position before its first fill; None where it had none.
    """

    trader_id: str
    coin: str
    is_buy: bool
    size: Size
    limit_price: Price
    reduce_only: bool
    tif: Tifs | None
    trigger_price: Price = Price(0)
    trigger: Literal["tp", "sl"] | None = None
    trigger_is_market: bool = False
    decided_ms: int
    placed_ms: int
    ended_ms: int | None
    told_ms: int | None = None
    oid: int
    cloid: str | None
    fills: tuple[ModelFill, ...] = ()
    held: Size | None = None

    @property
    def begins_ms(self) -> int:
        """When it met the market, by the market's time.

        The decision, unless the venue's clock is not the wall's: a stand-in has the time of its
        bars. It is the wall's where the venue had the order after the decision and before its
        answer was here, give or take `SKEW_MS`; an answer that was lost would have come in time.
        """
        latest_ms = self.decided_ms + HOUR_MS if self.told_ms is None else self.told_ms
        same_clock = self.decided_ms - SKEW_MS <= self.placed_ms <= latest_ms + SKEW_MS
        return self.decided_ms if same_clock else self.placed_ms

    @property
    def latency_ms(self) -> int | None:
        """From the decision to the answer that told of a fill, both by the clock here.

        None where no answer was noted or that clock was set back meanwhile, of an order that
        rested, and of a stop or target, which takes when its price has come.
        """
        if self.told_ms is None or not self.fills or self.rested or self.trigger is not None:
            return None
        waited_ms = self.told_ms - self.decided_ms
        return waited_ms if waited_ms >= 0 else None

    @property
    def rested(self) -> bool:
        """Whether its first fill is that of an order that waited in the book."""
        return bool(self.fills) and not self.fills[0].is_taker

    @property
    def effective_size(self) -> Size:
        """What could fill at all: reduce-only orders are cut to the position."""
        if self.reduce_only and self.held:
            whole = Size(abs(self.held))
            return whole if self.size == 0 else min(self.size, whole)
        return self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class SentOrder:
    """One order of an intent.

    Attributes:
        trader_id: whose it is.
        leg: the order.
        decided_ms: when it was about to leave, wall time.
        oid: that the venue answered with; None where it told none, or nothing.
        told_ms: when its answer was here, wall time; None where none came.
    """

    trader_id: str
    leg: OrderLeg
    decided_ms: int
    oid: int | None
    told_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOrder:
    """A row of the venue's history of orders.

    Attributes:
        status: in the venue's words.
        status_ms, placed_ms: by the venue's clock.
    """

    coin: str
    oid: int
    cloid: str | None
    status: str
    status_ms: int
    placed_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueFill:
    """A row of the venue's fills, decimals as told."""

    coin: str
    oid: int
    tid: int
    time_ms: int
    price: str
    size: str
    fee: str
    is_taker: bool
    start_position: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Orders with what became of them.

    Attributes:
        orders: those that the venue knows, oldest decision first.
        absent: orders that were sent and of which the venue has no row.
        foreign: rows of orders that nobody here has sent.
    """

    orders: tuple[LiveOrder, ...]
    absent: tuple[SentOrder, ...]
    foreign: tuple[VenueOrder, ...]


def join(
    sent: Sequence[SentOrder],
    orders: Iterable[VenueOrder],
    fills: Iterable[VenueFill],
    instruments: Sequence[Instrument],
) -> Joined:
    """Find what became of one trader's orders, by their client id, else by the venue's.

    Args:
        sent: by the journal.
        orders: by the venue; a later row of the same order replaces an earlier one.
        fills: by the venue, each told once or more.
        instruments: of the universe; an asset id is an index into it.
    """
    rows = {row.oid: row for row in sorted(orders, key=lambda row: row.status_ms)}
    named = {row.cloid.lower(): row for row in rows.values() if row.cloid is not None}
    by_oid: dict[int, dict[int, VenueFill]] = {}
    for fill in fills:
        by_oid.setdefault(fill.oid, {})[fill.tid] = fill
    found: list[LiveOrder] = []
    absent: list[SentOrder] = []
    known: set[int] = set()
    for order in sorted(sent, key=lambda order: (order.decided_ms, order.leg.place)):
        row = _row_of(order, rows, named)
        if row is None or row.oid in known or order.leg.asset >= len(instruments):
            absent.append(order)
            continue
        known.add(row.oid)
        instrument = instruments[order.leg.asset]
        own = sorted(by_oid.get(row.oid, {}).values(), key=lambda fill: (fill.time_ms, fill.tid))
        found.append(_live(order, row, own, instrument))
    foreign = tuple(row for oid, row in rows.items() if oid not in known)
    return Joined(orders=tuple(found), absent=tuple(absent), foreign=foreign)


def _row_of(
    order: SentOrder, rows: Mapping[int, VenueOrder], named: Mapping[str, VenueOrder]
) -> VenueOrder | None:
    if order.leg.cloid is not None and (row := named.get(order.leg.cloid.lower())) is not None:
        return row
    return None if order.oid is None else rows.get(order.oid)


def _live(
    order: SentOrder, row: VenueOrder, fills: Sequence[VenueFill], instrument: Instrument
) -> LiveOrder:
    leg = order.leg
    ended = row.status not in ALIVE and row.status != "filled"
    return LiveOrder(
        trader_id=order.trader_id,
        coin=instrument.coin,
        is_buy=leg.is_buy,
        size=instrument.parse_size(leg.size),
        limit_price=instrument.parse_price(leg.price),
        reduce_only=leg.reduce_only,
        tif=leg.tif,
        trigger_price=Price(
            0 if leg.trigger_price is None else instrument.parse_price(leg.trigger_price)
        ),
        trigger=leg.trigger,
        trigger_is_market=leg.trigger_is_market,
        decided_ms=order.decided_ms,
        placed_ms=row.placed_ms,
        ended_ms=row.status_ms if ended else None,
        told_ms=order.told_ms,
        oid=row.oid,
        cloid=row.cloid,
        fills=tuple(_fill(fill, instrument) for fill in fills),
        held=instrument.parse_size(fills[0].start_position) if fills else None,
    )


def _fill(fill: VenueFill, instrument: Instrument) -> ModelFill:
    return ModelFill(
        time_ms=fill.time_ms,
        price=Price(instrument.parse_price(fill.price)),
        size=Size(instrument.parse_size(fill.size)),
        fee_usd=Usd(parse_fixed(fill.fee, USD_DECIMALS)),
        is_taker=fill.is_taker,
    )


def nameless_triggers(
    trader_id: str, sent: Iterable[SentOrder], instruments: Sequence[Instrument]
) -> frozenset[tuple[int, bool, str, int]]:
    """List stops and targets that can be known by nothing but what they are.

    Their client gave them no id, and the venue answers `waitingForTrigger`, which has none either.

    Returns:
        Asset, whether it buys, `tp` or `sl`, trigger price in the instrument's units.
    """
    found = set()
    for order in sent:
        leg = order.leg
        has_name = leg.cloid is not None or order.oid is not None
        if order.trader_id != trader_id or has_name or leg.asset >= len(instruments):
            continue
        if leg.trigger is not None and leg.trigger_price is not None:
            price = instruments[leg.asset].parse_price(leg.trigger_price)
            found.add((leg.asset, leg.is_buy, str(leg.trigger), int(price)))
    return frozenset(found)


def fills_in(fills: Sequence[ModelFill]) -> tuple[Size, Usd, Usd]:
    """Add fills up: size, notional and fees, the last two in micro-USD."""
    return (
        Size(sum(fill.size for fill in fills)),
        Usd(sum(fill.price * fill.size for fill in fills)),
        Usd(sum(fill.fee_usd for fill in fills)),
    )
