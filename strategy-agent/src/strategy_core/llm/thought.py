"""What a mind that thinks in words leaves in the journal beside its decision."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec


class Thought(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One turn of thinking, under the names by which the dashboard shows it.

    Attributes:
        cause: why the model was asked, e.g. `heartbeat` or `fill`; empty where it was not.
        prompt: what it was asked, role by role, of the last attempt.
        reply: what it answered, as it came.
        thinking: what it thought aloud.
        trace: what was seen and what became of it, from the bars to the orders; plain values.
        counterfactual: lines of what it asked, what the guards changed, what execution cost.
        model: that answered; template: that it was asked with, its digest included.
        llm_cost_usd: USD; tokens: of prompts and replies; latency_ms: of the wall clock.
        source: `live`, `record` or `replay`, in which the cost is that of the recording.
        calls: attempts that got an answer.
        after_cutoff: the run began after all that the model has seen; None where nobody says.
        flaws: what was wrong with the answer, by kind first; fault: why there was none.
        unusable: kinds of flaws for which nothing in the answer could be used; empty where
            something could be, or it was to hold.
        brake: why the model may open nothing at present; empty where it may.
    """

    cause: str = ""
    prompt: str = ""
    reply: str = ""
    thinking: str = ""
    trace: Mapping[str, Any] = {}
    counterfactual: tuple[str, ...] = ()
    model: str = ""
    template: str = ""
    llm_cost_usd: Decimal = Decimal(0)
    tokens: int = 0
    latency_ms: int = 0
    source: str = ""
    calls: int = 0
    after_cutoff: bool | None = None
    flaws: tuple[str, ...] = ()
    fault: str = ""
    unusable: str = ""
    brake: str = ""

    @property
    def trouble(self) -> str:
        """Why the model moves nothing at present; empty where it may."""
        useless = f"unusable: its answer has {self.unusable}" if self.unusable else ""
        return self.fault or self.brake or useless


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision that took time was based on: it opens nothing where that is so no more.

    Attributes:
        until_ms: last time at which it may open or add.
        tolerance: how far a price may have moved, as a fraction of it.
        prices: mids by coin, USD.
        sizes: positions by coin.
    """

    until_ms: int
    tolerance: Decimal
    prices: Mapping[str, Decimal]
    sizes: Mapping[str, Decimal]
