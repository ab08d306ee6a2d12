"""What happened, written into the buffer for the facade to read."""

from perp_engine.kernel.jit import Words, jit
from perp_engine.kernel.layout import (
    ACCOUNTS,
    AT_EVENT,
    EVENT_CHANGED,
    EVENT_CLOSED,
    EVENT_FILL,
    EVENT_OPENED,
    EVENT_SCHEDULED,
    EVENT_WORDS,
    EVENTS,
    EVENTS_MAX,
    INTERVAL_MS,
    LOG_FULL,
    OPEN_ORDERS,
    OPEN_POSITIONS,
    ORDER_ACCOUNT,
    ORDER_HELD,
    ORDER_ID,
    ORDER_SIZE,
    ORDER_STATE,
    ORDER_SYMBOL,
    SENT_ORDERS,
    STATUS,
    STOP_ON_FILL,
    STOP_ON_ORDER,
    STOPPED,
    TRADES_ONLY,
    account_at,
)

HOUR_MS = 3_600_000
EVENTS_PER_ORDER = 12
"""An order can cause no more than this many events in one bar, those of its siblings included."""


@jit
def room_needed(m: Words) -> int:
    """Events that the next bar and its boundary can cause at the most."""
    orders = m[OPEN_ORDERS] + m[SENT_ORDERS] + 1
    stamps = m[INTERVAL_MS] // HOUR_MS + 8
    accounts = 4 * m[ACCOUNTS]
    return EVENTS_PER_ORDER * orders + stamps * (m[OPEN_POSITIONS] + orders) + accounts


@jit
def emit(m: Words, kind: int, time_ms: int, account: int, symbol: int, oid: int) -> int:
    """Append an event; returns the index of its sixth word, where its own fields go."""
    n = m[EVENTS]
    if n >= m[EVENTS_MAX]:
        m[STATUS] = LOG_FULL
        n = m[EVENTS_MAX] - 1
    row = m[AT_EVENT] + n * EVENT_WORDS
    m[row], m[row + 1], m[row + 2], m[row + 3], m[row + 4] = kind, time_ms, account, symbol, oid
    if m[TRADES_ONLY] == 0 or kind > EVENT_SCHEDULED or kind == EVENT_FILL:
        m[EVENTS] = n + 1
    a = account_at(m, account)
    if m[a + STOP_ON_ORDER] and EVENT_OPENED <= kind <= EVENT_FILL:
        m[STOPPED] = 1
    if m[a + STOP_ON_FILL] and kind == EVENT_FILL:
        m[STOPPED] = 1
    return row + 5


@jit
def emit_order(m: Words, kind: int, time_ms: int, o: int) -> int:
    """Append an event about an order."""
    return emit(m, kind, time_ms, m[o + ORDER_ACCOUNT], m[o + ORDER_SYMBOL], m[o + ORDER_ID])


@jit
def emit_opened(m: Words, time_ms: int, o: int) -> None:
    """The order was accepted."""
    if m[TRADES_ONLY]:
        return
    e = emit_order(m, EVENT_OPENED, time_ms, o)
    m[e], m[e + 1] = m[o + ORDER_STATE], m[o + ORDER_HELD]


@jit
def emit_changed(m: Words, time_ms: int, o: int) -> None:
    """The order changed size, was triggered or was armed."""
    if m[TRADES_ONLY]:
        return
    e = emit_order(m, EVENT_CHANGED, time_ms, o)
    m[e], m[e + 1] = m[o + ORDER_STATE], m[o + ORDER_SIZE]


@jit
def emit_closed(m: Words, time_ms: int, o: int, why: int, refunded: int) -> None:
    """The order reached its end."""
    if m[TRADES_ONLY]:
        return
    e = emit_order(m, EVENT_CLOSED, time_ms, o)
    m[e], m[e + 1], m[e + 2] = why, m[o + ORDER_SIZE], refunded
