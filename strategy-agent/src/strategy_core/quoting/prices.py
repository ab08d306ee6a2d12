"""Where a market maker's quotes stand, and how large they are.

All of it is exact: prices and sizes are decimals on the venue's lattice, distances are fractions of
the mid. With `q` the inventory, `q*` the one that is wanted and `q_max` the largest:

    half   = max(spread / 2, maker_fee + adverse + tick / (2 * mid), volatility_factor * atr / mid)
    shift  = -skew * clip((q - q*) / q_max, -1, 1) * half
    r      = mid * (1 + shift + lean)
    bid    = tick_floor(min(r * (1 - half), best_ask - tick))
    ask    = tick_ceil (max(r * (1 + half), best_bid + tick))
    bid_sz = lot_floor(base * clip(1 - (q - q*) / q_max, 0, 1))
    ask_sz = lot_floor(base * clip(1 + (q - q*) / q_max, 0, 1))

Level i stands at `half * (1 + i * level_step)` with `base * level_decay ** i`; all levels of a side
together never lead beyond `q_max`.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from strategy_core.lattice import round_price_down, round_price_up, round_size_down, tick_at
from strategy_core.port import ZERO
from strategy_core.sizing.targets import MIN_NOTIONAL
from suite.instrument import Instrument

ONE = Decimal(1)
TWO = Decimal(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a maker asks for, as fractions where no unit is named.

    Attributes:
        spread: full width between bid and ask.
        maker_fee: of notional; negative is a rebate.
        adverse: how far the price is expected to go against a fill, a side.
        skew: how far a full inventory moves the quotes, in half-spreads; 0 to 1.
        levels: quotes a side.
        level_step: distance of the next level, in half-spreads.
        level_decay: size of the next level over that of the one before.
        volatility_factor: half-spreads of at least this many average true ranges; 0 for none.
    """

    spread: Decimal
    maker_fee: Decimal
    adverse: Decimal
    skew: Decimal = ONE
    levels: int = 1
    level_step: Decimal = ONE
    level_decay: Decimal = ONE
    volatility_factor: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One coin's market as a quote is made from it, USD.

    Attributes:
        bid, ask: best prices of the others; the mid where they are unknown, which is on the safe
            side: the quotes then keep a tick from the mid itself.
        atr: average true range, 0 when unknown.
        tick: distance between valid prices around the mid.
    """

    instrument: Instrument
    mid: Decimal
    bid: Decimal
    ask: Decimal
    atr: Decimal = ZERO
    tick: Decimal = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tick", tick_at(self.instrument, self.mid))


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What is held, what is wanted and what is allowed, units of the coin; long is positive.

    Attributes:
        limit: largest absolute size, positive.
    """

    size: Decimal
    limit: Decimal
    target: Decimal = ZERO

    @property
    def excess(self) -> Decimal:
        """Inventory beyond the wanted one over the limit, -1 to 1."""
        return clip((self.size - self.target) / self.limit, -ONE, ONE)


@dataclass(frozen=True, slots=True)
class Quote:
    """One order that shall rest."""

    price: Decimal
    size: Decimal


@dataclass(frozen=True, slots=True)
class Quotes:
    """All orders of one coin that shall rest, the nearest to the mid first."""

    bids: tuple[Quote, ...]
    asks: tuple[Quote, ...]

    def side(self, *, is_buy: bool) -> tuple[Quote, ...]:
        """Those of one side."""
        return self.bids if is_buy else self.asks


def clip(value: Decimal, low: Decimal, high: Decimal) -> Decimal:
    """Bring a value into a range."""
    return min(max(value, low), high)


def least_spread(*, maker_fee: Decimal, adverse: Decimal) -> Decimal:
    """Width below which a round trip costs more than it earns."""
    return TWO * (maker_fee + adverse)


def cost_of_side(terms: Terms, market: Market) -> Decimal:
    """Smallest half-spread that pays for a fill, its adverse move and the rounding to a tick."""
    return max(ZERO, terms.maker_fee + terms.adverse) + market.tick / market.mid / TWO


def half_spread(terms: Terms, market: Market) -> Decimal:
    """Distance of the first level from the reservation price, as a fraction."""
    volatility = terms.volatility_factor * market.atr / market.mid
    return max(terms.spread / TWO, cost_of_side(terms, market), volatility)


def quotes_of(
    terms: Terms,
    market: Market,
    inventory: Inventory,
    *,
    base: Decimal,
    lean: Decimal = ZERO,
) -> Quotes:
    """Make all quotes of one coin.

    Args:
        terms: of the maker.
        market: of the coin.
        inventory: in it.
        base: size of the first level without inventory, units of the coin, any precision.
        lean: moves both sides, a fraction of the mid; positive is up.

    Returns:
        Bids below asks; a quote that the venue's smallest order forbids is left out.
    """
    half = half_spread(terms, market)
    center = market.mid * (ONE - terms.skew * inventory.excess * half + lean)
    return Quotes(
        _side(terms, market, inventory, base=base, half=half, center=center, is_buy=True),
        _side(terms, market, inventory, base=base, half=half, center=center, is_buy=False),
    )


def _side(
    terms: Terms,
    market: Market,
    inventory: Inventory,
    *,
    base: Decimal,
    half: Decimal,
    center: Decimal,
    is_buy: bool,
) -> tuple[Quote, ...]:
    """Quotes of one side."""
    sign = ONE if is_buy else -ONE
    share = clip(ONE - sign * inventory.excess, ZERO, ONE)
    room = max(ZERO, inventory.limit - sign * inventory.size)
    made: list[Quote] = []
    for level in range(terms.levels):
        distance = half * (ONE + level * terms.level_step)
        price = _price(market, center * (ONE - sign * distance), made, is_buy=is_buy)
        wanted = min(base * share * terms.level_decay**level, room)
        size = round_size_down(market.instrument, wanted)
        if price <= 0 or size <= 0 or size * price < MIN_NOTIONAL:
            break
        room -= size
        made.append(Quote(price, size))
    return tuple(made)


def _price(market: Market, wanted: Decimal, before: list[Quote], *, is_buy: bool) -> Decimal:
    """Price of a level: on the grid, a tick inside the other side's best, beyond the last level."""
    if is_buy:
        most = before[-1].price if before else market.ask
        return round_price_down(market.instrument, min(wanted, most - market.tick))
    least = before[-1].price if before else market.bid
    return round_price_up(market.instrument, max(wanted, least + market.tick))
