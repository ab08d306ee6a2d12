"""From rows as published to bars and funding that can be stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from data_collector.domain.epochs import to_epoch_ms
from data_collector.domain.findings import MOST_REJECTED, Findings, NotUnderstood, Rejected
from suite.bars import F64, I64, INTERVAL_MS, Bars
from suite.instrument import KNOWN, default_instrument
from suite.klines import COLUMNS, bars_of, gaps_of, interval_name, take_bars

MOST_DECIMALS = 10

Rows = Mapping[str, NDArray[Any]]
"""Columns of a file by our names: `time`, `open`, `high`, `low`, `close`, `volume` or `rate`."""

_REASONS: Final = {
    "not_positive": "a price is not a positive number, or the volume is not a number from 0 up",
    "off_grid": "the time is not a multiple of the interval",
    "ohlc_violations": "high or low is not the highest or lowest price",
}
"""Bars that have not closed yet are left out too, but there is nothing wrong with them."""
_CONTRADICTED: Final = "a later row of the same time says otherwise"


@dataclass(frozen=True, slots=True)
class FileRows:
    """The rows of a file.

    Attributes:
        columns: what could be read.
        lines: shape (n,), where each row is: line of a text, row of a table; from 1.
        ragged: rows with another number of cells than the others, which are in no column.
    """

    columns: Rows
    lines: I64
    ragged: tuple[Rejected, ...] = ()


def clean_bars(
    rows: Rows, *, coin: str, interval: str | None, now_ms: int
) -> tuple[Bars, Findings]:
    """Make bars of published rows, and count what was wrong with them.

    Args:
        rows: shape (n,) each; times in any unit of `to_epoch_ms`, prices in USD, volume in coins.
        coin: whose price unit prices are compared with.
        interval: `1m`, or None to take it from the rows.
        now_ms: bars that close later are left out.

    Raises:
        NotUnderstood: the interval is unknown.
        ValueError: it is not that of the rows.
    """
    times = to_epoch_ms(rows["time"])
    columns = {name: np.asarray(rows[name], np.float64) for name in COLUMNS[1:]}
    step = INTERVAL_MS[_interval_of(times, interval)]
    whole = bars_of(step, {"open_time_ms": times, **columns})
    good, counts = _judge(whole, now_ms)
    kept, order = _sort(take_bars(whole, good))
    gaps = gaps_of(kept.open_time_ms, step)
    decimals, off_lattice = _lattice(kept, coin)
    return kept, Findings(
        rows=len(times),
        kept=len(kept),
        gaps=len(gaps),
        missing_bars=sum(gap.bars(step) for gap in gaps),
        off_lattice=off_lattice,
        price_decimals=decimals,
        **counts,
        **order,
    )


def rejected_bars(rows: FileRows, *, interval_ms: int, now_ms: int) -> tuple[Rejected, ...]:
    """Name the rows that `clean_bars` left out and why, the first of them.

    Args:
        rows: as `clean_bars` got them.
        interval_ms: of its bars.
        now_ms: as it got it.
    """
    columns = {name: np.asarray(rows.columns[name], np.float64) for name in COLUMNS[1:]}
    whole = bars_of(interval_ms, {"open_time_ms": to_epoch_ms(rows.columns["time"]), **columns})
    reasons: dict[int, str] = {}
    good = np.ones(len(whole), bool)
    for name, fault in _faults(whole, now_ms).items():
        if name in _REASONS:
            reasons.update(dict.fromkeys(np.flatnonzero(fault & good).tolist(), _REASONS[name]))
        good &= ~fault
    index = np.flatnonzero(good)
    order, again, equal = _repeats(take_bars(whole, index))
    contradicted = index[order[:-1][again & ~equal]] if len(order) else index
    reasons.update(dict.fromkeys(contradicted.tolist(), _CONTRADICTED))
    return _rejected(rows, reasons)


def rejected_funding(rows: FileRows) -> tuple[Rejected, ...]:
    """Name the rows that `clean_funding` left out and why, the first of them."""
    rates = np.asarray(rows.columns["rate"], np.float64)
    bad = ~(np.isfinite(rates) & (to_epoch_ms(rows.columns["time"]) > 0))
    reason = "the time or the rate is not a number"
    return _rejected(rows, dict.fromkeys(np.flatnonzero(bad).tolist(), reason))


def _rejected(rows: FileRows, reasons: Mapping[int, str]) -> tuple[Rejected, ...]:
    found = [
        Rejected(
            int(rows.lines[row]),
            reason,
            ",".join(str(column[row]) for column in rows.columns.values()),
        )
        for row, reason in sorted(reasons.items())[:MOST_REJECTED]
    ]
    both = sorted([*rows.ragged, *found], key=lambda item: item.line)
    return tuple(both[:MOST_REJECTED])


def true_bars(rows: Rows, *, interval: str, from_ms: int, to_ms: int, now_ms: int) -> Bars:
    """Make bars of what a venue answered; what cannot be true is left out, and is a gap then.

    Args:
        rows: shape (n,) each, times in epoch ms of the venue.
        interval: as asked for.
        from_ms, to_ms: of the open times wanted; venues answer more than was asked.
        now_ms: of the venue; bars that close later are left out.
    """
    columns = {name: np.asarray(rows[name], np.float64) for name in COLUMNS[1:]}
    times = np.asarray(rows["time"], np.int64)
    whole = bars_of(INTERVAL_MS[interval], {"open_time_ms": times, **columns})
    good, _ = _judge(whole, now_ms)
    return _sort(take_bars(whole, good))[0].between(from_ms, to_ms)


def clean_funding(rows: Rows) -> tuple[I64, F64, Findings]:
    """Make a funding series of published rows.

    Stamps are rounded to the second, which takes out the few milliseconds by which venues jitter.

    Args:
        rows: `time` in any unit of `to_epoch_ms`, `rate` as a fraction of the whole interval.

    Returns:
        Epoch ms, rising; rates; what was wrong.
    """
    times = to_epoch_ms(rows["time"])
    rates = np.asarray(rows["rate"], np.float64)
    good = np.isfinite(rates) & (times > 0)
    before, values = (times[good] + 500) // 1000 * 1000, rates[good]
    late = int((before < np.maximum.accumulate(before)).sum()) if len(before) else 0
    order = np.argsort(before, kind="stable")
    stamps, values = before[order], values[order]
    last = np.append(stamps[1:] != stamps[:-1], True)[: len(stamps)]
    same = int(((stamps[1:] == stamps[:-1]) & (values[1:] == values[:-1])).sum())
    findings = Findings(
        rows=len(times),
        kept=int(last.sum()),
        duplicates=same,
        conflicts=int((~last).sum()) - same,
        out_of_order=late,
        not_positive=int((~good).sum()),
    )
    return stamps[last], values[last], findings


def decimals_of(prices: F64) -> int:
    """How many digits after the point prices have, at most ten.

    Args:
        prices: shape (n,), finite, as read from decimal text.
    """
    for decimals in range(MOST_DECIMALS):
        if _on_lattice(prices, decimals).all():
            return decimals
    return MOST_DECIMALS


def ohlc_is_broken(bars: Bars) -> NDArray[np.bool_]:
    """Mark bars whose high or low is not their highest or lowest price."""
    top = np.maximum(bars.open, bars.close)
    bottom = np.minimum(bars.open, bars.close)
    return (bars.high < top) | (bars.low > bottom)


def is_not_positive(bars: Bars) -> NDArray[np.bool_]:
    """Mark bars with a price that is not a positive number, or without a volume from 0 up."""
    bad = ~(np.isfinite(bars.volume) & (bars.volume >= 0))
    for prices in (bars.open, bars.high, bars.low, bars.close):
        bad |= ~(np.isfinite(prices) & (prices > 0))
    return bad


def _interval_of(times: I64, named: str | None) -> str:
    """The interval of the rows: the most frequent distance between neighbours."""
    known = times[times >= 0]
    steps = np.diff(known)
    if len(steps) and not (steps > 0).all():
        steps = np.diff(np.unique(known))
    if len(steps) == 0:
        if named is None:
            raise NotUnderstood("too few rows to tell the interval; name it with --interval")
        return named
    lengths, counts = np.unique(steps, return_counts=True)
    usual = int(lengths[np.argmax(counts)])
    if named is None:
        try:
            return interval_name(usual)
        except ValueError as error:
            raise NotUnderstood(str(error)) from None
    if usual % INTERVAL_MS[named] or counts[lengths == INTERVAL_MS[named]].sum() == 0:
        raise ValueError(f"rows are {usual / 60_000:g} minutes apart, which is not {named}")
    return named


def _faults(bars: Bars, now_ms: int) -> dict[str, NDArray[np.bool_]]:
    """Mark the rows of each fault."""
    with np.errstate(invalid="ignore"):
        return {
            "not_positive": is_not_positive(bars),
            "off_grid": (bars.open_time_ms % bars.interval_ms != 0) | (bars.open_time_ms < 0),
            "ohlc_violations": ohlc_is_broken(bars),
            "unfinished": bars.open_time_ms + bars.interval_ms > now_ms,
        }


def _judge(bars: Bars, now_ms: int) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Decide which rows can be true; a row counts under its first fault only."""
    good = np.ones(len(bars), bool)
    counts = {}
    for name, fault in _faults(bars, now_ms).items():
        counts[name] = int((fault & good).sum())
        good &= ~fault
    return good, counts


def _sort(bars: Bars) -> tuple[Bars, dict[str, int]]:
    """Sort rows by time; of rows with one time keep the last."""
    times = bars.open_time_ms
    if len(bars) < 2 or bool((times[1:] > times[:-1]).all()):
        return bars, {"duplicates": 0, "conflicts": 0, "out_of_order": 0}
    late = int((times < np.maximum.accumulate(times)).sum())
    order, again, equal = _repeats(bars)
    kept = take_bars(bars, order[np.append(~again, True)])
    same = int(equal.sum())
    return kept, {"duplicates": same, "conflicts": int(again.sum()) - same, "out_of_order": late}


def _repeats(bars: Bars) -> tuple[I64, NDArray[np.bool_], NDArray[np.bool_]]:
    """Order rows by time, and compare each but the last with the next.

    Returns:
        The order, shape (n,); whether the next one has the same time, and whether all of it is
        the same, shape (n - 1,).
    """
    order: I64 = np.argsort(bars.open_time_ms, kind="stable")
    ordered = take_bars(bars, order)
    again = ordered.open_time_ms[1:] == ordered.open_time_ms[:-1]
    equal = again.copy()
    for name in COLUMNS[1:]:
        column = getattr(ordered, name)
        equal &= column[1:] == column[:-1]
    return order, again, equal


def _lattice(bars: Bars, coin: str) -> tuple[int | None, int]:
    """Digits seen in the prices, and how many prices the coin's price unit cannot hold."""
    if len(bars) == 0:
        return None, 0
    columns = (bars.open, bars.high, bars.low, bars.close)
    decimals = max(decimals_of(prices) for prices in columns)
    unit = default_instrument(coin, decimals if coin not in KNOWN else 0).price_decimals
    if decimals <= unit:
        return decimals, 0
    return decimals, sum(int((~_on_lattice(prices, unit)).sum()) for prices in columns)


def _on_lattice(prices: F64, decimals: int) -> NDArray[np.bool_]:
    scale = 10.0**decimals
    on: NDArray[np.bool_] = np.rint(prices * scale) / scale == prices
    return on
