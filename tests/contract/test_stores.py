"""One store, wherever its files are: a folder, an fsspec filesystem, an S3 server.

The S3 server is moto, in an environment of its own (`make peers`); where it is missing that part is
skipped.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.support.s3 import missing, running_s3
from tests.unit.data_collector.market import START_MS, make_bars
from tests.unit.data_collector.serving import Client

from data_collector.adapters.stored_files import StoredFiles
from data_collector.application.verifying import verify
from data_collector.cli import cli
from data_collector.main import create_app
from data_collector.settings import Settings
from suite.bars import MINUTE_MS, Bars
from suite.errors import ConfigError, DataGap, StorageError
from suite.klines import Gap, Source, WriteResult, bars_equal, merge_bars
from suite.service.cli import run_command
from suite.service.kline_store import PARTS_MAX, KlineStore, open_store
from virtual_exchange.adapters.store_market import StoreMarkets
from virtual_exchange.application.ports import MarketQuery

SOURCE = Source("hyperliquid")
JUNE_MS = 1_748_736_000_000
HOUR = 60
numbers = itertools.count()


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a bucket on a server of this machine."""
    if missing():
        pytest.skip(missing())
    with running_s3(tmp_path_factory.mktemp("s3")) as url:
        yield url


@pytest.fixture(params=["folder", "memory", "s3"])
def address(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """As it stands behind --data."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if request.param == "folder":
        return str(tmp_path / "store")
    if request.param == "memory":
        return f"memory://stores/{next(numbers)}"
    url: str = request.getfixturevalue("s3").format(f"deep/{next(numbers)}")
    return url


@pytest.fixture
def store(address: str) -> KlineStore:
    return KlineStore(address)


def names(store: KlineStore, month: str = "05") -> list[str]:
    found = store.files.files(f"klines/**/date=2025-{month}/part-*.parquet")
    return [file.name.rpartition("/")[2] for file in found]


def minutes(first: int, end: int, price: float = 100.0) -> Bars:
    return make_bars(end, price=price).rows(first, end)


def problems(store: KlineStore) -> list[str]:
    return [item.problem for item in verify(StoredFiles(store)) if item.problem]


def test_import_gives_one_file_a_month(store: KlineStore) -> None:
    bars = make_bars(3000, start_ms=JUNE_MS - 1000 * MINUTE_MS)
    assert WriteResult(added=3000) == store.write_bars(SOURCE, "BTC", bars)
    assert (["part-0.parquet"], ["part-0.parquet"]) == (names(store), names(store, "06"))
    assert bars_equal(bars, store.read("BTC"))
    around = 10 * MINUTE_MS
    part = store.read("BTC", "1m", JUNE_MS - around, JUNE_MS + around)
    assert bars_equal(bars.rows(990, 1010), part)
    assert [] == problems(store)


def test_what_is_appended_is_read_behind_the_rest(store: KlineStore) -> None:
    """Each append is a file of its own rows; numbers above nine come after those below."""
    for hour in range(12):
        rows = minutes(hour * HOUR, hour * HOUR + HOUR)
        assert WriteResult(added=HOUR) == store.append_bars(SOURCE, "BTC", rows)
    assert 12 == len(names(store))
    assert bars_equal(minutes(0, 12 * HOUR), store.read("BTC"))
    assert [] == problems(store)
    assert 11 == store.compact(SOURCE, "BTC", "1m")
    assert ["part-12.parquet"] == names(store)
    assert bars_equal(minutes(0, 12 * HOUR), store.read("BTC"))
    assert 0 == store.compact(SOURCE, "BTC", "1m")
    assert [] == problems(store)


def test_append_over_the_end_of_a_month_is_in_both(store: KlineStore) -> None:
    bars = make_bars(100, start_ms=JUNE_MS - 50 * MINUTE_MS)
    store.append_bars(SOURCE, "BTC", bars)
    assert (["part-0.parquet"], ["part-0.parquet"]) == (names(store), names(store, "06"))
    assert bars_equal(bars, store.read("BTC"))


@pytest.mark.parametrize("first", [0, 30, 59])
def test_append_of_what_is_not_new_is_a_write(store: KlineStore, first: int) -> None:
    """Old bars with other values are revised, with a record; nothing is there twice."""
    store.append_bars(SOURCE, "BTC", minutes(0, HOUR))
    new = minutes(first, first + HOUR, price=200.0)
    result = store.append_bars(SOURCE, "BTC", new)
    assert WriteResult(added=first, revised=HOUR - first) == result
    assert bars_equal(merge_bars(minutes(0, HOUR), new).bars, store.read("BTC"))
    assert 1 == len(store.files.files("revisions/**/part-*.parquet"))


def test_ledger_grows_with_appends_as_if_it_were_made_anew(store: KlineStore) -> None:
    for hour in (0, 1, 3, 4, 9):
        store.append_bars(SOURCE, "BTC", minutes(hour * HOUR, hour * HOUR + 50))
        held, found = store.ledger(SOURCE, "BTC", "1m"), store.coverage("BTC")
        assert held is not None
        assert (held.bars, held.gaps) == (found.bars, found.gaps)
    assert [] == problems(store)
    assert [10, 70, 10, 250] == [gap.bars(MINUTE_MS) for gap in store.coverage("BTC").gaps]


def test_month_in_too_many_files_becomes_one(store: KlineStore) -> None:
    for minute in range(PARTS_MAX + 3):
        store.append_bars(SOURCE, "BTC", minutes(minute, minute + 1))
    assert len(names(store)) < PARTS_MAX
    assert bars_equal(minutes(0, PARTS_MAX + 3), store.read("BTC"))
    assert [] == problems(store)


def test_funding_and_open_interest_are_merged(store: KlineStore) -> None:
    """Newer values make a file of their own, others replace; what is lost is kept."""
    store.write_bars(SOURCE, "BTC", minutes(0, 5))
    stamps = START_MS + np.arange(4, dtype=np.int64) * 3_600_000
    values = np.array([1.0, 2.0, 3.0, 4.0])
    assert WriteResult(added=2) == store.write_open_interest(SOURCE, "BTC", stamps[:2], values[:2])
    assert WriteResult(added=2) == store.write_open_interest(SOURCE, "BTC", stamps[2:], values[2:])
    assert 2 == len(store.files.files("open_interest/**/*.parquet"))
    change = store.write_open_interest(SOURCE, "BTC", stamps[1:3], np.array([2.0, 9.0]))
    assert WriteResult(same=1, revised=1) == change
    times, found = store.read_open_interest("BTC", int(stamps[1]), int(stamps[3]))
    assert (stamps[1:3].tolist(), [2.0, 9.0]) == (times.tolist(), found.tolist())
    store.write_funding(SOURCE, "BTC", stamps, values)
    assert WriteResult(revised=4) == store.write_funding(SOURCE, "BTC", stamps, values * 2)
    assert (values * 2).tolist() == store.read_funding("BTC")[1].tolist()
    kept = [file.name.split("/")[-2] for file in store.files.files("revisions/**/*.parquet")]
    assert ["funding", "open_interest"] == kept
    assert [] == problems(store)


def test_record_that_is_changed_can_be_found(store: KlineStore) -> None:
    """What is added is no change; what is replaced is kept, in order."""
    store.write_bars(SOURCE, "BTC", minutes(0, 5))
    store.write_record(SOURCE, "BTC", {"max_leverage": 40})
    store.write_record(SOURCE, "BTC", {"sz_decimals": 5})
    assert [] == store.files.files("revisions/**/*.json")
    for leverage in (50, 40, 20):
        store.write_record(SOURCE, "BTC", {"max_leverage": leverage})
    record = store.record("BTC")
    assert record is not None
    assert 20 == record["max_leverage"]
    kept = store.files.files("revisions/**/instrument/*.json")
    texts = [(store.files.read(file.name) or b"").decode() for file in kept]
    assert [True, True, True] == [
        f'"max_leverage": {n}' in text for n, text in zip((40, 50, 40), texts, strict=True)
    ]


def test_reason_of_a_gap_outlives_writes_until_it_is_filled(store: KlineStore) -> None:
    gap = Gap(START_MS + 10 * MINUTE_MS, START_MS + 20 * MINUTE_MS)
    store.append_bars(SOURCE, "BTC", minutes(0, 10))
    store.note_gap(SOURCE, "BTC", "1m", gap, "outage", asked_ms=7)
    assert () == store.coverage("BTC").gaps
    store.append_bars(SOURCE, "BTC", minutes(20, 30))
    expected = (Gap(gap.start_ms, gap.end_ms, "outage", 7),)
    assert expected == store.coverage("BTC").gaps
    store.write_bars(SOURCE, "BTC", minutes(15, 40))
    assert [(5, "outage")] == [(g.bars(MINUTE_MS), g.reason) for g in store.coverage("BTC").gaps]
    store.write_bars(SOURCE, "BTC", minutes(0, 40))
    assert () == store.coverage("BTC").gaps


def test_ledger_of_other_files_is_made_anew_and_keeps_its_reasons(store: KlineStore) -> None:
    """A writer was killed before it came to the ledger."""
    gap = Gap(START_MS + 10 * MINUTE_MS, START_MS + 20 * MINUTE_MS)
    store.write_bars(SOURCE, "BTC", merge_bars(minutes(0, 10), minutes(20, 30)).bars)
    store.note_gap(SOURCE, "BTC", "1m", gap, "refused")
    name = store.ledger_name(SOURCE, "BTC", "1m")
    before = store.files.read(name)
    store.append_bars(SOURCE, "BTC", minutes(32, 40))
    store.files.write(name, before)
    expected = [(10, "refused"), (2, "unknown")]
    for _ in range(2):
        found = store.coverage("BTC")
        assert expected == [(gap.bars(MINUTE_MS), gap.reason) for gap in found.gaps]
        assert START_MS + 40 * MINUTE_MS == found.end_ms
        store.append_bars(SOURCE, "BTC", minutes(0, 1))
    assert [] == problems(store)


@pytest.mark.parametrize("count", [1, 12])
def test_old_values_never_win_over_a_newer_file(store: KlineStore, count: int) -> None:
    """A writer that was killed before it deleted what it had replaced."""
    for number in range(count):
        store.append_bars(SOURCE, "BTC", minutes(number * 5, number * 5 + 5))
    old = {file.name: store.files.read(file.name) for file in store.files.files("klines/**/*")}
    new = minutes(0, 3, price=500.0)
    store.write_bars(SOURCE, "BTC", new)
    for name, data in old.items():
        store.files.write(name, data)
    expected = merge_bars(minutes(0, count * 5), new).bars
    assert bars_equal(expected, store.read("BTC"))
    assert [] == problems(store)
    store.write_bars(SOURCE, "BTC", new)
    assert 1 == len(names(store))
    assert bars_equal(expected, store.read("BTC"))


def test_damaged_file_is_named_and_left_as_it_is(store: KlineStore) -> None:
    store.write_bars(SOURCE, "BTC", minutes(0, 50))
    (file,) = store.files.files("klines/**/*.parquet")
    store.files.write(file.name, b"PAR1" * 40)
    for action in (
        lambda: store.read("BTC"),
        lambda: store.coverage("BTC"),
        lambda: store.write_bars(SOURCE, "BTC", minutes(0, 9)),
        lambda: store.append_bars(SOURCE, "BTC", minutes(60, 70)),
        lambda: store.compact(SOURCE, "BTC", "1m"),
    ):
        with pytest.raises(StorageError, match=r"part-0\.parquet is damaged: "):
            action()
    assert b"PAR1" * 40 == store.files.read(file.name)


def test_removed_coin_is_gone_and_others_stay(store: KlineStore) -> None:
    for coin in ("BTC", "ETH"):
        store.write_bars(SOURCE, coin, minutes(0, 5))
        store.write_record(SOURCE, coin, {"price_decimals": 1})
    store.remove(SOURCE, "BTC")
    store.remove(SOURCE, "SOL")
    assert ("ETH",) == store.coins()
    assert ["symbol=ETH.json"] == [
        file.name.rpartition("/")[2] for file in store.files.files("instruments/**/*.json")
    ]


def test_store_that_is_not_there_says_so(store: KlineStore) -> None:
    with pytest.raises(DataGap, match="import or generate"):
        store.read("BTC")
    assert not store.files.exists()
    assert "test:test" not in store.files.place


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        run_command(cli, name="data-collector", args=[str(item) for item in arguments])
    assert isinstance(left.value.code, int)
    return left.value.code


def test_commands_and_worlds_take_the_address(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Generated, checked, compacted, drawn and simulated there; no key is printed."""
    at = ("--data", address)
    assert 0 == run("generate", "--symbols", "BTC", "--days", 2, *at)
    assert 0 == run("compact", *at)
    assert 0 == run("coverage", "--picture", tmp_path / "coverage.svg", *at)
    assert 0 == run("verify", "--write", *at)
    store = KlineStore(address)
    (tmp_path / "manifest.json").write_bytes(store.files.read("manifest.json") or b"")
    assert 0 == run("verify", "--manifest", tmp_path / "manifest.json", *at)
    assert "test:test" not in "".join(capsys.readouterr())
    markets, query = StoreMarkets(address), MarketQuery(coins=("BTC",), from_ms=None, to_ms=None)
    before = markets.version(query)
    assert ("BTC",) == tuple(markets.load(query).coins)
    store.append_bars(Source("synthetic"), "BTC", make_bars(5, start_ms=JUNE_MS))
    assert before != markets.version(query)


def test_service_serves_a_store_by_its_address(address: str) -> None:
    KlineStore(address).write_bars(SOURCE, "BTC", minutes(0, 50))
    answer = Client(create_app(Settings(data=address))).get("/klines/BTC")
    assert 50 == len(answer.json())


def test_address_of_no_known_filesystem_is_told_in_one_line() -> None:
    with pytest.raises(ConfigError, match="cannot open nowhere://bucket/x: ") as raised:
        open_store("nowhere://key:secret@bucket/x?token=1")
    assert "secret" not in str(raised.value)


def test_content_is_the_same_wherever_it_is(store: KlineStore, tmp_path: Path) -> None:
    """By hash, and by the bytes of every file."""
    local = KlineStore(tmp_path / "local")
    for one in (local, store):
        one.write_bars(SOURCE, "BTC", minutes(0, 500))
        one.write_record(SOURCE, "BTC", {"price_decimals": 1})
    assert local.content_hash("BTC") == store.content_hash("BTC")
    for file in local.files.files("klines/**/*"):
        assert local.files.read(file.name) == store.files.read(file.name)
