"""The order table: a free list, and a list per position. Accounts never meet in it."""

from perp_engine.kernel.jit import Words, apart, jit
from perp_engine.kernel.layout import (
    ACCOUNT_ORDERS,
    CANCELED,
    DOLLAR,
    FIRST_OWN,
    FOLLOWS,
    FREE_ORDER,
    LIMIT,
    OPEN_ORDERS,
    ORDER_ACCOUNT,
    ORDER_CLOID,
    ORDER_CLOID_LOW,
    ORDER_FALLS,
    ORDER_GROUP,
    ORDER_HELD,
    ORDER_ID,
    ORDER_KIND,
    ORDER_LEVEL,
    ORDER_MARGIN,
    ORDER_NAMED,
    ORDER_NEXT,
    ORDER_PREVIOUS,
    ORDER_PRICE,
    ORDER_REDUCE,
    ORDER_SIDE,
    ORDER_SIZE,
    ORDER_STATE,
    ORDER_SYMBOL,
    ORDER_TRIGGER,
    ORDER_WHOLE,
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
from perp_engine.kernel.nearest import note_order, refresh


@jit
def tick_of(price: int, dollar: int) -> int:
    """Distance between valid order prices: five significant figures, whole dollars always valid."""
    step, above = 1, 100_000
    while price >= above:
        above *= 10
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
    """The reverse of `link`. The position's leaf may stay too near: costs a look, never a fill."""
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
def end_waiting(m: Words, account: int, symbol: int, entry: int, why: int, time_ms: int) -> None:
    """End the legs of an entry that will not fill any more."""
    o = m[position_at(m, account, symbol) + FIRST_OWN]
    while o:
        following = m[o + ORDER_NEXT]
        if m[o + ORDER_GROUP] == entry and m[o + ORDER_STATE] == WAITING_FOR_FILL:
            close(m, o, why, m[o + ORDER_HELD], time_ms)
        o = following


@apart
def end(m: Words, o: int, why: int, time_ms: int) -> None:
    """End an order that is not filled, and the legs that wait for it."""
    account, symbol, oid = m[o + ORDER_ACCOUNT], m[o + ORDER_SYMBOL], m[o + ORDER_ID]
    if m[o + ORDER_GROUP] == 0:
        end_waiting(m, account, symbol, oid, CANCELED, time_ms)
    close(m, o, why, m[o + ORDER_HELD], time_ms)


@jit
def find(m: Words, account: int, symbol: int, oid: int) -> int:
    """Row of an open order, 0 when there is none."""
    o = m[position_at(m, account, symbol) + FIRST_OWN]
    while o and m[o + ORDER_ID] != oid:
        o = m[o + ORDER_NEXT]
    return o


@jit
def find_cloid(m: Words, account: int, symbol: int, high: int, low: int) -> int:
    """Row of the open order with a client order id, 0 when there is none."""
    found = 0
    o = m[position_at(m, account, symbol) + FIRST_OWN]
    while o and found == 0:
        if m[o + ORDER_NAMED] and m[o + ORDER_CLOID] == high and m[o + ORDER_CLOID_LOW] == low:
            found = o
        o = m[o + ORDER_NEXT]
    return found


@jit
def cloid_lives(m: Words, account: int, high: int, low: int) -> bool:
    """Whether an open order of the account has this client order id."""
    found = 0
    for symbol in range(m[SYMBOLS]):
        found = max(found, find_cloid(m, account, symbol, high, low))
    return found != 0


@jit
def arm(m: Words, account: int, symbol: int, entry: int, time_ms: int) -> None:
    """Turn the legs of an entry that is filled into triggers."""
    o = m[position_at(m, account, symbol) + FIRST_OWN]
    while o:
        if m[o + ORDER_GROUP] == entry and m[o + ORDER_STATE] == WAITING_FOR_FILL:
            m[o + ORDER_STATE] = WAITING_FOR_TRIGGER
            note_order(m, o)
            emit_changed(m, time_ms, o)
        o = m[o + ORDER_NEXT]


@jit
def adopt(m: Words, account: int, symbol: int, old: int, new: int) -> None:
    """Hang the legs of a modified entry onto its successor."""
    o = m[position_at(m, account, symbol) + FIRST_OWN]
    while o:
        if m[o + ORDER_GROUP] == old and m[o + ORDER_STATE] == WAITING_FOR_FILL:
            m[o + ORDER_GROUP] = new
        o = m[o + ORDER_NEXT]


@jit
def shrink_siblings(
    m: Words, account: int, symbol: int, group: int, but: int, size: int, time_ms: int
) -> None:
    """A leg filled `size`: the others of its group shrink by it, and end at nothing."""
    o = m[position_at(m, account, symbol) + FIRST_OWN]
    while o:
        following = m[o + ORDER_NEXT]
        if m[o + ORDER_GROUP] == group and m[o + ORDER_ID] != but:
            if m[o + ORDER_SIZE] <= size:
                close(m, o, SIBLING_CANCELED, m[o + ORDER_HELD], time_ms)
            else:
                m[o + ORDER_SIZE] -= size
                emit_changed(m, time_ms, o)
        o = following


@jit
def follow_position(m: Words, account: int, symbol: int, time_ms: int) -> None:
    """Bring the reduce-only orders of a position in line with it, and reserve margin anew."""
    p = position_at(m, account, symbol)
    o = m[p + FIRST_OWN]
    while o:
        following = m[o + ORDER_NEXT]
        if m[o + ORDER_REDUCE] and m[o + ORDER_STATE] != WAITING_FOR_FILL:
            room = -m[p + SIZE] * m[o + ORDER_SIDE]
            if room <= 0:
                end(m, o, REDUCE_ONLY_CANCELED, time_ms)
                # its legs may have ended with it, the following one among them
                following = m[p + FIRST_OWN]
            elif m[o + ORDER_SIZE] > room or (
                m[o + ORDER_WHOLE] == FOLLOWS and m[o + ORDER_SIZE] != room
            ):
                m[o + ORDER_SIZE] = room
                emit_changed(m, time_ms, o)
        o = following
    reserve_again(m, account, symbol)


@jit
def is_plain_reduce(m: Words, o: int, side: int) -> bool:
    """Whether an order is a reduce-only limit, no trigger and of no group."""
    plain = m[o + ORDER_TRIGGER] == 0 and m[o + ORDER_GROUP] == 0
    return plain and m[o + ORDER_REDUCE] != 0 and m[o + ORDER_SIDE] == side


@apart
def make_way(m: Words, new: int, account: int, symbol: int, time_ms: int) -> None:
    """End the oldest plain reduce-only limits while together they exceed the position."""
    p, side = position_at(m, account, symbol), m[new + ORDER_SIDE]
    while True:
        total, oldest = 0, 0
        o = m[p + FIRST_OWN]
        while o:
            if is_plain_reduce(m, o, side):
                total += m[o + ORDER_SIZE]
                if o != new and (oldest == 0 or m[o + ORDER_ID] < m[oldest + ORDER_ID]):
                    oldest = o
            o = m[o + ORDER_NEXT]
        if oldest == 0 or total <= abs(m[p + SIZE]):
            return
        end(m, oldest, REDUCE_ONLY_CANCELED, time_ms)


@jit
def end_all(m: Words, account: int, symbol: int, why: int, time_ms: int) -> None:
    """End every order of a position."""
    p = position_at(m, account, symbol)
    if m[p + FIRST_OWN] == 0:
        return
    while m[p + FIRST_OWN]:
        o = m[p + FIRST_OWN]
        close(m, o, why, m[o + ORDER_HELD], time_ms)
    refresh(m, account, symbol)


@apart
def end_account(m: Words, account: int, why: int, time_ms: int) -> None:
    """End every order of an account."""
    for symbol in range(m[SYMBOLS]):
        if m[account_at(m, account) + ACCOUNT_ORDERS] == 0:
            return
        end_all(m, account, symbol, why, time_ms)
