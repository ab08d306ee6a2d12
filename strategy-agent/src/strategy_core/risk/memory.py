"""What the gate remembers, so that a restart goes on where it was."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from strategy_core.orders.memory import fill_key
from strategy_core.port import ZERO
from strategy_core.risk.limits import MINUTE_MS, RiskLimits
from strategy_core.risk.status import StatusState
from suite.contracts.hyperliquid_info import UserFill
from suite.fixed import parse_decimal

FILLS_KEPT: Final = 512
"""Fills remembered, so that one told again, as after a restart, counts once."""


class RiskMemory(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Changed in place by the gate; JSON by msgspec.

    Attributes:
        day: UTC day of `day_start`, days since 1970; -1 before the first observation.
        day_start: equity at the first observation of the day, USD.
        high_water: highest equity, USD; that of the pause starts anew when a person resumes.
        equity: last seen, USD.
        net_deposits: as last told, USD; None before.
        order_times: when orders that may add went out in the last minute, venue's time, ms.
        recent: when orders went out lately, by their content.
        cool_downs: until when a coin takes no new risk, ms.
        results: of trades still open, by coin, USD after fees.
        losses: losing trades in a row, by coin.
        executions: fills that opened or added since a person last started or resumed the trader.
        fills: the latest ones counted, oldest first.
        allocation: what the trader may use of its account, USD; None for all of it.
    """

    day: int = -1
    day_start: Decimal = ZERO
    high_water: Decimal = ZERO
    pause_high_water: Decimal = ZERO
    equity: Decimal = ZERO
    net_deposits: Decimal | None = None
    order_times: list[int] = msgspec.field(default_factory=list)
    recent: dict[str, int] = msgspec.field(default_factory=dict)
    cool_downs: dict[str, int] = msgspec.field(default_factory=dict)
    results: dict[str, Decimal] = msgspec.field(default_factory=dict)
    losses: dict[str, int] = msgspec.field(default_factory=dict)
    executions: int = 0
    fills: list[str] = msgspec.field(default_factory=list)
    allocation: Decimal | None = None
    state: StatusState = msgspec.field(default_factory=StatusState)

    def rebase(self, equity: Decimal, net_deposits: Decimal | None) -> None:
        """Let money that was moved be neither profit nor loss: shares lost stay what they were.

        Every mark is scaled by `equity / (equity - moved)`; an account that had nothing before, or
        has nothing left, begins anew. What is told first changes nothing.

        Args:
            equity: with the money in it, or without it, USD.
            net_deposits: all that was ever moved, as of this equity, USD; None where it is unknown.

        Source: time-weighted return, the mark in units of the account's own value.
        """
        if net_deposits is None:
            return
        before, self.net_deposits = self.net_deposits, net_deposits
        moved = ZERO if before is None else net_deposits - before
        if not moved:
            return
        without = equity - moved
        if without <= 0 or equity <= 0:
            equity = max(ZERO, equity)
            self.day_start = self.high_water = self.pause_high_water = equity
            return
        self.day_start = self.day_start * equity / without
        self.high_water = self.high_water * equity / without
        self.pause_high_water = self.pause_high_water * equity / without

    def forget_before(self, now_ms: int, *, window_ms: int) -> None:
        """Let go of what no longer counts; what a clock set back left ahead counts from now."""
        self.order_times = [min(t, now_ms) for t in self.order_times if t > now_ms - MINUTE_MS]
        self.recent = {
            key: min(t, now_ms) for key, t in self.recent.items() if t > now_ms - window_ms
        }
        self.cool_downs = {coin: t for coin, t in self.cool_downs.items() if t > now_ms}

    def learn(self, fills: Sequence[UserFill], limits: RiskLimits) -> None:
        """Count executions and losing trades; a trade lasts from flat to flat.

        Args:
            fills: oldest first, with readable numbers; one that was told before counts no more.
            limits: how many losses in a row, and how long a coin then rests.
        """
        for fill in self._new(fills):
            start, size = parse_decimal(fill.startPosition), parse_decimal(fill.sz)
            signed = size if fill.side == "B" else -size
            if start * signed >= 0 or abs(signed) > abs(start):
                self.executions += 1
            earned = parse_decimal(fill.closedPnl) - parse_decimal(fill.fee)
            self.results[fill.coin] = self.results.get(fill.coin, ZERO) + earned
            if start and start * (start + signed) <= 0:
                self._close(fill, limits)

    def _new(self, fills: Sequence[UserFill]) -> list[UserFill]:
        """Leave out the fills that have counted, and remember the others."""
        if not fills:
            return []
        known = set(self.fills)
        new = []
        for fill in fills:
            if (key := fill_key(fill)) not in known:
                known.add(key)
                self.fills.append(key)
                new.append(fill)
        del self.fills[:-FILLS_KEPT]
        return new

    def _close(self, fill: UserFill, limits: RiskLimits) -> None:
        lost = self.results.pop(fill.coin) < 0
        self.losses[fill.coin] = self.losses.get(fill.coin, 0) + 1 if lost else 0
        minutes = 0
        if self.losses[fill.coin] >= limits.loss_streak:
            self.losses[fill.coin] = 0
            minutes = limits.loss_cool_down_minutes
        if isinstance(fill.liquidation, msgspec.Struct):
            minutes = max(minutes, limits.liquidation_cool_down_minutes)
        until_ms = fill.time + minutes * MINUTE_MS
        if minutes and until_ms > self.cool_downs.get(fill.coin, 0):
            self.cool_downs[fill.coin] = until_ms
