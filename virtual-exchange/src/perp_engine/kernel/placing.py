"""What happens when an action on orders arrives: admission, then the book, or rest."""

from perp_engine.kernel.admission import (
    admit,
    check_batch,
    check_form,
    check_leg,
    entry_reference,
)
from perp_engine.kernel.filling import fill, start_sequence
from perp_engine.kernel.jit import Words, apart, jit
from perp_engine.kernel.layout import (
    ACTION_ACCOUNT,
    ACTION_OID,
    ACTION_WORDS,
    BAR,
    CANCELED,
    CANNOT_MODIFY,
    ENTRY_FIRST,
    EVENT_REFUSED,
    EVENT_REJECTED,
    FIXED,
    FOLLOWS,
    GTC,
    IOC,
    LIMIT,
    MARK,
    NEXT_CANCEL,
    OF_POSITION,
    OID_ACCOUNT,
    ORDER_ACCOUNT,
    ORDER_DONE_BAR,
    ORDER_EXPIRES,
    ORDER_GROUP,
    ORDER_HELD,
    ORDER_ID,
    ORDER_KIND,
    ORDER_LEVEL,
    ORDER_ORIGINAL,
    ORDER_PLACED_BAR,
    ORDER_REDUCE,
    ORDER_SIDE,
    ORDER_SIZE,
    ORDER_STATE,
    ORDER_SYMBOL,
    ORDER_TIF,
    ORDER_WHOLE,
    REQUEST_WORDS,
    RESTING,
    SEQUENCE,
    SIZE,
    SYMBOLS,
    TIMER_BAR,
    TOO_MANY_ORDERS,
    UNKNOWN_ORDER,
    WAITING_FOR_FILL,
    WAITING_FOR_TRIGGER,
    account_at,
    boundary_ms,
    boundary_of,
    position_at,
    symbol_at,
)
from perp_engine.kernel.log import emit, emit_closed, emit_opened
from perp_engine.kernel.margin import held_for
from perp_engine.kernel.nearest import note_order, refresh
from perp_engine.kernel.orders import (
    adopt,
    end,
    end_account,
    find,
    find_cloid,
    follow_position,
    give_row,
    is_plain_reduce,
    link,
    make_way,
    set_level,
    take_row,
    unlink,
)

FIRST_LEG = -1
"""Group of the first leg of a position: it is named after itself."""


@jit
def coming_oid(m: Words, account: int) -> int:
    """Id of the next order of an account in the present bar."""
    a = account_at(m, account)
    return start_sequence(m, a) + account * OID_ACCOUNT + m[a + SEQUENCE] + 1


@jit
def write_request(m: Words, o: int, account: int, q: Words, r: int) -> None:
    """Copy a request into an order row."""
    for word in range(REQUEST_WORDS):
        m[o + word] = q[r + word]
    m[o + ORDER_ID], m[o + ORDER_ACCOUNT], m[o + ORDER_ORIGINAL] = 0, account, q[r + ORDER_SIZE]
    m[o + ORDER_GROUP], m[o + ORDER_WHOLE], m[o + ORDER_HELD], m[o + ORDER_LEVEL] = 0, 0, 0, 0
    m[o + ORDER_PLACED_BAR], m[o + ORDER_DONE_BAR] = m[BAR], -1
    m[o + ORDER_STATE] = RESTING if m[o + ORDER_KIND] == LIMIT else WAITING_FOR_TRIGGER


@jit
def attach(m: Words, o: int) -> None:
    """Mark a leg of the position; of size 0 it gets that of the position, and follows it."""
    m[o + ORDER_WHOLE] = FIXED
    if m[o + ORDER_SIZE] == 0:
        size = abs(m[position_at(m, m[o + ORDER_ACCOUNT], m[o + ORDER_SYMBOL]) + SIZE])
        m[o + ORDER_WHOLE], m[o + ORDER_SIZE], m[o + ORDER_ORIGINAL] = FOLLOWS, size, size


@jit
def note_expiry(m: Words, o: int) -> None:
    """Have the clock look at an order when it expires: at the next boundary at the earliest."""
    if m[o + ORDER_EXPIRES]:
        m[NEXT_CANCEL] = min(m[NEXT_CANCEL], m[o + ORDER_EXPIRES])
        m[TIMER_BAR] = min(m[TIMER_BAR], max(boundary_of(m, m[o + ORDER_EXPIRES]), m[BAR] + 1))


@jit
def enter(m: Words, o: int, replaced: int) -> int:
    """Give an admitted order its id; fill it from the book, or rest it. Returns the oid."""
    account, symbol = m[o + ORDER_ACCOUNT], m[o + ORDER_SYMBOL]
    p = position_at(m, account, symbol)
    time_ms, crossing = boundary_ms(m, m[BAR]), m[o + ORDER_LEVEL]
    oid = coming_oid(m, account)
    m[account_at(m, account) + SEQUENCE] += 1
    m[o + ORDER_ID] = oid
    if m[o + ORDER_REDUCE] and m[o + ORDER_STATE] != WAITING_FOR_FILL:
        m[o + ORDER_SIZE] = min(m[o + ORDER_SIZE], abs(m[p + SIZE]))
    m[o + ORDER_HELD] = held_for(m, o, account, symbol, crossing)
    link(m, o)
    if replaced:
        adopt(m, account, symbol, replaced, oid)
    if crossing == 0 and m[o + ORDER_STATE] == RESTING:
        m[o + ORDER_KIND] = LIMIT
        if m[o + ORDER_TIF] == IOC:
            m[o + ORDER_TIF] = GTC
    emit_opened(m, time_ms, o)
    if crossing:
        fill(m, o, m[o + ORDER_SIZE], crossing, True)
        return oid
    set_level(m, o)
    if m[o + ORDER_STATE] != WAITING_FOR_FILL:
        note_order(m, o)
    note_expiry(m, o)
    if is_plain_reduce(m, o, m[o + ORDER_SIDE]):
        make_way(m, o, account, symbol, time_ms)
    return oid


@jit
def reject(m: Words, account: int, symbol: int, index: int, reason: int) -> None:
    """Tell that an order of a batch is refused."""
    e = emit(m, EVENT_REJECTED, boundary_ms(m, m[BAR]), account, symbol, 0)
    m[e], m[e + 1] = index, reason


@jit
def place_one(m: Words, t: Words, account: int, q: Words, r: int, index: int, group: int) -> int:
    """Place one order by itself; returns its oid, or a reason. Legs of a position have a group."""
    o = take_row(m)
    reason = TOO_MANY_ORDERS
    if o:
        write_request(m, o, account, q, r)
        if group:
            attach(m, o)
            m[o + ORDER_GROUP] = group
        reason = admit(m, t, o)
        if reason == 0:
            if group == -1:
                a = account_at(m, account)
                m[o + ORDER_GROUP] = (
                    start_sequence(m, a) + account * OID_ACCOUNT + m[a + SEQUENCE] + 1
                )
            return enter(m, o, 0)
        give_row(m, o)
    reject(m, account, q[r + ORDER_SYMBOL], index, reason)
    return reason


@jit
def place_leg(
    m: Words, account: int, q: Words, r: int, entry: int, armed: bool, index: int
) -> None:
    """Hang a leg onto its entry. The batch was checked; an entry never goes without its legs."""
    o = take_row(m)
    if o == 0:
        reject(m, account, q[r + ORDER_SYMBOL], index, TOO_MANY_ORDERS)
        return
    write_request(m, o, account, q, r)
    m[o + ORDER_GROUP] = entry
    m[o + ORDER_STATE] = WAITING_FOR_TRIGGER if armed else WAITING_FOR_FILL
    m[o + ORDER_ID] = coming_oid(m, account)
    m[account_at(m, account) + SEQUENCE] += 1
    link(m, o)
    set_level(m, o)
    if armed:
        note_order(m, o)
    note_expiry(m, o)
    emit_opened(m, boundary_ms(m, m[BAR]), o)


@jit
def place_now(
    m: Words, t: Words, account: int, q: Words, at: int, count: int, grouping: int
) -> int:
    """Place the orders of one action, in their order. Returns the oid of the first, or a reason."""
    reason = check_batch(m, account, q, at, count, grouping)
    if reason:
        for index in range(count):
            reject(m, account, q[at + index * REQUEST_WORDS + ORDER_SYMBOL], index, reason)
        return reason
    symbol = q[at + ORDER_SYMBOL]
    group = FIRST_LEG if grouping == OF_POSITION else 0
    first = 0
    for index in range(count):
        r = at + index * REQUEST_WORDS
        if grouping == ENTRY_FIRST and index > 0:
            if first < 0:
                reject(m, account, symbol, index, first)
            else:
                armed = find(m, account, symbol, first) == 0
                place_leg(m, account, q, r, first, armed, index)
            continue
        oid = place_one(m, t, account, q, r, index, group)
        if index == 0:
            first = oid
        if group == FIRST_LEG and oid > 0:
            group = oid
    if grouping == ENTRY_FIRST and first > 0 and find(m, account, symbol, first) == 0:
        follow_position(m, account, symbol, boundary_ms(m, m[BAR]))
    return first


@jit
def refuse(m: Words, account: int, symbol: int, oid: int, reason: int) -> int:
    """Tell that an action is refused; returns the reason."""
    e = emit(m, EVENT_REFUSED, boundary_ms(m, m[BAR]), account, symbol, oid)
    m[e] = reason
    return reason


@jit
def cancel_row(m: Words, account: int, symbol: int, o: int) -> int:
    """Cancel an order, and the legs that wait for it."""
    if o == 0:
        return refuse(m, account, symbol, 0, UNKNOWN_ORDER)
    end(m, o, CANCELED, boundary_ms(m, m[BAR]))
    refresh(m, account, symbol)
    return 0


@jit
def cancel_now(m: Words, account: int, symbol: int, oid: int) -> int:
    """Cancel by the venue's order id."""
    o = 0
    if 0 <= symbol < m[SYMBOLS]:
        o = find(m, account, symbol, oid)
    return cancel_row(m, account, symbol, o)


@jit
def cancel_cloid_now(m: Words, account: int, symbol: int, high: int, low: int) -> int:
    """Cancel by the client's order id."""
    o = 0
    if 0 <= symbol < m[SYMBOLS]:
        o = find_cloid(m, account, symbol, high, low)
    return cancel_row(m, account, symbol, o)


@jit
def cancel_all_now(m: Words, account: int) -> int:
    """Cancel everything of an account."""
    end_account(m, account, CANCELED, boundary_ms(m, m[BAR]))
    return 0


@jit
def check_modified(m: Words, account: int, old: int, q: Words, r: int) -> int:
    """Batch checks of what is to replace an order; a leg stays a leg."""
    group = m[old + ORDER_GROUP]
    reason = check_form(m, q, r, m[old + ORDER_WHOLE] != 0)
    if reason or group == 0:
        return reason
    symbol = m[old + ORDER_SYMBOL]
    entry = find(m, account, symbol, group)
    reference = m[symbol_at(m, symbol) + MARK]
    if entry and m[entry + ORDER_GROUP] == 0:
        reference = entry_reference(m, entry, m[entry + ORDER_STATE] != RESTING, reference)
    return check_leg(q, r, symbol, reference)


@apart
def modify_now(m: Words, t: Words, q: Words, action: int) -> int:
    """Replace an open order, under a new id; on a refusal the old one stays."""
    account, oid, r = q[action + ACTION_ACCOUNT], q[action + ACTION_OID], action + ACTION_WORDS
    time_ms, symbol = boundary_ms(m, m[BAR]), q[r + ORDER_SYMBOL]
    old = 0
    if 0 <= symbol < m[SYMBOLS]:
        old = find(m, account, symbol, oid)
    if old == 0:
        return refuse(m, account, symbol, oid, CANNOT_MODIFY)
    reason = check_modified(m, account, old, q, r)
    o = take_row(m) if reason == 0 else 0
    if reason == 0 and o == 0:
        reason = TOO_MANY_ORDERS
    if reason == 0:
        write_request(m, o, account, q, r)
        m[o + ORDER_GROUP] = m[old + ORDER_GROUP]
        if m[old + ORDER_WHOLE]:
            attach(m, o)
        unlink(m, old)
        if m[old + ORDER_STATE] == WAITING_FOR_FILL:
            m[o + ORDER_STATE] = WAITING_FOR_FILL
        else:
            reason = admit(m, t, o)
        if reason:
            link(m, old)
            give_row(m, o)
    if reason:
        return refuse(m, account, symbol, oid, reason)
    emit_closed(m, time_ms, old, CANCELED, m[old + ORDER_HELD])
    give_row(m, old)
    enter(m, o, oid)
    refresh(m, account, symbol)
    return 0
