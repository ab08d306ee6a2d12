"""Orders that take a position down: small, reduce-only, and never far from the mid."""

from collections.abc import Iterable
from dataclasses import dataclass

from hyperliquid_exchange.domain.facts import RestingOrder
from suite.contracts.hyperliquid_exchange import Kind, LimitKind, OrderItem
from suite.fixed import RATE_ONE, Price, Rate, Size, Usd
from suite.instrument import Instrument


@dataclass(frozen=True, slots=True, kw_only=True)
class FlattenRules:
    """How a position is closed.

    Attributes:
        collar: how far beyond the mid an order may go, 10^-9 of it.
        slice_usd: the most that one order is worth, micro-USD.
        rounds: how many orders a coin gets before a person has to look.
        pause_s: between two of them.
    """

    collar: Rate = Rate(20_000_000)
    slice_usd: Usd = Usd(10_000_000_000)
    rounds: int = 50
    pause_s: float = 1.0


def adds_risk(order: RestingOrder) -> bool:
    """Whether an order that rests may make a position larger."""
    return not order.reduce_only


def entries(orders: Iterable[RestingOrder]) -> tuple[RestingOrder, ...]:
    """List the orders that a kill cancels: stops and targets stay until the account is flat."""
    return tuple(order for order in orders if adds_risk(order))


def slice_of(
    asset: int, position: Size, mid: Price, instrument: Instrument, rules: FlattenRules
) -> OrderItem:
    """Make the next order that takes a position down.

    Args:
        asset: of it.
        position: signed, not 0.
        mid: in the instrument's units, positive.
        instrument: its lattice.
        rules: see there.

    Returns:
        Reduce-only, filled now or canceled, at most `collar` beyond the mid.
    """
    is_buy = position < 0
    size = min(abs(position), max(1, rules.slice_usd // mid))
    return OrderItem(
        a=asset,
        b=is_buy,
        p=_plain(instrument.format_price(collared(mid, instrument, rules.collar, is_buy=is_buy))),
        s=_plain(instrument.format_size(size)),
        r=True,
        t=Kind(limit=LimitKind(tif="Ioc")),
    )


def collared(mid: Price, instrument: Instrument, collar: Rate, *, is_buy: bool) -> Price:
    """Find the farthest valid price that is within a collar of the mid.

    Args:
        mid: in the instrument's units.
        instrument: its lattice.
        collar: 10^-9 of the mid.
        is_buy: above the mid for a buy, below for a sell.
    """
    if is_buy:
        most = mid + mid * collar // RATE_ONE
        return Price(max(1, most // instrument.tick(most) * instrument.tick(most)))
    least = mid - mid * collar // RATE_ONE
    tick = instrument.tick(least)
    return Price(max(1, -(-least // tick) * tick))


def _plain(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
