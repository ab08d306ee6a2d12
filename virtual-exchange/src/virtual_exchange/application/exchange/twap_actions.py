"""`twapOrder` and `twapCancel`: an order carried out in equal slices over minutes.

The venue sends a slice every 30 s. Where two of them meet at a bar boundary, a slice comes with
every bar; a paper world, whose bars are seconds, sends one every 30 s. Each may slip by 3 % at
most; what one could not fill is tried again with the next, which is never more than three times its
own size.

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
from virtual_exchange.domain.price_grid import at_or_below
from virtual_exchange.domain.record import TwapRecord, TwapStatus, TwapUpdate

_FEWEST_MINUTES, _MOST_MINUTES = 5, 1440
_SLICE_MS: Final = 30_000
_SLIP_PERCENT: Final = 3
_CATCH_UP: Final = 3
_MOST_RUNNING: Final = 100
"""Of one account; each costs something at every boundary."""
_TOO_MANY: Final = f"Too many TWAP orders. Current limit is {_MOST_RUNNING}."
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
        self._running: dict[int, _Running] = {}
        self._step = max(1, _SLICE_MS // world.market.tape.interval_ms)
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
        book.twaps[record.twap_id] = record
        self._turn(book, record, "activated")
        slices = max(1, twap.m * MINUTE_MS // (self._step * self._world.market.tape.interval_ms))
        self._running[record.twap_id] = _Running(book, record, self._world.engine.bar, slices)
        self.ring()
        return _status({"running": {"twapId": record.twap_id}})

    def end(self, book: AccountBook, action: wire.TwapCancel) -> Answer:
        """`twapCancel`."""
        twap = book.twaps.get(action.t)
        if twap is None or twap.symbol != action.a:
            return data("twapCancel", status={"error": _GONE})
        self._finish(self._running[twap.twap_id], "terminated")
        return data("twapCancel", status="success")

    def next_bar(self) -> int | None:
        """Boundary of the next slice of any order."""
        return min((running.next_bar for running in self._running.values()), default=None)

    def ring(self) -> None:
        """Send the slices that are due."""
        for running in tuple(self._running.values()):
            if running.next_bar > self._world.engine.bar:
                continue
            if self._world.finished:
                self._finish(running, "terminated")
                continue
            self._send(running)
            running.next_bar = self._world.engine.bar + self._step

    def _refusal(self, book: AccountBook, twap: wire.Twap) -> str | None:
        if len(book.twaps) >= _MOST_RUNNING:
            return _TOO_MANY
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
        return Price(at_or_below(self._world.market.instruments[twap.symbol], price))

    def _finish(self, running: _Running, status: TwapStatus) -> None:
        del self._running[running.twap.twap_id], running.book.twaps[running.twap.twap_id]
        self._turn(running.book, running.twap, status)

    def _turn(self, book: AccountBook, twap: TwapRecord, status: TwapStatus) -> None:
        book.twap_updates.append(
            TwapUpdate(
                time_ms=self._world.now_ms,
                twap=twap,
                status=status,
                executed=twap.executed,
                executed_usd=twap.executed_usd,
            )
        )


def _status(value: object) -> Answer:
    return data("twapOrder", status=value)
