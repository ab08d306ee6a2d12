"""A model and those that stand in for it: the first as long as it can be had and paid."""

from collections.abc import Callable, Sequence

import msgspec

from strategy_core.llm.port import FaultKind, ModelFault, ModelReply, ModelRequest
from strategy_models.exchange import Exchange
from suite.fixed import Usd


class Chain:
    """Asks one model after the other until one answers.

    Args:
        exchanges: at least one, in the order of preference.
        patience_s: how long a question may take in all.
        now_s: a clock that never goes back, seconds.
    """

    def __init__(
        self, exchanges: Sequence[Exchange], *, patience_s: float, now_s: Callable[[], float]
    ) -> None:
        self._exchanges = tuple(exchanges)
        self._patience_s = patience_s
        self._now_s = now_s

    def complete(self, request: ModelRequest) -> ModelReply:
        """Ask, and wait for the answer.

        Each model has its share of the time that is left, so that a slow one leaves some to those
        behind it.

        Raises:
            ModelFault: none has answered: of the kind of the last, with what all of them said.
        """
        until_s = self._now_s() + self._patience_s
        faults: list[ModelFault] = []
        for index, exchange in enumerate(self._exchanges):
            left_s = max(0.0, until_s - self._now_s())
            share_s = left_s / (len(self._exchanges) - index)
            try:
                reply = exchange.ask(request, until_s=self._now_s() + share_s)
            except ModelFault as fault:
                if fault.kind is FaultKind.CASSETTE_MISS:
                    raise
                faults.append(fault)
                continue
            if not faults:
                return reply
            return _with_costs(reply, faults)
        raise _of_all(faults)


def _with_costs(reply: ModelReply, faults: Sequence[ModelFault]) -> ModelReply:
    """Add what those have cost that did not answer."""
    cost = Usd(reply.cost_usd + sum(fault.cost_usd for fault in faults))
    return msgspec.structs.replace(reply, cost_usd=cost)


def _of_all(faults: Sequence[ModelFault]) -> ModelFault:
    last = faults[-1]
    if len(faults) == 1:
        return last
    times = [fault.retry_after_ms for fault in faults if fault.retry_after_ms is not None]
    return ModelFault(
        last.kind,
        "; ".join(dict.fromkeys(fault.text for fault in faults)),
        cost_usd=Usd(sum(fault.cost_usd for fault in faults)),
        tokens=sum(fault.tokens for fault in faults),
        retry_after_ms=min(times, default=None),
    )
