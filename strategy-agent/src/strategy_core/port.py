"""What a strategy sees, what it may want, and what it answers.

A strategy is a plain object that turns an `Observation` into a `Decision`. It reads no clock, no
file and no network; it may keep state, but only state that follows from what it was shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from strategy_core.intents import ExitPlan, Intent
from suite.contracts.clock import AccountView, WaitReply, WakeOn, Want
from suite.contracts.hyperliquid_info import OpenOrder, UserFill
from suite.contracts.venue import ActionReply
from suite.enums import TraderStatus
from suite.fixed import Usd, is_decimal, parse_decimal
from suite.instrument import Instrument, MarginTier, is_perp

Instruments: TypeAlias = Mapping[str, Instrument]
"""What can be traded, by coin."""

ZERO = Decimal(0)
NOTHING_EARLIER = WakeOn()


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a strategy wants with every reply, besides account, fills and mids.

    Attributes:
        snapshots: coins whose market-data snapshot it reads.
        intervals: minutes (`"15"`) of the blocks it reads in them; empty for all.
        slow: a decision may take seconds, so the process decides in a thread and keeps its lease.
    """

    snapshots: tuple[str, ...] = ()
    intervals: tuple[str, ...] = ()
    slow: bool = False

    def want(self) -> Want:
        """Put it as the venue is asked. Mids always come: the guard prices orders with them."""
        return Want(mids=True, snapshots=self.snapshots, intervals=self.intervals)


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionView:
    """One open position.

    Attributes:
        size: units of the coin, exactly as the venue wrote it; long is positive.
        entry_px: average entry price, USD.
        unrealized_pnl: USD.
        leverage: as set for the coin.
    """

    coin: str
    size: Decimal
    entry_px: Decimal
    unrealized_pnl: Decimal
    leverage: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the guard made of one action, or what is wrong with an exit plan.

    Attributes:
        action: index of the action within the decision; plans follow the actions.
        outcome: passed as it was, made smaller, or kept back.
        rule: why; empty when accepted, `exit_plan` of a plan that is wrong.
        before, after: the size or leverage asked and let through; after is 0 when rejected.
        reason: of a wrong plan, what is wrong and where; the rest of the plan counts.
    """

    action: int
    outcome: Literal["accepted", "clamped", "rejected"]
    rule: str = ""
    before: Decimal = ZERO
    after: Decimal = ZERO
    reason: str = ""

    def __str__(self) -> str:
        match self.outcome:
            case "clamped":
                return f"clamped({self.before} -> {self.after}): {self.rule}"
            case "rejected":
                return f"rejected({self.rule}{': ' if self.reason else ''}{self.reason})"
        return self.outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """All a strategy knows at one time; numbers are the venue's decimals, exactly.

    Attributes:
        now_ms: the venue's time.
        woke_by: why it was woken: `join, time, fill, order, liquidation, bar, price, ended`.
        equity: account value, USD.
        available: equity less margin in use, USD, not below 0.
        positions: open positions by coin; a flat coin is absent.
        open_orders: resting and trigger orders.
        mids: mid price by coin, USD.
        snapshots: market data by coin, as asked for in `Needs`; shared, to be read only.
        fills: own fills of perpetuals since the last observation, oldest first.
        verdicts, results: what the guard and then the venue made of the last decision; a verdict
            for each action and then for each wrong plan, a result for each action that was sent.
        status: what the trader may do at present.
    """

    now_ms: int
    woke_by: tuple[str, ...] = ()
    equity: Decimal = ZERO
    available: Decimal = ZERO
    positions: Mapping[str, PositionView] = field(default_factory=dict)
    open_orders: tuple[OpenOrder, ...] = ()
    mids: Mapping[str, Decimal] = field(default_factory=dict)
    snapshots: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    fills: tuple[UserFill, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    results: tuple[ActionReply, ...] = ()
    status: TraderStatus = TraderStatus.LIVE

    def size_of(self, coin: str) -> Decimal:
        """Signed size of the position in a coin, 0 when flat."""
        position = self.positions.get(coin)
        return position.size if position else ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do now, why, and when to be asked again.

    Attributes:
        actions: carried out in this order, after the guard.
        reasoning: one or two sentences for the journal.
        until_ms: latest next decision; None for the next boundary of the trader's interval.
        wake_on: what shall wake it earlier.
        plans: how positions shall end, at most one for each coin.
    """

    actions: tuple[Intent, ...] = ()
    reasoning: str = ""
    until_ms: int | None = None
    wake_on: WakeOn = NOTHING_EARLIER
    plans: tuple[ExitPlan, ...] = ()


class Strategy(Protocol):
    """A trader's mind."""

    @property
    def needs(self) -> Needs:
        """What every observation shall hold; constant."""
        ...

    def decide(self, observation: Observation) -> Decision:
        """Answer one observation."""
        ...


def observe(
    reply: WaitReply, *, account: AccountView | None, verdicts: tuple[Verdict, ...]
) -> Observation:
    """Read a reply of the venue into what a strategy sees.

    Args:
        reply: of a join or a wait.
        account: the latest state known: the reply's own where it has one.
        verdicts: of the guard on the last decision.
    """
    positions: dict[str, PositionView] = {}
    equity = available = ZERO
    if account is not None:
        summary = account.state.marginSummary
        equity = parse_decimal(summary.accountValue)
        available = max(ZERO, equity - parse_decimal(summary.totalMarginUsed))
        for row in account.state.assetPositions:
            held = row.position
            size = parse_decimal(held.szi)
            if size:
                positions[held.coin] = PositionView(
                    coin=held.coin,
                    size=size,
                    entry_px=parse_decimal(held.entryPx),
                    unrealized_pnl=parse_decimal(held.unrealizedPnl),
                    leverage=held.leverage.value,
                )
    return Observation(
        now_ms=reply.now_ms,
        woke_by=reply.woke_by or ("join",),
        equity=equity,
        available=available,
        positions=positions,
        open_orders=account.open_orders if account else (),
        mids={
            coin: parse_decimal(text)
            for coin, text in (reply.mids or {}).items()
            if is_decimal(text)  # one that is no price is as good as missing
        },
        snapshots=reply.snapshots or {},
        fills=tuple(fill for fill in reply.fills if is_perp(fill.coin)),
        verdicts=verdicts,
        results=reply.results,
    )


class _Asset(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    szDecimals: int  # noqa: N815 - the wire's own name
    maxLeverage: int  # noqa: N815


class _Meta(msgspec.Struct, frozen=True, kw_only=True):
    universe: tuple[_Asset, ...]


def instruments_of(meta: object) -> dict[str, Instrument]:
    """Read the venue's `meta` into instruments, each with the tier that it names.

    Raises:
        msgspec.ValidationError: not a `meta` answer.
    """
    return {
        asset.name: Instrument(
            coin=asset.name,
            sz_decimals=asset.szDecimals,
            tiers=(MarginTier(lower_bound_usd=Usd(0), max_leverage=asset.maxLeverage),),
        )
        for asset in msgspec.convert(meta, _Meta).universe
    }
