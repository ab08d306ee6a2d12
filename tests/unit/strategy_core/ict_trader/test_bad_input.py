"""Whatever is wrong with bars, trades or files: the reason is told, and the good model stays."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.unit.strategy_core.ict_trader.test_ict_xgboost import (
    NOW_MS,
    Desk,
    fifty,
    model_of,
    seen,
    trader,
)
from tests.unit.strategy_core.learning.test_labels import wandering
from tests.unit.strategy_core.learning.worlds import START_MS, drawn_events

from strategy_core.learning.artefact import CALIBRATION, META, MODEL, PROBE
from strategy_core.learning.events import Events
from strategy_core.learning.port import Files, Switches
from strategy_core.port import Observation
from suite.bars import MINUTE_MS, Bars


@pytest.fixture(scope="module")
def good() -> Files:
    return model_of(START_MS)


@pytest.fixture(scope="module")
def bars() -> Bars:
    return wandering(200, 21)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        (1, math.nan, "not a number"),
        (2, math.inf, "not a number"),
        (2, 1e300, "above 1e12"),
        (3, 1e-300, "below 1e-12"),
        (3, -1.0, "not above zero"),
        (4, 1e9, "not between low and high"),
        (5, 1e300, "no volume above 1e18"),
        (5, -1.0, "volume is negative"),
    ],
)
def test_bar_that_cannot_be_is_told_and_nothing_is_lost(
    good: Files, bars: Bars, column: int, value: float, reason: str
) -> None:
    one = trader(Desk([("m", good)]))
    one.decide(seen(bars, 60))
    wrong = seen(bars, 61)
    wrong.snapshots["BTC"]["intervals_data"]["1"]["bars"][-1][column] = value
    assert reason in one.decide(wrong).reasoning
    after = one.decide(seen(bars, 62))
    assert reason not in after.reasoning
    assert "READY" == one.describe()["state"]
    assert 52 == one._coins["BTC"].bars


def test_hole_in_the_bars_begins_the_warm_up_anew_and_keeps_the_model(
    good: Files, bars: Bars
) -> None:
    one = trader(Desk([("m", good)]))
    one.decide(seen(bars, 60))
    one.decide(seen(bars, 199))
    assert 50 == one._coins["BTC"].bars
    assert not one._coins["BTC"].ready
    assert "READY" == one.describe()["state"]


def few(events: Events) -> Events:
    return events.take(np.arange(300))


def won(events: Events) -> Events:
    return events.take(events.net > 0)


def still(events: Events) -> Events:
    features = events.features.copy()
    features[:, 3] = 0.25
    return replace(events, features=features)


def holed(events: Events) -> Events:
    features = events.features.copy()
    features[-1, 0] = np.nan
    return replace(events, features=features)


def endless(events: Events) -> Events:
    net = events.net.copy()
    net[7] = np.inf
    return replace(events, net=net)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (few, "300 labelled trades, 400 are needed"),
        (won, "only 0 lost, 80 are needed"),
        (still, "never changes: liquidity_grab"),
        (holed, "a feature or a result is not a number"),
        (endless, "a feature or a result is not a number"),
    ],
)
def test_trades_that_cannot_teach_leave_the_model_in_use(
    good: Files, spoil: Callable[[Events], Events], reason: str
) -> None:
    desk = Desk([("m", good)], rows=[spoil(drawn_events())])
    one = trader(desk, coins=("BTC", "ETH"))
    before = one.describe()["model_id"]
    at: dict[str, Any] = {"equity": seen(wandering(60, 1), 60).equity}
    one.decide(Observation(now_ms=NOW_MS, fills=fifty(), **at))
    said = one.decide(Observation(now_ms=NOW_MS + 20 * MINUTE_MS, **at)).reasoning
    assert "training 1: untrained (" in said
    assert reason in said
    assert f"{before} stays" in said
    assert ("READY", before) == tuple(one.describe()[name] for name in ("state", "model_id"))


def changed(files: Files, **fields: Any) -> Files:
    return {**files, META: json.dumps({**json.loads(files[META]), **fields}).encode()}


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda _: {}, "the model is not whole"),
        (lambda files: {**files, MODEL: files[MODEL][:-9]}, "model.ubj is damaged"),
        (lambda files: {**files, MODEL: b""}, "model.ubj is damaged"),
        (lambda files: {**files, CALIBRATION: b"{}"}, "calibration.json is damaged"),
        (lambda files: {**files, PROBE: b"PK"}, "probe.npz is damaged"),
        (lambda files: {**files, META: b"\xff{"}, "meta.json cannot be read"),
        (lambda files: changed(files, schema_hash="0" * 16), "made for features"),
        (lambda files: changed(files, interval_ms=900_000), "made for features"),
        (lambda files: changed(files, rounds=1e300), "meta.json cannot be read"),
        (lambda files: changed(files, created_ms=1, rounds=7), "meta.json was changed"),
    ],
)
def test_file_that_is_no_model_leaves_the_last_good_one_in_use(
    good: Files, spoil: Callable[[Files], Files], reason: str
) -> None:
    one = trader(Desk([("new", spoil(good)), ("old", good)], switches=Switches(schema_lock=False)))
    told = one.describe()
    assert "READY" == told["state"]
    assert json.loads(good[META])["model_id"] == told["model_id"]
    (refused,) = told["refused_models"]
    assert refused.startswith("new: ")
    assert reason in refused
