"""A trader that learns does the same over HTTP as in one process, to the byte."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.support.parts import world
from tests.unit.strategy_core.learning.worlds import drawn_events

from strategy_core.learning.rules import (
    BoostingRules,
    LabelRules,
    Minimum,
    SignalMode,
    TrainingRules,
)
from strategy_core.learning.training import Circumstances, Trained, train
from suite.bars import DAY_MS, MINUTE_MS, Bars
from suite.klines import Source
from suite.service.kline_store import KlineStore
from suite.service.store_files import LocalFiles
from virtual_exchange.adapters.traders_file import load_traders
from virtual_exchange.application.report.results import canonical_report
from virtual_exchange.running import TraderRun, run_traders

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(900)]

MINUTES = 4000
LABEL = LabelRules(mode=SignalMode.RELAXED, stop_atr=4.0, horizon=15)
LEARNING = TrainingRules(
    fit=0.5,
    calibrate=0.3,
    boosting=BoostingRules(rounds=80, eta=0.1, early_stop=15, child_weight=2),
    minimum=Minimum(events=100, each_class=20, days=2, calibration=10),
)


def trending(seed: int) -> Bars:
    """Bars of a market whose legs of two hours go up, down or nowhere."""
    generator = np.random.default_rng(seed)
    legs = generator.integers(-1, 2, MINUTES // 120 + 1)
    drift = 0.0003 * np.repeat(legs, 120)[:MINUTES]
    close = 100 * np.exp(np.cumsum(generator.normal(0, 0.0006, MINUTES) + drift))
    opened = np.concatenate([[100.0], close[:-1]])
    reach = np.abs(generator.normal(0, 0.0003, (2, MINUTES)))
    columns = (
        opened,
        np.maximum(opened, close) * (1 + reach[0]),
        np.minimum(opened, close) * (1 - reach[1]),
        close,
        generator.uniform(50, 150, MINUTES),
    )
    times = 20_100 * DAY_MS + np.arange(MINUTES, dtype=np.int64) * MINUTE_MS
    return Bars(MINUTE_MS, times, *(np.round(column, 2) for column in columns))


def confident_model(folder: Path) -> str:
    """Keep a model that was trained before the market begins, and believes in most trades."""
    events = drawn_events(3000, edge=0.2)
    earned = msgspec.structs.replace(LEARNING, days=60)
    richer = type(events)(
        **{name: getattr(events, name) for name in ("coins", "start_ms", "end_ms", "coin", "side")},
        gross=events.gross + 0.003, net=events.net + 0.003, features=events.features,
    )  # fmt: skip
    asked = Circumstances(MINUTE_MS, LABEL, earned, int(events.end_ms.max()) + DAY_MS)
    found = train(richer, asked)
    assert isinstance(found, Trained), found
    for name, content in found.files.items():
        LocalFiles(folder).write(f"{found.meta.model_id}/{name}", content)
    return found.meta.model_id


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a market, a model and a traders file."""
    store = KlineStore(tmp_path / "data")
    for seed, coin in ((1, "BTC"), (2, "ETH")):
        store.write_bars(Source("synthetic"), coin, trending(seed))
        store.write_record(Source("synthetic"), coin, {"synthetic": True, "price_decimals": 2})
    monkeypatch.setenv("MODELS_DIR", str(tmp_path / "models"))
    params: dict[str, Any] = {
        "model": confident_model(tmp_path / "models"),
        "label": msgspec.to_builtins(LABEL),
        "learning": msgspec.to_builtins(LEARNING),
    }
    entry = {"trader_id": "ict", "symbols": ["BTC", "ETH"], "interval": "1m"}
    strategy = {"kind": "ict_xgboost", "params": params}
    (tmp_path / "traders.yaml").write_text(
        json.dumps({"traders": [{**entry, "strategy": strategy}]})
    )
    return tmp_path


def ran(folder: Path, transport: str) -> tuple[bytes, str, list[str]]:
    """Run it; the report, its hash, and what the trader said at each decision."""
    traders = folder / "traders.yaml"
    run = TraderRun(
        request=world(traders, ("interval=1m",), seed=7),
        traders=load_traders(traders),
        traders_file=traders,
        data=folder / "data",
        journal=folder / transport,
    )
    report, sha256 = canonical_report(
        run_traders(run, transport=transport, progress=lambda _: None)
    )
    text = (folder / transport / "ict.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    decisions = [line["decision"] for line in lines if line["type"] == "decision"]
    return report, sha256, [decision["reasoning"] for decision in decisions]


def test_trades_reasons_and_trained_models_are_the_same_over_http(made: Path) -> None:
    report, sha256, said = ran(made, "inprocess")
    over_http, same, told = ran(made, "http")
    assert said == told
    assert sha256 == same
    result, other = (json.loads(one)["result"] for one in (report, over_http))
    assert result == other  # every trade is in it, to the byte
    assert len(result["traders"]["ict"]["trades"]) >= 50
    attempts = [one for one in said if re.search(r"training \d: ", one)]
    assert attempts, said[-3:]
    assert any(
        re.search(r"training \d: (promoted|refused).* m-[0-9a-f]{16}", one) for one in attempts
    )
