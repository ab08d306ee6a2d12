"""One model of one provider: attempts, pauses, money, and the cassette that may answer instead."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from strategy_core.llm.port import FaultKind, ModelFault, ModelReply, ModelRequest
from strategy_models.cassette import Cassette, Failure, Recording, key_of
from strategy_models.clients import Client
from strategy_models.errors import AttemptFailed, Refused
from strategy_models.gate import Gate
from strategy_models.prices import Price, Usage, cost_of, expected
from strategy_models.settings import Mode
from strategy_models.spending import Purse, Reservation, Spent
from strategy_models.wire.answers import Answer, HttpReply, check_status
from strategy_models.wire.options import Options
from suite import tracing
from suite.clock import Clock
from suite.errors import StorageError
from suite.fixed import Usd

_FIRST_PAUSE_S: Final = 0.5
_LAST_PAUSE_S: Final = 8.0
_OPTIONS_MAX: Final = 6
"""Options that a server may refuse one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What time and chance are; tests bring their own.

    Attributes:
        wall: the machine's clock.
        now_s: a clock that never goes back, seconds.
        sleep: waits so many seconds.
    """

    wall: Clock
    now_s: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The way to one model.

    Attributes:
        provider, model: its name.
        wire: module of the protocol.
        price: of its tokens.
        options: that its server takes.
        gate: of its provider.
        client: sends; None in a replay.
    """

    provider: str
    model: str
    wire: ModuleType
    price: Price
    options: Options
    gate: Gate
    client: Client | None

    @property
    def name(self) -> str:
        """As in a traders file."""
        return f"{self.provider}/{self.model}"


@dataclass(slots=True)
class _Bill:
    """What one question has cost so far, and used."""

    cost: Usd = Usd(0)
    tokens: int = 0


class Exchange:
    """Asks one model for one trader.

    Args:
        line: the way to it.
        trader_id: who asks.
        mode: live, record or replay.
        cassette: in all modes but live.
        own: purse of the trader, whose days are the world's.
        common: purse of the machine, whose days are real.
        attempts: of one question.
        timeout_s: of one attempt.
        around: time.
    """

    def __init__(
        self,
        line: Line,
        *,
        trader_id: str,
        mode: Mode,
        cassette: Cassette | None,
        purses: tuple[Purse, Purse],
        attempts: int,
        timeout_s: float,
        around: Surroundings,
    ) -> None:
        self.line = line
        self._trader_id = trader_id
        self._mode: Mode = mode
        self._cassette = cassette
        self._own, self._common = purses
        self._attempts = attempts
        self._timeout_s = timeout_s
        self._around = around
        self._jitter = random.Random(trader_id)  # noqa: S311 - pauses only

    def ask(self, request: ModelRequest, *, until_s: float) -> ModelReply:
        """Ask, and wait for the answer.

        Args:
            request: the question.
            until_s: how long at most.

        Raises:
            ModelFault: there is none.
        """
        line = self.line
        with tracing.span("model", provider=line.provider, model=line.model):
            return self._asked(request, until_s)

    def _asked(self, request: ModelRequest, until_s: float) -> ModelReply:
        line = self.line
        body = line.wire.body_of(request, line.model)
        asked = {"provider": line.provider, **body}
        most = self._most(request)
        if self._cassette is not None:
            found = self._cassette.find(key_of(asked), self._trader_id)
            if found is not None:
                return self._replayed(found, request, most)
        if self._mode == "replay":
            self._take(self._own, most, request.at_ms)  # it may have been refused then as well
            raise ModelFault(FaultKind.CASSETTE_MISS, self._missing(asked))
        began_s, bill = self._around.now_s(), _Bill()
        try:
            reply = self._answered(body, request, most, until_s, bill)
        except AttemptFailed as error:
            self._record_fault(asked, error, bill)
            raise self._fault(error, bill, request) from None
        taken_ms = round(1000 * (self._around.now_s() - began_s))
        return self._recorded(asked, reply, bill, taken_ms)

    def _most(self, request: ModelRequest) -> Usd:
        """Reckon what one attempt could cost."""
        texts = [one.content for one in request.messages]
        if request.schema is not None:
            texts.append(str(request.schema))
        return cost_of(expected(texts, request.max_output_tokens), self.line.price)

    # asking a provider

    def _answered(
        self, body: Mapping[str, Any], request: ModelRequest, most: Usd, until_s: float, bill: _Bill
    ) -> HttpReply:
        """Try until there is an answer, or no further try helps.

        Raises:
            AttemptFailed: of the last one.
        """
        attempt, lessons = 1, 0
        while True:
            try:
                return self._attempt(body, request, most, until_s, bill)
            except Refused as error:
                sent = self.line.options.applied(body)
                lessons += 1
                if lessons > _OPTIONS_MAX or not self.line.options.learn(error.said, sent):
                    raise
            except AttemptFailed as error:
                pause_s = self._pause_s(error, attempt)
                left_s = until_s - self._around.now_s()
                if not error.again or attempt >= self._attempts or pause_s >= left_s:
                    raise
                attempt += 1
                self._around.sleep(pause_s)

    def _attempt(
        self, body: Mapping[str, Any], request: ModelRequest, most: Usd, until_s: float, bill: _Bill
    ) -> HttpReply:
        """Try once, with money for it.

        Raises:
            AttemptFailed: there is no answer.
        """
        line = self.line
        if line.client is None:
            raise AttemptFailed(FaultKind.UNREACHABLE, f"{line.name} is only replayed")
        own = self._reserved(self._own, most, request.at_ms)
        try:
            common = self._reserved(self._common, most, self._around.wall.now_ms())
        except AttemptFailed:
            self._settled(self._own, own, Usd(0))
            raise
        cost = most  # of what ends otherwise than by an answer or a known failure
        try:
            with line.gate.passing(until_s):
                left_s = max(0.001, until_s - self._around.now_s())
                reply = line.client.send(
                    line.wire.PATH,
                    line.options.applied(body),
                    timeout_s=min(self._timeout_s, left_s),
                )
                check_status(reply, line.name)
                answer: Answer = line.wire.read(reply.body)
            if answer.usage is not None:
                cost = cost_of(answer.usage, line.price)
                bill.tokens += answer.usage.input + answer.usage.output
        except AttemptFailed as error:
            cost = most if error.may_cost else Usd(0)
            raise
        finally:
            bill.cost = Usd(bill.cost + cost)
            self._settled(self._own, own, cost)
            self._settled(self._common, common, cost)
        return reply

    def _pause_s(self, error: AttemptFailed, attempt: int) -> float:
        if error.after_s is not None:
            return error.after_s + 0.1 * self._jitter.random()
        pause_s: float = min(_LAST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (attempt - 1))
        return pause_s * (0.5 + 0.5 * self._jitter.random())

    def _reserved(self, purse: Purse, amount: Usd, at_ms: int) -> Reservation:
        """Take money out, as part of an attempt.

        Raises:
            AttemptFailed: there is too little, or it cannot be kept.
        """
        try:
            return purse.reserve(amount, at_ms)
        except Spent as spent:
            raise AttemptFailed(spent.kind, spent.text) from None
        except StorageError as error:  # what cannot be counted is not spent
            raise AttemptFailed(FaultKind.ALL_SPENT, str(error)) from None

    def _settled(self, purse: Purse, reserved: Reservation, cost: Usd) -> None:
        try:
            purse.settle(reserved, cost)
        except StorageError:
            return  # it stays reserved, so it counts as spent

    # the cassette

    def _replayed(self, found: Recording, request: ModelRequest, most: Usd) -> ModelReply:
        """Answer as it was answered, for the money that it cost.

        Raises:
            ModelFault: as it was met then, or the trader has spent its own.
        """
        reserved = self._take(self._own, most, request.at_ms)
        self._settled(self._own, reserved, Usd(found.cost))
        if found.fault is not None:
            raise ModelFault(found.fault.kind, found.fault.text, cost_usd=Usd(found.cost))
        return self._reply(self._read(found), source="replay", cost=Usd(found.cost))

    def _recorded(
        self, asked: dict[str, Any], reply: HttpReply, bill: _Bill, taken_ms: int
    ) -> ModelReply:
        """Make the reply of an answer; in a recording the one that is kept counts."""
        if self._cassette is None:
            answer: Answer = self.line.wire.read(reply.body)
            return self._reply(answer, source="live", cost=bill.cost, latency_ms=taken_ms)
        kept = self._cassette.add(
            Recording(
                key=key_of(asked),
                asked=asked,
                price=self.line.price,
                cost=bill.cost,
                reply=reply.body.decode(errors="replace"),
            )
        )
        return self._reply(self._read(kept), source="record", cost=bill.cost, latency_ms=taken_ms)

    def _record_fault(self, asked: dict[str, Any], error: AttemptFailed, bill: _Bill) -> None:
        if self._cassette is not None:
            self._cassette.add(
                Recording(
                    key=key_of(asked),
                    asked=asked,
                    price=self.line.price,
                    cost=bill.cost,
                    trader=self._trader_id,
                    fault=Failure(kind=error.kind, text=error.text),
                )
            )

    def _read(self, kept: Recording) -> Answer:
        """Read a recorded answer.

        Raises:
            ModelFault: this version cannot.
        """
        try:
            answer: Answer = self.line.wire.read((kept.reply or "").encode())
        except AttemptFailed as error:
            raise ModelFault(error.kind, error.text) from None
        return answer

    def _missing(self, asked: Mapping[str, Any]) -> str:
        return "" if self._cassette is None else self._cassette.missing(asked)

    # what the trader is told

    def _take(self, purse: Purse, amount: Usd, at_ms: int) -> Reservation:
        """Take money out.

        Raises:
            ModelFault: there is too little.
        """
        try:
            return purse.reserve(amount, at_ms)
        except Spent as spent:
            raise ModelFault(spent.kind, spent.text) from None
        except StorageError as error:
            raise ModelFault(FaultKind.ALL_SPENT, str(error)) from None

    def _reply(
        self, answer: Answer, *, source: Mode, cost: Usd = Usd(0), latency_ms: int = 0
    ) -> ModelReply:
        usage = answer.usage or Usage()
        return ModelReply(
            text=answer.text,
            thinking=answer.thinking,
            finish=answer.finish,
            input_tokens=usage.input,
            output_tokens=usage.output,
            cached_tokens=usage.cached,
            cost_usd=cost,
            model=self.line.name,
            latency_ms=latency_ms,
            source=source,
        )

    def _fault(self, error: AttemptFailed, bill: _Bill, request: ModelRequest) -> ModelFault:
        after_ms = None if error.after_s is None else request.at_ms + round(1000 * error.after_s)
        return ModelFault(
            error.kind,
            error.text,
            cost_usd=bill.cost,
            tokens=bill.tokens,
            retry_after_ms=after_ms,
        )
