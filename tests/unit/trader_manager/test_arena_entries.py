"""Who takes part in an arena."""

from typing import Any

import pytest

from trader_manager.application.arena.entries import (
    Participants,
    participants_of,
    plugins_of,
    without_added,
)
from trader_manager.application.config_loader import ConfigLoader

LIST = {
    "traders": [
        {"trader_id": "anna", "strategy": {"kind": "random"}, "symbols": ["BTC"]},
        {"trader_id": "bob", "strategy": {"kind": "sma_cross"}, "symbols": ["ETH"]},
    ]
}
MAPPING = {
    "anna": {"strategy": {"kind": "random"}, "symbols": ["BTC"]},
    "bob": {"strategy": {"kind": "sma_cross"}, "symbols": ["ETH"]},
}
FLAT = {
    "anna": {"strategy": "random", "symbol": "BTC"},
    "bob": {"strategy": "sma_cross", "symbol": "ETH"},
}


def participants(document: Any, *, seeds: int = 1, baselines: bool = True) -> Participants:
    config = ConfigLoader({}).load(document)
    assert () == config.problems
    return participants_of(config, seeds=seeds, with_baselines=baselines)


def names(who: Participants) -> list[str]:
    return [str(entry["trader_id"]) for entry in who.entries]


@pytest.mark.parametrize("document", [LIST, MAPPING, FLAT])
def test_every_form_of_a_traders_file_is_taken(document: Any) -> None:
    """They come out in the one form, with the baselines that are not there."""
    who = participants(document)
    assert ["anna", "bob", "baseline-hodl", "baseline-flat"] == names(who)
    assert ("baseline-hodl", "baseline-flat") == who.baselines
    assert {"kind": "random"} == {"kind": who.entries[0]["strategy"]["kind"]}
    assert ["BTC", "ETH"] == list(who.entries[2]["symbols"])
    assert {} == who.groups


def test_no_baselines_are_added_where_none_are_wanted() -> None:
    """Only the file's."""
    assert ["anna", "bob"] == names(participants(LIST, baselines=False))


def test_who_draws_at_random_runs_once_a_seed() -> None:
    """Each seed is a trader with an account of its own; the others run once."""
    document = {
        "traders": [
            {**LIST["traders"][0], "account": "money"},
            LIST["traders"][1],
            {"trader_id": "own", "strategy": {"kind": "plugin:a.b:C"}, "symbols": ["BTC"]},
        ]
    }
    who = participants(document, seeds=2, baselines=False)
    assert ["anna.1", "anna.2", "bob", "own.1", "own.2"] == names(who)
    assert ["money.1", "money.2"] == [entry["account"] for entry in who.entries[:2]]
    assert {"anna.1": "anna", "anna.2": "anna", "own.1": "own", "own.2": "own"} == who.groups


def test_an_added_baseline_that_draws_has_seeds_too() -> None:
    """All of them are told as baselines."""
    document = {"bob": MAPPING["bob"]}
    who = participants(document, seeds=2)
    added = ("baseline-hodl", "baseline-random.1", "baseline-random.2", "baseline-flat")
    assert added == who.baselines
    assert ["bob", *added] == names(who)


def test_plugins_are_found_in_entries_that_are_wrong_otherwise() -> None:
    """So that all mistakes are told at once."""
    own = {"trader_id": "b", "strategy": {"kind": "plugin:a:B"}, "foo": 1}
    entries = [own, "nonsense", {"trader_id": "c"}, LIST["traders"][0], {**own, "trader_id": 3}]
    assert [("b", "plugin:a:B")] == plugins_of(entries)


def test_a_baseline_that_was_added_is_no_place_of_the_users_file() -> None:
    """What is wrong is told once, with the user's own places where there are some."""
    added = ("baseline-hodl", "baseline-flat")
    of_added = [f"traders[{name}].symbols[0]: no bars of X" for name in added]
    own = "traders[a].symbols[1]: no bars of X"
    assert [own, "other"] == without_added([own, "other", *of_added], added)
    assert ["no bars of X"] == without_added(of_added, added)
