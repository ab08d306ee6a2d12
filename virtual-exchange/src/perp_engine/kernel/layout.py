"""The whole market in one int64 buffer `m`: a header, then tables of fixed-width rows.

A row is named by the index of its first word, a field by a constant: `m[o + ORDER_PRICE]`. Links
between rows are such indices, 0 is none. A copy or hash of the world is that of the buffer.
Units: price 10^-(6 - sz_decimals) USD, size 10^-sz_decimals, money micro-USD, rates 10^-9, time ms.
"""

from perp_engine.kernel.jit import Words, jit

LOWEST, HIGHEST = -(1 << 60), 1 << 60

# header: state. TIMER_BAR is the next boundary at which something besides prices is due; SYNCED the
# boundary that marks and prints belong to, which a quiet stretch leaves behind
STATUS, BAR, EVENTS, FREE_ORDER, OPEN_ORDERS, OPEN_POSITIONS, STOPPED, CHECKED = range(8)
TIMER_BAR, SYNCED, NEXT_CANCEL, NEXT_DAY, SENT_FIRST, SENT_USED = range(8, 14)
# header: the ledger's other sides; they, all cash and all buckets always add up to 0
VENUE_FEES, FUNDING_POOL, HOUSE, INSURANCE, EXTERNAL = range(14, 19)
# header: sizes
ACCOUNTS, LEAVES, SYMBOLS, BARS, START_MS, INTERVAL_MS = range(19, 25)
ORDERS_MAX, EVENTS_MAX, SENT_MAX, FEE_TIERS, AT_DETAIL = range(25, 30)
# header: rules. TRADES_ONLY leaves out events that only tell of orders; CURVE_EVERY is in bars
HALF_SPREAD, SLIPPAGE, IMPACT, PARTICIPATION, MIN_NOTIONAL, THROUGH, PATH = range(30, 37)
AT_CLOSE, PARTIAL_USD, LATENCY, TRADES_ONLY, CURVE_EVERY = range(37, 42)
# header: where the tables start
AT_ACCOUNT, AT_SYMBOL, AT_POSITION, AT_LOW, AT_HIGH, AT_PLAY, AT_TIER, AT_FEE = range(42, 50)
AT_VOLUME, AT_FUNDING, AT_SENT, AT_ORDER, AT_EVENT = range(50, 55)
# header: what the path is doing: arguments that would not fit into registers. NOW_MS is when; a
# stretch starts where the market was, and has come to `at` on its way `to`; takers pay from
# `least` to `most`
NOW_MS, STRETCH_BAR, STRETCH_INSIDE, STRETCH_START, STRETCH_AT, STRETCH_TO = range(55, 61)
STRETCH_LEAST, STRETCH_MOST, SENT_ORDERS = range(61, 64)
HEADER = 64

OK, BOOKS_BROKEN, LOG_FULL = range(3)
PESSIMISTIC, HIGH_FIRST, LOW_FIRST, RECORDED = range(4)

# account
CASH, TAKER, MAKER, ORDER_MARGIN, ACCOUNT_ORDERS, CROSS_OPEN, STOP_ON_FILL, STOP_ON_ORDER = range(8)
SEQUENCE_BAR, SEQUENCE, TRADE_SEQUENCE, DIRTY, CANCEL_AT, CANCEL_DAY, CANCEL_COUNT = range(8, 15)
ACCOUNT_WORDS = 16

# symbol. PRINT is the price the boundary's book stands around, 0 when there is none
MARK, PRINT, MARKET_SIZE, MARKET_COST, NEXT_STAMP, LAST_STAMP, HOURLY_RATE, NEXT_HOUR = range(8)
LAST_RATE, LAST_RATE_MS, LAST_RATE_INTERVAL, DOLLAR, MAX_LEVERAGE = range(8, 13)
FIRST_TIER, LAST_TIER, LAST_BAR, DELISTED = range(13, 17)
SYMBOL_WORDS = 18

# position of an account in a symbol: signed size, signed cost basis
SIZE, COST, LEVERAGE, ISOLATED, BUCKET, GUARD, FIRST_OWN = range(7)
FUNDING_ALL, FUNDING_OPEN, REALIZED, MAKER_BUDGET, BUDGET_BAR, LIQUIDATED_BAR = range(7, 13)
POSITION_WORDS = 14

# margin tier, fee tier
TIER_FLOOR, TIER_RATE, TIER_DEDUCTION, TIER_LEVERAGE = range(4)
TIER_WORDS = 4
FEE_FLOOR, FEE_TAKER, FEE_MAKER = range(3)
FEE_WORDS = 3
VOLUME_DAYS = 15

# order; its first words are those of a request
ORDER_SYMBOL, ORDER_SIDE, ORDER_SIZE, ORDER_PRICE, ORDER_TRIGGER, ORDER_KIND = range(6)
ORDER_MARKET, ORDER_TIF, ORDER_REDUCE, ORDER_EXPIRES = range(6, 10)
ORDER_NAMED, ORDER_CLOID, ORDER_CLOID_LOW = range(10, 13)
REQUEST_WORDS = 13
ORDER_ID, ORDER_ACCOUNT, ORDER_ORIGINAL, ORDER_STATE, ORDER_GROUP, ORDER_WHOLE = range(13, 19)
ORDER_HELD, ORDER_LEVEL, ORDER_FALLS, ORDER_NEXT, ORDER_PREVIOUS = range(19, 24)
ORDER_PLACED_BAR, ORDER_DONE_BAR = range(24, 26)
ORDER_WORDS = 26

LIMIT, STOP, TAKE = 1, 2, 3
GTC, IOC, ALO = 0, 1, 2
ALONE, ENTRY_FIRST, OF_POSITION = 0, 1, 2
NO_POSITION_LEG, FIXED, FOLLOWS = 0, 1, 2
RESTING, WAITING_FOR_FILL, WAITING_FOR_TRIGGER = 1, 2, 3
FILLED, CANCELED, MARGIN_CANCELED, REDUCE_ONLY_CANCELED, SIBLING_CANCELED = range(4, 9)
LIQUIDATED_CANCELED, SCHEDULED, EXPIRED, DELISTED_CANCELED = range(9, 13)

# an action on orders; its requests follow. On its way it is kept as it is, behind its arrival
ACTION_KIND, ACTION_ACCOUNT, ACTION_OID, ACTION_COUNT, ACTION_GROUPING = range(5)
ACTION_ARRIVES, ACTION_EXPIRES = range(5, 7)
ACTION_WORDS = 7
SCRATCH_WORDS = ACTION_WORDS + 4 * REQUEST_WORDS
"""Room behind the event table in which a compiled strategy's actions are written."""
PLACE, REPLACE, CANCEL, CANCEL_CLOID, CANCEL_ALL, MODIFY = range(1, 7)

# event
(
    EVENT_OPENED,
    EVENT_REJECTED,
    EVENT_CLOSED,
    EVENT_CHANGED,
    EVENT_FILL,
    EVENT_REFUSED,
    EVENT_SENT,
    EVENT_SCHEDULED,
    EVENT_FUNDING,
    EVENT_LEVERAGE,
    EVENT_MARGIN,
    EVENT_DEPOSIT,
    EVENT_FEES,
    EVENT_LIQUIDATED,
    EVENT_INSURANCE,
    EVENT_EQUITY,
) = range(1, 17)
EVENT_WORDS = 16
EQUITIES_PER_EVENT = EVENT_WORDS - 5
BY_ORDER, BY_LIQUIDATION, BY_BACKSTOP, BY_SETTLEMENT = range(4)

# why an action is refused, as negative results; the facade names them
HALTED, UNKNOWN_COIN, ZERO_SIZE, INVALID_SIZE, INVALID_PRICE, PRICE_TOO_FAR = range(-1, -7, -1)
VALUE_TOO_LARGE, DUPLICATE_CLOID, TOO_MANY_ORDERS, BAD_TRIGGER = range(-7, -11, -1)
TRIGGER_NOT_REDUCE, REDUCE_INCREASES, TOO_SMALL, POSITION_LIMIT = range(-11, -15, -1)
NO_MARGIN, WOULD_MATCH, NO_MATCH, UNKNOWN_ORDER, CANNOT_MODIFY = range(-15, -20, -1)
BAD_LEVERAGE, LEVERAGE_NEEDS_MARGIN, ISOLATED_NEEDS_MARGIN, MODE_IN_USE = range(-20, -24, -1)
NOT_ISOLATED, MARGIN_IN_USE, TOO_SOON, TOO_OFTEN, TOO_LATE = range(-24, -29, -1)

ORDERS_PER_ACCOUNT = 1000
OID_BAR, OID_ACCOUNT = 1 << 26, 1 << 14
SIZE_LIMIT = 3_000_000_000
VALUE_LIMIT = 1_000_000_000_000_000
"""Highest notional of an order, micro-USD: far inside what 64 bits carry."""


@jit
def account_at(m: Words, account: int) -> int:
    """Row of an account."""
    return m[AT_ACCOUNT] + account * ACCOUNT_WORDS


@jit
def symbol_at(m: Words, symbol: int) -> int:
    """Row of a symbol."""
    return m[AT_SYMBOL] + symbol * SYMBOL_WORDS


@jit
def position_at(m: Words, account: int, symbol: int) -> int:
    """Row of an account's position in a symbol."""
    return m[AT_POSITION] + (symbol * m[ACCOUNTS] + account) * POSITION_WORDS


@jit
def boundary_ms(m: Words, bar: int) -> int:
    """Time of the boundary before a bar."""
    return m[START_MS] + bar * m[INTERVAL_MS]


@jit
def boundary_of(m: Words, time_ms: int) -> int:
    """First boundary at or after a time."""
    if time_ms >= HIGHEST:
        return HIGHEST
    return -((m[START_MS] - time_ms) // m[INTERVAL_MS])
