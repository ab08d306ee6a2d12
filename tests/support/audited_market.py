"""What a tape and its rules say of prices, marks and costs, exactly: for the auditor."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import numpy as np

from perp_engine.rules import BarPath, FillAt, LimitFill, Rules
from perp_engine.tape import CLOSE, HIGH, LOW, OPEN, VOLUME, Tape
from suite.enums import Side
from suite.fixed import RATE_ONE
from suite.instrument import Instrument

HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Instant:
    """When something happened.

    Attributes:
        bar: whose opening boundary it was, or in whose path.
        in_path: in the path of the bar.
    """

    bar: int
    in_path: bool

    @property
    def volume_bar(self) -> int:
        """The bar to whose volume, and cap, it belongs."""
        return self.bar if self.in_path else self.bar - 1


class AuditedMarket:
    """The market of one world."""

    def __init__(self, instruments: Sequence[Instrument], tape: Tape, rules: Rules) -> None:
        self.instruments = tuple(instruments)
        self.tape = tape
        self.rules = rules
        there = tape.bars[:, VOLUME] >= 0
        places = np.where(there, np.arange(tape.length), -1)
        self._last = np.maximum.accumulate(places, axis=1)
        self._deductions = [_deductions(instrument) for instrument in self.instruments]

    # time

    def instant(self, time_ms: int) -> Instant | None:
        """When a time is; None when nothing can happen then."""
        bar, rest = divmod(time_ms - self.tape.start_ms, self.tape.interval_ms)
        if rest == 0 and 0 <= bar <= self.tape.length:
            return Instant(bar, in_path=False)
        if rest == self.tape.interval_ms - 1 and 0 <= bar < self.tape.length:
            return Instant(bar, in_path=True)
        return None

    def stamps(self, symbol: int) -> list[tuple[int, int]]:
        """Funding of a coin: time of the boundary where it is paid, and rate; the first bar's and
        what lies before it aside, where nobody can hold anything."""
        tape, table = self.tape, self.tape.funding[symbol]
        end_ms = tape.time_ms(tape.length)
        if len(table) == 0:
            first = tape.start_ms // HOUR_MS * HOUR_MS + HOUR_MS
            due = [
                (time_ms, int(self.rules.funding_rate))
                for time_ms in range(first, end_ms + 1, HOUR_MS)
            ]
        else:
            due = [(int(time_ms), int(rate)) for time_ms, rate in table]
        return [
            (tape.time_ms(tape.bar_at(time_ms)), rate)
            for time_ms, rate in due
            if tape.start_ms < time_ms <= end_ms
        ]

    # prices

    def has_bar(self, symbol: int, bar: int) -> bool:
        return 0 <= bar < self.tape.length and int(self._last[symbol, bar]) == bar

    def value(self, symbol: int, field: int, bar: int) -> int:
        return int(self.tape.bars[symbol, field, bar])

    def volume(self, symbol: int, bar: int) -> int:
        """Of a bar; 0 where there is none."""
        return self.value(symbol, VOLUME, bar) if self.has_bar(symbol, bar) else 0

    def last_bar(self, symbol: int) -> int:
        """The last bar of a coin, -1 when it has none."""
        return int(self._last[symbol, -1])

    def boundary_mark(self, symbol: int, bar: int) -> int:
        """Mark at the boundary before a bar; 0 before a coin's first bar."""
        before = int(self._last[symbol, bar - 1]) if bar > 0 else -1
        if self.has_bar(symbol, bar) and (self.rules.fill_at is FillAt.OPEN or before < 0):
            return self.value(symbol, OPEN, bar)
        return self.value(symbol, CLOSE, before) if before >= 0 else 0

    def print(self, symbol: int, bar: int) -> int:
        """Print at the boundary before a bar; 0 when there is none."""
        return self.boundary_mark(symbol, bar) if self.has_bar(symbol, bar) else 0

    def mark(self, symbol: int, at: Instant, playing: int) -> int:
        """Mark of a coin while another one is played: coins are played in the order of names."""
        played = self.instruments[symbol].coin < self.instruments[playing].coin
        if at.in_path and played and self.has_bar(symbol, at.bar):
            return self.value(symbol, CLOSE, at.bar)
        return self.boundary_mark(symbol, at.bar)

    def extent(self, symbol: int, at: Instant) -> tuple[int, int]:
        """Lowest and highest price of an instant."""
        if not at.in_path:
            price = self.print(symbol, at.bar)
            return price, price
        return self.value(symbol, LOW, at.bar), self.value(symbol, HIGH, at.bar)

    def openings(self, symbol: int, at: Instant) -> set[int]:
        """Prices to which the path jumps: the print, and the opens of finer bars."""
        if not at.in_path:
            return {self.print(symbol, at.bar)}
        opens = {self.value(symbol, OPEN, at.bar)}
        return opens | {row[OPEN] for row in self.finer(symbol, at.bar)}

    def turns(self, symbol: int, at: Instant) -> set[int]:
        """Prices at which a path begins, turns or ends."""
        rows = [*self.finer(symbol, at.bar), *self.tape.bars[symbol, :4, [at.bar]].tolist()]
        return {price for row in rows for price in row}

    def starts(self, symbol: int, at: Instant, side: Side) -> set[int]:
        """Where a stretch towards an order may begin: opens, the far extreme, closes in between."""
        extreme = HIGH if side is Side.BUY else LOW
        found = {self.value(symbol, OPEN, at.bar), self.value(symbol, extreme, at.bar)}
        for row in self.finer(symbol, at.bar):
            found |= {row[OPEN], row[extreme], row[CLOSE]}
        return found

    def finer(self, symbol: int, bar: int) -> list[list[int]]:
        """What is recorded of the path inside a bar."""
        detail = self.tape.detail
        if self.rules.bar_path is not BarPath.RECORDED or detail is None:
            return []
        first, end = (int(row) for row in detail.first[symbol, bar : bar + 2])
        found: list[list[int]] = detail.rows[first:end].tolist()
        return found

    # models

    def tick(self, symbol: int, price: int) -> int:
        return self.instruments[symbol].tick(price)

    def touch(self, symbol: int, side: Side, price: int) -> int:
        """The other side of the book around a price."""
        if self.rules.half_spread == 0:
            return price
        spread = Fraction(price * self.rules.half_spread, RATE_ONE)
        return price + side * ceil(max(spread, Fraction(self.tick(symbol, price), 2)))

    def taken(
        self, symbol: int, side: Side, price: int, *, size: int, limit: int, volume: int
    ) -> int:
        """What taking around a price costs: half spread, slippage, impact, up to a limit."""
        touch = self.touch(symbol, side, price)
        rate = int(self.rules.slippage)
        if volume > 0:
            rate += ceil(Fraction(self.rules.impact * min(size, volume), volume))
        quote = touch + side * ceil(Fraction(touch * rate, RATE_ONE))
        if limit:
            quote = min(quote, limit) if side is Side.BUY else max(quote, limit)
        return max(quote, 1)

    def level(self, symbol: int, side: Side, limit: int) -> int:
        """Price that the market must come to for a resting limit to fill."""
        beyond = self.tick(symbol, limit) if self.rules.limit_fill is LimitFill.THROUGH else 0
        return limit - side * beyond

    def cap(self, symbol: int, at: Instant) -> int | None:
        """Most that an account's resting orders may fill in a coin; None is without bound."""
        if self.rules.participation == 0:
            return None
        volume = self.volume(symbol, at.volume_bar)
        return floor(Fraction(volume * self.rules.participation, RATE_ONE))

    def fee_rates(self, volume_usd: int) -> tuple[int, int]:
        """Taker's and maker's rate at a traded notional."""
        if not self.rules.fee_tiers:
            return self.rules.taker_fee, self.rules.maker_fee
        tier = [tier for tier in self.rules.fee_tiers if tier.volume_usd <= volume_usd][-1]
        return tier.taker, tier.maker

    def maintenance(self, symbol: int, notional: int) -> int:
        """Margin below which a position is liquidated."""
        tiers = self.instruments[symbol].tiers
        at = max(i for i, tier in enumerate(tiers) if tier.lower_bound_usd <= notional)
        needed = ceil(Fraction(notional * tiers[at].maintenance, RATE_ONE))
        return needed - self._deductions[symbol][at]


def _deductions(instrument: Instrument) -> list[int]:
    found, rate = [0], instrument.tiers[0].maintenance
    for tier in instrument.tiers[1:]:
        step = Fraction(tier.lower_bound_usd * (tier.maintenance - rate), RATE_ONE)
        found.append(found[-1] + floor(step))
        rate = tier.maintenance
    return found
