"""`virtual-exchange journal verify`: what is whole, what was cut, and what is damaged."""

from pathlib import Path

from tests.support.world_tails import RECORDS, write
from typer.testing import CliRunner

from virtual_exchange.cli import cli


def verify(place: Path) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["journal", "verify", str(place)])
    return result.exit_code, result.stdout


def test_whole_and_torn_journals_are_in_order(tmp_path: Path) -> None:
    write(tmp_path / "a.world", RECORDS[:3])
    write(tmp_path / "b.world", RECORDS[:3])
    with (tmp_path / "b.world").open("ab") as file:
        file.write(b"WRLD")
    (tmp_path / "c.world").touch()
    code, told = verify(tmp_path)
    first, second, third, last = told.splitlines()
    assert code == 0
    assert "3 records, 267 bytes, whole; chain " in first
    assert second.endswith(
        "; 4 bytes behind them were never acknowledged: the next start drops them"
    )
    assert third.endswith("nothing was written in it yet")
    assert last == "3 journals, 0 damaged"


def test_first_bad_record_is_named_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "a.world"
    write(path, RECORDS[:3])
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    code, told = verify(path)
    assert code == 1
    assert "is damaged in record 2 (byte 76: its head is another than was written)" in told
    assert "restore the file from a copy, or move it away" in told
    assert bytes(data) == path.read_bytes()


def test_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    code, _ = verify(tmp_path / "none")
    assert code
