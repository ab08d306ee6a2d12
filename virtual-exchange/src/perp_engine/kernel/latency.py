"""Actions on orders on their way to the venue: a queue in the order they were sent."""

from perp_engine.kernel.jit import Words, jit
from perp_engine.kernel.layout import (
    AT_SENT,
    BAR,
    BARS,
    CANCEL,
    CANCEL_CLOID,
    EVENT_SENT,
    HALTED,
    LATENCY,
    MODIFY,
    ORDER_CLOID,
    ORDER_CLOID_LOW,
    ORDER_SYMBOL,
    PLACE,
    REPLACE,
    REQUEST_WORDS,
    SENT_ACCOUNT,
    SENT_ARRIVES,
    SENT_BATCH,
    SENT_COUNT,
    SENT_EXPIRES,
    SENT_FIRST,
    SENT_GROUP,
    SENT_KIND,
    SENT_MAX,
    SENT_OID,
    SENT_REQUEST,
    SENT_WORDS,
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


@jit
def carry_out(
    m: Words, t: Words, kind: int, account: int, oid: int, q: Words, r: int, step: int,
    count: int, grouping: int,
) -> int:  # fmt: skip
    """Do what an action asks for, here and now."""
    symbol = q[r + ORDER_SYMBOL]
    if kind == REPLACE:
        cancel_all_now(m, account)
    if kind in (PLACE, REPLACE):
        return place_now(m, t, account, q, r, step, count, grouping)
    if kind == MODIFY:
        return modify_now(m, t, account, oid, q, r)
    if kind == CANCEL:
        return cancel_now(m, account, symbol, oid)
    if kind == CANCEL_CLOID:
        return cancel_cloid_now(m, account, symbol, q[r + ORDER_CLOID], q[r + ORDER_CLOID_LOW])
    return cancel_all_now(m, account)


@jit
def perform(
    m: Words, t: Words, kind: int, account: int, oid: int, q: Words, r: int, step: int,
    count: int, grouping: int, expires_ms: int, arrives_ms: int,
) -> int:  # fmt: skip
    """Do what an action asks for, unless it comes too late."""
    if m[BAR] >= m[BARS] and kind not in (PLACE, REPLACE):
        return refuse(m, account, q[r + ORDER_SYMBOL], oid, HALTED)
    if m[BAR] >= m[BARS] or not 0 < expires_ms < arrives_ms:
        return carry_out(m, t, kind, account, oid, q, r, step, count, grouping)
    if kind not in (PLACE, REPLACE):
        return refuse(m, account, q[r + ORDER_SYMBOL], oid, TOO_LATE)
    for index in range(count):
        reject(m, account, q[r + index * step + ORDER_SYMBOL], index, TOO_LATE)
    return TOO_LATE


@jit
def move_up(m: Words) -> None:
    """Bring the rows of the queue to the start of its table."""
    shift = m[SENT_FIRST] * SENT_WORDS
    for word in range(m[AT_SENT], m[AT_SENT] + m[SENT_COUNT] * SENT_WORDS):
        m[word] = m[word + shift]
    m[SENT_FIRST] = 0


@jit
def send(
    m: Words, kind: int, account: int, oid: int, q: Words, r: int, count: int, grouping: int,
    expires_ms: int,
) -> int:  # fmt: skip
    """Put an action on its way. A batch takes a row an order; the first knows how many."""
    now = boundary_ms(m, m[BAR])
    if m[BAR] >= m[BARS]:
        return refuse(m, account, 0, oid, HALTED)
    if m[SENT_COUNT] + count > m[SENT_MAX]:
        return refuse(m, account, 0, oid, TOO_MANY_ORDERS)
    arrives = now + m[LATENCY]
    if m[SENT_FIRST] + m[SENT_COUNT] + count > m[SENT_MAX]:
        move_up(m)
    for index in range(count):
        row = m[AT_SENT] + (m[SENT_FIRST] + m[SENT_COUNT]) * SENT_WORDS
        m[row + SENT_KIND], m[row + SENT_ACCOUNT], m[row + SENT_ARRIVES] = kind, account, arrives
        m[row + SENT_EXPIRES], m[row + SENT_OID] = expires_ms, oid
        m[row + SENT_BATCH], m[row + SENT_GROUP] = count - index, grouping
        for word in range(REQUEST_WORDS):
            m[row + SENT_REQUEST + word] = q[r + index * REQUEST_WORDS + word]
        m[SENT_COUNT] += 1
    due = boundary_of(m, arrives)
    m[TIMER_BAR] = min(m[TIMER_BAR], due)
    e = emit(m, EVENT_SENT, now, account, 0, 0)
    m[e] = boundary_ms(m, due)
    return 0


@jit
def receive(m: Words, t: Words, time_ms: int) -> None:
    """Carry out what has arrived by now."""
    while m[SENT_COUNT]:
        row = m[AT_SENT] + m[SENT_FIRST] * SENT_WORDS
        if m[row + SENT_ARRIVES] > time_ms:
            return
        count, account = m[row + SENT_BATCH], m[row + SENT_ACCOUNT]
        at, expires_ms = row + SENT_REQUEST, m[row + SENT_EXPIRES]
        perform(
            m, t, m[row + SENT_KIND], account, m[row + SENT_OID], m, at, SENT_WORDS, count,
            m[row + SENT_GROUP], expires_ms, m[row + SENT_ARRIVES],
        )  # fmt: skip
        m[SENT_FIRST] += count
        m[SENT_COUNT] -= count
