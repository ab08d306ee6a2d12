"""Which resting quotes stay, which move, which are taken away.

A quote is left alone while its price, its size and its age are all within tolerance: what is moved
without need loses its place in the queue and spends the venue's action budget.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import zip_longest

from strategy_core.quoting.prices import Market, Quote
from suite.contracts.hyperliquid_info import OpenOrder
from suite.contracts.venue import Action, CancelOrder, LimitType, ModifyOrder, OrderType, PlaceOrder
from suite.enums import Tif
from suite.fixed import parse_decimal

POST_ONLY = OrderType(limit=LimitType(tif=Tif.ALO))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far a resting quote may be off.

    Attributes:
        price: in half-spreads; a tick is always tolerated.
        size: as a fraction of the resting size.
        age_ms: how long it may rest untouched.
    """

    price: Decimal
    size: Decimal
    age_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resting:
    """One own quote at the venue.

    Attributes:
        placed_ms: since when it has stood at this price.
    """

    oid: int
    is_buy: bool
    price: Decimal
    size: Decimal
    placed_ms: int

    @classmethod
    def read(cls, order: OpenOrder) -> "Resting":
        """Read an open order as the venue tells it."""
        return cls(
            oid=order.oid,
            is_buy=order.side == "B",
            price=parse_decimal(order.limitPx),
            size=parse_decimal(order.sz),
            placed_ms=order.timestamp,
        )

    def crossed_by(self, mid: Decimal) -> bool:
        """Whether the mid has reached it: whoever trades with it now knows more than it does."""
        return self.price >= mid if self.is_buy else self.price <= mid


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Actions of one side of one coin: what is taken away, and what is placed or moved."""

    cancels: tuple[Action, ...]
    moves: tuple[Action, ...]
    kept: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Compares what rests in one coin with what is wanted.

    Attributes:
        half: half-spread now, a fraction.
        least: half-spread that covers cost; a quote nearer to the mid than both this and the wanted
            one is stale, however small the difference.
        now_ms: the venue's time.
    """

    market: Market
    half: Decimal
    least: Decimal
    tolerance: Tolerance
    now_ms: int

    def keeps(self, resting: Resting, wanted: Quote) -> bool:
        """Whether a resting quote is good enough to be left alone."""
        market, tolerance = self.market, self.tolerance
        allowed = max(market.tick, tolerance.price * self.half * resting.price)
        if abs(wanted.price - resting.price) > allowed:
            return False
        if abs(wanted.size - resting.size) > tolerance.size * resting.size:
            return False
        if self.now_ms - resting.placed_ms > tolerance.age_ms:
            return False
        sign = 1 if resting.is_buy else -1
        distance, intended = (sign * (market.mid - p) for p in (resting.price, wanted.price))
        return distance >= min(self.least * market.mid, intended)

    def changes(
        self, resting: Sequence[Resting], wanted: Sequence[Quote], *, is_buy: bool, movable: bool
    ) -> Changes:
        """Bring one side from what rests to what is wanted.

        Args:
            resting: own quotes of the side, the nearest to the mid first.
            wanted: quotes of the side, the nearest first.
            is_buy: which side.
            movable: nothing forbids new or moved orders now; taking away is never forbidden.
        """
        coin = self.market.instrument.coin
        cancels: list[Action] = []
        moves: list[Action] = []
        kept = 0
        for order, quote in zip_longest(resting, wanted[: len(resting)]):
            if quote is None or order.crossed_by(self.market.mid):
                cancels.append(CancelOrder(coin=coin, oid=order.oid))
                # a refused modification would leave it standing: it is taken away first
                if quote is not None and movable:
                    moves.append(place(coin, quote, is_buy=is_buy))
            elif not movable or self.keeps(order, quote):
                kept += 1
            else:
                moves.append(modify(coin, order, quote))
        if movable:
            moves.extend(place(coin, quote, is_buy=is_buy) for quote in wanted[len(resting) :])
        return Changes(cancels=tuple(cancels), moves=tuple(moves), kept=kept)


def place(coin: str, quote: Quote, *, is_buy: bool) -> PlaceOrder:
    """Offer a quote, post-only."""
    return PlaceOrder(
        coin=coin, is_buy=is_buy, sz=quote.size, limit_px=quote.price, order_type=POST_ONLY
    )


def modify(coin: str, order: Resting, quote: Quote) -> ModifyOrder:
    """Move a quote, post-only."""
    return ModifyOrder(
        coin=coin,
        is_buy=order.is_buy,
        sz=quote.size,
        limit_px=quote.price,
        oid=order.oid,
        order_type=POST_ONLY,
    )
