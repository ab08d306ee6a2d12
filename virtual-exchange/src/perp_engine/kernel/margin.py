"""What stands behind positions and orders. Cross margin: one pool an account."""

from perp_engine.kernel.fixed import RATE_ONE, mul_div_ceil
from perp_engine.kernel.jit import Words, jit, words
from perp_engine.kernel.layout import (
    CASH,
    COST,
    FIRST_OWN,
    LEVERAGE,
    MARK,
    MAX_LEVERAGE,
    ORDER_HELD,
    ORDER_MARGIN,
    ORDER_NEXT,
    ORDER_PRICE,
    ORDER_REDUCE,
    ORDER_SIDE,
    ORDER_SIZE,
    ORDER_TRIGGER,
    SIZE,
    SYMBOLS,
    account_at,
    position_at,
    symbol_at,
)


@jit
def unrealized(m: Words, account: int) -> int:
    """Profit of all open positions at their marks."""
    total = 0
    for symbol in range(m[SYMBOLS]):
        p = position_at(m, account, symbol)
        if m[p + SIZE] != 0:
            total += m[p + SIZE] * m[symbol_at(m, symbol) + MARK] - m[p + COST]
    return total


@jit
def position_margin(m: Words, account: int) -> int:
    """Initial margin of all open positions at their marks, each rounded up."""
    total = 0
    for symbol in range(m[SYMBOLS]):
        p = position_at(m, account, symbol)
        if m[p + SIZE] != 0:
            value = abs(m[p + SIZE]) * m[symbol_at(m, symbol) + MARK]
            total += -(-value // m[p + LEVERAGE])
    return total


@jit
def maintenance(m: Words, account: int) -> int:
    """Margin below which the account would be liquidated: half the initial margin at most leverage.

    Source: venue documentation, "Margining", read 2026-11; one tier.
    """
    total = 0
    for symbol in range(m[SYMBOLS]):
        p, s = position_at(m, account, symbol), symbol_at(m, symbol)
        if m[p + SIZE] != 0:
            value = abs(m[p + SIZE]) * m[s + MARK]
            total += mul_div_ceil(value, RATE_ONE // (2 * m[s + MAX_LEVERAGE]), RATE_ONE)
    return total


@jit
def available(m: Words, account: int) -> int:
    """Equity that backs neither a position nor an order; negative when over-committed."""
    a = account_at(m, account)
    free = m[a + CASH] - m[a + ORDER_MARGIN]
    return free + unrealized(m, account) - position_margin(m, account)


@jit
def opening_size(held: int, side: int, size: int) -> int:
    """Part of an order that would increase a position of signed size `held`."""
    if held * side >= 0:
        return size
    return max(0, size - abs(held))


@jit
def margin_of(price: int, size: int, leverage: int) -> int:
    """Initial margin, rounded up."""
    return -(-(price * size) // leverage)


@jit
def held_for(m: Words, o: int, account: int, symbol: int, crossing: int) -> int:
    """Margin an order reserves: for the part that would increase the position as it is now.

    Args:
        crossing: price at which it fills at once; 0 when it rests, at its limit or trigger price.
    """
    if m[o + ORDER_REDUCE]:
        return 0
    p = position_at(m, account, symbol)
    price = crossing if crossing else m[o + ORDER_PRICE]
    if price == 0:
        price = m[o + ORDER_TRIGGER]
    size = opening_size(m[p + SIZE], m[o + ORDER_SIDE], m[o + ORDER_SIZE])
    return margin_of(price, size, m[p + LEVERAGE])


@jit
def reserve_again(m: Words, account: int, symbol: int) -> None:
    """Recompute what the orders of a position reserve, after it or its leverage changed."""
    a = account_at(m, account)
    o = m[position_at(m, account, symbol) + FIRST_OWN]
    while o:
        held = held_for(m, o, account, symbol, 0)
        m[a + ORDER_MARGIN] += held - m[o + ORDER_HELD]
        m[o + ORDER_HELD] = held
        o = m[o + ORDER_NEXT]


@jit
def read_account(state: Words, account: int, out: Words) -> None:
    """Entry point: write cash, unrealized profit, the three margins, notional."""
    m, out = words(state), words(out)
    a = account_at(m, account)
    notional = 0
    for symbol in range(m[SYMBOLS]):
        size = m[position_at(m, account, symbol) + SIZE]
        notional += abs(size) * m[symbol_at(m, symbol) + MARK]
    out[0] = m[a + CASH]
    out[1] = unrealized(m, account)
    out[2] = position_margin(m, account)
    out[3] = m[a + ORDER_MARGIN]
    out[4] = maintenance(m, account)
    out[5] = notional
