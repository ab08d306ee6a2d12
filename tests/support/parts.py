"""Backtests in parts, run in this process."""

import json
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import yaml

from strategy_core.learning.port import Switches
from suite.clock import ManualClock
from suite.contracts.world import WorldRequest
from virtual_exchange.adapters.part_folder import PartFolder
from virtual_exchange.adapters.traders_file import load_traders
from virtual_exchange.application.parts.plan import RunPlan
from virtual_exchange.application.parts.records import merged
from virtual_exchange.domain.record import RunRecord
from virtual_exchange.part_planning import Learned, plan_run
from virtual_exchange.part_worker import PartWorker
from virtual_exchange.running import TraderRun, run_traders, world_of

NOTHING_NAMED = dict.fromkeys(("symbols", "from_", "to", "seed", "profile", "allow_partial"))
RULES: dict[str, dict[str, Any]] = {
    "hodl": {"kind": "hodl"},
    "random": {"kind": "random"},
    "flat": {"kind": "flat"},
    "sma": {"kind": "sma_cross", "params": {"stop_loss": 0.01, "take_profit": 0.02}},
    "maker": {"kind": "fixed_spread"},
    "funding": {"kind": "funding_rate"},
}


def write_traders(
    file: Path, strategies: dict[str, dict[str, Any]], coins: Sequence[str] = ("BTC", "ETH")
) -> Path:
    """A traders file with a trader a strategy."""
    rows = [
        {"trader_id": name, "strategy": strategy, "symbols": list(coins)}
        for name, strategy in strategies.items()
    ]
    file.write_text(yaml.safe_dump({"traders": rows}))
    return file


def world(traders_file: Path, options: Iterable[str] = (), **named: Any) -> WorldRequest:
    """The world of a backtest of a traders file."""
    specs = load_traders(traders_file)
    return world_of(specs, None, list(options), NOTHING_NAMED | named)


def run_jointly(
    traders_file: Path, data: Path, request: WorldRequest, transport: str = "inprocess"
) -> RunRecord:
    """All traders in one world."""
    run = TraderRun(
        request=request,
        traders=load_traders(traders_file),
        traders_file=traders_file,
        data=data,
    )
    return run_traders(run, transport=transport, progress=lambda _done: None)


def planned(
    traders_file: Path, data: Path, request: WorldRequest, models: Path = Path("var/models")
) -> RunPlan:
    """The same in parts."""
    return plan_run(
        request,
        load_traders(traders_file),
        traders_file=traders_file,
        data=data,
        clock=ManualClock(0),
        learning=Learned(models, Switches()),
    )


def work(
    plan: RunPlan, folder: Path, groups: Iterable[Sequence[str]], transport: str = "inprocess"
) -> list[dict[str, Any]]:
    """Run parts; returns the last answer to each."""
    said = StringIO()
    worker = PartWorker(
        plan,
        load_traders(Path(plan.traders_file)),
        parts=PartFolder(folder),
        transport=transport,
        tell=said,
    )
    worker.serve([json.dumps({"traders": list(group)}) for group in groups])
    told = [json.loads(line) for line in said.getvalue().splitlines()]
    return [one for one in told if one["type"] != "progress"]


def put_together(plan: RunPlan, folder: Path) -> RunRecord:
    """The one run that the kept parts are."""
    parts = PartFolder(folder)
    market = parts.market(plan)
    assert market is not None
    found = [part for trader in plan.traders if (part := parts.trader(trader)) is not None]
    return merged(plan, market, found)
