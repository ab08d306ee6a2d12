"""The pre-trade guard: a verdict on each action, `accepted`, `clamped` or `rejected`.

Exposure is judged at its worst: a coin counts with the larger of what it would be if every resting
buy, or every resting sell, were filled. Reduce-only orders count for nothing until they fill, and a
market order counts as filled for those after it. An action that does not make the worst case worse
is always let through, so reducing risk is never refused; one bad action never blocks the others.

Rules, in the order in which they are looked at:

| Rule | Meaning |
| --- | --- |
| `too_many_actions` | more than `max_actions` in one decision |
| `unknown_coin` | not one of the trader's symbols, and no position to reduce |
| `bad_number` | size or price is not finite, size not positive, price or leverage negative |
| `no_price` | the coin has no mid, so the order cannot be judged |
| `max_coin_exposure`, `max_leverage` | beyond the limit of the coin, of the account |
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, TypeAlias

import msgspec

from strategy_core.port import ZERO, Instruments, Observation, Verdict
from strategy_core.sizing.targets import MIN_NOTIONAL, round_size_down
from suite.contracts.venue import (
    Action,
    AdjustMargin,
    CancelOrder,
    ModifyOrder,
    PlaceOrder,
    SetLeverage,
)
from suite.enums import Tif
from suite.fixed import parse_decimal

Order: TypeAlias = PlaceOrder | ModifyOrder


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `risk` of a trader may say.

    Attributes:
        max_leverage: gross exposure of the account over its equity; also the highest leverage that
            may be set.
        max_coin_exposure: exposure of one coin over equity.
        max_actions: actions of one decision.
    """

    max_leverage: Annotated[float, msgspec.Meta(gt=0, le=100)] = 5.0
    max_coin_exposure: Annotated[float, msgspec.Meta(gt=0, le=100)] = 3.0
    max_actions: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """The outcome: what may be sent, and one verdict for each action asked."""

    actions: tuple[Action, ...]
    verdicts: tuple[Verdict, ...]


def guard(
    actions: Sequence[Action],
    observation: Observation,
    *,
    limits: RiskLimits,
    symbols: Sequence[str],
    instruments: Instruments,
) -> Guarded:
    """Judge the actions of one decision, in their order.

    Args:
        actions: as decided.
        observation: what the decision was based on.
        limits: of the trader.
        symbols: coins it may trade.
        instruments: lattice of each coin.
    """
    book = _Book(observation, limits, symbols, instruments)
    passed: list[Action] = []
    verdicts: list[Verdict] = []
    for index, action in enumerate(actions):
        if index >= limits.max_actions:
            verdict = _rejected(index, "too_many_actions", action)
        else:
            verdict, action = book.judge(index, action)  # noqa: PLW2901 - made smaller perhaps
        verdicts.append(verdict)
        if verdict.outcome != "rejected":
            passed.append(action)
    return Guarded(actions=tuple(passed), verdicts=tuple(verdicts))


@dataclass(slots=True)
class _Coin:
    """Signed position and sizes of resting orders that could add to it."""

    position: Decimal = ZERO
    buys: Decimal = ZERO
    sells: Decimal = ZERO

    def worst(self) -> Decimal:
        """Largest position that fills of the resting orders can lead to."""
        return max(abs(self.position), self.position + self.buys, self.sells - self.position)

    def ahead(self, *, is_buy: bool) -> Decimal:
        """Position in the direction of a side when its resting orders are filled."""
        return self.position + self.buys if is_buy else self.sells - self.position

    def rest(self, size: Decimal, *, is_buy: bool) -> None:
        """Add to the resting orders of a side; a negative size takes away."""
        if is_buy:
            self.buys += size
        else:
            self.sells += size


class _Book:
    """The worst case of the account, moved on with every action let through."""

    def __init__(
        self,
        observation: Observation,
        limits: RiskLimits,
        symbols: Sequence[str],
        instruments: Instruments,
    ) -> None:
        self._seen = observation
        self._limits = limits
        self._symbols = symbols
        self._instruments = instruments
        self._equity = max(ZERO, observation.equity)
        self._coins: dict[str, _Coin] = {
            coin: _Coin(position.size) for coin, position in observation.positions.items()
        }
        for order in observation.open_orders:
            if not order.reduceOnly:
                self._coin(order.coin).rest(parse_decimal(order.sz), is_buy=order.side == "B")

    def judge(self, index: int, action: Action) -> tuple[Verdict, Action]:
        """Decide on one action and count it."""
        match action:
            case CancelOrder():
                self._cancel(action)
                return Verdict(action=index, outcome="accepted"), action
            case SetLeverage():
                return self._judge_leverage(index, action)
            case AdjustMargin():
                return self._judge_margin(index, action), action
            case ModifyOrder():
                self._cancel(action)
        return self._judge_order(index, action)

    def _judge_margin(self, index: int, action: AdjustMargin) -> Verdict:
        """Margin may be added; taking it out brings liquidation nearer."""
        if action.coin not in self._symbols or action.coin not in self._instruments:
            return _rejected(index, "unknown_coin", action)
        if action.margin <= 0:
            return _rejected(index, "margin_removal", action)
        return _accepted(index, action.margin)

    def _judge_leverage(self, index: int, action: SetLeverage) -> tuple[Verdict, Action]:
        if action.coin not in self._symbols or action.coin not in self._instruments:
            return _rejected(index, "unknown_coin", action), action
        if action.leverage < 1:
            return _rejected(index, "bad_number", action), action
        allowed = max(1, int(self._limits.max_leverage))
        if action.leverage <= allowed:
            return _accepted(index, Decimal(action.leverage)), action
        smaller = msgspec.structs.replace(action, leverage=allowed)
        return _clamped(index, "max_leverage", Decimal(action.leverage), Decimal(allowed)), smaller

    def _judge_order(self, index: int, order: Order) -> tuple[Verdict, Action]:
        rule = self._why_invalid(order)
        if rule:
            return _rejected(index, rule, order), order
        if order.reduce_only:
            self._count(order)
            return _accepted(index, order.sz), order
        rule, room = self._room(order)
        if order.sz <= room:
            self._count(order)
            return _accepted(index, order.sz), order
        size = round_size_down(self._instruments[order.coin], room)
        if size * self._price(order) < MIN_NOTIONAL:
            return _rejected(index, rule, order), order
        smaller = msgspec.structs.replace(order, sz=size)
        self._count(smaller)
        return _clamped(index, rule, order.sz, size), smaller

    def _why_invalid(self, order: Order) -> str:
        """Name the first rule of form that an order breaks; empty for none."""
        reduces_held = order.reduce_only and self._coin(order.coin).position != 0
        known = order.coin in self._symbols and order.coin in self._instruments
        if not known and not reduces_held:
            return "unknown_coin"
        if not (order.sz.is_finite() and order.sz > 0):
            return "bad_number"
        if not (order.limit_px.is_finite() and order.limit_px >= 0):
            return "bad_number"
        if not order.reduce_only and self._price(order) <= 0:
            return "no_price"
        return ""

    def _price(self, order: Order) -> Decimal:
        """What a unit of the coin is worth, USD; 0 when unknown."""
        return self._seen.mids.get(order.coin) or order.limit_px

    def _room(self, order: Order) -> tuple[str, Decimal]:
        """How large an order may be, and the rule that says so."""
        coin = self._coin(order.coin)
        elsewhere = ZERO
        for name, other in self._coins.items():
            if name != order.coin:
                elsewhere += other.worst() * self._worth(name)
        of_coin = Decimal(str(self._limits.max_coin_exposure)) * self._equity
        of_account = Decimal(str(self._limits.max_leverage)) * self._equity - elsewhere
        rule = "max_coin_exposure" if of_coin <= of_account else "max_leverage"
        largest = max(min(of_coin, of_account) / self._price(order), coin.worst())
        return rule, max(ZERO, largest - coin.ahead(is_buy=order.is_buy))

    def _worth(self, coin: str) -> Decimal:
        """Price of another coin: its mid, else what was paid for the position."""
        mid = self._seen.mids.get(coin)
        held = self._seen.positions.get(coin)
        return mid if mid is not None else (held.entry_px if held else ZERO)

    def _count(self, order: Order) -> None:
        """Move the worst case on by an order that goes out."""
        coin = self._coin(order.coin)
        signed = order.sz if order.is_buy else -order.sz
        if _fills_at_once(order):
            if order.reduce_only and coin.position * signed < 0:
                signed = min(abs(signed), abs(coin.position)) * (1 if order.is_buy else -1)
            elif order.reduce_only:
                signed = ZERO
            coin.position += signed
        elif not order.reduce_only:
            coin.rest(order.sz, is_buy=order.is_buy)

    def _cancel(self, action: CancelOrder | ModifyOrder) -> None:
        """Take the order that is about to go out of the worst case."""
        for order in self._seen.open_orders:
            is_it = (
                order.oid == action.oid
                if action.oid is not None
                else (order.cloid is not None and order.cloid == action.cloid)
            )
            if is_it and order.coin == action.coin and not order.reduceOnly:
                self._coin(order.coin).rest(-parse_decimal(order.sz), is_buy=order.side == "B")

    def _coin(self, coin: str) -> _Coin:
        return self._coins.setdefault(coin, _Coin())


def _fills_at_once(order: Order) -> bool:
    limit = order.order_type.limit
    return limit is not None and (order.limit_px == 0 or limit.tif is Tif.IOC)


def _asked(action: Action) -> Decimal:
    """The number of an action that can be clamped."""
    match action:
        case SetLeverage():
            return Decimal(action.leverage)
        case AdjustMargin():
            return action.margin
        case CancelOrder():
            return ZERO
    return action.sz


def _accepted(index: int, size: Decimal) -> Verdict:
    return Verdict(action=index, outcome="accepted", before=size, after=size)


def _clamped(index: int, rule: str, before: Decimal, after: Decimal) -> Verdict:
    return Verdict(action=index, outcome="clamped", rule=rule, before=before, after=after)


def _rejected(index: int, rule: str, action: Action) -> Verdict:
    return Verdict(action=index, outcome="rejected", rule=rule, before=_asked(action))
