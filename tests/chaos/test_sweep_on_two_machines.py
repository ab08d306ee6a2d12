"""A sweep on two machines, one of which is lost: the same bytes as on one worker."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.ray_machines import HEAD, ROOT, WORKER, ray_python, reason_against, two_machines
from tests.support.stores import make_store
from tests.support.venue_process import eventually

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(1800)]
TABLES = ("trials.parquet", "returns.parquet", "sensitivity.parquet", "sweep.json", "result.json")


def words(python: str, store: Path, out: Path, *more: str) -> list[str]:
    named = ["--strategy", "tests.support.swept:called", "--space", "length=20:300:5"]
    where = ["--data", str(store), "--symbols", "BTC,ETH", "--folds", "8", "--out", str(out)]
    return [python, "-m", "virtual_exchange", "sweep", *named, *where, *more]


def digest(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in TABLES}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("store"), "BTC", "ETH", minutes=30 * 1440)


@pytest.fixture(scope="module")
def alone(store: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The tables of one worker without Ray."""
    out = tmp_path_factory.mktemp("alone") / "out"
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
    command = words(sys.executable, store, out, "--workers", "1")
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return digest(out)


@pytest.mark.skipif(ray_python() is None, reason="Ray is not installed: make peers")
def test_a_cluster_of_this_machine_gives_the_same_bytes(
    store: Path, tmp_path: Path, alone: dict[str, str]
) -> None:
    command = words(str(ray_python()), store, tmp_path / "out", "--engine", "ray", "--workers", "2")
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert 0 == done.returncode, done.stderr
    assert alone == digest(tmp_path / "out")


def test_a_machine_that_is_lost_changes_no_byte(
    store: Path, tmp_path: Path, alone: dict[str, str]
) -> None:
    if reason := reason_against():
        pytest.skip(reason)
    out = tmp_path / "out"
    with two_machines() as machines:
        assert 2 == eventually(machines.nodes, lambda count: count == 2, limit_s=300)
        command = words(str(ray_python()), store, out, "--engine", "ray")
        sweep = machines.popen(HEAD, [*command, "--address", machines.address])
        eventually(lambda: len(list((out / "parts").glob("[!.]*.parquet"))) >= 3, limit_s=600)
        assert not (out / "result.json").exists()
        killed = machines.kill(WORKER)
        assert killed > 0
        assert 0 == sweep.wait(timeout=900)
    assert alone == digest(out)
    print(f"machine {WORKER} lost with {killed} processes; the tables are equal")
