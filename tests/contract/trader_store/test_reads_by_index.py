"""No read goes through a whole table, however much is recorded of other worlds and traders."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from suite.ids import TraderId, WorldId
from trader_manager.adapters.postgres import PostgresStore
from trader_manager.domain.records import Reached

WORLDS, TRADERS, ROWS = 20, 10, 300
"""60,000 rows of each kind, 3,000 of the world that is asked for."""
LARGE = ("trader_trades", "trader_funding", "equity", "decisions")
WORLD, TRADER = WorldId("w7"), TraderId("t3")
_FILLED = f"""
CREATE TEMP TABLE g AS SELECT 'w' || w AS world, 't' || t AS trader_id, n
FROM generate_series(1, {WORLDS}) w, generate_series(1, {TRADERS}) t, generate_series(1, {ROWS}) n;
INSERT INTO trader_trades
SELECT world, trader_id, n, n, n * 60000, 'BTC', 1, 100, 1, 0, 0, 0.1, true, 'Open Long', NULL
FROM g;
INSERT INTO trader_funding SELECT world, trader_id, n * 3600000, 'BTC', -1 FROM g;
INSERT INTO equity SELECT world, trader_id, n * 60000, 10000000, 0, 0, 0, 0, 0, 0 FROM g;
INSERT INTO decisions SELECT world, trader_id, n, n * 60000,
    CASE n % 9 WHEN 0 THEN '{{"llm": {{"source": "live"}}}}' ELSE '{{}}' END::jsonb FROM g;
ANALYZE;
"""
READS: dict[str, Callable[[PostgresStore], Awaitable[Any]]] = {
    "trades": lambda s: s.get_trades(WORLD, TRADER),
    "funding": lambda s: s.get_funding(WORLD, TRADER),
    "decisions": lambda s: s.get_decisions(WORLD, TRADER, after=100, limit=50),
    "bill": lambda s: s.get_model_bill(WORLD, TRADER),
    "series of all": lambda s: s.get_equity_series(WORLD),
    "series of one": lambda s: s.get_equity_series(WORLD, trader_id=TRADER, since_ms=9_000_000),
    "sums of all": lambda s: s.list_performance(WORLD),
    "sums of one": lambda s: s.get_trader_performance(WORLD, TRADER),
    "progress": lambda s: s.get_progress(WORLD),
    "news": lambda s: s.read_on(
        WORLD, {TRADER: Reached(equity_ms=9_000_000, trade_ms=9_000_000, funding_ms=9_000_000)}
    ),
    "replaying": lambda s: s.replaying(WORLD, [TRADER, TraderId("t4")]),
}


@pytest.fixture
async def connection(address: str) -> Any:
    found = await asyncpg.connect(address, server_settings={"search_path": "trader_manager"})
    await found.execute(_FILLED)
    yield found
    await found.close()


async def _whole_reads(connection: Any) -> dict[str, int]:
    """How often each large table was gone through so far; others have ended, and told it."""
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    while await connection.fetchval(others) > 1:  # noqa: ASYNC110 - what ends is elsewhere
        await asyncio.sleep(0.01)
    await connection.execute("SELECT pg_stat_clear_snapshot()")
    rows = await connection.fetch(
        "SELECT relname, seq_scan FROM pg_stat_user_tables"
        " WHERE schemaname = 'trader_manager' AND relname = ANY($1)",
        LARGE,
    )
    return {row["relname"]: row["seq_scan"] for row in rows}


async def test_every_read_looks_into_an_index(address: str, connection: Any) -> None:
    """The server itself counts; an ended connection has told what it did."""
    await connection.execute("SELECT pg_stat_force_next_flush()")
    gone_through = {}
    for name, read in READS.items():
        before = await _whole_reads(connection)
        store = PostgresStore(address)
        await store.open()
        assert await read(store) is not None
        await store.close()
        after = await _whole_reads(connection)
        assert LARGE == tuple(sorted(after, key=LARGE.index))
        if after != before:
            gone_through[name] = {k: after[k] - before[k] for k in LARGE if after[k] > before[k]}
    assert {} == gone_through


async def test_a_read_without_an_index_is_counted(connection: Any, address: str) -> None:
    """That the test above can fail."""
    before = await _whole_reads(connection)
    other = await asyncpg.connect(address, server_settings={"search_path": "trader_manager"})
    await other.fetchval("SELECT count(*) FROM decisions WHERE time_ms = 60000")
    await other.close()
    assert before["decisions"] < (await _whole_reads(connection))["decisions"]
