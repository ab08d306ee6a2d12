"""Strategies that are called at every bar, in plain Python.

    from perp_engine.callback import Callback

    run = Callback(engine)

    def on_bar(bar, close):
        if bar % 60 == 0 and not run.position:
            run.bracket(1, 100, take=close + 5_000, stop=close - 5_000)

    run.run(on_bar)

Python walks the bars and compares them with the nearest price at which anything happens; the kernel
is entered for a bar that reaches it, for what is due by the clock, and for orders, and for nothing
else. Several coins are walked by the kernel instead.
"""

from collections.abc import Callable
from itertools import chain

import numpy as np

from perp_engine import decoding
from perp_engine.commands import Command
from perp_engine.engine import Engine
from perp_engine.events import Event
from perp_engine.kernel import layout, strategy
from perp_engine.kernel.jit import handle
from perp_engine.tape import CLOSE, HIGH, LOW, OPEN
from suite.bars import I64

OnBar = Callable[[int, int], None]
"""Called at every boundary with its number, and the close of the bar before in price units."""


class Callback:
    """One account trading one coin, called at every bar.

    Attributes:
        bar: the boundary it is at: how many bars have closed.
        position: signed size.
        has_orders: whether an order of the account is open in the coin.
    """

    def __init__(self, engine: Engine, *, account: int = 0, symbol: int = 0) -> None:
        self.engine = engine
        self._account, self._symbol = account, symbol
        self._logs: list[I64] = []
        self._take_world()
        self.bar = engine.bar
        self._refresh()

    def _take_world(self) -> None:
        world, tape, self._view = self.engine.for_driver(trades_only=True)
        self._state, self._tape = handle(world), handle(tape)
        view, leaves = self._view, self._view[layout.LEAVES]
        self._low_at = view[layout.AT_LOW] + 2 * self._symbol * leaves + 1
        self._high_at = view[layout.AT_HIGH] + 2 * self._symbol * leaves + 1
        place = self._symbol * self.engine.accounts + self._account
        position = view[layout.AT_POSITION] + place * layout.POSITION_WORDS
        self._size_at, self._own_at = position + layout.SIZE, position + layout.FIRST_OWN

    def _refresh(self) -> None:
        view = self._view
        self._low, self._high = view[self._low_at], view[self._high_at]
        self._due = view[layout.TIMER_BAR]
        self.position, self.has_orders = view[self._size_at], view[self._own_at] != 0
        if 2 * view[layout.EVENTS] > view[layout.EVENTS_MAX]:
            self._logs.append(self.engine.take_log().copy())

    # time

    def run(self, on_bar: OnBar, *, until_bar: int | None = None) -> None:
        """Walk the bars up to a boundary; None is the end.

        Raises:
            InvariantViolated: the books do not add up: a bug of the engine.
        """
        end = self.engine.tape.length if until_bar is None else until_bar
        if self.engine.tape.symbols == 1:
            self._walk(on_bar, end)
        else:
            self._step(on_bar, end)
        strategy.catch_up(self._state, self._tape, end)
        strategy.show(self._state, self._tape)
        self.bar = end
        self._refresh()
        self._logs.append(self.engine.take_log().copy())
        self.engine.prove()

    def _walk(self, on_bar: OnBar, end: int) -> None:
        """What the bar just closed and the print of the next one reach is seen in one look."""
        bars, first = self.engine.tape.bars[0], self.bar
        opened = bars[OPEN, first:end]
        low = np.minimum(np.concatenate([opened[:1], bars[LOW, first : end - 1]]), opened)
        high = np.maximum(np.concatenate([opened[:1], bars[HIGH, first : end - 1]]), opened)
        closes = chain([int(bars[CLOSE, first - 1]) if first else 0], bars[CLOSE, first:].tolist())
        for bar, lo, hi, close in zip(
            range(first, end), low.tolist(), high.tolist(), closes, strict=False
        ):
            if lo <= self._low or hi >= self._high or bar >= self._due:
                strategy.catch_up(self._state, self._tape, bar)
                self._refresh()
            self.bar = bar
            on_bar(bar, close)

    def _step(self, on_bar: OnBar, end: int) -> None:
        bars, first = self.engine.tape.bars[self._symbol], self.bar
        closes = chain([int(bars[CLOSE, first - 1]) if first else 0], bars[CLOSE, first:].tolist())
        for bar, close in zip(range(first, end), closes, strict=False):
            if strategy.catch_up(self._state, self._tape, bar):
                self._refresh()
            self.bar = bar
            on_bar(bar, close)

    # orders

    def market(self, side: int, size: int) -> int:
        """Trade at the market: side 1 buys, -1 sells. Returns the oid, or a negative reason."""
        reply = strategy.place_market(
            self._state, self._tape, self.bar, self._account, self._symbol, side, size
        )
        self._refresh()
        return int(reply)

    def limit(self, side: int, size: int, price: int) -> int:
        """Rest a limit order. Returns the oid, or a negative reason."""
        reply = strategy.place_limit(
            self._state, self._tape, self.bar, self._account, self._symbol, side, size, price
        )
        self._refresh()
        return int(reply)

    def bracket(self, side: int, size: int, *, take: int, stop: int) -> int:
        """Enter at the market under a take-profit and a stop-loss. Returns oid or reason."""
        reply = strategy.place_bracket(
            self._state, self._tape, self.bar, self._account, self._symbol, side, size, take, stop
        )
        self._refresh()
        return int(reply)

    def quotes(self, bid: int, bid_size: int, ask: int, ask_size: int) -> None:
        """Cancel the account's orders and quote both sides; size 0 leaves a side out."""
        strategy.place_quotes(
            self._state, self._tape, self.bar, self._account, self._symbol,
            bid, bid_size, ask, ask_size,
        )  # fmt: skip
        self._refresh()

    def apply(self, command: Command) -> tuple[Event, ...]:
        """Give the engine any other command; not one that moves time."""
        strategy.catch_up(self._state, self._tape, self.bar)
        strategy.show(self._state, self._tape)
        self._logs.append(self.engine.take_log().copy())
        events = self.engine.apply(command)
        self._take_world()
        self._refresh()
        return events

    # results

    def events(self) -> tuple[Event, ...]:
        """Fills, funding, liquidations and transfers, in order."""
        return tuple(decoding.decode(row) for log in self._logs for row in log.tolist())
