"""Lists and ranges over HTTP: what is stored, day by day, names of answers, two encodings."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from tests.unit.data_collector.market import NOW_MS, START_MS, make_bars
from tests.unit.data_collector.serving import Client, client_of, parts_of

from suite.bars import HOUR_MS, MINUTE_MS
from suite.contracts.market_data import (
    ARROW,
    JSON,
    FundingRate,
    Kline,
    MarketSnapshot,
    OpenInterest,
    StoredDays,
    StoredSeries,
    Symbol,
)
from suite.klines import Source
from suite.service.kline_store import KlineStore

DAYS = 3
GAP = range(1440, 1440 + 360)
"""Six hours of the second day are missing."""
PATHS: dict[str, Any] = {
    "/coverage": list[StoredSeries],
    "/coverage/BTC": list[StoredDays],
    "/symbols": list[Symbol],
    "/klines/BTC?start=2025-05-05&end=2025-05-05T01:00": list[Kline],
    "/funding/BTC": list[FundingRate],
    "/open-interest/BTC": list[OpenInterest],
    "/gpt-latest/BTC": MarketSnapshot,
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> KlineStore:
    store, source = KlineStore(tmp_path_factory.mktemp("store")), Source("binance-usdm")
    store.write_bars(source, "BTC", make_bars(DAYS * 1440 - 720, skip=GAP))
    store.write_bars(source, "kPEPE", make_bars(10))
    store.write_bars(source, "SOL", make_bars(250, skip=(119, 120)))
    store.write_bars(source, "SOL", make_bars(1, start_ms=START_MS + 3 * HOUR_MS, step_ms=HOUR_MS))
    times = START_MS + 8 * HOUR_MS * np.arange(6, dtype=np.int64)
    store.write_funding(source, "BTC", times, np.linspace(0.0, 5e-5, 6))
    store.write_open_interest(source, "BTC", times, 1e4 + np.linspace(0.0, 5.0, 6))
    store.write_record(source, "BTC", {"source_symbol": "BTCUSDT", "price_decimals": 1})
    return store


@pytest.fixture
def client(store: KlineStore) -> Client:
    return client_of(parts_of(store, lambda: NOW_MS), store.root)


def test_a_page_is_made_once_and_anew_when_a_bar_of_it_is_another(tmp_path: Path) -> None:
    """At once, and of any interval; a page of another coin stays."""
    store, source = KlineStore(tmp_path), Source("binance-usdm")
    for coin in ("BTC", "ETH"):
        store.write_bars(source, coin, make_bars(300))
    parts = parts_of(store, lambda: NOW_MS)
    client = client_of(parts, tmp_path)
    paths = [f"/klines/{coin}?interval={name}" for coin in ("BTC", "ETH") for name in ("1m", "1h")]

    def answers() -> list[tuple[bytes, str]]:
        replies = [client.get(path) for path in paths]
        return [(reply.content, reply.headers["etag"]) for reply in replies]

    first = answers()
    assert first == answers()
    assert {"memory": 4, "shared": 0, "made": 4} == dict(parts.cache.counts)
    store.append_bars(source, "BTC", make_bars(60, start_ms=START_MS + 300 * MINUTE_MS))
    later = answers()
    assert [True, True, False, False] == [a != b for a, b in zip(first, later, strict=True)]
    store.write_bars(source, "BTC", make_bars(1, price=50.0))
    assert [True, True, False, False] == [a != b for a, b in zip(later, answers(), strict=True)]
    fresh = client_of(parts_of(store, lambda: NOW_MS), tmp_path)
    assert answers() == [(r.content, r.headers["etag"]) for r in map(fresh.get, paths)]
    store.write_bars(source, "BTC", make_bars(2, start_ms=START_MS, step_ms=HOUR_MS))
    fresh = client_of(parts_of(store, lambda: NOW_MS), tmp_path)
    assert answers() == [(r.content, r.headers["etag"]) for r in map(fresh.get, paths)]


@pytest.mark.parametrize("path", PATHS)
def test_answer_has_the_shape_it_is_described_with(client: Client, path: str) -> None:
    """The very types of the contract read it."""
    reply = client.get(path)
    assert 200 == reply.status_code, reply.text
    assert msgspec.json.decode(reply.content, type=PATHS[path])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("known", ["{tag}", '"other", {tag}', "W/{tag}", "*"])
def test_who_has_an_answer_is_told_so(client: Client, path: str, known: str) -> None:
    """304 without a body, with the same name; another name gets the answer."""
    first = client.get(path)
    tag = first.headers["etag"]
    assert tag.startswith('"')
    again = client.get(path, {"if-none-match": known.format(tag=tag)})
    assert (304, b"", tag) == (again.status_code, again.content, again.headers["etag"])
    other = client.get(path, {"if-none-match": '"other"'})
    assert (200, first.content, tag) == (other.status_code, other.content, other.headers["etag"])


@pytest.mark.parametrize("path", ["/klines/BTC?interval=1h", "/funding/BTC", "/open-interest/BTC"])
def test_both_encodings_say_the_same_under_names_of_their_own(client: Client, path: str) -> None:
    """A cache that has the one does not answer with it for the other."""
    plain, arrow = client.get(path), client.get(path, {"accept": ARROW})
    assert ARROW == arrow.headers["content-type"]
    assert plain.json() == pa.ipc.open_stream(arrow.content).read_all().to_pylist()
    assert plain.headers["etag"] != arrow.headers["etag"]
    assert "accept" == plain.headers["vary"] == arrow.headers["vary"]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (f"{ARROW};q=0", JSON),
        (f"{ARROW};q=0, */*", JSON),
        (f"application/json, {ARROW}; q=0.5", JSON),
        (f"application/json;q=0.5, {ARROW}", ARROW),
        (f"{ARROW}, */*", ARROW),
        ("*/*", JSON),
    ],
)
def test_arrow_is_sent_to_whoever_names_it_and_wants_it(
    client: Client, accept: str, expected: str
) -> None:
    reply = client.get("/klines/BTC?interval=1h", {"accept": accept})
    assert expected == reply.headers["content-type"]


def test_bar_that_lacks_a_minute_says_so(client: Client) -> None:
    """Wherever the range ends; one that the venue made itself has all of them."""
    url = "/klines/SOL?interval=1h&start=2025-05-05"
    expected = [(0, True), (1, False), (2, False), (3, True)]
    for end, count in (("", 4), ("&end=2025-05-05T02:00", 2), ("&end=2025-05-05T01:59", 2)):
        rows = client.get(url + end).json()
        hours = [((row["open_time_ms"] - START_MS) // HOUR_MS, row["complete"]) for row in rows]
        assert expected[:count] == hours
    assert all(row["complete"] for row in client.get("/klines/SOL").json())


def test_funding_of_a_range_is_served(client: Client) -> None:
    """Stamps from the start on, before the end."""
    start, end = START_MS + 8 * HOUR_MS, START_MS + 24 * HOUR_MS
    rows = client.get(f"/funding/BTCUSDT?start={start}&end={end}").json()
    assert [start, start + 8 * HOUR_MS] == [row["time_ms"] for row in rows]
    assert [1e-5, 2e-5] == pytest.approx([row["rate"] for row in rows])
    assert [] == client.get("/funding/1000PEPE").json()


def test_open_interest_is_in_the_snapshots_of_its_hour(client: Client) -> None:
    """And in no earlier one; its range is served as the others are."""
    stamp = START_MS + 8 * HOUR_MS
    shown = {
        at: client.get(f"/gpt-latest/BTC?timestamp={at}").json()["open_interest"]
        for at in (stamp - MINUTE_MS, stamp, stamp + HOUR_MS, stamp + HOUR_MS + MINUTE_MS)
    }
    assert [None, 10001.0, 10001.0, None] == list(shown.values())
    rows = client.get(f"/open-interest/BTC?start={stamp}&end={stamp + 1}").json()
    assert [{"time_ms": stamp, "open_interest": 10001.0}] == rows
    assert [] == client.get("/open-interest/kPEPE").json()


def test_coverage_of_a_coin_says_which_share_of_each_day_is_stored(client: Client) -> None:
    """With a gap inside, and a last day that is half over."""
    (row,) = client.get("/coverage/BTC").json()
    assert {"2025-05-05": 1.0, "2025-05-06": 0.75, "2025-05-07": 0.5} == row["days"]
    assert ("1m", "binance-usdm", "perp") == (row["interval"], row["venue"], row["market"])


def test_symbols_are_the_coins_with_their_instruments(client: Client) -> None:
    rows = {row["coin"]: row for row in client.get("/symbols").json()}
    assert ["BTC", "SOL", "kPEPE"] == list(rows)
    assert ("BTCUSDT", ["1m"], 1) == tuple(
        rows["BTC"][name] for name in ("source_symbol", "intervals", "price_decimals")
    )


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/coverage/DOGE", 404, "no stored bars of DOGE; stored are BTC, SOL, kPEPE"),
        ("/coverage/a%20b", 404, "not a symbol"),
        ("/funding/DOGE", 404, "no stored bars of DOGE"),
        (f"/funding/BTC?end={NOW_MS + 1}", 400, "is in the future"),
        (f"/klines/BTC?start={NOW_MS + 1}", 400, "is in the future"),
        ("/funding/BTC?start=soon", 400, "not a date"),
        ("/klines/BTC?start=2025-05-06&end=2025-05-05", 400, "is after end"),
        ("/funding/BTC?start=2025-05-06&end=2025-05-05", 400, "is after end"),
        ("/open-interest/BTC?start=2025-05-06&end=2025-05-05", 400, "is after end"),
        ("/klines/BTC?limit=3", 400, "'limit'; there are interval, start, end"),
        ("/gpt-latest/BTC?as_of_ms=1", 400, "'as_of_ms'; there are timestamp"),
        ("/symbols?coin=BTC", 400, "'coin'; there are none"),
    ],
)
def test_wrong_request_gets_one_clear_line(
    client: Client, path: str, status: int, text: str
) -> None:
    reply = client.get(path)
    assert (status, True) == (reply.status_code, text in reply.text), reply.text


def test_encoded_snapshot_is_answered_without_a_look_at_the_files(store: KlineStore) -> None:
    """Until half a second has gone by, or somebody says that there is something new."""
    seconds = [0.0]
    parts = parts_of(store, lambda: NOW_MS, now_s=lambda: seconds[0])
    client = client_of(parts, store.root)
    newest = START_MS + (DAYS * 1440 - 720) * MINUTE_MS
    assert newest == client.get("/gpt-latest/BTC").json()["as_of_ms"]
    assert parts.snapshots.ready("BTC/USDT:USDT", None) is not None
    assert parts.snapshots.ready("BTC", newest + 59_999) is not None
    assert parts.snapshots.ready("BTC", NOW_MS + 1) is parts.snapshots.ready("..", None) is None
    store.write_bars(Source("binance-usdm"), "BTC", make_bars(1, start_ms=newest))
    assert newest == client.get("/gpt-latest/BTC").json()["as_of_ms"]
    seconds[0] += 0.5
    assert newest + MINUTE_MS == client.get("/gpt-latest/BTC").json()["as_of_ms"]
    store.write_bars(Source("binance-usdm"), "BTC", make_bars(1, start_ms=newest + MINUTE_MS))
    parts.snapshots.touch("BTC")
    assert newest + 2 * MINUTE_MS == client.get("/gpt-latest/BTC").json()["as_of_ms"]
    assert 'route="/gpt-latest/{symbol:path}",status="200"} 4' in client.get("/metrics").text


def test_one_of_many_is_sent_to_look_at_the_files(store: KlineStore) -> None:
    """The others have what there was until that is done."""
    seconds = [0.0]
    snapshots = parts_of(store, lambda: NOW_MS, now_s=lambda: seconds[0]).snapshots
    built = snapshots.build("BTC", None)
    seconds[0] = 9.0
    assert [None, built, built] == [snapshots.ready("BTC", None) for _ in range(3)]


def test_moments_do_not_leak_into_each_other(store: KlineStore) -> None:
    """Whatever was asked before, a minute has the answer it has alone."""
    moments = [START_MS + minute * MINUTE_MS for minute in (900, 4, 3000, 901, 900, 1439, 1900)]
    snapshots = parts_of(store, lambda: NOW_MS, now_s=lambda: 0.0).snapshots
    together = [(snapshots.build("BTC", at), snapshots.ready("BTC", at)) for at in moments]
    for at, (built, ready) in zip(moments, together, strict=True):
        alone = parts_of(store, lambda: NOW_MS).snapshots.build("BTC", at)
        assert alone == built == ready
