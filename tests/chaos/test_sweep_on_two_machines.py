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


TRADERS = """
traders:
  - {trader_id: two, strategy: {kind: sma_cross, params: {fast: 5, slow: 20}}, symbols: [BTC, ETH]}
  - {trader_id: dice, strategy: {kind: random}, symbols: [ETH], interval: 4h}
"""


@pytest.mark.skipif(ray_python() is None, reason="Ray is not installed: make peers")
def test_a_tournament_on_a_cluster_gives_the_same_bytes(store: Path, tmp_path: Path) -> None:
    """One of its traders has two coins in one account."""
    file = tmp_path / "traders.yaml"
    file.write_text(TRADERS)
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
    cells = ["--windows", "3", "--seeds", "2", "--masks", "1", "--data", str(store)]
    found: list[dict[str, bytes]] = []
    for python, *engine in (
        (sys.executable, "--workers", "1"),
        (str(ray_python()), "--engine", "ray", "--workers", "2"),
    ):
        out = tmp_path / str(len(found))
        words = ["tournament", "--traders", str(file), "--out", str(out), *cells, *engine]
        done = subprocess.run(
            [python, "-m", "virtual_exchange", *words],
            env=environment, check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert 0 == done.returncode, done.stderr
        assert "tournament backtests=24 " in done.stdout
        found.append({path.name: path.read_bytes() for path in out.iterdir() if path.is_file()})
    assert {"results.parquet", "result.json", "sweep.json"} == set(found[0])
    assert found[0] == found[1]


def test_a_machine_that_is_lost_changes_no_byte(
    store: Path, tmp_path: Path, alone: dict[str, str]
) -> None:
    if reason := reason_against():
        pytest.skip(reason)
    out = tmp_path / "out"
    with two_machines() as machines:
        command = words(str(ray_python()), store, out, "--engine", "ray")
        sweep = machines.popen(HEAD, [*command, "--address", machines.address])
        eventually(lambda: len(list((out / "parts").glob("[!.]*.parquet"))) >= 3, limit_s=600)
        assert not (out / "result.json").exists()
        killed = machines.kill(WORKER)
        assert killed > 0
        assert 0 == sweep.wait(timeout=900)
    assert alone == digest(out)
    print(f"machine {WORKER} lost with {killed} processes; the tables are equal")
