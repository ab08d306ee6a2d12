"""The traders of a fleet: every way of writing them, and everything that may be wrong with them."""

from typing import Any

import pytest

from suite.contracts.trader import StrategySpec
from trader_manager.application.config_loader import ConfigLoader, schema

HODL = {"strategy": {"kind": "hodl"}, "symbols": ["BTC"]}
LOADER = ConfigLoader({"SEED": "7"})


def entry(trader_id: str, /, **more: Any) -> dict[str, Any]:
    return {"trader_id": trader_id, **HODL, **more}


def test_a_list_and_a_mapping_say_the_same() -> None:
    """`traders.yaml` and `TRADERS_CONFIG`; symbols come back under their coin's name."""
    listed = LOADER.load({"traders": [entry("a", symbols=["BTCUSDT"]), entry("b")]})
    named = LOADER.load({"a": {**HODL, "symbols": ["BTCUSDT"]}, "b": HODL})
    assert () == listed.problems == named.problems
    assert listed.traders == named.traders
    assert ["a", "b"] == [spec.trader_id for spec in named.traders]
    assert ("BTC",) == named.traders[0].symbols


def test_a_flat_entry_is_sorted_into_its_strategy() -> None:
    """The kind as a word, its parameters beside it, one symbol or several in a text."""
    flat = {"strategy": "sma_cross", "params": {"fast": 3}, "symbol": "BTC,ETH"}
    config = LOADER.load({"a": flat})
    assert () == config.problems
    (spec,) = config.traders
    assert StrategySpec(kind="sma_cross", params={"fast": 3}) == spec.strategy
    assert ("BTC", "ETH") == spec.symbols
    config = LOADER.load({"a": {"llm_model": "m", "api_key": "${SEED}", "symbol": "BTC"}})
    assert () == config.problems
    (spec,) = config.traders
    assert "llm" == spec.strategy.kind
    assert ["model", "api_key"] == list(spec.strategy.params)


def test_what_is_wrong_is_told_with_its_place_and_the_others_run() -> None:
    """Ids and accounts taken twice, an unset variable, a balance, a strategy, a parameter."""
    config = LOADER.load(
        {
            "traders": [
                entry("good"),
                entry("good"),
                entry("twin", account="good"),
                entry("poor", initial_balance=-1),
                entry("secretive", name="${NOT_SET}"),
                entry("odd", strategy={"kind": "hold"}),
                entry("leak", strategy={"kind": "sma_cross", "params": {"api_key": "k"}}),
                "nonsense",
                entry("fine"),
            ]
        }
    )
    assert ["good", "fine"] == [spec.trader_id for spec in config.traders]
    assert {"good", "fine"} == set(config.written)
    expected = [
        "traders[leak].strategy.params.api_key: a secret stands here; write ${NAME}",
        "traders[good].trader_id: an earlier entry is good already",
        "traders[twin].account: the account good is that of traders[good]; take another",
        "traders[poor].initial_balance: must be above 0",
        "traders[secretive].name: environment variable NOT_SET is not set",
        "traders[odd].strategy.kind: 'hold' is not one of",
        "traders[leak].strategy.params.api_key: unknown key",
        "traders[7].entry: must be a mapping",
    ]
    for text in expected:
        assert any(problem.startswith(text) for problem in config.problems), text
    assert len(expected) == len(config.problems)


@pytest.mark.parametrize("document", [None, [], "x", {}, {"traders": []}, {"traders": 3}])
def test_what_is_no_list_of_traders_is_refused(document: Any) -> None:
    """Never with a traceback."""
    config = LOADER.load(document)
    assert () == config.traders
    assert config.problems
    assert config.problems == LOADER.validate_config(document)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([entry("a")], "the top level is a list: write the key `traders:` above it"),
        ({"trader_id": "a", "strategy": "hodl", "symbol": "BTC"}, "write it as `a: {...}`"),
        (HODL, "write it as `anna: {...}`"),
    ],
)
def test_a_list_or_one_entry_at_the_top_is_told_how_to_be_written(document: Any, said: str) -> None:
    """In one line, and not as what its keys would be as traders."""
    (problem,) = LOADER.load(document).problems
    assert said in problem


def test_a_trader_may_be_called_as_a_key_is() -> None:
    """What is under the name tells that it is one."""
    config = LOADER.load({"strategy": HODL, "symbol": HODL})
    assert (["strategy", "symbol"], ()) == (
        [one.trader_id for one in config.traders],
        config.problems,
    )


def test_what_was_written_keeps_its_secrets_as_names() -> None:
    """The value goes to the trader, the name to the database."""
    config = LOADER.load({"a": {**HODL, "name": "seed ${SEED}"}})
    assert "seed 7" == config.traders[0].name
    assert "seed ${SEED}" == config.written["a"]["name"]


def test_the_schema_names_what_an_entry_may_have() -> None:
    """For editors, and for whoever writes a file by program."""
    entries = schema()["$defs"]["TraderSpec"]["properties"]
    assert "minItems" not in schema()["$defs"]["TradersFile"]["properties"]["traders"], "nobody"
    assert "string" == entries["runtime"]["type"]
    assert {"trader_id", "strategy", "symbols", "risk"} <= set(entries)


@pytest.mark.parametrize(
    "name",
    ["DATABASE_URL", "VENUE_OPERATOR_TOKEN", "TRADER_TOKENS", "TRADER_TOKENS_DIR", "TRADER_TOKEN",
     "TRADER_MANAGER_X", "database_url", "CCXT_SECRET", "PGPASSWORD"],
)  # fmt: skip
def test_the_suites_own_secrets_are_nobodys(name: str) -> None:
    """A trader that names one is told so in one line, without its value."""
    loader = ConfigLoader({name: "s3cret"})
    config = loader.load({"traders": [entry("a", name=f"${{{name}}}"), entry("b")]})
    said = "is the suite's own; give the trader's secret a variable of another name"
    assert (f"traders[a].name: {name} {said}",) == config.problems
    assert ["b"] == [spec.trader_id for spec in config.traders]
    odd = loader.load({"a": {"strategy": f"${{{name}}}", "symbol": "BTC"}})
    assert "s3cret" not in "".join(odd.problems)


def test_what_stands_beside_the_traders_is_told_and_keeps_none_of_them_out() -> None:
    """In a list and in a mapping."""
    for traders in ([entry("a")], {"a": HODL}):
        config = LOADER.load({"traders": traders, "tradres": [entry("b")]})
        assert ("tradres: unknown key, did you mean traders?",) == config.problems
        assert ["a"] == [spec.trader_id for spec in config.traders]


def test_only_who_never_trades_is_called_flat() -> None:
    """A leaderboard adds the baseline of that name."""
    config = LOADER.load({"traders": [entry("flat"), entry("a")]})
    (problem,) = config.problems
    assert problem.startswith("traders[flat].trader_id: flat is the trader that never trades")
    assert ["a"] == [spec.trader_id for spec in config.traders]
    assert () == LOADER.load({"flat": {"strategy": "flat", "symbol": "BTC"}}).problems


def test_whoever_claims_a_trader_has_the_values_of_its_secrets() -> None:
    """They need not be set here; the suite's own are nobody's all the same."""
    entry = {"strategy": "hodl", "symbol": "BTC", "name": "${KEY_OF_THE_AGENT}"}
    loader = ConfigLoader({})
    assert loader.load({"a": entry}).problems
    assert () == loader.load({"a": entry}, claimed=True).problems
    for name in ("MANAGER_TOKEN", "DATABASE_URL"):
        taken = {**entry, "name": f"${{{name}}}"}
        assert "suite's own" in loader.load({"a": taken}, claimed=True).problems[0]
