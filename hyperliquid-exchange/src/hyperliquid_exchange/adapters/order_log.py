"""Orders that were sent, a file a day: for reports and checks, never for delivery.

The journal of intents forgets what is settled; this remembers what was asked for. It is written
behind the durable intent and not synced: what a power cut takes from it is missing in a report, and
nowhere else.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from hyperliquid_exchange.application.ports import IntentLog
from hyperliquid_exchange.domain.actions import OrderLeg, is_allowed, legs_of
from hyperliquid_exchange.domain.intents import Intent, Settled
from hyperliquid_exchange.domain.live_orders import SentOrder
from suite.clock import Clock
from suite.contracts.hyperliquid_exchange import Envelope, decode_action
from suite.errors import StorageError
from suite.intervals import DAY_MS

KEPT_DAYS: Final = 35
_LINE_MAX: Final = 1 << 20
_KINDS: Final = frozenset({"order", "modify", "batchModify"})
_log = structlog.get_logger(__name__)


class _Began(msgspec.Struct, frozen=True, kw_only=True, tag="order"):
    trader_id: str
    key: str
    decided_ms: int
    legs: tuple[OrderLeg, ...]


class _Told(msgspec.Struct, frozen=True, kw_only=True, tag="told"):
    trader_id: str
    key: str
    oids: tuple[int | None, ...]
    told_ms: int | None = None


_encode = msgspec.json.Encoder().encode
_line = msgspec.json.Decoder(_Began | _Told)
_envelope = msgspec.json.Decoder(Envelope)


class OrderLog:
    """The orders of this state folder.

    Args:
        folder: of the days; made when missing.
        clock: wall time.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._waiting: set[tuple[str, str]] = set()
        self._is_failing = False

    # writing

    def now_ms(self) -> int:
        """Tell the time by which orders and answers are noted."""
        return self._clock.now_ms()

    def began(self, intent: Intent, at_ms: int) -> None:
        """Remember the orders of an intent that was written down.

        Args:
            intent: of a trader.
            at_ms: when it came, by `now_ms`; its nonce may be of a client with another clock.
        """
        if intent.kind not in _KINDS:
            return
        try:
            action = decode_action(_envelope.decode(intent.payload).action)
        except (msgspec.MsgspecError, ValueError):
            return
        legs = legs_of(action) if is_allowed(action) else ()
        self._waiting.add((intent.trader_id, intent.key))
        self._append(
            _Began(trader_id=intent.trader_id, key=intent.key, decided_ms=at_ms, legs=legs)
        )

    def settled(self, settled: Settled) -> None:
        """Remember by which names the venue knows them."""
        name = settled.trader_id, settled.key
        if name not in self._waiting:
            return
        self._waiting.discard(name)
        if settled.reply is not None:
            oids = tuple(_oids(settled.reply))
            self._append(
                _Told(
                    trader_id=settled.trader_id,
                    key=settled.key,
                    oids=oids,
                    told_ms=self.now_ms(),
                )
            )

    def _append(self, record: _Began | _Told) -> None:
        try:
            path = self._folder / self._name(self._clock.now_ms())
            line = _encode(record) + b"\n"
            try:
                _write_line(path, line)
            except FileNotFoundError:
                self._folder.mkdir(parents=True, exist_ok=True)
                _write_line(path, line)
        except OSError as error:
            if not self._is_failing:
                _log.warning("order_log_failing", reason=error.strerror)
            self._is_failing = True
        else:
            self._is_failing = False

    def forget_old(self) -> None:
        """Remove days that no report asks for any more, as far as the disk lets them go."""
        oldest = self._name(self._clock.now_ms() - KEPT_DAYS * DAY_MS)
        for path in self._days():
            if path.name < oldest:
                with contextlib.suppress(OSError):
                    path.unlink()

    # reading

    def sent(self, since_ms: int) -> Sequence[SentOrder]:
        """List the orders that were decided since, oldest first.

        Raises:
            StorageError: a file cannot be read.
        """
        found: list[_Began] = []
        answers: dict[tuple[str, str], _Told] = {}
        for record in self._records(since_ms - DAY_MS):
            if isinstance(record, _Told):
                answers[record.trader_id, record.key] = record
            elif record.decided_ms >= since_ms:
                found.append(record)
        orders = [
            _sent(began, leg, answers.get((began.trader_id, began.key)))
            for began in found
            for leg in began.legs
        ]
        return sorted(orders, key=lambda order: order.decided_ms)

    def _records(self, since_ms: int) -> Iterator[_Began | _Told]:
        first = self._name(since_ms)
        for path in self._days():
            if path.name < first:
                continue
            try:
                lines = path.read_bytes().splitlines()
            except OSError as error:
                raise StorageError(f"cannot read {path}: {error.strerror}") from None
            for line in lines:
                try:
                    yield _line.decode(line)
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    continue  # the last line before a power cut

    def _days(self) -> list[Path]:
        return sorted(self._folder.glob("orders-*.jsonl"))

    def _name(self, at_ms: int) -> str:
        return f"orders-{max(0, at_ms) // DAY_MS:05d}.jsonl"


class LoggedIntents:
    """An `IntentLog` that tells an `OrderLog` of what it writes down.

    Args:
        inner: the durable log.
        orders: told after it.
    """

    def __init__(self, inner: IntentLog, orders: OrderLog) -> None:
        self._inner = inner
        self._orders = orders
        self.find = inner.find
        self.has_room = inner.has_room
        self.holds = inner.holds
        self.open_intents = inner.open_intents
        self.count_noop = inner.count_noop

    async def begin(self, intent: Intent) -> None:
        """Write an intent down, then remember its orders."""
        at_ms = self._orders.now_ms()
        await self._inner.begin(intent)
        self._orders.began(intent, at_ms)

    async def settle(self, settled: Settled, *, durable: bool = False) -> None:
        """Note what became of a key, and how the venue names its orders."""
        await self._inner.settle(settled, durable=durable)
        self._orders.settled(settled)


def _sent(began: _Began, leg: OrderLeg, told: _Told | None) -> SentOrder:
    oids = () if told is None else told.oids
    return SentOrder(
        trader_id=began.trader_id,
        leg=leg,
        decided_ms=began.decided_ms,
        oid=oids[leg.place] if leg.place < len(oids) else None,
        told_ms=None if told is None else told.told_ms,
    )


def _write_line(path: Path, line: bytes) -> None:
    with path.open("ab", buffering=0) as file:
        file.write(line)


def _oids(reply: dict[str, Any]) -> Iterator[int | None]:
    """List the orders that an answer tells of, by place; None where it tells no id."""
    match reply:
        case {"response": {"data": {"statuses": list(statuses)}}}:
            for status in statuses:
                match status:
                    case {"resting": {"oid": int(oid)}} | {"filled": {"oid": int(oid)}}:
                        yield oid
                    case _:
                        yield None
