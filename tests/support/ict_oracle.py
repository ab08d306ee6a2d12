"""The twelve features once more, the slow way: from the definitions, without any state.

Everything is looked up in the whole history of a bar, again for each bar asked for: swings, then
when each was broken or swept, then which zones that left. Nothing is shared with the kernel; the
numbers of the definitions are written out once more on purpose.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

Row = tuple[int, float, float, float, float, float]
NEVER = 10**9


@dataclass
class Swing:
    """An extreme, its bar, and the bars between which it is the newest of its kind."""

    at: int
    price: float
    known: int
    replaced: int = NEVER

    def lives(self, t: int) -> bool:
        return self.known <= t < self.replaced and t - self.at <= 300


@dataclass
class Zone:
    """A range of prices, known from a bar, gone with another."""

    born: int
    low: float
    high: float
    gone: int


def filled(rows: list[Row], interval_ms: int) -> list[Row]:
    """Close short holes with flat bars; keep only what follows the last long one."""
    told: list[Row] = []
    for row in rows:
        missing = (row[0] - told[-1][0]) // interval_ms - 1 if told else 0
        if missing > 60:
            told = []
        elif missing:
            close = told[-1][4]
            told += [
                (told[-1][0] + n * interval_ms, close, close, close, close, 0.0)
                for n in range(1, missing + 1)
            ]
        told.append(row)
    return told


class Oracle:
    """The last bar of some contiguous bars.

    Attributes:
        atr: USD.
        values: the twelve features.
    """

    def __init__(self, rows: list[Row], interval_ms: int) -> None:
        self.ts = [row[0] for row in rows]
        self.o, self.h, self.l, self.c, self.v = ([row[k] for row in rows] for k in range(1, 6))
        self.interval_ms, self.t = interval_ms, len(rows) - 1
        self.atr = self.range_at(self.t)
        self.highs = self.swings(self.h)
        self.lows = self.swings([-x for x in self.l])
        for swing in self.lows:
            swing.price = -swing.price
        self.broken_up = self.breaks(1, set())
        self.broken_down = self.breaks(-1, set(self.broken_up))
        self.trends = [self.trend(m) for m in (5, 15, 60)]
        self.values = [
            self.structure(),
            self.balance(self.blocks(1), self.blocks(-1), sized=False),
            self.candle(),
            self.grabbed(-1) - self.grabbed(1),
            self.flow(),
            self.balance(self.gaps(1), self.gaps(-1), sized=True),
            sum(self.trends) / 3,
            *self.place(),
        ]

    def range_at(self, t: int) -> float:
        """Mean true range of 14 bars."""
        ranges = [
            max(
                self.h[j] - self.l[j],
                abs(self.h[j] - self.c[j - 1]) if j else 0.0,
                abs(self.l[j] - self.c[j - 1]) if j else 0.0,
            )
            for j in range(max(0, t - 13), t + 1)
        ]
        return max(sum(ranges) / len(ranges), 0.00005 * self.c[t])

    def swings(self, x: list[float]) -> list[Swing]:
        """Bars higher than the five before and not lower than the five after."""
        found = [
            Swing(q, x[q], q + 5)
            for q in range(5, self.t - 4)
            if x[q] > max(x[q - 5 : q]) and x[q] >= max(x[q + 1 : q + 6])
        ]
        for older, newer in pairwise(found):
            older.replaced = newer.known
        return found

    def breaks(self, side: int, taken: set[int]) -> dict[int, Swing]:
        """Bars that closed beyond a living swing, first each; `taken` broke the other way."""
        found = {}
        for swing in self.highs if side > 0 else self.lows:
            for j in range(swing.known, min(swing.replaced, swing.at + 301, self.t + 1)):
                if side * (self.c[j] - swing.price) > 0 and j not in taken:
                    found[j] = swing
                    break
        return found

    def all_breaks(self) -> list[tuple[int, int]]:
        return sorted([(j, 1) for j in self.broken_up] + [(j, -1) for j in self.broken_down])

    def structure(self) -> float:
        """The last break: a continuation counts double."""
        breaks = self.all_breaks()
        if not breaks or self.t - breaks[-1][0] > 500:
            return 0.0
        last, side = breaks[-1]
        continues = len(breaks) > 1 and breaks[-2][1] == side and last - breaks[-2][0] <= 500
        return side * (1.0 if continues else 0.5)

    def crowd(self, zones: list[Zone]) -> list[Zone]:
        """Of more than eight at a time the oldest goes."""
        for n, zone in enumerate(zones):
            living = [z for z in zones[:n] if z.gone > zone.born]
            for z in living[: max(0, len(living) - 7)]:
                z.gone = zone.born
        return [z for z in zones if z.gone > self.t]

    def blocks(self, side: int) -> list[Zone]:
        """The last candle against each break, until a close beyond it or 300 bars."""
        zones = []
        for born in sorted(self.broken_up if side > 0 else self.broken_down):
            for j in range(born - 1, max(-1, born - 21), -1):
                if side * (self.c[j] - self.o[j]) < 0:
                    low, high = self.l[j], self.h[j]
                    beyond = [
                        k
                        for k in range(born + 1, min(born + 301, self.t + 1))
                        if ((self.c[k] < low) if side > 0 else (self.c[k] > high))
                    ]
                    zones.append(Zone(born, low, high, beyond[0] if beyond else born + 301))
                    break
        return self.crowd(zones)

    def gaps(self, side: int) -> list[Zone]:
        """Three bars whose outer two do not meet, until filled or 200 bars."""
        zones = []
        for t in range(2, self.t + 1):
            low, high = (self.h[t - 2], self.l[t]) if side > 0 else (self.h[t], self.l[t - 2])
            body = self.c[t - 1] - self.o[t - 1]
            if side * body <= 0 or high <= low:
                continue
            atr = self.range_at(t)
            if not high - low - 0.1 * atr > 1e-9 * atr:
                continue
            zone = Zone(t, low, high, t + 201)
            for k in range(t + 1, min(t + 201, self.t + 1)):
                if side > 0:
                    zone.high = min(zone.high, self.l[k])
                else:
                    zone.low = max(zone.low, self.h[k])
                if zone.high <= zone.low:
                    zone.gone = k
                    break
            zones.append(zone)
        return self.crowd(zones)

    def balance(self, bull: list[Zone], bear: list[Zone], *, sized: bool) -> float:
        c, a = self.c[self.t], self.atr
        sums = []
        for zones in (bull, bear):
            weights = []
            for zone in zones:
                inside = zone.low <= c <= zone.high
                distance = 0.0 if inside else min(abs(c - zone.low), abs(c - zone.high))
                size = (zone.high - zone.low) / a if sized else 1.0
                weights.append(size / (1 + distance / a))
            sums.append(sum(weights))
        return (sums[0] - sums[1]) / (1 + sums[0] + sums[1])

    def volume(self) -> float:
        """Logarithm of the relative volume."""
        before = self.v[max(0, self.t - 60) : self.t]
        mean = sum(before) / len(before) if before else 0.0
        ratio = self.v[self.t] / mean if mean else 1.0
        return -5.0 if ratio <= 1 / 32 else math.log2(ratio)

    def candle(self) -> float:
        body = self.c[self.t] - self.o[self.t]
        size = min(1.0, abs(body) / (1.5 * self.atr))
        return math.copysign(1.0, body) * size * min(1.0, max(0.0, self.volume() / 3))

    def grabbed(self, side: int) -> float:
        """The last sweep of a high (1) or low (-1) and what is left of it."""
        x, other = (self.h, self.l) if side > 0 else (self.l, self.h)
        broken = self.broken_up if side > 0 else self.broken_down
        last, strength = -NEVER, 0.0
        for swing in self.highs if side > 0 else self.lows:
            breaks = [j for j, s in broken.items() if s is swing]
            end = min(swing.replaced, swing.at + 301, self.t + 1, *breaks)
            for j in range(swing.known, end):
                if side * (x[j] - swing.price) > 0 and side * (swing.price - self.c[j]) > 0:
                    depth = min(1.0, abs(x[j] - swing.price) / self.range_at(j))
                    back = abs(x[j] - self.c[j]) / abs(x[j] - other[j])
                    last, strength = j, (depth + back) / 2
                    break
        age = self.t - last
        return strength * (1 - age / 20) if age < 20 else 0.0

    def flow(self) -> float:
        window = range(max(0, self.t - 19), self.t + 1)
        told = [
            ((self.c[j] - self.l[j]) - (self.h[j] - self.c[j])) / (self.h[j] - self.l[j])
            if self.h[j] > self.l[j]
            else 0.0
            for j in window
        ]
        volumes = [self.v[j] for j in window]
        total = sum(volumes)
        return sum(x * v for x, v in zip(told, volumes, strict=True)) / total if total else 0.0

    def trend(self, m: int) -> float:
        """The last close of a time frame against the mean of twenty."""
        closes = [
            self.c[j] for j in range(self.t + 1) if (self.ts[j] // self.interval_ms + 1) % m == 0
        ][-20:]
        if len(closes) < 20:
            return 0.0
        reach = 3 * self.atr * math.sqrt(m)
        return max(-1.0, min(1.0, (closes[-1] - sum(closes) / 20) / reach))

    def place(self) -> tuple[float, ...]:
        """Features 7 to 11: between which swings the price is, and the rest."""
        span, position, votes = 0.0, 0.0, 0
        highs, lows = self.highs, self.lows
        if highs and lows and highs[-1].lives(self.t) and lows[-1].lives(self.t):
            width = highs[-1].price - lows[-1].price
            if width > 0:
                span = min(1.0, width / (20 * self.atr))
                position = (2 * (self.c[self.t] - lows[-1].price) / width - 1) / 2
        for kind in (highs, lows):
            for newer, older in ((-1, -2), (-2, -3)):
                if len(kind) >= -older and self.t - kind[older].at <= 300:
                    change = kind[newer].price - kind[older].price
                    votes += (change > 0) - (change < 0)
        return (
            span,
            votes / 4,
            max(-1.0, min(1.0, self.volume() / 5)),
            1 - (max(self.trends) - min(self.trends)) / 2,
            max(-1.0, min(1.0, position)),
        )
