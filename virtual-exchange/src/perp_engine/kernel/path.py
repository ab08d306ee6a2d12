"""What one bar does to what rests: the price walks from open over its extremes to the close.

Nothing is known inside a bar but its open, high, low and close. `pessimistic` lets each account see
the order of extremes that is worse for it: a position meets its adverse extreme first; a flat
account that waits to buy sees the high before the low, so what it buys cannot ride up again.
"""

from perp_engine.kernel.filling import affords, fill, taker_price, within_limits
from perp_engine.kernel.fixed import RATE_ONE, mul_div_floor
from perp_engine.kernel.jit import Words, apart, jit
from perp_engine.kernel.layout import (
    AT_CLOSE,
    AT_DETAIL,
    AT_PLAY,
    BUDGET_BAR,
    CANCELED,
    CROSS_OPEN,
    FIRST_OWN,
    GTC,
    GUARD,
    HIGH_FIRST,
    HIGHEST,
    ISOLATED,
    LEAVES,
    LIMIT,
    LOW_FIRST,
    LOWEST,
    MAKER,
    MAKER_BUDGET,
    MARGIN_CANCELED,
    MARK,
    NOW_MS,
    ORDER_ACCOUNT,
    ORDER_DONE_BAR,
    ORDER_FALLS,
    ORDER_GROUP,
    ORDER_HELD,
    ORDER_ID,
    ORDER_KIND,
    ORDER_LEVEL,
    ORDER_MARKET,
    ORDER_NEXT,
    ORDER_ORIGINAL,
    ORDER_PRICE,
    ORDER_REDUCE,
    ORDER_SIDE,
    ORDER_SIZE,
    ORDER_STATE,
    ORDER_SYMBOL,
    ORDER_TIF,
    PARTICIPATION,
    PATH,
    RECORDED,
    REDUCE_ONLY_CANCELED,
    RESTING,
    SIZE,
    STOP,
    STRETCH_AT,
    STRETCH_BAR,
    STRETCH_INSIDE,
    STRETCH_LEAST,
    STRETCH_MOST,
    STRETCH_START,
    STRETCH_TO,
    SYMBOLS,
    TAKER,
    WAITING_FOR_FILL,
    account_at,
    position_at,
    symbol_at,
)
from perp_engine.kernel.liquidation import liquidate
from perp_engine.kernel.log import emit_changed
from perp_engine.kernel.margin import PRICE_CAP, exact_liquidation, reset_guards
from perp_engine.kernel.nearest import high_tree, low_tree, met, next_met, note_order, refresh
from perp_engine.kernel.orders import arm, close, end, follow_position, set_level
from perp_engine.kernel.tape import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    VOLUME,
    bar_exists,
    bar_word,
    detail_of,
    detail_word,
    volume_before,
)

NO_CAP = 1 << 60


@jit
def maker_budget(m: Words, volume: int) -> int:
    """How much of a bar's volume one account's resting orders may be."""
    if m[PARTICIPATION] == 0:
        return NO_CAP
    return mul_div_floor(max(volume, 0), m[PARTICIPATION], RATE_ONE)


@jit
def met_at(m: Words, o: int, at: int, up: bool) -> int:
    """Where the path, now at `at`, meets an order: here, when it is already beyond its level."""
    return max(at, m[o + ORDER_LEVEL]) if up else min(at, m[o + ORDER_LEVEL])


@jit
def earlier(m: Words, o: int, than: int, at: int, up: bool) -> bool:
    """Whether the path meets `o` before `than`: nearer level, then stops, then the older."""
    if than == 0:
        return True
    one, two = met_at(m, o, at, up), met_at(m, than, at, up)
    if one != two:
        return (one < two) == up
    stops, other = m[o + ORDER_KIND] == STOP, m[than + ORDER_KIND] == STOP
    if stops != other:
        return stops
    return m[o + ORDER_ID] < m[than + ORDER_ID]


@jit
def nearest(m: Words, p: int, bar: int, up: bool, at: int, to: int) -> int:
    """First order of a position that the path meets on its way, 0 when none."""
    found = 0
    o = m[p + FIRST_OWN]
    while o:
        active = m[o + ORDER_STATE] != WAITING_FOR_FILL and m[o + ORDER_DONE_BAR] != bar
        if active and (m[o + ORDER_FALLS] == 0) == up:
            level = m[o + ORDER_LEVEL]
            if (level <= to if up else level >= to) and earlier(m, o, found, at, up):
                found = o
        o = m[o + ORDER_NEXT]
    return found


@jit
def lethal_price(m: Words, account: int, symbol: int, up: bool, to: int) -> int:
    """First price on the way at which the position is liquidated; a bound when none is."""
    p = position_at(m, account, symbol)
    none = HIGHEST if up else LOWEST
    size, guard = m[p + SIZE], m[p + GUARD]
    if size == 0 or (size < 0) != up:
        return none
    # at a boundary every coin of a pool has jumped, not only this one
    alone = m[STRETCH_INSIDE] or m[p + ISOLATED] or m[account_at(m, account) + CROSS_OPEN] == 1
    if alone and (guard > to if up else guard < to):
        return none
    price = exact_liquidation(m, account, symbol)
    if price > to if up else price < to:
        return none
    return price


@jit
def end_short_of_margin(m: Words, o: int, time_ms: int) -> None:
    """An order cannot be carried when it is met. Legs of an entry that filled in part are armed."""
    account, symbol, oid = m[o + ORDER_ACCOUNT], m[o + ORDER_SYMBOL], m[o + ORDER_ID]
    if m[o + ORDER_GROUP] == 0 and m[o + ORDER_SIZE] < m[o + ORDER_ORIGINAL]:
        arm(m, account, symbol, oid, time_ms)
        close(m, o, MARGIN_CANCELED, m[o + ORDER_HELD], time_ms)
        follow_position(m, account, symbol, time_ms)
    else:
        end(m, o, MARGIN_CANCELED, time_ms)


@jit
def carries(m: Words, o: int, size: int, price: int, fee_rate: int) -> bool:
    """Whether a met order may trade."""
    symbol = m[o + ORDER_SYMBOL]
    p, s = position_at(m, m[o + ORDER_ACCOUNT], symbol), symbol_at(m, symbol)
    if not within_limits(m, p, s, m[o + ORDER_SIDE], size, price):
        return False
    return affords(m, o, size, price, fee_rate, True)


@jit
def trimmed(m: Words, o: int, time_ms: int) -> int:
    """Size that a met order may trade; 0 ends one that has nothing left to reduce."""
    size = m[o + ORDER_SIZE]
    if m[o + ORDER_REDUCE]:
        p = position_at(m, m[o + ORDER_ACCOUNT], m[o + ORDER_SYMBOL])
        size = min(size, -m[p + SIZE] * m[o + ORDER_SIDE])
        if size <= 0:
            end(m, o, REDUCE_ONLY_CANCELED, time_ms)
            return 0
    return size


@jit
def fill_maker(m: Words, o: int, turn: int, at: int) -> None:
    """A resting limit is met: trimmed to its position, to the volume share, and by its margin."""
    account, symbol = m[o + ORDER_ACCOUNT], m[o + ORDER_SYMBOL]
    p = position_at(m, account, symbol)
    time_ms = m[NOW_MS]
    size = trimmed(m, o, time_ms)
    if size == 0:
        return
    m[o + ORDER_DONE_BAR] = turn
    size = min(size, m[p + MAKER_BUDGET])
    if size <= 0:
        return
    if not carries(m, o, size, at, m[account_at(m, account) + MAKER]):
        end_short_of_margin(m, o, time_ms)
        return
    m[p + MAKER_BUDGET] -= size
    fill(m, o, size, at, False)


@jit
def fire(m: Words, o: int, at: int, volume: int) -> None:
    """A trigger is met: it takes from the market, never outside its bar, or goes on as a limit."""
    account, symbol, side = m[o + ORDER_ACCOUNT], m[o + ORDER_SYMBOL], m[o + ORDER_SIDE]
    limit = m[o + ORDER_PRICE]
    time_ms = m[NOW_MS]
    size = trimmed(m, o, time_ms)
    if size == 0:
        return
    m[o + ORDER_SIZE] = size
    m[o + ORDER_STATE] = RESTING
    emit_changed(m, time_ms, o)
    reachable = limit == 0 or side * (limit - at) >= 0
    if not reachable and m[o + ORDER_MARKET]:
        end(m, o, CANCELED, time_ms)
        return
    if not reachable:
        m[o + ORDER_KIND], m[o + ORDER_TIF] = LIMIT, GTC
        set_level(m, o)
        note_order(m, o)
        return
    price = min(
        max(taker_price(m, symbol, side, at, limit, size, volume), m[STRETCH_LEAST]),
        m[STRETCH_MOST],
    )
    if not carries(m, o, size, price, m[account_at(m, account) + TAKER]):
        end_short_of_margin(m, o, time_ms)
        return
    fill(m, o, size, price, True)


@apart
def walk(m: Words, t: Words, account: int, symbol: int, up: bool) -> None:
    """Take the price along a stretch for one account; play what it meets, nearest first.

    A resting limit that lies before the stretch trades at its start; `at` differs from that where
    the price jumped.
    """
    p, to = position_at(m, account, symbol), m[STRETCH_TO]
    bar, inside = m[STRETCH_BAR], m[STRETCH_INSIDE] != 0
    turn = bar if inside else bar - 1
    at = m[STRETCH_AT]
    while True:
        o, lethal = nearest(m, p, turn, up, at, to), lethal_price(m, account, symbol, up, to)
        dies = lethal != (HIGHEST if up else LOWEST)
        if dies:
            lethal = max(at, lethal) if up else min(at, lethal)
            if o:
                level = met_at(m, o, at, up)
                dies = lethal <= level if up else lethal >= level
        if dies:
            at = lethal
            m[symbol_at(m, symbol) + MARK] = at
            liquidate(m, t, account, symbol)
        elif o == 0:
            return
        else:
            at = met_at(m, o, at, up)
            m[symbol_at(m, symbol) + MARK] = at
            if m[o + ORDER_KIND] == LIMIT:
                limit = m[o + ORDER_PRICE]
                fill_maker(
                    m, o, turn, max(m[STRETCH_START], limit) if up else min(m[STRETCH_START], limit)
                )
            else:
                fire(m, o, at, volume_before(m, t, symbol, bar + inside))


@jit
def rises_to(m: Words, account: int, symbol: int, to: int) -> bool:
    """Whether a rising path meets anything of an account."""
    return to >= m[high_tree(m, symbol) + m[LEAVES] + account]


@jit
def falls_to(m: Words, account: int, symbol: int, to: int) -> bool:
    """Whether a falling path meets anything of an account."""
    return to <= m[low_tree(m, symbol) + m[LEAVES] + account]


@jit
def go(m: Words, t: Words, account: int, symbol: int, start: int, to: int, up: bool) -> None:
    """Walk from one price to another, unless nothing is met on the way."""
    if rises_to(m, account, symbol, to) if up else falls_to(m, account, symbol, to):
        m[STRETCH_START], m[STRETCH_AT], m[STRETCH_TO] = start, start, to
        walk(m, t, account, symbol, up)


@jit
def high_comes_first(m: Words, account: int, symbol: int, op: int, hi: int, lo: int) -> bool:
    """Which extreme an account meets first."""
    if m[PATH] == HIGH_FIRST or m[PATH] == LOW_FIRST:
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
def jump(m: Words, t: Words, account: int, symbol: int, start: int, to: int) -> None:
    """Play what a print is already beyond.

    Args:
        start: the print before, where resting limits might have been met; the print itself when it
            opens a bar.
    """
    m[symbol_at(m, symbol) + MARK] = to
    if rises_to(m, account, symbol, to):
        m[STRETCH_START], m[STRETCH_AT], m[STRETCH_TO] = start, to, to
        walk(m, t, account, symbol, True)
    if falls_to(m, account, symbol, to):
        m[STRETCH_START], m[STRETCH_AT], m[STRETCH_TO] = start, to, to
        walk(m, t, account, symbol, False)


@jit
def settle_leaf(m: Words, account: int, symbol: int, low: int, high: int, last: int) -> None:
    """After a path between two prices: a guard that it reached is chosen anew, the leaf exactly."""
    p, s = position_at(m, account, symbol), symbol_at(m, symbol)
    size, guard = m[p + SIZE], m[p + GUARD]
    m[s + MARK] = last
    if (size > 0 and low <= guard) or (size < 0 and high >= guard):
        reset_guards(m, account)
    refresh(m, account, symbol)


@jit
def swing(
    m: Words, t: Words, account: int, symbol: int, before: int, op: int, hi: int, lo: int, cl: int
) -> None:
    """Walk an account through open, both extremes and close."""
    jump(m, t, account, symbol, before, op)
    if high_comes_first(m, account, symbol, op, hi, lo):
        go(m, t, account, symbol, op, hi, True)
        go(m, t, account, symbol, hi, lo, False)
        go(m, t, account, symbol, lo, cl, True)
    else:
        go(m, t, account, symbol, op, lo, False)
        go(m, t, account, symbol, lo, hi, True)
        go(m, t, account, symbol, hi, cl, False)


@jit
def play_account(m: Words, t: Words, account: int, symbol: int, bar: int) -> None:
    """Let a bar pass over one account."""
    op, hi = bar_word(m, t, symbol, OPEN, bar), bar_word(m, t, symbol, HIGH, bar)
    lo, cl = bar_word(m, t, symbol, LOW, bar), bar_word(m, t, symbol, CLOSE, bar)
    p, volume = position_at(m, account, symbol), bar_word(m, t, symbol, VOLUME, bar)
    m[p + MAKER_BUDGET], m[p + BUDGET_BAR] = maker_budget(m, volume), bar
    m[STRETCH_BAR], m[STRETCH_INSIDE], m[STRETCH_LEAST], m[STRETCH_MOST] = bar, 1, lo, hi
    rows = 0
    if m[PATH] == RECORDED and m[AT_DETAIL]:
        rows = detail_of(m, t, symbol, bar + 1) - detail_of(m, t, symbol, bar)
    if rows == 0:
        swing(m, t, account, symbol, op, op, hi, lo, cl)
    else:
        jump(m, t, account, symbol, op, op)
        first, last = detail_of(m, t, symbol, bar), op
        for row in range(first, first + rows):
            top, bottom = detail_word(m, t, row, HIGH), detail_word(m, t, row, LOW)
            begin, before = detail_word(m, t, row, OPEN), last
            last = detail_word(m, t, row, CLOSE)
            swing(m, t, account, symbol, before, begin, top, bottom, last)
    settle_leaf(m, account, symbol, lo, hi, cl)


@jit
def play_bar(m: Words, t: Words, symbol: int, bar: int) -> None:
    """Let a bar pass over everybody it concerns in a symbol."""
    if not bar_exists(m, t, symbol, bar):
        return
    s = symbol_at(m, symbol)
    hi, lo = bar_word(m, t, symbol, HIGH, bar), bar_word(m, t, symbol, LOW, bar)
    if met(m, symbol, lo, hi):
        account = next_met(m, symbol, lo, hi, 0)
        while account >= 0:
            play_account(m, t, account, symbol, bar)
            m[s + MARK] = bar_word(m, t, symbol, OPEN, bar)
            account = next_met(m, symbol, lo, hi, account + 1)
    m[s + MARK] = bar_word(m, t, symbol, CLOSE, bar)


@jit
def play_bars(m: Words, t: Words, bar: int) -> None:
    """Let a bar pass over every symbol, in the order of their names."""
    for place in range(m[SYMBOLS]):
        play_bar(m, t, m[m[AT_PLAY] + place], bar)


@jit
def open_account(m: Words, t: Words, account: int, symbol: int, bar: int, op: int) -> None:
    """Let the opening print of a bar meet what an account has in a symbol."""
    s, p = symbol_at(m, symbol), position_at(m, account, symbol)
    if m[p + BUDGET_BAR] != bar - 1:
        m[p + MAKER_BUDGET] = maker_budget(m, volume_before(m, t, symbol, bar))
    m[STRETCH_BAR], m[STRETCH_INSIDE] = bar, 0
    m[STRETCH_LEAST], m[STRETCH_MOST] = 1, PRICE_CAP
    m[STRETCH_START], m[STRETCH_AT], m[STRETCH_TO] = op, op, op
    m[s + MARK] = op
    shared = m[account_at(m, account) + CROSS_OPEN] > 1
    if shared or rises_to(m, account, symbol, op):
        walk(m, t, account, symbol, True)
    if shared or falls_to(m, account, symbol, op):
        walk(m, t, account, symbol, False)
    settle_leaf(m, account, symbol, op, op, op)


@jit
def open_pools(m: Words, t: Words, place: int, bar: int) -> None:
    """Look at a symbol's positions whose pool a symbol that comes later may have ruined."""
    symbol = m[m[AT_PLAY] + place]
    op = bar_word(m, t, symbol, OPEN, bar)
    for later in range(place + 1, m[SYMBOLS]):
        other = m[m[AT_PLAY] + later]
        if not bar_exists(m, t, other, bar):
            continue
        there = bar_word(m, t, other, OPEN, bar)
        account = next_met(m, other, there, there, 0)
        while account >= 0:
            p = position_at(m, account, symbol)
            shared = m[p + ISOLATED] == 0 and m[position_at(m, account, other) + ISOLATED] == 0
            if m[p + SIZE] != 0 and shared:
                open_account(m, t, account, symbol, bar, op)
            account = next_met(m, other, there, there, account + 1)


@jit
def play_opens(m: Words, t: Words, bar: int) -> None:
    """Let the opening prints of the bar that starts now meet what rested before it."""
    if m[AT_CLOSE] or bar == 0:
        return
    for place in range(m[SYMBOLS]):
        symbol = m[m[AT_PLAY] + place]
        if not bar_exists(m, t, symbol, bar):
            continue
        op = bar_word(m, t, symbol, OPEN, bar)
        account = next_met(m, symbol, op, op, 0)
        while account >= 0:
            open_account(m, t, account, symbol, bar, op)
            account = next_met(m, symbol, op, op, account + 1)
        open_pools(m, t, place, bar)
