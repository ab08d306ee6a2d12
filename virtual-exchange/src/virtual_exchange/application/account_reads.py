"""Reads of accounts in the venue's own shapes: money, positions, orders, fills, funding."""

import hashlib
from typing import Any, Literal

import msgspec

from perp_engine.events import Fill, FundingPaid
from perp_engine.views import AccountState, OrderState, PositionState
from suite.contracts.hyperliquid_info import (
    AssetPosition,
    ClearinghouseState,
    CumFunding,
    FillLiquidation,
    Leverage,
    MarginSummary,
    OpenOrder,
    Position,
    UserFill,
)
from suite.enums import FillCause, MarginMode, OrderStatus, Side
from suite.fixed import RATE_DECIMALS, USD_DECIMALS, div_half_even, format_fixed
from suite.ids import Oid, parse_cloid
from suite.instrument import Instrument
from virtual_exchange.application.book import AccountBook
from virtual_exchange.application.info_request import InfoBody, UnknownRequest
from virtual_exchange.application.world import World
from virtual_exchange.domain.accounts import direction
from virtual_exchange.domain.record import OrderRecord

SIDES: dict[Side, Literal["B", "A"]] = {Side.BUY: "B", Side.SELL: "A"}
_METHODS: dict[FillCause, Literal["market", "backstop", "settlement"]] = {
    FillCause.LIQUIDATION: "market",
    FillCause.BACKSTOP: "backstop",
    FillCause.SETTLEMENT: "settlement",
}
_MAX_FUNDING = 500
_ROE_ONE = 10**10
_NO_MONEY = MarginSummary(
    accountValue="0.0", totalNtlPos="0.0", totalRawUsd="0.0", totalMarginUsed="0.0"
)


def _withdrawable(state: AccountState) -> int:
    """What may leave: free margin, and a tenth of the cross notional stays."""
    stays = -(-state.cross_notional_usd // 10)
    return max(0, min(state.available_usd, state.cross_equity_usd - stays))


class AccountReads:
    """The accounts of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._instruments = world.market.instruments

    def clearinghouse(self, account: int | None) -> ClearinghouseState:
        """Money and positions of an account; all zero for an unknown one, as the venue does."""
        world = self._world
        if account is None:
            return ClearinghouseState(
                marginSummary=_NO_MONEY,
                crossMarginSummary=_NO_MONEY,
                crossMaintenanceMarginUsed="0.0",
                withdrawable="0.0",
                assetPositions=(),
                time=world.now_ms,
            )
        state = world.engine.account(account)
        held = [
            (symbol, position)
            for symbol in range(len(self._instruments))
            if (position := world.engine.position(account, symbol)).size
        ]
        signed = sum(world.engine.mark(symbol) * position.size for symbol, position in held)
        summary = MarginSummary(
            accountValue=usd(state.equity_usd),
            totalNtlPos=usd(state.notional_usd),
            totalRawUsd=usd(state.equity_usd - signed),
            totalMarginUsed=usd(
                state.position_margin_usd + state.isolated_usd + state.isolated_unrealized_usd
            ),
        )
        cross = sum(
            world.engine.mark(symbol) * position.size
            for symbol, position in held
            if position.mode is MarginMode.CROSS
        )
        return ClearinghouseState(
            marginSummary=summary,
            crossMarginSummary=MarginSummary(
                accountValue=usd(state.cross_equity_usd),
                totalNtlPos=usd(state.cross_notional_usd),
                totalRawUsd=usd(state.cross_equity_usd - cross),
                totalMarginUsed=usd(state.position_margin_usd),
            ),
            crossMaintenanceMarginUsed=usd(state.maintenance_usd),
            withdrawable=usd(_withdrawable(state)),
            assetPositions=tuple(
                AssetPosition(position=self._position(symbol, position))
                for symbol, position in held
            ),
            time=world.now_ms,
        )

    def _position(self, symbol: int, position: PositionState) -> Position:
        instrument = self._instruments[symbol]
        size, cost = abs(position.size), abs(position.cost_usd)
        value = size * self._world.engine.mark(symbol)
        equity = position.unrealized_usd * _ROE_ONE * position.leverage
        return Position(
            coin=instrument.coin,
            szi=instrument.format_size(position.size),
            leverage=self._leverage(position, value),
            entryPx=instrument.format_price(div_half_even(cost, size)),
            positionValue=usd(value),
            unrealizedPnl=usd(position.unrealized_usd),
            returnOnEquity=format_fixed(div_half_even(equity, cost) if cost else 0, 10),
            liquidationPx=(
                None
                if position.liquidation_price is None
                else instrument.format_price(position.liquidation_price)
            ),
            marginUsed=usd(
                position.margin_usd
                if position.mode is MarginMode.CROSS
                else position.bucket_usd + position.unrealized_usd
            ),
            maxLeverage=instrument.max_leverage,
            cumFunding=CumFunding(
                allTime=usd(position.funding_all_usd),
                sinceOpen=usd(position.funding_open_usd),
                sinceChange=usd(position.funding_open_usd),
            ),
        )

    def _leverage(self, position: PositionState, value: int) -> Leverage:
        if position.mode is MarginMode.CROSS:
            return Leverage(type="cross", value=position.leverage)
        signed = value if position.size > 0 else -value
        raw = position.bucket_usd + position.unrealized_usd - signed
        return Leverage(type="isolated", value=position.leverage, rawUsd=usd(raw))

    def open_orders(self, account: int | None) -> tuple[OpenOrder, ...]:
        """Orders that still live, oldest first; trigger orders show their limit price only."""
        return tuple(
            OpenOrder(
                coin=instrument.coin,
                side=SIDES[order.side],
                limitPx=_limit_text(instrument, order),
                sz=instrument.format_size(order.size),
                oid=order.oid,
                timestamp=order.placed_ms,
                origSz=instrument.format_size(order.original_size),
                cloid=book.orders[order.oid].cloid,
                reduceOnly=order.reduce_only,
            )
            for instrument, order, book in self._live(account)
        )

    def _live(self, account: int | None) -> list[tuple[Instrument, OrderState, AccountBook]]:
        if account is None:
            return []
        book = self._world.books[account]
        orders = self._world.engine.open_orders(account)
        return [(self._instruments[order.symbol], order, book) for order in orders]

    def frontend_orders(self, account: int | None) -> list[dict[str, Any]]:
        """Open orders with all that a user interface shows."""
        return [
            self._frontend(book, book.orders[order.oid])
            for _instrument, order, book in self._live(account)
        ]

    def _frontend(self, book: AccountBook, record: OrderRecord) -> dict[str, Any]:
        instrument = self._instruments[record.symbol]
        price, is_trigger = instrument.format_price, record.kind in {"stop", "take_profit"}
        tif = record.tif
        market = record.limit_price == 0
        kinds = {"stop": "Stop", "take_profit": "Take Profit"}
        if is_trigger:
            order_type = f"{kinds[record.kind]} {'Market' if market else 'Limit'}"
        else:
            order_type = "Market" if market else "Limit"
        above = (record.kind == "stop") == (record.side > 0)
        condition = f"Price {'above' if above else 'below'} {price(record.trigger_price)}"
        return {
            "coin": instrument.coin,
            "side": record.side.wire,
            "limitPx": price(record.limit_price or record.trigger_price or record.decision_price),
            "sz": instrument.format_size(record.remaining),
            "oid": record.oid,
            "timestamp": record.placed_ms,
            "triggerCondition": condition if is_trigger else "N/A",
            "isTrigger": is_trigger,
            "triggerPx": price(record.trigger_price),
            "children": [
                self._frontend(book, child)
                for child in book.children.get(Oid(record.oid), ())
                if child.status is OrderStatus.WAITING_FOR_FILL
            ],
            "isPositionTpsl": False,
            "reduceOnly": record.reduce_only,
            "orderType": order_type,
            "origSz": instrument.format_size(record.size),
            "tif": None if is_trigger or tif is None else str(tif),
            "cloid": record.cloid,
        }

    def order_status(self, request: InfoBody, account: int | None) -> dict[str, Any]:
        """Where one order is, by its oid or cloid."""
        book = None if account is None else self._world.books[account]
        oid: Any = request.oid
        if isinstance(oid, str):
            try:
                cloid = parse_cloid(oid)
            except ValueError:
                raise UnknownRequest("wrong field `oid`") from None
            oid = book.latest.get(cloid) if book else None
        elif oid is None:
            raise UnknownRequest("missing field `oid`")
        record = book.orders.get(oid) if book and oid is not None else None
        if book is None or record is None:
            return {"status": "unknownOid"}
        waiting = (OrderStatus.WAITING_FOR_FILL, OrderStatus.WAITING_FOR_TRIGGER)
        status = OrderStatus.OPEN if record.status in waiting else record.status
        return {
            "status": "order",
            "order": {
                "order": self._frontend(book, record),
                "status": str(status),
                "statusTimestamp": record.closed_ms or record.placed_ms,
            },
        }

    def user_fills(self, account: int | None, first: int = 0) -> tuple[UserFill, ...]:
        """Fills of an account from the `first` on, oldest first."""
        if account is None:
            return ()
        book = self._world.books[account]
        return tuple(self._fill(book, fill) for fill in book.fills[first:])

    def _fill(self, book: AccountBook, fill: Fill) -> UserFill:
        instrument, order = self._instruments[fill.symbol], book.orders.get(fill.oid)
        return UserFill(
            coin=instrument.coin,
            px=instrument.format_price(fill.price),
            sz=instrument.format_size(fill.size),
            side=SIDES[fill.side],
            time=fill.time_ms,
            startPosition=instrument.format_size(fill.start_position),
            dir=direction(fill.side, fill.start_position, fill.size),
            closedPnl=usd(fill.realized_pnl_usd),
            hash=_hash("fill", fill.tid),
            oid=fill.oid,
            crossed=fill.is_taker,
            fee=usd(fill.fee_usd),
            tid=fill.tid,
            cloid=order.cloid if order else None,
            liquidation=self._liquidation(book, fill),
        )

    def _liquidation(self, book: AccountBook, fill: Fill) -> FillLiquidation | msgspec.UnsetType:
        method = _METHODS.get(fill.cause)
        if method is None:
            return msgspec.UNSET
        return FillLiquidation(
            liquidatedUser=book.account.address,
            markPx=self._instruments[fill.symbol].format_price(fill.reference_price),
            method=method,
        )

    def user_funding(self, request: InfoBody, account: int | None) -> list[dict[str, Any]]:
        """Funding paid and received in a range of time, oldest first."""
        if account is None:
            return []
        start, end = request.startTime or 0, request.endTime
        rows = [
            self._payment(payment)
            for payment in self._world.books[account].funding
            if payment.time_ms >= start and (end is None or payment.time_ms <= end)
        ]
        return rows[:_MAX_FUNDING]

    def _payment(self, payment: FundingPaid) -> dict[str, Any]:
        instrument = self._instruments[payment.symbol]
        return {
            "time": payment.time_ms,
            "hash": _hash("funding", payment.time_ms, payment.account, payment.symbol),
            "delta": {
                "type": "funding",
                "coin": instrument.coin,
                "usdc": usd(payment.usd),
                "szi": instrument.format_size(payment.size),
                "fundingRate": format_fixed(payment.rate, RATE_DECIMALS),
                "nSamples": None,
            },
        }

    def order_rows(self, account: int) -> list[dict[str, Any]]:
        """Every order of an account, newest first, with the margin it held and gave back."""
        return [self._order_row(record) for record in self._world.books[account].orders.values()][
            ::-1
        ]

    def _order_row(self, record: OrderRecord) -> dict[str, Any]:
        instrument = self._instruments[record.symbol]
        price = instrument.format_price
        return {
            "oid": record.oid,
            "cloid": record.cloid,
            "coin": instrument.coin,
            "kind": record.kind,
            "side": record.side.wire,
            "sz": instrument.format_size(record.size),
            "remaining": instrument.format_size(record.remaining),
            "limit_px": price(record.limit_price),
            "trigger_px": price(record.trigger_price),
            "reduce_only": record.reduce_only,
            "status": str(record.status),
            "placed_ms": record.placed_ms,
            "closed_ms": record.closed_ms,
            "held_usd": usd(record.held_usd),
            "refunded_usd": usd(record.refunded_usd),
            "parent_oid": record.parent_oid or None,
        }


def usd(value: int) -> str:
    """Write micro-USD as the venue writes dollars."""
    return format_fixed(value, USD_DECIMALS)


def _limit_text(instrument: Instrument, order: OrderState) -> str:
    return instrument.format_price(order.limit_price or order.trigger_price)


def _hash(*parts: str | int) -> str:
    """Make the transaction hash of something that has none: a hash of its name."""
    return "0x" + hashlib.sha256(repr(parts).encode()).hexdigest()
