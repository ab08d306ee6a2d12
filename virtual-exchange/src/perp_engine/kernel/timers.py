"""What is due at a boundary besides prices: funding, fee days, cancels by the clock, the curve."""

from perp_engine.kernel.jit import Words, apart, jit
from perp_engine.kernel.latency import receive
from perp_engine.kernel.layout import (
    ACCOUNTS,
    ACTION_ARRIVES,
    AT_FEE,
    AT_PLAY,
    AT_SENT,
    AT_VOLUME,
    BAR,
    BARS,
    BUCKET,
    CANCEL_AT,
    CANCEL_COUNT,
    CANCEL_DAY,
    CASH,
    COST,
    CURVE_EVERY,
    DELISTED,
    DELISTED_CANCELED,
    DIRTY,
    EQUITIES_PER_EVENT,
    EVENT_EQUITY,
    EVENT_FEES,
    EXPIRED,
    FEE_FLOOR,
    FEE_MAKER,
    FEE_TAKER,
    FEE_TIERS,
    FEE_WORDS,
    FIRST_OWN,
    HIGHEST,
    HOURLY_RATE,
    LAST_BAR,
    LAST_RATE,
    LAST_RATE_INTERVAL,
    LAST_RATE_MS,
    LAST_STAMP,
    MAKER,
    MARK,
    NEXT_CANCEL,
    NEXT_DAY,
    NEXT_HOUR,
    NEXT_STAMP,
    ORDER_EXPIRES,
    ORDER_NEXT,
    SCHEDULED,
    SENT_FIRST,
    SENT_ORDERS,
    SENT_USED,
    SIZE,
    SYMBOLS,
    TAKER,
    TIMER_BAR,
    VOLUME_DAYS,
    account_at,
    boundary_ms,
    boundary_of,
    position_at,
    symbol_at,
)
from perp_engine.kernel.ledger import settle_funding
from perp_engine.kernel.liquidation import settle
from perp_engine.kernel.log import emit
from perp_engine.kernel.margin import reset_guards
from perp_engine.kernel.nearest import refresh
from perp_engine.kernel.orders import end, end_account
from perp_engine.kernel.path import play_opens
from perp_engine.kernel.tape import sync

HOUR_MS = 3_600_000
DAY_MS = 86_400_000


@jit
def delist(m: Words, symbol: int, bar: int, time_ms: int) -> None:
    """Take a coin off the market when its data has ended and the world goes on."""
    s = symbol_at(m, symbol)
    if m[s + DELISTED] or bar <= m[s + LAST_BAR] or bar >= m[BARS]:
        return
    m[s + DELISTED] = 1
    for account in range(m[ACCOUNTS]):
        settle(m, account, symbol, time_ms)


@apart
def pay_funding(m: Words, symbol: int, time_ms: int) -> None:
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
def fee_tier(m: Words, volume: int) -> int:
    """Row of the fee tier that a traded notional reaches."""
    tier = m[AT_FEE]
    for index in range(1, m[FEE_TIERS]):
        row = m[AT_FEE] + index * FEE_WORDS
        if m[row + FEE_FLOOR] <= volume:
            tier = row
    return tier


@apart
def assess_fees(m: Words, time_ms: int) -> None:
    """Begin a UTC day: the tier of the 14 full days before it, and an empty place for its volume.

    The place is that of the day 15 ago; a world of long bars may pass several days at once.
    """
    first, today = m[NEXT_DAY] // DAY_MS, time_ms // DAY_MS
    m[NEXT_DAY] = (today + 1) * DAY_MS
    for account in range(m[ACCOUNTS]):
        volumes = m[AT_VOLUME] + account * VOLUME_DAYS
        for day in range(max(first, today - VOLUME_DAYS + 1), today + 1):
            m[volumes + day % VOLUME_DAYS] = 0
    for account in range(m[ACCOUNTS]):
        a, volume = account_at(m, account), 0
        for place in range(VOLUME_DAYS):
            volume += m[m[AT_VOLUME] + account * VOLUME_DAYS + place]
        tier = fee_tier(m, volume)
        taker, maker = m[tier + FEE_TAKER], m[tier + FEE_MAKER]
        if taker != m[a + TAKER] or maker != m[a + MAKER]:
            m[a + TAKER], m[a + MAKER] = taker, maker
            e = emit(m, EVENT_FEES, time_ms, account, 0, 0)
            m[e], m[e + 1] = taker, maker


@jit
def expire(m: Words, account: int, symbol: int, time_ms: int) -> None:
    """End the orders of a position whose time has come; note when the next one's does."""
    p = position_at(m, account, symbol)
    ended = False
    again = True
    while again:
        again = False
        o = m[p + FIRST_OWN]
        while o:
            if 0 < m[o + ORDER_EXPIRES] <= time_ms:
                end(m, o, EXPIRED, time_ms)
                ended = again = True
                break
            o = m[o + ORDER_NEXT]
    if ended:
        refresh(m, account, symbol)
    o = m[p + FIRST_OWN]
    while o:
        if m[o + ORDER_EXPIRES]:
            m[NEXT_CANCEL] = min(m[NEXT_CANCEL], m[o + ORDER_EXPIRES])
        o = m[o + ORDER_NEXT]


@apart
def cancel_by_clock(m: Words, time_ms: int) -> None:
    """Scheduled cancels, then expiries; and when the next of either is due."""
    m[NEXT_CANCEL] = HIGHEST
    for account in range(m[ACCOUNTS]):
        a = account_at(m, account)
        if 0 < m[a + CANCEL_AT] <= time_ms:
            m[a + CANCEL_AT] = 0
            day = time_ms // DAY_MS
            if m[a + CANCEL_DAY] != day:
                m[a + CANCEL_DAY], m[a + CANCEL_COUNT] = day, 0
            m[a + CANCEL_COUNT] += 1
            end_account(m, account, SCHEDULED, time_ms)
        elif m[a + CANCEL_AT]:
            m[NEXT_CANCEL] = min(m[NEXT_CANCEL], m[a + CANCEL_AT])
        for symbol in range(m[SYMBOLS]):
            expire(m, account, symbol, time_ms)


@apart
def run_timers(m: Words, bar: int, time_ms: int) -> None:
    """Everything that is due, in its order."""
    for place in range(m[SYMBOLS]):
        delist(m, m[m[AT_PLAY] + place], bar, time_ms)
    for place in range(m[SYMBOLS]):
        pay_funding(m, m[m[AT_PLAY] + place], time_ms)
    for account in range(m[ACCOUNTS]):
        if m[account_at(m, account) + DIRTY]:
            reset_guards(m, account)
    if m[NEXT_DAY] <= time_ms:
        assess_fees(m, time_ms)
    if m[NEXT_CANCEL] <= time_ms:
        cancel_by_clock(m, time_ms)


@jit
def equity_of(m: Words, account: int) -> int:
    """Everything an account is worth, at the marks."""
    total = m[account_at(m, account) + CASH]
    for symbol in range(m[SYMBOLS]):
        p = position_at(m, account, symbol)
        if m[p + SIZE] != 0:
            mark = m[symbol_at(m, symbol) + MARK]
            total += m[p + BUCKET] + m[p + SIZE] * mark - m[p + COST]
    return total


@jit
def sample_curve(m: Words, time_ms: int) -> None:
    """Note the equity of every account, several to an event."""
    for first in range(0, m[ACCOUNTS], EQUITIES_PER_EVENT):
        e = emit(m, EVENT_EQUITY, time_ms, first, 0, 0)
        for account in range(first, min(first + EQUITIES_PER_EVENT, m[ACCOUNTS])):
            m[e + account - first] = equity_of(m, account)


@jit
def set_timer(m: Words) -> None:
    """Find the next boundary at which something is due: the last one at the latest."""
    bar = m[BAR]
    soonest = min(m[NEXT_CANCEL], m[NEXT_DAY])
    due = m[BARS]
    for symbol in range(m[SYMBOLS]):
        s = symbol_at(m, symbol)
        soonest = min(soonest, m[s + NEXT_HOUR])
        if m[s + NEXT_STAMP] < m[s + LAST_STAMP]:
            soonest = min(soonest, m[m[s + NEXT_STAMP]])
        if m[s + DELISTED] == 0:
            due = min(due, m[s + LAST_BAR] + 1)
    if m[SENT_USED]:
        soonest = min(soonest, m[m[AT_SENT] + m[SENT_FIRST] + ACTION_ARRIVES])
    due = min(due, boundary_of(m, soonest))
    if m[CURVE_EVERY]:
        due = min(due, (bar // m[CURVE_EVERY] + 1) * m[CURVE_EVERY])
    m[TIMER_BAR] = max(due, bar + 1)


@apart
def arrive(m: Words, t: Words) -> None:
    """Reach a boundary."""
    bar = m[BAR]
    time_ms = boundary_ms(m, bar)
    sync(m, t)
    due = bar >= m[TIMER_BAR]
    if due:
        run_timers(m, bar, time_ms)
    if bar == m[BARS]:
        for account in range(m[ACCOUNTS]):
            end_account(m, account, DELISTED_CANCELED, time_ms)
        m[SENT_USED] = m[SENT_ORDERS] = 0
    else:
        play_opens(m, t, bar)
        if due:
            receive(m, t)
    if due:
        if m[CURVE_EVERY] and bar % m[CURVE_EVERY] == 0:
            sample_curve(m, time_ms)
        set_timer(m)
