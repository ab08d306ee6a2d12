"""The whole market in one int64 buffer `m`: a header, then tables of fixed-width rows.

A row is named by the index of its first word, a field by a constant: `m[o + ORDER_PRICE]`. Links
between rows are such indices, 0 is none. A copy or hash of the world is that of the buffer.
Units: price 10^-(6 - sz_decimals) USD, size 10^-sz_decimals, money micro-USD, rates 10^-9, time ms.
"""

from dataclasses import dataclass

import numpy as np

from perp_engine.kernel.jit import Words, jit
from perp_engine.rules import BarPath, FillAt, LimitFill, Rules
from perp_engine.tape import Tape
from suite.bars import HOUR_MS, I64
from suite.instrument import Instrument

LOWEST, HIGHEST = -(1 << 60), 1 << 60

# header: state
STATUS, BAR, EVENTS, FREE_ORDER, OPEN_ORDERS, STOPPED, CHECKED = range(7)
# header: the ledger's other sides; they and all cash always add up to 0
VENUE_FEES, FUNDING_POOL, HOUSE, EXTERNAL = range(7, 11)
# header: sizes
ACCOUNTS, SYMBOLS, BARS, START_MS, INTERVAL_MS, EVENTS_MAX = range(11, 17)
# header: rules
HALF_SPREAD, SLIPPAGE, PARTICIPATION, MIN_NOTIONAL, THROUGH, PATH, AT_CLOSE = range(17, 24)
# header: where the tables start
AT_ACCOUNT, AT_SYMBOL, AT_POSITION, AT_LOW, AT_HIGH, AT_FUNDING, AT_ORDER, AT_EVENT = range(24, 32)
HEADER = 32

OK, BOOKS_BROKEN, LOG_FULL = range(3)
PESSIMISTIC, HIGH_FIRST, LOW_FIRST = range(3)

# account
CASH, TAKER, MAKER, ORDER_MARGIN, ACCOUNT_ORDERS, STOP_ON_FILL, STOP_ON_ORDER = range(7)
SEQUENCE_BAR, SEQUENCE, TRADE_SEQUENCE = range(7, 10)
ACCOUNT_WORDS = 12

# symbol. PRINT is the price the boundary's book stands around, 0 when there is none
MARK, PRINT, LOW_TRIGGER, HIGH_TRIGGER, MARKET_SIZE, MARKET_COST = range(6)
NEXT_STAMP, LAST_STAMP, HOURLY_RATE, NEXT_HOUR = range(6, 10)
LAST_RATE, LAST_RATE_MS, LAST_RATE_INTERVAL, DOLLAR, MAX_LEVERAGE = range(10, 15)
SYMBOL_WORDS = 16

# position of an account in a symbol: signed size, signed cost basis
SIZE, COST, LEVERAGE, FIRST_OWN, FUNDING_ALL, FUNDING_OPEN, REALIZED, MAKER_BUDGET = range(8)
POSITION_WORDS = 8

# order
ORDER_ID, ORDER_ACCOUNT, ORDER_SYMBOL, ORDER_SIDE, ORDER_SIZE, ORDER_ORIGINAL = range(6)
ORDER_PRICE, ORDER_TRIGGER, ORDER_KIND, ORDER_MARKET, ORDER_TIF, ORDER_REDUCE = range(6, 12)
ORDER_STATE, ORDER_PARENT, ORDER_HELD, ORDER_LEVEL, ORDER_FALLS = range(12, 17)
ORDER_NEXT, ORDER_PREVIOUS, ORDER_PLACED_BAR, ORDER_DONE_BAR = range(17, 21)
ORDER_WORDS = 21

LIMIT, STOP, TAKE = 1, 2, 3
GTC, IOC, ALO = 0, 1, 2
RESTING, WAITING_FOR_FILL, WAITING_FOR_TRIGGER = 1, 2, 3
FILLED, CANCELED, MARGIN_CANCELED, REDUCE_ONLY_CANCELED, SIBLING_CANCELED, WORLD_ENDED = range(
    4, 10
)

# event
(
    EVENT_OPENED,
    EVENT_REJECTED,
    EVENT_CLOSED,
    EVENT_CHANGED,
    EVENT_FILL,
    EVENT_FUNDING,
    EVENT_LEVERAGE,
    EVENT_DEPOSIT,
    EVENT_REFUSED,
) = range(1, 10)
EVENT_WORDS = 16

# why an action is refused, as negative results; the facade names them
HALTED, ZERO_SIZE, INVALID_SIZE, INVALID_PRICE, PRICE_TOO_FAR, VALUE_TOO_LARGE = range(-1, -7, -1)
TOO_MANY_ORDERS, BAD_TRIGGER, TRIGGER_NOT_REDUCE, REDUCE_INCREASES = range(-7, -11, -1)
TOO_SMALL, NO_MARGIN, WOULD_MATCH, NO_MATCH, UNKNOWN_ORDER, CANNOT_MODIFY = range(-11, -17, -1)
BAD_LEVERAGE, LEVERAGE_NEEDS_MARGIN = range(-17, -19, -1)

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


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many rows the order and event tables have."""

    orders: int
    events: int


def new_buffer(
    instruments: tuple[Instrument, ...], tape: Tape, accounts: int, rules: Rules, capacity: Capacity
) -> I64:
    """Lay out an empty world before its first bar.

    Returns:
        Shape (words,), zero but for the header, rules, instruments and funding stamps.
    """
    symbols = len(instruments)
    stamps = sum(len(table) for table in tape.funding)
    widths = (
        (AT_ACCOUNT, accounts * ACCOUNT_WORDS),
        (AT_SYMBOL, symbols * SYMBOL_WORDS),
        (AT_POSITION, accounts * symbols * POSITION_WORDS),
        (AT_LOW, accounts * symbols),
        (AT_HIGH, accounts * symbols),
        (AT_FUNDING, 2 * stamps),
        (AT_ORDER, capacity.orders * ORDER_WORDS),
        (AT_EVENT, capacity.events * EVENT_WORDS),
    )
    m = np.zeros(HEADER + sum(width for _, width in widths), np.int64)
    at = HEADER
    for word, width in widths:
        m[word] = at
        at += width
    m[ACCOUNTS], m[SYMBOLS], m[BARS] = accounts, symbols, tape.length
    m[START_MS], m[INTERVAL_MS], m[EVENTS_MAX] = tape.start_ms, tape.interval_ms, capacity.events
    _write_rules(m, rules, accounts)
    _write_symbols(m, instruments, tape, rules)
    positions = rows(m, AT_POSITION, POSITION_WORDS, accounts * symbols)
    leverage = np.array([instrument.max_leverage for instrument in instruments], np.int64)
    positions[:, LEVERAGE] = np.repeat(leverage, accounts)
    rows(m, AT_LOW, 1, accounts * symbols)[:] = LOWEST
    rows(m, AT_HIGH, 1, accounts * symbols)[:] = HIGHEST
    orders = rows(m, AT_ORDER, ORDER_WORDS, capacity.orders)
    orders[:-1, ORDER_NEXT] = m[AT_ORDER] + ORDER_WORDS * np.arange(1, capacity.orders)
    m[FREE_ORDER] = m[AT_ORDER]
    return m


def _write_rules(m: I64, rules: Rules, accounts: int) -> None:
    m[HALF_SPREAD], m[SLIPPAGE], m[PARTICIPATION] = (
        rules.half_spread,
        rules.slippage,
        rules.participation,
    )
    m[MIN_NOTIONAL] = rules.min_notional_usd
    m[THROUGH] = rules.limit_fill is LimitFill.THROUGH
    m[AT_CLOSE] = rules.fill_at is FillAt.CLOSE
    paths = {BarPath.PESSIMISTIC: PESSIMISTIC, BarPath.OHLC: HIGH_FIRST, BarPath.OLHC: LOW_FIRST}
    m[PATH] = paths[rules.bar_path]
    table = rows(m, AT_ACCOUNT, ACCOUNT_WORDS, accounts)
    table[:, TAKER], table[:, MAKER], table[:, SEQUENCE_BAR] = rules.taker_fee, rules.maker_fee, -1


def _write_symbols(m: I64, instruments: tuple[Instrument, ...], tape: Tape, rules: Rules) -> None:
    table = rows(m, AT_SYMBOL, SYMBOL_WORDS, len(instruments))
    table[:, LOW_TRIGGER], table[:, HIGH_TRIGGER] = LOWEST, HIGHEST
    at = int(m[AT_FUNDING])
    first_hour = -(-tape.start_ms // HOUR_MS) * HOUR_MS
    for row, instrument, stamps in zip(table, instruments, tape.funding, strict=True):
        row[DOLLAR] = 10**instrument.price_decimals
        row[MAX_LEVERAGE] = instrument.max_leverage
        row[NEXT_STAMP], row[LAST_STAMP] = at, at + stamps.size
        m[at : at + stamps.size] = stamps.ravel()
        at += stamps.size
        row[HOURLY_RATE] = rules.funding_rate if len(stamps) == 0 else 0
        row[NEXT_HOUR] = first_hour if len(stamps) == 0 else HIGHEST


def rows(m: I64, word: int, width: int, count: int) -> I64:
    """Rows of one table as a view, for set-up, reads and tests.

    Args:
        word: header word that says where the table starts.
        width: words of a row.
        count: number of rows.
    """
    at = int(m[word])
    return m[at : at + width * count].reshape(count, width)


def grown(m: I64, orders: int, more: int, events: int) -> I64:
    """A copy of a world with room for `more` orders and `events` events; rows keep their places.

    Args:
        orders: rows the order table has now. The event table, behind it, must be empty.
    """
    at = int(m[AT_ORDER]) + orders * ORDER_WORDS
    end = int(m[AT_ORDER]) + more * ORDER_WORDS
    wider = np.zeros(end + events * EVENT_WORDS, np.int64)
    wider[:at] = m[:at]
    fresh = np.arange(at, end, ORDER_WORDS)
    wider[fresh + ORDER_NEXT] = np.append(fresh[1:], m[FREE_ORDER])
    wider[FREE_ORDER], wider[AT_EVENT], wider[EVENTS_MAX] = at, end, events
    return wider
