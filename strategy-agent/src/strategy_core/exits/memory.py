"""What the exits remember of each position from one wake-up, or one process, to the next.

All of it is written to disk before an order leaves, and read back after a restart; then the same
observation leads to the same orders under the same ids.
"""

import hashlib
from decimal import Decimal
from typing import Final

import msgspec

from strategy_core.exits.kinds import ExitKind, ExitState
from strategy_core.exits.seven import Reading
from strategy_core.intents import ExitPlan
from strategy_core.port import ZERO
from suite.contracts.clock import WakeOn
from suite.enums import Side

_SIDES: Final = {side.value: side for side in Side}
IDS_KEPT: Final = 64
"""Orders of one position whose meaning is remembered: more than can be at the venue at one time."""


class BarReading(msgspec.Struct, kw_only=True):
    """What the strategy said at one bar close.

    Attributes:
        close_ms: end of the bar.
        close: price then, USD; None when unknown.
        confidence, structure, trend: as in `ExitPlan`.
        model_id: whose confidence it is.
    """

    close_ms: int
    close: Decimal | None
    confidence: float | None
    model_id: str
    structure: float | None
    trend: float | None


class PendingExit(msgspec.Struct, kw_only=True):
    """An exit on its way.

    Attributes:
        generation: of the order that was sent last.
        cloid: of that order.
        sent_ms: when it was decided.
        held: absolute size of the position then.
        decision_price: mark when the exit was first decided, USD.
        attempts: orders sent for it.
        filled, notional: what they have closed so far, units of the coin and USD.
        readings: all seven conditions when it was decided.
    """

    kind: ExitKind
    generation: int
    cloid: str
    sent_ms: int
    held: Decimal
    decision_price: Decimal
    attempts: int = 1
    filled: Decimal = ZERO
    notional: Decimal = ZERO
    readings: tuple[Reading, ...] = ()


class StopOrder(msgspec.Struct, kw_only=True):
    """The stop that was moved last.

    Attributes:
        price: USD.
        size: units of the coin.
        sent_ms: when.
    """

    cloid: str
    price: Decimal
    size: Decimal
    sent_ms: int


class CoinMemory(msgspec.Struct, kw_only=True):
    """One position, or the plan of one that is to come.

    Attributes:
        noted_ms: when the plan was given, or the position seen first.
        plan: the strategy's; None where it gave none.
        stop_asked, target_asked: where the entry's protection stands, USD.
        bars: readings of the last two bar closes, oldest first.
        number: 1, 2, 3, ... of all positions; with coin and time it names this one.
        side: 1 long, -1 short, 0 before the first fill.
        opened_at_ms: first fill of the entry; nothing resets it.
        entry_price: average, USD.
        size, size_max: absolute, now and at most, units of the coin.
        leverage: when it was opened; 0 until the venue has reported the position.
        unit_risk: distance of the first stop, USD; None where the entry had none.
        confidence_at_entry: None where the strategy had none.
        best, worst: marks since the entry, USD, seen from the position's side.
        partial_done: a part was taken, or tried in vain.
        partial_taken: a part was taken.
        trailing: the stop trails from now on.
        stop: the moved one; None while the entry's own stands.
        generation: of the orders sent so far.
        ids: what each of those orders was, by its cloid.
        closed, closed_notional: reduced so far, units of the coin and USD.
        realized, fees, funding: USD; fees and funding positive when paid.
    """

    coin: str
    state: ExitState = ExitState.OPENING
    noted_ms: int
    plan: ExitPlan | None = None
    stop_asked: Decimal | None = None
    target_asked: Decimal | None = None
    bars: list[BarReading] = msgspec.field(default_factory=list)
    number: int = 0
    side: int = 0
    opened_at_ms: int = 0
    entry_price: Decimal = ZERO
    size: Decimal = ZERO
    size_max: Decimal = ZERO
    leverage: int = 0
    unit_risk: Decimal | None = None
    confidence_at_entry: float | None = None
    best: Decimal = ZERO
    worst: Decimal = ZERO
    partial_done: bool = False
    partial_taken: bool = False
    trailing: bool = False
    stop: StopOrder | None = None
    generation: int = 0
    ids: dict[str, str] = msgspec.field(default_factory=dict)
    pending: PendingExit | None = None
    closed: Decimal = ZERO
    closed_notional: Decimal = ZERO
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO

    @property
    def direction(self) -> Side:
        """Side of the open position."""
        return _SIDES[self.side]

    @property
    def margin(self) -> Decimal:
        """Initial margin of what is open, USD."""
        return self.size * self.entry_price / max(1, self.leverage)

    def name_order(self, trader_id: str, what: str) -> str:
        """Give the next order of this position its id, and remember what it is.

        Args:
            trader_id: whose position.
            what: kind of the exit.
        """
        self.generation += 1
        name = f"{trader_id}\n{self.coin}\n{self.number}\n{self.opened_at_ms}"
        cloid = exit_cloid(name, what, self.generation)
        self.ids[cloid] = what
        if len(self.ids) > IDS_KEPT:
            del self.ids[next(iter(self.ids))]
        return cloid

    def see(self, mark: Decimal) -> None:
        """Move the best and the worst mark since the entry."""
        low, high = (self.worst, self.best) if self.side > 0 else (self.best, self.worst)
        if low <= mark <= high:
            return
        if (mark > high) == (self.side > 0):
            self.best = mark
        else:
            self.worst = mark


class QuietCoin(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds within which one position stays far from every end.

    Attributes:
        size: signed, units of the coin.
        low, high: of the mark, USD.
        liquidation: price, USD, that the venue's liquidation price must be beyond.
        room: least distance then between mark and liquidation price, USD.
    """

    size: Decimal
    low: Decimal
    high: Decimal
    liquidation: Decimal
    room: float


class Quiet(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds within which a review would find what the last full one has found.

    Attributes:
        judged_by: names the rules that it was found by.
        wake_on: what it asked to be woken by.
        equity_min, equity_max: of the account, USD.
        coins: all open positions.
    """

    judged_by: str
    wake_on: WakeOn
    equity_min: Decimal
    equity_max: Decimal
    coins: dict[str, QuietCoin]


class ExitMemory(msgspec.Struct, kw_only=True):
    """All that the exits of one trader remember.

    Attributes:
        coins: those with a position.
        coming: those whose next position has a plan already.
        opened: positions so far.
        guarding: positions are being given up until the account is safe again.
        guarded_ms: when the last one was.
        tids: the last fills that were counted; a fill told twice counts once.
        quiet: bounds of the quiet that the last full review has found; None for none.
    """

    coins: dict[str, CoinMemory] = msgspec.field(default_factory=dict)
    coming: dict[str, CoinMemory] = msgspec.field(default_factory=dict)
    opened: int = 0
    guarding: bool = False
    guarded_ms: int | None = None
    tids: list[int] = msgspec.field(default_factory=list)
    quiet: Quiet | None = None


class ExitRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One position from flat to flat.

    Attributes:
        kind: one of `ExitKind` or `OtherClose`.
        side: 1 long, -1 short.
        holding_ms: from the first fill of the entry to the last of the exit.
        size: largest absolute size, units of the coin.
        entry_price, exit_price: averages, USD.
        realized: before fees and funding, USD.
        fees, funding: USD, positive when paid; funding 0 where the venue does not tell.
        net: realized less fees and funding, USD.
        gain_in_risks: net over the initial risk; None where the entry had no stop.
        roe: net over the initial margin of the largest size.
        adverse, favorable: farthest that the mark went against and for the position, fractions of
            the entry.
        slippage_bps: of the exit's fills against the mark it was decided at, positive is worse;
            None where none of the seven closed it.
        conditions: all seven when the exit was decided; empty where none of them closed it.
        rule: the strategy's own, where its coming true closed it.
    """

    coin: str
    kind: str
    side: int
    opened_at_ms: int
    closed_at_ms: int
    holding_ms: int
    size: Decimal
    entry_price: Decimal
    exit_price: Decimal
    realized: Decimal
    fees: Decimal
    funding: Decimal
    net: Decimal
    gain_in_risks: Decimal | None
    roe: Decimal
    adverse: Decimal
    favorable: Decimal
    slippage_bps: Decimal | None
    conditions: tuple[Reading, ...]
    rule: str = ""


def exit_cloid(position: str, what: str, generation: int) -> str:
    """Derive the id of an exit's order: the same exit repeated has the same id.

    Args:
        position: names one position of one trader.
        what: kind of the exit.
        generation: 1, 2, 3, ... of the orders sent for the position.
    """
    digest = hashlib.sha256(f"exit\n{position}\n{what}\n{generation}".encode()).hexdigest()
    return f"0x{digest[:32]}"
