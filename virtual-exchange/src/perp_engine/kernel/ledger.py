"""Money and positions. Every entry is double, and every event proves it before it ends."""

from perp_engine.kernel.fixed import RATE_ONE, mul_div_ceil, mul_div_floor, mul_div_half_even
from perp_engine.kernel.jit import Words, jit, words
from perp_engine.kernel.layout import (
    ACCOUNTS,
    BOOKS_BROKEN,
    CASH,
    CHECKED,
    COST,
    EVENT_DEPOSIT,
    EVENT_FUNDING,
    EXTERNAL,
    FUNDING_ALL,
    FUNDING_OPEN,
    FUNDING_POOL,
    HOUSE,
    MARKET_COST,
    MARKET_SIZE,
    REALIZED,
    SIZE,
    STATUS,
    SYMBOLS,
    VENUE_FEES,
    account_at,
    position_at,
    symbol_at,
)
from perp_engine.kernel.log import emit


@jit
def books(m: Words, a: int) -> int:
    """Sum over the ledger accounts that an event of one account can touch."""
    return m[a + CASH] + m[VENUE_FEES] + m[FUNDING_POOL] + m[HOUSE] + m[EXTERNAL]


@jit
def prove(m: Words, before: int, after: int) -> None:
    """An event moved money without making or losing any."""
    m[CHECKED] += 1
    if before != after:
        m[STATUS] = BOOKS_BROKEN


@jit
def fee_of(price: int, size: int, rate: int) -> int:
    """Fee of a fill, rounded up; a negative rate is a rebate."""
    if rate < 0:
        return -mul_div_floor(price * size, -rate, RATE_ONE)
    return mul_div_ceil(price * size, rate, RATE_ONE)


@jit
def book_trade(m: Words, account: int, symbol: int, change: int, price: int, fee: int) -> int:
    """Post one trade: `change` is the signed size it adds. Returns the realized profit.

    A reduction takes its share of the cost basis, rounded half to even; the rest stays, so that at
    size 0 the basis is exactly 0.
    """
    a, p, s = account_at(m, account), position_at(m, account, symbol), symbol_at(m, symbol)
    before = books(m, a)
    held, cost = m[p + SIZE], m[p + COST]
    size = abs(change)
    new_cost, realized, opened = cost, 0, size
    if held != 0 and (held > 0) != (change > 0):
        closed = min(abs(held), size)
        opened = size - closed
        share = cost if closed == abs(held) else mul_div_half_even(cost, closed, abs(held))
        realized = (closed if held > 0 else -closed) * price - share
        new_cost -= share
    if held == 0 or (opened > 0 and (held > 0) != (change > 0)):
        m[p + FUNDING_OPEN] = 0
    new_cost += (opened if change > 0 else -opened) * price
    m[p + SIZE], m[p + COST] = held + change, new_cost
    m[p + REALIZED] += realized
    m[s + MARKET_SIZE] -= change
    m[s + MARKET_COST] -= new_cost - cost
    m[a + CASH] += realized - fee
    m[HOUSE] -= realized
    m[VENUE_FEES] += fee
    prove(m, before, books(m, a))
    return realized


@jit
def settle_funding(m: Words, symbol: int, mark: int, rate: int, time_ms: int) -> None:
    """Pay one stamp on the mark: longs pay shorts when the rate is positive; half to even."""
    for account in range(m[ACCOUNTS]):
        p = position_at(m, account, symbol)
        size = m[p + SIZE]
        if size == 0:
            continue
        a = account_at(m, account)
        before = books(m, a)
        payment = mul_div_half_even(size * mark, abs(rate), RATE_ONE)
        if rate < 0:
            payment = -payment
        m[a + CASH] -= payment
        m[FUNDING_POOL] += payment
        m[p + FUNDING_ALL] += payment
        m[p + FUNDING_OPEN] += payment
        prove(m, before, books(m, a))
        e = emit(m, EVENT_FUNDING, time_ms, account, symbol, 0)
        m[e], m[e + 1], m[e + 2] = size, rate, -payment


@jit
def deposit(m: Words, account: int, usd: int, time_ms: int) -> None:
    """Take money in from outside, or let it out when negative."""
    a = account_at(m, account)
    before = books(m, a)
    m[a + CASH] += usd
    m[EXTERNAL] -= usd
    prove(m, before, books(m, a))
    e = emit(m, EVENT_DEPOSIT, time_ms, account, 0, 0)
    m[e] = usd


@jit
def audit(state: Words) -> int:
    """Entry point: recount the world. Money adds up to 0, each size and cost has its other side."""
    m: Words = words(state)
    money = m[VENUE_FEES] + m[FUNDING_POOL] + m[HOUSE] + m[EXTERNAL]
    for account in range(m[ACCOUNTS]):
        money += m[account_at(m, account) + CASH]
    if money != 0:
        m[STATUS] = BOOKS_BROKEN
    for symbol in range(m[SYMBOLS]):
        s = symbol_at(m, symbol)
        size, cost = m[s + MARKET_SIZE], m[s + MARKET_COST]
        for account in range(m[ACCOUNTS]):
            p = position_at(m, account, symbol)
            size += m[p + SIZE]
            cost += m[p + COST]
            if m[p + SIZE] == 0 and m[p + COST] != 0:
                m[STATUS] = BOOKS_BROKEN
        if size != 0 or cost != 0:
            m[STATUS] = BOOKS_BROKEN
    return m[STATUS]
