"""Entry points: actions, and time."""

from perp_engine.kernel.filling import DAY_MS
from perp_engine.kernel.gate import play
from perp_engine.kernel.jit import Words, jit, words
from perp_engine.kernel.latency import submit
from perp_engine.kernel.layout import (
    BAD_LEVERAGE,
    BAR,
    BARS,
    BUCKET,
    CANCEL_AT,
    CANCEL_COUNT,
    CANCEL_DAY,
    CASH,
    COST,
    CROSS_OPEN,
    DELISTED,
    EVENT_LEVERAGE,
    EVENT_SCHEDULED,
    EVENTS,
    EVENTS_MAX,
    FIRST_OWN,
    HALTED,
    ISOLATED,
    ISOLATED_NEEDS_MARGIN,
    LEVERAGE,
    LEVERAGE_NEEDS_MARGIN,
    MARGIN_IN_USE,
    MARK,
    MAX_LEVERAGE,
    MODE_IN_USE,
    NEXT_CANCEL,
    NOT_ISOLATED,
    SIZE,
    STOPPED,
    SYMBOLS,
    TIMER_BAR,
    TOO_OFTEN,
    TOO_SOON,
    UNKNOWN_COIN,
    account_at,
    boundary_ms,
    boundary_of,
    position_at,
    symbol_at,
)
from perp_engine.kernel.ledger import deposit, fill_bucket, margin_of
from perp_engine.kernel.log import emit, room_needed
from perp_engine.kernel.margin import available, reserve_again, reset_guards
from perp_engine.kernel.nearest import high_tree, low_tree
from perp_engine.kernel.placing import refuse
from perp_engine.kernel.tape import HIGH, LOW, bar_exists, bar_word, sync
from perp_engine.kernel.timers import arrive

REACHED, STOPPED_EARLY, NEEDS_ROOM = range(3)
WATCH_WORDS = 4
SCHEDULE_AHEAD_MS, SCHEDULES_A_DAY = 5_000, 10
CASH_LIMIT = 10**17


@jit
def begin(state: Words, tape: Words) -> int:
    """Entry point: reach the first boundary."""
    m: Words = words(state)
    arrive(m, words(tape))
    return m[BAR]


@jit
def act(state: Words, tape: Words, action: Words) -> int:
    """Entry point: an action on orders."""
    return submit(words(state), words(tape), words(action), 0)


@jit
def read_room(state: Words) -> int:
    """Entry point: events that the next bar and its boundary can cause at the most."""
    return room_needed(words(state))


@jit
def watched(m: Words, t: Words, watches: Words, count: int, bar: int) -> int:
    """Mark the price watches that a bar met. Returns how many."""
    found = 0
    for index in range(count):
        w = index * WATCH_WORDS
        symbol, price, above = watches[w], watches[w + 1], watches[w + 2]
        if not bar_exists(m, t, symbol, bar):
            continue
        reached = bar_word(m, t, symbol, LOW, bar) <= price
        if above:
            reached = bar_word(m, t, symbol, HIGH, bar) >= price
        if reached:
            watches[w + 3] = 1
            found += 1
    return found


@jit
def quiet_until(m: Words, t: Words, bar: int, to: int) -> int:
    """First bar from `bar` on that meets anything, at most `to`."""
    symbols, bars = m[SYMBOLS], m[BARS]
    if symbols == 1:
        low, high = m[low_tree(m, 0) + 1], m[high_tree(m, 0) + 1]
        while bar < to and t[LOW * bars + bar] > low and t[HIGH * bars + bar] < high:
            bar += 1
        return bar
    while bar < to:
        for symbol in range(symbols):
            row = symbol * 5 * bars + bar
            if t[row + LOW * bars] <= m[low_tree(m, symbol) + 1]:
                return bar
            if t[row + HIGH * bars] >= m[high_tree(m, symbol) + 1]:
                return bar
        bar += 1
    return bar


@jit
def advance(state: Words, tape: Words, until: int, watches: Words, count: int) -> int:
    """Entry point: play bars until boundary `until`, a stop asked for, or a full event table."""
    m, t, watch = words(state), words(tape), words(watches)
    m[STOPPED] = 0
    while m[BAR] < until:
        if m[EVENTS_MAX] - m[EVENTS] < room_needed(m):
            return NEEDS_ROOM
        bar, found = m[BAR], 0
        first = bar if count else quiet_until(m, t, bar, min(until, m[TIMER_BAR]))
        if first > bar:
            m[BAR] = first
            arrive(m, t)
        else:
            found = watched(m, t, watch, count, bar)
            play(m, t)
        if m[STOPPED] or found:
            return STOPPED_EARLY
    return REACHED


@jit
def leverage_refused(m: Words, account: int, symbol: int, leverage: int, isolated: int) -> int:
    """Choose leverage and mode, or leave both and return why not."""
    p, s = position_at(m, account, symbol), symbol_at(m, symbol)
    if m[s + DELISTED]:
        return UNKNOWN_COIN
    if leverage < 1 or leverage > m[s + MAX_LEVERAGE]:
        return BAD_LEVERAGE
    if m[p + SIZE] != 0 and isolated != m[p + ISOLATED]:
        return MODE_IN_USE
    before = m[p + LEVERAGE]
    value = m[p + SIZE] * m[s + MARK]
    if isolated and m[p + SIZE] != 0 and leverage < before:
        need = margin_of(m[s + MARK], abs(m[p + SIZE]), leverage)
        if m[p + BUCKET] + value - m[p + COST] < need:
            return ISOLATED_NEEDS_MARGIN
    m[p + LEVERAGE] = leverage
    reserve_again(m, account, symbol)
    in_use = m[p + SIZE] != 0 or m[p + FIRST_OWN] != 0
    if leverage < before and in_use and available(m, account) < 0:
        m[p + LEVERAGE] = before
        reserve_again(m, account, symbol)
        return LEVERAGE_NEEDS_MARGIN
    m[p + ISOLATED] = isolated
    return 0


@jit
def set_leverage(
    state: Words, tape: Words, account: int, symbol: int, leverage: int, isolated: int
) -> int:
    """Entry point: choose leverage and margin mode."""
    m = words(state)
    sync(m, words(tape))
    reason = HALTED if m[BAR] >= m[BARS] else 0
    if reason == 0 and (symbol < 0 or symbol >= m[SYMBOLS]):
        reason = UNKNOWN_COIN
    if reason == 0:
        reason = leverage_refused(m, account, symbol, leverage, isolated)
    if reason:
        return refuse(m, account, symbol, 0, reason)
    e = emit(m, EVENT_LEVERAGE, boundary_ms(m, m[BAR]), account, symbol, 0)
    m[e], m[e + 1] = leverage, isolated
    return 0


@jit
def adjust_margin(state: Words, tape: Words, account: int, symbol: int, usd: int) -> int:
    """Entry point: cash into the bucket of an isolated position, or back when negative."""
    m = words(state)
    sync(m, words(tape))
    if m[BAR] >= m[BARS]:
        return refuse(m, account, symbol, 0, HALTED)
    if symbol < 0 or symbol >= m[SYMBOLS]:
        return refuse(m, account, symbol, 0, UNKNOWN_COIN)
    p, mark = position_at(m, account, symbol), m[symbol_at(m, symbol) + MARK]
    if not m[p + ISOLATED] or m[p + SIZE] == 0:
        return refuse(m, account, symbol, 0, NOT_ISOLATED)
    if usd > 0 and available(m, account) < usd:
        return refuse(m, account, symbol, 0, MARGIN_IN_USE)
    if usd < 0:
        notional = abs(m[p + SIZE]) * mark
        stays = m[p + BUCKET] + usd + m[p + SIZE] * mark - m[p + COST]
        need = max(margin_of(mark, abs(m[p + SIZE]), m[p + LEVERAGE]), -(-notional // 10))
        if stays < need:
            return refuse(m, account, symbol, 0, MARGIN_IN_USE)
    fill_bucket(m, account, symbol, usd, boundary_ms(m, m[BAR]))
    reset_guards(m, account)
    return 0


@jit
def withdrawable(m: Words, account: int, usd: int) -> bool:
    """Whether money may leave: it is free, and a tenth of the cross notional stays."""
    free = available(m, account)
    if free < usd:
        return False
    if m[account_at(m, account) + CROSS_OPEN] == 0:
        return True
    stays, notional = m[account_at(m, account) + CASH] - usd, 0
    for symbol in range(m[SYMBOLS]):
        p, mark = position_at(m, account, symbol), m[symbol_at(m, symbol) + MARK]
        if m[p + SIZE] != 0 and not m[p + ISOLATED]:
            stays += m[p + SIZE] * mark - m[p + COST]
            notional += abs(m[p + SIZE]) * mark
    return 10 * stays >= notional


@jit
def transfer(state: Words, tape: Words, account: int, usd: int) -> int:
    """Entry point: money from outside; what leaves must be free. Returns 0 or a refusal."""
    m = words(state)
    sync(m, words(tape))
    if m[BAR] >= m[BARS]:
        return refuse(m, account, 0, 0, HALTED)
    if usd < 0 and not withdrawable(m, account, -usd):
        return refuse(m, account, 0, 0, MARGIN_IN_USE)
    if usd + m[account_at(m, account) + CASH] > CASH_LIMIT:
        return refuse(m, account, 0, 0, MARGIN_IN_USE)
    deposit(m, account, usd, boundary_ms(m, m[BAR]))
    reset_guards(m, account)
    return 0


@jit
def schedule(state: Words, account: int, time_ms: int) -> int:
    """Entry point: cancel everything at a time; 0 clears it."""
    m = words(state)
    a, now = account_at(m, account), boundary_ms(m, m[BAR])
    if m[BAR] >= m[BARS]:
        return refuse(m, account, 0, 0, HALTED)
    if time_ms and time_ms < now + SCHEDULE_AHEAD_MS:
        return refuse(m, account, 0, 0, TOO_SOON)
    if time_ms and m[a + CANCEL_DAY] == now // DAY_MS and m[a + CANCEL_COUNT] >= SCHEDULES_A_DAY:
        return refuse(m, account, 0, 0, TOO_OFTEN)
    m[a + CANCEL_AT] = time_ms
    if time_ms:
        m[NEXT_CANCEL] = min(m[NEXT_CANCEL], time_ms)
        m[TIMER_BAR] = min(m[TIMER_BAR], boundary_of(m, time_ms))
    e = emit(m, EVENT_SCHEDULED, now, account, 0, 0)
    m[e] = time_ms
    return 0
