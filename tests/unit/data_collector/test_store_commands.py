"""verify with a manifest, compact, coverage as picture and JSON: for people and for scripts."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from tests.unit.data_collector.market import START_MS, make_bars

from data_collector.cli import cli
from data_collector.entrypoint.picture import coverage_picture
from suite.bars import DAY_MS, MINUTE_MS
from suite.klines import Coverage, Gap, Source
from suite.service.cli import run_command
from suite.service.kline_store import KlineStore

SOURCE = Source("hyperliquid")
SVG = "{http://www.w3.org/2000/svg}"


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        run_command(cli, name="data-collector", args=[str(item) for item in arguments])
    assert isinstance(left.value.code, int)
    return left.value.code


@pytest.fixture
def store(tmp_path: Path) -> KlineStore:
    """Two coins of two days, one with an outage."""
    store = KlineStore(tmp_path / "data")
    store.write_bars(SOURCE, "BTC", make_bars(2880))
    store.write_bars(SOURCE, "ETH", make_bars(2880, skip=range(100, 160)))
    gap = Gap(START_MS + 100 * MINUTE_MS, START_MS + 160 * MINUTE_MS)
    store.note_gap(SOURCE, "ETH", "1m", gap, "outage", asked_ms=5)
    return store


# ---- the manifest -------------------------------------------------------------------------------


def test_store_is_as_its_manifest_says_also_when_it_has_grown(
    store: KlineStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """What came later is no difference, however it lies in files."""
    path = store.root / "manifest.json"
    assert 0 == run("verify", "--data", store.root, "--write")
    first = json.loads(path.read_text())["series"][1]
    assert ("ETH", "1m", 2820, 1) == (
        first["coin"], first["interval"], first["bars"], first["gaps"],
    )  # fmt: skip
    assert store.content_hash("ETH") == first["sha256"]
    store.append_bars(SOURCE, "ETH", make_bars(3000).rows(2880, 3000))
    store.write_bars(SOURCE, "SOL", make_bars(5))
    store.compact(SOURCE, "ETH", "1m")
    capsys.readouterr()
    assert 0 == run("verify", "--data", store.root, "--manifest", path)
    assert "2 series as " in capsys.readouterr().out


@pytest.mark.parametrize("change", ["value", "funding", "filled", "removed"])
def test_what_differs_from_the_manifest_is_named(
    store: KlineStore, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    path = store.root / "manifest.json"
    run("verify", "--data", store.root, "--write")
    if change == "value":
        store.write_bars(SOURCE, "ETH", make_bars(10, price=7.0))
        expected = "ETH 1m of hyperliquid/perp: other values, funding or instrument"
    elif change == "funding":
        stamp = np.array([START_MS], np.int64)
        store.write_funding(SOURCE, "ETH", stamp, np.array([0.1]))
        expected = "ETH 1m of hyperliquid/perp: other values, funding or instrument"
    elif change == "filled":
        store.write_bars(SOURCE, "ETH", make_bars(200))
        expected = "ETH 1m of hyperliquid/perp: 2880 bars were 2820, 0 gaps were 1"
    else:
        store.remove(SOURCE, "ETH")
        expected = "ETH 1m of hyperliquid/perp: not stored"
    capsys.readouterr()
    assert 1 == run("verify", "--data", store.root, "--manifest", path)
    told = capsys.readouterr()
    assert f"DIFFERS {expected}\n" in told.out
    assert f"data-collector: {expected}\n" == told.err


@pytest.mark.parametrize(
    "text", [None, "{", "[]", '{"format": 9}', '{"format": 1, "series": [{}]}']
)
def test_what_is_no_manifest_is_wrong_use(
    store: KlineStore, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    path = store.root / "other.json"
    if text is not None:
        path.write_text(text)
    assert 2 == run("verify", "--data", store.root, "--manifest", path)
    assert f"data-collector: cannot read {path}: " in capsys.readouterr().err


# ---- compact ------------------------------------------------------------------------------------


def test_compact_puts_every_month_into_one_file(
    store: KlineStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of bars and of open interest; a ledger that was lost comes back."""
    for hour in range(3):
        first = 2880 + hour * 60
        store.append_bars(SOURCE, "BTC", make_bars(first + 60).rows(first, first + 60))
        stamp = np.array([START_MS + hour], np.int64)
        store.write_open_interest(SOURCE, "BTC", stamp, np.array([1.0]))
    store.files.remove(store.ledger_name(SOURCE, "ETH", "1m"))
    before = store.content_hash("BTC")
    assert 1 == run("verify", "--data", store.root)
    capsys.readouterr()
    assert 0 == run("compact", "--data", store.root)
    assert "2 series, 5 files less\n" == capsys.readouterr().out
    assert before == store.content_hash("BTC")
    assert 3 == len(store.files.files("*/**/date=*/part-*.parquet"))
    assert 0 == run("verify", "--data", store.root)


# ---- coverage -----------------------------------------------------------------------------------


def test_coverage_says_why_bars_are_missing(
    store: KlineStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == run("coverage", "--data", store.root)
    assert "1 (60 bars)  outage 60" in capsys.readouterr().out
    assert 0 == run("coverage", "--data", store.root, "--json")
    rows = json.loads(capsys.readouterr().out)
    gap = {"start_ms": START_MS + 100 * MINUTE_MS, "end_ms": START_MS + 160 * MINUTE_MS}
    assert ["BTC", "ETH"] == [row["coin"] for row in rows]
    assert [{**gap, "reason": "outage", "asked_ms": 5}] == rows[1]["gaps"]


def cells(svg: str) -> list[tuple[str, str]]:
    """Class and words of every cell."""
    found = []
    for cell in ET.fromstring(svg).iter(f"{SVG}rect"):
        title = cell.find(f"{SVG}title")
        if title is not None:
            found.append((cell.attrib["class"], title.text or ""))
    return found


def test_picture_is_drawn_into_a_file(store: KlineStore, tmp_path: Path) -> None:
    path = tmp_path / "coverage.svg"
    assert 0 == run("coverage", "--data", store.root, "--picture", path)
    expected = [
        ("whole", "BTC 1m, 2025-05-05 to 2025-05-06: 2,880 of 2,880 bars"),
        ("whole", "ETH 1m, 2025-05-06: 1,440 of 1,440 bars"),
        ("part", "ETH 1m, 2025-05-05: 1,380 of 1,440 bars (outage)"),
    ]
    assert expected == cells(path.read_text())


def test_picture_into_a_folder_that_is_not_there_is_wrong_use(
    store: KlineStore, capsys: pytest.CaptureFixture[str]
) -> None:
    path = store.root / "no" / "where.svg"
    assert 2 == run("coverage", "--data", store.root, "--picture", path)
    assert f"data-collector: cannot write {path}: No such file" in capsys.readouterr().err


def held(days: int, *gaps: tuple[int, int], first_day: int = 20_000) -> Coverage:
    """A series with gaps given as (first minute, end)."""
    start = first_day * DAY_MS
    found = tuple(Gap(start + a * MINUTE_MS, start + b * MINUTE_MS) for a, b in gaps)
    return Coverage(
        source=SOURCE,
        interval="1m",
        first_open_ms=start,
        end_ms=start + days * DAY_MS,
        bars=days * 1440 - sum(b - a for a, b in gaps),
        gaps=found,
    )


def test_days_are_colored_by_their_share() -> None:
    """One minute, half an hour, most of a day, and two days with nothing."""
    gaps = [(10, 11), (1450, 1480), (2900, 4300), (5760, 8640)]
    kinds = [kind for kind, _ in cells(coverage_picture([(held(8, *gaps), "BTC")]))]
    assert sorted(["most", "part", "few", "whole", "none", "whole"]) == sorted(kinds)


def test_gap_of_one_minute_is_seen_among_two_years() -> None:
    """It is drawn wider than its day, and inside the picture, also on the last one."""
    svg = coverage_picture([(held(730, (10, 11), (729 * 1440 + 5, 729 * 1440 + 6)), "BTC")])
    widths = {
        cell.attrib["class"]: float(cell.attrib["width"])
        for cell in ET.fromstring(svg).iter(f"{SVG}rect")
        if cell.find(f"{SVG}title") is not None
    }
    assert widths["most"] > 2 > 960 / 730 > 0
    assert len(svg) < 10_000


def test_years_without_anything_are_left_out() -> None:
    """Two weeks of 2017 beside two of 2024 are as wide as they are without the years between."""
    apart = coverage_picture([(held(14, first_day=17_500), "A"), (held(14), "B")])
    whole = [
        float(cell.attrib["width"])
        for cell in ET.fromstring(apart).iter(f"{SVG}rect")
        if cell.attrib["class"] == "whole" and cell.find(f"{SVG}title") is not None
    ]
    assert [251.0, 251.0] == whole


def test_names_in_the_picture_are_escaped() -> None:
    svg = coverage_picture([(held(2), "A<b>&")])
    assert "A<b>&" in "".join(ET.fromstring(svg).itertext())
