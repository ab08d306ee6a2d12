"""What the trader-manager says, as far as it is of use here; the rest of its answers is ignored."""

from decimal import Decimal
from typing import Any, Final

import msgspec

from suite.contracts.fills import TradeRow

FIGURE_MAX: Final = Decimal(10**15)
"""USD or coin: nothing that is told of a trader is as large."""


class Strategy(msgspec.Struct, frozen=True, kw_only=True):
    """Of an entry of `traders.yaml`."""

    kind: str = ""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Of `traders.yaml`, as far as it is shown."""

    name: str = ""
    strategy: Strategy = Strategy()
    symbols: tuple[str, ...] = ()
    interval: str = ""


class LastTraining(msgspec.Struct, frozen=True, kw_only=True):
    """What the last training of a model came to; `begun_ms` is the venue's time."""

    number: int = 0
    begun_ms: int = 0
    verdict: str = ""
    reason: str = ""
    model_id: str = ""


class LearnedModel(msgspec.Struct, frozen=True, kw_only=True):
    """What a trader that learns says of its model.

    Attributes:
        state: READY, NO_MODEL, SUSPENDED or PAPER_ONLY; `reason` says why, where it is not ready.
        model_id: in use; empty for none. `model_created_ms` is the venue's time.
        evidence: `yes`, or `no: ` and why it may not risk real money.
        overridden: it may all the same, because the operator has named it.
        training_since_ms: when the training under way began; None for none.
    """

    state: str
    reason: str = ""
    model_id: str = ""
    model_created_ms: int | None = None
    evidence: str = ""
    overridden: bool = False
    training: bool = False
    training_since_ms: int | None = None
    labelled_trades: int = 0
    closed_trades: int = 0
    closed_since_training: int = 0
    trainings: int = 0
    promoted: int = 0
    refused: int = 0
    last_attempt: LastTraining | None = None


class ProcessStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What the process of a trader says of it; times are the machine's where not of the venue.

    Attributes:
        allocation: what it may use of its account, USD; empty for all of it.
        equity: USD; empty before it is known.
        strategy: what its strategy tells of itself; a plugin's may be anything.
    """

    state: str = ""
    status: str = ""
    causes: dict[str, str] = {}
    now_ms: int = 0
    equity: str = ""
    allocation: str = ""
    connection: str = ""
    lost_reason: str = ""
    open_orders: int = 0
    turn: int = 0
    decisions: int = 0
    faults: int = 0
    retries: int = 0
    deciding_since_ms: int = 0
    last_verdict: str = ""
    last_fault: str = ""
    error: str = ""
    alert: str = ""
    alert_ms: int = 0
    strategy: dict[str, Any] = {}

    @property
    def model(self) -> LearnedModel | None:
        """What it says of a model; None where it says nothing, or something else."""
        try:
            return msgspec.convert(self.strategy, LearnedModel)
        except msgspec.ValidationError:
            return None


class ManagedTrader(msgspec.Struct, frozen=True, kw_only=True):
    """One trader of the fleet; `status` is None where its process does not answer."""

    trader_id: str
    entry: Entry = Entry()
    account: str = ""
    desired: str = ""
    actual: str = ""
    problem: str = ""
    reason: str = ""
    since_ms: int = 0
    status: ProcessStatus | None = None


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """All traders.

    Attributes:
        trouble: why nobody looks after them at present; empty where somebody does.
        venue: its address, for people.
    """

    traders: tuple[ManagedTrader, ...]
    trouble: str = ""
    venue: str = ""


class HeldPosition(msgspec.Struct, frozen=True, kw_only=True):
    """A position as it was last read; USD."""

    coin: str
    size: Decimal
    entry_price: Decimal
    mark_price: Decimal
    unrealized_pnl_usd: Decimal
    margin_used_usd: Decimal
    leverage: int
    liquidation_price: Decimal | None = None


class NewOfTrader(msgspec.Struct, frozen=True, kw_only=True):
    """What is new of one trader: samples as columns, micro-USD; fills; its latest positions."""

    time_ms: list[int] = []
    equity_usd: list[int] = []
    net_deposits_usd: list[int] = []
    fees_usd: list[int] = []
    funding_usd: list[int] = []
    llm_cost_usd: list[int] = []
    notional_usd: list[int] = []
    trades: tuple[TradeRow, ...] = ()
    positions_ms: int | None = None
    positions: tuple[HeldPosition, ...] | None = None


def is_figure(value: Decimal) -> bool:
    """Whether a number is one that can be reckoned with."""
    return value.is_finite() and abs(value) < FIGURE_MAX


def flaw_of(new: NewOfTrader) -> str:
    """Say which figure is none, or out of all bounds; empty where all can be reckoned with."""
    columns = (
        *(new.time_ms, new.equity_usd, new.net_deposits_usd, new.fees_usd),
        *(new.funding_usd, new.llm_cost_usd, new.notional_usd),
    )
    if len({len(one) for one in columns}) != 1:
        return "its samples are not of one length"
    for told in (*new.trades, *(new.positions or ())):
        for name in told.__struct_fields__:
            value = getattr(told, name)
            if isinstance(value, Decimal) and not is_figure(value):
                return f"{name} is {value:.6g}"
    return ""


class Records(msgspec.Struct, frozen=True, kw_only=True):
    """What is new of all traders.

    Attributes:
        world: of the venue.
        now_ms: the venue's time.
        trouble: why that is no later; empty where it is the present.
        more: read on at once.
    """

    world: str
    now_ms: int
    trouble: str = ""
    more: bool = False
    traders: dict[str, NewOfTrader] = {}


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """How far the records of a trader were read: the latest times, -1 before any."""

    equity_ms: int = -1
    trade_ms: int = -1


Plain = dict[str, Any]
