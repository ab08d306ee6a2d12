"""What the venue does with a pool that falls below its maintenance margin."""

from perp_engine.kernel.filling import start_sequence, taker_price, trade
from perp_engine.kernel.jit import Words, apart, jit
from perp_engine.kernel.layout import (
    AT_PLAY,
    BUCKET,
    BY_BACKSTOP,
    BY_LIQUIDATION,
    BY_SETTLEMENT,
    CASH,
    COST,
    DELISTED_CANCELED,
    EVENT_LIQUIDATED,
    ISOLATED,
    LIQUIDATED_BAR,
    LIQUIDATED_CANCELED,
    MARK,
    NOW_MS,
    OID_ACCOUNT,
    PARTIAL_USD,
    SEQUENCE,
    SIZE,
    STRETCH_BAR,
    STRETCH_INSIDE,
    STRETCH_LEAST,
    STRETCH_MOST,
    SYMBOLS,
    TAKER,
    account_at,
    position_at,
    symbol_at,
)
from perp_engine.kernel.ledger import cover, insure
from perp_engine.kernel.log import emit
from perp_engine.kernel.margin import maintenance_of, reset_guards
from perp_engine.kernel.orders import end_account, end_all, follow_position
from perp_engine.kernel.tape import HIGH, LOW, bar_exists, bar_word, volume_before


@jit
def pool_value(m: Words, account: int, symbol: int) -> int:
    """Value of the pool that stands behind a position, at the marks."""
    p = position_at(m, account, symbol)
    if m[p + ISOLATED]:
        return m[p + BUCKET] + m[p + SIZE] * m[symbol_at(m, symbol) + MARK] - m[p + COST]
    value = m[account_at(m, account) + CASH]
    for other in range(m[SYMBOLS]):
        p = position_at(m, account, other)
        if m[p + SIZE] != 0 and not m[p + ISOLATED]:
            value += m[p + SIZE] * m[symbol_at(m, other) + MARK] - m[p + COST]
    return value


@jit
def pool_need(m: Words, account: int, symbol: int) -> int:
    """Maintenance margin of the pool that stands behind a position, at the marks."""
    isolated, need = m[position_at(m, account, symbol) + ISOLATED], 0
    for other in range(m[SYMBOLS]):
        p, s = position_at(m, account, other), symbol_at(m, other)
        if m[p + SIZE] == 0 or (isolated and other != symbol):
            continue
        if m[p + ISOLATED] == isolated:
            need += maintenance_of(m, s, abs(m[p + SIZE]) * m[s + MARK])
    return need


@jit
def next_oid(m: Words, account: int) -> int:
    """Id of an order that the venue places for an account."""
    a = account_at(m, account)
    first = start_sequence(m, a)
    m[a + SEQUENCE] += 1
    return first + account * OID_ACCOUNT + m[a + SEQUENCE]


@jit
def to_sell(m: Words, t: Words, account: int, symbol: int, bar: int) -> int:
    """Coin whose position is sold next, -1 when no market is open for any that is left."""
    p = position_at(m, account, symbol)
    if m[p + SIZE] != 0:
        return symbol
    if m[p + ISOLATED]:
        return -1
    for place in range(m[SYMBOLS]):
        other = m[m[AT_PLAY] + place]
        p = position_at(m, account, other)
        if m[p + SIZE] != 0 and not m[p + ISOLATED] and bar_exists(m, t, other, bar):
            return other
    return -1


@jit
def sell(m: Words, t: Words, account: int, symbol: int, least: int, most: int) -> None:
    """Sell a fifth of a large position, all of a small one or of one sold before in this bar."""
    a, p = account_at(m, account), position_at(m, account, symbol)
    mark, bar = m[symbol_at(m, symbol) + MARK], m[STRETCH_BAR]
    side, size = -1 if m[p + SIZE] > 0 else 1, abs(m[p + SIZE])
    if size * mark > m[PARTIAL_USD] and m[p + LIQUIDATED_BAR] != bar:
        size = (size + 4) // 5
    m[p + LIQUIDATED_BAR] = bar
    volume = volume_before(m, t, symbol, bar + m[STRETCH_INSIDE])
    price = min(max(taker_price(m, symbol, side, mark, 0, size, volume), least), most)
    trade(
        m, account, symbol, side, size, price, mark, m[a + TAKER], True, 0, BY_LIQUIDATION,
        next_oid(m, account), m[NOW_MS],
    )  # fmt: skip
    follow_position(m, account, symbol, m[NOW_MS])


@jit
def take_over(m: Words, account: int, symbol: int, time_ms: int) -> None:
    """The backstop: the venue takes the pool's positions at their marks, and its money."""
    isolated = m[position_at(m, account, symbol) + ISOLATED]
    value = pool_value(m, account, symbol)
    for place in range(m[SYMBOLS]):
        other = m[m[AT_PLAY] + place]
        p = position_at(m, account, other)
        ours = other == symbol if isolated else m[p + ISOLATED] == 0
        if not ours or m[p + SIZE] == 0:
            continue
        mark = m[symbol_at(m, other) + MARK]
        side = -1 if m[p + SIZE] > 0 else 1
        trade(
            m, account, other, side, abs(m[p + SIZE]), mark, mark, 0, True, 0, BY_BACKSTOP,
            next_oid(m, account), time_ms,
        )  # fmt: skip
    if isolated:
        value = max(value, 0)
    insure(m, account, symbol, -value, time_ms)


@apart
def liquidate(m: Words, t: Words, account: int, symbol: int) -> None:
    """Bring a pool back above its maintenance margin, or to its end.

    Args:
        symbol: whose price did it: its mark, on the present stretch of the path.
    """
    p, bar, time_ms = position_at(m, account, symbol), m[STRETCH_BAR], m[NOW_MS]
    isolated = m[p + ISOLATED]
    value, need = pool_value(m, account, symbol), pool_need(m, account, symbol)
    e = emit(m, EVENT_LIQUIDATED, time_ms, account, symbol, 0)
    m[e], m[e + 1], m[e + 2], m[e + 3] = isolated, m[symbol_at(m, symbol) + MARK], value, need
    if isolated:
        end_all(m, account, symbol, LIQUIDATED_CANCELED, time_ms)
    else:
        end_account(m, account, LIQUIDATED_CANCELED, time_ms)
    while value < need:
        if 3 * value < 2 * need:
            take_over(m, account, symbol, time_ms)
            break
        sold = to_sell(m, t, account, symbol, bar)
        if sold < 0:
            break
        least, most = m[STRETCH_LEAST], m[STRETCH_MOST]
        if sold != symbol and m[STRETCH_INSIDE]:
            least, most = bar_word(m, t, sold, LOW, bar), bar_word(m, t, sold, HIGH, bar)
        sell(m, t, account, sold, least, most)
        value, need = pool_value(m, account, symbol), pool_need(m, account, symbol)
    cover(m, account, symbol, time_ms)
    reset_guards(m, account)


@apart
def settle(m: Words, account: int, symbol: int, time_ms: int) -> None:
    """End the orders of a delisted coin and close the position at its last mark, without fee."""
    end_all(m, account, symbol, DELISTED_CANCELED, time_ms)
    p, mark = position_at(m, account, symbol), m[symbol_at(m, symbol) + MARK]
    if m[p + SIZE] == 0:
        return
    side = -1 if m[p + SIZE] > 0 else 1
    trade(
        m, account, symbol, side, abs(m[p + SIZE]), mark, mark, 0, True, 0, BY_SETTLEMENT,
        next_oid(m, account), time_ms,
    )  # fmt: skip
    cover(m, account, symbol, time_ms)
    reset_guards(m, account)
