"""Traders taken in, changed and removed, over a store in memory."""

from typing import Any

import msgspec
import pytest
from tests.unit.trader_manager.test_supervisor import Bench

from suite.addresses import account_address
from suite.contracts.clock import ClockState
from suite.contracts.hyperliquid_info import ClearinghouseState
from suite.errors import Conflict, NotFound, UpstreamUnavailable
from suite.ids import TraderId
from trader_manager.application.config_loader import ConfigLoader
from trader_manager.application.fleet import TraderManager
from trader_manager.domain.traders import StoredTrader, WantedTrader

HODL = {"strategy": {"kind": "hodl"}, "symbols": ["BTC"]}


class MemoryStore:
    """Wanted traders by their ids."""

    def __init__(self) -> None:
        self.traders: dict[TraderId, StoredTrader] = {}

    async def list_traders(self, *, with_removed: bool = False) -> tuple[StoredTrader, ...]:
        return tuple(self.traders.values())

    async def get_trader(self, trader_id: TraderId) -> StoredTrader:
        if trader_id not in self.traders:
            raise NotFound(f"no trader {trader_id}")
        return self.traders[trader_id]

    async def save_trader(
        self, trader: WantedTrader, *, generation: int | None = None
    ) -> StoredTrader:
        self.traders[trader.trader_id] = found = StoredTrader(
            trader_id=trader.trader_id, spec=trader.spec, account_id=trader.account_id,
            desired=trader.desired, runtime=trader.runtime, generation=(generation or 0) + 1,
            created_ms=0, updated_ms=0, removed_ms=None,
        )  # fmt: skip
        return found

    async def remove_trader(self, trader_id: TraderId) -> StoredTrader:
        return self.traders.pop(trader_id)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


class SilentAgents:
    """Nobody answers."""

    def __getattr__(self, name: str) -> Any:
        async def ask(*_args: Any, **_more: Any) -> Any:
            raise UpstreamUnavailable("it does not answer")

        return ask


class HoldingVenue:
    """Accounts by their addresses, and the positions of each."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, str]] = {}
        self.world = "w1"
        self.is_away = False

    async def clock(self) -> ClockState:
        if self.is_away:
            raise UpstreamUnavailable("the venue does not answer")
        return ClockState(mode="paced", now_ms=1, speed=1.0, world=self.world)

    async def state(self, user: str) -> ClearinghouseState:
        if self.is_away:
            raise UpstreamUnavailable("the venue does not answer")
        rows = [
            {"type": "oneWay", "position": position(coin, size)}
            for coin, size in self.held.get(user, {}).items()
        ]
        summary = dict.fromkeys(
            ("accountValue", "totalNtlPos", "totalRawUsd", "totalMarginUsed"), "0"
        )
        state = {
            "marginSummary": summary, "crossMarginSummary": summary, "withdrawable": "0",
            "crossMaintenanceMarginUsed": "0", "assetPositions": rows, "time": 1,
        }  # fmt: skip
        return msgspec.convert(state, ClearinghouseState)

    def hold(self, account: str, **sizes: str) -> None:
        self.held[account_address(account)] = sizes

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


def position(coin: str, size: str) -> dict[str, Any]:
    return {
        "coin": coin, "szi": size, "entryPx": "1", "positionValue": "1", "unrealizedPnl": "0",
        "returnOnEquity": "0", "liquidationPx": None, "marginUsed": "0", "maxLeverage": 10,
        "leverage": {"type": "cross", "value": 1},
        "cumFunding": {"allTime": "0", "sinceOpen": "0", "sinceChange": "0"},
    }  # fmt: skip


def fleet(venue: HoldingVenue | None = None) -> TraderManager:
    return TraderManager(
        store=MemoryStore(),
        venue=venue or HoldingVenue(),
        supervisor=Bench().supervisor,
        agents=SilentAgents(),
        loader=ConfigLoader({}),
        runtime="scripted",
    )


async def test_every_problem_of_a_document_is_told() -> None:
    """Also several of one place, and what stands beside the traders."""
    traders = [
        {"trader_id": "a", **HODL},
        {"trader_id": "b", **HODL, "interval": "16m", "initial_balance": -1},
        {"trader_id": "a", **HODL},
        {"trader_id": "a", **HODL},
    ]
    outcome = await fleet().load({"traders": traders, "more": 1})
    assert (("a",), {}) == (outcome.done, outcome.refused)
    told = [problem.partition(":")[0] for problem in outcome.problems]
    assert ["more", "traders[b].interval", "traders[b].initial_balance"] == told[:3]
    assert "traders[a].trader_id" in told


ANNA: dict[str, Any] = {"trader_id": "anna", **HODL}


async def test_one_that_holds_a_position_is_not_removed_whatever_its_process_says() -> None:
    """Its process is gone, hung or new: the venue knows; somebody may insist."""
    venue = HoldingVenue()
    manager = fleet(venue)
    await manager.add_trader(ANNA)
    venue.hold("anna", BTC="-0.1", ETH="0.0")
    with pytest.raises(Conflict, match="anna holds BTC: flatten it first"):
        await manager.remove_trader("anna")
    await manager.remove_trader("anna", force=True)
    await manager.add_trader(ANNA)
    venue.hold("anna", ETH="0.0")
    await manager.remove_trader("anna")


async def test_what_is_not_known_is_not_flat() -> None:
    """Unless nobody ever wanted it to run; at a real venue a name is no account."""
    venue = HoldingVenue()
    manager = fleet(venue)
    await manager.add_trader(ANNA)
    venue.is_away = True
    with pytest.raises(Conflict, match="holds a position is not known: the venue does not answer"):
        await manager.remove_trader("anna")
    venue.is_away, venue.world = False, ""
    with pytest.raises(Conflict, match="anna is no address"):
        await manager.remove_trader("anna")
    venue.is_away = True
    await manager.add_trader({**ANNA, "trader_id": "bert"}, start=False)
    await manager.remove_trader("bert")


async def test_a_change_leaves_no_position_to_nobody() -> None:
    """Another account, or without a coin that is held; anything else may change."""
    venue = HoldingVenue()
    manager = fleet(venue)
    entry = {**ANNA, "symbols": ["BTC", "ETH"]}
    await manager.add_trader(entry)
    venue.hold("anna", ETH="1")
    for changed in ({**entry, "account": "other"}, {**entry, "symbols": ["BTC"]}):
        with pytest.raises(Conflict, match="anna holds ETH: flatten it first"):
            await manager.change_trader(changed, generation=1)
    await manager.change_trader({**entry, "symbols": ["ETHUSDT"]}, generation=1)
    venue.is_away = True
    await manager.change_trader({**entry, "symbols": ["ETHUSDT"], "interval": "1h"}, generation=2)
    with pytest.raises(Conflict, match="not known"):
        await manager.change_trader(entry, generation=3)
