"""What stands behind positions and orders: one cross pool an account, a bucket an isolated one."""

from perp_engine.kernel.fixed import RATE_ONE, mul_div_ceil, mul_div_floor
from perp_engine.kernel.jit import Words, apart, jit, words
from perp_engine.kernel.layout import (
    BUCKET,
    CASH,
    COST,
    CROSS_OPEN,
    DIRTY,
    FIRST_OWN,
    FIRST_TIER,
    GUARD,
    HIGHEST,
    ISOLATED,
    LAST_TIER,
    LEVERAGE,
    LOWEST,
    MARK,
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
    TIER_DEDUCTION,
    TIER_FLOOR,
    TIER_LEVERAGE,
    TIER_RATE,
    TIER_WORDS,
    account_at,
    position_at,
    symbol_at,
)
from perp_engine.kernel.ledger import margin_of
from perp_engine.kernel.nearest import note_guard

PRICE_CAP = 1 << 31
"""Beyond every price that an order or a bar may have."""


@jit
def tier_of(m: Words, s: int, notional: int) -> int:
    """Row of the margin tier that a notional lies in."""
    tier, last = m[s + FIRST_TIER], m[s + LAST_TIER]
    while tier < last and m[tier + TIER_WORDS + TIER_FLOOR] <= notional:
        tier += TIER_WORDS
    return tier


@jit
def maintenance_of(m: Words, s: int, notional: int) -> int:
    """Margin below which a position of this notional is liquidated.

    Source: venue documentation, "Margin tiers", read 2026-11.
    """
    tier = tier_of(m, s, notional)
    return mul_div_ceil(notional, m[tier + TIER_RATE], RATE_ONE) - m[tier + TIER_DEDUCTION]


@jit
def leverage_at(m: Words, s: int, notional: int) -> int:
    """Highest leverage that a notional allows."""
    return m[tier_of(m, s, notional) + TIER_LEVERAGE]


@jit
def surplus(m: Words, p: int, s: int) -> int:
    """Unrealized profit of a position less its maintenance margin, at the mark."""
    value = m[p + SIZE] * m[s + MARK]
    return value - m[p + COST] - maintenance_of(m, s, abs(value))


@jit
def cross_surplus(m: Words, account: int, besides: int) -> int:
    """Cross equity less cross maintenance; without the position in `besides` unless that is -1."""
    a = account_at(m, account)
    total = m[a + CASH]
    if m[a + CROSS_OPEN] == 0:
        return total
    for symbol in range(m[SYMBOLS]):
        p = position_at(m, account, symbol)
        if symbol != besides and m[p + SIZE] != 0 and not m[p + ISOLATED]:
            total += surplus(m, p, symbol_at(m, symbol))
    return total


@jit
def breached(m: Words, s: int, size: int, cost: int, backing: int, price: int) -> bool:
    """Whether a position with this backing falls short of maintenance at a price."""
    value = size * price
    return backing + value - cost < maintenance_of(m, s, abs(value))


@jit
def first_guess(m: Words, s: int, size: int, cost: int, backing: int) -> int:
    """Where maintenance is met with equality: closed form of one tier, followed to its own tier."""
    short, quantity = cost - backing, abs(size)
    tier, price = tier_of(m, s, abs(cost)), 0
    for _ in range(4):
        rate, deduction = m[tier + TIER_RATE], m[tier + TIER_DEDUCTION]
        if size > 0:
            price = mul_div_floor(short - deduction, RATE_ONE, RATE_ONE - rate) // quantity
        else:
            price = mul_div_floor(deduction - short, RATE_ONE, RATE_ONE + rate) // quantity
        there = tier_of(m, s, quantity * max(price, 0))
        if there == tier:
            break
        tier = there
    return max(price, 0)


@jit
def bisect(m: Words, s: int, size: int, cost: int, backing: int, bad: int, good: int) -> int:
    """The last breaching price on the way from one that breaches to one that does not."""
    while abs(good - bad) > 1:
        middle = (bad + good) // 2
        if breached(m, s, size, cost, backing, middle):
            bad = middle
        else:
            good = middle
    return bad


@apart
def liquidation_price(m: Words, s: int, size: int, cost: int, backing: int) -> int:
    """First price that breaches: highest for a long, lowest for a short; a bound when none does.

    The closed form lands within a few units and the predicate has the last word, so that rounding
    can never disagree with it; a guess in the wrong tier is mended by bisection.
    """
    price = first_guess(m, s, size, cost, backing)
    if size > 0:
        if not breached(m, s, size, cost, backing, price + 1):
            if price > 0 and breached(m, s, size, cost, backing, price):
                return price
            low, high = 1, price
            if price <= 1 or not breached(m, s, size, cost, backing, low):
                return LOWEST
            return bisect(m, s, size, cost, backing, low, high)
        low, high = price + 1, price + 2
        while high < PRICE_CAP and breached(m, s, size, cost, backing, high):
            low, high = high, 2 * high
        if high >= PRICE_CAP:
            return PRICE_CAP
        return bisect(m, s, size, cost, backing, low, high)
    if breached(m, s, size, cost, backing, price):
        return bisect(m, s, size, cost, backing, price, 0)
    low, high = price, price + 1
    while high < PRICE_CAP and not breached(m, s, size, cost, backing, high):
        low, high = high, 2 * high
    if high >= PRICE_CAP:
        return HIGHEST
    return bisect(m, s, size, cost, backing, high, low)


@jit
def exact_liquidation(m: Words, account: int, symbol: int) -> int:
    """First price of a symbol that liquidates its position with the other marks as they are."""
    p, s = position_at(m, account, symbol), symbol_at(m, symbol)
    backing = m[p + BUCKET] if m[p + ISOLATED] else cross_surplus(m, account, symbol)
    return liquidation_price(m, s, m[p + SIZE], m[p + COST], backing)


@jit
def guard_at(size: int, mark: int, lethal: int) -> int:
    """Half way from the mark to the price that liquidates, or that price when it is behind."""
    half = (mark + max(lethal, 0)) // 2
    return max(half, lethal) if size > 0 else min(half, lethal, 4 * mark)


@jit
def set_guard(m: Words, account: int, symbol: int, spare: int) -> None:
    """Choose the guard of one position.

    Args:
        spare: how much of a shared pool's surplus it may lose; ignored when it stands alone.
    """
    p, s = position_at(m, account, symbol), symbol_at(m, symbol)
    if m[p + ISOLATED]:
        backing = m[p + BUCKET]
    elif m[account_at(m, account) + CROSS_OPEN] == 1:
        backing = m[account_at(m, account) + CASH]
    else:
        backing = spare - surplus(m, p, s)
    lethal = liquidation_price(m, s, m[p + SIZE], m[p + COST], backing)
    m[p + GUARD] = guard_at(m[p + SIZE], m[s + MARK], lethal)
    note_guard(m, account, symbol)


@apart
def set_cross_guards(m: Words, account: int) -> None:
    """Choose the guards of an account's cross positions."""
    count = m[account_at(m, account) + CROSS_OPEN]
    if count == 0:
        return
    spare = 0
    if count > 1:
        spare = cross_surplus(m, account, -1) // count
    for symbol in range(m[SYMBOLS]):
        p = position_at(m, account, symbol)
        if m[p + SIZE] != 0 and not m[p + ISOLATED]:
            set_guard(m, account, symbol, spare)


@jit
def worth_at_guard(m: Words, p: int, s: int) -> int:
    """Profit of a position less its maintenance at its guard; far below 0 when that is behind."""
    guard, size = m[p + GUARD], m[p + SIZE]
    if (guard >= m[s + MARK]) == (size > 0):
        return LOWEST
    value = size * guard
    return value - m[p + COST] - maintenance_of(m, s, abs(value))


@jit
def cross_guarded(m: Words, account: int) -> bool:
    """Whether the cross pool would stand even with every price at its guard."""
    a = account_at(m, account)
    total = m[a + CASH]
    if m[a + CROSS_OPEN] == 0:
        return True
    for symbol in range(m[SYMBOLS]):
        p = position_at(m, account, symbol)
        if m[p + SIZE] != 0 and not m[p + ISOLATED]:
            worth = worth_at_guard(m, p, symbol_at(m, symbol))
            if worth == LOWEST:
                return False
            total += worth
    return total >= 0


@jit
def keep_guards(m: Words, account: int, symbol: int) -> None:
    """After money or the position in a symbol changed: choose guards anew if they no longer hold.

    While no price is beyond its guard no pool can fall short; beyond it, the exact price is asked
    for. A guard may be near, so that it outlives most changes, but never too far.
    """
    p, s = position_at(m, account, symbol), symbol_at(m, symbol)
    if m[p + ISOLATED] and m[p + SIZE] != 0 and worth_at_guard(m, p, s) < -m[p + BUCKET]:
        set_guard(m, account, symbol, 0)
    if not cross_guarded(m, account):
        set_cross_guards(m, account)
    # a guard that is kept from an earlier position is not in the tree
    note_guard(m, account, symbol)


@jit
def reset_guards(m: Words, account: int) -> None:
    """Choose all guards of an account anew."""
    m[account_at(m, account) + DIRTY] = 0
    for symbol in range(m[SYMBOLS]):
        p = position_at(m, account, symbol)
        if m[p + SIZE] != 0 and m[p + ISOLATED]:
            set_guard(m, account, symbol, 0)
    set_cross_guards(m, account)


@jit
def available(m: Words, account: int) -> int:
    """Cross equity that backs neither a position nor an order; negative when over-committed."""
    a = account_at(m, account)
    free = m[a + CASH] - m[a + ORDER_MARGIN]
    if m[a + CROSS_OPEN] == 0:
        return free
    for symbol in range(m[SYMBOLS]):
        p = position_at(m, account, symbol)
        if m[p + SIZE] != 0 and not m[p + ISOLATED]:
            value = m[p + SIZE] * m[symbol_at(m, symbol) + MARK]
            free += value - m[p + COST] + -abs(value) // m[p + LEVERAGE]
    return free


@jit
def available_at_least(m: Words, account: int) -> int:
    """A bound below `available`, as if nothing were levered: many orders need ask no further."""
    a = account_at(m, account)
    free = m[a + CASH] - m[a + ORDER_MARGIN]
    if m[a + CROSS_OPEN] == 0:
        return free
    for symbol in range(m[SYMBOLS]):
        p = position_at(m, account, symbol)
        if m[p + SIZE] != 0 and not m[p + ISOLATED]:
            value = m[p + SIZE] * m[symbol_at(m, symbol) + MARK]
            free += value - m[p + COST] - abs(value)
    return free


@jit
def opening_size(held: int, side: int, size: int) -> int:
    """Part of an order that would increase a position of signed size `held`."""
    if held * side >= 0:
        return size
    return max(0, size - abs(held))


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
    return margin_of(price, size, m[p + LEVERAGE]) if size else 0


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
    """Entry point: write what `views.AccountState` holds, in its order."""
    m, out = words(state), words(out)
    a = account_at(m, account)
    for word in range(9):
        out[word] = 0
    out[0], out[3] = m[a + CASH], m[a + ORDER_MARGIN]
    for symbol in range(m[SYMBOLS]):
        p, s = position_at(m, account, symbol), symbol_at(m, symbol)
        value = m[p + SIZE] * m[s + MARK]
        if m[p + SIZE] == 0:
            continue
        out[7] += abs(value)
        if m[p + ISOLATED]:
            out[5] += m[p + BUCKET]
            out[6] += value - m[p + COST]
        else:
            out[1] += value - m[p + COST]
            out[2] += -(-abs(value) // m[p + LEVERAGE])
            out[4] += maintenance_of(m, s, abs(value))
            out[8] += abs(value)


@jit
def read_position(state: Words, account: int, symbol: int, out: Words) -> None:
    """Entry point: write maintenance margin and liquidation price of a position."""
    m, out = words(state), words(out)
    p, s = position_at(m, account, symbol), symbol_at(m, symbol)
    out[0], out[1] = 0, 0
    if m[p + SIZE] == 0:
        return
    out[0] = maintenance_of(m, s, abs(m[p + SIZE]) * m[s + MARK])
    price = exact_liquidation(m, account, symbol)
    out[1] = price if LOWEST < price < PRICE_CAP else 0
