"""Time: bars are played one after another, up to a boundary or until something happens."""

from perp_engine.kernel.jit import Words, jit, words
from perp_engine.kernel.layout import (
    AT_CLOSE,
    BAD_LEVERAGE,
    BAR,
    BARS,
    EVENT_LEVERAGE,
    EVENT_REFUSED,
    EVENTS,
    EVENTS_MAX,
    FIRST_OWN,
    HOURLY_RATE,
    LAST_RATE,
    LAST_RATE_INTERVAL,
    LAST_RATE_MS,
    LAST_STAMP,
    LEVERAGE,
    LEVERAGE_NEEDS_MARGIN,
    MARK,
    MAX_LEVERAGE,
    NEXT_HOUR,
    NEXT_STAMP,
    PRINT,
    SIZE,
    STOPPED,
    SYMBOLS,
    WORLD_ENDED,
    boundary_ms,
    position_at,
    symbol_at,
)
from perp_engine.kernel.ledger import deposit, settle_funding
from perp_engine.kernel.log import emit, room_needed
from perp_engine.kernel.margin import available, reserve_again
from perp_engine.kernel.orders import cancel_everything
from perp_engine.kernel.path import HIGH, LOW, OPEN, VOLUME, bar_word, play_bar, play_open

HOUR_MS = 3_600_000
REACHED, STOPPED_EARLY, NEEDS_ROOM = range(3)
WATCH_WORDS = 4


@jit
def settle_due(m: Words, symbol: int, time_ms: int) -> None:
    """Pay the funding stamps that have come, recorded or hourly."""
    s = symbol_at(m, symbol)
    while m[s + NEXT_STAMP] < m[s + LAST_STAMP] and m[m[s + NEXT_STAMP]] <= time_ms:
        stamp, rate = m[m[s + NEXT_STAMP]], m[m[s + NEXT_STAMP] + 1]
        settle_funding(m, symbol, m[s + MARK], rate, time_ms)
        previous = m[s + LAST_RATE_MS]
        m[s + LAST_RATE_INTERVAL] = stamp - previous if previous else 8 * HOUR_MS
        m[s + LAST_RATE], m[s + LAST_RATE_MS] = rate, stamp
        m[s + NEXT_STAMP] += 2
    while m[s + NEXT_HOUR] <= time_ms:
        settle_funding(m, symbol, m[s + MARK], m[s + HOURLY_RATE], time_ms)
        m[s + LAST_RATE], m[s + LAST_RATE_MS] = m[s + HOURLY_RATE], m[s + NEXT_HOUR]
        m[s + LAST_RATE_INTERVAL] = HOUR_MS
        m[s + NEXT_HOUR] += HOUR_MS


@jit
def arrive(m: Words, t: Words) -> None:
    """Reach a boundary: opening prints, funding, then fills of orders the print is beyond."""
    bar = m[BAR]
    time_ms = boundary_ms(m, bar)
    for symbol in range(m[SYMBOLS]):
        s = symbol_at(m, symbol)
        m[s + PRINT] = 0
        if bar < m[BARS] and bar_word(m, t, symbol, VOLUME, bar) >= 0:
            if not m[AT_CLOSE] or m[s + MARK] == 0:
                m[s + MARK] = bar_word(m, t, symbol, OPEN, bar)
            m[s + PRINT] = m[s + MARK]
        settle_due(m, symbol, time_ms)
    if bar == m[BARS]:
        cancel_everything(m, WORLD_ENDED, time_ms)
    elif bar > 0 and not m[AT_CLOSE]:
        for symbol in range(m[SYMBOLS]):
            if m[symbol_at(m, symbol) + PRINT]:
                play_open(m, t, symbol, bar, time_ms)


@jit
def begin(state: Words, tape: Words) -> int:
    """Entry point: reach the first boundary."""
    m: Words = words(state)
    arrive(m, words(tape))
    return m[BAR]


@jit
def watched(m: Words, t: Words, watches: Words, count: int, bar: int) -> int:
    """Mark the price watches that a bar met. Returns how many."""
    met = 0
    for index in range(count):
        w = index * WATCH_WORDS
        symbol, price, above = watches[w], watches[w + 1], watches[w + 2]
        if bar_word(m, t, symbol, VOLUME, bar) < 0:
            continue
        reached = bar_word(m, t, symbol, LOW, bar) <= price
        if above:
            reached = bar_word(m, t, symbol, HIGH, bar) >= price
        if reached:
            watches[w + 3] = 1
            met += 1
    return met


@jit
def advance(state: Words, tape: Words, until: int, watches: Words, count: int) -> int:
    """Entry point: play bars until boundary `until`, a stop asked for, or a full event table."""
    m, t, watch = words(state), words(tape), words(watches)
    m[STOPPED] = 0
    while m[BAR] < until:
        if m[EVENTS_MAX] - m[EVENTS] < room_needed(m):
            return NEEDS_ROOM
        bar = m[BAR]
        time_ms = boundary_ms(m, bar + 1) - 1
        for symbol in range(m[SYMBOLS]):
            play_bar(m, t, symbol, bar, time_ms)
        met = watched(m, t, watch, count, bar)
        m[BAR] = bar + 1
        arrive(m, t)
        if m[STOPPED] or met:
            return STOPPED_EARLY
    return REACHED


@jit
def set_leverage(state: Words, account: int, symbol: int, leverage: int) -> int:
    """Entry point: choose leverage; lowering it needs free margin when a position is open."""
    m = words(state)
    p, time_ms = position_at(m, account, symbol), boundary_ms(m, m[BAR])
    reason, before = 0, m[p + LEVERAGE]
    if leverage < 1 or leverage > m[symbol_at(m, symbol) + MAX_LEVERAGE]:
        reason = BAD_LEVERAGE
    else:
        m[p + LEVERAGE] = leverage
        reserve_again(m, account, symbol)
        in_use = m[p + SIZE] != 0 or m[p + FIRST_OWN] != 0
        if leverage < before and in_use and available(m, account) < 0:
            m[p + LEVERAGE] = before
            reserve_again(m, account, symbol)
            reason = LEVERAGE_NEEDS_MARGIN
    kind = EVENT_REFUSED if reason else EVENT_LEVERAGE
    e = emit(m, kind, time_ms, account, symbol, 0)
    m[e] = reason if reason else leverage
    return reason


@jit
def transfer(state: Words, account: int, usd: int) -> int:
    """Entry point: money from outside; what leaves must be free. Returns 0 or a refusal."""
    m = words(state)
    time_ms = boundary_ms(m, m[BAR])
    if usd < 0 and available(m, account) < -usd:
        e = emit(m, EVENT_REFUSED, time_ms, account, 0, 0)
        m[e] = LEVERAGE_NEEDS_MARGIN
        return LEVERAGE_NEEDS_MARGIN
    deposit(m, account, usd, time_ms)
    return 0
