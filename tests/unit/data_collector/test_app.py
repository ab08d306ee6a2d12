"""The HTTP face: what is stored is served, and what is not is said in one line."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.unit.data_collector.market import START_MS, make_bars
from tests.unit.data_collector.serving import Client, client_of, parts_of

from data_collector.application.generating import Recipe, generate_market
from data_collector.main import create_app
from data_collector.settings import Settings
from strategy_core.snapshot import INTERVALS, SnapshotSeries
from suite.bars import DAY_MS, HOUR_MS, MINUTE_MS, resample
from suite.contracts.market_data import ARROW
from suite.errors import ConfigError
from suite.klines import Source
from suite.service.app import undeclared_write_routes
from suite.service.kline_store import KlineStore

END_MS = 1_748_736_000_000
NOW_MS = END_MS + DAY_MS


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> KlineStore:
    store = KlineStore(tmp_path_factory.mktemp("store"))
    list(generate_market(store, ["BTC"], Recipe(seed=7, days=3, end_ms=END_MS), replace=False))
    five = make_bars(4, step_ms=5 * MINUTE_MS, start_ms=START_MS)
    store.write_bars(Source("synthetic"), "BTC", five)
    return store


@pytest.fixture
def client(store: KlineStore) -> Client:
    client = client_of(parts_of(store, lambda: NOW_MS), store.root)
    assert [] == undeclared_write_routes(client.app)
    return client


def test_health_and_readiness_are_answered(client: Client) -> None:
    """The chassis routes are there."""
    assert 200 == client.get("/health").status_code
    assert {"status": "ok", "service": "data-collector", "series": 2} == client.get("/ready").json()
    assert "http_requests_total" in client.get("/metrics").text


def test_service_without_klines_is_not_ready(tmp_path: Path) -> None:
    """It lives, but nothing should be asked of it."""
    client = Client(create_app(Settings(data=str(tmp_path))))
    assert (200, 503) == (client.get("/health").status_code, client.get("/ready").status_code)
    assert [] == client.get("/coverage").json()


def test_service_without_a_folder_does_not_start(tmp_path: Path) -> None:
    """The message says how to make one."""
    with pytest.raises(ConfigError, match="data-collector import or generate"):
        create_app(Settings(data=str(tmp_path / "nothing")))


def test_coverage_lists_every_series(client: Client) -> None:
    """With its label."""
    rows = client.get("/coverage").json()
    assert [("BTC", "1m"), ("BTC", "5m")] == [(row["coin"], row["interval"]) for row in rows]
    assert (3 * 1440, 0, True) == (rows[0]["bars"], rows[0]["missing_bars"], rows[0]["synthetic"])
    assert (END_MS - 3 * DAY_MS, END_MS) == (rows[0]["first_open_ms"], rows[0]["end_ms"])


def test_klines_are_served_as_json_and_arrow(client: Client, store: KlineStore) -> None:
    """The same numbers in both."""
    url = f"/klines/BTCUSDT?start={END_MS - HOUR_MS}&end={END_MS}"
    rows = client.get(url).json()
    table = pa.ipc.open_stream(client.get(url, headers={"accept": ARROW}).content).read_all()
    assert table.to_pylist() == rows
    stored = store.read("BTC", "1m", END_MS - HOUR_MS, END_MS)
    assert stored.close.tolist() == [row["close"] for row in rows]
    assert stored.open_time_ms.tolist() == [row["open_time_ms"] for row in rows]


def test_longer_klines_are_made_of_minutes(client: Client, store: KlineStore) -> None:
    """Where the interval itself is not stored."""
    rows = client.get("/klines/BTC?interval=1h&start=2025-05-31&end=2025-05-31T05:00").json()
    hours, _ = resample(store.read("BTC"), HOUR_MS)
    expected = hours.between(END_MS - DAY_MS, END_MS - 19 * HOUR_MS)
    assert expected.high.tolist() == [row["high"] for row in rows]


def test_stored_bars_of_an_interval_are_served_too(client: Client) -> None:
    """Those that no minutes cover."""
    rows = client.get("/klines/BTC?interval=5m&start=2025-05-05&end=2025-05-06").json()
    assert [100.0, 100.1, 100.2, 100.3] == [row["close"] for row in rows]


def test_at_most_five_thousand_klines_are_served(client: Client, store: KlineStore) -> None:
    """The last ones of the range."""
    store.write_bars(Source("binance-usdm"), "ETH", make_bars(6000))
    rows = client.get("/klines/ETH").json()
    assert (5000, START_MS + 5999 * MINUTE_MS) == (len(rows), rows[-1]["open_time_ms"])
    store.remove(Source("binance-usdm"), "ETH")


@pytest.mark.parametrize("back_ms", [0, MINUTE_MS, 5 * HOUR_MS])
def test_snapshot_is_the_one_every_service_builds(
    client: Client, store: KlineStore, back_ms: int
) -> None:
    """From the bars closed by then and nothing later."""
    at_ms = END_MS - back_ms
    reply = client.get(f"/gpt-latest/BTC/USDT:USDT?timestamp={at_ms}").json()
    bars = store.read("BTC", "1m", None, at_ms)
    expected = SnapshotSeries("BTC", bars).build(at_ms, funding=None, market=None)
    assert json.loads(json.dumps(expected["intervals_data"])) == reply["intervals_data"]
    assert ("BTC", at_ms, None) == (reply["symbol"], reply["as_of_ms"], reply["open_interest"])
    assert [str(minutes) for minutes in INTERVALS] == list(reply["intervals_data"])
    assert reply["common_info"]["order_book"] is None


def test_snapshot_shows_settled_funding_only(client: Client, store: KlineStore) -> None:
    """At its stamp, not a minute before."""
    times, rates = store.read_funding("BTC")
    stamp = int(times[4])
    for at_ms, row in ((stamp, 4), (stamp - MINUTE_MS, 3)):
        funding = client.get(f"/gpt-latest/BTC?timestamp={at_ms}").json()["funding"]
        assert int(times[row]) == funding["settled_at_ms"]
        assert rates[row] / 8 == pytest.approx(funding["rate_hourly"])


def test_snapshot_without_a_time_is_the_newest(client: Client, store: KlineStore) -> None:
    """And follows the store when bars are added."""
    assert END_MS == client.get("/gpt-latest/BTC").json()["as_of_ms"]
    seconds = END_MS // 1000 - 30
    assert (
        END_MS - MINUTE_MS == client.get(f"/gpt-latest/BTC?timestamp={seconds}").json()["as_of_ms"]
    )
    coin = Source("synthetic")
    store.write_bars(coin, "SOL", make_bars(10))
    assert START_MS + 10 * MINUTE_MS == client.get("/gpt-latest/SOL").json()["as_of_ms"]
    store.write_bars(coin, "SOL", make_bars(20))
    assert START_MS + 20 * MINUTE_MS == client.get("/gpt-latest/SOL").json()["as_of_ms"]
    store.remove(coin, "SOL")


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/gpt-latest/NOPE", 404, "no stored bars of NOPE; stored are BTC"),
        ("/gpt-latest/..", 404, ""),
        ("/gpt-latest/BTC?timestamp=soon", 400, "not a timestamp"),
        (f"/gpt-latest/BTC?timestamp={NOW_MS + 1}", 400, "is in the future"),
        (f"/gpt-latest/BTC?timestamp={END_MS + MINUTE_MS}", 404, "stored are 2025-05-29"),
        ("/gpt-latest/BTC?timestamp=-5", 400, "timestamp out of range"),
        ("/klines/BTC?interval=7m", 400, "unknown interval '7m'; there are 1m"),
        ("/klines/BTC?start=never", 400, "not a date"),
        (f"/klines/BTC?end={NOW_MS + 1}", 400, "is in the future"),
        ("/klines/BTC?start=2025-01-01&end=2025-01-02", 404, "stored are 2025-05-29 00:00"),
        ("/klines/BTC?interval=1h&start=2025-01-01&end=2025-01-02", 404, "stored are"),
        ("/klines/a%20b", 404, "not a symbol"),
    ],
)
def test_bad_request_gets_one_clear_line(client: Client, path: str, status: int, text: str) -> None:
    """The right status and what would be right."""
    reply = client.get(path)
    assert status == reply.status_code
    assert text in reply.text
    assert "\n" not in reply.text


def test_damaged_file_is_an_error_of_the_service(client: Client, store: KlineStore) -> None:
    """Named, in one line, and healed when the file is."""
    store.write_bars(Source("synthetic"), "XRP", make_bars(10))
    path = next(store.root.glob("klines/**/symbol=XRP/**/*.parquet"))
    content = path.read_bytes()
    path.write_bytes(b"damage")
    reply = client.get("/gpt-latest/XRP")
    assert 500 == reply.status_code
    assert "is damaged" in reply.text
    path.write_bytes(content)
    assert 200 == client.get("/gpt-latest/XRP").status_code
    store.remove(Source("synthetic"), "XRP")
    assert np.isfinite(store.read("BTC").close).all()
