"""Whether an order may enter: checks in order of precedence, each with its reason.

First those of a whole batch, which need neither money nor book; then those of each order.
"""

from perp_engine.kernel.filling import affords, half_spread, taker_price, within_limits
from perp_engine.kernel.jit import Words, jit
from perp_engine.kernel.layout import (
    ACCOUNT_ORDERS,
    ALO,
    BAD_TRIGGER,
    BAR,
    BARS,
    DELISTED,
    DOLLAR,
    DUPLICATE_CLOID,
    ENTRY_FIRST,
    HALTED,
    INVALID_PRICE,
    INVALID_SIZE,
    IOC,
    LIMIT,
    MARK,
    MIN_NOTIONAL,
    NO_MARGIN,
    NO_MATCH,
    OF_POSITION,
    OID_ACCOUNT,
    ORDER_ACCOUNT,
    ORDER_CLOID,
    ORDER_CLOID_LOW,
    ORDER_KIND,
    ORDER_LEVEL,
    ORDER_MARKET,
    ORDER_NAMED,
    ORDER_PRICE,
    ORDER_REDUCE,
    ORDER_SIDE,
    ORDER_SIZE,
    ORDER_STATE,
    ORDER_SYMBOL,
    ORDER_TIF,
    ORDER_TRIGGER,
    ORDERS_PER_ACCOUNT,
    POSITION_LIMIT,
    PRICE_TOO_FAR,
    PRINT,
    REDUCE_INCREASES,
    REQUEST_WORDS,
    RESTING,
    SEQUENCE,
    SEQUENCE_BAR,
    SIZE,
    SIZE_LIMIT,
    STOP,
    SYMBOLS,
    TAKE,
    TAKER,
    TOO_MANY_ORDERS,
    TOO_SMALL,
    TRIGGER_NOT_REDUCE,
    UNKNOWN_COIN,
    VALUE_LIMIT,
    VALUE_TOO_LARGE,
    WOULD_MATCH,
    ZERO_SIZE,
    account_at,
    position_at,
    symbol_at,
)
from perp_engine.kernel.margin import opening_size
from perp_engine.kernel.orders import cloid_lives, tick_of
from perp_engine.kernel.tape import volume_before


@jit
def off_grid(price: int, dollar: int) -> bool:
    """Whether a price is not one that an order may carry; 0 is none."""
    tick = tick_of(price, dollar)
    return price < 0 or (tick > 1 and price % tick != 0)


@jit
def too_far(price: int, mark: int) -> bool:
    """Whether a price that is given is far from the mark."""
    return price > 0 and (price > 5 * mark or 5 * price <= mark)


@jit
def check_form(m: Words, q: Words, r: int, whole: bool) -> int:
    """Checks of a request row that need no account. 0 when all hold.

    Args:
        whole: size 0 means the whole position.
    """
    if m[BAR] >= m[BARS]:
        return HALTED
    if q[r + ORDER_SYMBOL] < 0 or q[r + ORDER_SYMBOL] >= m[SYMBOLS]:
        return UNKNOWN_COIN
    s = symbol_at(m, q[r + ORDER_SYMBOL])
    if m[s + DELISTED]:
        return UNKNOWN_COIN
    size, mark = q[r + ORDER_SIZE], m[s + MARK]
    if size == 0 and not whole:
        return ZERO_SIZE
    if size < 0 or size >= SIZE_LIMIT:
        return INVALID_SIZE
    price, trigger = q[r + ORDER_PRICE], q[r + ORDER_TRIGGER]
    if off_grid(price, m[s + DOLLAR]) or off_grid(trigger, m[s + DOLLAR]):
        return INVALID_PRICE
    if too_far(price, mark) or too_far(trigger, mark):
        return PRICE_TOO_FAR
    if q[r + ORDER_KIND] != LIMIT and (trigger == 0 or (price == 0 and q[r + ORDER_MARKET] == 0)):
        return BAD_TRIGGER
    # no overflow: a size is below 3e9, and a price within five times the mark
    if size * max(mark, price, trigger) > VALUE_LIMIT:
        return VALUE_TOO_LARGE
    return 0


@jit
def limit_before_trigger(q: Words, r: int) -> bool:
    """Whether a market trigger's limit would keep it from trading at its own trigger price."""
    price = q[r + ORDER_PRICE]
    return (
        q[r + ORDER_MARKET] != 0
        and price != 0
        and q[r + ORDER_SIDE] * (price - q[r + ORDER_TRIGGER]) < 0
    )


@jit
def entry_reference(q: Words, r: int, dormant: bool, mark: int) -> int:
    """Price around which the legs of an entry stand: where it trades, as far as that is known.

    A limit that takes at once, or when a market trigger fires, is how far the client lets the price
    slip, not where it trades.
    """
    price, market = q[r + ORDER_PRICE], mark
    if dormant:
        market = q[r + ORDER_TRIGGER]
    if price == 0 or (dormant and q[r + ORDER_MARKET] != 0):
        return market
    return min(price, market) if q[r + ORDER_SIDE] > 0 else max(price, market)


@jit
def check_leg(q: Words, r: int, symbol: int, reference: int) -> int:
    """Checks of a leg: a reduce-only trigger on the far side of what it protects."""
    if q[r + ORDER_KIND] == LIMIT or q[r + ORDER_SYMBOL] != symbol:
        return BAD_TRIGGER
    if q[r + ORDER_REDUCE] == 0:
        return TRIGGER_NOT_REDUCE
    if limit_before_trigger(q, r):
        return BAD_TRIGGER
    beyond = q[r + ORDER_SIDE] * (q[r + ORDER_TRIGGER] - reference)
    if (beyond <= 0) if q[r + ORDER_KIND] == STOP else (beyond >= 0):
        return BAD_TRIGGER
    return 0


@jit
def check_places(m: Words, account: int, q: Words, at: int, count: int) -> int:
    """Cloids of their own and free places for an entry with all its legs."""
    for index in range(count):
        r = at + index * REQUEST_WORDS
        if q[r + ORDER_NAMED] == 0:
            continue
        high, low = q[r + ORDER_CLOID], q[r + ORDER_CLOID_LOW]
        if cloid_lives(m, account, high, low):
            return DUPLICATE_CLOID
        for before in range(index):
            other = at + before * REQUEST_WORDS
            same = q[other + ORDER_CLOID] == high and q[other + ORDER_CLOID_LOW] == low
            if same and q[other + ORDER_NAMED]:
                return DUPLICATE_CLOID
    if m[account_at(m, account) + ACCOUNT_ORDERS] + count > ORDERS_PER_ACCOUNT:
        return TOO_MANY_ORDERS
    return 0


@jit
def check_batch(m: Words, account: int, q: Words, at: int, count: int, grouping: int) -> int:
    """First reason to refuse a whole batch, 0 when there is none.

    Args:
        at: where in `q` the first request is.
    """
    for index in range(count):
        reason = check_form(m, q, at + index * REQUEST_WORDS, grouping == OF_POSITION)
        if reason:
            return reason
    if grouping == 0:
        return 0
    symbol = q[at + ORDER_SYMBOL]
    reference = m[symbol_at(m, symbol) + MARK]
    first = 0
    if grouping == ENTRY_FIRST:
        first, reference = 1, entry_reference(q, at, q[at + ORDER_KIND] != LIMIT, reference)
    for index in range(first, count):
        reason = check_leg(q, at + index * REQUEST_WORDS, symbol, reference)
        if reason:
            return reason
    return check_places(m, account, q, at, count) if grouping == ENTRY_FIRST else 0


@jit
def check_trigger(m: Words, o: int) -> int:
    """A trigger by itself: its stop is not beyond the mark, its limit not before its trigger."""
    if limit_before_trigger(m, o):
        return BAD_TRIGGER
    mark = m[symbol_at(m, m[o + ORDER_SYMBOL]) + MARK]
    if m[o + ORDER_KIND] == STOP and m[o + ORDER_SIDE] * (m[o + ORDER_TRIGGER] - mark) <= 0:
        return BAD_TRIGGER
    return 0


@jit
def crossing_price(m: Words, t: Words, o: int) -> int:
    """Price at which an order takes from the boundary's book now, 0 when it does not."""
    symbol, side, limit = m[o + ORDER_SYMBOL], m[o + ORDER_SIDE], m[o + ORDER_PRICE]
    s = symbol_at(m, symbol)
    if m[s + PRINT] == 0 or m[o + ORDER_STATE] != RESTING:
        return 0
    touch = m[s + PRINT] + side * half_spread(m, symbol, m[s + PRINT])
    if limit and side * (limit - touch) < 0:
        return 0
    size = m[o + ORDER_SIZE]
    if m[o + ORDER_REDUCE]:
        size = min(size, abs(m[position_at(m, m[o + ORDER_ACCOUNT], symbol) + SIZE]))
    volume = volume_before(m, t, symbol, m[BAR])
    return taker_price(m, symbol, side, m[s + PRINT], limit, size, volume)


@jit
def check_room(m: Words, o: int) -> int:
    """A cloid of its own, and a free place."""
    account = m[o + ORDER_ACCOUNT]
    a = account_at(m, account)
    if m[o + ORDER_NAMED] and cloid_lives(m, account, m[o + ORDER_CLOID], m[o + ORDER_CLOID_LOW]):
        return DUPLICATE_CLOID
    used = m[a + SEQUENCE] if m[a + SEQUENCE_BAR] == m[BAR] else 0
    if m[a + ACCOUNT_ORDERS] >= ORDERS_PER_ACCOUNT or used >= OID_ACCOUNT - 1:
        return TOO_MANY_ORDERS
    return 0


@jit
def check_money(m: Words, o: int, crossing: int) -> int:
    """Checks of the part that opens: minimum, position limit, margin."""
    if m[o + ORDER_REDUCE]:
        return 0
    account, symbol, side = m[o + ORDER_ACCOUNT], m[o + ORDER_SYMBOL], m[o + ORDER_SIDE]
    a, p, size = account_at(m, account), position_at(m, account, symbol), m[o + ORDER_SIZE]
    price = crossing
    if price == 0:
        price = m[o + ORDER_PRICE] if m[o + ORDER_PRICE] else m[o + ORDER_TRIGGER]
    if opening_size(m[p + SIZE], side, size) and price * size < m[MIN_NOTIONAL]:
        return TOO_SMALL
    if not within_limits(m, p, symbol_at(m, symbol), side, size, price):
        return POSITION_LIMIT
    if not affords(m, o, size, price, m[a + TAKER], crossing != 0):
        return NO_MARGIN
    return 0


@jit
def admit(m: Words, t: Words, o: int) -> int:
    """Checks of one order in its turn; 0, or why it is refused.

    A take-profit whose condition already holds is triggered at once. Where the order trades at
    once, its price is left in place of the level at which it would rest.
    """
    reason = check_room(m, o)
    if reason:
        return reason
    symbol, side = m[o + ORDER_SYMBOL], m[o + ORDER_SIDE]
    s = symbol_at(m, symbol)
    triggered = False
    if m[o + ORDER_KIND] != LIMIT:
        reason = check_trigger(m, o)
        if reason:
            return reason
        triggered = m[o + ORDER_KIND] == TAKE and side * (m[o + ORDER_TRIGGER] - m[s + MARK]) >= 0
        if triggered:
            m[o + ORDER_STATE] = RESTING
    p = position_at(m, m[o + ORDER_ACCOUNT], symbol)
    if m[o + ORDER_REDUCE] and m[p + SIZE] * side >= 0:
        return REDUCE_INCREASES
    if m[o + ORDER_PRICE] == 0 and m[o + ORDER_TRIGGER] == 0 and m[s + PRINT] == 0:
        return NO_MATCH
    crossing = crossing_price(m, t, o)
    m[o + ORDER_LEVEL] = crossing
    reason = check_money(m, o, crossing)
    if reason:
        return reason
    if m[o + ORDER_KIND] == LIMIT:
        if m[o + ORDER_TIF] == ALO and crossing:
            return WOULD_MATCH
        if (m[o + ORDER_TIF] == IOC or m[o + ORDER_PRICE] == 0) and crossing == 0:
            return NO_MATCH
    elif triggered and crossing == 0 and m[o + ORDER_MARKET]:
        return NO_MATCH
    return 0
