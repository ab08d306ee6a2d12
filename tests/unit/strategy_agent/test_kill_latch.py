"""The kill latch: cheap to set, never cleared by the process, set where it cannot be read."""

from pathlib import Path

import pytest

from strategy_agent.adapters.kill_latch import KillLatch


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "kill"


def test_anyone_sets_it_and_a_human_clears_it(path: Path) -> None:
    """By touching and removing a file; it survives a restart."""
    latch = KillLatch(path)
    assert not latch.engaged
    path.touch()
    assert (True, "set by hand") == (latch.engaged, latch.reason)
    assert KillLatch(path).engaged
    path.unlink()
    assert not latch.engaged


def test_process_that_sets_it_says_why_and_cannot_clear_it(path: Path) -> None:
    latch = KillLatch(path)
    latch.engage("an action without an intent")
    assert "an action without an intent" == KillLatch(path).reason
    path.unlink()
    assert latch.engaged, "in the process that set it, it stays until the process ends"
    assert not KillLatch(path).engaged


def test_reason_of_the_first_stays(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("flash crash\nmore\n")
    KillLatch(path).engage("another")
    assert "flash crash" == KillLatch(path).reason


def test_it_is_set_where_the_disk_refuses(path: Path) -> None:
    latch = KillLatch(path)
    path.parent.rmdir()
    latch.engage("no disk")
    assert "no disk" == latch.reason


@pytest.mark.parametrize("kind", ["folder", "loop", "gone", "binary"])
def test_what_cannot_be_read_counts_as_set(path: Path, kind: str) -> None:
    latch = KillLatch(path)
    match kind:
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path)
        case "gone":
            path.parent.rmdir()
        case "binary":
            path.write_bytes(b"\xff\xfe")
    assert latch.engaged
    assert latch.reason


def test_path_through_a_file_counts_as_set(tmp_path: Path) -> None:
    """A folder in the way became a file."""
    latch = KillLatch(tmp_path / "state" / "kill")
    (tmp_path / "state").rmdir()
    (tmp_path / "state").touch()
    assert latch.engaged
