"""Actions on orders: what they ask for, done now or on its way to the venue."""

from perp_engine.kernel.jit import Words, apart, jit
from perp_engine.kernel.layout import (
    ACTION_ACCOUNT,
    ACTION_ARRIVES,
    ACTION_COUNT,
    ACTION_EXPIRES,
    ACTION_GROUPING,
    ACTION_KIND,
    ACTION_OID,
    ACTION_WORDS,
    AT_SENT,
    BAR,
    BARS,
    CANCEL,
    CANCEL_CLOID,
    EVENT_SENT,
    HALTED,
    LATENCY,
    MODIFY,
    NOW_MS,
    ORDER_CLOID,
    ORDER_CLOID_LOW,
    ORDER_SYMBOL,
    PLACE,
    REPLACE,
    REQUEST_WORDS,
    SENT_FIRST,
    SENT_MAX,
    SENT_ORDERS,
    SENT_USED,
    TIMER_BAR,
    TOO_LATE,
    TOO_MANY_ORDERS,
    boundary_ms,
    boundary_of,
)
from perp_engine.kernel.log import emit
from perp_engine.kernel.placing import (
    cancel_all_now,
    cancel_cloid_now,
    cancel_now,
    modify_now,
    place_now,
    refuse,
    reject,
)
from perp_engine.kernel.tape import sync


@jit
def carry_out(m: Words, t: Words, q: Words, r: int) -> int:
    """Do what an action asks for, here and now."""
    kind, account, first = q[r + ACTION_KIND], q[r + ACTION_ACCOUNT], r + ACTION_WORDS
    symbol = q[first + ORDER_SYMBOL]
    if kind == REPLACE:
        cancel_all_now(m, account)
    if kind in (PLACE, REPLACE):
        return place_now(m, t, account, q, first, q[r + ACTION_COUNT], q[r + ACTION_GROUPING])
    if kind == MODIFY:
        return modify_now(m, t, q, r)
    if kind == CANCEL:
        return cancel_now(m, account, symbol, q[r + ACTION_OID])
    if kind == CANCEL_CLOID:
        high, low = q[first + ORDER_CLOID], q[first + ORDER_CLOID_LOW]
        return cancel_cloid_now(m, account, symbol, high, low)
    return cancel_all_now(m, account)


@apart
def perform(m: Words, t: Words, q: Words, r: int) -> int:
    """Do what the action at `r` asks for, unless the world has ended or it comes too late."""
    kind, account, oid = q[r + ACTION_KIND], q[r + ACTION_ACCOUNT], q[r + ACTION_OID]
    first = r + ACTION_WORDS
    placing, ended = kind in (PLACE, REPLACE), m[BAR] >= m[BARS]
    if ended and not placing:
        return refuse(m, account, q[first + ORDER_SYMBOL], oid, HALTED)
    if ended or not 0 < q[r + ACTION_EXPIRES] < q[r + ACTION_ARRIVES]:
        return carry_out(m, t, q, r)
    if not placing:
        return refuse(m, account, q[first + ORDER_SYMBOL], oid, TOO_LATE)
    for index in range(q[r + ACTION_COUNT]):
        symbol = q[first + index * REQUEST_WORDS + ORDER_SYMBOL]
        reject(m, account, symbol, index, TOO_LATE)
    return TOO_LATE


@jit
def move_up(m: Words) -> None:
    """Bring the queue to the start of its table."""
    for word in range(m[AT_SENT], m[AT_SENT] + m[SENT_USED]):
        m[word] = m[word + m[SENT_FIRST]]
    m[SENT_FIRST] = 0


@apart
def send(m: Words, q: Words, r: int) -> int:
    """Put an action on its way: into the queue, behind the time of its arrival."""
    account, oid, count = q[r + ACTION_ACCOUNT], q[r + ACTION_OID], q[r + ACTION_COUNT]
    words = ACTION_WORDS + count * REQUEST_WORDS
    if m[SENT_USED] + words > m[SENT_MAX]:
        return refuse(m, account, 0, oid, TOO_MANY_ORDERS)
    if m[SENT_FIRST] + m[SENT_USED] + words > m[SENT_MAX]:
        move_up(m)
    row = m[AT_SENT] + m[SENT_FIRST] + m[SENT_USED]
    for word in range(words):
        m[row + word] = q[r + word]
    m[SENT_USED] += words
    m[SENT_ORDERS] += count
    due = boundary_of(m, q[r + ACTION_ARRIVES])
    m[TIMER_BAR] = min(m[TIMER_BAR], due)
    e = emit(m, EVENT_SENT, m[NOW_MS], account, 0, 0)
    m[e] = boundary_ms(m, due)
    return 0


@jit
def submit(m: Words, t: Words, q: Words, r: int) -> int:
    """Carry out the action at `r` now or, in a world with latency, later."""
    sync(m, t)
    q[r + ACTION_ARRIVES] = m[NOW_MS] + m[LATENCY]
    if m[LATENCY] and m[BAR] < m[BARS]:
        return send(m, q, r)
    return perform(m, t, q, r)


@jit
def receive(m: Words, t: Words) -> None:
    """Carry out what has arrived by now."""
    while m[SENT_USED]:
        row = m[AT_SENT] + m[SENT_FIRST]
        if m[row + ACTION_ARRIVES] > m[NOW_MS]:
            return
        count = m[row + ACTION_COUNT]
        perform(m, t, m, row)
        words = ACTION_WORDS + count * REQUEST_WORDS
        m[SENT_FIRST] += words
        m[SENT_USED] -= words
        m[SENT_ORDERS] -= count
