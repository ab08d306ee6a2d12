"""Stored klines, the pure part: where bars come from, gaps, merging, and what a record says.

The files are `suite.service.kline_store`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from suite.bars import F64, I64, INTERVAL_MS, Bars
from suite.fixed import RATE_DECIMALS, USD_DECIMALS, Rate, Usd, format_fixed, parse_fixed
from suite.instrument import Instrument, MarginTier, default_instrument

COLUMNS: Final = ("open_time_ms", "open", "high", "low", "close", "volume")
"""Columns of a kline file, in their order."""

SYNTHETIC_VENUE: Final = "synthetic"

UNKNOWN: Final = "unknown"
VENUE_HAS_NONE: Final = "venue has none"
"""Reason of a gap for which the venue was asked; how it came about may follow."""
"""Why bars are missing, where nobody has found out."""

_PART = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """One market of one venue: bars of two sources are never mixed.

    Attributes:
        venue: `binance-usdm`, `synthetic`; lower case, digits, `-`, `_` and `.`.
        market: `perp` or `spot`.
    """

    venue: str
    market: str = "perp"

    def __post_init__(self) -> None:
        for part in (self.venue, self.market):
            if _PART.fullmatch(part) is None:
                raise ValueError(f"not a venue or market name: {part[:40]!r}")

    def __str__(self) -> str:
        return f"{self.venue}/{self.market}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `venue/market` or `venue`.

        Raises:
            ValueError: it is neither.
        """
        venue, _, market = text.partition("/")
        return cls(venue, market or "perp")

    @property
    def rank(self) -> tuple[bool, bool, str, str]:
        """Order in which a source is preferred: generated data last, perpetuals first, then A-Z."""
        return self.venue == SYNTHETIC_VENUE, self.market != "perp", self.venue, self.market


@dataclass(frozen=True, slots=True)
class Gap:
    """Bars that are missing: open times in [start_ms, end_ms).

    Attributes:
        reason: why, where somebody found out: `outage`, `venue has none`, `refused`.
        asked_ms: when the source was last asked for them.
    """

    start_ms: int
    end_ms: int
    reason: str = UNKNOWN
    asked_ms: int | None = None

    def bars(self, interval_ms: int) -> int:
        """How many are missing."""
        return (self.end_ms - self.start_ms) // interval_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What is stored of one coin and interval.

    Attributes:
        first_open_ms: open time of the first bar.
        end_ms: close time of the last bar, exclusive.
        bars: how many are stored.
        gaps: what is missing between them, each with the reason that is known of it.
        outside: what was asked for before the first or after the last of them, and is not there.
    """

    source: Source
    interval: str
    first_open_ms: int
    end_ms: int
    bars: int
    gaps: tuple[Gap, ...]
    outside: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteResult:
    """What a write changed.

    Attributes:
        added: rows that were not stored before.
        same: rows that were stored already, with equal values.
        revised: rows that were stored with other values; the old ones are kept as a revision.
    """

    added: int = 0
    same: int = 0
    revised: int = 0

    def __add__(self, other: "WriteResult") -> "WriteResult":
        return WriteResult(
            added=self.added + other.added,
            same=self.same + other.same,
            revised=self.revised + other.revised,
        )


@dataclass(frozen=True, slots=True)
class Merge:
    """Two sets of bars made one.

    Attributes:
        bars: the union; where both have a bar, the new one.
        replaced, replacing: bars that differ, as they were and as they are now.
        result: the counts.
    """

    bars: Bars
    replaced: Bars
    replacing: Bars
    result: WriteResult


def interval_name(interval_ms: int) -> str:
    """Name an interval: `1m`.

    Raises:
        ValueError: the suite knows no such interval.
    """
    for name, length in INTERVAL_MS.items():
        if length == interval_ms:
            return name
    raise ValueError(f"no interval of {interval_ms} ms; there are {', '.join(INTERVAL_MS)}")


def gaps_of(open_time_ms: I64, interval_ms: int) -> tuple[Gap, ...]:
    """List what is missing between bars.

    Args:
        open_time_ms: shape (n,), strictly rising multiples of the interval.
        interval_ms: length of a bar.
    """
    before = np.flatnonzero(np.diff(open_time_ms) > interval_ms)
    starts = open_time_ms[before] + interval_ms
    ends = open_time_ms[before + 1]
    return tuple(Gap(int(start), int(end)) for start, end in zip(starts, ends, strict=True))


def bars_of(interval_ms: int, columns: Mapping[str, Any]) -> Bars:
    """Make bars of columns by name, which are copied only where their type differs."""
    times = np.asarray(columns["open_time_ms"], np.int64)
    return Bars(
        interval_ms, times, *(np.asarray(columns[name], np.float64) for name in COLUMNS[1:])
    )


def empty_bars(interval_ms: int) -> Bars:
    """No bars."""
    return bars_of(interval_ms, dict.fromkeys(COLUMNS, ()))


def concat_bars(parts: Iterable[Bars], interval_ms: int) -> Bars:
    """Put bars one behind the other; the parts follow each other in time."""
    parts = list(parts)
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return empty_bars(interval_ms)
    return bars_of(
        interval_ms, {name: np.concatenate([getattr(p, name) for p in parts]) for name in COLUMNS}
    )


def take_bars(bars: Bars, index: Any) -> Bars:
    """Choose rows by a mask or an index array."""
    return bars_of(bars.interval_ms, {name: getattr(bars, name)[index] for name in COLUMNS})


def bars_equal(left: Bars, right: Bars) -> bool:
    """Whether two sets of bars are the same in every value."""
    return left.interval_ms == right.interval_ms and all(
        np.array_equal(getattr(left, name), getattr(right, name)) for name in COLUMNS
    )


def merge_bars(old: Bars, new: Bars) -> Merge:
    """Unite stored bars with new ones.

    Args:
        old: stored, strictly rising.
        new: strictly rising, same interval.
    """
    _, in_old, in_new = np.intersect1d(
        old.open_time_ms, new.open_time_ms, assume_unique=True, return_indices=True
    )
    differs = np.zeros(len(in_old), bool)
    for name in COLUMNS[1:]:
        differs |= getattr(old, name)[in_old] != getattr(new, name)[in_new]
    kept = np.ones(len(old), bool)
    kept[in_old] = False
    united = concat_bars([take_bars(old, kept), new], new.interval_ms)
    order = np.argsort(united.open_time_ms, kind="stable")
    return Merge(
        bars=take_bars(united, order),
        replaced=take_bars(old, in_old[differs]),
        replacing=take_bars(new, in_new[differs]),
        result=WriteResult(
            added=len(new) - len(in_new),
            same=int(len(in_new) - differs.sum()),
            revised=int(differs.sum()),
        ),
    )


def merge_funding(
    old: tuple[I64, F64], new: tuple[I64, F64]
) -> tuple[tuple[I64, F64], WriteResult]:
    """Unite rising series of (time_ms, value); where both have a stamp, the new one."""
    times, rates = (np.concatenate([old[i], new[i]]) for i in (0, 1))
    order = np.argsort(times, kind="stable")
    times, rates = times[order], rates[order]
    last = np.append(times[1:] != times[:-1], True)[: len(times)]
    both, in_old, in_new = np.intersect1d(old[0], new[0], return_indices=True)
    revised = int((old[1][in_old] != new[1][in_new]).sum())
    result = WriteResult(added=len(new[0]) - len(both), same=len(both) - revised, revised=revised)
    return (times[last], rates[last]), result


def replaced_in(old: tuple[I64, F64], new: tuple[I64, F64]) -> tuple[I64, F64]:
    """Rows of an old series of (time_ms, value) that a new one gives another value."""
    _, in_old, in_new = np.intersect1d(old[0], new[0], return_indices=True)
    rows = in_old[old[1][in_old] != new[1][in_new]]
    return old[0][rows], old[1][rows]


INSTRUMENT_FIELDS = ("price_decimals", "sz_decimals", "max_leverage", "leverage_brackets")
"""Fields of a record that `instrument_of` reads; all others say where data came from."""


def instrument_of(record: Mapping[str, Any] | None, coin: str) -> Instrument:
    """Build the instrument of a coin from what the store says about it.

    Size decimals are the record's `sz_decimals`, else the shipped table's for known coins, else
    derived from the decimals seen in the coin's prices. Tiers are the imported brackets, to the
    unit; else one of the record's `max_leverage`, else the shipped ones for known coins, else one
    of a low leverage. A record that has both brackets and `max_leverage` is bounded by the latter.

    Args:
        record: as `KlineStore.record` returns it.
        coin: as `suite.instrument.coin_of` names it.

    Raises:
        ValueError: the record holds a bracket that is none.
    """
    record = record or {}
    base = default_instrument(coin, int(record.get("price_decimals") or 0))
    sz_decimals = int(record.get("sz_decimals", base.sz_decimals))
    brackets, highest = record.get("leverage_brackets"), record.get("max_leverage")
    tiers = base.tiers
    if brackets:
        tiers = tuple(_tier_of(bracket, highest) for bracket in brackets)
    elif highest:
        tiers = (MarginTier(lower_bound_usd=Usd(0), max_leverage=highest),)
    return Instrument(coin=coin, sz_decimals=sz_decimals, tiers=tiers)


def brackets_of(tiers: Iterable[MarginTier]) -> list[dict[str, Any]]:
    """Write margin tiers as a record holds them: USD and a fraction, as decimal text."""
    return [
        {
            "min_notional": format_fixed(tier.lower_bound_usd, USD_DECIMALS),
            "maint_margin_rate": format_fixed(tier.maintenance, RATE_DECIMALS),
            "max_leverage": tier.max_leverage,
        }
        for tier in tiers
    ]


def _tier_of(bracket: Mapping[str, Any], highest: int | None) -> MarginTier:
    leverage = parse_fixed(str(bracket["max_leverage"]), 0)
    return MarginTier(
        lower_bound_usd=Usd(parse_fixed(str(bracket["min_notional"]), USD_DECIMALS)),
        max_leverage=min(leverage, highest or leverage),
        maintenance_rate=Rate(parse_fixed(str(bracket["maint_margin_rate"]), RATE_DECIMALS)),
    )
