"""The tape as the kernel reads it: bars by symbol and field, then what is known inside them."""

from perp_engine.kernel.jit import Words, jit
from perp_engine.kernel.layout import (
    AT_CLOSE,
    AT_DETAIL,
    BAR,
    BARS,
    MARK,
    NOW_MS,
    PRINT,
    SYMBOLS,
    SYNCED,
    boundary_ms,
    symbol_at,
)

OPEN, HIGH, LOW, CLOSE, VOLUME = range(5)
DETAIL_WORDS = 4


@jit
def bar_word(m: Words, t: Words, symbol: int, field: int, bar: int) -> int:
    """One number of a bar."""
    return t[(symbol * 5 + field) * m[BARS] + bar]


@jit
def bar_exists(m: Words, t: Words, symbol: int, bar: int) -> bool:
    """Whether the data has a bar."""
    return bar < m[BARS] and t[(symbol * 5 + VOLUME) * m[BARS] + bar] >= 0


@jit
def volume_before(m: Words, t: Words, symbol: int, bar: int) -> int:
    """Volume of the bar that ends where `bar` starts; 0 when there is none."""
    return max(0, bar_word(m, t, symbol, VOLUME, bar - 1)) if bar > 0 else 0


@jit
def detail_of(m: Words, t: Words, symbol: int, bar: int) -> int:
    """First detail row of a bar; its last is before that of the next bar."""
    return t[m[AT_DETAIL] + symbol * (m[BARS] + 1) + bar]


@jit
def detail_word(m: Words, t: Words, row: int, field: int) -> int:
    """One price of a detail row."""
    rows = m[AT_DETAIL] + m[SYMBOLS] * (m[BARS] + 1)
    return t[rows + row * DETAIL_WORDS + field]


@jit
def sync(m: Words, t: Words) -> None:
    """Bring marks and prints to the present boundary; a quiet stretch leaves them behind."""
    bar = m[BAR]
    if m[SYNCED] == bar:
        return
    m[NOW_MS] = boundary_ms(m, bar)
    for symbol in range(m[SYMBOLS]):
        s = symbol_at(m, symbol)
        here = bar_exists(m, t, symbol, bar)
        if here and not m[AT_CLOSE]:
            m[s + MARK] = bar_word(m, t, symbol, OPEN, bar)
        else:
            last = bar - 1
            while last >= m[SYNCED] and last >= 0 and not bar_exists(m, t, symbol, last):
                last -= 1
            if last >= m[SYNCED] and last >= 0:
                m[s + MARK] = bar_word(m, t, symbol, CLOSE, last)
            elif here and m[s + MARK] == 0:
                m[s + MARK] = bar_word(m, t, symbol, OPEN, bar)
        m[s + PRINT] = m[s + MARK] if here else 0
    m[SYNCED] = bar
