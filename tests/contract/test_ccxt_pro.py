"""ccxt.pro 4.5.90, unmodified: every watch_*, its end, and orders over the WebSocket."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.support.ccxt_client import BTC, ETH, Ccxt, ccxt_client
from tests.support.venue_process import LIMIT_S, VenueUnderTest

pytestmark = [pytest.mark.process, pytest.mark.client("ccxt pro")]


@pytest.fixture
async def user(target: VenueUnderTest) -> AsyncIterator[Ccxt]:
    async with ccxt_client("pro", target, target.wallet()) as opened:
        await opened.api.load_markets()
        yield opened


async def watched(
    user: Ccxt, method: str, *args: Any, until: Callable[[Any], object] = bool
) -> Any:
    """Watch until it is as wanted."""
    async with asyncio.timeout(LIMIT_S):
        while not until(found := await getattr(user.api, method)(*args)):
            pass
        return found


@pytest.mark.step("ws: market data", elsewhere=True)
async def test_watch_order_book(user: Ccxt) -> None:
    """Again and again, in order of time."""
    times = []
    for _ in range(3):
        book = await watched(user, "watch_order_book", ETH)
        assert book["bids"][0][0] < book["asks"][0][0]
        times.append(book["timestamp"])
    assert times == sorted(times)
    await user.api.un_watch_order_book(ETH)
    await watched(user, "watch_order_book", ETH)


@pytest.mark.step("ws: market data", elsewhere=True)
async def test_watch_trades(user: Ccxt) -> None:
    """Public trades of a coin."""
    trades = await watched(user, "watch_trades", ETH)
    assert {ETH} == {trade["symbol"] for trade in trades}
    assert all(trade["price"] > 0 and trade["amount"] > 0 for trade in trades)
    await user.api.un_watch_trades(ETH)


@pytest.mark.step("ws: market data", elsewhere=True)
async def test_watch_ohlcv(user: Ccxt) -> None:
    """The candle that grows, and the next."""
    first = (await watched(user, "watch_ohlcv", ETH, "1m"))[-1][0]
    rows = await watched(user, "watch_ohlcv", ETH, "1m", until=lambda rows: rows[-1][0] > first)
    assert 6 == len(rows[-1])
    await user.api.un_watch_ohlcv(ETH, "1m")


@pytest.mark.step("ws: market data", elsewhere=True)
async def test_watch_ticker_and_tickers(user: Ccxt) -> None:
    """Of one coin, and of all."""
    ticker = await watched(user, "watch_ticker", ETH)
    assert (ETH, True) == (ticker["symbol"], ticker["last"] > 0)
    await user.api.un_watch_ticker(ETH)
    tickers = await watched(user, "watch_tickers", [BTC, ETH])
    assert {BTC, ETH} >= set(tickers)
    await user.api.un_watch_tickers([BTC, ETH])


@pytest.mark.step("ws: orders, fills, events", elsewhere=True)
async def test_watch_orders_and_my_trades(user: Ccxt) -> None:
    """An order's way from open to canceled, and a fill."""
    orders = asyncio.create_task(watched(user, "watch_orders"))
    trades = asyncio.create_task(watched(user, "watch_my_trades"))
    await asyncio.sleep(0)
    placed = await user.rest()
    await orders
    await user.api.cancel_order(placed["id"], ETH)
    rows = await watched(
        user,
        "watch_orders",
        until=lambda rows: (placed["id"], "canceled") in [(r["id"], r["status"]) for r in rows],
    )
    assert ETH == rows[-1]["symbol"]
    opened = await user.market("buy")
    (trade,) = (row for row in await trades if row["order"] == opened["id"])
    assert ("buy", 0.02, ETH) == (trade["side"], trade["amount"], trade["symbol"])
    assert trade["fee"]["cost"] > 0
    await user.market("sell", reduceOnly=True)
    await user.api.un_watch_orders()
    await user.api.un_watch_my_trades()


@pytest.mark.step("ws: account state", elsewhere=True)
async def test_watch_positions_and_balance(user: Ccxt) -> None:
    """Both change with a fill."""
    before = (await watched(user, "watch_balance"))["USDC"]["free"]
    assert before > 0
    positions = asyncio.create_task(watched(user, "watch_positions", [ETH]))
    await user.market("buy")
    (held,) = await positions
    assert ("long", 0.02) == (held["side"], held["contracts"])
    await watched(user, "watch_balance", until=lambda found: found["USDC"]["free"] < before)
    await user.market("sell", reduceOnly=True)
    await user.api.un_watch_positions()  # one subscription serves both, so it ends both


@pytest.mark.step("ws: orders sent over it", elsewhere=True)
async def test_orders_over_the_socket(user: Ccxt) -> None:
    """Placed, edited, canceled, several at once, and refused."""
    import ccxt

    price, lower = user.price(0.8), user.price(0.79)
    placed = await user.api.create_order_ws(ETH, "limit", "buy", 0.02, price)
    edited = await user.api.edit_order_ws(placed["id"], ETH, "limit", "buy", 0.02, lower)
    (row,) = await user.api.fetch_open_orders(ETH)
    assert (edited["id"], lower) == (row["id"], row["price"])
    await user.api.cancel_order_ws(row["id"], ETH)
    wanted = [  # two equal ones would count as a mistake at a gate
        {"symbol": ETH, "type": "limit", "side": "buy", "amount": amount, "price": price}
        for amount in (0.02, 0.03)
    ]
    both = await user.api.create_orders_ws(wanted)
    await user.api.cancel_orders_ws([order["id"] for order in both], ETH)
    assert [] == await user.api.fetch_open_orders(ETH)
    with pytest.raises(ccxt.ExchangeError):
        await user.api.create_order_ws(ETH, "limit", "buy", 0.0001, price)
