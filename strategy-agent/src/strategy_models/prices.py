"""What a call costs, in whole micro-USD."""

from decimal import ROUND_CEILING, Decimal

import msgspec

from suite.fixed import Usd

_TOKENS: int = 1_000_000
_MESSAGE_TOKENS = 8
"""Roles and separators that a provider puts around a message."""
_BYTES_A_TOKEN = 3
"""Of text; English has four, JSON and numbers about three."""


class Price(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """USD for a million tokens, which is micro-USD for one.

    Attributes:
        input: of what is asked.
        output: of what is answered, thinking included.
        cached_input: of what the provider still had of an earlier question; as input without it.
    """

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is not None and not (value.is_finite() and 0 <= value < 1_000_000):
                raise ValueError(f"{name} must be USD for a million tokens, not below 0")


FREE = Price(input=Decimal(0), output=Decimal(0))


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one call.

    Attributes:
        input, output: as charged.
        cached: of the input, those from the provider's cache.
    """

    input: int = 0
    output: int = 0
    cached: int = 0


def cost_of(usage: Usage, price: Price) -> Usd:
    """Reckon what a call costs, rounded up to a whole micro-USD."""
    cached = min(usage.cached, usage.input)
    cached_price = price.input if price.cached_input is None else price.cached_input
    exact = (
        (usage.input - cached) * price.input + cached * cached_price + usage.output * price.output
    )
    return Usd(int(exact.to_integral_value(rounding=ROUND_CEILING)))


def expected(texts: list[str], max_output_tokens: int) -> Usage:
    """Say what a call could use at most, as far as can be told before it.

    Args:
        texts: of all messages and of the schema.
        max_output_tokens: that the question allows.
    """
    size = sum(len(text.encode()) for text in texts)
    return Usage(
        input=size // _BYTES_A_TOKEN + 1 + _MESSAGE_TOKENS * len(texts), output=max_output_tokens
    )


def usd_of(text: Decimal) -> Usd:
    """Read an amount of USD as micro-USD, rounded down."""
    return Usd(int(text * _TOKENS))
