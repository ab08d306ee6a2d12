"""The kline store: what is written is read, merged, hashed and never half there."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.data_collector.market import START_MS, make_bars

from suite.bars import MINUTE_MS, Bars
from suite.errors import DataGap, StorageError
from suite.fixed import USD_ONE, Rate, Usd
from suite.instrument import MarginTier
from suite.klines import (
    INSTRUMENT_FIELDS,
    Source,
    WriteResult,
    bars_equal,
    brackets_of,
    empty_bars,
    gaps_of,
    merge_bars,
    merge_funding,
    take_bars,
)
from suite.service.kline_store import KlineStore, instrument_of

USDM = Source("binance-usdm")
FTX = Source("ftx")
SYNTHETIC = Source("synthetic")
JUNE_MS = 1_748_736_000_000
BRACKETS = [
    {"min_notional": 0.0, "max_notional": 9.0, "maint_margin_rate": 0.01, "max_leverage": 50.0}
]

stamps = st.dictionaries(st.integers(0, 50), st.integers(-5, 5))
minutes = st.sets(st.integers(0, 60), max_size=40)


def bars_at(rows: set[int], price: float = 100.0) -> Bars:
    skip = [row for row in range(61) if row not in rows]
    return make_bars(61, price=price, skip=skip)


@pytest.fixture
def store(tmp_path: Path) -> KlineStore:
    return KlineStore(tmp_path / "store")


# ---- merging and gaps ---------------------------------------------------------------------------


@given(old=minutes, new=minutes)
def test_merge_is_the_union_and_counts_every_new_row(old: set[int], new: set[int]) -> None:
    """Rows of both sides are there once, and added plus same is what came."""
    merge = merge_bars(bars_at(old), bars_at(new))
    assert merge.bars.open_time_ms.tolist() == bars_at(old | new).open_time_ms.tolist()
    expected = WriteResult(added=len(new - old), same=len(new & old), revised=0)
    assert expected == merge.result


@given(old=minutes, new=minutes)
def test_merge_twice_changes_nothing_more(old: set[int], new: set[int]) -> None:
    """Merging is idempotent."""
    once = merge_bars(bars_at(old), bars_at(new)).bars
    twice = merge_bars(once, bars_at(new))
    assert bars_equal(once, twice.bars)
    assert WriteResult(same=len(new)) == twice.result


@given(old=minutes, new=minutes)
def test_merge_prefers_new_values_and_hands_back_the_old_ones(old: set[int], new: set[int]) -> None:
    """A changed bar appears in both its versions."""
    merge = merge_bars(bars_at(old), bars_at(new, price=200.0))
    assert len(old & new) == merge.result.revised == len(merge.replaced)
    assert bars_equal(merge.replaced, bars_at(old & new))
    assert bars_equal(merge.replacing, bars_at(old & new, price=200.0))


@given(rows=minutes)
def test_gaps_and_bars_fill_the_whole_span(rows: set[int]) -> None:
    """Missing plus stored bars are all bars from the first to the last."""
    bars = bars_at(rows)
    missing = sum(gap.bars(MINUTE_MS) for gap in gaps_of(bars.open_time_ms, MINUTE_MS))
    span = max(rows) - min(rows) + 1 if rows else 0
    assert span == missing + len(rows)


@given(cut=st.integers(0, 61), rows=minutes)
def test_writing_in_two_parts_stores_what_writing_at_once_does(cut: int, rows: set[int]) -> None:
    """Merging is associative over a split."""
    bars = bars_at(rows)
    place = int(np.searchsorted(bars.open_time_ms, START_MS + cut * MINUTE_MS))
    first, second = bars.rows(0, place), bars.rows(place, len(bars))
    parts = merge_bars(merge_bars(empty_bars(MINUTE_MS), second).bars, first).bars
    assert bars_equal(bars, parts)


@given(stamps, stamps)
def test_funding_merges_like_a_dictionary(old: dict[int, int], new: dict[int, int]) -> None:
    """Where both have a stamp the new rate is kept."""
    sides = [
        (np.array(sorted(side), np.int64), np.array([side[k] for k in sorted(side)], float))
        for side in (old, new)
    ]
    (times, rates), result = merge_funding(*sides)
    assert {**old, **new} == dict(zip(times.tolist(), rates.tolist(), strict=True))
    assert sum(old[key] != new[key] for key in old.keys() & new.keys()) == result.revised


# ---- writing and reading ------------------------------------------------------------------------


def test_what_was_written_is_read_back_to_the_last_bit(store: KlineStore) -> None:
    """Floats survive, over a month boundary too."""
    bars = make_bars(200, start_ms=JUNE_MS - 100 * MINUTE_MS, price=0.1 + 0.2)
    assert WriteResult(added=200) == store.write_bars(USDM, "BTC", bars)
    assert bars_equal(bars, store.read("BTC"))
    around = 10 * MINUTE_MS
    part = store.read("BTC", "1m", JUNE_MS - around, JUNE_MS + around)
    assert bars_equal(bars.rows(90, 110), part)
    assert 2 == store.file_count


def test_same_bars_again_touch_no_file(store: KlineStore) -> None:
    """A duplicate write is free and leaves every file as it was."""
    bars = make_bars(50)
    store.write_bars(USDM, "BTC", bars)
    before = {path: path.stat().st_mtime_ns for path in store.root.rglob("*.*")}
    assert WriteResult(same=50) == store.write_bars(USDM, "BTC", bars)
    assert before == {path: path.stat().st_mtime_ns for path in store.root.rglob("*.*")}


def test_changed_bar_is_kept_as_a_revision(store: KlineStore) -> None:
    """The old values of a changed bar stay on disk beside the new ones."""
    import pyarrow.parquet as pq

    store.write_bars(USDM, "BTC", make_bars(5))
    changed = take_bars(make_bars(5, price=200.0), slice(2, 3))
    for _ in range(2):
        store.write_bars(USDM, "BTC", changed)
    assert 200.2 == store.read("BTC").close[2]
    files = list(store.root.glob("revisions/**/*.parquet"))
    assert 1 == len(files)
    row = pq.ParquetFile(files[0]).read().to_pylist()[0]
    assert (100.2, 200.2) == (row["close"], row["new_close"])


def test_changed_funding_is_kept_as_a_revision(store: KlineStore) -> None:
    """Funding is never rewritten silently either."""
    store.write_bars(USDM, "BTC", make_bars(5))
    stamp = np.array([START_MS], np.int64)
    store.write_funding(USDM, "BTC", stamp, np.array([0.0001]))
    assert 1 == store.write_funding(USDM, "BTC", stamp, np.array([0.0002])).revised
    assert [0.0002] == store.read_funding("BTC")[1].tolist()
    assert 1 == len(list(store.root.glob("revisions/**/funding/*.parquet")))


def test_coverage_and_ledger_name_the_gaps(store: KlineStore) -> None:
    """What is missing is known from the bars and written down."""
    store.write_bars(USDM, "BTC", make_bars(10, skip=[3, 4, 7]))
    held = store.coverage("BTC")
    gaps = [
        (START_MS + 3 * MINUTE_MS, START_MS + 5 * MINUTE_MS),
        (START_MS + 7 * MINUTE_MS, START_MS + 8 * MINUTE_MS),
    ]
    assert gaps == [(gap.start_ms, gap.end_ms) for gap in held.gaps]
    assert (START_MS, START_MS + 10 * MINUTE_MS, 7) == (held.first_open_ms, held.end_ms, held.bars)
    ledger = store.ledger(USDM, "BTC", "1m")
    assert ledger is not None
    assert gaps == [(gap.start_ms, gap.end_ms) for gap in ledger.gaps]


def test_filled_gap_leaves_the_ledger(store: KlineStore) -> None:
    """A gap that is filled later is one no more."""
    store.write_bars(USDM, "BTC", make_bars(10, skip=[3, 4]))
    store.write_bars(USDM, "BTC", make_bars(10))
    assert () == store.coverage("BTC").gaps
    ledger = store.ledger(USDM, "BTC", "1m")
    assert ledger is not None
    assert () == ledger.gaps


# ---- which source -------------------------------------------------------------------------------


def test_real_perpetuals_come_before_others(store: KlineStore) -> None:
    """Of several sources the choice is fixed, whatever was written first."""
    spot = Source("binance", "spot")
    for source, price in ((SYNTHETIC, 1.0), (FTX, 2.0), (spot, 3.0), (USDM, 4.0)):
        store.write_bars(source, "BTC", make_bars(3, price=price))
    assert USDM == store.source_of("BTC")
    assert 4.0 == store.read("BTC").close[0]
    assert 2.0 == store.read("BTC", source="ftx").close[0]
    assert 3.0 == store.read("BTC", source="binance/spot").close[0]
    assert ("BTC",) == store.coins()


def test_source_without_the_interval_is_passed_over(store: KlineStore) -> None:
    """The preferred source is preferred only for what it has."""
    store.write_bars(USDM, "BTC", make_bars(3, step_ms=5 * MINUTE_MS))
    store.write_bars(FTX, "BTC", make_bars(3))
    assert (FTX, USDM) == (store.source_of("BTC", "1m"), store.source_of("BTC", "5m"))


# ---- what is missing or damaged -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("coin", "arguments", "text"),
    [
        ("ETH", {}, "no stored bars of ETH; stored are BTC"),
        (
            "BTC",
            {"interval": "5m"},
            "BTC has no stored 5m bars; stored are 1m of binance-usdm/perp",
        ),
        ("BTC", {"source": "ftx"}, "BTC has no stored 1m bars of ftx; stored are 1m of"),
        ("BTC", {"from_ms": JUNE_MS}, "stored are 2025-05-05 00:00 to 2025-05-05 00:05"),
        ("../x", {}, "no stored bars of ../x"),
    ],
)
def test_missing_data_names_what_there_is(
    store: KlineStore, coin: str, arguments: dict[str, str], text: str
) -> None:
    """A reader that asks for too much learns what it may ask for."""
    store.write_bars(USDM, "BTC", make_bars(5))
    with pytest.raises(DataGap, match=text.replace(".", r"\.")) as raised:
        store.read(coin, **arguments)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)


def test_store_that_does_not_exist_says_how_to_fill_it(tmp_path: Path) -> None:
    """An empty store is no crash."""
    store = KlineStore(tmp_path / "nothing")
    assert () == store.coins()
    with pytest.raises(DataGap, match="data-collector import or generate"):
        store.read("BTC")


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty", "columns", "order"])
def test_damaged_parquet_is_named_in_one_line(store: KlineStore, damage: str) -> None:
    """Reading and writing both refuse a damaged file, and leave it as it is."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    store.write_bars(USDM, "BTC", make_bars(500))
    path = next(store.root.glob("klines/**/*.parquet"))
    content = path.read_bytes()
    if damage == "columns":
        pq.write_table(pa.table({"time": [1, 2]}), path)
    elif damage == "order":
        table = pq.ParquetFile(path).read()
        pq.write_table(pa.concat_tables([table.slice(5), table.slice(0, 5)]), path)
    else:
        path.write_bytes({"cut": content[:-100], "garbage": b"PAR1" * 40, "empty": b""}[damage])
    broken = path.read_bytes()
    for action in (lambda: store.read("BTC"), lambda: store.write_bars(USDM, "BTC", make_bars(9))):
        with pytest.raises(StorageError, match="is damaged") as raised:
            action()
        assert str(path) in str(raised.value)
        assert "\n" not in str(raised.value)
    assert broken == path.read_bytes()


def test_damaged_record_is_named(store: KlineStore) -> None:
    """JSON beside the bars is checked as well."""
    store.write_bars(USDM, "BTC", make_bars(5))
    store.write_record(USDM, "BTC", {"price_decimals": 1})
    path = next(store.root.glob("instruments/**/*.json"))
    path.write_text("{")
    with pytest.raises(StorageError, match="is damaged"):
        store.record("BTC")


# ---- content hash -------------------------------------------------------------------------------


def test_content_hash_does_not_depend_on_how_the_content_came(tmp_path: Path) -> None:
    """Order of writes, files and where data came from do not count; values do."""
    bars = make_bars(100, start_ms=JUNE_MS - 50 * MINUTE_MS)
    stamps = np.array([JUNE_MS], np.int64)
    hashes = []
    for name, cuts in (("a", (0, 100)), ("b", (0, 30, 60, 100))):
        store = KlineStore(tmp_path / name)
        for first, end in reversed(list(itertools.pairwise(cuts))):
            store.write_bars(USDM, "BTC", bars.rows(first, end))
        store.write_funding(USDM, "BTC", stamps, np.array([0.0001]))
        store.write_record(USDM, "BTC", {"price_decimals": 1, "source": name})
        hashes.append(store.content_hash("BTC"))
    assert hashes[0] == hashes[1]
    store.write_bars(FTX, "BTC", make_bars(5))
    store.write_bars(USDM, "ETH", make_bars(5))
    assert hashes[0] == store.content_hash("BTC")


def test_content_hash_does_not_depend_on_where_the_content_came_from(tmp_path: Path) -> None:
    """The same bars, funding and instrument of another venue and market, real or generated."""
    hashes = set()
    for number, source in enumerate((USDM, FTX, Source("ftx", "spot"), SYNTHETIC)):
        store = KlineStore(tmp_path / str(number))
        store.write_bars(source, "BTC", make_bars(5))
        store.write_funding(source, "BTC", np.array([START_MS], np.int64), np.array([0.1]))
        store.write_record(
            source,
            "BTC",
            {
                "price_decimals": 1,
                "leverage_brackets": BRACKETS,
                "source": f"from {number}",
                "source_symbol": f"BTC-{number}",
                "synthetic": source == SYNTHETIC,
                "generator": {"seed": number},
            },
        )
        hashes.add(store.content_hash("BTC"))
    assert 1 == len(hashes)


def test_content_hash_knows_every_field_that_makes_an_instrument() -> None:
    """A field that `instrument_of` reads without being in the hash would be a silent change."""
    read: set[str] = set()

    class Watched(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            read.add(key)
            return super().get(key, default)

        def __getitem__(self, key: str) -> Any:
            read.add(key)
            return super().__getitem__(key)

    instrument_of(Watched(leverage_brackets=BRACKETS, price_decimals=1), "NEWCOIN")
    assert set(INSTRUMENT_FIELDS) == read


@pytest.mark.parametrize(
    "field",
    [
        {"price_decimals": 2},
        {"sz_decimals": 1},
        {"max_leverage": 7},
        {"leverage_brackets": [{**BRACKETS[0], "max_leverage": 10}]},
    ],
)
def test_content_hash_changes_with_the_instrument(
    store: KlineStore, field: dict[str, object]
) -> None:
    store.write_bars(USDM, "BTC", make_bars(5))
    store.write_record(USDM, "BTC", {"price_decimals": 1, "leverage_brackets": BRACKETS})
    before = store.content_hash("BTC")
    store.write_record(USDM, "BTC", field)
    assert before != store.content_hash("BTC")


@pytest.mark.parametrize("what", ["bar", "funding", "record"])
def test_content_hash_changes_with_the_content(store: KlineStore, what: str) -> None:
    """Everything a result can depend on is in it."""
    store.write_bars(USDM, "BTC", make_bars(5))
    before = store.content_hash("BTC", START_MS, JUNE_MS)
    if what == "bar":
        store.write_bars(USDM, "BTC", make_bars(6))
    elif what == "funding":
        store.write_funding(USDM, "BTC", np.array([START_MS], np.int64), np.array([0.1]))
    else:
        store.write_record(USDM, "BTC", {"price_decimals": 2})
    assert before != store.content_hash("BTC", START_MS, JUNE_MS)
    assert 64 == len(before)


def test_fingerprint_changes_when_bars_do(store: KlineStore) -> None:
    """A cache can tell that its copy is old."""
    store.write_bars(USDM, "BTC", make_bars(5))
    before = store.fingerprint("BTC", source=USDM)
    assert before == store.fingerprint("BTC", source=USDM)
    store.write_bars(USDM, "BTC", make_bars(6))
    assert before != store.fingerprint("BTC", source=USDM)


# ---- records and instruments --------------------------------------------------------------------


def test_record_fields_add_up(store: KlineStore) -> None:
    """Decimals never shrink, None leaves a field alone, others are replaced."""
    store.write_bars(USDM, "BTC", make_bars(5))
    assert store.record("BTC") is None
    store.write_record(USDM, "BTC", {"price_decimals": 2, "synthetic": False})
    store.write_record(USDM, "BTC", {"price_decimals": 1, "synthetic": None, "source": "x"})
    record = store.record("BTC")
    assert record is not None
    assert (2, False, "x") == (record["price_decimals"], record["synthetic"], record["source"])
    assert ("BTC", "binance-usdm", "perp") == (record["coin"], record["venue"], record["market"])


def test_known_coin_has_the_shipped_lattice_and_leverage() -> None:
    """Without a record, and with one that says nothing of it."""
    for record in (None, {"price_decimals": 2}):
        instrument = instrument_of(record, "BTC")
        assert (5, 1, 40) == (
            instrument.sz_decimals,
            instrument.price_decimals,
            instrument.max_leverage,
        )


def test_unknown_coin_is_derived_from_its_prices() -> None:
    """Size decimals are six minus the price decimals seen, within 0 to 5."""
    assert (3, 5) == (
        instrument_of({"price_decimals": 3}, "ZZZ").sz_decimals,
        instrument_of({"price_decimals": 3}, "ZZZ").max_leverage,
    )
    assert 0 == instrument_of({"price_decimals": 9}, "ZZZ").sz_decimals
    assert 5 == instrument_of({"price_decimals": 0}, "ZZZ").sz_decimals


def test_record_wins_over_the_shipped_table() -> None:
    """What the store says of size decimals and leverage is taken."""
    instrument = instrument_of({"sz_decimals": 3, "max_leverage": 7}, "BTC")
    assert (3, 7) == (instrument.sz_decimals, instrument.max_leverage)


def make_tier(dollars: int, leverage: int, rate: int) -> MarginTier:
    bound = Usd(dollars * USD_ONE)
    return MarginTier(lower_bound_usd=bound, max_leverage=leverage, maintenance_rate=Rate(rate))


TIERS = (
    make_tier(0, 75, 5_000_000),
    make_tier(50_000, 50, 6_500_000),
    make_tier(10**6, 1, 5 * 10**8),
)


@pytest.mark.parametrize("coin", ["BTC", "ZZZ"])
def test_imported_brackets_are_the_tiers_to_the_unit(store: KlineStore, coin: str) -> None:
    """Of known coins too: the shipped leverage gives way."""
    store.write_record(USDM, coin, {"leverage_brackets": brackets_of(TIERS)})
    assert TIERS == instrument_of(store.record_at(USDM, coin), coin).tiers


def test_brackets_that_were_stored_as_numbers_are_read_as_published() -> None:
    """A float's shortest text is the number that was published."""
    brackets = [
        {"min_notional": 0.0, "maint_margin_rate": 0.004, "max_leverage": 125.0},
        {"min_notional": 600000.0, "maint_margin_rate": 0.0065, "max_leverage": 75.0},
    ]
    tiers = instrument_of({"leverage_brackets": brackets}, "BTC").tiers
    assert (make_tier(0, 125, 4_000_000), make_tier(600_000, 75, 6_500_000)) == tiers


def test_highest_leverage_of_a_record_bounds_its_brackets() -> None:
    """Maintenance stays what the brackets ask for."""
    record = {"leverage_brackets": brackets_of(TIERS), "max_leverage": 10}
    tiers = instrument_of(record, "BTC").tiers
    assert [10, 10, 1] == [tier.max_leverage for tier in tiers]
    assert [tier.maintenance for tier in TIERS] == [tier.maintenance for tier in tiers]


def test_removed_coin_is_gone_and_others_stay(store: KlineStore) -> None:
    """Synthetic data can be replaced without touching real data."""
    for source in (SYNTHETIC, USDM):
        store.write_bars(source, "BTC", make_bars(5))
        store.write_record(source, "BTC", {"price_decimals": 1})
    store.remove(SYNTHETIC, "BTC")
    assert ((USDM, "BTC", "1m"),) == store.series()
    assert (
        json.loads(next(store.root.glob("instruments/**/*.json")).read_text())["venue"]
        == USDM.venue
    )
