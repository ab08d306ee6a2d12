"""The traces of one trader: each begins with a decision and ends with the last of its fills."""

from collections import OrderedDict
from collections.abc import Awaitable, Iterator
from typing import Any, Final

from strategy_core.deciding import StillDeciding
from strategy_core.loop import Answer
from suite import tracing
from suite.contracts.clock import WaitReply, WaitRequest
from suite.contracts.trader import TraderSpec
from suite.contracts.venue import ActionReply

_ORDERS: Final = 4096
"""Orders whose fills are still told apart; what rests behind more of them has a fill untold."""


class Trail:
    """What was decided, and which orders came of it; empty where nobody collects traces.

    Args:
        spec: of the trader.
    """

    def __init__(self, spec: TraderSpec) -> None:
        self._trader_id = spec.trader_id
        self._kind = spec.strategy.kind
        self._thought: tracing.Span | None = None
        self._decision: tracing.Span | None = None
        self._orders: OrderedDict[int, tracing.Span] = OrderedDict()

    async def decision(self, asked: Awaitable[Answer]) -> Answer:
        """Ask in a trace of its own, or in that of a thought that takes several turns."""
        if self._thought is None:
            self._thought = tracing.begin("decision", trader=self._trader_id, kind=self._kind)
        with tracing.at(self._thought):
            answer = await asked
        if self._thought is not None and not isinstance(answer, StillDeciding):
            self._thought.end()
            self._decision, self._thought = self._thought, None
        return answer

    async def step(self, request: object, asked: Awaitable[WaitReply]) -> WaitReply:
        """Let orders belong to the decision before them, and fills to what led to them."""
        has_orders = isinstance(request, WaitRequest) and bool(request.orders)
        with tracing.at(self._decision if has_orders else None):
            reply = await asked
        if self._decision is not None:
            self._told(reply, self._decision)
        return reply

    def _told(self, reply: WaitReply, decision: tracing.Span) -> None:
        for result in reply.results:
            for oid in _oids(result):
                self._orders[oid] = decision
        while len(self._orders) > _ORDERS:
            self._orders.popitem(last=False)
        for fill in reply.fills:
            if (cause := self._orders.get(fill.oid)) is not None:
                seen = tracing.begin("fill", below=cause, coin=fill.coin, oid=fill.oid)
                if seen is not None:
                    seen.end()


def _oids(result: ActionReply) -> Iterator[int]:
    """Read the numbers of orders out of an answer to an action."""
    response: Any = result.response
    data = response.get("data") if isinstance(response, dict) else None
    for status in data.get("statuses", ()) if isinstance(data, dict) else ():
        for told in status.values() if isinstance(status, dict) else ():
            if isinstance(told, dict) and isinstance(oid := told.get("oid"), int):
                yield oid
