"""What a sweep is asked for: spaces, searches, folds, and every mistake told."""

import math
from typing import Any

import numpy as np
import pytest

from suite.bars import DAY_MS
from suite.errors import ConfigError
from virtual_exchange.research.search import (
    Choice,
    OptunaSearch,
    Space,
    Span,
    make_search,
    parse_axis,
    read_axis,
)
from virtual_exchange.research.sweep_folds import FoldPlan, windows_of
from virtual_exchange.research.sweep_rows import METRICS, RunRow, score_of
from virtual_exchange.research.sweep_spec import SpecError, read_spec, turned

GOOD: dict[str, Any] = {"strategy": "sma_cross", "space": {"fast": [5, 10]}, "symbols": ["BTC"]}


def problems(**changed: Any) -> tuple[str, ...]:
    with pytest.raises(SpecError) as caught:
        read_spec(GOOD | changed)
    return caught.value.problems


def test_a_grid_has_every_combination_in_order() -> None:
    space: Space = {"a": Span(low=1, high=3), "b": Choice((True, None))}
    assert [{"a": a, "b": b} for a in (1, 2, 3) for b in (True, None)] == make_search(
        "grid", space, trials=1, seed=0, batch=1
    ).propose()


def test_a_span_of_fractions_ends_at_its_bound() -> None:
    assert (0.1, 0.2, 0.3) == Span(low=0.1, high=0.3, step=0.1).grid()


@pytest.mark.parametrize("kind", ["random", "optuna"])
def test_draws_stay_inside_and_follow_from_the_seed(kind: Any) -> None:
    space: Space = {
        "n": Span(low=5, high=50, step=5),
        "x": Span(low=1e-4, high=1e-1, log=True),
        "y": Span(low=0.0, high=1.0),
        "c": Choice(("a", "b")),
        "k": Span(low=2, high=64, log=True),
    }

    def run(seed: int) -> list[dict[str, Any]]:
        search = make_search(kind, space, trials=20, seed=seed, batch=6)
        found: list[dict[str, Any]] = []
        while proposed := search.propose():
            found += proposed
            search.tell([float(one["y"]) if one["n"] != 5 else None for one in proposed])  # type: ignore[arg-type]
        return found

    one = run(1)
    assert len(one) == 20
    assert run(1) == one != run(2)
    for chosen in one:
        assert chosen["n"] in range(5, 51, 5)
        assert isinstance(chosen["n"], int)
        assert 1e-4 <= chosen["x"] <= 1e-1
        assert chosen["c"] in {"a", "b"}
        assert 2 <= chosen["k"] <= 64


def test_optuna_finds_a_hill_that_draws_seldom_meet() -> None:
    """Its later rounds are nearer than its first."""
    search = OptunaSearch({"x": Span(low=0.0, high=1.0)}, trials=60, seed=3, batch=6)
    distances: list[float] = []
    while proposed := search.propose():
        scores = [-abs(float(one["x"] or 0) - 0.7) for one in proposed]
        distances += [-score for score in scores]
        search.tell(scores)
    assert np.mean(distances[-20:]) < np.mean(distances[:20]) / 2


def test_options_say_what_a_file_would() -> None:
    assert ("fast", {"from": 5, "to": 50, "step": 5}) == parse_axis("fast=5:50:5")
    assert ("rate", {"from": 0.001, "to": 0.1, "log": True}) == parse_axis("rate=0.001:0.1:log")
    assert ("short", [True, None, "x", 1.5]) == parse_axis("short=true,null,x,1.5")
    with pytest.raises(ConfigError, match="write name=from:to:step"):
        parse_axis("fast")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ([], "there are no values to try"),
        ([math.nan], "nan is no value"),
        ({"from": math.nan, "to": 3}, "must be finite numbers"),
        ({"from": 1, "to": math.inf}, "must be finite numbers"),
        ({"from": 3, "to": 1}, "from 3 is above to 1"),
        ({"from": 1, "to": 3, "step": 0}, "step must be above 0"),
        ({"from": 0, "to": 3, "log": True}, "log needs bounds above 0"),
        ({"from": "a", "to": 3}, "are numbers"),
        ({"from": 1, "to": 3, "by": 1}, "unknown key by"),
        (7, "write a list of values"),
    ],
)
def test_an_axis_that_cannot_be_is_told(raw: Any, said: str) -> None:
    axis, problem = read_axis("fast", raw)
    assert axis is None
    assert problem.startswith("space.fast: ")
    assert said in problem


def test_every_mistake_is_told_at_once() -> None:
    told = problems(
        space={"fsat": [1], "slow": {"from": math.nan, "to": 3}, "risk.max_levrage": [1]},
        params={"exposure": math.inf},
        symbols=["BTC", "BTC"],
        world={"slippag": 1},
        search={"kind": "random", "trials": 0},
        folds={"count": -1},
        decides="1h",
    )
    text = "\n".join(told)
    for said in (
        "did you mean fast?",
        "space.slow: from, to and step must be finite",
        "did you mean risk.max_leverage?",
        "params.exposure: must be a finite number",
        "symbols[1]: BTC is there already",
        "did you mean slippage?",
        "search.trials",
        "folds.count",
    ):
        assert said in text, text


def test_an_empty_space_an_unknown_strategy_and_an_endless_grid_are_told() -> None:
    assert ["space: it is empty"] == [one[:18] for one in problems(space={})]
    assert "did you mean sma_cross?" in problems(strategy="sma_cros")[0]
    assert "a grid needs a step" in problems(space={"exposure": {"from": 0.1, "to": 1.0}})[0]
    huge = {"fast": {"from": 1, "to": 50_000}, "slow": {"from": 1, "to": 50}}
    assert "2,500,000 sets" in problems(space=huge)[0]
    assert "asks a language model" in problems(strategy="llm", space={"a": [1]})[0]
    assert "is no module:name" not in problems(strategy="tests.support.swept:nothing")[0]
    assert "in the space already" in problems(params={"fast": 3})[0]


def test_coins_that_are_traded_together_are_written_with_a_plus() -> None:
    assert "BTC+BTC: a coin is there twice" in problems(symbols=["BTC+BTC"])[0]
    assert "is there already" in problems(symbols=["BTC+ETH", "BTC + ETH"])[0]
    called = problems(
        strategy="tests.support.swept:called", space={"length": [9]}, symbols=["BTC+ETH"]
    )
    assert "a Called is called with the bars of one coin: write BTC, ETH" in called[0]


def test_folds_follow_each_other_with_purge_and_embargo() -> None:
    plan = FoldPlan(count=2, train_days=10, test_days=4, purge_days=2, embargo_days=1)
    told = [
        (one.fold, one.part, one.from_ms // DAY_MS, one.to_ms // DAY_MS)
        for one in windows_of(plan, 0, 25 * DAY_MS)
    ]
    assert [
        (0, "train", 0, 10),
        (0, "test", 12, 16),
        (1, "train", 5, 15),
        (1, "test", 17, 21),
    ] == told


def test_anchored_folds_begin_with_the_period_and_none_is_one_training() -> None:
    plan = FoldPlan(count=3, anchored=True, purge_days=0)
    windows = windows_of(plan, 0, 50 * DAY_MS)
    assert [0, 0, 0] == [one.from_ms for one in windows if one.part == "train"]
    assert 50 * DAY_MS == windows[-1].to_ms
    (whole,) = windows_of(FoldPlan(count=0), 0, DAY_MS)
    assert (0, DAY_MS, "train") == (whole.from_ms, whole.to_ms, whole.part)


@pytest.mark.parametrize(
    "plan",
    [
        FoldPlan(count=20),
        FoldPlan(count=2, train_days=9, test_days=2),
        FoldPlan(count=2, train_days=12),
        FoldPlan(count=2, test_days=6),
    ],
)
def test_more_folds_than_the_data_holds_are_refused(plan: FoldPlan) -> None:
    with pytest.raises(ValueError, match="the data has 12: take fewer"):
        windows_of(plan, 0, 12 * DAY_MS)


def test_knobs_turn_what_they_say() -> None:
    model = read_spec(GOOD | {"world": {"fees": {"taker": 0.0004, "maker": -0.0001}}}).model
    fees = turned(model, "fees", 1.5)
    assert fees is not None
    assert ("0.0006", "-0.00015") == (str(fees.fees.taker), str(fees.fees.maker))
    tiers = read_spec(GOOD | {"world": {"fees": {"tiers": "hyperliquid"}}}).model
    assert turned(tiers, "fees", 2.0) is None


def test_a_score_is_of_trainings_alone_and_of_none_that_failed() -> None:
    def row(part: str, returns: list[float], error: str = "") -> RunRow:
        metrics = dict.fromkeys(METRICS) | {"return": sum(returns)}
        return RunRow(
            trial=0, fold=0, part=part, symbol="BTC", metrics=metrics, returns=returns, error=error
        )

    good, bad = row("train", [0.01, 0.02]), row("train", [], error="x")
    assert pytest.approx(0.03) == score_of([good, row("test", [-9.0])], "return")
    sharpe = score_of([good], "sharpe")
    assert sharpe is not None
    assert pytest.approx(0.015 / np.std([0.01, 0.02], ddof=1) * math.sqrt(365)) == sharpe
    assert score_of([good, bad], "sharpe") is None
    assert 0.0 == score_of([row("train", [0.0, 0.0])], "sharpe")
