"""One bar in, twelve numbers out: the step of every stream and every batch."""

import math

from strategy_core.ict.kernel.jit import jit
from strategy_core.ict.kernel.layout import (
    ATR,
    ATR_BARS,
    ATR_FLOOR,
    BARS,
    BEAR_GAPS,
    BULL_BLOCKS,
    BULL_GAPS,
    CLOSE,
    FLOW,
    FLOW_BARS,
    FORGOTTEN,
    FRAME_CLOSE,
    FRAME_CLOSES,
    FRAME_COUNT,
    FRAME_LAST,
    FRAME_MEAN,
    FRAMES,
    HIGH,
    HIGH_AT,
    HIGHS,
    LOGGED,
    LOW,
    LOW_AT,
    LOWS,
    MASK,
    MOST_FILLED,
    NEGATIVE_VOLUME,
    NOT_FINITE,
    NOT_LATER,
    NOT_ORDERED,
    NOT_POSITIVE,
    OFF_GRID,
    OPEN,
    OUT_OF_RANGE,
    PRICE_LEAST,
    PRICE_MOST,
    RESETS,
    STRUCTURE,
    SWEEP_MEMORY,
    SWEPT_HIGH,
    SWEPT_HIGH_AT,
    SWEPT_LOW,
    SWEPT_LOW_AT,
    SWING_EXPIRY,
    SWING_HIGH,
    SWING_LOW,
    TAKEN,
    TIME,
    TRUE_RANGE,
    VOLUME,
    VOLUME_BARS,
    VOLUME_MASK,
    VOLUME_MOST,
    WARM_UP,
    ZONE,
    ZONES,
)
from strategy_core.ict.kernel.structure import (
    break_structure,
    confirm_swings,
    high_alive,
    low_alive,
    sweep,
)
from strategy_core.ict.kernel.zones import fair_value_gaps, note_end, order_blocks, zone_balance
from suite.bars import F64, I64


@jit
def _clip(x: float, least: float, most: float) -> float:
    return min(max(x, least), most)


@jit
def _average_range(f: F64, t: int) -> float:
    """Mean of the last true ranges, summed oldest first each time, with a floor.

    A running sum would drift, and depend on where the stream began.
    """
    total, first = 0.0, max(0, t - ATR_BARS + 1)
    for j in range(first, t + 1):
        total += f[TRUE_RANGE + (j & MASK)]
    return float(max(total / (t + 1 - first), ATR_FLOOR * f[CLOSE + (t & MASK)]))


@jit
def _store(
    f: F64, t: int, opened: float, high: float, low: float, close: float, volume: float
) -> None:
    """Put a bar into the rings."""
    k = t & MASK
    true_range = high - low
    if t > 0:
        before = f[CLOSE + ((t - 1) & MASK)]
        true_range = max(true_range, abs(high - before), abs(low - before))
    f[OPEN + k], f[HIGH + k], f[LOW + k], f[CLOSE + k] = opened, high, low, close
    f[TRUE_RANGE + k] = true_range
    f[FLOW + k] = ((close - low) - (high - close)) / (high - low) * volume if high > low else 0.0
    f[VOLUME + (t & VOLUME_MASK)] = volume


@jit
def _relative_volume(f: F64, t: int) -> float:
    """Volume of a bar over the mean of those before it, as a power of two, at least -5."""
    total, first = 0.0, max(0, t - VOLUME_BARS)
    for j in range(first, t):
        total += f[VOLUME + (j & VOLUME_MASK)]
    if total <= 0.0:
        return 0.0
    ratio = f[VOLUME + (t & VOLUME_MASK)] / (total / (t - first))
    return -5.0 if ratio <= 1.0 / 32.0 else math.log2(ratio)


@jit
def _order_flow(f: F64, t: int) -> float:
    """Where bars closed within their range, weighted by volume."""
    flow, volume = 0.0, 0.0
    for j in range(max(0, t - FLOW_BARS + 1), t + 1):
        flow += f[FLOW + (j & MASK)]
        volume += f[VOLUME + (j & VOLUME_MASK)]
    return _clip(flow / volume, -1.0, 1.0) if volume > 0.0 else 0.0


@jit
def _complete_frames(f: F64, i: I64, ts: int, interval_ms: int, close: float) -> None:
    """Append the close to each higher time frame whose bucket ends with this bar."""
    for k in range(3):
        if (ts + interval_ms) % (FRAMES[k] * interval_ms) == 0:
            ring, count = FRAME_CLOSE + k * FRAME_CLOSES, i[FRAME_COUNT + k]
            f[ring + count % FRAME_CLOSES] = close
            i[FRAME_COUNT + k] = count + 1
            f[FRAME_LAST + k] = close
            if count + 1 >= FRAME_CLOSES:
                total = 0.0
                for j in range(count + 1 - FRAME_CLOSES, count + 1):
                    total += f[ring + j % FRAME_CLOSES]
                f[FRAME_MEAN + k] = total / FRAME_CLOSES


@jit
def _trend(f: F64, i: I64, k: int) -> float:
    """Distance of a time frame's last close from its mean, in its own ATR, within [-1, 1]."""
    if i[FRAME_COUNT + k] < FRAME_CLOSES:
        return 0.0
    reach = 3.0 * f[ATR] * math.sqrt(FRAMES[k])
    return _clip((f[FRAME_LAST + k] - f[FRAME_MEAN + k]) / reach, -1.0, 1.0)


@jit
def _fade(age: int) -> float:
    return 1.0 - age / SWEEP_MEMORY if age < SWEEP_MEMORY else 0.0


@jit
def _votes(f: F64, i: I64, t: int, count: int, at: int, price: int) -> int:
    """Count the last two pairs of swings of one kind: rising less falling."""
    votes = 0
    for k in range(2):
        if i[count] > k + 1 and t - i[at + k + 1] <= SWING_EXPIRY:
            votes += (f[price + k] > f[price + k + 1]) * 1
            votes -= (f[price + k] < f[price + k + 1]) * 1
    return votes


@jit
def _integrity(f: F64, i: I64, t: int) -> float:
    """Votes of the last two pairs of swing highs and of swing lows: rising less falling."""
    votes = _votes(f, i, t, HIGHS, HIGH_AT, SWING_HIGH) + _votes(f, i, t, LOWS, LOW_AT, SWING_LOW)
    return votes / 4.0


@jit
def _write(f: F64, i: I64, t: int, out: F64) -> None:
    """Compute the twelve features from the state after a bar."""
    atr, k = f[ATR], t & MASK
    body, close = f[CLOSE + k] - f[OPEN + k], f[CLOSE + k]
    volume = _relative_volume(f, t)
    out[0] = f[STRUCTURE]
    out[1] = zone_balance(f, i, BULL_BLOCKS, close, False)
    size = min(1.0, abs(body) / (1.5 * atr)) * _clip(volume / 3.0, 0.0, 1.0)
    out[2] = size if body > 0.0 else -size
    bought = f[SWEPT_LOW] * _fade(t - i[SWEPT_LOW_AT]) if i[SWEPT_LOW_AT] >= 0 else 0.0
    sold = f[SWEPT_HIGH] * _fade(t - i[SWEPT_HIGH_AT]) if i[SWEPT_HIGH_AT] >= 0 else 0.0
    out[3] = bought - sold
    out[4] = _order_flow(f, t)
    out[5] = zone_balance(f, i, BULL_GAPS, close, True)
    short, middle, long = _trend(f, i, 0), _trend(f, i, 1), _trend(f, i, 2)
    out[6] = (short + middle + long) / 3.0
    out[7], out[11] = 0.0, 0.0
    span = f[SWING_HIGH] - f[SWING_LOW]
    if high_alive(i, t) and low_alive(i, t) and span > 0.0:
        out[7] = min(1.0, span / (20.0 * atr))
        out[11] = _clip((2.0 * (close - f[SWING_LOW]) / span - 1.0) / 2.0, -1.0, 1.0)
    out[8] = _integrity(f, i, t)
    out[9] = _clip(volume / 5.0, -1.0, 1.0)
    spread = max(short, middle, long) - min(short, middle, long)
    out[10] = 1.0 - spread / 2.0
    for j in range(12):
        out[j] += 0.0  # no negative zero


@jit
def step(
    f: F64,
    i: I64,
    ts: int,
    opened: float,
    high: float,
    low: float,
    close: float,
    volume: float,
    interval_ms: int,
    out: F64,
    log: F64,
) -> None:
    """Advance the state by one closed bar that follows the last one without a hole."""
    t = i[BARS]
    _store(f, t, opened, high, low, close, volume)
    f[ATR] = _average_range(f, t)
    confirm_swings(f, i, t, ts, interval_ms, log)
    sweep(f, i, t, ts, interval_ms, log)
    side = break_structure(f, i, t, ts, interval_ms, log)
    order_blocks(f, i, side, ts, interval_ms, log)
    fair_value_gaps(f, i, ts, interval_ms, log)
    _complete_frames(f, i, ts, interval_ms, close)
    _write(f, i, t, out)
    i[BARS] = t + 1
    i[TIME] = ts


@jit
def reset(f: F64, i: I64, interval_ms: int, log: F64) -> None:
    """Forget everything but how often that happened."""
    i[BARS] -= 1  # zones count their age from the last bar
    for group in range(BEAR_GAPS + 1):
        for place in range(group * ZONE, group * ZONE + i[ZONES + group]):
            note_end(f, i, place, i[TIME], interval_ms, log, FORGOTTEN)
    resets, logged = i[RESETS], i[LOGGED]
    f[:] = 0.0
    i[:] = 0
    i[SWEPT_LOW_AT], i[SWEPT_HIGH_AT] = -1, -1
    i[RESETS], i[LOGGED] = resets + 1, logged


@jit
def _refusal(
    i: I64,
    ts: int,
    opened: float,
    high: float,
    low: float,
    close: float,
    volume: float,
    interval_ms: int,
) -> int:
    """Say what is wrong with a bar, the first of what there is; `TAKEN` for nothing."""
    if not (math.isfinite(opened) and math.isfinite(high) and math.isfinite(low)):
        return NOT_FINITE
    if not (math.isfinite(close) and math.isfinite(volume)):
        return NOT_FINITE
    if low <= 0.0:
        return NOT_POSITIVE
    if low > min(opened, close) or high < max(opened, close):
        return NOT_ORDERED
    if volume < 0.0:
        return NEGATIVE_VOLUME
    if low < PRICE_LEAST or high > PRICE_MOST or volume > VOLUME_MOST:
        return OUT_OF_RANGE
    if ts % interval_ms != 0:
        return OFF_GRID
    if i[BARS] > 0 and ts <= i[TIME]:
        return NOT_LATER
    return TAKEN


@jit
def feed(
    f: F64,
    i: I64,
    ts: int,
    opened: float,
    high: float,
    low: float,
    close: float,
    volume: float,
    interval_ms: int,
    out: F64,
    log: F64,
) -> int:
    """Take one closed bar: check it, close a hole before it, advance.

    A hole of at most `MOST_FILLED` bars is filled with flat bars without volume; after a longer
    one everything begins anew.

    Args:
        f, i: the state, changed in place; untouched by a bar that is refused.
        ts: open time of the bar, ms, a multiple of the interval, after that of the last one.
        opened, high, low, close, volume: the bar; USD, and volume in any unit that stays the same.
        interval_ms: length of a bar.
        out: shape (12,), written: NaN until the state is warm.
        log: shape (m, COLUMNS), written: events in the order in which they became known.

    Returns:
        `TAKEN`, or why the bar is refused.
    """
    refusal = _refusal(i, ts, opened, high, low, close, volume, interval_ms)
    if refusal != TAKEN:
        return refusal
    missing, last = 0, 0.0
    if i[BARS] > 0:
        missing = (ts - i[TIME]) // interval_ms - 1
        last = f[CLOSE + ((i[BARS] - 1) & MASK)]
        if missing > MOST_FILLED:
            reset(f, i, interval_ms, log)
            missing = 0
    for k in range(missing, -1, -1):
        at, flat = ts - k * interval_ms, k > 0
        bar_open, bar_close = (last, last) if flat else (opened, close)
        bar_high, bar_low = (last, last) if flat else (high, low)
        bar_volume = 0.0 if flat else volume
        step(f, i, at, bar_open, bar_high, bar_low, bar_close, bar_volume, interval_ms, out, log)
    if i[BARS] <= WARM_UP:
        out[:] = math.nan
    return TAKEN


@jit
def feed_all(
    f: F64, i: I64, times: I64, bars: F64, interval_ms: int, out: F64, atr: F64, log: F64
) -> int:
    """Feed bars one after the other.

    Args:
        f, i, interval_ms, log: as for `feed`.
        times: shape (n,), open times, ms.
        bars: shape (5, n): open, high, low, close, volume.
        out: shape (n, 12), written.
        atr: shape (n,), written: USD.

    Returns:
        How many bars were taken: n, or the row of the first that is refused.
    """
    for k in range(len(times)):
        opened, high, low, close, volume = (
            bars[0, k],
            bars[1, k],
            bars[2, k],
            bars[3, k],
            bars[4, k],
        )
        ts, row = times[k], out[k]
        if feed(f, i, ts, opened, high, low, close, volume, interval_ms, row, log) != TAKEN:
            return k
        atr[k] = f[ATR]
    return len(times)
