"""The past of an exchange through the real ccxt: Binance's format from a small server."""

from collections.abc import AsyncIterator, Iterator

import pytest
import stamina
from tests.support.binance_server import BinanceServer, binance
from tests.unit.data_collector.market import make_bars

from data_collector.adapters.ccxt_history import CcxtHistory
from data_collector.venues import open_exchange, open_venue
from suite.bars import MINUTE_MS
from suite.errors import ConfigError, DataGap, UpstreamRefused, UpstreamUnavailable
from suite.klines import Source, bars_equal, concat_bars, instrument_of
from suite.moments import parse_moment

START_MS = parse_moment("2025-05-30")
NOW_MS = START_MS + 2000 * MINUTE_MS + 30_000
BARS = make_bars(2001, start_ms=START_MS, skip=[7, 8, *range(600, 1300)])


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture
async def server() -> AsyncIterator[BinanceServer]:
    async with binance(BinanceServer({"BTCUSDT": BARS, "1000PEPEUSDT": BARS}, NOW_MS)) as running:
        yield running


@pytest.fixture
async def history(server: BinanceServer) -> AsyncIterator[CcxtHistory]:
    api = open_exchange("binanceusdm", url=server.url)
    api.enableRateLimit = False
    opened = CcxtHistory(api, "perp", lambda: NOW_MS)
    yield opened
    await opened.close()


@pytest.mark.parametrize("coin", ["BTC", "kPEPE"])
async def test_pages_are_the_closed_bars_of_the_range(history: CcxtHistory, coin: str) -> None:
    """Also behind a hole that is longer than a page."""
    asked = START_MS - 700 * MINUTE_MS, START_MS + 5000 * MINUTE_MS
    pages = [bars async for bars in history.klines(coin, "1m", *asked)]
    assert len(pages) > 2
    assert bars_equal(BARS.rows(0, BARS.closed_by(NOW_MS)), concat_bars(pages, MINUTE_MS))
    assert Source("binance") == history.source


async def test_funding_comes_in_pages(history: CcxtHistory) -> None:
    """Rounded to the second, as from files."""
    asked = parse_moment("2025-05-01"), parse_moment("2025-05-30")
    pages = [page async for page in history.funding("BTC", *asked)]
    times = [time for stamps, _ in pages for time in stamps.tolist()]
    assert [asked[0] + row * 8 * 60 * MINUTE_MS for row in range(29 * 3)] == times


async def test_records_have_symbol_and_digits(history: CcxtHistory) -> None:
    """Tiers are told to customers only; then there are none."""
    records = await history.instruments()
    assert ("BTC/USDT:USDT", 1, "0.001") == tuple(
        records["BTC"][name] for name in ("source_symbol", "price_decimals", "size_step")
    )
    assert "leverage_brackets" not in records["BTC"]


async def test_records_have_the_tiers_that_are_told(server: BinanceServer) -> None:
    """To the unit; here a customer asks."""
    api = open_exchange("binanceusdm", url=server.url)
    api.apiKey, api.secret, api.options["fetchCurrencies"] = "key", "secret", False
    history = CcxtHistory(api, "perp", lambda: NOW_MS)
    records = await history.instruments()
    await history.close()
    tiers = instrument_of(records["kPEPE"], "kPEPE").tiers
    assert [(0, 125, 4_000_000), (50_000_000_000, 100, 5_000_000)] == [
        (tier.lower_bound_usd, tier.max_leverage, tier.maintenance_rate) for tier in tiers
    ]


async def test_faults_of_ccxt_have_our_names(server: BinanceServer, history: CcxtHistory) -> None:
    """In one line, with the name of the exchange."""
    with pytest.raises(DataGap, match="binance/perp does not trade ZZZ"):
        await anext(aiter(history.klines("ZZZ", "1m", START_MS, NOW_MS)))
    delisted = server.bars.pop("BTCUSDT")
    with pytest.raises(UpstreamRefused, match=r"binanceusdm.*Invalid symbol"):
        await anext(aiter(history.klines("BTC", "1m", START_MS, NOW_MS)))
    server.bars["BTCUSDT"] = delisted
    server.refuses = 503
    with pytest.raises(UpstreamUnavailable, match="binanceusdm"):
        await anext(aiter(history.klines("BTC", "1m", START_MS, NOW_MS)))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("binanceusd", "near are binanceusdm"),
        ("kraken/options", "no market 'options'"),
    ],
)
def test_venue_that_is_none_is_said(name: str, text: str) -> None:
    """With what may have been meant."""
    with pytest.raises(ConfigError, match=text):
        open_venue(name)


@pytest.mark.parametrize(
    "name", ["binance/spot", "hyperliquid/spot", "kraken/spot", "binance/perp"]
)
async def test_market_is_part_of_the_name(name: str) -> None:
    """And of what bars are stored as."""
    history = open_venue(name).history
    assert Source.parse(name) == history.source
    await history.close()
