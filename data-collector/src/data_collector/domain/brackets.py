"""Leverage brackets as venues publish them."""

from collections.abc import Mapping
from typing import Any

from data_collector.domain.findings import NotUnderstood
from suite.fixed import is_decimal

_NAMES = {
    "min_notional": ("min_notional", "minNotional", "notionalFloor"),
    "max_notional": ("max_notional", "maxNotional", "notionalCap"),
    "maint_margin_rate": ("maint_margin_rate", "maintenanceMarginRate", "maintMarginRatio"),
    "max_leverage": ("max_leverage", "maxLeverage", "initialLeverage"),
}


def read_brackets(document: Any) -> dict[str, list[dict[str, float]]]:
    """Read brackets by symbol.

    Args:
        document: decoded JSON: symbol to a list of brackets, each with a notional band in USD, a
            maintenance margin rate (fraction) and the highest leverage; names as Binance, ccxt or
            this suite write them.

    Returns:
        Symbol to brackets by rising notional.

    Raises:
        NotUnderstood: it has another shape.
        ValueError: a bracket is out of range.
    """
    if not isinstance(document, Mapping) or not document:
        raise NotUnderstood("not an object of symbols")
    return {str(symbol): _brackets(str(symbol), rows) for symbol, rows in document.items()}


def _brackets(symbol: str, rows: Any) -> list[dict[str, float]]:
    if not isinstance(rows, list) or not rows:
        raise NotUnderstood(f"{symbol[:40]}: not a list of brackets")
    found = [_bracket(symbol, row) for row in rows]
    return sorted(found, key=lambda bracket: bracket["min_notional"])


def _bracket(symbol: str, row: Any) -> dict[str, float]:
    if not isinstance(row, Mapping):
        raise NotUnderstood(f"{symbol[:40]}: a bracket is not an object")
    bracket = {}
    for name, aliases in _NAMES.items():
        value = next((row[alias] for alias in aliases if alias in row), None)
        if not (isinstance(value, int | float) or (isinstance(value, str) and is_decimal(value))):
            raise NotUnderstood(f"{symbol[:40]}: a bracket has no number {name}")
        bracket[name] = float(value)
    rate, leverage = bracket["maint_margin_rate"], bracket["max_leverage"]
    if not (0 < rate < 1 and 1 <= leverage <= 1000 and bracket["min_notional"] >= 0):
        raise ValueError(f"{symbol[:40]}: a bracket is out of range")
    return bracket
