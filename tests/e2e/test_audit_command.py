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
        *("--data", str(store), *more),
    ]


def audited(strategy: str, store: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(strategy, store, "--cuts", "1"),
        capture_output=True,
        text=True,
        check=False,
        cwd=FILE.parent,
    )


@pytest.mark.parametrize("name", ["cheats:Honest", "ict_xgboost"])
def test_honest_one_passes_and_exits_with_0(store: Path, name: str) -> None:
    """A plugin, and a kind whose compiled code is kept in files."""
    honest = audited(name, store)
    assert 0 == honest.returncode, honest.stdout + honest.stderr
    for check in ("runs", "repeats", "clock", "outside", "future", "start"):
        assert f"ok      {check}" in honest.stdout, honest.stdout


def test_page_and_exit_code_tell_what_a_cheat_does(store: Path) -> None:
    cheat = audited("cheats:Unseeded", store)
    assert 1 == cheat.returncode, cheat.stdout + cheat.stderr
    assert "FAILED  repeats" in cheat.stdout
    assert "FAILED  clock" in cheat.stdout
    assert "-       future" in cheat.stdout
    assert len(cheat.stdout.splitlines()) < 40
    filed = audited(f"{FILE}:Filed", store)
    assert 1 == filed.returncode, filed.stdout + filed.stderr
    assert "FAILED  outside" in filed.stdout
    assert "signals.json" in filed.stdout


@pytest.mark.parametrize("said", ["a first run", "another future, 1 of 2"])
def test_ctrl_c_ends_its_runs_and_leaves_nothing(store: Path, tmp_path: Path, said: str) -> None:
    process = subprocess.Popen(
        command("flat", store, "--cuts", "2"),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    assert process.stderr is not None
    assert any(said in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate()
    assert 130 == process.returncode, rest
    assert "Traceback" not in rest
    assert [] == list(tmp_path.glob("audit-*"))
    assert [] == members(process.pid)


def members(session: int) -> list[str]:
    """Processes of a session that still run."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(place.parent.name)
    return found
