"""Traders taken in, changed and removed, over a store in memory."""

from typing import Any

from tests.unit.trader_manager.test_supervisor import Bench

from suite.errors import NotFound, UpstreamUnavailable
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


def fleet() -> TraderManager:
    return TraderManager(
        store=MemoryStore(),
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
