"""One decision under the gate: what is already let through weighs on what follows."""

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from strategy_core.intents import Intent, ParentOrder
from strategy_core.lattice import round_size_down
from strategy_core.numbers import is_number
from strategy_core.port import ZERO, Instruments, Observation, Verdict
from strategy_core.risk.exposure import Exposure, Order, places
from strategy_core.risk.limits import RiskLimits
from strategy_core.risk.memory import RiskMemory
from strategy_core.risk.status import CauseKind, StatusMachine
from strategy_core.risk.validator import Checked, OrderValidator
from strategy_core.sizing.targets import MIN_NOTIONAL
from suite.contracts.venue import (
    AdjustMargin,
    CancelOrder,
    ModifyOrder,
    PlaceOrder,
    SetLeverage,
)
from suite.enums import TraderStatus

UNLISTED_CANCELS: Final = 100
"""Cancellations in one decision of orders that are not listed: just sent, or known to nobody."""
REDUCTIONS: Final = 100
"""Reduce-only orders of one decision that are not at the market: at least so many, more where
`max_actions` is more. A position needs a few."""
_FORMS = (PlaceOrder, ModifyOrder, CancelOrder, SetLeverage, AdjustMargin, ParentOrder)


class Judge:
    """Judges the intents of one decision, one after another."""

    def __init__(
        self,
        limits: RiskLimits,
        *,
        symbols: Sequence[str],
        instruments: Instruments,
        memory: RiskMemory,
        machine: StatusMachine,
        observation: Observation,
        pending: Sequence[PlaceOrder | ParentOrder],
        in_doubt: bool,
    ) -> None:
        """Begin with what is observed.

        Args:
            limits: of the trader.
            symbols: coins it may trade.
            instruments: lattice of each coin.
            memory: its throttles are counted on.
            machine: its statuses are read.
            observation: read by `strategy_core.risk.reading.read`.
            pending: orders under way that the observation does not show.
            in_doubt: what the account holds is not surely known.
        """
        self._limits = limits
        self._known = tuple(coin for coin in symbols if coin in instruments)
        self._instruments = instruments
        self._memory = memory
        self._machine = machine
        self._validator = OrderValidator(limits)
        self._seen = observation
        self._in_doubt = in_doubt
        self._canceled: set[tuple[object, ...]] = set()
        self._unlisted = self._adding = self._reducing = 0
        self._exposure = Exposure(
            observation, limits=limits, instruments=instruments, pending=pending
        )

    def judge(self, index: int, intent: Intent) -> tuple[Verdict, Intent]:
        """Decide on one intent and count it.

        Args:
            index: of the intent.
            intent: as decided, whatever it is.

        Returns:
            The verdict, and what may be sent unless it is rejected.
        """
        formed = _formed(intent)
        match formed:
            case None:
                return _rejected(index, "bad_form", ZERO), intent
            case CancelOrder():
                return self._judge_cancel(index, formed), formed
            case SetLeverage():
                return self._judge_leverage(index, formed)
            case AdjustMargin():
                return self._judge_margin(index, formed), formed
            case ParentOrder():
                verdict, whole = self._judge_order(index, formed.whole(), at_once=False)
                shared = ("sz", "reduce_only", "stop_loss", "take_profit")
                changes = {name: getattr(whole, name) for name in shared}
                return verdict, msgspec.structs.replace(formed, **changes)
        return self._judge_order(index, formed, at_once=_fills_at_once(formed))

    def _judge_cancel(self, index: int, action: CancelOrder) -> Verdict:
        """A cancellation passes once; of orders that are not listed only so many in a decision."""
        order = self._exposure.listed(action)
        name: tuple[object, ...] = (action.coin, action.oid, action.cloid)
        if order is not None:
            name = (order.coin, order.oid)
        if name in self._canceled:
            return _rejected(index, "duplicate", ZERO)
        if order is None:
            if self._unlisted >= UNLISTED_CANCELS:
                return _rejected(index, "too_many_actions", ZERO)
            self._unlisted += 1
        self._canceled.add(name)
        self._exposure.cancel(action)
        return Verdict(action=index, outcome="accepted")

    def _judge_margin(self, index: int, action: AdjustMargin) -> Verdict:
        """Margin may be added; taking it out brings liquidation nearer."""
        if action.coin not in self._known:
            return _rejected(index, "unknown_coin", action.margin)
        if not is_number(action.margin):
            return _rejected(index, "bad_number", action.margin)
        if action.margin <= 0:
            return _rejected(index, "margin_removal", action.margin)
        return _accepted(index, action.margin)

    def _judge_leverage(self, index: int, action: SetLeverage) -> tuple[Verdict, Intent]:
        asked = Decimal(action.leverage)
        if action.coin not in self._known:
            return _rejected(index, "unknown_coin", asked), action
        if action.leverage < 1:
            return _rejected(index, "bad_number", asked), action
        highest = self._instruments[action.coin].max_leverage
        allowed = min(action.leverage, highest, max(1, int(self._limits.max_leverage)))
        self._adding += 1
        block = self._block(action.coin)
        held = self._seen.positions.get(action.coin)
        if block and (held is None or allowed > held.leverage):
            return _rejected(index, block, asked), action
        self._exposure.set_leverage(action.coin, allowed)
        if allowed == action.leverage:
            return _accepted(index, asked), action
        smaller = msgspec.structs.replace(action, leverage=allowed)
        return _clamped(index, "max_leverage", asked, Decimal(allowed)), smaller

    def _judge_order(self, index: int, order: Order, *, at_once: bool) -> tuple[Verdict, Order]:
        rule = self._why_invalid(order)
        if rule:
            return _rejected(index, rule, order.sz), order
        replaced = self._exposure.cancel(order) if isinstance(order, ModifyOrder) else None
        if order.reduce_only:
            verdict, allowed = self._reduce(index, order, at_once=at_once)
        else:
            verdict, allowed = self._add(index, order, at_once=at_once)
        if replaced is not None:
            passed = allowed if verdict.outcome != "rejected" else None
            self._exposure.restore(replaced, instead_of=passed)
        return verdict, allowed

    def _why_invalid(self, order: Order) -> str:
        """Name the first rule of form that an order breaks; empty for none."""
        reduces_held = order.reduce_only and order.coin in self._seen.positions
        if order.coin not in self._known and not reduces_held:
            return "unknown_coin"
        return "" if self._validator.has_numbers(order) else "bad_number"

    def _block(self, coin: str) -> str:
        """Why there is no new risk in a coin at present; empty when there may be."""
        if self._adding > self._limits.max_actions:
            return "too_many_actions"
        status = self._machine.status
        if status is TraderStatus.STOPPED:
            return "stopped"
        if status is TraderStatus.PAUSED or self._in_doubt:
            return "paused"
        if self._machine.holds_back(coin):
            return "coin_paused"
        resting = self._memory.cool_downs.get(coin, 0) > self._seen.now_ms
        return "cool_down" if resting else ""

    def _reduce(self, index: int, order: Order, *, at_once: bool) -> tuple[Verdict, Order]:
        """Let a reduce-only order through, no larger than what it could ever reduce.

        All that are at the market may close the same position; of others those of one decision
        together, and no more of them than a position needs.
        """
        if not at_once and self._reducing >= max(REDUCTIONS, self._limits.max_actions):
            return _rejected(index, "too_many_actions", order.sz), order
        instrument = self._instruments.get(order.coin)
        checked = Checked(order=order)
        if instrument is not None:
            checked = self._validator.check(
                order, instrument, self._exposure, self._seen, is_exit=True
            )
        if checked.refused:
            return _rejected(index, checked.rule, order.sz), order
        allowed = checked.order
        most = self._exposure.reducible(order, at_once=at_once)
        if not self._holdings_doubtful():
            if most <= 0:
                return _rejected(index, "reduce_only", order.sz), order
            if allowed.sz > most:
                allowed = msgspec.structs.replace(allowed, sz=most)
                checked = Checked(order=allowed, rule="reduce_only", before=order.sz, after=most)
        self._exposure.count(allowed, at_once=at_once)
        self._reducing += not at_once
        return _told(index, checked, order.sz), allowed

    def _holdings_doubtful(self) -> bool:
        """Whether the position seen may not be the one there is; the venue then judges."""
        causes = self._memory.state.causes.values()
        return self._in_doubt or any(cause.kind is CauseKind.AUTO for cause in causes)

    def _add(self, index: int, order: Order, *, at_once: bool) -> tuple[Verdict, Order]:
        """Let through of an order that may add what every limit allows."""
        self._adding += 1
        rule = self._block(order.coin)
        if rule:
            return self._only_closing(index, order, rule, at_once=at_once)
        price = self._exposure.price(order.coin)
        if price <= 0 and not (order.is_buy and order.limit_px > 0):
            # a buy brings the most that it can cost; a sell may trade at any price above its own
            return self._only_closing(index, order, "no_price", at_once=at_once)
        checked = self._validator.check(
            order, self._instruments[order.coin], self._exposure, self._seen, is_exit=False
        )
        if checked.refused:
            return self._only_closing(index, order, checked.rule, at_once=at_once)
        allowed = checked.order
        room = self._exposure.room(allowed)
        if allowed.sz > room.size:
            size = round_size_down(self._instruments[order.coin], room.size)
            closing = self._exposure.closing(allowed)
            worth = size * (allowed.limit_px or price)
            if size < closing or (size > closing and worth < MIN_NOTIONAL) or not size:
                return self._only_closing(index, order, room.rule, at_once=at_once)
            allowed = msgspec.structs.replace(allowed, sz=size)
            checked = Checked(order=allowed, rule=room.rule, before=order.sz, after=size)
        contents = {_content(order), _content(allowed)}
        rule = self._throttle(order, contents)
        if rule:
            return self._only_closing(index, order, rule, at_once=at_once)
        self._memory.order_times.append(self._seen.now_ms)
        self._memory.recent.update(dict.fromkeys(contents, self._seen.now_ms))
        self._exposure.count(allowed, at_once=at_once)
        return _told(index, checked, order.sz), allowed

    def _only_closing(
        self, index: int, order: Order, rule: str, *, at_once: bool
    ) -> tuple[Verdict, Order]:
        """Let the part of an order that closes through as reduce-only; refuse the rest."""
        closing = self._exposure.closing(order)
        if closing <= 0 or rule in _OF_FORM:
            return _rejected(index, rule, order.sz), order
        reducing = msgspec.structs.replace(order, sz=closing, reduce_only=True)
        if isinstance(reducing, PlaceOrder):
            reducing = msgspec.structs.replace(reducing, stop_loss=None, take_profit=None)
        verdict, allowed = self._reduce(index, reducing, at_once=at_once)
        if verdict.outcome != "rejected" and allowed.sz < order.sz:
            verdict = _clamped(index, rule, order.sz, allowed.sz)
        return verdict, allowed

    def _throttle(self, order: Order, contents: set[str]) -> str:
        """Name the limit on numbers of orders that one more would break."""
        memory, limits = self._memory, self._limits
        if self._exposure.resting + places(order) > limits.max_open_orders:
            return "max_open_orders"
        if len(memory.order_times) >= limits.max_orders_per_minute:
            return "max_orders_per_minute"
        return "" if contents.isdisjoint(memory.recent) else "duplicate"


_OF_FORM = frozenset({"lot", "tick", "trigger_side"})
"""Rules by which an order is refused with the part of it that closes: it may be a slip."""


def _formed(intent: object) -> Intent | None:
    """An intent whose fields all have their types; None for anything else a strategy returns."""
    if not isinstance(intent, _FORMS):
        return None
    try:
        return msgspec.convert(msgspec.to_builtins(intent), type(intent))
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None


def _fills_at_once(order: Order) -> bool:
    """Whether an order is sure to be filled; a modification may find its order gone."""
    is_market = not order.limit_px and order.order_type.limit is not None
    return isinstance(order, PlaceOrder) and is_market


def _content(order: Order) -> str:
    """Fingerprint of what an order says, whatever its client id."""
    plain = order
    if isinstance(order, PlaceOrder):
        plain = msgspec.structs.replace(order, cloid=None)
    return hashlib.sha256(msgspec.json.encode(plain)).hexdigest()[:32]


def _told(index: int, checked: Checked, asked: Decimal) -> Verdict:
    """The verdict on an order that goes on."""
    if checked.rule:
        return _clamped(index, checked.rule, checked.before, checked.after)
    return _accepted(index, asked)


def _accepted(index: int, size: Decimal) -> Verdict:
    return Verdict(action=index, outcome="accepted", before=size, after=size)


def _clamped(index: int, rule: str, before: Decimal, after: Decimal) -> Verdict:
    return Verdict(action=index, outcome="clamped", rule=rule, before=before, after=after)


def _rejected(index: int, rule: str, asked: Decimal) -> Verdict:
    return Verdict(action=index, outcome="rejected", rule=rule, before=asked)
