"""Binance's past: files whose checksum is right, completed where they broke off, then REST."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import stamina
from tests.support.binance_server import BinanceServer, binance
from tests.unit.data_collector.market import make_bars

from data_collector.adapters.binance_history import BinanceHistory, symbol_of
from data_collector.adapters.import_files import MarketFiles
from suite.bars import MINUTE_MS, Bars
from suite.errors import StorageError, UpstreamRefused
from suite.klines import bars_equal, concat_bars
from suite.moments import parse_moment

START_MS = parse_moment("2025-05-30")
NOW_MS = parse_moment("2025-06-03T08:00:30")
BARS = make_bars((NOW_MS - START_MS) // MINUTE_MS, start_ms=START_MS)
MAY = "monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2025-05.zip"
FIRST = "daily/klines/BTCUSDT/1m/BTCUSDT-1m-2025-06-01.zip"


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture
async def server() -> AsyncIterator[BinanceServer]:
    made = BinanceServer({"BTCUSDT": BARS}, NOW_MS)
    made.publish("BTCUSDT", "2025-05")
    made.publish("BTCUSDT", "2025-06-01")
    async with binance(made) as running:
        yield running


@pytest.fixture
async def history(server: BinanceServer, tmp_path: Path) -> AsyncIterator[BinanceHistory]:
    opened = BinanceHistory(
        lambda path, kind: MarketFiles().rows(path, kind).columns,
        tmp_path / "downloads",
        lambda: NOW_MS,
        bulk_url=server.url,
        rest_url=server.url,
    )
    yield opened
    await opened.close()


async def bars_of(history: BinanceHistory, start: str, end: str) -> Bars:
    asked = parse_moment(start), parse_moment(end)
    pages = [bars async for bars in history.klines("BTC", "1m", *asked)]
    return concat_bars(pages, MINUTE_MS)


async def test_months_days_and_today_are_one_series(
    server: BinanceServer, history: BinanceHistory, tmp_path: Path
) -> None:
    """Yesterday's file is not there yet, so it is asked for, with today; nothing is left over."""
    assert bars_equal(BARS, await bars_of(history, "2025-05-01", "2025-06-04"))
    files = [f"{MAY}.CHECKSUM", MAY, f"{FIRST}.CHECKSUM", FIRST]
    assert files == server.asked[:4]
    assert {"/fapi/v1/klines", "/fapi/v1/time"} == {
        path for path in server.asked if path.startswith("/fapi")
    }
    assert [] == list((tmp_path / "downloads").iterdir())


async def test_part_of_a_day_is_cut_from_its_file(history: BinanceHistory) -> None:
    """A gap of minutes costs one small file."""
    bars = await bars_of(history, "2025-06-01T10:00", "2025-06-01T10:05")
    assert bars_equal(
        BARS.between(*map(parse_moment, ("2025-06-01T10:00", "2025-06-01T10:05"))), bars
    )


async def test_file_that_broke_off_is_completed(
    server: BinanceServer, history: BinanceHistory
) -> None:
    """The half that came is not sent again, not even to the next process."""
    server.cut.add(MAY)
    half = len(server.files[MAY]) // 2
    assert 2 * 1440 == len(await bars_of(history, "2025-05-01", "2025-06-01"))
    assert [f"{MAY}.CHECKSUM", MAY, f"{MAY}@{half}"] == server.asked


async def test_part_of_an_older_file_is_thrown_away(
    server: BinanceServer, history: BinanceHistory, tmp_path: Path
) -> None:
    """Its checksum tells; the file is brought whole."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    (folder / "BTCUSDT-1m-2025-05.zip.part").write_bytes(b"of an older file")
    assert 2 * 1440 == len(await bars_of(history, "2025-05-01", "2025-06-01"))
    assert [f"{MAY}@16", MAY] == server.asked[1:]


async def test_wrong_checksum_is_refused(server: BinanceServer, history: BinanceHistory) -> None:
    """After a second look; nothing of the file is used."""
    server.files[f"{MAY}.CHECKSUM"] = b"0" * 64 + b"  BTCUSDT-1m-2025-05.zip\n"
    with pytest.raises(UpstreamRefused, match="does not have the checksum"):
        await bars_of(history, "2025-05-01", "2025-06-01")
    assert [MAY, MAY] == server.asked[1:]


async def test_damaged_file_with_the_right_checksum_is_named(
    server: BinanceServer, history: BinanceHistory
) -> None:
    """It was published so."""
    server.put(MAY, "")
    with pytest.raises(UpstreamRefused, match=r"BTCUSDT-1m-2025-05\.zip .*the file is empty"):
        await bars_of(history, "2025-05-01", "2025-06-01")


async def test_old_month_without_a_file_has_no_bars(
    server: BinanceServer, history: BinanceHistory
) -> None:
    """Days are not looked for; a month that has just ended may be there in days only."""
    assert 0 == len(await bars_of(history, "2025-01-01", "2025-04-01"))
    assert 3 == len(server.asked)
    del server.files[f"{MAY}.CHECKSUM"]
    server.publish("BTCUSDT", "2025-05-31")
    assert 1440 == len(await bars_of(history, "2025-05-01", "2025-06-01"))


async def test_funding_is_read_from_months_and_asked_for_after(
    server: BinanceServer, history: BinanceHistory
) -> None:
    """Stamps on the hour, rates as published."""
    server.publish_funding("BTCUSDT", "2025-05")
    asked = parse_moment("2025-05-31"), parse_moment("2025-06-02")
    pages = [page async for page in history.funding("BTC", *asked)]
    times = [time for stamps, _ in pages for time in stamps.tolist()]
    assert [parse_moment("2025-05-31") + 8 * 60 * MINUTE_MS * row for row in range(6)] == times
    assert 1 == server.asked.count("/fapi/v1/fundingRate")


async def test_records_have_the_symbol_and_the_digits(
    server: BinanceServer, history: BinanceHistory
) -> None:
    """No lattice of sizes: that of the simulated venue follows from the prices."""
    server.bars["\u5e01\u5b89USDT"] = server.bars["BTCUSDC"] = BARS
    expected = {"source_symbol": "BTCUSDT", "price_decimals": 1, "size_step": "0.001"}
    assert {"BTC": expected} == await history.instruments()


async def test_place_where_binance_refuses_has_its_files(
    server: BinanceServer, history: BinanceHistory
) -> None:
    """What must be asked for is refused in one line."""
    server.refuses = 451
    assert 2 * 1440 == len(await bars_of(history, "2025-05-01", "2025-06-01"))
    with pytest.raises(UpstreamRefused, match="Binance answered 451: restricted location"):
        await history.instruments()


async def test_disk_that_refuses_is_named(history: BinanceHistory, tmp_path: Path) -> None:
    """With the folder."""
    (tmp_path / "downloads").write_text("in the way")
    with pytest.raises(StorageError, match="cannot keep files in"):
        await bars_of(history, "2025-05-01", "2025-06-01")


def test_symbols_are_binances() -> None:
    """Coins that are too cheap for one are traded by the thousand."""
    assert ["BTCUSDT", "1000PEPEUSDT", "KAVAUSDT"] == [
        symbol_of(coin) for coin in ("BTC", "kPEPE", "KAVA")
    ]
