"""What happens when an order arrives: admission in order of precedence, the book, or rest.

A request is a row of nine words: symbol, side, size, limit price (0 = market), trigger price, kind,
trigger-is-market, time in force, reduce-only.
"""

from perp_engine.kernel.filling import affords, fill, half_spread, start_sequence, taker_price
from perp_engine.kernel.jit import Words, jit, words
from perp_engine.kernel.layout import (
    ACCOUNT_ORDERS,
    ALO,
    BAD_TRIGGER,
    BAR,
    BARS,
    CANCELED,
    CANNOT_MODIFY,
    DOLLAR,
    EVENT_REFUSED,
    EVENT_REJECTED,
    GTC,
    HALTED,
    INVALID_PRICE,
    INVALID_SIZE,
    IOC,
    LIMIT,
    MARK,
    MIN_NOTIONAL,
    NO_MARGIN,
    NO_MATCH,
    OID_ACCOUNT,
    ORDER_ACCOUNT,
    ORDER_DONE_BAR,
    ORDER_HELD,
    ORDER_ID,
    ORDER_KIND,
    ORDER_MARKET,
    ORDER_ORIGINAL,
    ORDER_PARENT,
    ORDER_PLACED_BAR,
    ORDER_PRICE,
    ORDER_REDUCE,
    ORDER_SIDE,
    ORDER_SIZE,
    ORDER_STATE,
    ORDER_SYMBOL,
    ORDER_TIF,
    ORDER_TRIGGER,
    ORDERS_PER_ACCOUNT,
    PRICE_TOO_FAR,
    PRINT,
    REDUCE_INCREASES,
    RESTING,
    SEQUENCE,
    SEQUENCE_BAR,
    SIZE,
    SIZE_LIMIT,
    STOP,
    TAKE,
    TAKER,
    TOO_MANY_ORDERS,
    TOO_SMALL,
    TRIGGER_NOT_REDUCE,
    UNKNOWN_ORDER,
    VALUE_LIMIT,
    VALUE_TOO_LARGE,
    WAITING_FOR_FILL,
    WAITING_FOR_TRIGGER,
    WOULD_MATCH,
    ZERO_SIZE,
    account_at,
    boundary_ms,
    position_at,
    symbol_at,
)
from perp_engine.kernel.log import emit, emit_closed, emit_opened
from perp_engine.kernel.margin import held_for, opening_size
from perp_engine.kernel.orders import (
    adopt_children,
    cancel_children,
    close,
    find,
    give_row,
    link,
    note_level,
    refresh_position,
    refresh_symbol,
    set_level,
    take_row,
    tick_of,
    unlink,
)

REQUEST_WORDS = 9


@jit
def check_form(m: Words, o: int) -> int:
    """Checks that need no account: size, price grid, price band, value. 0 when all hold."""
    s = symbol_at(m, m[o + ORDER_SYMBOL])
    size, mark = m[o + ORDER_SIZE], m[s + MARK]
    if size <= 0:
        return ZERO_SIZE if size == 0 else INVALID_SIZE
    if size >= SIZE_LIMIT:
        return INVALID_SIZE
    for field in (ORDER_PRICE, ORDER_TRIGGER):
        price = m[o + field]
        if price < 0 or (price > 0 and price % tick_of(price, m[s + DOLLAR]) != 0):
            return INVALID_PRICE
        if price > 0 and (price > 5 * mark or 5 * price <= mark):
            return PRICE_TOO_FAR
    if m[o + ORDER_KIND] != LIMIT and m[o + ORDER_TRIGGER] == 0:
        return BAD_TRIGGER
    if size > VALUE_LIMIT // max(mark, m[o + ORDER_PRICE], m[o + ORDER_TRIGGER], 1):
        return VALUE_TOO_LARGE
    return 0


@jit
def check_trigger(m: Words, o: int, reference: int) -> int:
    """A stop must not be behind the market, nor a market trigger's limit before its trigger.

    Args:
        reference: the entry's price for a protective order, else the mark.
    """
    side, trigger, price = m[o + ORDER_SIDE], m[o + ORDER_TRIGGER], m[o + ORDER_PRICE]
    if m[o + ORDER_MARKET] and price and side * (price - trigger) < 0:
        return BAD_TRIGGER
    if not m[o + ORDER_MARKET] and price == 0:
        return BAD_TRIGGER
    beyond = side * (trigger - reference)
    if m[o + ORDER_KIND] == STOP and beyond <= 0:
        return BAD_TRIGGER
    if m[o + ORDER_KIND] == TAKE and m[o + ORDER_PARENT] and beyond >= 0:
        return BAD_TRIGGER
    return 0


@jit
def crossing_price(m: Words, o: int) -> int:
    """Price at which an order takes from the boundary's book now, 0 when it does not."""
    symbol, side, limit = m[o + ORDER_SYMBOL], m[o + ORDER_SIDE], m[o + ORDER_PRICE]
    s = symbol_at(m, symbol)
    if m[s + PRINT] == 0 or m[o + ORDER_STATE] != RESTING:
        return 0
    touch = m[s + PRINT] + side * half_spread(m, symbol, m[s + PRINT])
    if limit and side * (limit - touch) < 0:
        return 0
    return taker_price(m, symbol, side, m[s + PRINT], limit)


@jit
def check_account(m: Words, o: int, crossing: int) -> int:
    """Checks against account and book: reduce-only, minimum, margin, match. 0 when all hold."""
    account, symbol, side = m[o + ORDER_ACCOUNT], m[o + ORDER_SYMBOL], m[o + ORDER_SIDE]
    a, p = account_at(m, account), position_at(m, account, symbol)
    held, size = m[p + SIZE], m[o + ORDER_SIZE]
    if m[o + ORDER_PARENT] == 0 and m[o + ORDER_REDUCE] and held * side >= 0:
        return REDUCE_INCREASES
    price = crossing
    if price == 0:
        price = m[o + ORDER_PRICE] if m[o + ORDER_PRICE] else m[o + ORDER_TRIGGER]
    if price == 0:
        return NO_MATCH
    if not m[o + ORDER_REDUCE]:
        if opening_size(held, side, size) and price * size < m[MIN_NOTIONAL]:
            return TOO_SMALL
        if not affords(m, o, size, price, m[a + TAKER], crossing != 0):
            return NO_MARGIN
    if m[o + ORDER_KIND] == LIMIT:
        if m[o + ORDER_TIF] == ALO and crossing:
            return WOULD_MATCH
        if (m[o + ORDER_TIF] == IOC or m[o + ORDER_PRICE] == 0) and crossing == 0:
            return NO_MATCH
    elif m[o + ORDER_STATE] == RESTING and crossing == 0 and m[o + ORDER_MARKET]:
        return NO_MATCH
    return 0


@jit
def write_request(m: Words, o: int, account: int, request: Words, row: int, parent: int) -> None:
    """Copy a request into an order row."""
    m[o + ORDER_ID], m[o + ORDER_ACCOUNT], m[o + ORDER_SYMBOL] = 0, account, request[row]
    m[o + ORDER_SIDE], m[o + ORDER_SIZE] = request[row + 1], request[row + 2]
    m[o + ORDER_ORIGINAL], m[o + ORDER_PRICE] = request[row + 2], request[row + 3]
    m[o + ORDER_TRIGGER], m[o + ORDER_KIND] = request[row + 4], request[row + 5]
    m[o + ORDER_MARKET], m[o + ORDER_TIF] = request[row + 6], request[row + 7]
    m[o + ORDER_REDUCE], m[o + ORDER_PARENT] = request[row + 8], parent
    m[o + ORDER_HELD], m[o + ORDER_PLACED_BAR], m[o + ORDER_DONE_BAR] = 0, m[BAR], -1
    m[o + ORDER_STATE] = RESTING if m[o + ORDER_KIND] == LIMIT else WAITING_FOR_TRIGGER


@jit
def admit(m: Words, o: int, reference: int) -> int:
    """All checks in order of precedence; 0, or why the order is refused.

    A take-profit whose condition already holds is triggered at once.
    """
    if m[BAR] >= m[BARS]:
        return HALTED
    reason = check_form(m, o)
    if reason:
        return reason
    account, mark = m[o + ORDER_ACCOUNT], m[symbol_at(m, m[o + ORDER_SYMBOL]) + MARK]
    a = account_at(m, account)
    used = m[a + SEQUENCE] if m[a + SEQUENCE_BAR] == m[BAR] else 0
    if m[a + ACCOUNT_ORDERS] >= ORDERS_PER_ACCOUNT or used >= OID_ACCOUNT - 1:
        return TOO_MANY_ORDERS
    if m[o + ORDER_KIND] != LIMIT:
        reason = check_trigger(m, o, reference if reference else mark)
        if reason:
            return reason
        if m[o + ORDER_PARENT] and not m[o + ORDER_REDUCE]:
            return TRIGGER_NOT_REDUCE
        satisfied = m[o + ORDER_SIDE] * (m[o + ORDER_TRIGGER] - mark) >= 0
        if m[o + ORDER_KIND] == TAKE and satisfied and m[o + ORDER_STATE] == WAITING_FOR_TRIGGER:
            m[o + ORDER_STATE] = RESTING
    elif m[o + ORDER_PARENT] and reference:
        return BAD_TRIGGER
    return check_account(m, o, crossing_price(m, o))


@jit
def enter(m: Words, o: int, replaced: int) -> int:
    """Give an admitted order its id; fill it from the book, or rest it. Returns the oid."""
    account, symbol = m[o + ORDER_ACCOUNT], m[o + ORDER_SYMBOL]
    a, p = account_at(m, account), position_at(m, account, symbol)
    time_ms, crossing = boundary_ms(m, m[BAR]), crossing_price(m, o)
    first = start_sequence(m, a)
    m[a + SEQUENCE] += 1
    oid = first + account * OID_ACCOUNT + m[a + SEQUENCE]
    m[o + ORDER_ID] = oid
    m[o + ORDER_HELD] = held_for(m, o, account, symbol, crossing)
    link(m, o)
    if replaced:
        adopt_children(m, account, symbol, replaced, oid)
    emit_opened(m, time_ms, o)
    if crossing:
        size = m[o + ORDER_SIZE]
        if m[o + ORDER_REDUCE]:
            size = min(size, abs(m[p + SIZE]))
            m[o + ORDER_SIZE] = size
        fill(m, o, size, crossing, m[symbol_at(m, symbol) + PRINT], True, time_ms)
        return oid
    if m[o + ORDER_STATE] == RESTING:
        m[o + ORDER_KIND], m[o + ORDER_TIF] = (
            LIMIT,
            GTC if m[o + ORDER_TIF] == IOC else m[o + ORDER_TIF],
        )
    set_level(m, o)
    if m[o + ORDER_STATE] != WAITING_FOR_FILL:
        note_level(m, o)
    return oid


@jit
def place(state: Words, account: int, requests: Words, count: int, grouped: int) -> int:
    """Entry point: place the orders of one action, in their order.

    Args:
        grouped: the first is an entry, the rest protect it: they wait until it is filled, and are
            refused with it.
    """
    m, request = words(state), words(requests)
    time_ms, entry, parent, refusal = boundary_ms(m, m[BAR]), 0, 0, 0
    for index in range(count):
        row = index * REQUEST_WORDS
        child = grouped and index > 0
        o = 0
        reason = refusal if child else 0
        if reason == 0:
            o = take_row(m)
            reason = 0 if o else TOO_MANY_ORDERS
        if reason == 0:
            write_request(m, o, account, request, row, parent if child else 0)
            reference = 0
            if child:
                waiting = m[entry + ORDER_ID] == parent
                reference = m[symbol_at(m, request[row]) + MARK]
                if waiting:
                    reference = m[entry + ORDER_PRICE] if m[entry + ORDER_PRICE] else reference
                    m[o + ORDER_STATE] = WAITING_FOR_FILL
            reason = admit(m, o, reference)
            if reason:
                give_row(m, o)
        if reason:
            e = emit(m, EVENT_REJECTED, time_ms, account, request[row], 0)
            m[e], m[e + 1] = index, reason
        else:
            oid = enter(m, o, 0)
            if index == 0:
                entry, parent = o, oid
        if index == 0:
            refusal = reason
    return count


@jit
def cancel(state: Words, account: int, symbol: int, oid: int) -> int:
    """Entry point: cancel an open order, and the protective orders that wait for it."""
    m = words(state)
    time_ms = boundary_ms(m, m[BAR])
    o = find(m, account, symbol, oid)
    if o == 0:
        e = emit(m, EVENT_REFUSED, time_ms, account, symbol, oid)
        m[e] = UNKNOWN_ORDER
        return UNKNOWN_ORDER
    cancel_children(m, account, symbol, oid, time_ms)
    close(m, o, CANCELED, m[o + ORDER_HELD], time_ms)
    refresh_position(m, account, symbol)
    refresh_symbol(m, symbol)
    return 0


@jit
def modify(state: Words, account: int, oid: int, requests: Words) -> int:
    """Entry point: replace an open order, under a new id; on a refusal the old one stays."""
    m, request = words(state), words(requests)
    time_ms, symbol = boundary_ms(m, m[BAR]), request[0]
    old = find(m, account, symbol, oid)
    o = take_row(m) if old else 0
    reason = CANNOT_MODIFY if old == 0 else TOO_MANY_ORDERS if o == 0 else 0
    if reason == 0:
        write_request(m, o, account, request, 0, m[old + ORDER_PARENT])
        if m[old + ORDER_STATE] == WAITING_FOR_FILL:
            m[o + ORDER_STATE] = WAITING_FOR_FILL
        unlink(m, old)
        reason = admit(m, o, 0)
        if reason:
            link(m, old)
            give_row(m, o)
    if reason:
        e = emit(m, EVENT_REFUSED, time_ms, account, symbol, oid)
        m[e] = reason
        return reason
    emit_closed(m, time_ms, old, CANCELED, m[old + ORDER_HELD])
    give_row(m, old)
    enter(m, o, oid)
    refresh_position(m, account, symbol)
    refresh_symbol(m, symbol)
    return 0
