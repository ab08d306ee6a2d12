"""One account at any exchange of ccxt, as the trader's order path sees it.

An action leaves once. Exchanges forget a client order id as soon as its order is done, so what was
sent is never sent again, but for a cancellation, which can only happen once. What became of an
action is asked by its client order id. That an order is not found is proof only after the time from
which on the exchange must refuse it, and a margin.
"""

from collections import OrderedDict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from strategy_agent.adapters.ccxt_exchange.calls import CcxtCalls, NotFound, spoken
from strategy_agent.adapters.ccxt_exchange.markets import Markets, load_markets
from strategy_agent.adapters.ccxt_exchange.records import CcxtRecords
from strategy_agent.adapters.ccxt_exchange.terms import as_placed, at_once, is_gone, leg_id, legs
from strategy_agent.adapters.ccxt_exchange.values import (
    ZERO,
    answered,
    number,
    oid_of,
    order_status,
)
from strategy_agent.application.ports import DurableIntent
from suite.account.events import FundingPayment, StatePush
from suite.clock import Clock
from suite.contracts.hyperliquid_info import UserFill
from suite.contracts.venue import (
    ActionReply,
    AdjustMargin,
    CancelOrder,
    ModifyOrder,
    PlaceOrder,
    SetLeverage,
)
from suite.enums import Tif, Tpsl
from suite.errors import SuiteError, UpstreamRefused, UpstreamTimeout

PROOF_MS: Final = 10_000
"""After its expiry, until a request that is not found can no longer come."""
_REMEMBERED: Final = 4_096
_GONE: Final = "Order was never placed, already canceled, or filled."
_NOTHING: Final = answered("cancel", {"error": _GONE})
_DONE: Final = ActionReply(status="ok", response={"type": "default"})


class CcxtExchange:
    """An account at an exchange; an `ExchangeConnection`.

    Args:
        calls: of the exchange.
        markets: of it.
        wall: the machine's clock.
        coins: that are traded; fills of others are not asked for.
        proof_ms: see `PROOF_MS`.

    Attributes:
        calls: of the exchange.
        markets: of it.
        records: what the exchange tells of the account.
        mids: prices by coin, kept by whoever hears them.
    """

    def __init__(
        self,
        calls: CcxtCalls,
        markets: Markets,
        wall: Clock,
        *,
        coins: tuple[str, ...],
        proof_ms: int = PROOF_MS,
    ) -> None:
        self.calls = calls
        self.markets = markets
        self.records = CcxtRecords(calls, markets, wall, coins=coins)
        self.mids: dict[str, Decimal] = {}
        self._wall = wall
        self._proof_ms = proof_ms
        self._told: OrderedDict[str, ActionReply | None] = OrderedDict()

    async def meta(self) -> object:
        """Describe the coins in the shape of the venue's `meta`."""
        return self.markets.meta()

    async def fetch_account(self) -> StatePush:
        """Ask for orders, positions and balance."""
        return await self.records.fetch_account()

    async def fetch_fills(self, start_ms: int) -> tuple[UserFill, ...]:
        """Ask for the trades since a time; for the latest ones where it is 0."""
        return await self.records.fetch_fills(start_ms)

    async def fetch_ledger(self, start_ms: int) -> None:
        """No exchange of ccxt tells all that moved money: none of it is known."""

    async def fetch_fundings(self, start_ms: int) -> tuple[FundingPayment, ...]:
        """Ask for funding received and paid since a time, oldest first."""
        return await self.records.fetch_fundings(start_ms)

    # what is done

    async def send(self, intent: DurableIntent) -> ActionReply:
        """Send an action; one that was sent is looked for instead.

        Raises:
            UpstreamTimeout: nobody knows what became of it.
        """
        key = intent.key
        if key in self._told:
            told = self._told[key]
            return told if told is not None else await self._evidence(intent)
        self._told[key] = None
        while len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
        reply = await self._carry_out(intent)
        self._told[key] = reply
        return reply

    async def resolve(self, intent: DurableIntent) -> ActionReply | None:
        """Look for what became of an action; nothing that adds risk is done.

        Raises:
            UpstreamTimeout: there is no evidence yet.
        """
        over = self._is_over(intent)
        try:
            reply = await self._evidence(intent, over=over)
        except _NoTrace as fault:
            if over:
                return None
            raise UpstreamTimeout(str(fault)) from None
        self._told[intent.key] = reply
        return reply

    async def _carry_out(self, intent: DurableIntent) -> ActionReply:
        match intent.action:
            case PlaceOrder() as action:
                doing = self._place(intent, action)
            case CancelOrder() as action:
                doing = self._cancel(intent, action)
            case ModifyOrder() as action:
                doing = self._modify(intent, action)
            case SetLeverage() as action:
                doing = self._set_leverage(intent, action)
            case AdjustMargin() as action:
                doing = self._adjust_margin(intent, action)
        try:
            return await doing
        except UpstreamRefused as refusal:
            return ActionReply(status="err", response=spoken(str(refusal)))

    async def _evidence(self, intent: DurableIntent, *, over: bool = False) -> ActionReply:
        """Find out what became of an action.

        Raises:
            UpstreamTimeout: the exchange does not tell; a `_NoTrace` where nothing of it is there.
        """
        try:
            match intent.action:
                case PlaceOrder() as action:
                    return await self._placed(intent, action, over=over)
                case CancelOrder() as action:
                    return await self._cancel_again(intent, action)
                case ModifyOrder() as action:
                    return await self._modified(action)
                case SetLeverage():
                    return await self._set_again(intent, over=over)
                case AdjustMargin() as action:
                    return await self._margin_adjusted(intent, action)
        except UpstreamTimeout:
            raise
        except SuiteError as fault:
            raise UpstreamTimeout(f"no evidence: {fault}") from None

    def _is_over(self, intent: DurableIntent) -> bool:
        """Whether a request that has not arrived yet would be refused for its age."""
        if self.calls.habits.expiry is None:
            return False
        return self._wall.now_ms() > intent.expires_ms + self._proof_ms

    # orders

    async def _place(self, intent: DurableIntent, action: PlaceOrder) -> ActionReply:
        order = await self._create(action, action.cloid or f"0x{intent.key}", intent)
        size = self.markets.size(action.coin, order.get("filled"))
        status = order_status(order, size, at_once=at_once(action))
        if "error" in status or not legs(action):
            return answered("order", status)
        placed_legs: list[object] = []
        for name, leg in legs(action):
            try:
                placed = await self._create(leg, leg_id(intent.key, name), intent)
                placed_legs.append({"resting": {"oid": oid_of(placed["id"])}})
            except UpstreamRefused as refusal:
                placed_legs.append({"error": spoken(str(refusal))})
        return answered("order", status, *placed_legs)

    async def _create(
        self, action: PlaceOrder, cloid: str, intent: DurableIntent
    ) -> Mapping[str, Any]:
        symbol = self.markets.symbol(action.coin)
        kind, price, parameters = self._terms(action)
        parameters["clientOrderId"] = self.records.client_id(cloid)
        order: Any = await self.calls.act(
            "create_order",
            symbol,
            kind,
            "buy" if action.is_buy else "sell",
            self.markets.amount(action.coin, action.sz),
            price,
            parameters,
            expires_ms=intent.expires_ms,
        )
        trigger = action.order_type.trigger is not None
        if not isinstance(order, Mapping) or order.get("id") is None:
            try:
                order = await self.records.find(action.coin, cloid, trigger=trigger)
            except UpstreamRefused:
                raise UpstreamTimeout("an order without an id was answered") from None
        self.records.remember(order, trigger=trigger and self.calls.habits.triggers_apart)
        placed: Mapping[str, Any] = order
        return placed

    def _terms(self, action: PlaceOrder | ModifyOrder) -> tuple[str, str | None, dict[str, Any]]:
        """Say kind, price and parameters of an order as ccxt wants them."""
        parameters: dict[str, Any] = {}
        if action.reduce_only:
            parameters["reduceOnly"] = True
        trigger, limit, price = action.order_type.trigger, action.order_type.limit, action.limit_px
        if trigger is not None:
            at = self.markets.price(action.coin, trigger.triggerPx)
            stop = trigger.tpsl == Tpsl.STOP_LOSS
            parameters["stopLossPrice" if stop else "takeProfitPrice"] = at
            if trigger.isMarket or price == 0:
                return "market", at if self.calls.habits.market_price else None, parameters
        elif price == 0:
            return "market", self._market_price(action.coin), parameters
        elif limit is not None and limit.tif == Tif.ALO:
            parameters["postOnly"] = True
        elif limit is not None:
            parameters["timeInForce"] = limit.tif.upper()
        return "limit", self.markets.price(action.coin, price), parameters

    def _market_price(self, coin: str) -> str | None:
        if not self.calls.habits.market_price:
            return None
        mid = self.mids.get(coin)
        if mid is None:
            raise UpstreamRefused(f"held back: no price of {coin} was told yet")
        return self.markets.price(coin, mid)

    async def _placed(
        self, intent: DurableIntent, action: PlaceOrder, *, over: bool
    ) -> ActionReply:
        """Look for an order, and for those that protect it."""
        trigger = action.order_type.trigger is not None
        try:
            order = await self.records.find(
                action.coin, action.cloid or intent.key, trigger=trigger
            )
        except NotFound:
            raise _NoTrace("the exchange does not know the order so far") from None
        self.records.remember(order, trigger=trigger and self.calls.habits.triggers_apart)
        size = self.markets.size(action.coin, order.get("filled"))
        statuses: list[object] = [order_status(order, size, at_once=at_once(action))]
        for name, leg in legs(action):
            try:
                found = await self.records.find(leg.coin, leg_id(intent.key, name), trigger=True)
                self.records.remember(found, trigger=self.calls.habits.triggers_apart)
                statuses.append({"resting": {"oid": oid_of(found["id"])}})
            except NotFound:
                if not over:
                    raise UpstreamTimeout(f"its {name} is not known so far") from None
                statuses.append({"error": f"its {name} was not placed"})
        return answered("order", *statuses)

    async def _cancel(self, intent: DurableIntent, action: CancelOrder) -> ActionReply:
        order_id, parameters, trigger = self.records.named(action)
        symbol, apart = self.markets.symbol(action.coin), self.calls.habits.triggers_apart
        for as_trigger in (trigger, not trigger) if apart else (False,):
            more = {"trigger": True} if as_trigger else {}
            try:
                canceled: Any = await self.calls.act(
                    "cancel_order",
                    order_id,
                    symbol,
                    {**parameters, **more},
                    expires_ms=max(intent.expires_ms, self._wall.now_ms() + self._proof_ms),
                )
            except UpstreamRefused as refusal:
                # a cancellation that finds nothing has nothing left to do; its fills tell the rest
                if not isinstance(refusal, NotFound) and not is_gone(str(refusal)):
                    raise
            else:
                if not isinstance(canceled, Mapping) or not (
                    canceled.get("id") or canceled.get("status")
                ):
                    raise UpstreamTimeout("what was answered to a cancellation is none")
                return answered("cancel", "success")
        return _NOTHING

    async def _cancel_again(self, intent: DurableIntent, action: CancelOrder) -> ActionReply:
        """Cancel once more; what is gone by then may have been canceled the first time."""
        reply = await self._carry_out(intent)
        if reply.status == "err":
            raise UpstreamTimeout(f"refused once more, which says nothing: {reply.response}")
        if reply != _NOTHING:
            return reply
        try:
            order = await self._named(action)
        except UpstreamRefused:
            return reply
        canceled = order is not None and order.get("status") == "canceled"
        return answered("cancel", "success") if canceled else reply

    # changes of orders

    async def _modify(self, intent: DurableIntent, action: ModifyOrder) -> ActionReply:
        habits = self.calls.habits
        if action.order_type.trigger is not None and not habits.modifies_triggers:
            return await self._replace(intent, action)
        if self.calls.api.has.get("editOrder") is not True:
            raise UpstreamRefused(f"{self.calls.access.exchange} cannot modify an order")
        order = await self._present(action)
        filled = self.markets.size(action.coin, order.get("filled")) if habits.whole_size else ZERO
        kind, price, parameters = self._terms(action)
        if order.get("clientOrderId"):
            parameters["clientOrderId"] = order["clientOrderId"]
        changed = await self.calls.act(
            "edit_order",
            str(order["id"]),
            self.markets.symbol(action.coin),
            kind,
            "buy" if action.is_buy else "sell",
            self.markets.amount(action.coin, action.sz + filled),
            price,
            parameters,
            expires_ms=intent.expires_ms,
        )
        if not isinstance(changed, Mapping) or changed.get("id") in {None, order["id"]}:
            changed = {**order, "id": order["id"]}
        self.records.remember(changed)
        return answered("order", {"resting": {"oid": oid_of(changed["id"])}})

    async def _replace(self, intent: DurableIntent, action: ModifyOrder) -> ActionReply:
        """Cancel a trigger order and place it anew under the same client id."""
        order = await self._present(action)
        cloid = str(order["clientOrderId"])
        canceled = await self._cancel(
            intent, CancelOrder(coin=action.coin, oid=oid_of(order["id"]))
        )
        if canceled != answered("cancel", "success"):
            raise UpstreamRefused("Cannot modify canceled or filled order")
        placed = await self._create(as_placed(action), cloid, intent)
        return answered("order", {"resting": {"oid": oid_of(placed["id"])}})

    async def _present(self, action: ModifyOrder) -> Mapping[str, Any]:
        """Read the order that is to be modified.

        Raises:
            UpstreamRefused: it is not open, or not told; nothing of the modification has left.
        """
        try:
            order = await self._named(action)
        except UpstreamRefused:
            raise
        except SuiteError as fault:
            raise UpstreamRefused(f"held back: {fault}") from None
        if order is None or order.get("status") != "open":
            raise UpstreamRefused("Cannot modify canceled or filled order")
        return order

    async def _named(self, action: CancelOrder | ModifyOrder) -> Mapping[str, Any] | None:
        """Read the order that an action names; None when it is not known."""
        order_id, parameters, trigger = self.records.named(action)
        asks_trigger = isinstance(action, ModifyOrder) and action.order_type.trigger is not None
        if self.calls.habits.triggers_apart and (trigger or asks_trigger):
            parameters["trigger"] = True
        symbol = self.markets.symbol(action.coin)
        try:
            order = await self.calls.read("fetch_order", order_id, symbol, parameters)
        except NotFound:
            return None
        return order if isinstance(order, Mapping) else None

    async def _modified(self, action: ModifyOrder) -> ActionReply:
        """Look whether an order is, or was at its end, as a modification wants it."""
        order, trigger = await self._named(action), action.order_type.trigger
        if order is not None and order.get("status") == "canceled" and order.get("clientOrderId"):
            # where a modification makes a new order, the client id leads to it
            cloid = str(order["clientOrderId"])
            order = await self.records.find(action.coin, cloid, trigger=trigger is not None)
        if order is None:
            raise _NoTrace("the order is not known so far")
        wanted = action.limit_px if trigger is None else trigger.triggerPx
        shown = number(order.get("price" if trigger is None else "triggerPrice"))
        left = self.markets.size(action.coin, order.get("amount"))
        filled = self.markets.size(action.coin, order.get("filled"))
        if self.calls.habits.whole_size:
            left -= filled
        as_wanted = left == action.sz or (left < action.sz and filled > 0)
        if Decimal(self.markets.price(action.coin, wanted)) != shown or not as_wanted:
            raise _NoTrace("the order is as it was so far")
        return answered("order", {"resting": {"oid": oid_of(order["id"])}})

    # settings of a position

    async def _set_leverage(self, intent: DurableIntent, action: SetLeverage) -> ActionReply:
        """Set mode, then leverage; both may be repeated."""
        api, symbol = self.calls.api, self.markets.symbol(action.coin)
        if api.has.get("setLeverage") is not True:
            raise UpstreamRefused(f"{self.calls.access.exchange} cannot set a leverage")
        mode = "cross" if action.is_cross else "isolated"
        if api.has.get("setMarginMode") is True:
            try:
                await self.calls.act(
                    "set_margin_mode",
                    mode,
                    symbol,
                    {"leverage": action.leverage},
                    expires_ms=intent.expires_ms,
                )
            except UpstreamRefused as refusal:
                if "no need to change" not in str(refusal).lower():
                    raise
        await self.calls.act(
            "set_leverage",
            action.leverage,
            symbol,
            {"marginMode": mode},
            expires_ms=intent.expires_ms,
        )
        return _DONE

    async def _set_again(self, intent: DurableIntent, *, over: bool) -> ActionReply:
        """Set a leverage, which nobody tells, once more when the first can no longer come."""
        if not over:
            raise _NoTrace("a leverage is not told; it is set again later")
        expires_ms = self._wall.now_ms() + self._proof_ms
        reply = await self._carry_out(msgspec.structs.replace(intent, expires_ms=expires_ms))
        if "too many requests" in str(reply.response).lower():
            raise UpstreamTimeout(f"refused once more, which says nothing: {reply.response}")
        return reply

    async def _adjust_margin(self, intent: DurableIntent, action: AdjustMargin) -> ActionReply:
        has, symbol = self.calls.api.has, self.markets.symbol(action.coin)
        method = "addMargin" if action.margin > 0 else "reduceMargin"
        if has.get(method) is not True or has.get("fetchMarginAdjustmentHistory") is not True:
            raise UpstreamRefused(
                f"{self.calls.access.exchange} does not tell of adjusted margins, so a lost "
                "answer could not be found again: they are not adjusted there"
            )
        called = "add_margin" if action.margin > 0 else "reduce_margin"
        amount = f"{abs(action.margin):f}"
        await self.calls.act(called, symbol, amount, expires_ms=intent.expires_ms)
        return _DONE

    async def _margin_adjusted(self, intent: DurableIntent, action: AdjustMargin) -> ActionReply:
        """Look for the adjustment since it was decided; none other is on its way meanwhile."""
        rows = await self.calls.read(
            "fetch_margin_adjustment_history",
            self.markets.symbol(action.coin),
            "add" if action.margin > 0 else "reduce",
            intent.decided_ms,
        )
        if any(abs(number(row.get("amount"))) == abs(action.margin) for row in rows):
            return _DONE
        raise _NoTrace("the margin is as it was so far")

    async def close(self) -> None:
        """Close the connections."""
        await self.calls.close()


class _NoTrace(UpstreamTimeout):
    """Nothing of an action is there, so far."""


async def open_connection(
    calls: CcxtCalls, wall: Clock, *, coins: tuple[str, ...], proof_ms: int = PROOF_MS
) -> CcxtExchange:
    """Connect: learn what is traded.

    Raises:
        SuiteError: the exchange does not answer, or trades nothing of it.
    """
    markets = await load_markets(calls)
    for coin in coins:
        markets.symbol(coin)
    return CcxtExchange(calls, markets, wall, coins=coins, proof_ms=proof_ms)
