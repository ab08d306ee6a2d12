"""The collector and the venue, as processes over one store, tell a trader the same of a moment."""

import contextlib
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import numpy as np
import pytest
from tests.support.worlds import START_MS, random_bars

from suite.bars import DAY_MS, HOUR_MS, MINUTE_MS
from suite.klines import COLUMNS, Source
from suite.service.kline_store import KlineStore

pytestmark = pytest.mark.process

BIN = Path(sys.executable).parent
DAYS = 22
"""Enough for indicators over 500 hours."""
END_MS = START_MS + DAYS * DAY_MS
FROM_MS = END_MS - DAY_MS
"""The world begins here; all before it is its past."""
NOW_MS = END_MS - 5 * HOUR_MS
"""World time when it is asked; the store goes on after it."""


class Promised(msgspec.Struct):
    """The bytes of a snapshot that both services promise."""

    as_of_ms: int
    symbol: msgspec.Raw
    intervals_data: msgspec.Raw


def promised(reply: httpx.Response) -> tuple[int, bytes, bytes]:
    assert reply.status_code == 200, reply.text
    found = msgspec.json.decode(reply.content, type=Promised)
    return found.as_of_ms, bytes(found.symbol), bytes(found.intervals_data)


@contextlib.contextmanager
def serving(folder: Path, command: str, *options: str) -> Iterator[httpx.Client]:
    """Run a service until it is no longer needed; it stops cleanly."""
    arguments = [str(BIN / command), "serve", "--data", "data", "--port", "0", *options]
    with subprocess.Popen(
        arguments, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            assert line, process.communicate()[1]
            with httpx.Client(base_url=line.split()[-1], timeout=30, trust_env=False) as client:
                yield client
        finally:
            process.terminate()
            _, errors = process.communicate(timeout=20)
        assert process.returncode == 0, errors


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic BTC and ETH, SOL of files with a hole in it, and a second source of BTC."""
    folder = tmp_path_factory.mktemp("services")
    inbox = folder / "ftx"
    inbox.mkdir()
    bars = random_bars("SOL", DAYS * 1440, seed=3)
    columns = [getattr(bars, name).tolist() for name in COLUMNS]
    hole = range((DAYS - 2) * 1440 + 200, (DAYS - 2) * 1440 + 950)
    rows = [
        ",".join(map(repr, row))
        for number, row in enumerate(zip(*columns, strict=True))
        if number not in hole
    ]
    (inbox / "SOLUSDT-1m.csv").write_text("\n".join([",".join(COLUMNS), *rows]))
    for options in (
        ("generate", "--symbols", "BTC,ETH", "--days", str(DAYS), "--end", str(END_MS)),
        ("import", "ftx"),
    ):
        command = [str(BIN / "data-collector"), *options, "--data", "data"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    KlineStore(folder / "data").write_bars(
        Source("bybit"), "BTC", random_bars("BTC", DAYS * 1440, seed=9)
    )
    stamps = START_MS + 5 * MINUTE_MS * np.arange(DAYS * 288, dtype=np.int64)
    KlineStore(folder / "data").write_open_interest(
        Source("synthetic"), "ETH", stamps, np.linspace(1e5, 2e5, len(stamps))
    )
    return folder


@pytest.fixture(scope="module")
def collector(folder: Path) -> Iterator[httpx.Client]:
    with serving(folder, "data-collector") as client:
        yield client


@pytest.fixture(scope="module")
def venue(folder: Path) -> Iterator[httpx.Client]:
    """A world over the last stored day, moved on to NOW_MS."""
    options = ("--symbols", "BTC,ETH,SOL", "--clock", "lockstep", "--from", str(FROM_MS))
    with serving(folder, "virtual-exchange", *options, "--allow-partial") as client:
        token = (folder / "var" / "tokens" / "operator.token").read_text().strip()
        moved = client.post(
            "/clock/advance",
            json={"until_ms": NOW_MS},
            headers={"authorization": f"Bearer {token}"},
        )
        assert NOW_MS == moved.json()["now_ms"], moved.text
        yield client


MOMENTS = {
    "now": NOW_MS,
    "a minute ago": NOW_MS - MINUTE_MS,
    "between two bars": NOW_MS - 90_001,
    "a full hour": NOW_MS - HOUR_MS,
    "the start of the world": FROM_MS,
    "before the world": FROM_MS - 3 * HOUR_MS - 7 * MINUTE_MS,
    "in the hole of SOL": END_MS - 2 * DAY_MS + 400 * MINUTE_MS,
    "where SOL goes on": END_MS - 2 * DAY_MS + 951 * MINUTE_MS,
    "the first day, with few bars": START_MS + 5 * HOUR_MS,
    "the first bar": START_MS + MINUTE_MS,
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("symbol", ["BTC", "ETHUSDT", "SOL"])
def test_snapshots_of_a_moment_are_byte_equal(
    collector: httpx.Client, venue: httpx.Client, symbol: str, moment: str
) -> None:
    path = f"/gpt-latest/{symbol}?timestamp={MOMENTS[moment]}"
    stored, simulated = (promised(client.get(path)) for client in (collector, venue))
    assert MOMENTS[moment] // MINUTE_MS * MINUTE_MS == stored[0]
    assert stored == simulated
    assert b'"bars":[[' in stored[2]


@pytest.mark.parametrize("seed", range(3))
def test_snapshots_of_random_minutes_are_byte_equal(
    collector: httpx.Client, venue: httpx.Client, seed: int
) -> None:
    """In the order of chance, so that no answer can come from what was asked before."""
    generator = random.Random(seed)
    for _ in range(40):
        coin = generator.choice(["BTC", "ETH", "SOL"])
        at = generator.randrange(START_MS + MINUTE_MS, NOW_MS + 1)
        path = f"/gpt-latest/{coin}?timestamp={at}"
        replies = [client.get(path) for client in (collector, venue)]
        assert promised(replies[0]) == promised(replies[1]), path
        interest = {reply.json()["open_interest"] for reply in replies}
        assert len(interest) == 1
        assert (interest != {None}) == (coin == "ETH")


def test_seconds_and_no_timestamp_mean_the_same_on_both(
    collector: httpx.Client, venue: httpx.Client
) -> None:
    """Without one, a world answers for its own now, and the collector for its newest bar."""
    path = f"/gpt-latest/BTC?timestamp={NOW_MS // 1000}"
    stored, simulated = promised(collector.get(path)), promised(venue.get(path))
    assert stored == simulated == promised(venue.get("/gpt-latest/BTC"))
    assert END_MS == promised(collector.get("/gpt-latest/BTC"))[0]


def test_future_of_a_world_is_refused_though_it_is_stored(
    collector: httpx.Client, venue: httpx.Client
) -> None:
    path = f"/gpt-latest/BTC?timestamp={NOW_MS + MINUTE_MS}"
    assert [200, 400] == [client.get(path).status_code for client in (collector, venue)]


@pytest.mark.parametrize("interval", ["1m", "15m", "4h", "1d"])
@pytest.mark.parametrize("accept", ["application/json", "application/vnd.apache.arrow.stream"])
def test_candles_of_a_range_are_equal(
    collector: httpx.Client, venue: httpx.Client, interval: str, accept: str
) -> None:
    """Over a hole, up to a midnight: every bar that begins before it has closed on both."""
    first = FROM_MS - 3 * DAY_MS
    path = f"/klines/SOL?interval={interval}&start={first}&end={FROM_MS}"
    replies = [client.get(path, headers={"accept": accept}) for client in (collector, venue)]
    assert [200, 200] == [reply.status_code for reply in replies]
    assert replies[0].content == replies[1].content
