"""Order blocks and fair value gaps: short lists of price ranges, oldest first."""

from strategy_core.ict.kernel.jit import jit
from strategy_core.ict.kernel.layout import (
    ATR,
    BARS,
    BEAR_BLOCKS,
    BEAR_GAPS,
    BLOCK_EXPIRY,
    BLOCK_SEARCH,
    BROKEN,
    BULL_BLOCKS,
    BULL_GAPS,
    CLOSE,
    CROWDED,
    EXPIRED,
    GAP_EXPIRY,
    GAP_SMALLEST,
    HIGH,
    IS_BLOCK,
    IS_BLOCK_END,
    IS_GAP,
    IS_GAP_END,
    LOW,
    MASK,
    OPEN,
    TIE,
    ZONE,
    ZONE_AT,
    ZONE_HIGH,
    ZONE_LOW,
    ZONES,
)
from strategy_core.ict.kernel.structure import note
from suite.bars import F64, I64


@jit
def note_end(f: F64, i: I64, place: int, ts: int, interval_ms: int, log: F64, why: int) -> None:
    """Write that a zone is no more; `place` counts over all groups."""
    group = place // ZONE
    kind = IS_BLOCK_END if group <= BEAR_BLOCKS else IS_GAP_END
    side = 1 - 2 * (group & 1)
    born = ts + interval_ms - (i[BARS] - i[ZONE_AT + place]) * interval_ms
    low, high = f[ZONE_LOW + place], f[ZONE_HIGH + place]
    note(i, log, kind, side, ts + interval_ms, born, low, high, float(why))


@jit
def _add(
    f: F64, i: I64, group: int, low: float, high: float, ts: int, interval_ms: int, log: F64
) -> None:
    """Append a zone known now; a full list loses its oldest."""
    first, count = group * ZONE, i[ZONES + group]
    if count == ZONE:
        note_end(f, i, first, ts, interval_ms, log, CROWDED)
        for place in range(first, first + ZONE - 1):
            f[ZONE_LOW + place] = f[ZONE_LOW + place + 1]
            f[ZONE_HIGH + place] = f[ZONE_HIGH + place + 1]
            i[ZONE_AT + place] = i[ZONE_AT + place + 1]
        count = ZONE - 1
    f[ZONE_LOW + first + count] = low
    f[ZONE_HIGH + first + count] = high
    i[ZONE_AT + first + count] = i[BARS]
    i[ZONES + group] = count + 1


@jit
def _keep(
    f: F64, i: I64, group: int, expiry: int, close: float, ts: int, interval_ms: int, log: F64
) -> None:
    """Drop the zones of a group that have expired or are through."""
    first, kept = group * ZONE, group * ZONE
    for place in range(first, first + i[ZONES + group]):
        low, high, born = f[ZONE_LOW + place], f[ZONE_HIGH + place], i[ZONE_AT + place]
        if group == BULL_BLOCKS:
            through = close < low
        elif group == BEAR_BLOCKS:
            through = close > high
        else:
            through = high <= low
        if through or i[BARS] - born > expiry:
            note_end(f, i, place, ts, interval_ms, log, BROKEN if through else EXPIRED)
        else:
            f[ZONE_LOW + kept], f[ZONE_HIGH + kept], i[ZONE_AT + kept] = low, high, born
            kept += 1
    i[ZONES + group] = kept - first


@jit
def order_blocks(f: F64, i: I64, side: int, ts: int, interval_ms: int, log: F64) -> None:
    """Keep the live blocks; a break adds the last candle of the other color before it."""
    t = i[BARS]
    close = f[CLOSE + (t & MASK)]
    _keep(f, i, BULL_BLOCKS, BLOCK_EXPIRY, close, ts, interval_ms, log)
    _keep(f, i, BEAR_BLOCKS, BLOCK_EXPIRY, close, ts, interval_ms, log)
    if side == 0:
        return
    for j in range(t - 1, max(t - BLOCK_SEARCH, 0) - 1, -1):
        if side * (f[CLOSE + (j & MASK)] - f[OPEN + (j & MASK)]) < 0.0:
            low, high = f[LOW + (j & MASK)], f[HIGH + (j & MASK)]
            _add(f, i, BULL_BLOCKS if side > 0 else BEAR_BLOCKS, low, high, ts, interval_ms, log)
            at = ts - (t - j) * interval_ms
            note(i, log, IS_BLOCK, side, ts + interval_ms, at, low, high, 0.0)
            return


@jit
def fair_value_gaps(f: F64, i: I64, ts: int, interval_ms: int, log: F64) -> None:
    """Shrink and keep the live gaps; three bars may open a new one, known at the third's close."""
    t = i[BARS]
    high, low, close = f[HIGH + (t & MASK)], f[LOW + (t & MASK)], f[CLOSE + (t & MASK)]
    for place in range(BULL_GAPS * ZONE, BULL_GAPS * ZONE + i[ZONES + BULL_GAPS]):
        f[ZONE_HIGH + place] = min(f[ZONE_HIGH + place], low)
    for place in range(BEAR_GAPS * ZONE, BEAR_GAPS * ZONE + i[ZONES + BEAR_GAPS]):
        f[ZONE_LOW + place] = max(f[ZONE_LOW + place], high)
    _keep(f, i, BULL_GAPS, GAP_EXPIRY, close, ts, interval_ms, log)
    _keep(f, i, BEAR_GAPS, GAP_EXPIRY, close, ts, interval_ms, log)
    if t < 2:
        return
    atr = f[ATR]
    before_high, before_low = f[HIGH + ((t - 2) & MASK)], f[LOW + ((t - 2) & MASK)]
    body = f[CLOSE + ((t - 1) & MASK)] - f[OPEN + ((t - 1) & MASK)]
    known, at = ts + interval_ms, ts - interval_ms
    if low - before_high - GAP_SMALLEST * atr > TIE * atr and body > 0.0:
        _add(f, i, BULL_GAPS, before_high, low, ts, interval_ms, log)
        note(i, log, IS_GAP, 1, known, at, before_high, low, 0.0)
    elif before_low - high - GAP_SMALLEST * atr > TIE * atr and body < 0.0:
        _add(f, i, BEAR_GAPS, high, before_low, ts, interval_ms, log)
        note(i, log, IS_GAP, -1, known, at, high, before_low, 0.0)


@jit
def zone_balance(f: F64, i: I64, bullish: int, close: float, by_size: bool) -> float:
    """Weigh the zones below against those above, by nearness and, of gaps, by size.

    Returns:
        (B - S) / (1 + B + S), in (-1, 1).
    """
    atr = f[ATR]
    bull, bear = 0.0, 0.0
    for group in (bullish, bullish + 1):
        total = 0.0
        for place in range(group * ZONE, group * ZONE + i[ZONES + group]):
            low, high = f[ZONE_LOW + place], f[ZONE_HIGH + place]
            distance = max(0.0, low - close, close - high)
            weight = 1.0 / (1.0 + distance / atr)
            total += weight * ((high - low) / atr) if by_size else weight
        if group == bullish:
            bull = total
        else:
            bear = total
    return (bull - bear) / (1.0 + bull + bear)
