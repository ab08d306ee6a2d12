"""The command: exit codes, one line of reason, tables for people."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.unit.data_collector.market import generic_csv, make_bars

from data_collector.cli import cli
from suite.service.cli import run_command
from suite.service.kline_store import KlineStore

BACKFILL = ["backfill", "--venue", "hyperliquid", "--symbols", "BTC", "--from", "2025-05-05"]


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        run_command(cli, name="data-collector", args=[str(item) for item in arguments])
    assert isinstance(left.value.code, int)
    return left.value.code


def one_line(text: str) -> str:
    assert text.startswith("data-collector: ")
    assert 1 == text.count("\n")
    return text


@pytest.mark.parametrize(
    "command", ["import", "generate", "verify", "compact", "coverage", "serve"]
)
def test_every_command_has_help_with_an_example(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """Copied from there, it works."""
    assert 0 == run(command, "--help")
    assert f"Example: data-collector {command}" in " ".join(capsys.readouterr().out.split())


def test_generated_market_is_covered_and_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Generate, coverage and verify agree, and each says synthetic."""
    data = tmp_path / "data"
    assert 0 == run("generate", "--symbols", "BTC,ETH", "--days", 2, "--seed", 3, "--data", data)
    assert 2 == capsys.readouterr().out.count("2,880 bars from 2025-05-30 to 2025-06-01")
    assert 0 == run("coverage", "--data", data)
    out = capsys.readouterr().out
    assert 2 == len(re.findall(r"synthetic/perp +2025-05-30 +2025-06-01 +2,880 +none +synth", out))
    assert 0 == run("verify", "--data", data)
    assert "all well" in capsys.readouterr().out


def test_import_prints_a_table_and_writes_a_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was found in each file, for people and for programs."""
    source = tmp_path / "BTCUSDT-1m.csv"
    source.write_text(generic_csv(make_bars(20, skip=[4, 5])))
    data = tmp_path / "data"
    assert 0 == run("import", source, "--data", data)
    out = capsys.readouterr().out
    assert "1 (2 bars)" in out
    report = json.loads(next(data.glob("reports/import-*.json")).read_text())
    entry = report["files"][0]
    assert ("BTCUSDT-1m.csv", "imported", "BTC") == (entry["name"], entry["status"], entry["coin"])
    assert (1, 2) == (entry["findings"]["gaps"], entry["findings"]["missing_bars"])
    assert str(tmp_path) not in json.dumps(report)


def test_bad_file_makes_the_exit_code_one_and_keeps_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reason is one line on stderr, the table is complete."""
    inbox, data = tmp_path / "inbox", tmp_path / "data"
    inbox.mkdir()
    (inbox / "BTCUSDT-1m.parquet").write_bytes(b"damage")
    (inbox / "ETHUSDT-1m.csv").write_text(generic_csv(make_bars(20)))
    assert 1 == run("import", inbox, "--data", data)
    captured = capsys.readouterr()
    assert "BTCUSDT-1m.parquet: damaged Parquet" in one_line(captured.err)
    assert "1 imported, 1 failed" in captured.out
    assert "\nFAILED BTCUSDT-1m.parquet: damaged Parquet" in captured.out
    assert ("ETH",) == KlineStore(data).coins()


def test_file_that_is_not_understood_is_reported_and_the_import_succeeds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line for it; again, when the rest was imported before."""
    inbox, data = tmp_path / "inbox", tmp_path / "data"
    inbox.mkdir()
    (inbox / "BTCUSDT-1m.csv").write_text("name,age\nBob,7\n")
    (inbox / "ETHUSDT-1m.csv").write_text(generic_csv(make_bars(20)))
    for status in ("imported", "skipped"):
        assert 0 == run("import", inbox, "--data", data)
        captured = capsys.readouterr()
        assert "" == captured.err
        assert "\nUNKNOWN BTCUSDT-1m.csv: no column for time" in captured.out
        assert f"1 {status}, 1 unknown" in captured.out


@pytest.mark.parametrize("name", ["my notes 1.csv", "BTCUSDT-mark-8h.csv"])
def test_import_of_nothing_makes_the_exit_code_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Files were found, but none was for us."""
    (tmp_path / name).write_text(generic_csv(make_bars(20)))
    assert 1 == run("import", tmp_path / name, "--data", tmp_path / "data")
    assert f"nothing was imported: {name}: " in one_line(capsys.readouterr().err)


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["import", "/no/such/place"], 2, "no file or folder"),
        (["import", ".", "--volume", "pounds"], 2, "--volume is coin or usd"),
        (["import", ".", "--interval", "7m"], 2, "unknown interval '7m'"),
        (["import", ".", "--venue", "../x"], 2, "not a venue or market name"),
        (["import", ".", "--market", "options"], 2, "--market is perp or spot"),
        (["import", ".", "--symbol", "a b"], 2, "not a symbol"),
        (["generate", "--symbols", "BTC,BTC"], 2, "not a list of different symbols"),
        (["generate", "--days", "0"], 2, "--days"),
        (["generate", "--seed", "-1"], 2, "--seed"),
        (["generate", "--end", "someday"], 2, "not a date"),
        (["generate", "--end", "2025-05-05T00:30"], 2, "not midnight"),
        (["verify"], 2, "no folder"),
        (["coverage"], 2, "no folder"),
        (["compact"], 2, "no folder"),
        (["serve"], 2, "no folder"),
        (["serve", "--host", "0.0.0.0"], 2, ""),
        (
            ["serve", "--url", "foo"],
            2,
            "DATA_COLLECTOR_URL: not an address; write http://host:port",
        ),
        ([*BACKFILL, "--url", "foo"], 2, "--url 'foo' is no address; write http://host:port"),
        ([*BACKFILL, "--url", "http://?key=secret"], 2, "--url 'http://' is no address"),
        (["frobnicate"], 2, "frobnicate"),
    ],
)
def test_wrong_use_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, text: str
) -> None:
    """Exit code 2, no traceback, nothing made."""
    data = tmp_path / "data"
    options = [] if arguments == ["frobnicate"] else ["--data", data]
    assert code == run(*arguments, *options)
    assert text in one_line(capsys.readouterr().err)
    assert not data.exists()


def test_damaged_store_makes_verify_fail(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, the file named."""
    run("generate", "--symbols", "BTC", "--days", 1, "--data", tmp_path)
    next(tmp_path.glob("klines/**/*.parquet")).write_bytes(b"damage")
    capsys.readouterr()
    assert 1 == run("verify", "--data", tmp_path)
    captured = capsys.readouterr()
    assert "part-0.parquet is damaged" in one_line(captured.err)
    assert "DAMAGED" in captured.out


def test_store_in_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--data names a folder."""
    path = tmp_path / "file"
    path.write_text("")
    assert 2 == run("generate", "--days", 1, "--data", path)
    assert "is not a folder" in one_line(capsys.readouterr().err)


@pytest.mark.parametrize(
    "arguments",
    [
        ["coverage"],
        ["verify"],
        ["generate", "--days", 1],
        BACKFILL,
        ["serve"],
    ],
)
def test_misspelt_variable_is_refused_by_every_command(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[object],
) -> None:
    """It would be as if it were not set."""
    monkeypatch.setenv("DATA_COLLECTOR_DATAA", "elsewhere")
    assert 2 == run(*arguments, "--data", tmp_path / "data")
    expected = "data-collector: unknown setting DATA_COLLECTOR_DATAA, did you mean DATA_COLLECTOR_"
    assert one_line(capsys.readouterr().err).startswith(expected)
    assert not (tmp_path / "data").exists()


@pytest.mark.process
def test_command_starts_fast_and_light() -> None:
    """Help needs neither numpy nor a web stack."""
    code = (
        "import sys, data_collector.cli\n"
        "print(sorted({'numpy', 'pyarrow', 'fastapi', 'rich', 'pandas'} & set(sys.modules)))"
    )
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "[]\n" == done.stdout
    assert time.perf_counter() - begin < 2
