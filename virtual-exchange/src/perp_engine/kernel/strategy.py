"""What a compiled strategy can see and do, and the loop that it is compiled into.

A strategy is a function of the world `m`, the tape `t`, its own integers `u` and floats `f`, and
the number of bars closed so far. It reads bars by their age, so that it cannot read one that has
not closed; it may read and write `u` and `f` as it likes, and the world only through this module.
"""

from collections.abc import Callable
from typing import Any

import numba
from numba import types

from perp_engine.kernel.gate import play
from perp_engine.kernel.jit import INTERPRETED, Floats, Words, jit, words
from perp_engine.kernel.latency import submit
from perp_engine.kernel.layout import (
    ACTION_ACCOUNT,
    ACTION_COUNT,
    ACTION_EXPIRES,
    ACTION_GROUPING,
    ACTION_KIND,
    ACTION_OID,
    ACTION_WORDS,
    ALONE,
    AT_CLOSE,
    AT_EVENT,
    BAR,
    BARS,
    CANCEL_ALL,
    ENTRY_FIRST,
    EVENT_WORDS,
    EVENTS,
    EVENTS_MAX,
    FIRST_OWN,
    GTC,
    IOC,
    LIMIT,
    MARK,
    ORDER_KIND,
    ORDER_MARKET,
    ORDER_PRICE,
    ORDER_REDUCE,
    ORDER_SIDE,
    ORDER_SIZE,
    ORDER_SYMBOL,
    ORDER_TIF,
    ORDER_TRIGGER,
    PLACE,
    REPLACE,
    REQUEST_WORDS,
    SIZE,
    STOP,
    SYMBOLS,
    TAKE,
    TIMER_BAR,
    position_at,
    symbol_at,
)
from perp_engine.kernel.margin import available
from perp_engine.kernel.nearest import met
from perp_engine.kernel.run import NEEDS_ROOM, REACHED
from perp_engine.kernel.tape import CLOSE, HIGH, LOW, OPEN, VOLUME, sync
from perp_engine.kernel.timers import arrive, equity_of


@jit
def past(m: Words, t: Words, symbol: int, field: int, age: int) -> int:
    """A number of a closed bar."""
    bar = max(m[BAR] - max(age, 1), 0)
    return t[(symbol * 5 + field) * m[BARS] + bar]


@jit
def opened(m: Words, t: Words, symbol: int, age: int) -> int:
    """Open of the bar closed `age` bars ago; 1 is the last one. In price units."""
    return past(m, t, symbol, OPEN, age)


@jit
def high(m: Words, t: Words, symbol: int, age: int) -> int:
    """High of the bar closed `age` bars ago; 1 is the last one. In price units."""
    return past(m, t, symbol, HIGH, age)


@jit
def low(m: Words, t: Words, symbol: int, age: int) -> int:
    """Low of the bar closed `age` bars ago; 1 is the last one. In price units."""
    return past(m, t, symbol, LOW, age)


@jit
def close(m: Words, t: Words, symbol: int, age: int) -> int:
    """Close of the bar closed `age` bars ago; 1 is the last one. In price units."""
    return past(m, t, symbol, CLOSE, age)


@jit
def volume(m: Words, t: Words, symbol: int, age: int) -> int:
    """Volume of the bar closed `age` bars ago, in size units; -1 where the data has no bar."""
    return past(m, t, symbol, VOLUME, age)


@jit
def mark(m: Words, t: Words, symbol: int) -> int:
    """Mark price now, in price units."""
    sync(m, t)
    return m[symbol_at(m, symbol) + MARK]


@jit
def position(m: Words, account: int, symbol: int) -> int:
    """Signed size of a position, in size units."""
    return m[position_at(m, account, symbol) + SIZE]


@jit
def has_orders(m: Words, account: int, symbol: int) -> bool:
    """Whether an account has an open order in a symbol."""
    return m[position_at(m, account, symbol) + FIRST_OWN] != 0


@jit
def equity(m: Words, t: Words, account: int) -> int:
    """Everything an account is worth now, micro-USD."""
    sync(m, t)
    return equity_of(m, account)


@jit
def free_margin(m: Words, t: Words, account: int) -> int:
    """What an account may still commit, micro-USD."""
    sync(m, t)
    return available(m, account)


@jit
def scratch(m: Words) -> int:
    """Where a strategy's action is written."""
    return m[AT_EVENT] + m[EVENTS_MAX] * EVENT_WORDS


@jit
def request(
    m: Words, place: int, symbol: int, side: int, size: int, price: int, tif: int, reduce: bool
) -> int:
    """Write a limit or market order into one of the four places for requests; returns where."""
    row = scratch(m) + ACTION_WORDS + place * REQUEST_WORDS
    for word in range(REQUEST_WORDS):
        m[row + word] = 0
    m[row + ORDER_SYMBOL], m[row + ORDER_SIDE], m[row + ORDER_SIZE] = symbol, side, size
    m[row + ORDER_PRICE], m[row + ORDER_TIF] = price, tif
    m[row + ORDER_KIND], m[row + ORDER_REDUCE] = LIMIT, reduce
    return row


@jit
def act(m: Words, t: Words, kind: int, account: int, count: int, grouping: int) -> int:
    """Submit the requests that were written."""
    r = scratch(m)
    m[r + ACTION_KIND], m[r + ACTION_ACCOUNT], m[r + ACTION_OID] = kind, account, 0
    m[r + ACTION_COUNT], m[r + ACTION_GROUPING], m[r + ACTION_EXPIRES] = count, grouping, 0
    return submit(m, t, m, r)


@jit
def make_trigger(m: Words, row: int, kind: int, trigger: int) -> None:
    """Turn a request into a stop or take-profit at the market."""
    m[row + ORDER_KIND], m[row + ORDER_TRIGGER], m[row + ORDER_MARKET] = kind, trigger, 1


@jit
def market(m: Words, t: Words, account: int, symbol: int, side: int, size: int) -> int:
    """Trade at the market. Returns the oid, or a negative reason.

    Args:
        side: 1 buys, -1 sells.
        size: in size units.
    """
    request(m, 0, symbol, side, size, 0, IOC, False)
    return act(m, t, PLACE, account, 1, ALONE)


@jit
def limit(m: Words, t: Words, account: int, symbol: int, side: int, size: int, price: int) -> int:
    """Place a limit order that rests until it is filled. Returns the oid, or a negative reason."""
    request(m, 0, symbol, side, size, price, GTC, False)
    return act(m, t, PLACE, account, 1, ALONE)


@jit
def quotes(
    m: Words, t: Words, account: int, symbol: int, bid: int, bid_size: int, ask: int, ask_size: int
) -> None:
    """Cancel everything of the account, then quote both sides; a size of 0 leaves a side out."""
    request(m, 0, symbol, 1, bid_size, bid, GTC, False)
    count = 0
    if bid_size:
        count = 1
    if ask_size:
        request(m, count, symbol, -1, ask_size, ask, GTC, False)
        count += 1
    kind = REPLACE if count else CANCEL_ALL
    act(m, t, kind, account, max(count, 1), ALONE)


@jit
def bracket(
    m: Words, t: Words, account: int, symbol: int, side: int, size: int, take: int, stop: int
) -> int:
    """Enter at the market with a take-profit and a stop-loss, one of which cancels the other.

    Returns the oid of the entry, or a negative reason: then nothing was placed.
    """
    request(m, 0, symbol, side, size, 0, IOC, False)
    make_trigger(m, request(m, 1, symbol, -side, size, 0, GTC, True), TAKE, take)
    make_trigger(m, request(m, 2, symbol, -side, size, 0, GTC, True), STOP, stop)
    return act(m, t, PLACE, account, 3, ENTRY_FIRST)


@jit
def cancel_all(m: Words, t: Words, account: int) -> None:
    """Cancel every open order of an account."""
    request(m, 0, 0, 0, 0, 0, GTC, False)
    act(m, t, CANCEL_ALL, account, 1, ALONE)


@jit
def quiet(m: Words, t: Words, bar: int) -> bool:
    """Whether a bar meets nothing."""
    bars = m[BARS]
    if m[SYMBOLS] == 1:
        return not met(m, 0, t[LOW * bars + bar], t[HIGH * bars + bar])
    for symbol in range(m[SYMBOLS]):
        row = symbol * 5 * bars + bar
        if met(m, symbol, t[row + LOW * bars], t[row + HIGH * bars]):
            return False
    return True


@jit
def opens_quietly(m: Words, t: Words, bar: int) -> bool:
    """Whether the prints at a boundary meet nothing."""
    bars = m[BARS]
    if m[AT_CLOSE] or bar >= bars:
        return True
    if m[SYMBOLS] == 1:
        return not met(m, 0, t[bar], t[bar])
    for symbol in range(m[SYMBOLS]):
        op = t[symbol * 5 * bars + bar]
        if met(m, symbol, op, op):
            return False
    return True


@jit
def step(m: Words, t: Words) -> int:
    """Play one bar: nothing but a glance when it meets nothing and nothing is due.

    Returns whether anything but time changed.
    """
    bar = m[BAR]
    if not quiet(m, t, bar):
        play(m, t)
        return 1
    m[BAR] = bar + 1
    if bar + 1 < m[TIMER_BAR] and opens_quietly(m, t, bar + 1):
        return 0
    arrive(m, t)
    return 1


if INTERPRETED:

    def strategy(function: Callable[..., None]) -> Any:
        """Compile a strategy: `(m, t, u, f, bar)`, see the module. Here it is left as it is."""
        return function

else:
    _WORDS, _FLOATS = types.CPointer(types.int64), types.CPointer(types.float64)
    ON_BAR = types.void(_WORDS, _WORDS, _WORDS, _FLOATS, types.int64)
    _RUNNER = types.int64(
        types.FunctionType(ON_BAR), types.int64, types.int64, types.int64, types.float64[::1],
        types.int64,
    )  # fmt: skip

    def strategy(function: Callable[..., None]) -> Any:
        """Compile a strategy: `(m, t, u, f, bar)`, see the module. Kept on disk."""
        try:
            return numba.njit(ON_BAR, cache=True, error_model="numpy")(function)
        except ModuleNotFoundError:
            # kept by a process that knew the same file under another module name
            return numba.njit(ON_BAR, error_model="numpy")(function)


def _loop(on_bar: Any, state: Words, tape: Words, ints: Words, floats: Floats, until: int) -> int:
    """Entry point: call a strategy at every boundary, until a boundary or a full table."""
    m, t, u, f = words(state), words(tape), words(ints), words(floats)
    bar = m[BAR]
    while bar < until:
        if 2 * m[EVENTS] > m[EVENTS_MAX]:
            return NEEDS_ROOM
        on_bar(m, t, u, f, bar)
        step(m, t)
        bar += 1
    sync(m, t)
    return REACHED


run_strategy = _loop if INTERPRETED else numba.njit(_RUNNER, cache=True, error_model="numpy")(_loop)
"""One loop for all strategies: the strategy is a function pointer, the loop is compiled once."""


@jit
def place_market(
    state: Words, tape: Words, bar: int, account: int, symbol: int, side: int, size: int
) -> int:
    """Entry point: `market` at a boundary that time has quietly come to."""
    m, t = words(state), words(tape)
    m[BAR] = bar
    return market(m, t, account, symbol, side, size)


@jit
def place_limit(
    state: Words, tape: Words, bar: int, account: int, symbol: int, side: int, size: int, price: int
) -> int:
    """Entry point: `limit` at a boundary that time has quietly come to."""
    m, t = words(state), words(tape)
    m[BAR] = bar
    return limit(m, t, account, symbol, side, size, price)


@jit
def place_bracket(
    state: Words, tape: Words, bar: int, account: int, symbol: int, side: int, size: int, take: int,
    stop: int,
) -> int:  # fmt: skip
    """Entry point: `bracket` at a boundary that time has quietly come to."""
    m, t = words(state), words(tape)
    m[BAR] = bar
    return bracket(m, t, account, symbol, side, size, take, stop)


@jit
def place_quotes(
    state: Words, tape: Words, bar: int, account: int, symbol: int, bid: int, bid_size: int,
    ask: int, ask_size: int,
) -> None:  # fmt: skip
    """Entry point: `quotes` at a boundary that time has quietly come to."""
    m, t = words(state), words(tape)
    m[BAR] = bar
    quotes(m, t, account, symbol, bid, bid_size, ask, ask_size)


@jit
def catch_up(state: Words, tape: Words, bar: int) -> int:
    """Entry point: reach a boundary, all bars before the last one having met nothing.

    Returns whether anything but time changed.
    """
    m, t = words(state), words(tape)
    if m[BAR] >= bar:
        return 0
    m[BAR] = bar - 1
    return step(m, t)


@jit
def show(state: Words, tape: Words) -> None:
    """Entry point: bring marks and prints to the boundary that time has quietly come to."""
    sync(words(state), words(tape))
