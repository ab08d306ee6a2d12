"""Plugins in backtests of this process: only those whose kinds the caller has imported."""

import pytest
from tests.support.worlds import random_source

from strategy_core.registry import KINDS
from suite.clock import ManualClock
from suite.contracts.backtest import BacktestRequest
from suite.contracts.trader import StrategySpec, TraderSpec
from suite.errors import ConfigError
from virtual_exchange.adapters.plugins import load_plugins
from virtual_exchange.application.backtest import run_backtest, run_request
from virtual_exchange.application.session import world_request

HODL = "plugin:strategy_core.strategies.hodl:Hodl"


def trader(kind: str) -> TraderSpec:
    return TraderSpec(trader_id="mine", strategy=StrategySpec(kind=kind), symbols=("BTC",))


def fills(kind: str) -> list[int]:
    spec = trader(kind)
    record = run_backtest(
        world_request((spec,)),
        (spec,),
        source=random_source("BTC", count=300),
        clock=ManualClock(0),
        progress=lambda _done: None,
        plugins=load_plugins((spec,)),
    )
    return [fill.size for fill in record.accounts[0].fills]


def test_plugin_trades_as_the_kind_of_the_same_class() -> None:
    assert [] != fills(HODL) == fills("hodl")


def test_each_plugin_is_imported_once_and_built_in_kinds_not_at_all() -> None:
    loaded = load_plugins((trader(HODL), trader("flat"), trader(HODL)))
    assert {HODL: KINDS["hodl"].make} == {name: kind.make for name, kind in loaded.items()}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("plugin:absent:Mine", "cannot load absent:Mine: ModuleNotFoundError"),
        ("plugin:json:Absent", "cannot load json:Absent: json has no class Absent"),
        ("plugin:json", "write package.module:Class, such as json:Momentum, not 'json'"),
        ("plugin:json:JSONDecoder", "JSONDecoder has no nested msgspec struct Params"),
    ],
)
def test_plugin_that_is_none_is_told_with_its_trader(kind: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_plugins((trader(kind),))
    assert str(caught.value).startswith("traders[mine].strategy.kind: ")
    assert text in str(caught.value)


def test_what_comes_over_http_imports_nothing() -> None:
    with pytest.raises(ConfigError, match="is not loaded"):
        run_request(
            BacktestRequest(traders=(trader(HODL),)),
            source=random_source("BTC", count=300),
            clock=ManualClock(0),
            progress=lambda _done: None,
        )
