"""How a trader asks a language model; whoever talks to one implements it.

A mind builds a `ModelRequest` and calls `Model.complete`, which blocks until there is a reply or a
`ModelFault` says why there is none. Attempts, pauses, queues, budgets, prices, cheaper models and
cassettes are the model's business; what the reply means, and what is done without one, the mind's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Literal, Protocol

import msgspec

from suite.fixed import Usd


class Message(msgspec.Struct, frozen=True):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class ModelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A question, complete in itself: models remember nothing from one to the next.

    Attributes:
        messages: oldest first; the first may be the system's.
        schema: JSON schema of the answer, for servers that can be held to one; None for plain
            text. The reply is judged by the mind in either case.
        max_output_tokens: of the reply, thinking included.
        temperature: 0 for the likeliest answer.
        seed: of the sampling, where the server takes one; None for none.
        role: who asks: `trader`, or the part in a meeting.
        attempt: 1, and 2 where the reply to the first could not be read; part of no content.
        at_ms: the world's time; days of a budget are counted by it. Part of no content: a cassette
            finds the same question at another time.
    """

    messages: tuple[Message, ...]
    schema: Mapping[str, Any] | None = None
    max_output_tokens: int = 2_000
    temperature: float = 0.0
    seed: int | None = None
    role: str = "trader"
    attempt: int = 1
    at_ms: int = 0


class ModelReply(msgspec.Struct, frozen=True, kw_only=True):
    """What came back.

    Attributes:
        text: of the answer, as it came; empty where the model said nothing.
        thinking: what it thought aloud before, where the provider gives it.
        finish: `stop`; `length` where the text was cut; `refused` where the provider kept it back.
        input_tokens, output_tokens: as charged; of all attempts.
        cached_tokens: of the input, those that the provider had in its cache.
        cost_usd: micro-USD of all attempts; in a replay what they cost when they were recorded.
        model: that answered, as the provider calls it; a cheaper one than asked for, perhaps.
        latency_ms: of the wall clock; nothing that is hashed may hold it.
        source: from the provider, from it and kept, or from a cassette.
    """

    text: str
    thinking: str = ""
    finish: Literal["stop", "length", "refused"] = "stop"
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: Usd = Usd(0)
    model: str = ""
    latency_ms: int = 0
    source: Literal["live", "record", "replay"] = "live"


class FaultKind(StrEnum):
    """Why there is no reply."""

    KEY_REFUSED = "key_refused"
    QUOTA = "quota"
    """The account at the provider has no money, or none for this model."""
    RATE_LIMITED = "rate_limited"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    """No connection, a 5xx, or the stream was cut."""
    BREAKER_OPEN = "breaker_open"
    """It failed again and again, and is left alone for a while."""
    REFUSED = "refused"
    """The provider says that the question is wrong: too long, unknown model, unknown option."""
    UNREADABLE = "unreadable"
    """Not the provider's own form: no JSON, no choice in it."""
    DAY_SPENT = "day_spent"
    """The next call could cost more than is left of today's money."""
    ALL_SPENT = "all_spent"
    """The same of all the money that the trader has for models."""
    CASSETTE_MISS = "cassette_miss"
    """A replay was asked what was never recorded: its run is worth nothing."""


class ModelFault(Exception):
    """There is no reply.

    Args:
        kind: why.
        text: one line that says what to do; without secrets.
        cost_usd: micro-USD that the attempts cost all the same; in a replay, when recorded.
        tokens: of them.
        retry_after_ms: when asking again may help, by the world's clock; None where unknown.
    """

    def __init__(
        self,
        kind: FaultKind,
        text: str,
        *,
        cost_usd: Usd = Usd(0),
        tokens: int = 0,
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind
        self.text = text
        self.cost_usd = cost_usd
        self.tokens = tokens
        self.retry_after_ms = retry_after_ms


class ModelBudget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a trader may spend on models: `budget` of its entry in a traders file.

    Attributes:
        usd_per_day: in a day of the world's time, UTC.
        usd_total: over its whole life; None for no such limit.
    """

    usd_per_day: Decimal = Decimal(1)
    usd_total: Decimal | None = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is not None and not (value.is_finite() and value >= 0):
                raise ValueError(f"{name} must be a number of USD, not below 0")


BUDGET: Final = ModelBudget()
"""What is usual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """Which model a trader asks, and with what.

    Attributes:
        trader_id: whose money is spent; calls of all its roles share one budget.
        role: who asks with it: `trader`, or the part in a meeting.
        names: `provider/name`, the first as long as it can be had and paid, then the next.
        base_url: of a server that speaks OpenAI's protocol; empty for the provider's own.
        api_key: for it; empty for the provider's key in the environment, or none.
        budget: of the trader.
        timeout_s: of one call.
    """

    trader_id: str
    role: str = "trader"
    names: tuple[str, ...]
    base_url: str = ""
    api_key: str = field(default="", repr=False)
    budget: ModelBudget = BUDGET
    timeout_s: float = 30.0


class Model(Protocol):
    """One model, or a chain of them, for one trader."""

    def complete(self, request: ModelRequest) -> ModelReply:
        """Ask, and wait for the answer.

        Called from the thread of the strategy, one call at a time; the caller may be ended while
        it waits, and then what the call could have cost counts as spent.

        Raises:
            ModelFault: there is no reply.
        """
        ...


class ModelSource(Protocol):
    """Where traders of a process get their models."""

    def open(self, choice: ModelChoice) -> Model:
        """Make one ready; nothing is sent yet.

        Raises:
            ConfigError: no such provider, no key, no price for it; in one line, without the key.
        """
        ...
