"""A trade, with everything that follows from it for the account's orders and margin."""

from perp_engine.kernel.fixed import RATE_ONE, mul_div_ceil
from perp_engine.kernel.jit import Words, apart, jit, words
from perp_engine.kernel.layout import (
    AT_VOLUME,
    BAR,
    BY_LIQUIDATION,
    BY_ORDER,
    DOLLAR,
    EVENT_FILL,
    FEE_TIERS,
    FILLED,
    FIRST_OWN,
    HALF_SPREAD,
    IMPACT,
    ISOLATED,
    LEVERAGE,
    MAKER,
    MARK,
    NOW_MS,
    OID_ACCOUNT,
    OID_BAR,
    ORDER_ACCOUNT,
    ORDER_GROUP,
    ORDER_HELD,
    ORDER_ID,
    ORDER_SIDE,
    ORDER_SIZE,
    ORDER_SYMBOL,
    SEQUENCE,
    SEQUENCE_BAR,
    SIZE,
    SIZE_LIMIT,
    SLIPPAGE,
    TAKER,
    TRADE_SEQUENCE,
    VOLUME_DAYS,
    account_at,
    position_at,
    symbol_at,
)
from perp_engine.kernel.ledger import book_trade, cover, fee_of, insure_bucket, margin_of
from perp_engine.kernel.log import emit
from perp_engine.kernel.margin import (
    available,
    available_at_least,
    keep_guards,
    leverage_at,
    opening_size,
)
from perp_engine.kernel.orders import arm, close, follow_position, shrink_siblings, tick_of

DAY_MS = 86_400_000


@jit
def half_spread(m: Words, symbol: int, price: int) -> int:
    """Half of the modelled spread, at least half a tick; 0 where the world has none."""
    if m[HALF_SPREAD] == 0:
        return 0
    tick = tick_of(price, m[symbol_at(m, symbol) + DOLLAR])
    return max(mul_div_ceil(price, m[HALF_SPREAD], RATE_ONE), (tick + 1) // 2)


@jit
def read_half_spread(state: Words, symbol: int, price: int) -> int:
    """Entry point: half of the spread around a price."""
    return half_spread(words(state), symbol, price)


@jit
def taker_price(
    m: Words, symbol: int, side: int, price: int, limit: int, size: int, volume: int
) -> int:
    """What taking from the book around `price` costs: half spread, slippage, impact, up to a limit.

    Args:
        volume: of the bar that the impact is measured against; impact is in proportion to the share
            that the order has in it, and at most that of the whole bar.
    """
    touch = price + side * half_spread(m, symbol, price)
    rate = m[SLIPPAGE]
    if m[IMPACT] and volume > 0:
        rate -= -min(size, volume) * m[IMPACT] // volume
    quote = touch + side * mul_div_ceil(touch, rate, RATE_ONE)
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
def within_limits(m: Words, p: int, s: int, side: int, size: int, price: int) -> bool:
    """Whether the position an order would lead to stays in bounds, and in a tier that allows it."""
    after = abs(m[p + SIZE] + side * size)
    if after >= SIZE_LIMIT:
        return False
    return opening_size(m[p + SIZE], side, size) == 0 or (
        leverage_at(m, s, after * price) >= m[p + LEVERAGE]
    )


@jit
def affords(m: Words, o: int, size: int, price: int, fee_rate: int, trades: bool) -> bool:
    """Whether the account can carry an order: margin of what it opens, and its cost if it fills.

    Args:
        price: at which it fills, or rests.
        fee_rate: ignored for an order that rests.
        trades: it fills at once, so a price worse than the mark is a loss at once.
    """
    account, symbol, side = m[o + ORDER_ACCOUNT], m[o + ORDER_SYMBOL], m[o + ORDER_SIDE]
    p, mark = position_at(m, account, symbol), m[symbol_at(m, symbol) + MARK]
    opened = opening_size(m[p + SIZE], side, size)
    if opened == 0:
        return True
    need = 0
    if trades:
        need = fee_of(price, size, fee_rate) + max(0, side * (price - mark)) * size
        price = max(price, mark)
    if need + price * opened <= available_at_least(m, account):
        return True
    free = available(m, account) + m[o + ORDER_HELD]
    if opened < size and not m[p + ISOLATED]:
        free += margin_of(mark, size - opened, m[p + LEVERAGE])
    return need + margin_of(price, opened, m[p + LEVERAGE]) <= free


@jit
def trade(
    m: Words, account: int, symbol: int, side: int, size: int, price: int, reference: int,
    fee_rate: int, taker: bool, left: int, cause: int, oid: int, time_ms: int,
) -> None:  # fmt: skip
    """Book one trade and tell of it."""
    a, p = account_at(m, account), position_at(m, account, symbol)
    start = m[p + SIZE]
    fee = fee_of(price, size, fee_rate)
    realized = book_trade(m, account, symbol, side * size, price, fee)
    if m[FEE_TIERS] and cause <= BY_LIQUIDATION:
        day = time_ms // DAY_MS % VOLUME_DAYS
        m[m[AT_VOLUME] + account * VOLUME_DAYS + day] += price * size
    first = start_sequence(m, a)
    m[a + TRADE_SEQUENCE] += 1
    e = emit(m, EVENT_FILL, time_ms, account, symbol, oid)
    m[e] = first + account * OID_ACCOUNT + m[a + TRADE_SEQUENCE]
    m[e + 1], m[e + 2], m[e + 3], m[e + 4] = side, size, price, reference
    m[e + 5], m[e + 6], m[e + 7], m[e + 8], m[e + 9] = start, realized, fee, taker, left
    m[e + 10] = cause
    if m[p + ISOLATED]:
        insure_bucket(m, account, symbol, time_ms)


@apart
def fill(m: Words, o: int, size: int, price: int, taker: bool) -> None:
    """Trade `size` of an order, then settle its group and the position's other orders.

    A taker's reference is the mark: the price before spread and slippage; a maker's its own price.
    """
    account, symbol, side = m[o + ORDER_ACCOUNT], m[o + ORDER_SYMBOL], m[o + ORDER_SIDE]
    a, p = account_at(m, account), position_at(m, account, symbol)
    oid, group = m[o + ORDER_ID], m[o + ORDER_GROUP]
    opened = opening_size(m[p + SIZE], side, size)
    used = margin_of(price, opened, m[p + LEVERAGE]) if m[o + ORDER_HELD] and opened else 0
    left = m[o + ORDER_SIZE] - size
    m[o + ORDER_SIZE] = left
    rate, time_ms = m[a + TAKER] if taker else m[a + MAKER], m[NOW_MS]
    reference = m[symbol_at(m, symbol) + MARK] if taker else price
    trade(
        m, account, symbol, side, size, price, reference, rate, taker, left, BY_ORDER, oid, time_ms
    )
    if left == 0:
        close(m, o, FILLED, max(0, m[o + ORDER_HELD] - used), time_ms)
    if m[p + FIRST_OWN]:
        if left == 0 and group == 0:
            arm(m, account, symbol, oid, time_ms)
        if group:
            shrink_siblings(m, account, symbol, group, oid, size, time_ms)
        follow_position(m, account, symbol, time_ms)
    cover(m, account, symbol, time_ms)
    keep_guards(m, account, symbol)
