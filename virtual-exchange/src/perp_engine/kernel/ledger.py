"""Money and positions. Every entry is double, and every event proves it before it ends."""

from perp_engine.kernel.fixed import RATE_ONE, mul_div_ceil, mul_div_floor, mul_div_half_even
from perp_engine.kernel.jit import Words, apart, jit, words
from perp_engine.kernel.layout import (
    ACCOUNTS,
    BOOKS_BROKEN,
    BUCKET,
    CASH,
    CHECKED,
    COST,
    CROSS_OPEN,
    DIRTY,
    EVENT_DEPOSIT,
    EVENT_FUNDING,
    EVENT_INSURANCE,
    EVENT_MARGIN,
    EXTERNAL,
    FUNDING_ALL,
    FUNDING_OPEN,
    FUNDING_POOL,
    HOUSE,
    INSURANCE,
    ISOLATED,
    LEVERAGE,
    MARKET_COST,
    MARKET_SIZE,
    OPEN_POSITIONS,
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
def books(m: Words, a: int, p: int) -> int:
    """Sum over the ledger accounts that an event of one account and position can touch."""
    venue = m[VENUE_FEES] + m[FUNDING_POOL] + m[HOUSE] + m[INSURANCE] + m[EXTERNAL]
    return m[a + CASH] + m[p + BUCKET] + venue


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
def margin_of(price: int, size: int, leverage: int) -> int:
    """Initial margin, rounded up."""
    return -(-(price * size) // leverage)


@jit
def count_position(m: Words, a: int, p: int, before: int) -> None:
    """Keep the counts of open positions after a size changed from `before`."""
    change = (m[p + SIZE] != 0) - (before != 0)
    m[OPEN_POSITIONS] += change
    if not m[p + ISOLATED]:
        m[a + CROSS_OPEN] += change


@jit
def move_bucket(
    m: Words, a: int, p: int, held: int, closed: int, realized: int, opening: int
) -> None:
    """Release the closed part's share of an isolated margin, then take the opened part's.

    A loss beyond the share comes from the rest of the bucket and from nothing else: not from cash.
    """
    if closed:
        bucket = m[p + BUCKET]
        released = bucket
        if closed != abs(held):
            released = mul_div_floor(bucket, closed, abs(held))
        value = released + realized
        m[p + BUCKET] = bucket - released + min(value, 0)
        m[a + CASH] += max(value, 0)
    m[p + BUCKET] += opening
    m[a + CASH] -= opening


@jit
def book_trade(m: Words, account: int, symbol: int, change: int, price: int, fee: int) -> int:
    """Post one trade: `change` is the signed size it adds. Returns the realized profit.

    A reduction takes its share of the cost basis, rounded half to even; the rest stays, so that at
    size 0 the basis is exactly 0.
    """
    a, p, s = account_at(m, account), position_at(m, account, symbol), symbol_at(m, symbol)
    before = books(m, a, p)
    held, cost = m[p + SIZE], m[p + COST]
    size = abs(change)
    new_cost, realized, opened, closed = cost, 0, size, 0
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
    m[a + CASH] -= fee
    m[HOUSE] -= realized
    m[VENUE_FEES] += fee
    if m[p + ISOLATED]:
        move_bucket(m, a, p, held, closed, realized, margin_of(price, opened, m[p + LEVERAGE]))
    else:
        m[a + CASH] += realized
    count_position(m, a, p, held)
    prove(m, before, books(m, a, p))
    return realized


@jit
def insure_bucket(m: Words, account: int, symbol: int, time_ms: int) -> None:
    """What a flat isolated position lacks is the insurance's loss; what is left goes to cash."""
    a, p = account_at(m, account), position_at(m, account, symbol)
    if m[p + SIZE] != 0 or m[p + BUCKET] == 0:
        return
    before = books(m, a, p)
    lacking = max(0, -m[p + BUCKET])
    m[INSURANCE] -= lacking
    m[a + CASH] += m[p + BUCKET] + lacking
    m[p + BUCKET] = 0
    prove(m, before, books(m, a, p))
    if lacking:
        e = emit(m, EVENT_INSURANCE, time_ms, account, symbol, 0)
        m[e] = lacking


@jit
def insure(m: Words, account: int, symbol: int, usd: int, time_ms: int) -> None:
    """Pay an account from insurance, or keep what it has left when negative: `usd` to its cash."""
    if usd == 0:
        return
    a = account_at(m, account)
    m[a + CASH] += usd
    m[INSURANCE] -= usd
    e = emit(m, EVENT_INSURANCE, time_ms, account, symbol, 0)
    m[e] = usd


@jit
def cover(m: Words, account: int, symbol: int, time_ms: int) -> None:
    """A cross pool without positions is never left below 0: insurance pays the rest."""
    a = account_at(m, account)
    if m[a + CROSS_OPEN] == 0 and m[a + CASH] < 0:
        insure(m, account, symbol, -m[a + CASH], time_ms)


@apart
def settle_funding(m: Words, symbol: int, mark: int, rate: int, time_ms: int) -> None:
    """Pay one stamp on the mark: longs pay shorts when the rate is positive; half to even."""
    for account in range(m[ACCOUNTS]):
        p = position_at(m, account, symbol)
        size = m[p + SIZE]
        if size == 0:
            continue
        a = account_at(m, account)
        before = books(m, a, p)
        payment = mul_div_half_even(size * mark, abs(rate), RATE_ONE)
        if rate < 0:
            payment = -payment
        if m[p + ISOLATED]:
            m[p + BUCKET] -= payment
        else:
            m[a + CASH] -= payment
        m[a + DIRTY] = 1
        m[FUNDING_POOL] += payment
        m[p + FUNDING_ALL] += payment
        m[p + FUNDING_OPEN] += payment
        prove(m, before, books(m, a, p))
        e = emit(m, EVENT_FUNDING, time_ms, account, symbol, 0)
        m[e], m[e + 1], m[e + 2] = size, rate, -payment


@jit
def deposit(m: Words, account: int, usd: int, time_ms: int) -> None:
    """Take money in from outside, or let it out when negative."""
    a = account_at(m, account)
    m[a + CASH] += usd
    m[EXTERNAL] -= usd
    e = emit(m, EVENT_DEPOSIT, time_ms, account, 0, 0)
    m[e] = usd


@jit
def fill_bucket(m: Words, account: int, symbol: int, usd: int, time_ms: int) -> None:
    """Move cash into the margin of an isolated position, or back when negative."""
    a, p = account_at(m, account), position_at(m, account, symbol)
    m[a + CASH] -= usd
    m[p + BUCKET] += usd
    e = emit(m, EVENT_MARGIN, time_ms, account, symbol, 0)
    m[e] = usd


@jit
def audit(state: Words) -> int:
    """Entry point: recount the world. Money adds up to 0, each size and cost has its other side."""
    m: Words = words(state)
    money = m[VENUE_FEES] + m[FUNDING_POOL] + m[HOUSE] + m[INSURANCE] + m[EXTERNAL]
    for account in range(m[ACCOUNTS]):
        money += m[account_at(m, account) + CASH]
    for symbol in range(m[SYMBOLS]):
        s = symbol_at(m, symbol)
        size, cost = m[s + MARKET_SIZE], m[s + MARKET_COST]
        for account in range(m[ACCOUNTS]):
            p = position_at(m, account, symbol)
            size += m[p + SIZE]
            cost += m[p + COST]
            money += m[p + BUCKET]
            if m[p + SIZE] == 0 and (m[p + COST] != 0 or m[p + BUCKET] != 0):
                m[STATUS] = BOOKS_BROKEN
        if size != 0 or cost != 0:
            m[STATUS] = BOOKS_BROKEN
    if money != 0:
        m[STATUS] = BOOKS_BROKEN
    return m[STATUS]
