"""Market makers as they come: the orders at the live proxy are those of the backtest.

One venue process plays both parts. Its paced world, where only mainnet signatures count, is the
venue behind the proxy, and is collected like one; worlds of the same bars in which time waits are
what the same traders are backtested in. Agent, file and parameters are the same; two addresses,
and the token, differ.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.account import address_of
from tests.support.agent_process import running_agent
from tests.support.collector_process import CollectorProcess
from tests.support.live_stack import LiveStack, LiveTrader, running_stack
from tests.support.live_target import await_accounts
from tests.support.stores import make_store
from tests.support.venue_process import VenueUnderTest, eventually
from tests.support.worlds import START_MS

from suite.bars import DAY_MS, HOUR_MS, MINUTE_MS
from suite.klines import Source
from suite.service.kline_store import KlineStore

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(420)]

COINS = ("BTC", "ETH", "SOL")
MAKERS = {"steady": "fixed_spread", "funder": "funding_rate"}
SYMBOLS = f"symbols: [{', '.join(COINS)}]"
TRADERS = "traders:\n" + "".join(
    f"  - {{trader_id: {name}, strategy: {{kind: {kind}}}, {SYMBOLS}, interval: 1m}}\n"
    for name, kind in MAKERS.items()
)
FROM_MS = START_MS + 2 * DAY_MS
SPEED = 10.0
"""A minute in six seconds: time for a decision on a machine that does other things too."""
RATES = {"BTC": 0.00006, "ETH": -0.00004, "SOL": 0.00002}
"""Funding that was settled each hour: it moves quotes, and is small enough that they stay."""
BARS = 8
"""That are compared."""


@dataclass(frozen=True, slots=True)
class Traded:
    """What a maker did at a venue, in the venue's words."""

    orders: list[tuple[Any, ...]]
    fills: list[tuple[Any, ...]]

    @classmethod
    def read(cls, venue: VenueUnderTest, user: str, from_ms: int, until_ms: int) -> "Traded":
        """Read what there was from a time to another."""
        rows = venue.info("historicalOrders", user=user)
        kinds = ("timestamp", "coin", "side", "limitPx", "origSz", "tif", "reduceOnly")
        orders = [tuple(row["order"][kind] for kind in kinds) for row in rows]
        orders += [
            tuple(row[kind] for kind in kinds)
            for row in venue.info("frontendOpenOrders", user=user)
        ]
        fills = [
            tuple(row[kind] for kind in ("time", "coin", "side", "px", "sz", "fee"))
            for row in venue.info("userFills", user=user)
        ]
        return cls(
            orders=sorted({row for row in orders if from_ms <= row[0] < until_ms}),
            fills=sorted(row for row in fills if from_ms <= row[0] < until_ms),
        )


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[LiveStack]:
    traders = [LiveTrader(name) for name in MAKERS]
    options = ("--from", str(FROM_MS))
    stamps = np.arange(START_MS, FROM_MS + 2 * DAY_MS, HOUR_MS)
    store = KlineStore(make_store(tmp_path / "stack" / "venue" / "var" / "data"))
    for coin, rate in RATES.items():
        store.write_funding(Source("synthetic"), coin, stamps, np.full(len(stamps), rate))
    with running_stack(
        tmp_path / "stack", *traders, venue_options=options, coins=COINS, speed=SPEED
    ) as found:
        await_accounts(found)
        yield found


@pytest.fixture
def collector(tmp_path: Path, stack: LiveStack) -> Iterator[CollectorProcess]:
    assert stack.venue.folder is not None
    played = KlineStore(stack.venue.folder / "var" / "data")
    folder = tmp_path / "collector"
    for coin in COINS:
        past = played.read(coin, "1m", None, FROM_MS)
        KlineStore(folder / "data").write_bars(Source("hyperliquid"), coin, past)
    found = CollectorProcess(folder, stack.venue.url, ",".join(COINS))
    eventually(lambda: all(found.last_bar_ms(coin) >= FROM_MS for coin in COINS), limit_s=60)
    yield found
    found.kill()


def live(folder: Path, stack: LiveStack, collector: CollectorProcess) -> dict[str, Traded]:
    """Have both trade live for some minutes of the venue's time."""
    folder.mkdir()
    place = replace(VenueUnderTest("hyperliquid-exchange", stack.url), folder=stack.folder)
    users = {name: stack.traders[name].address for name in MAKERS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATA_SERVICE_URL", collector.url)
        tokens = {name: stack.token(name) for name in MAKERS}
        with running_agent(folder, place, TRADERS, *MAKERS, tokens=tokens) as agent:
            begun = {
                name: eventually(partial(begin_of, stack.venue, user), limit_s=90)
                for name, user in users.items()
            }
            end_ms = max(begun.values()) + BARS * MINUTE_MS
            eventually(lambda: stack.venue.get("/clock")["now_ms"] >= end_ms, limit_s=180)
            told = {
                name: Traded.read(stack.venue, user, begun[name], begun[name] + BARS * MINUTE_MS)
                for name, user in users.items()
            }
            assert 0 == agent.stop()[0]
    return told


def begin_of(venue: VenueUnderTest, user: str) -> int:
    """Time of the first quote, 0 before."""
    orders = Traded.read(venue, user, 0, 1 << 60).orders
    return next((row[0] for row in orders if row[5] == "Alo"), 0)


def backtested(folder: Path, venue: VenueUnderTest, name: str, begin_ms: int) -> Traded:
    """Have one of them trade in a world of the same bars whose time waits for it."""
    end_ms = begin_ms + (BARS + 2) * MINUTE_MS
    body = {
        "symbols": list(COINS),
        "from": begin_ms,
        "to": end_ms,
        "accounts": [{"id": name, "initial_balance": 100_000}],
    }
    made = venue.post("/worlds", body, "operator")
    world = VenueUnderTest("world", f"{venue.url}/w/{made['world_id']}", venue.folder)
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATA_SERVICE_URL", world.url)
        with running_agent(
            folder, world, TRADERS, name, tokens=made["tokens"], control=False
        ) as agent:
            assert 0 == agent.process.wait(timeout=60), "it ends with its world"
    return Traded.read(world, address_of(name), begin_ms, begin_ms + BARS * MINUTE_MS)


def test_makers_send_live_what_they_send_in_a_backtest(
    tmp_path: Path, stack: LiveStack, collector: CollectorProcess
) -> None:
    """Every order and every fill of eight minutes, with the parameters as they come."""
    told = live(tmp_path / "live", stack, collector)
    for name, done in told.items():
        begin_ms = done.orders[0][0]
        assert done == backtested(tmp_path / name, stack.venue, name, begin_ms)
        assert done.fills, "what is never filled shows little"
        quoted = {(row[0], row[1], row[2]) for row in done.orders}
        assert len(quoted) > 2 * len(COINS), "it quoted both sides of each coin, and moved"
