"""The command `audit` with real processes: exit codes, one page, and an end in the middle."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support import cheats as cheats_folder
from tests.support.stores import make_store

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

FILE = Path(str(cheats_folder.__path__[0])) / "cheats.py"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("market") / "data", "BTC", minutes=2 * 1440)


def command(strategy: str, store: Path, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "virtual_exchange", "audit", strategy),
        *("--data", str(store), "--cuts", "1", *more),
    ]


def test_page_and_exit_code_tell_a_cheat_from_an_honest_one(store: Path) -> None:
    honest = subprocess.run(command("flat", store), capture_output=True, text=True, check=False)
    assert 0 == honest.returncode, honest.stdout + honest.stderr
    assert "ok      future" in honest.stdout
    cheat = subprocess.run(
        command(f"{FILE}:Unseeded", store), capture_output=True, text=True, check=False
    )
    assert 1 == cheat.returncode, cheat.stdout + cheat.stderr
    assert "FAILED  repeats" in cheat.stdout
    assert "FAILED  clock" in cheat.stdout
    assert "-       future" in cheat.stdout
    assert len(cheat.stdout.splitlines()) < 40


def test_ctrl_c_ends_its_runs_and_leaves_nothing(store: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("sma_cross", store),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    assert process.stderr is not None
    assert "a first run" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert 1 == process.returncode
    assert "interrupted" in said
    assert [] == list(tmp_path.glob("audit-*"))
