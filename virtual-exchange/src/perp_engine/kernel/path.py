"""What one bar does to what rests: the price walks from open over its extremes to the close.

Nothing is known inside a bar but its open, high, low and close. `pessimistic` lets each account see
the order of extremes that is worse for it: a position meets its adverse extreme first; a flat
account that waits to buy sees the high before the low, so what it buys cannot ride up again.
"""

from perp_engine.kernel.filling import affords, fill, taker_price
from perp_engine.kernel.fixed import RATE_ONE, mul_div_floor
from perp_engine.kernel.jit import Words, jit
from perp_engine.kernel.layout import (
    ACCOUNTS,
    AT_HIGH,
    AT_LOW,
    BARS,
    CANCELED,
    FIRST_OWN,
    HIGH_FIRST,
    HIGH_TRIGGER,
    LIMIT,
    LOW_TRIGGER,
    MAKER,
    MAKER_BUDGET,
    MARGIN_CANCELED,
    MARK,
    ORDER_ACCOUNT,
    ORDER_DONE_BAR,
    ORDER_FALLS,
    ORDER_HELD,
    ORDER_ID,
    ORDER_KIND,
    ORDER_LEVEL,
    ORDER_MARKET,
    ORDER_NEXT,
    ORDER_PRICE,
    ORDER_REDUCE,
    ORDER_SIDE,
    ORDER_SIZE,
    ORDER_STATE,
    ORDER_SYMBOL,
    ORDER_TRIGGER,
    PARTICIPATION,
    PATH,
    PESSIMISTIC,
    REDUCE_ONLY_CANCELED,
    RESTING,
    SIZE,
    STOP,
    TAKER,
    WAITING_FOR_FILL,
    account_at,
    position_at,
    symbol_at,
)
from perp_engine.kernel.log import emit_changed
from perp_engine.kernel.orders import close, note_level, refresh_position, refresh_symbol, set_level

OPEN, HIGH, LOW, CLOSE, VOLUME = range(5)
NO_CAP = 1 << 60


@jit
def bar_word(m: Words, t: Words, symbol: int, field: int, bar: int) -> int:
    """One number of the tape."""
    return t[(symbol * 5 + field) * m[BARS] + bar]


@jit
def maker_budget(m: Words, volume: int) -> int:
    """How much of a bar's volume one account's resting orders may be."""
    if m[PARTICIPATION] == 0:
        return NO_CAP
    return mul_div_floor(max(volume, 0), m[PARTICIPATION], RATE_ONE)


@jit
def earlier(m: Words, o: int, than: int, up: bool) -> bool:
    """Whether the path meets `o` before `than`: nearer level, then stops, then the older."""
    if than == 0:
        return True
    if m[o + ORDER_LEVEL] != m[than + ORDER_LEVEL]:
        return (m[o + ORDER_LEVEL] < m[than + ORDER_LEVEL]) == up
    stops, other = m[o + ORDER_KIND] == STOP, m[than + ORDER_KIND] == STOP
    if stops != other:
        return stops
    return m[o + ORDER_ID] < m[than + ORDER_ID]


@jit
def nearest(m: Words, p: int, bar: int, up: bool, end: int) -> int:
    """First order of a position that the path meets on its way to `end`, 0 when none."""
    found = 0
    o = m[p + FIRST_OWN]
    while o:
        active = m[o + ORDER_STATE] != WAITING_FOR_FILL and m[o + ORDER_DONE_BAR] != bar
        if active and (m[o + ORDER_FALLS] == 0) == up:
            level = m[o + ORDER_LEVEL]
            if (level <= end if up else level >= end) and earlier(m, o, found, up):
                found = o
        o = m[o + ORDER_NEXT]
    return found


@jit
def fill_maker(m: Words, o: int, bar: int, at: int, time_ms: int) -> None:
    """A resting limit is met: trimmed to its position, to the volume share, and by its margin."""
    account, symbol = m[o + ORDER_ACCOUNT], m[o + ORDER_SYMBOL]
    p = position_at(m, account, symbol)
    size = m[o + ORDER_SIZE]
    if m[o + ORDER_REDUCE]:
        size = min(size, -m[p + SIZE] * m[o + ORDER_SIDE])
        if size <= 0:
            close(m, o, REDUCE_ONLY_CANCELED, m[o + ORDER_HELD], time_ms)
            return
    m[o + ORDER_DONE_BAR] = bar
    size = min(size, m[p + MAKER_BUDGET])
    if size <= 0:
        return
    m[symbol_at(m, symbol) + MARK] = at
    if not affords(m, o, size, at, m[account_at(m, account) + MAKER], True):
        close(m, o, MARGIN_CANCELED, m[o + ORDER_HELD], time_ms)
        return
    m[p + MAKER_BUDGET] -= size
    fill(m, o, size, at, at, False, time_ms)


@jit
def fire(m: Words, o: int, at: int, low: int, high: int, time_ms: int) -> None:
    """A trigger is met: it takes from the market, never outside its bar, or goes on as a limit."""
    account, symbol, side = m[o + ORDER_ACCOUNT], m[o + ORDER_SYMBOL], m[o + ORDER_SIDE]
    p, limit = position_at(m, account, symbol), m[o + ORDER_PRICE]
    size = m[o + ORDER_SIZE]
    if m[o + ORDER_REDUCE]:
        size = min(size, -m[p + SIZE] * side)
        if size <= 0:
            close(m, o, REDUCE_ONLY_CANCELED, m[o + ORDER_HELD], time_ms)
            return
        m[o + ORDER_SIZE] = size
    m[o + ORDER_STATE], m[symbol_at(m, symbol) + MARK] = RESTING, at
    emit_changed(m, time_ms, o)
    reachable = limit == 0 or side * (limit - at) >= 0
    if not reachable and m[o + ORDER_MARKET]:
        close(m, o, CANCELED, m[o + ORDER_HELD], time_ms)
        return
    if not reachable:
        m[o + ORDER_KIND] = LIMIT
        set_level(m, o)
        note_level(m, o)
        return
    price = min(max(taker_price(m, symbol, side, at, limit), low), high)
    if not affords(m, o, size, price, m[account_at(m, account) + TAKER], True):
        close(m, o, MARGIN_CANCELED, m[o + ORDER_HELD], time_ms)
        return
    fill(m, o, size, price, at, True, time_ms)


@jit
def walk(
    m: Words, account: int, symbol: int, bar: int,
    start: int, end: int, up: bool, low: int, high: int, time_ms: int,
) -> None:  # fmt: skip
    """Take the price from start to end for one account; play what it meets, nearest first."""
    p = position_at(m, account, symbol)
    at = start
    o = nearest(m, p, bar, up, end)
    while o:
        level = m[o + ORDER_PRICE] if m[o + ORDER_KIND] == LIMIT else m[o + ORDER_TRIGGER]
        at = max(at, level) if up else min(at, level)
        if m[o + ORDER_KIND] == LIMIT:
            fill_maker(m, o, bar, at, time_ms)
        else:
            fire(m, o, at, low, high, time_ms)
        o = nearest(m, p, bar, up, end)


@jit
def high_comes_first(m: Words, account: int, symbol: int, op: int, hi: int, lo: int) -> bool:
    """Which extreme an account meets first."""
    if m[PATH] != PESSIMISTIC:
        return m[PATH] == HIGH_FIRST
    p = position_at(m, account, symbol)
    if m[p + SIZE] != 0:
        return m[p + SIZE] < 0
    buys, sells = False, False
    o = m[p + FIRST_OWN]
    while o:
        if not m[o + ORDER_REDUCE]:
            buys = buys or m[o + ORDER_SIDE] > 0
            sells = sells or m[o + ORDER_SIDE] < 0
        o = m[o + ORDER_NEXT]
    if buys != sells:
        return buys
    return hi - op < op - lo


@jit
def gap(m: Words, account: int, symbol: int, bar: int, op: int, time_ms: int) -> None:
    """Play what the opening print is already beyond: it fills at that print."""
    walk(m, account, symbol, bar, op, op, True, op, op, time_ms)
    walk(m, account, symbol, bar, op, op, False, op, op, time_ms)


@jit
def play_bar(m: Words, t: Words, symbol: int, bar: int, time_ms: int) -> None:
    """Let a bar pass over the orders of a symbol; one that touches none costs two comparisons."""
    volume = bar_word(m, t, symbol, VOLUME, bar)
    if volume < 0:
        return
    s = symbol_at(m, symbol)
    hi, lo = bar_word(m, t, symbol, HIGH, bar), bar_word(m, t, symbol, LOW, bar)
    cl = bar_word(m, t, symbol, CLOSE, bar)
    if lo > m[s + LOW_TRIGGER] and hi < m[s + HIGH_TRIGGER]:
        m[s + MARK] = cl
        return
    op = bar_word(m, t, symbol, OPEN, bar)
    row = symbol * m[ACCOUNTS]
    for account in range(m[ACCOUNTS]):
        if lo > m[m[AT_LOW] + row + account] and hi < m[m[AT_HIGH] + row + account]:
            continue
        m[position_at(m, account, symbol) + MAKER_BUDGET] = maker_budget(m, volume)
        gap(m, account, symbol, bar, op, time_ms)
        if high_comes_first(m, account, symbol, op, hi, lo):
            walk(m, account, symbol, bar, op, hi, True, lo, hi, time_ms)
            walk(m, account, symbol, bar, hi, lo, False, lo, hi, time_ms)
            walk(m, account, symbol, bar, lo, cl, True, lo, hi, time_ms)
        else:
            walk(m, account, symbol, bar, op, lo, False, lo, hi, time_ms)
            walk(m, account, symbol, bar, lo, hi, True, lo, hi, time_ms)
            walk(m, account, symbol, bar, hi, cl, False, lo, hi, time_ms)
        refresh_position(m, account, symbol)
        m[s + MARK] = op
    refresh_symbol(m, symbol)
    m[s + MARK] = cl


@jit
def play_open(m: Words, t: Words, symbol: int, bar: int, time_ms: int) -> None:
    """Let the opening print of the bar that starts now meet what rested before it."""
    op = bar_word(m, t, symbol, OPEN, bar)
    s = symbol_at(m, symbol)
    if op > m[s + LOW_TRIGGER] and op < m[s + HIGH_TRIGGER]:
        return
    before = bar_word(m, t, symbol, VOLUME, bar - 1)
    for account in range(m[ACCOUNTS]):
        m[position_at(m, account, symbol) + MAKER_BUDGET] = maker_budget(m, before)
        gap(m, account, symbol, bar, op, time_ms)
        refresh_position(m, account, symbol)
        m[s + MARK] = op
    refresh_symbol(m, symbol)
