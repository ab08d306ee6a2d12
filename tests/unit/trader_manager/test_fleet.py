"""Traders taken in, changed and removed, over a store in memory."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.unit.trader_manager.test_supervisor import Bench, stored

from suite.addresses import account_address, is_address
from suite.contracts.clock import ClockState
from suite.contracts.hyperliquid_info import ClearinghouseState
from suite.errors import (
    BadRequest,
    Conflict,
    NotFound,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from suite.ids import TraderId
from trader_manager.application.agents import AgentControl
from trader_manager.application.board import Board
from trader_manager.application.comparing import Comparison
from trader_manager.application.config_loader import ConfigLoader
from trader_manager.application.fleet import TraderManager
from trader_manager.application.runtime import Sighting
from trader_manager.application.supervisor import Condition
from trader_manager.domain.traders import DesiredState, StoredTrader, WantedTrader

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
        before = self.traders.get(trader.trader_id)
        if (None if before is None else before.generation) != generation:
            raise Conflict(f"{trader.trader_id} is not of generation {generation}")
        others = [one for name, one in self.traders.items() if name != trader.trader_id]
        if trader.account_id in [one.account_id for one in others]:
            raise Conflict(f"account {trader.account_id} is another's")
        self.traders[trader.trader_id] = found = StoredTrader(
            trader_id=trader.trader_id, spec=trader.spec, account_id=trader.account_id,
            desired=trader.desired, runtime=trader.runtime, generation=(generation or 0) + 1,
            origin=trader.origin, leaving=trader.leaving, created_ms=0, updated_ms=0,
            removed_ms=None,
        )  # fmt: skip
        return found

    async def set_desired(
        self, trader_ids: Sequence[TraderId], desired: DesiredState
    ) -> tuple[StoredTrader, ...]:
        for name in trader_ids:
            before = self.traders[name]
            if before.desired is not desired:
                self.traders[name] = replace(
                    before, desired=desired, generation=before.generation + 1
                )
        return tuple(self.traders[name] for name in trader_ids)

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


class OddAgents:
    """One of them answers as nobody expects."""

    async def status(self, trader_id: str, *_args: Any) -> Any:
        return await self.tell(trader_id)

    async def tell(self, trader_id: str, *_args: Any, **_more: Any) -> Any:
        if trader_id == "odd":
            raise KeyError("traders")
        if trader_id == "late":
            raise UpstreamTimeout("not known")
        return {"state": "running"}

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


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

    async def address(self, trader_id: str, account: str) -> str:
        if not is_address(account) and not (await self.clock()).world:
            raise Conflict(f"{account} is no address, and a real venue knows accounts by theirs")
        return account_address(account)

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


def fleet(
    venue: HoldingVenue | None = None,
    kept: MemoryStore | None = None,
    bench: Bench | None = None,
    agents: AgentControl | None = None,
) -> TraderManager:
    store, reads = kept or MemoryStore(), venue or HoldingVenue()
    return TraderManager(
        store=store,
        venue=reads,
        board=Board(store=store, venue=reads, comparison=Comparison(store)),
        supervisor=(bench or Bench()).supervisor,
        agents=agents or SilentAgents(),
        loader=ConfigLoader({}),
        runtime="scripted",
        runtimes=("scripted", "other"),
    )


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


async def test_an_entry_says_where_its_trader_runs() -> None:
    """It stays there through changes that do not say so, and moves by one that does."""
    manager = fleet()
    assert "scripted" == (await manager.add_trader(ANNA)).runtime
    bert = {**ANNA, "trader_id": "bert"}
    added = await manager.add_trader({**bert, "runtime": "other"}, runtime="scripted")
    assert ("other", False) == (added.runtime, "runtime" in added.spec)
    named = {**bert, "name": "Bert"}
    assert "other" == (await manager.change_trader(named, generation=1)).runtime
    moved = await manager.change_trader({**named, "runtime": "scripted"}, generation=2)
    assert ("scripted", 3) == (moved.runtime, moved.generation)


@pytest.mark.parametrize("place", ["moon", "x" * 80])
async def test_a_place_that_there_is_not_is_refused(place: str) -> None:
    """At once, and by the names of those that there are."""
    manager = fleet()
    for entry, runtime in (({**ANNA, "runtime": place}, ""), (ANNA, place)):
        with pytest.raises(BadRequest, match=r"there is no runtime .* there are scripted, other"):
            await manager.add_trader(entry, runtime=runtime)
    with pytest.raises(BadRequest, match=r"runtime"):
        await manager.add_trader({**ANNA, "runtime": 3})


async def test_whatever_one_does_the_others_are_seen_and_told() -> None:
    """Its status is unknown, and its refusal its own."""
    store, bench = MemoryStore(), Bench()
    there = Sighting(actual="running", control_url="http://agent")
    for name in ("odd", "even"):
        trader = stored(name)
        store.traders[trader.trader_id] = trader
        bench.supervisor.conditions[trader.trader_id] = Condition(trader=trader, sighting=there)
    manager = fleet(kept=store, bench=bench, agents=OddAgents())
    seen = {one.trader.trader_id: one.status for one in await manager.list_traders()}
    assert {"odd": None, "even": {"state": "running"}} == seen
    told = await manager.run_once()
    assert (("even",), {"odd": "KeyError: 'traders'"}) == (told.done, told.refused)
    with pytest.raises(UpstreamRefused, match="KeyError: 'traders'"):
        await manager.run_once("odd")


async def test_one_that_may_have_taken_it_is_not_among_those_that_refused() -> None:
    """Who asks again would ask twice."""
    store, bench = MemoryStore(), Bench()
    for name in ("late", "even"):
        trader = stored(name)
        store.traders[trader.trader_id] = trader
    manager = fleet(kept=store, bench=bench, agents=OddAgents())
    told = await manager.tell("flatten", reason="why")
    assert (("even",), {}, {"late": "not known"}) == (told.done, told.refused, told.unknown)
    with pytest.raises(UpstreamTimeout, match="not known"):
        await manager.tell("flatten", "late", reason="why")
