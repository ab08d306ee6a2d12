"""Two traders of a real venue, collected into a real database, and reckoned again from scratch."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from tests.support.agent_process import Agent, running_agent
from tests.support.postgres_servers import running
from tests.support.stored_traders import wanted
from tests.support.venue_process import VenueUnderTest, running_venue

from suite.addresses import account_address
from suite.ids import TraderId, WorldId
from trader_manager.adapters.agent_http import AgentHttp
from trader_manager.adapters.postgres import PostgresStore
from trader_manager.adapters.venue_reads import VenueReadsHttp
from trader_manager.application.collecting import CollectingRules, Collector
from trader_manager.application.comparing import Comparison
from trader_manager.application.runtime import Sighting

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(120)]

KINDS = {"alice": "random", "bob": "hodl"}
NAMES = tuple(KINDS)
TRADERS = """
traders:
  - {trader_id: alice, strategy: {kind: random, params: {probability: 0.5}}, symbols: [BTC],
     interval: 5m}
  - {trader_id: bob, strategy: {kind: hodl}, symbols: [BTC], interval: 15m}
"""
MICRO = 1_000_000


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with running("package", monkeypatch) as server:
        yield server.cleared()


class Money:
    """What an account's history at the venue makes of its money, in decimals, event by event."""

    def __init__(self, venue: VenueUnderTest, name: str) -> None:
        user = account_address(name)
        self.fills = venue.info("userFillsByTime", user=user, startTime=0)
        self.funding = venue.info("userFunding", user=user, startTime=0)
        self.ledger = venue.info("userNonFundingLedgerUpdates", user=user, startTime=0)
        self.user = user

    def deposits(self) -> list[tuple[int, Decimal]]:
        return [(row["time"], self._moved(row["delta"])) for row in self.ledger]

    def fees(self) -> list[tuple[int, Decimal]]:
        return [(row["time"], Decimal(row["fee"])) for row in self.fills]

    def received(self) -> list[tuple[int, Decimal]]:
        return [(row["time"], Decimal(row["delta"]["usdc"])) for row in self.funding]

    def earned(self) -> Decimal:
        """Cash that trading left, which is all there is where no position is held."""
        cash = Decimal(0)
        for row in self.fills:
            sign = -1 if row["side"] == "B" else 1
            cash += sign * Decimal(row["px"]) * Decimal(row["sz"]) - Decimal(row["fee"])
        return cash + sum((usd for _, usd in self.received()), Decimal(0))

    def _moved(self, delta: dict[str, Any]) -> Decimal:
        usd = Decimal(delta["usdc"])
        return usd if delta.get("user", "").lower() != self.user else -usd


def sums(events: list[tuple[int, Decimal]], before_ms: int, upto_ms: int) -> set[Decimal]:
    """What the sum over events may be at a moment at which more of them may come yet."""
    summed = [Decimal(0), *accumulate(usd for _, usd in events)]
    first = sum(time_ms < before_ms for time_ms, _ in events)
    last = sum(time_ms <= upto_ms for time_ms, _ in events)
    return set(summed[first : last + 1])


@asynccontextmanager
async def collecting(
    store: PostgresStore, venue: VenueUnderTest, agent: Agent | None
) -> AsyncIterator[Collector]:
    """Collect for as long as the context lasts, as a process of its own would."""
    reads, agents = VenueReadsHttp(venue.url), AgentHttp()
    token = agent.headers["authorization"].removeprefix("Bearer ") if agent else ""
    seen = Sighting(
        actual="running", control_url=agent.url if agent else "", control_token=SecretStr(token)
    )
    collector = Collector(
        store=store, venue=reads, agents=agents, look=lambda _name: seen,
        rules=CollectingRules(pause_s=0.1),
    )  # fmt: skip
    running = asyncio.create_task(collector.run())
    try:
        yield collector
        assert not running.done(), running.exception()
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await reads.close()
        await agents.close()


async def eventually(read: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(30):
        while not await read():  # noqa: ASYNC110 - others say
            await asyncio.sleep(0.1)


async def traded(store: PostgresStore, world: WorldId, fills: int) -> bool:
    counts = [len(await store.get_trades(world, TraderId(name))) for name in NAMES]
    return counts[0] >= fills and counts[1] >= 1


async def flatten(agent: Agent) -> None:
    for command in ("flatten", "stop"):
        for name in NAMES:
            body = {"instance": name, "reason": "the end"}
            reply = await asyncio.to_thread(agent.post, f"/{command}", **body)
            assert 200 == reply.status_code, reply.text

    async def flat() -> bool:
        rows = [await asyncio.to_thread(agent.status, name) for name in NAMES]
        return not any(row["positions"] for row in rows)

    await eventually(flat)


async def test_the_board_is_what_fills_and_funding_make_to_the_micro_usd(
    tmp_path: Path, address: str
) -> None:
    """Through a restart of the collector, a transfer between the two, and the traders' death."""
    store = PostgresStore(address)
    await store.open()
    for name, kind in KINDS.items():
        await store.save_trader(wanted(name, strategy={"kind": kind}))
    folder = tmp_path / "agent"
    folder.mkdir()
    options = ("--accounts", ",".join(NAMES))
    with running_venue(tmp_path, *options, coins=("BTC",), speed=1200) as venue:
        world = WorldId(venue.get("/clock")["world"])
        async with collecting(store, venue, None):
            await eventually(lambda: store.get_positions(world))
        with running_agent(folder, venue, TRADERS, *NAMES) as agent:
            async with collecting(store, venue, agent):
                await eventually(lambda: traded(store, world, 4))
            body = {"from": "bob", "to": "alice", "usd_micro": 1_234_567, "idempotency_key": "k"}
            await asyncio.to_thread(venue.post, "/transfers", body, "operator")
            async with collecting(store, venue, agent) as collector:
                await eventually(lambda: traded(store, world, 10))
                await flatten(agent)
                await collector.collect()
                journals = {name: agent.journal(name, "decision") for name in NAMES}
        async with collecting(store, venue, None) as collector:
            ended_ms = venue.get("/clock")["now_ms"]
            await eventually(lambda: _samples_after(store, world, ended_ms))
            assert ({}, 0) == (collector.troubles, collector.refused)
        money = {name: await asyncio.to_thread(Money, venue, name) for name in NAMES}
        now_ms = venue.get("/clock")["now_ms"]
    series = await store.get_equity_series(world)
    board = await Comparison(store).compare_performance(world, now_ms=now_ms)
    rows = {row.trader_id: row for row in board.rows}
    for name in NAMES:
        told, samples, row = money[name], series[TraderId(name)], rows[name]
        stored = await store.get_trades(world, TraderId(name))
        assert [fill["tid"] for fill in told.fills] == [trade.tid for trade in stored]
        assert told.earned() * MICRO == row.profit_usd, "to the micro-USD"
        deposited = sum((usd for _, usd in told.deposits()), Decimal(0))
        assert (told.earned() + deposited) * MICRO == row.equity_usd
        assert row.total_return is not None
        assert row.baseline == KINDS[name]
        for index, time_ms in enumerate(samples.time_ms.tolist()):
            for column, events in (
                (samples.fees_usd, told.fees()),
                (samples.funding_usd, told.received()),
                (samples.net_deposits_usd, told.deposits()),
            ):
                may_be = {usd * MICRO for usd in sums(events, time_ms, time_ms)}
                assert int(column[index]) in may_be
        decisions = await store.get_decisions(world, TraderId(name), limit=10_000)
        assert list(range(1, len(decisions) + 1)) == [one.number for one in decisions]
        assert len(decisions) >= len(journals[name]) - 1
        assert (
            journals[name][: len(decisions)]
            == [one.body for one in decisions][: len(journals[name])]
        )
    assert any(money[name].funding for name in NAMES)
    await store.close()


async def _samples_after(store: PostgresStore, world: WorldId, time_ms: int) -> bool:
    progress = await store.get_progress(world)
    reached = [progress[TraderId(name)].last_equity_ms or 0 for name in NAMES]
    return min(reached) > time_ms
