"""The real local model as a process, and traders that ask it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from strategy_models.local_server import packaged_model
from suite.contracts.trader import StrategySpec, TraderSpec
from suite.errors import ConfigError
from virtual_exchange.application.session import world_request
from virtual_exchange.domain.record import RunRecord
from virtual_exchange.running import TraderRun, run_traders

LOCAL = "local/smollm2-135m"
SERVER = "from strategy_agent.cli import main; main()"
QUIET = {
    "volatility": None,
    "funding_flip": False,
    "fill": False,
    "closed": False,
    "stop_near": None,
}
"""Only the heartbeat wakes it."""


@contextmanager
def model_process() -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Serve the packaged model; gives the process and its address.

    Left out where the packages of the extra `local-llm` are not installed.
    """
    try:
        packaged_model()
    except ConfigError as error:
        pytest.skip(str(error))
    words = [sys.executable, "-c", SERVER, "model-server", "--port", "0", "--context", "2048"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert "model server on http://127.0.0.1:" in said
            yield process, said.split(" on ")[1].split(",")[0]
        finally:
            process.terminate()


def asking(trader_id: str, model: str, **params: Any) -> TraderSpec:
    """A trader that asks a model when its heartbeat is due, and trades BTC."""
    told = {"model": model, "template": "short", "triggers": QUIET, **params}
    return TraderSpec(
        trader_id=trader_id, strategy=StrategySpec(kind="llm", params=told), symbols=("BTC",)
    )


def plain(kind: str) -> TraderSpec:
    return TraderSpec(trader_id=kind, strategy=StrategySpec(kind=kind), symbols=("BTC",))


def backtest(folder: Path, *traders: TraderSpec, journal: Path | None = None) -> RunRecord:
    """Run traders over the whole store below a folder, as the command does."""
    run = TraderRun(
        request=world_request(traders, symbols=("BTC",), supervised=True),
        traders=traders,
        traders_file=folder / "unused.yaml",
        data=folder / "store",
        journal=journal,
    )
    return run_traders(run, transport="inprocess", progress=lambda _: None)
