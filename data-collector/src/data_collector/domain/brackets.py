"""Leverage brackets as venues publish them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from data_collector.domain.file_names import coin_named
from data_collector.domain.findings import NotUnderstood
from suite.fixed import RATE_DECIMALS, RATE_ONE, USD_DECIMALS, Rate, Usd, parse_fixed
from suite.instrument import MarginTier

MOST_LEVERAGE = 1000

_FLOOR = ("min_notional", "minNotional", "notionalFloor")
_RATE = ("maint_margin_rate", "maintenanceMarginRate", "maintMarginRatio")
_LEVERAGE = ("max_leverage", "maxLeverage", "initialLeverage")


@dataclass(frozen=True, slots=True, kw_only=True)
class Brackets:
    """What a file of brackets holds.

    Attributes:
        tiers: by coin, those of each by rising notional.
        symbols: how many the file names.
        repeated: symbols of a coin that an earlier one named: `BTC/USDC:USDC` after
            `BTC/USDT:USDT`.
        nameless: symbols of no coin: contracts that expire.
    """

    tiers: dict[str, tuple[MarginTier, ...]]
    symbols: int
    repeated: int
    nameless: int


def read_brackets(document: Any) -> Brackets:
    """Read brackets, exactly.

    Args:
        document: decoded JSON whose numbers are integers, text or Decimal, never float. An object
            of symbols, each with a list of brackets, or the list of such pairs that Binance's own
            interface answers. A bracket has the notional in USD from which it holds, inclusive, a
            maintenance margin rate (fraction) and the highest leverage; names as Binance, ccxt or
            freqtrade write them. It ends where the next one begins; what it says of its end (which
            may be null, or the largest number there is) and of its deduction is not read.

    Raises:
        NotUnderstood: it has another shape.
        ValueError: brackets contradict themselves or each other.
    """
    tiers: dict[str, tuple[MarginTier, ...]] = {}
    symbols = repeated = nameless = 0
    for symbol, rows in _by_symbol(document):
        found = _tiers(symbol, rows)
        symbols += 1
        try:
            coin = coin_named(symbol)
        except ValueError:
            nameless += 1
            continue
        repeated += coin in tiers
        tiers.setdefault(coin, found)
    if not tiers:
        raise NotUnderstood("no brackets of a coin")
    return Brackets(tiers=tiers, symbols=symbols, repeated=repeated, nameless=nameless)


def _by_symbol(document: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(document, Mapping):
        yield from ((str(symbol), rows) for symbol, rows in document.items())
    elif isinstance(document, list):
        for item in document:
            if not (isinstance(item, Mapping) and {"symbol", "brackets"} <= item.keys()):
                raise NotUnderstood("not a list of symbols with brackets")
            yield str(item["symbol"]), item["brackets"]
    else:
        raise NotUnderstood("neither an object nor a list of symbols with brackets")


def _tiers(symbol: str, rows: Any) -> tuple[MarginTier, ...]:
    name = symbol[:40]
    if not isinstance(rows, list) or not rows:
        raise NotUnderstood(f"{name}: not a list of brackets")
    tiers = sorted((_tier(name, row) for row in rows), key=lambda tier: tier.lower_bound_usd)
    if tiers[0].lower_bound_usd != 0:
        raise ValueError(f"{name}: brackets do not start at 0")
    for lower, upper in pairwise(tiers):
        if lower.lower_bound_usd == upper.lower_bound_usd:
            raise ValueError(f"{name}: two brackets begin at one notional")
        if upper.max_leverage > lower.max_leverage or upper.maintenance < lower.maintenance:
            raise ValueError(f"{name}: a bracket is more lenient than the one below it")
    return tuple(tiers)


def _tier(name: str, row: Any) -> MarginTier:
    if not isinstance(row, Mapping):
        raise NotUnderstood(f"{name}: a bracket is not an object")
    tier = MarginTier(
        lower_bound_usd=Usd(_number(name, row, _FLOOR, USD_DECIMALS)),
        max_leverage=_number(name, row, _LEVERAGE, 0),
        maintenance_rate=Rate(_number(name, row, _RATE, RATE_DECIMALS)),
    )
    if not (1 <= tier.max_leverage <= MOST_LEVERAGE and 0 < tier.maintenance < RATE_ONE):
        raise ValueError(f"{name}: a bracket is out of range")
    if tier.maintenance * tier.max_leverage > RATE_ONE:
        raise ValueError(f"{name}: a bracket would liquidate what it lets open")
    if tier.lower_bound_usd < 0:
        raise ValueError(f"{name}: a bracket begins below 0")
    return tier


def _number(name: str, row: Mapping[Any, Any], aliases: tuple[str, ...], decimals: int) -> int:
    """A number of a bracket in units of 10^-decimals."""
    value = next((row[alias] for alias in aliases if alias in row), None)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise NotUnderstood(f"{name}: a bracket has no number {aliases[0]}")
    try:
        return parse_fixed(value, decimals)
    except ValueError as error:
        raise ValueError(f"{name}: {aliases[0]} of a bracket: {error}") from None
