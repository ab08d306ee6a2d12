"""Read models behind `POST /info`: the venue's own shapes, from the state of the present moment."""

import hashlib
from collections.abc import Callable
from typing import Any, Literal

from perp_engine.events import Fill, FundingPaid
from perp_engine.views import OrderState, PositionState
from suite.bars import HOUR_MS, INTERVAL_MS, resample
from suite.contracts.hyperliquid_info import (
    AssetPosition,
    ClearinghouseState,
    CumFunding,
    InfoRequest,
    Leverage,
    MarginSummary,
    OpenOrder,
    Position,
    UserFill,
)
from suite.enums import OrderStatus, Side
from suite.fixed import RATE_DECIMALS, USD_DECIMALS, div_half_even, format_fixed, mul_div_half_even
from suite.ids import Oid, parse_cloid
from suite.instrument import Instrument, coin_of
from virtual_exchange.application.book import AccountBook
from virtual_exchange.application.history import DayWindow
from virtual_exchange.application.world import World, account_of, bars_of
from virtual_exchange.domain.accounts import direction
from virtual_exchange.domain.record import OrderRecord

SIDES: dict[Side, Literal["B", "A"]] = {Side.BUY: "B", Side.SELL: "A"}
_MAX_FILLS = 2000
_MAX_FUNDING = 500
_MAX_CANDLES = 5000
_ROE_ONE = 10**10
_NO_MONEY = MarginSummary(
    accountValue="0.0", totalNtlPos="0.0", totalRawUsd="0.0", totalMarginUsed="0.0"
)


class UnknownRequest(ValueError):
    """The body of an info request means nothing here; the venue answers 422."""


class InfoBody(InfoRequest, frozen=True, kw_only=True):
    """Body of `POST /info` with the fields that only some types read."""

    oid: int | str | None = None
    startTime: int | None = None  # noqa: N815 - the wire's own name
    endTime: int | None = None  # noqa: N815


class Queries:
    """Answers of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._instruments = world.market.instruments
        self._days = [DayWindow(bars) for bars in world.market.history]
        self._types: dict[str, Callable[[InfoBody, int | None], Any]] = {
            "meta": self._meta,
            "metaAndAssetCtxs": lambda _request, _account: [self.meta(), self.contexts()],
            "allMids": lambda _request, _account: self.mids(),
            "l2Book": lambda request, _account: self.book(request.coin),
            "candleSnapshot": lambda request, _account: self.candles(request.req),
            "clearinghouseState": lambda _request, account: self.clearinghouse(account),
            "openOrders": lambda _request, account: self.open_orders(account),
            "frontendOpenOrders": lambda _request, account: self.frontend_orders(account),
            "orderStatus": self._order_status,
            "userFills": lambda _request, account: self.user_fills(account)[::-1][:_MAX_FILLS],
            "userFunding": self.user_funding,
        }

    def info(self, request: InfoBody, caller: int | None) -> Any:
        """Answer one request.

        Args:
            request: its body.
            caller: account of the token it came with, None without one.

        Raises:
            UnknownRequest: the type is unknown, or a field it needs is missing.
        """
        answer = self._types.get(request.type)
        if answer is None:
            raise UnknownRequest(f"unknown type {request.type[:40]!r}")
        account = caller
        if request.user is not None:
            found = account_of(self._world, request.user)
            account = found.index if found else -1
        elif account is None and request.type in _OF_AN_ACCOUNT:
            raise UnknownRequest("missing field `user`")
        return answer(request, account)

    def _meta(self, _request: InfoBody, _account: int | None) -> dict[str, Any]:
        return self.meta()

    def meta(self) -> dict[str, Any]:
        """The universe: coins in the order of their asset ids."""
        universe, tables = [], []
        for index, instrument in enumerate(self._instruments):
            flat = len(instrument.tiers) == 1
            table_id = instrument.max_leverage if flat else 50 + index
            universe.append(
                {
                    "szDecimals": instrument.sz_decimals,
                    "name": instrument.coin,
                    "maxLeverage": instrument.max_leverage,
                    "marginTableId": table_id,
                }
            )
            tiers = [
                {
                    "lowerBound": format_fixed(tier.lower_bound_usd, USD_DECIMALS),
                    "maxLeverage": tier.max_leverage,
                }
                for tier in instrument.tiers
            ]
            description = "" if flat else f"tiered {instrument.max_leverage}x"
            tables.append([table_id, {"description": description, "marginTiers": tiers}])
        unique = {table[0]: table for table in tables}
        return {"universe": universe, "marginTables": list(unique.values()), "collateralToken": 0}

    def contexts(self) -> list[dict[str, Any]]:
        """State of each coin's market, aligned with the universe."""
        return [self._context(symbol) for symbol in range(len(self._instruments))]

    def _context(self, symbol: int) -> dict[str, Any]:
        world, instrument = self._world, self._instruments[symbol]
        engine, book = world.engine, world.engine.book(symbol)
        mark = instrument.format_price(engine.mark(symbol))
        day = self._days[symbol].at(world.now_ms)
        impact = [instrument.format_price(book.bid), instrument.format_price(book.ask)]
        return {
            "funding": self._funding(symbol),
            "openInterest": "0.0",
            "prevDayPx": _plain(day.first_price, mark),
            "dayNtlVlm": _plain(day.notional, "0.0"),
            "premium": None,
            "oraclePx": mark,
            "markPx": mark,
            "midPx": instrument.format_price(book.print) if book.print else None,
            "impactPxs": impact if book.print else None,
            "dayBaseVlm": _plain(day.volume, "0.0"),
        }

    def _funding(self, symbol: int) -> str:
        """The last settled rate by the hour."""
        last = self._world.engine.last_funding(symbol)
        if last is None:
            return "0.0"
        hourly = mul_div_half_even(10 * last.rate, HOUR_MS, last.interval_ms)
        return format_fixed(hourly, RATE_DECIMALS + 1)

    def mids(self) -> dict[str, str]:
        """Mid price of every coin that has a book, else its mark."""
        engine = self._world.engine
        return {
            instrument.coin: instrument.format_price(
                engine.book(symbol).print or engine.mark(symbol)
            )
            for symbol, instrument in enumerate(self._instruments)
        }

    def book(self, coin: str | None) -> Any:
        """The modelled book: one level a side, as deep as a fill may be."""
        if coin is None:
            raise UnknownRequest("missing field `coin`")
        symbol = self.symbol(coin)
        if symbol is None:
            return None
        instrument, book = self._instruments[symbol], self._world.engine.book(symbol)
        size = instrument.format_size(10 ** (instrument.sz_decimals + 3))
        levels = [
            [{"px": instrument.format_price(price), "sz": size, "n": 1}] if book.print else []
            for price in (book.bid, book.ask)
        ]
        return {"coin": instrument.coin, "time": self._world.now_ms, "levels": levels}

    def candles(self, req: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Closed candles; the one still open is not shown, its future is in the store already."""
        req = req or {}
        coin, interval = req.get("coin"), req.get("interval")
        start, end = req.get("startTime", 0), req.get("endTime")
        end = self._world.now_ms if end is None else end
        if not isinstance(coin, str) or interval not in INTERVAL_MS:
            raise UnknownRequest("missing or wrong field `req`")
        if not isinstance(start, int) or not isinstance(end, int):
            raise UnknownRequest("missing or wrong field `startTime`")
        symbol = self.symbol(coin)
        if symbol is None:
            return []
        step = INTERVAL_MS[interval]
        instrument, bars = self._instruments[symbol], bars_of(self._world, symbol)
        bars = bars.rows(0, bars.closed_by(self._world.now_ms))
        first = max(0, start // step * step, end - _MAX_CANDLES * step)
        longer, _ = resample(bars.between(first, end + 1), step)
        longer = longer.rows(0, longer.closed_by(self._world.now_ms))
        return [
            {
                "t": int(t),
                "T": int(t) + step - 1,
                "s": instrument.coin,
                "i": interval,
                "o": _plain(float(longer.open[row]), "0.0"),
                "c": _plain(float(longer.close[row]), "0.0"),
                "h": _plain(float(longer.high[row]), "0.0"),
                "l": _plain(float(longer.low[row]), "0.0"),
                "v": _plain(float(longer.volume[row]), "0.0"),
                "n": 0,
            }
            for row, t in enumerate(longer.open_time_ms)
        ]

    def clearinghouse(self, account: int | None) -> ClearinghouseState:
        """Money and positions of an account; all zero for an unknown one, as the venue does."""
        world = self._world
        if account is None or account < 0:
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
            totalMarginUsed=usd(state.position_margin_usd),
        )
        return ClearinghouseState(
            marginSummary=summary,
            crossMarginSummary=summary,
            crossMaintenanceMarginUsed=usd(state.maintenance_usd),
            withdrawable=usd(max(0, state.available_usd)),
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
            leverage=Leverage(type="cross", value=position.leverage),
            entryPx=instrument.format_price(div_half_even(cost, size)),
            positionValue=usd(value),
            unrealizedPnl=usd(position.unrealized_usd),
            returnOnEquity=format_fixed(div_half_even(equity, cost) if cost else 0, 10),
            liquidationPx=None,
            marginUsed=usd(position.margin_usd),
            maxLeverage=instrument.max_leverage,
            cumFunding=CumFunding(
                allTime=usd(position.funding_all_usd),
                sinceOpen=usd(position.funding_open_usd),
                sinceChange=usd(position.funding_open_usd),
            ),
        )

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
        if account is None or account < 0:
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
        tif = book.tifs.get(Oid(record.oid))
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
                for child in book.orders.values()
                if record.oid == child.parent_oid and child.status is OrderStatus.WAITING_FOR_FILL
            ],
            "isPositionTpsl": False,
            "reduceOnly": record.reduce_only,
            "orderType": order_type,
            "origSz": instrument.format_size(record.size),
            "tif": None if is_trigger or tif is None else str(tif),
            "cloid": record.cloid,
        }

    def _order_status(self, request: InfoBody, account: int | None) -> dict[str, Any]:
        book = self._world.books[account] if account is not None and account >= 0 else None
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
        if account is None or account < 0:
            return ()
        book = self._world.books[account]
        return tuple(self._fill(book, fill) for fill in book.fills[first:])

    def _fill(self, book: AccountBook, fill: Fill) -> UserFill:
        instrument = self._instruments[fill.symbol]
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
            cloid=book.orders[fill.oid].cloid,
        )

    def user_funding(self, request: InfoBody, account: int | None) -> list[dict[str, Any]]:
        """Funding paid and received in a range of time, oldest first."""
        if account is None or account < 0:
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

    def symbol(self, name: str) -> int | None:
        """Index of a coin by any venue's name for it."""
        try:
            return self._world.symbols.get(coin_of(name))
        except ValueError:
            return None


_OF_AN_ACCOUNT = frozenset(
    {
        "clearinghouseState",
        "openOrders",
        "frontendOpenOrders",
        "orderStatus",
        "userFills",
        "userFunding",
    }
)


def usd(value: int) -> str:
    """Write micro-USD as the venue writes dollars."""
    return format_fixed(value, USD_DECIMALS)


def _plain(value: float | None, otherwise: str) -> str:
    """Write a published number without an exponent, always with a fraction."""
    if value is None:
        return otherwise
    text = f"{value:.10f}".rstrip("0")
    return f"{text}0" if text.endswith(".") else text


def _limit_text(instrument: Instrument, order: OrderState) -> str:
    return instrument.format_price(order.limit_price or order.trigger_price)


def _hash(*parts: str | int) -> str:
    """Make the transaction hash of something that has none: a hash of its name."""
    return "0x" + hashlib.sha256(repr(parts).encode()).hexdigest()
