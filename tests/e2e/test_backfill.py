"""`data-collector backfill` from real processes."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.binance_server import BinanceServer, binance
from tests.support.venue_process import VenueUnderTest, running_venue
from tests.unit.data_collector.market import make_bars

from data_collector.adapters.ccxt_history import CcxtHistory
from data_collector.adapters.hyperliquid_history import HyperliquidHistory
from data_collector.venues import open_exchange
from suite.bars import HOUR_MS, MINUTE_MS
from suite.klines import bars_equal, concat_bars
from suite.moments import parse_moment
from suite.service.clock import SystemClock
from suite.service.kline_store import KlineStore, instrument_of

pytestmark = pytest.mark.process

COMMAND = str(Path(sys.executable).with_name("data-collector"))
DAY = ("--from", "2025-05-12", "--to", "2025-05-13T06:00")


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueUnderTest]:
    """A world with nine days behind it, as fast as life."""
    folder = tmp_path_factory.mktemp("venue")
    with running_venue(folder, "--from", "2025-05-14", speed=1.0) as running:
        yield running


def backfill(data: Path, venue: VenueUnderTest, *options: str) -> subprocess.CompletedProcess[str]:
    where = ("--venue", "hyperliquid", "--url", venue.url, "--data", str(data))
    command = [COMMAND, "backfill", *where, *options]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def test_backfill_equals_the_source_and_ends(tmp_path: Path, venue: VenueUnderTest) -> None:
    """Every bar to the last bit, and tiers; again it has nothing to do."""
    done = backfill(tmp_path, venue, "--symbols", "BTC,ETH", *DAY)
    assert (0, "") == (done.returncode, done.stderr)
    assert 2 == len(re.findall(r"(?m)^(?:BTC|ETH) +filled +1,800 +0 +0 +\d+$", done.stdout))
    assert venue.folder is not None
    source, filled = KlineStore(venue.folder / "var" / "data"), KlineStore(tmp_path)
    for coin in ("BTC", "ETH"):
        bars = filled.read(coin)
        end_ms = int(bars.open_time_ms[-1]) + 60_000
        assert bars_equal(source.read(coin, "1m", int(bars.open_time_ms[0]), end_ms), bars)
        tiers = venue.info("meta")["marginTables"]
        assert len(tiers) >= len(instrument_of(filled.record(coin), coin).tiers) > 0
    again = backfill(tmp_path, venue, "--symbols", "BTC,ETH", *DAY)
    assert 2 == len(re.findall(r"(?m)^(?:BTC|ETH) +complete ", again.stdout))
    verified = subprocess.run([COMMAND, "verify", "--data", str(tmp_path)], check=False)
    assert 0 == verified.returncode


def test_now_is_the_venues(tmp_path: Path, venue: VenueUnderTest) -> None:
    """Up to the last bar that is closed there, with the funding that was settled."""
    done = backfill(tmp_path, venue, "--symbols", "BTC", "--from", "2025-05-13T22:00")
    assert (0, "") == (done.returncode, done.stderr)
    filled = KlineStore(tmp_path)
    held = filled.coverage("BTC")
    assert 0 <= venue.info("exchangeStatus")["time"] - held.end_ms < HOUR_MS
    assert [parse_moment("2025-05-14")] == filled.read_funding("BTC")[0].tolist()


def test_what_is_not_there_is_one_line_and_exit_code_one(
    tmp_path: Path, venue: VenueUnderTest
) -> None:
    """The others are filled."""
    done = backfill(tmp_path, venue, "--symbols", "ZZZ,SOL", *DAY, "--no-funding")
    assert 1 == done.returncode
    assert "data-collector: ZZZ: hyperliquid/perp does not trade ZZZ\n" == done.stderr
    assert 1800 == len(KlineStore(tmp_path).read("SOL"))
    assert 0 == len(KlineStore(tmp_path).read_funding("SOL")[0])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--from", "2025-05-12", "--to", "2025-05-12"), "is not before"),
        (("--from", "soon"), "not a date"),
        (("--from", "2025-05-12", "--interval", "7m"), "unknown interval"),
        (("--from", "2025-05-12", "--symbols", "BTC,BTC"), "different symbols"),
        (("--from", "2025-05-12", "--venue", "nowhere"), "no venue 'nowhere'"),
    ],
)
def test_wrong_use_is_exit_code_two(
    tmp_path: Path, venue: VenueUnderTest, options: tuple[str, ...], text: str
) -> None:
    """Nothing is asked, nothing is written."""
    done = backfill(tmp_path, venue, "--symbols", "BTC", *options)
    assert 2 == done.returncode
    assert text in done.stderr
    assert [] == list(tmp_path.iterdir())


def test_interrupt_is_one_line(tmp_path: Path) -> None:
    """Ctrl-C while the venue is silent: one line, no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        where = ("--venue", "hyperliquid", "--url", url, "--data", str(tmp_path))
        with subprocess.Popen(
            [COMMAND, "backfill", *where, "--symbols", "BTC", *DAY],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            connection, _ = silent.accept()
            request = connection.recv(65536).partition(b"\r\n\r\n")[2]
            assert {"type": "metaAndAssetCtxs"} == json.loads(request or connection.recv(65536))
            process.send_signal(signal.SIGINT)
            out, error = process.communicate(timeout=20)
            connection.close()
    line = "data-collector: interrupted; the same command goes on where it stopped\n"
    assert (1, "", line) == (process.returncode, out, error)


async def test_ccxt_reads_what_the_native_client_reads(venue: VenueUnderTest) -> None:
    """Bars, funding and records of one venue, by two ways."""
    span = parse_moment("2025-05-13T12:00"), parse_moment("2025-05-15")
    ours = HyperliquidHistory(venue.url)
    api = open_exchange("hyperliquid", url=venue.url)
    theirs = CcxtHistory(api, "perp", SystemClock().now_ms)
    seen: list[Any] = []
    for history in (ours, theirs):
        pages = [bars async for bars in history.klines("ETH", "5m", *span)]
        stamps = [page async for page in history.funding("ETH", *span)]
        records = await history.instruments()
        await history.close()
        bars = concat_bars(pages, 5 * MINUTE_MS)
        fields = {
            coin: (item["sz_decimals"], item["max_leverage"]) for coin, item in records.items()
        }
        seen.append((bars.rows(0, 140), [len(times) for times, _ in stamps], fields))
    assert bars_equal(seen[0][0], seen[1][0])
    assert 140 == len(seen[0][0])
    assert seen[0][1:] == seen[1][1:]


async def test_files_of_binance_become_a_store(tmp_path: Path) -> None:
    """Months, days, funding and records; the second time nothing is asked for."""
    start_ms, end_ms = parse_moment("2025-05-30"), parse_moment("2025-06-02T12:00")
    bars = make_bars((end_ms - start_ms) // MINUTE_MS, start_ms=start_ms, skip=range(600, 660))
    served = BinanceServer({"BTCUSDT": bars, "1000PEPEUSDT": bars}, end_ms)
    for symbol in served.bars:
        for stamp in ("2025-05", "2025-06-01", "2025-06-02"):
            served.publish(symbol, stamp)
        for stamp in ("2025-05", "2025-06"):
            served.publish_funding(symbol, stamp)
    data = tmp_path / "data"
    async with binance(served):
        command = [
            *(COMMAND, "backfill", "--venue", "binance", "--url", served.url, "--data", str(data)),
            *("--symbols", "BTC,1000PEPE", "--from", "2025-05-01", "--to", "2025-06-02T12:00"),
        ]
        for status, requests in (("filled", 21), ("complete", 0)):
            served.asked.clear()
            process = await asyncio.create_subprocess_exec(
                *command,
                stdout=subprocess.PIPE,
                env=os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")},
            )
            out = (await process.communicate())[0].decode()
            assert 0 == process.returncode
            assert 2 == len(re.findall(rf"(?m)^(?:BTC|kPEPE) +{status} ", out))
            assert 2 == out.count("41,820 bars are missing: Binance publishes none")
            assert requests == len(served.asked)
    store = KlineStore(data)
    assert ("BTC", "kPEPE") == store.coins()
    assert bars_equal(bars, store.read("kPEPE"))
    assert 98 == len(store.read_funding("BTC")[0])
    assert "1000PEPEUSDT" == (store.record("kPEPE") or {})["source_symbol"]
