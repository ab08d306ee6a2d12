"""Swings, their sweeps and their breaks.

A swing is known `WING` bars after it happened. It is stamped with the bar it happened in, for its
age, and is never read before.
"""

from strategy_core.ict.kernel.jit import jit
from strategy_core.ict.kernel.layout import (
    ATR,
    BOTTOM,
    BREAK_AT,
    CLOSE,
    COLUMNS,
    DIRECTION,
    FROM,
    HIGH,
    HIGH_AT,
    HIGH_BROKEN,
    HIGH_SWEPT,
    HIGHS,
    IS_BREAK,
    IS_SWEEP,
    IS_SWING,
    KIND,
    KNOWN,
    LOGGED,
    LOW,
    LOW_AT,
    LOW_BROKEN,
    LOW_SWEPT,
    LOWS,
    MASK,
    SIDE,
    STRUCTURE,
    STRUCTURE_EXPIRY,
    SWEPT_HIGH,
    SWEPT_HIGH_AT,
    SWEPT_LOW,
    SWEPT_LOW_AT,
    SWING_EXPIRY,
    SWING_HIGH,
    SWING_LOW,
    TOP,
    VALUE,
    WING,
)
from suite.bars import F64, I64


@jit
def note(
    i: I64,
    log: F64,
    kind: int,
    side: int,
    known_ms: int,
    from_ms: int,
    bottom: float,
    top: float,
    value: float,
) -> None:
    """Write an event, if there is room; the counter rises in any case."""
    row = i[LOGGED]
    i[LOGGED] = row + 1
    if row < log.shape[0] and log.shape[1] == COLUMNS:
        log[row, KIND] = kind
        log[row, SIDE] = side
        log[row, KNOWN] = known_ms
        log[row, FROM] = from_ms
        log[row, BOTTOM] = bottom
        log[row, TOP] = top
        log[row, VALUE] = value


@jit
def _is_pivot(f: F64, column: int, sign: int, pivot: int) -> bool:
    """Whether a bar is beyond those before it and not behind those after it."""
    level = sign * f[column + (pivot & MASK)]
    for away in range(1, WING + 1):
        if not level > sign * f[column + ((pivot - away) & MASK)]:
            return False
        if not level >= sign * f[column + ((pivot + away) & MASK)]:
            return False
    return True


@jit
def confirm_swings(f: F64, i: I64, t: int, ts: int, interval_ms: int, log: F64) -> None:
    """See whether the bar `WING` bars ago turned out to be a swing, of either kind."""
    pivot = t - WING
    if pivot < WING:
        return
    for side in (1, -1):
        column = HIGH if side == 1 else LOW
        if _is_pivot(f, column, side, pivot):
            level = f[column + (pivot & MASK)]
            price, stamp = (SWING_HIGH, HIGH_AT) if side == 1 else (SWING_LOW, LOW_AT)
            count = HIGHS if side == 1 else LOWS
            for k in (2, 1):
                f[price + k] = f[price + k - 1]
                i[stamp + k] = i[stamp + k - 1]
            f[price], i[stamp] = level, pivot
            i[count] = min(i[count] + 1, 3)
            i[HIGH_BROKEN if side == 1 else LOW_BROKEN] = 0
            i[HIGH_SWEPT if side == 1 else LOW_SWEPT] = 0
            at = ts - WING * interval_ms
            note(i, log, IS_SWING, side, ts + interval_ms, at, level, level, 0.0)


@jit
def high_alive(i: I64, t: int) -> bool:
    """Whether there is a newest swing high and it has not expired."""
    return bool(i[HIGHS] > 0 and t - i[HIGH_AT] <= SWING_EXPIRY)


@jit
def low_alive(i: I64, t: int) -> bool:
    """Whether there is a newest swing low and it has not expired."""
    return bool(i[LOWS] > 0 and t - i[LOW_AT] <= SWING_EXPIRY)


@jit
def sweep(f: F64, i: I64, t: int, ts: int, interval_ms: int, log: F64) -> None:
    """Note a bar that pierces a swing and closes back behind it; once for a swing.

    Half of the strength is how deep, in ATR and at most one; half how much of the bar was given
    back.
    """
    high, low, close = f[HIGH + (t & MASK)], f[LOW + (t & MASK)], f[CLOSE + (t & MASK)]
    atr = f[ATR]
    if high_alive(i, t) and not i[HIGH_BROKEN] and not i[HIGH_SWEPT]:
        level = f[SWING_HIGH]
        if high > level and close < level:
            depth, back = min(1.0, (high - level) / atr), (high - close) / (high - low)
            f[SWEPT_HIGH], i[SWEPT_HIGH_AT], i[HIGH_SWEPT] = 0.5 * depth + 0.5 * back, t, 1
            at = ts - (t - i[HIGH_AT]) * interval_ms
            note(i, log, IS_SWEEP, -1, ts + interval_ms, at, level, high, f[SWEPT_HIGH])
    if low_alive(i, t) and not i[LOW_BROKEN] and not i[LOW_SWEPT]:
        level = f[SWING_LOW]
        if low < level and close > level:
            depth, back = min(1.0, (level - low) / atr), (close - low) / (high - low)
            f[SWEPT_LOW], i[SWEPT_LOW_AT], i[LOW_SWEPT] = 0.5 * depth + 0.5 * back, t, 1
            at = ts - (t - i[LOW_AT]) * interval_ms
            note(i, log, IS_SWEEP, 1, ts + interval_ms, at, low, level, f[SWEPT_LOW])


@jit
def break_structure(f: F64, i: I64, t: int, ts: int, interval_ms: int, log: F64) -> int:
    """Note a close beyond a living swing: 1 upwards, -1 downwards, 0 none.

    In the direction of the last break it is a continuation, else a change of character.
    """
    if i[DIRECTION] and t - i[BREAK_AT] > STRUCTURE_EXPIRY:
        i[DIRECTION] = 0
        f[STRUCTURE] = 0.0
    close = f[CLOSE + (t & MASK)]
    side, level, stamp = 0, 0.0, 0
    if high_alive(i, t) and not i[HIGH_BROKEN] and close > f[SWING_HIGH]:
        side, level, stamp = 1, f[SWING_HIGH], i[HIGH_AT]
        i[HIGH_BROKEN] = 1
    elif low_alive(i, t) and not i[LOW_BROKEN] and close < f[SWING_LOW]:
        side, level, stamp = -1, f[SWING_LOW], i[LOW_AT]
        i[LOW_BROKEN] = 1
    if side:
        size = 1.0 if side == i[DIRECTION] else 0.5
        f[STRUCTURE] = side * size
        i[DIRECTION] = side
        i[BREAK_AT] = t
        at = ts - (t - stamp) * interval_ms
        note(i, log, IS_BREAK, side, ts + interval_ms, at, level, level, size)
    return side
