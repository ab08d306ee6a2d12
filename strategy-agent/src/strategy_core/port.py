"""What a strategy sees, what it may want, and what it answers.

A strategy is a plain object that turns an `Observation` into a `Decision`. It reads no clock, no
file and no network; it may keep state, but only state that follows from what it was shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from strategy_core.indicators import WINDOW
from strategy_core.intents import ExitPlan, Intent
from strategy_core.llm.thought import Basis, Thought
from strategy_core.numbers import check_number, is_number
from suite.contracts.clock import AccountView, PositionView, WaitReply, WakeOn, Want
from suite.contracts.hyperliquid_info import OpenOrder, UserFill
from suite.contracts.venue import ActionReply
from suite.enums import TraderStatus
from suite.fixed import Usd, is_decimal, parse_decimal
from suite.instrument import Instrument, MarginTier, is_perp

Instruments: TypeAlias = Mapping[str, Instrument]
"""What can be traded, by coin."""

ZERO = Decimal(0)
NOTHING_EARLIER = WakeOn()
NO_PRICES: Mapping[str, Decimal] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a strategy wants with every reply, besides account, fills and mids.

    Attributes:
        snapshots: coins whose market-data snapshot it reads.
        intervals: minutes (`"15"`) of the blocks it reads in them; empty for all.
        slow: a decision may take seconds, so the process decides in a thread and keeps its lease.
        bars: closed ones that each of those blocks must have been made of: 500 where its indicators
            are read, else as many as are looked at.
        warm_up: bars that it must have seen itself, one after the other, before it opens anything.
    """

    snapshots: tuple[str, ...] = ()
    intervals: tuple[str, ...] = ()
    slow: bool = False
    bars: int = WINDOW
    warm_up: int = 0

    def want(self) -> Want:
        """Put it as the venue is asked. Mids always come: the guard prices orders with them."""
        return Want(mids=True, snapshots=self.snapshots, intervals=self.intervals)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
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


class Observation(msgspec.Struct, frozen=True, kw_only=True):
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
        allocation: what the trader may use of its account, USD; None for all of it.
    """

    now_ms: int
    woke_by: tuple[str, ...] = ()
    equity: Decimal = ZERO
    available: Decimal = ZERO
    positions: Mapping[str, PositionView] = {}
    open_orders: tuple[OpenOrder, ...] = ()
    mids: Mapping[str, Decimal] = {}
    snapshots: Mapping[str, Mapping[str, Any]] = {}
    fills: tuple[UserFill, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    results: tuple[ActionReply, ...] = ()
    status: TraderStatus = TraderStatus.LIVE
    allocation: Decimal | None = None

    @property
    def capital(self) -> Decimal:
        """What sizes are shares of, USD, not below 0: equity, or less where less is allotted."""
        least = self.equity if self.allocation is None else min(self.equity, self.allocation)
        return max(ZERO, least)

    def size_of(self, coin: str) -> Decimal:
        """Signed size of the position in a coin, 0 when flat."""
        position = self.positions.get(coin)
        return position.size if position else ZERO


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What to do now, why, and when to be asked again.

    Attributes:
        actions: carried out in this order, after the guard.
        reasoning: one or two sentences for the journal.
        until_ms: latest next decision; None for the next boundary of the trader's interval.
        wake_on: what shall wake it earlier.
        plans: how positions shall end, at most one for each coin.
        basis: what it was decided on; None where it took no time.
        thought: for the journal, of a mind that thinks in words.
    """

    actions: tuple[Intent, ...] = ()
    reasoning: str = ""
    until_ms: int | None = None
    wake_on: WakeOn = NOTHING_EARLIER
    plans: tuple[ExitPlan, ...] = ()
    basis: Basis | None = None
    thought: Thought | None = None


class Worthless(Exception):
    """Raised by a strategy where going on would make a simulated run say something untrue.

    With real time it is a failure like any other, and pauses the trader.
    """


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

    Raises:
        ArithmeticError: a number of the account is none that can be reckoned with.
    """
    positions: dict[str, PositionView] = {}
    equity = available = ZERO
    open_orders: tuple[OpenOrder, ...] = ()
    if account is not None:
        _check(account)
        equity, open_orders = account.equity, account.open_orders
        available = max(ZERO, equity - account.margin_used)
        positions = {held.coin: held for held in account.positions if held.size}
    return Observation(
        now_ms=reply.now_ms,
        woke_by=reply.woke_by or ("join",),
        equity=equity,
        available=available,
        positions=positions,
        open_orders=open_orders,
        mids=_prices(tuple(reply.mids.items())) if reply.mids else NO_PRICES,
        snapshots=reply.snapshots or {},
        fills=tuple([fill for fill in reply.fills if is_perp(fill.coin)]),
        verdicts=verdicts,
        results=reply.results,
    )


def _check(account: AccountView) -> None:
    """Look, once for all who read it, whether an account's numbers are some: a venue may lie.

    What only tells where positions end is looked at there (`standing_of`): without it, it is
    worked out.
    """
    check_number(account.equity)
    check_number(account.margin_used)
    for held in account.positions:
        check_number(held.size)
        check_number(held.entry_px)
        check_number(held.unrealized_pnl)
        if held.leverage < 1:
            raise ArithmeticError(f"no leverage: {held.leverage}")


@lru_cache(maxsize=8)  # all traders of a step are shown the same
def _prices(texts: tuple[tuple[str, str], ...]) -> Mapping[str, Decimal]:
    """Read prices by coin; one that is none is as good as missing."""
    prices = {coin: parse_decimal(text) for coin, text in texts if is_decimal(text)}
    return MappingProxyType(
        {coin: price for coin, price in prices.items() if is_number(price) and price > 0}
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
