"""Hyperliquid's past: pages, what is not closed, what cannot be true, tiers; and its faults."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import respx
import stamina

from data_collector.adapters.hyperliquid_history import HyperliquidHistory
from suite.bars import HOUR_MS, MINUTE_MS, Bars
from suite.errors import UpstreamRefused, UpstreamUnavailable
from suite.klines import instrument_of
from suite.service.upstream import ATTEMPTS

URL = "http://venue.test"
START_MS = 1_746_403_200_000
NOW_MS = START_MS + 100 * MINUTE_MS + 30_000


class Venue:
    """Answers as Hyperliquid does: at most `keeps` candles, the newest; 500 stamps a page."""

    def __init__(self, keeps: int = 5000) -> None:
        self.keeps = keeps
        self.asked: list[dict[str, Any]] = []
        self.skipped: set[int] = set()
        self.odd: dict[int, dict[str, Any]] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.asked.append(body)
        return httpx.Response(200, json=getattr(self, body["type"])(body))

    def exchangeStatus(self, _body: Any) -> Any:  # noqa: N802 - the wire's own name
        return {"time": NOW_MS, "specialStatuses": None}

    def candleSnapshot(self, body: Any) -> Any:  # noqa: N802
        request = body["req"]
        first = request["startTime"] // MINUTE_MS * MINUTE_MS
        end = min(request["endTime"], NOW_MS)
        times = [time for time in range(first, end + 1, MINUTE_MS) if time not in self.skipped]
        return [candle(time) | self.odd.get(time, {}) for time in times[-self.keeps :]]

    def fundingHistory(self, body: Any) -> Any:  # noqa: N802
        stamps = range(START_MS, START_MS + 1200 * HOUR_MS, HOUR_MS)
        asked = [at for at in stamps if body["startTime"] <= at + 3 <= body["endTime"]]
        return [
            {"coin": "BTC", "fundingRate": "0.0000125", "premium": "0.0", "time": at + 3}
            for at in asked[:500]
        ]

    def metaAndAssetCtxs(self, _body: Any) -> Any:  # noqa: N802
        tier = {"lowerBound": "0.0", "maxLeverage": 40}
        second = {"lowerBound": "150000000.0", "maxLeverage": 20}
        table = [56, {"description": "tiered 40x", "marginTiers": [tier, second]}]
        btc = {"szDecimals": 5, "name": "BTC", "maxLeverage": 40, "marginTableId": 56}
        pepe = {"szDecimals": 0, "name": "kPEPE", "maxLeverage": 10, "marginTableId": 10}
        other = {"szDecimals": 0, "name": "xyz:GOLD", "maxLeverage": 10}
        meta = {"universe": [btc, pepe, other], "marginTables": [table], "collateralToken": 0}
        return [meta, [{}, {}, {}]]


def candle(time_ms: int) -> dict[str, Any]:
    price = 100 + (time_ms - START_MS) // MINUTE_MS
    prices = {"o": f"{price}.0", "h": f"{price}.5", "l": f"{price - 1}.5", "c": f"{price}.25"}
    whole = {"t": time_ms, "T": time_ms + MINUTE_MS - 1, "s": "BTC", "i": "1m", "v": "2.5", "n": 3}
    return whole | prices


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    with stamina.set_testing(True, attempts=ATTEMPTS, cap=True):
        yield


@pytest.fixture
def venue() -> Iterator[Venue]:
    with respx.mock:
        served = Venue()
        respx.post(f"{URL}/info").mock(side_effect=served)
        yield served


@pytest.fixture
async def history() -> AsyncIterator[HyperliquidHistory]:
    opened = HyperliquidHistory(URL)
    yield opened
    await opened.close()


async def pages(history: HyperliquidHistory, first: int, end: int) -> list[Bars]:
    asked = START_MS + first * MINUTE_MS, START_MS + end * MINUTE_MS
    return [bars async for bars in history.klines("BTC", "1m", *asked)]


def minutes(bars: Bars) -> list[int]:
    opened: list[int] = ((bars.open_time_ms - START_MS) // MINUTE_MS).tolist()
    return opened


async def test_range_is_one_request(venue: Venue, history: HyperliquidHistory) -> None:
    """With the candles as they were told, and no bar outside the range."""
    (bars,) = await pages(history, 10, 60)
    assert [*range(10, 60)] == minutes(bars)
    assert [110.0, 110.5, 109.5, 110.25, 2.5] == [
        float(column[0]) for column in (bars.open, bars.high, bars.low, bars.close, bars.volume)
    ]
    assert ["exchangeStatus", "candleSnapshot"] == [body["type"] for body in venue.asked]


async def test_open_candle_is_left_out(venue: Venue, history: HyperliquidHistory) -> None:
    """By the venue's clock, whatever ours says."""
    (bars,) = await pages(history, 90, 100_000)
    assert [*range(90, 100)] == minutes(bars)
    assert 2 == len(venue.asked)


async def test_old_candles_are_not_asked_for_one_by_one(
    venue: Venue, history: HyperliquidHistory
) -> None:
    """The venue keeps the newest; one request for years finds them all."""
    venue.keeps = 40
    (bars,) = await pages(history, -1_000_000, 200)
    assert [*range(61, 100)] == minutes(bars)
    assert 2 == len(venue.asked)


async def test_candles_that_cannot_be_true_are_left_out(
    venue: Venue, history: HyperliquidHistory
) -> None:
    """As are those that are not there; the end of a range that has none costs a request."""
    at = {row: START_MS + row * MINUTE_MS for row in range(100)}
    venue.odd = {
        at[2]: {"h": "1.0"},
        at[3]: {"c": "0.0"},
        at[4]: {"o": "1_0"},
        at[5]: {"t": at[5] + 1},
    }
    venue.skipped = {at[7], at[9]}
    (bars,) = await pages(history, 0, 10)
    assert [0, 1, 6, 8] == minutes(bars)


@pytest.mark.usefixtures("venue")
async def test_funding_comes_in_pages(history: HyperliquidHistory) -> None:
    """Stamps are on the hour, though the venue is some milliseconds late."""
    asked = START_MS + HOUR_MS, START_MS + 1101 * HOUR_MS
    found = [page async for page in history.funding("BTC", *asked)]
    assert [500, 500, 100] == [len(times) for times, _ in found]
    times = [time for page, _ in found for time in page.tolist()]
    assert [START_MS + hour * HOUR_MS for hour in range(1, 1101)] == times
    assert {0.0000125} == {rate for _, rates in found for rate in rates.tolist()}


@pytest.mark.usefixtures("venue")
async def test_instruments_have_the_tiers_of_their_tables(history: HyperliquidHistory) -> None:
    """A flat table need not be told; coins of other markets are left out."""
    found = await history.instruments()
    assert {"BTC", "kPEPE"} == set(found)
    btc, pepe = (instrument_of(found[coin], coin) for coin in ("BTC", "kPEPE"))
    assert (5, 0) == (btc.sz_decimals, pepe.sz_decimals)
    assert [(0, 40, 12_500_000), (150_000_000_000_000, 20, 25_000_000)] == [
        (tier.lower_bound_usd, tier.max_leverage, tier.maintenance) for tier in btc.tiers
    ]
    assert [(0, 10)] == [(tier.lower_bound_usd, tier.max_leverage) for tier in pepe.tiers]


@pytest.mark.usefixtures("venue")
@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ('{"universe": []}', UpstreamRefused),
        ('[{"t": "soon"}]', UpstreamRefused),
        ('{"time": 1e30}', UpstreamRefused),
        ('{"time": -5}', UpstreamRefused),
        ("null", UpstreamRefused),
        ('{"time": 17', UpstreamUnavailable),
        ("<html>", UpstreamUnavailable),
    ],
)
async def test_answer_that_is_none_is_a_named_fault(
    history: HyperliquidHistory, answer: str, fault: type[Exception]
) -> None:
    """Nothing is made of it."""
    respx.post(f"{URL}/info").mock(return_value=httpx.Response(200, text=answer))
    with pytest.raises(fault, match="Hyperliquid answered"):
        await pages(history, 0, 10)
