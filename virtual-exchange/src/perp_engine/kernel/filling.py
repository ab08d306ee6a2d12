"""A trade of one order, with everything that follows from it for the orders beside it."""

from perp_engine.kernel.fixed import RATE_ONE, mul_div_ceil
from perp_engine.kernel.jit import Words, jit, words
from perp_engine.kernel.layout import (
    BAR,
    DOLLAR,
    EVENT_FILL,
    FILLED,
    HALF_SPREAD,
    LEVERAGE,
    MAKER,
    MARK,
    OID_ACCOUNT,
    OID_BAR,
    ORDER_ACCOUNT,
    ORDER_HELD,
    ORDER_ID,
    ORDER_PARENT,
    ORDER_SIDE,
    ORDER_SIZE,
    ORDER_SYMBOL,
    PRINT,
    SEQUENCE,
    SEQUENCE_BAR,
    SIZE,
    SLIPPAGE,
    TAKER,
    TRADE_SEQUENCE,
    account_at,
    position_at,
    symbol_at,
)
from perp_engine.kernel.ledger import book_trade, fee_of
from perp_engine.kernel.log import emit_order
from perp_engine.kernel.margin import available, margin_of, opening_size
from perp_engine.kernel.orders import (
    activate_children,
    close,
    follow_position,
    shrink_siblings,
    tick_of,
)


@jit
def half_spread(m: Words, symbol: int, price: int) -> int:
    """Half of the modelled spread, at least half a tick; 0 where the world has none."""
    if m[HALF_SPREAD] == 0:
        return 0
    tick = tick_of(price, m[symbol_at(m, symbol) + DOLLAR])
    return max(mul_div_ceil(price, m[HALF_SPREAD], RATE_ONE), (tick + 1) // 2)


@jit
def read_half_spread(state: Words, symbol: int) -> int:
    """Entry point: half of the spread around the present print."""
    m = words(state)
    return half_spread(m, symbol, m[symbol_at(m, symbol) + PRINT])


@jit
def taker_price(m: Words, symbol: int, side: int, price: int, limit: int) -> int:
    """What crossing the book around `price` costs: half spread, then slippage, up to the limit."""
    quote = price + side * half_spread(m, symbol, price)
    quote += side * mul_div_ceil(quote, m[SLIPPAGE], RATE_ONE)
    if limit:
        quote = min(quote, limit) if side > 0 else max(quote, limit)
    return max(quote, 1)


@jit
def start_sequence(m: Words, a: int) -> int:
    """First part of the ids that an account gets in the present bar; starts its counters afresh."""
    if m[a + SEQUENCE_BAR] != m[BAR]:
        m[a + SEQUENCE_BAR], m[a + SEQUENCE], m[a + TRADE_SEQUENCE] = m[BAR], 0, 0
    return m[BAR] * OID_BAR


@jit
def affords(m: Words, o: int, size: int, price: int, fee_rate: int, crossing: bool) -> bool:
    """Whether the account can carry an order: margin of what it opens, and its cost if it fills.

    Args:
        price: at which it fills, or rests.
        fee_rate: 0 for an order that rests.
        crossing: it fills at once, so a price worse than the mark is a loss at once.
    """
    account, symbol, side = m[o + ORDER_ACCOUNT], m[o + ORDER_SYMBOL], m[o + ORDER_SIDE]
    p, mark = position_at(m, account, symbol), m[symbol_at(m, symbol) + MARK]
    opened = opening_size(m[p + SIZE], side, size)
    if opened == 0:
        return True
    free = available(m, account) + m[o + ORDER_HELD]
    if opened < size:
        free += margin_of(mark, size - opened, m[p + LEVERAGE])
    need = margin_of(max(price, mark) if crossing else price, opened, m[p + LEVERAGE])
    if crossing:
        need += fee_of(price, size, max(fee_rate, 0)) + max(0, side * (price - mark)) * size
    return need <= free


@jit
def fill(
    m: Words, o: int, size: int, price: int, reference: int, taker: bool, time_ms: int
) -> None:
    """Trade `size` of an order, then settle its family and the position's other orders."""
    account, symbol, side = m[o + ORDER_ACCOUNT], m[o + ORDER_SYMBOL], m[o + ORDER_SIDE]
    a, p = account_at(m, account), position_at(m, account, symbol)
    oid, parent, start = m[o + ORDER_ID], m[o + ORDER_PARENT], m[p + SIZE]
    used = margin_of(price, opening_size(start, side, size), m[p + LEVERAGE])
    fee = fee_of(price, size, m[a + TAKER] if taker else m[a + MAKER])
    realized = book_trade(m, account, symbol, side * size, price, fee)
    left = m[o + ORDER_SIZE] - size
    m[o + ORDER_SIZE] = left
    first = start_sequence(m, a)
    m[a + TRADE_SEQUENCE] += 1
    e = emit_order(m, EVENT_FILL, time_ms, o)
    m[e] = first + account * OID_ACCOUNT + m[a + TRADE_SEQUENCE]
    m[e + 1], m[e + 2], m[e + 3], m[e + 4] = side, size, price, reference
    m[e + 5], m[e + 6], m[e + 7], m[e + 8], m[e + 9] = start, realized, fee, taker, left
    if left == 0:
        close(m, o, FILLED, max(0, m[o + ORDER_HELD] - used), time_ms)
        activate_children(m, account, symbol, oid, time_ms)
    if parent:
        # the order itself, if it lives on, must not count as its own sibling
        if left:
            m[o + ORDER_SIZE] += size
        shrink_siblings(m, account, symbol, parent, size, time_ms)
    follow_position(m, account, symbol, time_ms)
