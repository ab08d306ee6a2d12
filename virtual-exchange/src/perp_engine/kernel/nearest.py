"""The nearest price at which anything happens to anybody, for each symbol.

Two trees over the accounts of a symbol: the root holds the highest price that a falling path meets
and the lowest that a rising one meets, a leaf those of one account: of its orders, and the guard of
its position. So an untouched bar costs two comparisons however many accounts there are, and a
touched one finds those concerned without asking the others. A leaf may be too near, never too far.
"""

from perp_engine.kernel.jit import Words, jit
from perp_engine.kernel.layout import (
    ACCOUNTS,
    AT_HIGH,
    AT_LOW,
    FIRST_OWN,
    GUARD,
    HIGHEST,
    LEAVES,
    LOWEST,
    ORDER_ACCOUNT,
    ORDER_FALLS,
    ORDER_LEVEL,
    ORDER_NEXT,
    ORDER_STATE,
    ORDER_SYMBOL,
    SIZE,
    WAITING_FOR_FILL,
    position_at,
)


@jit
def low_tree(m: Words, symbol: int) -> int:
    """Where a symbol's tree of falling levels starts; its root is the word after."""
    return m[AT_LOW] + 2 * symbol * m[LEAVES]


@jit
def high_tree(m: Words, symbol: int) -> int:
    """Where a symbol's tree of rising levels starts; its root is the word after."""
    return m[AT_HIGH] + 2 * symbol * m[LEAVES]


@jit
def lower_to(m: Words, symbol: int, account: int, level: int) -> None:
    """A falling path now meets something at `level`."""
    tree, node = low_tree(m, symbol), m[LEAVES] + account
    while node and m[tree + node] < level:
        m[tree + node] = level
        node >>= 1


@jit
def rise_to(m: Words, symbol: int, account: int, level: int) -> None:
    """A rising path now meets something at `level`."""
    tree, node = high_tree(m, symbol), m[LEAVES] + account
    while node and m[tree + node] > level:
        m[tree + node] = level
        node >>= 1


@jit
def note_order(m: Words, o: int) -> None:
    """An order became active."""
    if m[o + ORDER_FALLS]:
        lower_to(m, m[o + ORDER_SYMBOL], m[o + ORDER_ACCOUNT], m[o + ORDER_LEVEL])
    else:
        rise_to(m, m[o + ORDER_SYMBOL], m[o + ORDER_ACCOUNT], m[o + ORDER_LEVEL])


@jit
def note_guard(m: Words, account: int, symbol: int) -> None:
    """The guard of a position moved."""
    p = position_at(m, account, symbol)
    if m[p + SIZE] > 0:
        lower_to(m, symbol, account, m[p + GUARD])
    elif m[p + SIZE] < 0:
        rise_to(m, symbol, account, m[p + GUARD])


@jit
def refresh(m: Words, account: int, symbol: int) -> None:
    """Make the leaf of a position exact."""
    p = position_at(m, account, symbol)
    low = m[p + GUARD] if m[p + SIZE] > 0 else LOWEST
    high = m[p + GUARD] if m[p + SIZE] < 0 else HIGHEST
    o = m[p + FIRST_OWN]
    while o:
        if m[o + ORDER_STATE] != WAITING_FOR_FILL:
            if m[o + ORDER_FALLS]:
                low = max(low, m[o + ORDER_LEVEL])
            else:
                high = min(high, m[o + ORDER_LEVEL])
        o = m[o + ORDER_NEXT]
    tree, node = low_tree(m, symbol), m[LEAVES] + account
    while node and m[tree + node] != low:
        m[tree + node] = low
        if node > 1:
            low = max(low, m[tree + (node ^ 1)])
        node >>= 1
    tree, node = high_tree(m, symbol), m[LEAVES] + account
    while node and m[tree + node] != high:
        m[tree + node] = high
        if node > 1:
            high = min(high, m[tree + (node ^ 1)])
        node >>= 1


@jit
def met(m: Words, symbol: int, low: int, high: int) -> bool:
    """Whether a path between two prices meets anything."""
    return low <= m[low_tree(m, symbol) + 1] or high >= m[high_tree(m, symbol) + 1]


@jit
def next_met(m: Words, symbol: int, low: int, high: int, account: int) -> int:
    """First account from `account` on that a path between two prices concerns, -1 when none."""
    if account >= m[ACCOUNTS]:
        return -1
    falls, rises, leaves = low_tree(m, symbol), high_tree(m, symbol), m[LEAVES]
    node = leaves + account
    while True:
        if low <= m[falls + node] or high >= m[rises + node]:
            while node < leaves:
                node *= 2
                if low > m[falls + node] and high < m[rises + node]:
                    node += 1
            return node - leaves
        while node & 1:
            node >>= 1
        if node == 0:
            return -1
        node += 1
