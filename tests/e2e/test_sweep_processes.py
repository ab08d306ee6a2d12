"""`virtual-exchange sweep` in real processes: killed, interrupted, on one and on two workers."""

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.stores import make_store
from tests.support.venue_process import eventually

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]
FIELDS = ("trials.parquet", "returns.parquet", "sensitivity.parquet", "sweep.json", "result.json")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("store"), "BTC", "ETH", minutes=12 * 1440)


def command(store: Path, out: Path, *more: str) -> list[str]:
    named = ["--strategy", "tests.support.swept:called", "--space", "length=20:150:10"]
    where = ["--data", str(store), "--symbols", "BTC,ETH", "--folds", "2", "--out", str(out)]
    return [sys.executable, "-m", "virtual_exchange", "sweep", *named, *where, *more]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}


def run(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, env=environment(), capture_output=True, text=True, check=False)


def digest(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FIELDS}


@pytest.fixture(scope="module")
def whole(store: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the sweep is with one worker, in one go."""
    out = tmp_path_factory.mktemp("whole") / "out"
    done = run(command(store, out, "--workers", "1"))
    assert 0 == done.returncode, done.stderr
    assert "backtests=112" in done.stdout
    assert "not distinguishable from luck" in done.stdout
    assert "<title>" in (out / "report.html").read_text()
    return digest(out)


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
def test_what_is_killed_or_interrupted_goes_on_to_the_same_bytes(
    store: Path, tmp_path: Path, whole: dict[str, str], by: signal.Signals
) -> None:
    """On two workers, which end with the process that began them."""
    words = command(store, tmp_path / "out", "--workers", "2")
    parts = tmp_path / "out" / "parts"
    with subprocess.Popen(
        words, env=environment(), stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        eventually(lambda: list(parts.glob("[!.]*.parquet")), limit_s=300)
        process.send_signal(by)
        _, errors = process.communicate(timeout=120)
    eventually(lambda: not _alive(process.pid), limit_s=60)
    if by == signal.SIGINT and process.returncode:
        assert "sweep: interrupted; the same command goes on from what is kept" in errors
        assert "Traceback" not in errors
    done = run(words)
    assert 0 == done.returncode, done.stderr
    assert whole == digest(tmp_path / "out")


def _alive(session: int) -> bool:
    """Whether a process of a session is there still."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[3] == str(session) and fields[0] != "Z":
                return True
    return False


def test_a_set_that_ends_its_process_is_told_and_the_others_go_on(
    store: Path, tmp_path: Path
) -> None:
    more = ("--space", "length=60,66", "--symbols", "BTC", "--folds", "0", "--no-sensitivity")
    done = run([*command(store, tmp_path / "out", "--workers", "2"), *more])
    assert 0 == done.returncode, done.stderr
    assert "1 of 2 backtests failed" in done.stdout
    assert "set 0 (length=60)" in done.stdout


def test_mistakes_are_told_a_line_each(store: Path, tmp_path: Path) -> None:
    words = command(store, tmp_path / "out", "--space", "lenght=1,2", "--folds", "-1")
    done = run(words)
    assert 2 == done.returncode
    lines = done.stderr.splitlines()
    assert any("did you mean length?" in line for line in lines)
    assert any(line.startswith("folds.count:") for line in lines)
    assert lines[-1] == "virtual-exchange: 2 problems"
