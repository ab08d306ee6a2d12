"""Two processes never have the state of one trader."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from strategy_agent.adapters.state_lock import holding
from suite.errors import InUse, StorageError

HOLD = """
import sys, time
from pathlib import Path
from strategy_agent.adapters.state_lock import holding
with holding(Path(sys.argv[1]), "anna"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_told_who_has_it_and_a_killed_one_has_nothing(tmp_path: Path) -> None:
    """The lock is the system's: nothing is left of it after a kill."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as other:
        try:
            assert other.stdout is not None
            assert "held\n" == other.stdout.readline()
            with (
                pytest.raises(InUse, match=f"anna runs already: process {other.pid} holds"),
                holding(tmp_path, "anna"),
            ):
                pass
            with holding(tmp_path, "bert"):
                pass
        finally:
            other.kill()
            other.wait()
    for _ in range(2):
        with holding(tmp_path, "anna"):
            assert f"{os.getpid()}\n" == (tmp_path / "anna.lock").read_text()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """In one line."""
    (tmp_path / "state").write_text("no folder")
    with pytest.raises(StorageError, match="cannot open"), holding(tmp_path / "state", "anna"):
        pass
