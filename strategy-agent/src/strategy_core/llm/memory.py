"""What the mind of a trader that asks a model keeps between turns, and over a restart."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from strategy_core.llm.brake import Drift
from strategy_core.llm.windows import Planned

TRADES_MAX: Final = 10
VERDICTS_MAX: Final = 12
SERIES_MAX: Final = 10


class Idea(msgspec.Struct, frozen=True, kw_only=True):
    """What a position, or an entry that rests, was taken for.

    Attributes:
        side: 1 long, -1 short.
        since_ms: when it was decided; until_ms: when an entry that still rests is given up.
        stop, target: where the protection stands, USD.
        invalidation: rule that ends the position; empty for none.
    """

    coin: str
    side: int
    since_ms: int
    until_ms: int
    stop: Decimal | None = None
    target: Decimal | None = None
    invalidation: str = ""
    confidence: Decimal | None = None
    reasoning: str = ""


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One own fill.

    Attributes:
        realized: before the fee, USD.
        fee: USD, positive when charged.
    """

    at_ms: int
    coin: str
    what: str
    size: str
    price: str
    realized: str
    fee: str


class Tally(msgspec.Struct, kw_only=True):
    """Counts what the mind did.

    Attributes:
        looks: bars at which it looked whether to ask: the calls of a fixed cadence.
        calls: questions to the model, by what caused them; second attempts are not among them.
        retries: second attempts.
        flaws: by their kind; faults: of the model, by theirs.
        cost_usd: micro-USD; tokens: of prompts and replies.
    """

    looks: int = 0
    calls: dict[str, int] = {}
    retries: int = 0
    flaws: dict[str, int] = {}
    faults: dict[str, int] = {}
    cost_usd: int = 0
    tokens: int = 0

    @property
    def asked(self) -> int:
        """Turns in which the model was asked."""
        return sum(self.calls.values())

    @property
    def saved(self) -> int:
        """Calls that a fixed cadence would have made beyond these; below 0 where it made fewer."""
        return self.looks - self.asked


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Indicators of one closed bar, by name.

    Attributes:
        close_ms: when the bar closed; from then on they were known.
    """

    close_ms: int
    values: Mapping[str, float | None]


class MindMemory(msgspec.Struct, kw_only=True):
    """All of it; plain values, bounded.

    Attributes:
        began_ms: first turn, 0 before it; start_equity: account value then, USD.
        asked_ms: when the model was last asked, 0 for never.
        notes: the model's own.
        ideas: by coin.
        verdicts: what became of its last decision, a line each, and when they were known.
        trades: own fills, oldest first.
        marks: by `coin interval`, oldest first.
        held: sizes by coin as last seen.
        funding: sign of the rate by coin as last seen.
        rule: truth of the bar rule by coin as last seen.
        near: coins whose stop was near already.
        pending: causes that wait until the model may be asked again.
        labels: of the last decision's actions, as the model is told of them.
        said: what was wrong with its last answer, a line each.
        fills_known: fills that were taken in, by the venue's number.
        drift: how its model behaves.
        planned: a meeting's lists whose horizon has not passed; looks_back: what others came to.
    """

    began_ms: int = 0
    start_equity: Decimal = Decimal(0)
    asked_ms: int = 0
    notes: tuple[str, ...] = ()
    ideas: dict[str, Idea] = {}
    verdicts: tuple[str, ...] = ()
    verdicts_ms: int = 0
    trades: list[Trade] = []
    marks: dict[str, list[Mark]] = {}
    held: dict[str, Decimal] = {}
    funding: dict[str, int] = {}
    rule: dict[str, bool] = {}
    near: list[str] = []
    pending: list[str] = []
    labels: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    fills_known: list[int] = []
    drift: Drift = msgspec.field(default_factory=Drift)
    planned: list[Planned] = []
    looks_back: tuple[str, ...] = ()
    tally: Tally = msgspec.field(default_factory=Tally)
