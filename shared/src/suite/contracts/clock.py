"""The venue owns time: `GET /clock` and `POST /clock/join|wait|heartbeat|advance`.

`/clock/wait` is a whole step of a trader: it may carry the orders just decided and names what to
send back, so a backtest over HTTP costs one round trip a decision.
"""

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec

from suite.contracts.guards import GuardSummary
from suite.contracts.hyperliquid_info import OpenOrder, UserFill
from suite.contracts.venue import Action, ActionReply, Name, Wire

ClockMode = Literal["wall", "lockstep", "paced"]
Interval = Literal["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d"]


class ClockState(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of `GET /clock`.

    Attributes:
        mode: how time moves.
        now_ms: the venue's time, epoch ms.
        speed: simulated seconds per second, 1 for wall time, 0 where only steps move time.
        finished: no bar is left.
        wakes: `POST /clock/wait` is there; else the agent sleeps by its own clock.
        world: names this simulated world and no other, so one that a restart has begun anew is
            another; empty where the market and the money are real.
        waits_for: accounts that have not joined and without which time does not begin; empty once
            it has begun.
        account: whose token the caller has shown; empty without one.
        address: of that account at the venue, by which its own channels are named; empty where
            nobody tells.
    """

    mode: ClockMode
    now_ms: int
    speed: float
    finished: bool = False
    wakes: bool = True
    world: str = ""
    waits_for: tuple[str, ...] = ()
    account: str = ""
    address: str = ""


class PriceCross(Wire, frozen=True, kw_only=True, cache_hash=True):
    """Wake when a bar's path reaches a price. Exactly one bound."""

    coin: Name
    above: Decimal | None = None
    below: Decimal | None = None

    def __post_init__(self) -> None:
        if (self.above is None) == (self.below is None):
            raise ValueError("a price condition has exactly one of above and below")


class WakeOn(Wire, frozen=True, kw_only=True):
    """What ends a wait early; every wake-up is at the end of the bar in which it happens.

    Attributes:
        fill: one of the account's orders was filled.
        order: one of its orders changed in any way.
        liquidation: it was liquidated.
        bar: the next close of a bar of this interval.
        price: a price was reached.
    """

    fill: bool = False
    order: bool = False
    liquidation: bool = False
    bar: Interval | None = None
    price: tuple[PriceCross, ...] = ()


class Want(Wire, frozen=True, kw_only=True):
    """What the reply shall bring.

    Attributes:
        account: the account's state and open orders.
        fills: its fills since the last reply.
        mids: mid price of every coin.
        snapshots: coins whose market-data snapshot is wanted.
        intervals: minutes (`"15"`) of those snapshots' blocks; empty for all.
    """

    account: bool = True
    fills: bool = True
    mids: bool = False
    snapshots: tuple[Name, ...] = ()
    intervals: tuple[str, ...] = ()


class WaitRequest(Wire, frozen=True, kw_only=True):
    """Body of `POST /clock/wait`.

    Attributes:
        step_seq: 1, 2, 3, ... per participant. A repeated number returns the stored reply and never
            acts twice.
        until_ms: latest wake-up; with none, only `wake_on` and the end of the world wake.
        orders: applied at the present time, before waiting, in this order.
    """

    step_seq: Annotated[int, msgspec.Meta(ge=1)]
    until_ms: int | None = None
    wake_on: WakeOn = WakeOn()
    orders: tuple[Action, ...] = ()
    want: Want = Want()


class PositionView(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One open position, in the numbers that `clearinghouseState` writes.

    Attributes:
        size: units of the coin; long is positive, and never 0.
        entry_px: average entry price, USD.
        unrealized_pnl: USD.
        leverage: as set for the coin.
        isolated: it has margin of its own; else the account's stands behind it.
        margin_used: margin behind it, USD; with its profit where that is its own.
        liquidation_px: USD; None where no price would liquidate it.
        funding: paid since it was opened, USD; negative when received.
    """

    coin: str
    size: Decimal
    entry_px: Decimal
    unrealized_pnl: Decimal
    leverage: int
    isolated: bool = False
    margin_used: Decimal = Decimal(0)
    liquidation_px: Decimal | None = None
    funding: Decimal = Decimal(0)


class AccountView(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a trader reads of an account, in the numbers that the venue's own reads write.

    Attributes:
        equity: account value, USD.
        cross_equity: of it what stands behind cross positions, USD.
        margin_used: by all positions, USD.
        positions: open ones, each coin once; flat coins are absent.
        net_deposits: all money that was ever put into it less all that was taken out, USD, as far
            as it is in `equity`: deposits, withdrawals, transfers, those between wallets of one
            owner too. Only what it changes by means something. None where nobody tells.
    """

    equity: Decimal
    cross_equity: Decimal
    margin_used: Decimal
    positions: tuple[PositionView, ...] = ()
    open_orders: tuple[OpenOrder, ...] = ()
    net_deposits: Decimal | None = None


class WaitReply(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of `POST /clock/wait` and `/clock/join`.

    Attributes:
        now_ms: world time at the wake-up.
        step_seq: the request's; 0 for a join.
        woke_by: of `time, fill, order, liquidation, bar, price, ended`; `asked` or `trouble` where
            the agent itself ended the wait.
        ended: the world has no bar left; nothing can be ordered any more.
        results: one answer per order sent, in their order.
        fills: fills since the last reply, oldest first.
    """

    now_ms: int
    step_seq: int
    woke_by: tuple[str, ...] = ()
    ended: bool = False
    results: tuple[ActionReply, ...] = ()
    fills: tuple[UserFill, ...] = ()
    account: AccountView | None = None
    mids: dict[str, str] | None = None
    snapshots: dict[str, dict[str, Any]] | None = None


class JoinRequest(Wire, frozen=True, kw_only=True):
    """Body of `POST /clock/join`: what the first reply shall bring."""

    want: Want = Want()


class WakeRequest(Wire, frozen=True, kw_only=True):
    """Body of `POST /clock/wake`: end the wait of this number, now or as soon as it comes."""

    step_seq: Annotated[int, msgspec.Meta(ge=1)]


class LeaveRequest(Wire, frozen=True, kw_only=True):
    """Body of `POST /clock/leave`.

    Attributes:
        guards: what guarded the trader, for the report; taken once, and only after the end.
    """

    guards: GuardSummary | None = None


class AdvanceRequest(Wire, frozen=True, kw_only=True):
    """Body of `POST /clock/advance`, for the operator of a world without participants."""

    until_ms: int


class GiveUpRequest(Wire, frozen=True, kw_only=True):
    """Body of `POST /clock/give-up`, for the supervisor of a participant that is lost for good."""

    account: Name
