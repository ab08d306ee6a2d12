"""A venue as the risk path meets it: orders and positions, and whatever may go wrong with them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.gate_setting import ANNA, BERT, NOW_MS, UNIVERSE, resting

from hyperliquid_exchange.adapters.safety_files import PreflightFile, SafetyFiles
from hyperliquid_exchange.application.flattening import SafetyWork, WorkRules
from hyperliquid_exchange.application.safety import KillLadder
from hyperliquid_exchange.application.safety_control import SafetyControl
from hyperliquid_exchange.domain.facts import RestingOrder
from hyperliquid_exchange.domain.flattening import FlattenRules
from suite.clock import ManualClock
from suite.contracts.hyperliquid_exchange import Cancel, L1Action, Order
from suite.errors import SuiteError, UpstreamTimeout
from suite.fixed import Price, Rate, Size, Usd
from suite.ids import TraderId
from suite.instrument import Instrument

TRADERS = (ANNA, BERT)
USUAL = (
    resting(1, 1_000, 490_000),
    resting(2, 500, 510_000, is_buy=False),
    resting(3, 1_000, 450_000, is_buy=False, reduce_only=True, stop=450_000),
    resting(4, 1_000, 600_000, is_buy=False, reduce_only=True),
)
"""Two entries, a stop and a target."""


@dataclass
class RiskVenue:
    """Orders and positions of traders.

    Attributes:
        down: everything fails.
        answers_lost: the next sends arrive, and their answer is lost.
        sends_lost: the next sends do not arrive.
        fill: how much of a reduce-only order fills, as a share.
        log: what was asked and sent, in order.
    """

    orders_of: dict[TraderId, list[RestingOrder]] = field(default_factory=dict)
    held: dict[TraderId, dict[int, Size]] = field(default_factory=dict)
    prices: dict[int, Price] = field(default_factory=lambda: {0: Price(500_000)})
    down: bool = False
    answers_lost: int = 0
    sends_lost: int = 0
    fill: float = 1.0
    log: list[tuple[str, TraderId | None, Any]] = field(default_factory=list)

    async def universe(self) -> Sequence[Instrument]:
        return UNIVERSE

    async def orders(self, trader_id: TraderId) -> tuple[RestingOrder, ...]:
        await self._asked("orders", trader_id)
        return tuple(self.orders_of.get(trader_id, ()))

    async def positions(self, trader_id: TraderId) -> dict[int, Size]:
        await self._asked("positions", trader_id)
        return {asset: size for asset, size in self.held.get(trader_id, {}).items() if size}

    async def mids(self) -> dict[int, Price]:
        await self._asked("mids", None)
        return dict(self.prices)

    async def send(self, trader_id: TraderId, action: L1Action) -> Mapping[str, Any]:
        await self._asked("send", trader_id, action)
        if self.sends_lost:
            self.sends_lost -= 1
            raise UpstreamTimeout("lost")
        match action:
            case Cancel():
                gone = {one.o for one in action.cancels}
                left = [one for one in self.orders_of[trader_id] if one.oid not in gone]
                self.orders_of[trader_id] = left
            case Order():
                for one in action.orders:
                    self._fill(trader_id, one.a, one.b, UNIVERSE[one.a].parse_size(one.s))
        if self.answers_lost:
            self.answers_lost -= 1
            raise UpstreamTimeout("its answer was lost")
        return {"status": "ok"}

    def sent(self, kind: type[L1Action]) -> list[Any]:
        return [what for asked, _, what in self.log if asked == "send" and isinstance(what, kind)]

    def _fill(self, trader_id: TraderId, asset: int, is_buy: bool, size: int) -> None:
        held = self.held[trader_id].get(asset, 0)
        most = min(abs(held), max(1, int(size * self.fill)))
        if held and (held < 0) == is_buy:
            self.held[trader_id][asset] = Size(held + (most if is_buy else -most))

    async def _asked(self, what: str, trader_id: TraderId | None, action: Any = None) -> None:
        await asyncio.sleep(0)
        if self.down:
            raise SuiteError("the venue is down")
        self.log.append((what, trader_id, action))


class Losses:
    """What the gate is told by people."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def forgive(self, scope: str) -> None:
        self.told.append(("forgive", scope))

    def allow_executions(self, scope: str) -> None:
        self.told.append(("allow", scope))


@dataclass
class RiskStand:
    """A ladder on disk, the work, and people's control of it, before a played venue."""

    folder: Path
    venue: RiskVenue = field(default_factory=RiskVenue)
    unsettled: Callable[[TraderId], bool] = lambda _: False
    keep_paused: bool = False
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW_MS))

    def __post_init__(self) -> None:
        self.pauses: list[float] = []
        self.losses = Losses()
        self.ladder = KillLadder(SafetyFiles(self.folder, self.clock), TRADERS, self.clock)
        self.work = SafetyWork(
            ladder=self.ladder,
            desk=self.venue,
            path=self.venue,
            traders=TRADERS,
            clock=self.clock,
            unsettled=self._is_unsettled,
            rules=WorkRules(
                flatten=FlattenRules(
                    collar=Rate(10_000_000), slice_usd=Usd(300_000_000), rounds=10
                ),
                keep_paused=self.keep_paused,
                look_s=0.01,
                again_s=0.01,
            ),
            pause=self._pause,
        )
        self.control = SafetyControl(
            ladder=self.ladder,
            work=self.work,
            preflight=PreflightFile(self.folder / "preflight.json"),
            losses=self.losses,
            traders=TRADERS,
            clock=self.clock,
            quiet=self._quiet,
        )

    def _is_unsettled(self, trader_id: TraderId) -> bool:
        return self.unsettled(trader_id)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    async def _quiet(self, trader_id: TraderId | None) -> None:
        del trader_id
        await asyncio.sleep(0)
