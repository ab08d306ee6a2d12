"""Leverage brackets of every known dialect become tiers, exactly; others are refused."""

import json
from decimal import Decimal
from typing import Any

import pytest

from data_collector.domain.brackets import read_brackets
from data_collector.domain.findings import NotUnderstood

FREQTRADE = """{"min_notional": 0.0, "max_notional": 50000.0, "maint_margin_rate": 0.0065,
                "max_leverage": 75.0, "maint_amount": 0.0}"""
CCXT = """{"tier": 2, "minNotional": "50000", "maxNotional": "90000.5",
           "maintenanceMarginRate": 0.02, "maxLeverage": "20", "info": {}}"""
BINANCE = """{"bracket": 3, "initialLeverage": 10, "notionalCap": 9223372036854775807,
              "notionalFloor": 90000.5, "maintMarginRatio": 0.05, "cum": 775.0}"""


def decoded(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def bracket(floor: object, rate: object, leverage: object) -> dict[str, object]:
    return {"min_notional": floor, "maint_margin_rate": rate, "max_leverage": leverage}


@pytest.mark.parametrize(
    "text",
    [
        f'{{"BTC/USDT:USDT": [{BINANCE}, {FREQTRADE}, {CCXT}]}}',
        f'[{{"symbol": "BTCUSDT", "brackets": [{BINANCE}, {CCXT}, {FREQTRADE}]}}]',
    ],
)
def test_brackets_of_every_dialect_are_read_exactly(text: str) -> None:
    """As freqtrade, ccxt and Binance write them, in any order."""
    found = read_brackets(decoded(text))
    assert [
        (0, 75, 6_500_000),
        (50_000_000_000, 20, 20_000_000),
        (90_000_500_000, 10, 50_000_000),
    ] == [
        (tier.lower_bound_usd, tier.max_leverage, tier.maintenance_rate)
        for tier in found.tiers["BTC"]
    ]


def test_of_two_symbols_of_a_coin_the_first_one_counts() -> None:
    """The others, and contracts that expire, are counted."""
    first, second = [bracket(0, "0.01", 50)], [bracket(0, "0.02", 25)]
    found = read_brackets(
        {"BTC/USDT:USDT": first, "BTC/USDC:USDC": second, "BTC/USDT:USDT-250627": second}
    )
    assert [50] == [tier.max_leverage for tier in found.tiers["BTC"]]
    assert (3, 1, 1) == (found.symbols, found.repeated, found.nameless)


@pytest.mark.parametrize(
    "document",
    [
        [], {}, 3, None, [3], [{"symbol": "BTC"}], {"BTC": []}, {"BTC": [3]}, {"BTC": 3},
        {"BTC": [{"min_notional": 0}]}, {"BTC": [bracket(0, "0.1", None)]},
        {"BTC": [bracket(0, 0.1, 5)]}, {"BTC": [bracket(0, "0.1", True)]},
        {"BTC/USDT:USDT-250627": [bracket(0, "0.1", 5)]},
    ],
)  # fmt: skip
def test_another_shape_is_not_understood(document: object) -> None:
    """Whole or not at all: one bracket of another shape refuses the file; a float is not exact."""
    with pytest.raises(NotUnderstood):
        read_brackets(document)


@pytest.mark.parametrize(
    ("brackets", "reason"),
    [
        ([bracket(0, "2", 5)], "out of range"),
        ([bracket(0, "0", 5)], "out of range"),
        ([bracket(0, "0.01", 0)], "out of range"),
        ([bracket(0, "0.01", "2.5")], "max_leverage of a bracket: finer than 0 decimals"),
        ([bracket(0, "0.0000000001", 5)], "maint_margin_rate of a bracket: finer than 9"),
        ([bracket(0, "x", 5)], "not a number"),
        ([bracket(0, "0.01", 101)], "would liquidate what it lets open"),
        ([bracket(5, "0.01", 5)], "do not start at 0"),
        ([bracket(-5, "0.01", 5), bracket(0, "0.01", 5)], "begins below 0"),
        ([bracket(0, "0.01", 9), bracket(0, "0.01", 5)], "two brackets begin at one notional"),
        ([bracket(0, "0.01", 5), bracket(9, "0.01", 6)], "more lenient"),
        ([bracket(0, "0.02", 5), bracket(9, "0.01", 5)], "more lenient"),
    ],
)
def test_brackets_that_contradict_themselves_are_refused(
    brackets: list[object], reason: str
) -> None:
    """The message names the symbol and what is wrong."""
    with pytest.raises(ValueError, match=f"BTCUSDT: .*{reason}") as error:
        read_brackets({"BTCUSDT": brackets})
    assert not isinstance(error.value, NotUnderstood)
