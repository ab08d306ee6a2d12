"""An observation without the numbers that cannot be: a venue may answer anything."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple, TypeVar

from strategy_core.port import ZERO, Observation, PositionView
from strategy_core.risk.validator import is_number
from suite.contracts.hyperliquid_info import OpenOrder, UserFill
from suite.fixed import parse_decimal

T = TypeVar("T")


class Reading(NamedTuple):
    """What can be judged by, and what was left out of it."""

    observation: Observation
    odd: tuple[str, ...]


def read(observation: Observation) -> Reading:
    """Leave out positions, orders, fills and mids whose numbers are none.

    A mid that is none is as good as missing. Anything else is told: what the account holds is then
    not known.
    """
    odd: list[str] = []
    equity, available = observation.equity, observation.available
    if not (is_number(equity) and is_number(available)):
        odd.append("equity")
        equity = available = ZERO
    positions = {coin: held for coin, held in observation.positions.items() if _is_position(held)}
    odd += [f"position of {coin}" for coin in observation.positions if coin not in positions]
    mids = {coin: mid for coin, mid in observation.mids.items() if is_number(mid) and mid > 0}
    open_orders = _kept(observation.open_orders, _order_numbers, "order", odd)
    fills = _kept(observation.fills, _fill_numbers, "fill", odd)
    if not odd and len(mids) == len(observation.mids):
        return Reading(observation, ())  # as it nearly always is
    return Reading(
        replace(
            observation,
            equity=equity,
            available=available,
            positions=positions,
            open_orders=open_orders,
            fills=fills,
            mids=mids,
        ),
        tuple(odd),
    )


def _is_position(held: PositionView) -> bool:
    return is_number(held.size) and is_number(held.entry_px) and held.leverage >= 1


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
