"""By what the part of a trader is known again."""

from typing import Any

import msgspec
import numpy as np
import pytest
from tests.support.worlds import random_source

from suite.contracts.trader import StrategySpec, TraderSpec
from suite.contracts.world import WorldRequest
from virtual_exchange.application.market.building import query_of
from virtual_exchange.application.parts.plan import content_of, key_of
from virtual_exchange.application.session import world_request
from virtual_exchange.part_planning import libraries

ANNA = TraderSpec(
    trader_id="anna",
    strategy=StrategySpec(kind="plugin:a:B", params={"api_key": "k1", "model": "m1"}),
    symbols=("BTC",),
)
BOB = TraderSpec(trader_id="bob", strategy=StrategySpec(kind="hodl"), symbols=("BTC",))
PROGRAMS = {"engine": "1", "code": "c"}


def key(
    trader: TraderSpec = ANNA,
    others: tuple[TraderSpec, ...] = (),
    *,
    data: str = "d",
    programs: dict[str, str] = PROGRAMS,
    **world: Any,
) -> str:
    request: WorldRequest = world_request((trader, *others), **world)
    return key_of(trader, request, data_sha256=data, programs=programs)


def with_params(**params: Any) -> TraderSpec:
    strategy = msgspec.structs.replace(ANNA.strategy, params=ANNA.strategy.params | params)
    return msgspec.structs.replace(ANNA, strategy=strategy)


def test_traders_behind_it_and_secrets_change_nothing() -> None:
    """Somebody joins, a key is changed: the part is the same."""
    assert key() == key(others=(BOB,)) == key(with_params(api_key="k2"))


@pytest.mark.parametrize(
    "changed",
    [
        {"trader": with_params(model="m2")},
        {"trader": msgspec.structs.replace(ANNA, interval="1h")},
        {"trader": msgspec.structs.replace(ANNA, risk={"max_leverage": 2})},
        {"trader": msgspec.structs.replace(ANNA, initial_balance=5)},
        {"data": "other"},
        {"programs": PROGRAMS | {"plugin": "p"}},
        {"seed": 1},
        {"to": "2025-06-01"},
        {"latency": 60_000},
    ],
)
def test_all_that_a_part_follows_from_is_in_its_key(changed: dict[str, Any]) -> None:
    """Each by itself makes another part."""
    assert key() != key(**changed)


def test_interpreter_and_libraries_are_told_with_the_programs() -> None:
    """Another numpy may round otherwise."""
    assert {"python", "numpy", "numba", "llvmlite"} == set(libraries())
    assert np.__version__ == libraries()["numpy"]


def test_place_among_the_accounts_is_in_the_key() -> None:
    """Ids of orders tell it."""
    request = world_request((BOB, ANNA))
    assert key() != key_of(ANNA, request, data_sha256="d", programs=PROGRAMS)


def test_content_of_a_market_is_all_that_it_shows() -> None:
    """The same bars, the same hash; one coin more or other prices, another."""

    def content(*coins: str, seed: int = 1) -> str:
        query = query_of(WorldRequest(symbols=coins, accounts=world_request((BOB,)).accounts))
        return content_of(random_source("BTC", "ETH", seed=seed).load(query))

    assert content("BTC") == content("BTC")
    assert 3 == len({content("BTC"), content("BTC", "ETH"), content("BTC", seed=2)})
