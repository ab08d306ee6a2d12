"""Files of every known layout become the same bars; bad ones are told in one line."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.data_collector.market import (
    NOW_MS,
    START_MS,
    binance_csv,
    generic_csv,
    make_bars,
    write_gzip,
    write_zip,
)

from data_collector.adapters.import_files import MarketFiles, find_files
from data_collector.adapters.import_ledger import FileLedger
from data_collector.application.importing import Importer, ImportOptions, Outcome
from suite.bars import MINUTE_MS
from suite.errors import ConfigError
from suite.klines import COLUMNS, Source, bars_equal
from suite.service.kline_store import KlineStore, instrument_of

BARS = make_bars(30)


@pytest.fixture
def store(tmp_path: Path) -> KlineStore:
    return KlineStore(tmp_path / "store")


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


def run(store: KlineStore, path: Path, options: ImportOptions | None = None) -> list[Outcome]:
    importer = Importer(store, MarketFiles(), FileLedger(store), lambda: NOW_MS)
    return list(importer.run(path, find_files(path), options or ImportOptions()))


def write_parquet(path: Path, time: str = "timestamp") -> None:
    columns = {time if name == "open_time_ms" else name: getattr(BARS, name) for name in COLUMNS}
    pq.write_table(pa.table(columns), path)


def write_dated(path: Path) -> None:
    times = BARS.open_time_ms.astype("datetime64[ms]")
    rest = {name.upper(): getattr(BARS, name) for name in COLUMNS[1:]}
    pq.write_table(pa.table({"Date": pa.array(times), **rest}), path)


def iso(text: str) -> str:
    lines = text.splitlines()
    for row, opened in enumerate(BARS.open_time_ms, 1):
        moment = str(np.datetime64(int(opened), "ms").astype("datetime64[s]")) + "Z"
        lines[row] = moment + lines[row][13:]
    return "\n".join(lines)


PLAIN = generic_csv(BARS)
LAYOUTS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "parquet": ("BTCUSDT-1m.parquet", write_parquet),
    "parquet with dates": ("BTCUSDT-1m.parquet", write_dated),
    "own parquet": ("BTC-1m.parquet", lambda path: write_parquet(path, "open_time_ms")),
    "csv": ("BTCUSDT-1m.csv", lambda path: path.write_text(PLAIN)),
    "csv.gz": ("BTCUSDT-1m.csv.gz", lambda path: write_gzip(path, PLAIN)),
    "csv with ISO dates": ("BTCUSDT-1m.csv", lambda path: path.write_text(iso(PLAIN))),
    "csv with semicolons": ("btc.csv", lambda path: path.write_text(PLAIN.replace(",", ";"))),
    "csv with BOM and CRLF": (
        "btc.csv",
        lambda path: path.write_bytes(b"\xef\xbb\xbf" + PLAIN.replace("\n", "\r\n").encode()),
    ),
    "csv in seconds": (
        "BTC_USD.csv",
        lambda path: path.write_text(re.sub(r"(?m)^(\d{10})000,", r"\1,", PLAIN)),
    ),
    "csv with odd names": (
        "btc.csv",
        lambda path: path.write_text(generic_csv(BARS, "Open Time,OPEN,High,low,Close,Vol")),
    ),
    "csv without names": (
        "btc-1m.csv",
        lambda path: path.write_text(PLAIN.partition("\n")[2]),
    ),
    "binance zip": (
        "BTCUSDT-1m-2025-05.zip",
        lambda path: write_zip(path, binance_csv(BARS, header=False)),
    ),
    "binance zip with names": (
        "BTCUSDT-1m-2025-05.zip",
        lambda path: write_zip(path, binance_csv(BARS, header=True)),
    ),
    "binance csv in microseconds": (
        "BTCUSDT-1m-2025-05.csv",
        lambda path: path.write_text(binance_csv(BARS, header=False, unit=1000)),
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_becomes_the_same_bars(store: KlineStore, inbox: Path, layout: str) -> None:
    """What differs is the file, never the bars."""
    name, write = LAYOUTS[layout]
    write(inbox / name)
    (outcome,) = run(store, inbox)
    assert ("imported", "") == (outcome.status, outcome.reason)
    assert bars_equal(BARS, store.read("BTC"))
    record = store.record("BTC")
    assert record is not None
    assert (1, False) == (record["price_decimals"], record["synthetic"])


ARABIC = str.maketrans("0123456789", "".join(chr(0x660 + digit) for digit in range(10)))


@pytest.mark.parametrize(
    "odd", [lambda text: f"{text[0]}_{text[1:]}", lambda text: text.translate(ARABIC)]
)
def test_number_in_another_notation_is_no_number(
    store: KlineStore, inbox: Path, odd: Callable[[str], str]
) -> None:
    """Its row is left out and counted, though Python would read it."""
    rows = [line.split(",") for line in PLAIN.splitlines()]
    rows[3][4] = odd(rows[3][4])
    rows[5][0] = odd(rows[5][0])
    text = "\n".join(",".join(cells) for cells in rows)
    (inbox / "BTCUSDT-1m.csv").write_text(text, encoding="utf-8")
    run(store, inbox)
    expected = np.delete(BARS.open_time_ms, [2, 4]).tolist()
    assert expected == store.read("BTC").open_time_ms.tolist()


def test_funding_of_binance_is_read(store: KlineStore, inbox: Path) -> None:
    """Three columns, with names or without, the rate is the last one."""
    eight_h = 8 * 60 * MINUTE_MS
    rows = f"{START_MS + 1},8,0.0001\n{START_MS + eight_h},8,-0.00005\n"
    (inbox / "BTCUSDT-1m.csv").write_text(PLAIN)
    (inbox / "BTCUSDT-fundingRate-2025-05.csv").write_text(
        "calc_time,funding_interval_hours,last_funding_rate\n" + rows
    )
    write_zip(inbox / "BTCUSDT-fundingRate-2025-06.zip", f"{START_MS + 2 * eight_h},8,0.0002\n")
    outcomes = run(store, inbox, ImportOptions(venue="binance"))
    assert ["imported"] * 3 == [outcome.status for outcome in outcomes]
    times, rates = store.read_funding("BTC")
    assert [START_MS, START_MS + eight_h, START_MS + 2 * eight_h] == times.tolist()
    assert [0.0001, -0.00005, 0.0002] == rates.tolist()


@pytest.mark.parametrize("name", ["leverage_tiers.json", "downloaded.json"])
def test_brackets_go_into_the_records_of_their_coins(
    store: KlineStore, inbox: Path, name: str
) -> None:
    """Told by their shape, whatever the file's name; before or after the bars of the coin."""
    first = '{"min_notional": 0.0, "maint_margin_rate": 0.0065, "max_leverage": 75.0}'
    second = '{"min_notional": 5e4, "maint_margin_rate": 0.01, "max_leverage": 50.0}'
    (inbox / name).write_text(f'{{"BTCUSDT": [{first}, {second}], "BTCUSDC": [{first}]}}')
    [outcome] = run(store, inbox)
    assert ("imported", "brackets") == (outcome.status, outcome.kind)
    assert "leverage brackets of 1 coins; 1 more symbols of the same coins left out" == (
        outcome.reason
    )
    tiers = instrument_of(store.record_at(Source("inbox"), "BTC"), "BTC").tiers
    assert [(0, 75, 6_500_000), (50_000_000_000, 50, 10_000_000)] == [
        (tier.lower_bound_usd, tier.max_leverage, tier.maintenance_rate) for tier in tiers
    ]


def test_other_json_is_told_and_left(store: KlineStore, inbox: Path) -> None:
    """One line each; what is imported beside it counts."""
    (inbox / "BTCUSDT-1m.csv").write_text(PLAIN)
    for name, text in {"a.json": "{}", "b.json": "[1, 2]", "c.json": "{", "d.json": "3"}.items():
        (inbox / name).write_text(text)
    outcomes = run(store, inbox)
    assert ["imported", *["unknown"] * 4] == [outcome.status for outcome in outcomes]
    assert all(outcome.reason for outcome in outcomes[1:])


def test_import_again_skips_what_is_stored(store: KlineStore, inbox: Path) -> None:
    """A second run reads nothing twice; content counts, not names."""
    (inbox / "BTCUSDT-1m.csv").write_text(PLAIN)
    assert ["imported"] == [item.status for item in run(store, inbox)]
    (inbox / "BTCUSDT-1m.csv").rename(inbox / "BTCUSDT-1m-copy.csv")
    assert ["skipped"] == [item.status for item in run(store, inbox)]
    assert ["imported"] == [item.status for item in run(store, inbox, ImportOptions(again=True))]


def test_data_that_was_lost_is_imported_again(store: KlineStore, inbox: Path) -> None:
    """What was imported once but is no longer stored is not skipped."""
    (inbox / "BTCUSDT-1m.csv").write_text(PLAIN)
    run(store, inbox)
    store.remove(Source("inbox"), "BTC")
    assert ["imported"] == [item.status for item in run(store, inbox)]
    assert 30 == len(store.read("BTC"))


def test_interrupted_import_goes_on_where_it_stopped(store: KlineStore, inbox: Path) -> None:
    """Files that were done stay done."""
    for coin in ("ADA", "BTC", "ETH"):
        (inbox / f"{coin}USDT-1m.csv").write_text(PLAIN)
    importer = Importer(store, MarketFiles(), FileLedger(store), lambda: NOW_MS)
    outcomes = importer.run(inbox, find_files(inbox), ImportOptions())
    next(outcomes)
    assert ["skipped", "imported", "imported"] == [item.status for item in run(store, inbox)]


def test_overlapping_files_agree_as_duplicates(store: KlineStore, inbox: Path) -> None:
    """Two downloads of one market are one series."""
    (inbox / "BTCUSDT-1m-a.csv").write_text(generic_csv(BARS.rows(0, 20)))
    (inbox / "BTCUSDT-1m-b.csv").write_text(generic_csv(BARS.rows(10, 30)))
    results = [item.result for item in run(store, inbox)]
    assert [(20, 0, 0), (10, 10, 0)] == [(r.added, r.same, r.revised) for r in results if r]


def test_changed_bar_of_a_later_file_is_reported(store: KlineStore, inbox: Path) -> None:
    """Never silently replaced."""
    (inbox / "BTCUSDT-1m-a.csv").write_text(PLAIN)
    (inbox / "BTCUSDT-1m-b.csv").write_text(PLAIN.replace("101.0,", "101.05,"))
    results = [item.result for item in run(store, inbox)]
    assert results[1] is not None
    assert results[1].revised > 0
    assert list(store.root.glob("revisions/**/*.parquet"))


def test_quote_volume_becomes_coins(store: KlineStore, inbox: Path) -> None:
    """By the venue's habit, or when told so."""
    (inbox / "ftx").mkdir()
    (inbox / "ftx" / "BTC-PERP-1m.csv").write_text(PLAIN)
    (outcome,) = run(store, inbox)
    assert "USD" in outcome.reason
    assert (BARS.volume / BARS.close).tolist() == store.read("BTC").volume.tolist()


BAD: dict[str, tuple[str, bytes, str]] = {
    "cut parquet": ("BTCUSDT-1m.parquet", b"PAR1 and then nothing", "damaged Parquet"),
    "empty parquet": ("BTCUSDT-1m.parquet", b"", "damaged Parquet"),
    "no zip": ("BTCUSDT-1m-2025-05.zip", b"PK nonsense", "damaged zip"),
    "no gzip": ("BTCUSDT-1m.csv.gz", b"nonsense", "damaged gzip"),
    "cut gzip": ("BTCUSDT-1m.csv.gz", b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "damaged gzip"),
    "empty csv": ("BTCUSDT-1m.csv", b"\n\n", "the file is empty"),
    "only names": ("BTCUSDT-1m.csv", b"timestamp,open,high,low,close,volume\n", "no usable row"),
    "ragged csv": ("BTCUSDT-1m.csv", PLAIN.encode() + b"1,2\n" * 40, "damaged CSV: 40 lines"),
    "wrong interval": ("BTCUSDT-5m.csv", PLAIN.encode(), "rows are 1 minutes apart"),
    "no JSON": ("leverage_tiers.json", b"{", "damaged JSON"),
}

UNKNOWN: dict[str, tuple[str, bytes, str]] = {
    "missing columns": ("BTCUSDT-1m.csv", b"timestamp,open\n1,2\n", "no column for high, low"),
    "too few columns": ("BTCUSDT-1m.csv", b"1746403200000,1,2\n", "3 columns without names"),
    "not utf-8": ("BTCUSDT-1m.csv", b"time\xff\xfe,a\n1,2\n", "no column for"),
    "no symbol": ("data of mine 1.csv", PLAIN.encode(), "--symbol"),
    "other JSON": ("leverage_tiers.json", b"[]", "no brackets of a coin"),
    "no interval": ("BTCUSDT.csv", b"time,open,high,low,close,volume\n", "--interval"),
    "other brackets": ("leverage_tiers.json", b'{"BTCUSDT": 5}', "not a list of brackets"),
    "another kind of name": ("BTCUSDT-6h.csv", PLAIN.encode(), "no symbol in the name"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_file_is_told_in_one_line_and_the_rest_goes_on(
    store: KlineStore, inbox: Path, case: str
) -> None:
    """Nothing of a bad file is stored, everything of a good one is."""
    name, content, reason = BAD[case]
    (inbox / name).write_bytes(content)
    (inbox / "ETHUSDT-1m.csv").write_text(PLAIN)
    outcomes = {item.name: item for item in run(store, inbox)}
    assert "imported" == outcomes["ETHUSDT-1m.csv"].status
    assert "failed" == outcomes[name].status
    assert reason in outcomes[name].reason
    assert "\n" not in outcomes[name].reason
    assert ("ETH",) == store.coins()


@pytest.mark.parametrize("case", UNKNOWN)
def test_file_that_is_not_understood_is_told_from_a_damaged_one(
    store: KlineStore, inbox: Path, case: str
) -> None:
    """Other files may well lie in the same folder; what is known of them is said in one line."""
    name, content, reason = UNKNOWN[case]
    (inbox / name).write_bytes(content)
    (outcome,) = run(store, inbox)
    assert "unknown" == outcome.status
    assert reason in outcome.reason
    assert "\n" not in outcome.reason
    assert () == store.coins()


def test_cells_that_are_no_numbers_cost_their_row_only(store: KlineStore, inbox: Path) -> None:
    """A column with a word in it is still read."""
    lines = PLAIN.splitlines()
    lines[3] = lines[3].replace(",", ",n/a", 1)
    (inbox / "BTCUSDT-1m.csv").write_text("\n".join(lines))
    (outcome,) = run(store, inbox)
    assert outcome.findings is not None
    assert (29, 1, 1) == (
        outcome.findings.kept,
        outcome.findings.not_positive,
        outcome.findings.gaps,
    )


def test_zip_with_several_tables_is_refused(store: KlineStore, inbox: Path) -> None:
    """Which one is meant is not guessed."""
    import zipfile

    with zipfile.ZipFile(inbox / "BTCUSDT-1m-2025-05.zip", "w") as archive:
        archive.writestr("a.csv", PLAIN)
        archive.writestr("b.csv", PLAIN)
    (outcome,) = run(store, inbox)
    assert "2 .csv files in the zip" in outcome.reason


def test_mark_and_trade_files_are_named_and_left(store: KlineStore, inbox: Path) -> None:
    """Recognized, so that nobody takes them for klines."""
    for name in ("BTCUSDT-mark-8h.csv", "BTCUSDT-trades-20240808.csv"):
        (inbox / name).write_text(PLAIN)
    assert ["ignored", "ignored"] == [item.status for item in run(store, inbox)]
    assert () == store.coins()


def test_nothing_to_import_is_said(tmp_path: Path) -> None:
    """A missing folder and an empty one."""
    with pytest.raises(ConfigError, match="no file or folder"):
        find_files(tmp_path / "nothing")
    with pytest.raises(ConfigError, match=r"no \.parquet"):
        find_files(tmp_path)


def test_damaged_store_loses_nothing_on_import(store: KlineStore, inbox: Path) -> None:
    """A stored file that cannot be read is not overwritten."""
    (inbox / "BTCUSDT-1m.csv").write_text(PLAIN)
    run(store, inbox)
    path = next(store.root.glob("klines/**/*.parquet"))
    path.write_bytes(b"damaged")
    (outcome,) = run(store, inbox, ImportOptions(again=True))
    assert ("failed", b"damaged") == (outcome.status, path.read_bytes())
    assert "is damaged" in outcome.reason
