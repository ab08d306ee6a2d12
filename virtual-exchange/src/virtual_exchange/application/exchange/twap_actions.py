"""`twapOrder` and `twapCancel`: an order carried out in equal slices over minutes.

The venue sends a slice every 30 s; here two of them meet at each bar boundary, so a slice comes
with every bar. Each may slip by 3 % at most; what one could not fill is tried again with the next,
which is never more than three times its own size.

Source: venue documentation, "TWAP orders", read 2026-11.
"""

from dataclasses import dataclass
from itertools import count
from typing import Final

from perp_engine.commands import NewOrder
from suite.bars import MINUTE_MS
from suite.contracts import hyperliquid_exchange as wire
from suite.enums import Side, Tif
from suite.errors import RejectReason
from suite.fixed import Price, Size, Usd
from virtual_exchange.application.book import AccountBook
from virtual_exchange.application.exchange.answers import Answer, data
from virtual_exchange.application.exchange.new_orders import LARGEST
from virtual_exchange.application.exchange.texts import error_text
from virtual_exchange.application.exchange.trading import Trading
from virtual_exchange.application.world import World, mid_price
from virtual_exchange.domain.record import TwapRecord, TwapStatus

_FEWEST_MINUTES, _MOST_MINUTES = 5, 1440
_SLIP_PERCENT: Final = 3
_CATCH_UP: Final = 3
_GONE: Final = "TWAP was never placed, already canceled, or filled."


@dataclass(slots=True)
class _Running:
    """An order that is not at its end.

    Attributes:
        next_bar: boundary of its next slice.
        slices, sent: how many it has in all, and has had.
    """

    book: AccountBook
    twap: TwapRecord
    next_bar: int
    slices: int
    sent: int = 0


class TwapActions:
    """The running orders of a world; an alarm that sends their slices."""

    def __init__(self, world: World, trading: Trading) -> None:
        self._world = world
        self._trading = trading
        self._ids = count(1)
        self._running: list[_Running] = []
        world.alarms.append(self)

    def begin(self, book: AccountBook, action: wire.TwapOrder) -> Answer:
        """`twapOrder`: its first slice is sent at once."""
        twap = action.twap
        refusal = self._refusal(book, twap)
        if refusal is not None:
            return _status({"error": refusal})
        instrument = self._world.market.instruments[twap.a]
        record = TwapRecord(
            twap_id=next(self._ids),
            symbol=twap.a,
            side=Side.BUY if twap.b else Side.SELL,
            size=instrument.parse_size(twap.s),
            minutes=twap.m,
            reduce_only=twap.r,
            randomize=twap.t,
            started_ms=self._world.now_ms,
        )
        book.twaps.append(record)
        self._turn(record, "activated")
        bars = max(1, twap.m * MINUTE_MS // self._world.market.tape.interval_ms)
        self._running.append(_Running(book, record, self._world.engine.bar, bars))
        self.ring()
        return _status({"running": {"twapId": record.twap_id}})

    def end(self, book: AccountBook, action: wire.TwapCancel) -> Answer:
        """`twapCancel`."""
        for running in self._running:
            twap = running.twap
            if running.book is book and (twap.twap_id, twap.symbol) == (action.t, action.a):
                self._finish(running, "terminated")
                return data("twapCancel", status="success")
        return data("twapCancel", status={"error": _GONE})

    def next_bar(self) -> int | None:
        """Boundary of the next slice of any order."""
        return min((running.next_bar for running in self._running), default=None)

    def ring(self) -> None:
        """Send the slices that are due."""
        for running in tuple(self._running):
            if running.next_bar > self._world.engine.bar:
                continue
            if self._world.finished:
                self._finish(running, "terminated")
                continue
            self._send(running)
            running.next_bar = self._world.engine.bar + 1

    def _refusal(self, book: AccountBook, twap: wire.Twap) -> str | None:
        instruments = self._world.market.instruments
        if twap.a >= len(instruments):
            return f"Invalid asset {twap.a}: this world lists assets 0 to {len(instruments) - 1}."
        try:
            size = instruments[twap.a].parse_size(twap.s)
        except ValueError:
            return error_text(RejectReason.INVALID_SIZE, twap.a)
        if not 0 < size < LARGEST:
            return error_text(RejectReason.INVALID_SIZE, twap.a)
        if not _FEWEST_MINUTES <= twap.m <= _MOST_MINUTES:
            return f"TWAP duration must be {_FEWEST_MINUTES} to {_MOST_MINUTES} minutes."
        least_usd = self._world.rules.min_notional_usd * twap.m
        if size * mid_price(self._world, twap.a) < least_usd and not twap.r:
            return f"TWAP order value too small. Min is ${-(-least_usd // 10**6)}."
        held = self._world.engine.position(book.account.index, twap.a).size
        side = Side.BUY if twap.b else Side.SELL
        if twap.r and held * side >= 0:
            return "Reduce-only TWAP order would increase position."
        return None

    def _send(self, running: _Running) -> None:
        """Send one slice, with what earlier ones have left."""
        twap = running.twap
        running.sent += 1
        whole = twap.size * running.sent // running.slices - twap.executed
        size = min(whole, _CATCH_UP * -(-twap.size // running.slices))
        if size > 0:
            fills = len(running.book.fills)
            slice_ = NewOrder(
                symbol=twap.symbol,
                side=twap.side,
                size=Size(size),
                limit_price=self._worst(twap),
                tif=Tif.IOC,
                reduce_only=twap.reduce_only,
            )
            self._trading.place(running.book, (slice_,), twap_id=twap.twap_id)
            for fill in running.book.fills[fills:]:
                twap.executed = Size(twap.executed + fill.size)
                twap.executed_usd = Usd(twap.executed_usd + fill.size * fill.price)
        if running.sent == running.slices or twap.executed == twap.size:
            self._finish(running, "finished")

    def _worst(self, twap: TwapRecord) -> Price:
        """The price beyond which a slice does not fill, on the grid of orders."""
        mid = mid_price(self._world, twap.symbol)
        price = mid * (100 + twap.side * _SLIP_PERCENT) // 100
        tick = self._world.market.instruments[twap.symbol].tick(price)
        return Price(price // tick * tick)

    def _finish(self, running: _Running, status: TwapStatus) -> None:
        self._running.remove(running)
        self._turn(running.twap, status)

    def _turn(self, twap: TwapRecord, status: TwapStatus) -> None:
        twap.status = status
        twap.history.append((self._world.now_ms, status, twap.executed, twap.executed_usd))


def _status(value: object) -> Answer:
    return data("twapOrder", status=value)
