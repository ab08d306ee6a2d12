"""What the market shows: bars, marks, prints, and the price a taker gets."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from tests.support.oracle.exact import RATE, down, share, up

from perp_engine.rules import Rules
from perp_engine.tape import CLOSE, HIGH, LOW, NO_BAR, OPEN, VOLUME, Tape
from suite.instrument import Instrument, MarginTier

HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Scene:
    """Where trades happen now: at the boundary before a bar, or in its path.

    Attributes:
        bar: the bar that is played, or is about to be.
        in_path: whether it is played.
    """

    bar: int
    in_path: bool

    @property
    def volume_bar(self) -> int:
        """The bar whose volume is known to bound what happens here."""
        return self.bar if self.in_path else self.bar - 1


class Market:
    """The tape, and what is known of it now.

    Attributes:
        marks: per symbol; in a path the price it has come to.
        prints: per symbol, of the present boundary; 0 where the tape has no bar.
        names: symbols in the order of their coins' names.
    """

    def __init__(self, instruments: Sequence[Instrument], tape: Tape, rules: Rules) -> None:
        self.instruments = tuple(instruments)
        self.tape = tape
        self.rules = rules
        self.marks = [0] * tape.symbols
        self.prints = [0] * tape.symbols
        self.delisted: set[int] = set()
        self.names = sorted(range(tape.symbols), key=lambda symbol: self.instruments[symbol].coin)
        self.last_bar = [
            max((b for b in range(tape.length) if self.has_bar(s, b)), default=-1)
            for s in range(tape.symbols)
        ]

    def has_bar(self, symbol: int, bar: int) -> bool:
        if not 0 <= bar < self.tape.length:
            return False
        return int(self.tape.bars[symbol, VOLUME, bar]) != NO_BAR

    def value(self, symbol: int, field: int, bar: int) -> int:
        return int(self.tape.bars[symbol, field, bar])

    def open(self, symbol: int, bar: int) -> int:
        return self.value(symbol, OPEN, bar)

    def close(self, symbol: int, bar: int) -> int:
        return self.value(symbol, CLOSE, bar)

    def low(self, symbol: int, bar: int) -> int:
        return self.value(symbol, LOW, bar)

    def high(self, symbol: int, bar: int) -> int:
        return self.value(symbol, HIGH, bar)

    def volume(self, symbol: int, bar: int) -> int:
        """Of a bar; 0 where there is none."""
        return self.value(symbol, VOLUME, bar) if self.has_bar(symbol, bar) else 0

    def tick(self, symbol: int, price: int) -> int:
        """Five significant figures, but never coarser than a dollar."""
        coarse = max(0, len(str(price)) - 5)
        dollar = 6 - self.instruments[symbol].sz_decimals
        return int(10 ** min(coarse, dollar))

    def can_trade(self, symbol: int, scene: Scene) -> bool:
        """Whether the coin has a bar to trade in, or a print at the boundary."""
        return self.has_bar(symbol, scene.bar) if scene.in_path else self.prints[symbol] > 0

    def touch(self, symbol: int, side: int) -> int:
        """The best price on the other side of the book around the mark."""
        base = self.marks[symbol]
        if self.rules.half_spread == 0:
            return base
        spread = max(base * share(self.rules.half_spread), Fraction(self.tick(symbol, base), 2))
        return base + side * up(spread)

    def within_bar(self, symbol: int, price: int, scene: Scene) -> int:
        if not scene.in_path:
            return price
        low, high = self.low(symbol, scene.bar), self.high(symbol, scene.bar)
        return min(max(price, low), high)

    def reachable(self, symbol: int, side: int, limit: int, scene: Scene) -> bool:
        """Whether an order of this limit (0 is none) would trade at once."""
        if not self.can_trade(symbol, scene):
            return False
        touch = self.within_bar(symbol, self.touch(symbol, side), scene)
        return limit == 0 or side * limit >= side * touch

    def quote(self, symbol: int, side: int, size: int, limit: int, scene: Scene) -> int:
        """The price at which a taker trades."""
        touch = self.touch(symbol, side)
        volume = self.volume(symbol, scene.volume_bar)
        rate = int(self.rules.slippage)
        if volume > 0:
            rate += up(Fraction(self.rules.impact * min(size, volume), volume))
        slippage = up(touch * share(rate))
        price = self.within_bar(symbol, touch + side * slippage, scene)
        if limit:
            price = min(price, limit) if side > 0 else max(price, limit)
        return max(price, 1)

    def funding_due(self, symbol: int, bar: int) -> list[int]:
        """Rates whose stamps fall after the boundary before, up to this one."""
        if bar == 0:
            return []
        since, now = self.tape.time_ms(bar - 1), self.tape.time_ms(bar)
        table = self.tape.funding[symbol]
        if len(table):
            return [int(rate) for time, rate in table if since < time <= now]
        return [self.rules.funding_rate] * (now // HOUR_MS - since // HOUR_MS)

    def tier(self, symbol: int, notional: int) -> int:
        tiers = self.instruments[symbol].tiers
        return max(i for i, tier in enumerate(tiers) if tier.lower_bound_usd <= notional)

    def highest_leverage(self, symbol: int, notional: int) -> int:
        """What the tier of a notional allows."""
        return self.instruments[symbol].tiers[self.tier(symbol, notional)].max_leverage

    def maintenance(self, symbol: int, size: int, mark: int) -> int:
        """Margin below which a position of this size is liquidated."""
        notional = abs(size) * mark
        tier = self.tier(symbol, notional)
        tiers = self.instruments[symbol].tiers
        return up(notional * share(_rate(tiers[tier]))) - self.deduction(symbol, tier)

    def deduction(self, symbol: int, tier: int) -> int:
        """What makes the maintenance continuous where a tier begins."""
        tiers = self.instruments[symbol].tiers
        return sum(
            down(here.lower_bound_usd * share(_rate(here) - _rate(below)))
            for below, here in pairwise(tiers[: tier + 1])
        )


def _rate(tier: MarginTier) -> int:
    if tier.maintenance_rate is not None:
        return tier.maintenance_rate
    return RATE // (2 * tier.max_leverage)
