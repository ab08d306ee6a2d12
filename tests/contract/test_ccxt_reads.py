"""ccxt 4.5.90, sync and async, unmodified: the market and what an account has done."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from tests.support.ccxt_client import BTC, ETH, Ccxt, Form, ccxt_client
from tests.support.sdk import one, set_up
from tests.support.venue_process import VenueUnderTest, eventually

pytestmark = [pytest.mark.process]

FORMS = [
    pytest.param("sync", marks=pytest.mark.client("ccxt sync")),
    pytest.param("async", marks=pytest.mark.client("ccxt async")),
]
both_forms = pytest.mark.parametrize("form", FORMS)
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def traded(target: VenueUnderTest) -> LocalAccount:
    """A key with a history: fills, a canceled order, an open one, funding."""
    sdk = set_up(target)
    one(sdk.exchange.market_open("ETH", True, 0.5))["filled"]
    one(sdk.exchange.market_open("ETH", False, 0.1))["filled"]
    sdk.exchange.cancel("ETH", sdk.rest())
    sdk.rest("BTC", sz=0.001)
    eventually(lambda: sdk.info.user_funding_history(sdk.address, 0))
    return sdk.wallet


@pytest.fixture
async def user(form: Form, target: VenueUnderTest, traded: LocalAccount) -> AsyncIterator[Ccxt]:
    async with ccxt_client(form, target, traded) as opened:
        yield opened


@pytest.fixture
async def reader(form: Form, target: VenueUnderTest) -> AsyncIterator[Ccxt]:
    """Somebody without keys."""
    async with ccxt_client(form, target) as opened:
        yield opened


@both_forms
@pytest.mark.step("start up", elsewhere=True)
async def test_start_without_keys_reads_the_markets(reader: Ccxt) -> None:
    """Markets, status, time, and currencies."""
    markets = await reader.call("load_markets")
    assert {BTC, ETH} <= set(markets)
    assert "ok" == (await reader.call("fetch_status"))["status"]
    assert (await reader.call("fetch_time")) > 0
    assert "USDC" in await reader.call("fetch_currencies")


@both_forms
@pytest.mark.step("meta and prices", elsewhere=True)
async def test_tickers(reader: Ccxt) -> None:
    """One and all; last and mark prices are numbers."""
    ticker = await reader.call("fetch_ticker", ETH)
    assert ETH == ticker["symbol"]
    assert ticker["last"] > 0
    tickers = await reader.call("fetch_tickers", [BTC, ETH])
    assert {BTC, ETH} == set(tickers)
    assert tickers[ETH]["quoteVolume"] > 0


@both_forms
@pytest.mark.step("order book", elsewhere=True)
async def test_order_book_and_trades(reader: Ccxt) -> None:
    """Both sides, and what was traded lately."""
    book = await reader.call("fetch_order_book", ETH)
    assert book["bids"][0][0] < book["asks"][0][0]
    assert book["timestamp"] > 0


@both_forms
@pytest.mark.step("candles")
async def test_candles_with_and_without_a_beginning(reader: Ccxt) -> None:
    """The last ones, or those since a time; of the world, not of the caller's clock."""
    now = int(reader.target.info("l2Book", coin="ETH")["time"])
    rows = await reader.call("fetch_ohlcv", ETH, "1m", now - 10 * 60_000)
    times = [row[0] for row in rows]
    assert times == sorted(set(times))
    assert len(rows) >= 10
    for _, opened, high, low, closed, volume in rows:
        assert low <= min(opened, closed) <= max(opened, closed) <= high
        assert volume >= 0
    every = await reader.call("fetch_ohlcv", ETH, "5m")
    assert every[-1][0] >= times[0] - 5 * 60_000


@both_forms
@pytest.mark.step("funding")
async def test_funding_rates(reader: Ccxt) -> None:
    """The present one of one and of all, and those that were paid."""
    rate = await reader.call("fetch_funding_rate", ETH)
    assert (ETH, "1h") == (rate["symbol"], rate["interval"])
    rates = await reader.call("fetch_funding_rates", [BTC, ETH])
    assert {BTC, ETH} == set(rates)
    now = int(reader.target.info("l2Book", coin="ETH")["time"])
    history = await reader.call("fetch_funding_rate_history", ETH, now - 12 * HOUR_MS)
    assert all(row["fundingRate"] is not None for row in history)
    interest = await reader.call("fetch_open_interest", ETH)
    assert ETH == interest["symbol"]


@both_forms
@pytest.mark.step("account state")
async def test_balance_and_positions(user: Ccxt) -> None:
    """The money, what is free of it, and one position."""
    balance = await user.call("fetch_balance")
    assert 0 < balance["USDC"]["free"] < balance["USDC"]["total"]
    (held,) = await user.call("fetch_positions")
    assert (ETH, "long", 0.4, "cross") == (
        held["symbol"],
        held["side"],
        held["contracts"],
        held["marginMode"],
    )
    same = await user.call("fetch_position", ETH)
    assert held["entryPrice"] == same["entryPrice"]


@both_forms
@pytest.mark.step("open orders")
async def test_open_orders(user: Ccxt) -> None:
    """One of BTC, none of ETH."""
    (row,) = await user.call("fetch_open_orders")
    assert (BTC, "buy", 0.001, "open") == (
        row["symbol"],
        row["side"],
        row["amount"],
        row["status"],
    )
    assert [] == await user.call("fetch_open_orders", ETH)


@both_forms
@pytest.mark.step("order history")
async def test_orders_by_their_ends(user: Ccxt) -> None:
    """All, filled ones, canceled ones."""
    rows = await user.call("fetch_orders")
    assert {"closed", "canceled", "open"} == {row["status"] for row in rows}
    assert 4 == len(rows)
    assert 2 == len(await user.call("fetch_closed_orders"))
    assert 1 == len(await user.call("fetch_canceled_orders"))


@both_forms
@pytest.mark.step("fills")
async def test_my_trades(user: Ccxt) -> None:
    """All, and since a time."""
    trades = await user.call("fetch_my_trades")
    assert [("buy", 0.5), ("sell", 0.1)] == [(row["side"], row["amount"]) for row in trades]
    assert all(row["fee"]["cost"] > 0 and row["takerOrMaker"] == "taker" for row in trades)
    again = await user.call("fetch_my_trades", ETH, trades[0]["timestamp"])
    assert [row["id"] for row in trades] == [row["id"] for row in again]


@both_forms
@pytest.mark.step("funding")
async def test_funding_paid(user: Ccxt) -> None:
    """Each hour of the position."""
    rows: list[Any] = await user.call("fetch_funding_history", ETH)
    assert {ETH} == {row["symbol"] for row in rows}
    assert all(row["amount"] != 0 for row in rows)


@both_forms
@pytest.mark.step("fees and limits")
async def test_fees(user: Ccxt) -> None:
    """Taker and maker."""
    fee = await user.call("fetch_trading_fee", ETH)
    assert (0.00045, 0.00015) == (fee["taker"], fee["maker"])
