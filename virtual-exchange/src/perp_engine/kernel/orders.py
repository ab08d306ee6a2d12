"""The order table: a free list, and a list per position. Accounts never meet in it."""

from perp_engine.kernel.jit import Words, jit
from perp_engine.kernel.layout import (
    ACCOUNT_ORDERS,
    ACCOUNTS,
    AT_HIGH,
    AT_LOW,
    CANCELED,
    DOLLAR,
    FIRST_OWN,
    FREE_ORDER,
    HIGH_TRIGGER,
    HIGHEST,
    LIMIT,
    LOW_TRIGGER,
    LOWEST,
    OPEN_ORDERS,
    ORDER_ACCOUNT,
    ORDER_FALLS,
    ORDER_HELD,
    ORDER_ID,
    ORDER_KIND,
    ORDER_LEVEL,
    ORDER_MARGIN,
    ORDER_NEXT,
    ORDER_PARENT,
    ORDER_PREVIOUS,
    ORDER_PRICE,
    ORDER_REDUCE,
    ORDER_SIDE,
    ORDER_SIZE,
    ORDER_STATE,
    ORDER_SYMBOL,
    ORDER_TRIGGER,
    ORDER_WORDS,
    REDUCE_ONLY_CANCELED,
    SIBLING_CANCELED,
    SIZE,
    STOP,
    SYMBOLS,
    THROUGH,
    WAITING_FOR_FILL,
    WAITING_FOR_TRIGGER,
    account_at,
    position_at,
    symbol_at,
)
from perp_engine.kernel.log import emit_changed, emit_closed
from perp_engine.kernel.margin import reserve_again


@jit
def tick_of(price: int, dollar: int) -> int:
    """Distance between valid order prices: five significant figures, whole dollars always valid."""
    step = 1
    while price >= 100_000:
        price //= 10
        step *= 10
    return min(step, dollar)


@jit
def set_level(m: Words, o: int) -> None:
    """Cache the price at which the path meets an order, and whether it must fall to it.

    A resting limit is met when the bar trades a tick beyond it (`through`), since the queue before
    it is unknown, or at its price (`touch`). A stop and the take-profit of the other side look in
    opposite directions: the kind decides, not the side alone.
    """
    price, buys = m[o + ORDER_PRICE], m[o + ORDER_SIDE] > 0
    if m[o + ORDER_KIND] == LIMIT:
        step = tick_of(price, m[symbol_at(m, m[o + ORDER_SYMBOL]) + DOLLAR]) if m[THROUGH] else 0
        m[o + ORDER_FALLS] = buys
        m[o + ORDER_LEVEL] = price - step if buys else price + step
    else:
        m[o + ORDER_FALLS] = (m[o + ORDER_KIND] == STOP) != buys
        m[o + ORDER_LEVEL] = m[o + ORDER_TRIGGER]


@jit
def note_level(m: Words, o: int) -> None:
    """Let the caches of position and symbol know of an active order."""
    symbol = m[o + ORDER_SYMBOL]
    s = symbol_at(m, symbol)
    row = symbol * m[ACCOUNTS] + m[o + ORDER_ACCOUNT]
    level = m[o + ORDER_LEVEL]
    if m[o + ORDER_FALLS]:
        m[m[AT_LOW] + row] = max(m[m[AT_LOW] + row], level)
        m[s + LOW_TRIGGER] = max(m[s + LOW_TRIGGER], level)
    else:
        m[m[AT_HIGH] + row] = min(m[m[AT_HIGH] + row], level)
        m[s + HIGH_TRIGGER] = min(m[s + HIGH_TRIGGER], level)


@jit
def refresh_position(m: Words, account: int, symbol: int) -> None:
    """Make a position's cached levels exact. Between calls they may be too near, never too far."""
    low, high = LOWEST, HIGHEST
    o = m[position_at(m, account, symbol) + FIRST_OWN]
    while o:
        if m[o + ORDER_STATE] != WAITING_FOR_FILL:
            if m[o + ORDER_FALLS]:
                low = max(low, m[o + ORDER_LEVEL])
            else:
                high = min(high, m[o + ORDER_LEVEL])
        o = m[o + ORDER_NEXT]
    row = symbol * m[ACCOUNTS] + account
    m[m[AT_LOW] + row], m[m[AT_HIGH] + row] = low, high


@jit
def refresh_symbol(m: Words, symbol: int) -> None:
    """Bring the caches of all positions of a symbol together."""
    low, high = LOWEST, HIGHEST
    row = symbol * m[ACCOUNTS]
    for account in range(m[ACCOUNTS]):
        low = max(low, m[m[AT_LOW] + row + account])
        high = min(high, m[m[AT_HIGH] + row + account])
    s = symbol_at(m, symbol)
    m[s + LOW_TRIGGER], m[s + HIGH_TRIGGER] = low, high


@jit
def take_row(m: Words) -> int:
    """A free row of the order table, 0 when there is none."""
    o = m[FREE_ORDER]
    if o:
        m[FREE_ORDER] = m[o + ORDER_NEXT]
    return o


@jit
def give_row(m: Words, o: int) -> None:
    """Return a row to the free list, blank: a refused order leaves no trace in the state."""
    for word in range(ORDER_WORDS):
        m[o + word] = 0
    m[o + ORDER_NEXT] = m[FREE_ORDER]
    m[FREE_ORDER] = o


@jit
def link(m: Words, o: int) -> None:
    """Put an order at the head of its position's list and reserve its margin."""
    account = m[o + ORDER_ACCOUNT]
    a, p = account_at(m, account), position_at(m, account, m[o + ORDER_SYMBOL])
    head = m[p + FIRST_OWN]
    m[o + ORDER_NEXT], m[o + ORDER_PREVIOUS] = head, 0
    if head:
        m[head + ORDER_PREVIOUS] = o
    m[p + FIRST_OWN] = o
    m[a + ORDER_MARGIN] += m[o + ORDER_HELD]
    m[a + ACCOUNT_ORDERS] += 1
    m[OPEN_ORDERS] += 1


@jit
def unlink(m: Words, o: int) -> None:
    """The reverse of `link`. Cached levels may stay too near; that costs a look, never a fill."""
    account = m[o + ORDER_ACCOUNT]
    a, p = account_at(m, account), position_at(m, account, m[o + ORDER_SYMBOL])
    before, after = m[o + ORDER_PREVIOUS], m[o + ORDER_NEXT]
    if before:
        m[before + ORDER_NEXT] = after
    else:
        m[p + FIRST_OWN] = after
    if after:
        m[after + ORDER_PREVIOUS] = before
    m[a + ORDER_MARGIN] -= m[o + ORDER_HELD]
    m[a + ACCOUNT_ORDERS] -= 1
    m[OPEN_ORDERS] -= 1


@jit
def close(m: Words, o: int, why: int, refunded: int, time_ms: int) -> None:
    """End an order's life."""
    emit_closed(m, time_ms, o, why, refunded)
    unlink(m, o)
    give_row(m, o)


@jit
def find(m: Words, account: int, symbol: int, oid: int) -> int:
    """Row of an open order, 0 when there is none."""
    o = m[position_at(m, account, symbol) + FIRST_OWN]
    while o and m[o + ORDER_ID] != oid:
        o = m[o + ORDER_NEXT]
    return o


@jit
def cancel_children(m: Words, account: int, symbol: int, parent: int, time_ms: int) -> None:
    """Cancel the protective orders of an entry that will not fill any more."""
    o = m[position_at(m, account, symbol) + FIRST_OWN]
    while o:
        following = m[o + ORDER_NEXT]
        if m[o + ORDER_PARENT] == parent and m[o + ORDER_STATE] == WAITING_FOR_FILL:
            close(m, o, CANCELED, m[o + ORDER_HELD], time_ms)
        o = following


@jit
def activate_children(m: Words, account: int, symbol: int, parent: int, time_ms: int) -> None:
    """Arm the protective orders of an entry that is filled."""
    o = m[position_at(m, account, symbol) + FIRST_OWN]
    while o:
        if m[o + ORDER_PARENT] == parent and m[o + ORDER_STATE] == WAITING_FOR_FILL:
            m[o + ORDER_STATE] = WAITING_FOR_TRIGGER
            note_level(m, o)
            emit_changed(m, time_ms, o)
        o = m[o + ORDER_NEXT]


@jit
def adopt_children(m: Words, account: int, symbol: int, old: int, new: int) -> None:
    """Hang the protective orders of a modified entry onto its successor."""
    o = m[position_at(m, account, symbol) + FIRST_OWN]
    while o:
        if m[o + ORDER_PARENT] == old:
            m[o + ORDER_PARENT] = new
        o = m[o + ORDER_NEXT]


@jit
def shrink_siblings(
    m: Words, account: int, symbol: int, parent: int, size: int, time_ms: int
) -> None:
    """One of two protective orders filled `size`: the other shrinks by it, and ends at nothing."""
    o = m[position_at(m, account, symbol) + FIRST_OWN]
    while o:
        following = m[o + ORDER_NEXT]
        if m[o + ORDER_PARENT] == parent:
            if m[o + ORDER_SIZE] <= size:
                close(m, o, SIBLING_CANCELED, m[o + ORDER_HELD], time_ms)
            else:
                m[o + ORDER_SIZE] -= size
                emit_changed(m, time_ms, o)
        o = following


@jit
def follow_position(m: Words, account: int, symbol: int, time_ms: int) -> None:
    """Trim reduce-only orders to the position, end those it left behind, reserve margin anew."""
    p = position_at(m, account, symbol)
    o = m[p + FIRST_OWN]
    while o:
        following = m[o + ORDER_NEXT]
        if m[o + ORDER_REDUCE] and m[o + ORDER_STATE] != WAITING_FOR_FILL:
            room = -m[p + SIZE] * m[o + ORDER_SIDE]
            if room <= 0:
                close(m, o, REDUCE_ONLY_CANCELED, m[o + ORDER_HELD], time_ms)
            elif m[o + ORDER_SIZE] > room:
                m[o + ORDER_SIZE] = room
                emit_changed(m, time_ms, o)
        o = following
    reserve_again(m, account, symbol)


@jit
def cancel_everything(m: Words, why: int, time_ms: int) -> None:
    """End every order of every account."""
    for symbol in range(m[SYMBOLS]):
        for account in range(m[ACCOUNTS]):
            p = position_at(m, account, symbol)
            while m[p + FIRST_OWN]:
                o = m[p + FIRST_OWN]
                close(m, o, why, m[o + ORDER_HELD], time_ms)
            refresh_position(m, account, symbol)
        refresh_symbol(m, symbol)
