"""A model is part of what a run follows from: another content of its folder, another key."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.parts import planned, world, write_traders
from tests.support.stores import make_store

from suite.contracts.trader import TradersFileError
from virtual_exchange.application.parts.plan import RunPlan

RULES: dict[str, dict[str, Any]] = {
    "ict": {"kind": "ict_xgboost", "params": {"model": "m-1"}},
    "cold": {"kind": "ict_xgboost"},
    "hodl": {"kind": "hodl"},
}


def test_content_of_the_named_model_is_in_the_key_of_its_trader_alone(tmp_path: Path) -> None:
    data = make_store(tmp_path / "data", "BTC", "ETH", minutes=400)
    traders = write_traders(tmp_path / "traders.yaml", RULES)
    request, models = world(traders, seed=7), tmp_path / "models"

    def keys() -> dict[str, str]:
        plan: RunPlan = planned(traders, data, request, models)
        return {trader.trader_id: trader.key for trader in plan.traders}

    with pytest.raises(TradersFileError, match="trader ict: there is no model m-1"):
        keys()
    (models / "m-1").mkdir(parents=True)
    (models / "m-1" / "calibration.json").write_bytes(b"one")
    before = keys()
    assert before == keys()
    (models / "m-1" / "calibration.json").write_bytes(b"two")
    after = keys()
    assert before["ict"] != after["ict"]
    assert (before["cold"], before["hodl"]) == (after["cold"], after["hodl"])
    (models / "m-1" / "calibration.json").write_bytes(b"one")
    assert before == keys()
