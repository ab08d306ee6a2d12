"""Sweeps in this process: what they leave behind, and that nothing but the spec decides it."""

import dataclasses
import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.support.interrupted import whole_in_parts
from tests.support.stores import make_store
from tests.support.swept import momentum, momentum_of_all

from perp_engine.commands import Deposit
from perp_engine.engine import Engine as Kernel
from perp_engine.jitted import run_jitted
from suite.bars import DAY_MS
from suite.errors import ConfigError, StorageError
from suite.fixed import Usd
from virtual_exchange.adapters.store_market import StoreMarkets
from virtual_exchange.application.market.rules import rules_of
from virtual_exchange.application.parts.plan import content_of
from virtual_exchange.application.ports import MarketQuery
from virtual_exchange.research import sweep as module
from virtual_exchange.research.sweep import Sweep, SweepResult, run_sweep
from virtual_exchange.research.sweep_spec import SpecError, read_spec
from virtual_exchange.research.sweep_windows import window_of

SPEC: dict[str, Any] = {
    "strategy": "tests.support.swept:compiled",
    "space": {"length": [20, 60, 120]},
    "symbols": ["BTC", "ETH"],
    "folds": {"count": 2},
    "sensitivity": False,
}
DAYS = 10


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("store"), "BTC", "ETH", minutes=DAYS * 1440)


def run(store: Path, out: Path, **changed: Any) -> SweepResult:
    return run_sweep(read_spec(SPEC | changed), data=store, out=out)


def digest(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def table(folder: Path, name: str) -> list[dict[str, Any]]:
    return list(pq.read_table(folder / f"{name}.parquet").to_pylist())


def test_every_set_runs_in_every_window_of_every_coin(store: Path, tmp_path: Path) -> None:
    result = run(store, tmp_path)
    rows = table(tmp_path, "trials")
    assert (3, 24, 0) == (result.trials, result.runs, result.failed)
    assert 24 == len({(one["trial"], one["fold"], one["part"], one["symbol"]) for one in rows})
    assert [20, 60, 120] == [one["param.length"] for one in rows[::8]]
    assert all(one["error"] is None and one["trades"] > 0 for one in rows)
    daily = table(tmp_path, "returns")
    sweep = Sweep(read_spec(SPEC), store)
    for window in sweep.windows:
        own = [
            one
            for one in daily
            if (one["fold"], one["part"], one["trial"], one["symbol"])
            == (window.fold, window.part, 0, "ETH")
        ]
        ends = list(range(window.from_ms + DAY_MS, window.to_ms + 1, DAY_MS))
        assert ends == [one["time_ms"] for one in own]
        (row,) = [
            one
            for one in rows
            if (one["fold"], one["part"], one["trial"], one["symbol"])
            == (window.fold, window.part, 0, "ETH")
        ]
        assert pytest.approx(row["return"]) == np.prod([1 + one["return"] for one in own]) - 1
    assert {"sweep.json", "result.json", "trials.parquet", "returns.parquet"} == set(
        digest(tmp_path)
    )


def test_a_run_is_what_the_engine_does_by_itself(store: Path, tmp_path: Path) -> None:
    """One engine is used for many sets: nothing of one is left for the next."""
    run(store, tmp_path)
    sweep = Sweep(read_spec(SPEC), store)
    window, market = sweep.windows[1], sweep.markets[1]
    cut = window_of(market, window.from_ms, window.to_ms)
    engine = Kernel(cut.instruments, cut.tape, 1, rules_of(sweep.checked.model))
    engine.apply(Deposit(account=0, usd=Usd(10**10)))
    fills = run_jitted(engine, momentum, ints=[120, 1_000]).events()
    (row,) = [
        one
        for one in table(tmp_path, "trials")
        if (one["trial"], one["fold"], one["part"], one["symbol"]) == (2, 0, "test", "ETH")
    ]
    assert int(engine.equities()[0]) / 10**10 - 1 == row["return"]
    fees = sum(one.fee_usd for one in fills if hasattr(one, "fee_usd"))
    assert pytest.approx(fees / 1e6) == row["fees_usd"]


def test_compiled_and_called_trade_alike(store: Path, tmp_path: Path) -> None:
    run(store, tmp_path / "a")
    run(store, tmp_path / "b", strategy="tests.support.swept:called")
    assert table(tmp_path / "a", "trials") == table(tmp_path / "b", "trials")


def test_a_trader_of_a_file_is_swept_with_its_risk(store: Path, tmp_path: Path) -> None:
    result = run(
        store,
        tmp_path,
        strategy="sma_cross",
        space={"fast": [5, 30], "risk.max_leverage": [1]},
        params={"slow": 20},
        symbols=["BTC"],
        folds={"count": 1},
        decides="4h",
    )
    rows = table(tmp_path, "trials")
    assert (4, 2) == (result.runs, result.failed)
    assert [None, None] == [one["error"] for one in rows[:2]]
    assert "fast (30) must be below slow (20)" in rows[2]["error"]
    assert all(one["return"] is None for one in rows[2:])
    assert rows[0]["trades"] > 0
    assert 0 < rows[0]["exposure"] <= 1


def test_coins_that_are_traded_together_are_one_account(store: Path, tmp_path: Path) -> None:
    changed = {"strategy": "tests.support.swept:of_all", "folds": {"count": 0}}
    space = {"length": [30], "coins": [1, 2]}
    run(store, tmp_path / "a", symbols=["BTC"], space=space | {"coins": [1]}, **changed)
    run(store, tmp_path / "b", symbols=["BTC+ETH"], space=space, **changed)
    (alone,), (first, both) = (table(tmp_path / name, "trials") for name in "ab")
    assert ("BTC", "BTC+ETH", "BTC+ETH") == (alone["symbol"], first["symbol"], both["symbol"])
    for name in ("return", "trades", "exposure", "funding_usd"):
        assert alone[name] == first[name]
    assert both["trades"] > 1.5 * first["trades"]
    sweep = Sweep(read_spec(SPEC | {"symbols": ["BTC+ETH"], "folds": {"count": 0}}), store)
    market = sweep.markets[0]
    engine = Kernel(market.instruments, market.tape, 1, rules_of(sweep.checked.model))
    engine.apply(Deposit(account=0, usd=Usd(10**10)))
    run_jitted(engine, momentum_of_all, ints=[30, 1_000, 2])
    assert int(engine.equities()[0]) / 10**10 - 1 == both["return"]


def test_a_trader_of_several_coins_is_swept(store: Path, tmp_path: Path) -> None:
    changed: dict[str, Any] = {
        "strategy": "sma_cross",
        "space": {"fast": [5, 8]},
        "params": {"slow": 20},
        "folds": {"count": 0},
    }
    run(store, tmp_path, symbols=["BTC", "ETH", "BTC+ETH"], **changed)
    rows = [one for one in table(tmp_path, "trials") if one["param.fast"] == 5]
    trades = {one["symbol"]: one["trades"] for one in rows}
    assert 0 < max(trades["BTC"], trades["ETH"]) < trades["BTC+ETH"]
    assert all(0 < one["exposure"] <= 1 and one["error"] is None for one in rows)


def test_a_set_that_fails_says_why_and_the_others_go_on(store: Path, tmp_path: Path) -> None:
    result = run(
        store, tmp_path, strategy="tests.support.swept:called", space={"length": [13, 60, "x"]}
    )
    errors = {one["param.length"]: one["error"] for one in table(tmp_path, "trials")}
    assert "ValueError: thirteen" == errors["13"]
    assert errors["60"] is None
    assert "TypeError" in errors["x"]
    assert (16, 1) == (result.failed, result.best)


def test_leverage_is_the_accounts(store: Path, tmp_path: Path) -> None:
    run(store, tmp_path, space={"risk.leverage": [2, 5000, 1.5]}, symbols=["BTC"])
    errors = [one["error"] for one in table(tmp_path, "trials")[::4]]
    assert errors[0] is None
    assert "risk.leverage: 5000 is no integer from 1 to" in errors[1]
    assert "risk.leverage: 1.5" in errors[2]


@pytest.mark.parametrize("search", ["grid", "optuna"])
def test_what_is_interrupted_anywhere_ends_with_the_same_bytes(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, search: str
) -> None:
    changed: dict[str, Any] = {
        "search": {"kind": search, "trials": 6, "batch": 2},
        "space": {"length": {"from": 10, "to": 60, "step": 10}},
        "symbols": ["BTC"],
        "sensitivity": {"fees": [1, 2], "slippage": [], "latency": [], "bar_path": []},
    }
    monkeypatch.setattr(module, "_SETS_MAX", 2)
    run(store, tmp_path / "whole", **changed)
    _, interruptions = whole_in_parts(
        lambda: run(store, tmp_path / "parts", **changed), monkeypatch, at=range(3, 1000, 3)
    )
    assert interruptions > 3
    assert digest(tmp_path / "whole") == digest(tmp_path / "parts")


def test_a_finished_sweep_is_not_run_again(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = run(store, tmp_path)
    monkeypatch.setattr(module, "open_executor", None)
    assert one == run(store, tmp_path)


def test_another_sweep_does_not_go_into_the_folder(store: Path, tmp_path: Path) -> None:
    run(store, tmp_path)
    with pytest.raises(ConfigError, match="another sweep, with another search, space: take"):
        run(store, tmp_path, space={"length": [20]})
    checked = read_spec(SPEC | {"space": {"length": [20]}})
    assert 1 == run_sweep(checked, data=store, out=tmp_path, fresh=True).trials
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(tmp_path / "trials.parquet", other / "x.parquet")
    with pytest.raises(ConfigError, match="results of something else"):
        run(store, other)


def test_a_full_disk_is_one_line_and_what_is_kept_stays(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, count = Path.write_bytes, 0

    def full(self: Path, data: Any) -> int:
        nonlocal count
        count += 1
        if count > 5:
            raise OSError(28, os.strerror(28))
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match=r"cannot write .*: No space left on device"):
        run(store, tmp_path / "one")
    assert 4 == len(list((tmp_path / "one" / "parts").glob("*.parquet")))
    monkeypatch.undo()
    run(store, tmp_path / "one")
    run(store, tmp_path / "two")
    assert digest(tmp_path / "one") == digest(tmp_path / "two")


def test_a_period_outside_the_data_and_too_many_folds_are_told(store: Path) -> None:
    for changed, said in (
        ({"from": "2031-01-01", "to": "2031-02-01"}, "stored are"),
        ({"symbols": ["DOGE"]}, "no stored bars of DOGE"),
        ({"folds": {"count": 50}}, "take fewer or shorter ones"),
    ):
        with pytest.raises(SpecError, match=said):
            Sweep(read_spec(SPEC | changed), store)


def test_a_window_is_what_is_loaded_for_its_range(store: Path) -> None:
    source = StoreMarkets(store)
    whole = source.load(MarketQuery(coins=("BTC",), from_ms=None, to_ms=None))
    first = whole.tape.start_ms
    first, end = first + 2 * DAY_MS, first + 5 * DAY_MS
    loaded = source.load(MarketQuery(coins=("BTC",), from_ms=first, to_ms=end))
    cut = window_of(whole, first, end)
    assert content_of(loaded) == content_of(dataclasses.replace(cut, manifest=loaded.manifest))
