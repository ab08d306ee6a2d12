"""Lines that survive."""

from pathlib import Path

import pytest

from suite.errors import StorageError
from suite.service.appended_lines import AppendedLines


def test_lines_are_there_again(tmp_path: Path) -> None:
    """In their order; new ones come after them."""
    path = tmp_path / "new" / "lines"
    with AppendedLines(path) as file:
        assert [] == file.lines
        file.append(b"one")
    with AppendedLines(path) as file:
        file.append(b"two")
    with AppendedLines(path) as file:
        assert [b"one", b"two"] == file.lines


@pytest.mark.parametrize("cut", range(1, 8))
def test_what_a_crash_cut_short_is_taken_off(tmp_path: Path, cut: int) -> None:
    """Only whole lines count, and the next one is whole again."""
    path = tmp_path / "lines"
    path.write_bytes(b"one\ntwo\n"[:-cut])
    with AppendedLines(path) as file:
        whole = [b"one"] if cut < 5 else []
        assert whole == file.lines
        file.append(b"three")
    with AppendedLines(path) as file:
        assert [*whole, b"three"] == file.lines


def test_disk_that_refuses_is_told(tmp_path: Path) -> None:
    """With the name of the file."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot keep"):
        AppendedLines(tmp_path / "file" / "lines")
