"""An observation without the numbers that cannot be: a venue may answer anything."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from strategy_core.numbers import is_number
from strategy_core.port import Observation
from suite.contracts.hyperliquid_info import OpenOrder, UserFill
from suite.fixed import parse_decimal

T = TypeVar("T")


class Reading(NamedTuple):
    """What can be judged by, and what was left out of it."""

    observation: Observation
    odd: tuple[str, ...]


def read(observation: Observation) -> Reading:
    """Leave out open orders and fills whose numbers are none, and tell them.

    What the account holds is then not known. Its other numbers, and the mids, were looked at when
    the reply was read (`observe`).
    """
    if not (observation.open_orders or observation.fills):
        return Reading(observation, ())
    odd: list[str] = []
    open_orders = _kept(observation.open_orders, _order_numbers, "order", odd)
    fills = _kept(observation.fills, _fill_numbers, "fill", odd)
    if not odd:
        return Reading(observation, ())  # as it nearly always is
    return Reading(replace(observation, open_orders=open_orders, fills=fills), tuple(odd))


def _order_numbers(order: OpenOrder) -> list[Decimal]:
    return [parse_decimal(order.sz), parse_decimal(order.limitPx)]


def _fill_numbers(fill: UserFill) -> list[Decimal]:
    texts = (fill.sz, fill.startPosition, fill.closedPnl, fill.fee)
    return [parse_decimal(text) for text in texts]


def _kept(
    items: Iterable[T], numbers: Callable[[T], list[Decimal]], name: str, odd: list[str]
) -> tuple[T, ...]:
    """Keep the items with readable numbers; name the others."""
    kept = []
    for item in items:
        try:
            good = all(is_number(number) for number in numbers(item))
        except ValueError:
            good = False
        if good:
            kept.append(item)
        else:
            odd.append(f"{name} {getattr(item, 'oid', '')}".rstrip())
    return tuple(kept)
