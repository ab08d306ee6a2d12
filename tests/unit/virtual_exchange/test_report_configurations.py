"""What a report tells of its traders' configurations: all that counts, and no secret."""

import msgspec
from tests.support.worlds import random_source

from strategy_core.remembering import configuration_of, digest_of_trader
from suite.canonical import without_floats
from suite.clock import ManualClock
from suite.contracts.trader import StrategySpec, TraderSpec
from virtual_exchange.application.backtest import run_backtest
from virtual_exchange.application.report.building import build_report
from virtual_exchange.application.session import strategies_of, world_request

ANNA = TraderSpec(
    trader_id="anna",
    strategy=StrategySpec(kind="sma_cross", params={"fast": 3, "exposure": 0.1}),
    symbols=("BTC", "ETH"),
    risk={"max_actions": 7},
    exits={"smart": True},
)


def test_manifest_has_the_whole_configuration_and_the_result_the_strategy() -> None:
    """So that who goes live can be told apart from who was tested; the hash is as it was."""
    record = run_backtest(
        world_request((ANNA,), seed=0),
        (ANNA,),
        source=random_source("BTC", "ETH", count=1500),
        clock=ManualClock(0),
        progress=lambda _done: None,
    )
    report = build_report(record)
    assert {"kind", "params", "interval"} == report["result"]["traders"]["anna"]["strategy"].keys()
    told = report["manifest"]["strategies"]["anna"]
    assert without_floats(configuration_of(ANNA)) == told
    assert {"max_actions": 7} == told["risk"]
    assert ["BTC", "ETH"] == told["symbols"]


def test_secret_is_told_nowhere_and_tells_no_configurations_apart() -> None:
    params = {"model": "m", "api_key": "sk-not-for-anybody"}
    mine = msgspec.structs.replace(ANNA, strategy=StrategySpec(kind="llm", params=params))
    other = StrategySpec(kind="llm", params=params | {"api_key": "sk-another"})
    theirs = msgspec.structs.replace(mine, strategy=other)
    assert "sk-" not in repr(strategies_of((mine,)))
    assert digest_of_trader(mine) == digest_of_trader(theirs)
    assert digest_of_trader(mine) != digest_of_trader(msgspec.structs.replace(mine, risk={}))
