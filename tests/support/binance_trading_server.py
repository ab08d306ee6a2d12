"""Binance's USD-M perpetuals in small, as those who trade there see them.

A store of orders with the exchange's own words: signatures and time stamps are checked, ids of open
orders are unique, market orders fill at a price that stands still. What goes wrong on the way is
chosen for each acting request by `fault`.
"""

import asyncio
import hashlib
import hmac
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from tests.support.binance_server import brackets, listed, on_a_free_port

KEY, SECRET = "the-api-key-of-a-test", "the-secret-of-a-test"
FEE = Decimal("0.0005")
_PAGE = "<html><body>502 Bad Gateway</body></html>"
_UNKNOWN = "Unknown error, please check your request or try again later."
_TYPES = ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"]

BEFORE = ("reset before", "502 before", "503 before", "429", "-1008", "late")
AFTER = ("reset after", "hang after", "502 after", "503 after", "-1007 after", "garbage after")
GATEWAY = "sent twice by a gateway"
FAULTS = (*BEFORE, *AFTER, GATEWAY)


class Refused(Exception):
    """The exchange says no."""

    def __init__(self, code: int, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.code, self.status = code, status


@dataclass
class Placed:
    """An order as it was accepted."""

    oid: int
    client_id: str
    symbol: str
    side: str
    kind: str
    quantity: Decimal
    price: Decimal
    reduce_only: bool
    tif: str
    at_ms: int
    algo: bool = False
    trigger: Decimal = Decimal(0)
    status: str = "NEW"
    done: Decimal = Decimal(0)


@dataclass
class TradingServer:
    """One account.

    Attributes:
        prices: of each symbol.
        fault: what is done to an acting request; empty for nothing.
        late_s: how late a late one is.
        is_quiet: no price is told.
        arrived: how often a client id was asked to be placed.
        unsigned: requests that were not signed as they must be.
        asked: method and path of each request.
    """

    prices: dict[str, Decimal]
    fault: Callable[[], str] = lambda: ""
    late_s: float = 1.0
    is_quiet: bool = False
    cash: Decimal = Decimal(100_000)
    orders: dict[int, Placed] = field(default_factory=dict)
    sizes: dict[str, Decimal] = field(default_factory=dict)
    entries: dict[str, Decimal] = field(default_factory=dict)
    leverages: dict[str, int] = field(default_factory=dict)
    modes: dict[str, str] = field(default_factory=dict)
    margins: list[dict[str, Any]] = field(default_factory=list)
    trades: list[dict[str, Any]] = field(default_factory=list)
    arrived: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    unsigned: list[str] = field(default_factory=list)
    private: list[web.WebSocketResponse] = field(default_factory=list)
    late: set["asyncio.Task[None]"] = field(default_factory=set)
    url: str = ""
    _last: int = 8_000_000_000

    # ---- the store ------------------------------------------------------------------------------

    def place(self, said: Mapping[str, str], *, algo: bool) -> dict[str, Any]:
        client_id = said["clientAlgoId" if algo else "newClientOrderId"]
        self.arrived[client_id] += 1
        open_ids = [o.client_id for o in self.orders.values() if o.status == "NEW"]
        if client_id in open_ids:
            raise Refused(-4116, "ClientOrderId is duplicated.")
        symbol, quantity = said["symbol"], Decimal(said["quantity"])
        price, market = Decimal(said.get("price", "0")), self.prices[symbol]
        if quantity <= 0 or quantity % Decimal("0.001"):
            raise Refused(-1111, "Precision is over the maximum defined for this asset.")
        if quantity * market > 50 * self.cash:
            raise Refused(-2019, "Margin is insufficient.")
        is_buy, reduce_only = said["side"] == "BUY", said.get("reduceOnly", "").lower() == "true"
        room = -self.sizes.get(symbol, Decimal(0)) * (1 if is_buy else -1)
        if reduce_only and not algo and room <= 0:
            raise Refused(-2022, "ReduceOnly Order is rejected.")
        crosses = said["type"] == "MARKET" or (price >= market if is_buy else price <= market)
        tif = said.get("timeInForce", "GTC")
        if tif == "GTX" and crosses:
            raise Refused(
                -5022,
                "Due to the order could not be executed as maker, the Post Only order will be "
                "rejected. The order will not be recorded in the order history",
            )
        self._last += 1
        order = Placed(
            self._last, client_id, symbol, said["side"], said["type"], quantity, price,
            reduce_only, tif, self.now_ms(), algo, Decimal(said.get("triggerPrice", "0")),
        )  # fmt: skip
        self.orders[order.oid] = order
        if algo:
            self.push_order(order)
        elif crosses:
            self.fill(order, min(quantity, room) if reduce_only else quantity)
        else:
            order.status = "EXPIRED" if tif == "IOC" else "NEW"
            self.push_order(order)
        return self.written(order)

    def fill(self, order: Placed, quantity: Decimal) -> None:
        """Trade at the price of the symbol."""
        price, symbol = self.prices[order.symbol], order.symbol
        signed = quantity if order.side == "BUY" else -quantity
        before, entry = self.sizes.get(symbol, Decimal(0)), self.entries.get(symbol, Decimal(0))
        after, profit = before + signed, Decimal(0)
        if before * signed < 0:
            profit = min(abs(signed), abs(before)) * (price - entry) * (1 if before > 0 else -1)
            entry = entry if after * before > 0 else price
        else:
            entry = (entry * abs(before) + price * abs(signed)) / abs(after)
        fee = quantity * price * FEE
        self.cash += profit - fee
        self.sizes[symbol], self.entries[symbol] = after, entry if after else Decimal(0)
        order.done += quantity
        order.status = "FILLED"
        trade = {
            "symbol": symbol, "id": len(self.trades) + 1, "orderId": order.oid,
            "side": order.side, "price": str(price), "qty": str(quantity),
            "realizedPnl": str(profit), "quoteQty": str(price * quantity),
            "commission": str(fee), "commissionAsset": "USDT", "time": self.now_ms(),
            "positionSide": "BOTH", "buyer": order.side == "BUY", "maker": False,
        }  # fmt: skip
        self.trades.append(trade)
        self.push_order(order, trade)
        self.push_account(symbol)

    def found(self, said: Mapping[str, str], *, algo: bool) -> Placed:
        oid = said.get("algoId" if algo else "orderId", "")
        client_id = said.get("clientAlgoId" if algo else "origClientOrderId")
        matches = [
            o
            for o in self.orders.values()
            if o.algo == algo
            and o.symbol == said.get("symbol", o.symbol)
            and (o.client_id == client_id if client_id else str(o.oid) == oid)
        ]
        if not matches:
            raise Refused(-2013, "Order does not exist.")
        return matches[-1]

    def cancel(self, said: Mapping[str, str], *, algo: bool) -> dict[str, Any]:
        try:
            order = self.found(said, algo=algo)
        except Refused:
            raise Refused(-2011, "Unknown order sent.") from None
        if order.status != "NEW":
            raise Refused(-2011, "Unknown order sent.")
        order.status = "CANCELED"
        self.push_order(order)
        return self.written(order)

    def modify(self, said: Mapping[str, str]) -> dict[str, Any]:
        order = self.found(said, algo=False)
        if order.status != "NEW":
            raise Refused(-2013, "Order does not exist.")
        order.price, order.quantity = Decimal(said["price"]), Decimal(said["quantity"])
        self.push_order(order)
        return self.written(order)

    def rows(self) -> list[dict[str, Any]]:
        """All orders as the judge of beliefs wants them."""
        words = {"NEW": "open", "CANCELED": "canceled", "FILLED": "filled", "EXPIRED": "rejected"}
        return [
            {"cloid": f"0x{o.client_id}", "status": words[o.status], "oid": o.oid}
            for o in self.orders.values()
            if o.status != "EXPIRED"
        ]

    # ---- what it writes -------------------------------------------------------------------------

    def written(self, o: Placed) -> dict[str, Any]:
        shared = {
            "symbol": o.symbol, "side": o.side, "positionSide": "BOTH", "timeInForce": o.tif,
            "reduceOnly": o.reduce_only, "price": str(o.price), "updateTime": o.at_ms,
            "workingType": "CONTRACT_PRICE", "priceMatch": "NONE",
        }  # fmt: skip
        if o.algo:
            return {
                **shared, "algoId": o.oid, "clientAlgoId": o.client_id, "algoType": "CONDITIONAL",
                "orderType": o.kind, "quantity": str(o.quantity), "algoStatus": o.status,
                "triggerPrice": str(o.trigger), "createTime": o.at_ms,
            }  # fmt: skip
        average = self.prices[o.symbol] if o.done else 0
        return {
            **shared, "orderId": o.oid, "clientOrderId": o.client_id, "type": o.kind,
            "origType": o.kind, "origQty": str(o.quantity), "executedQty": str(o.done),
            "status": o.status, "avgPrice": str(average), "stopPrice": "0", "time": o.at_ms,
            "cumQuote": str(o.done * average), "closePosition": False, "priceProtect": False,
        }  # fmt: skip

    def position(self, symbol: str) -> dict[str, Any]:
        size, entry, mark = self.sizes[symbol], self.entries[symbol], self.prices[symbol]
        margin = abs(size) * mark / self.leverages.get(symbol, 20)
        return {
            "symbol": symbol, "positionSide": "BOTH", "positionAmt": str(size),
            "entryPrice": str(entry), "breakEvenPrice": str(entry), "markPrice": str(mark),
            "unRealizedProfit": str(size * (mark - entry)), "liquidationPrice": "0",
            "isolatedMargin": "0", "notional": str(size * mark), "marginAsset": "USDT",
            "isolatedWallet": "0", "initialMargin": str(margin), "maintMargin": "0.1",
            "positionInitialMargin": str(margin), "openOrderInitialMargin": "0", "adl": 2,
            "bidNotional": "0", "askNotional": "0", "updateTime": self.now_ms(),
        }  # fmt: skip

    def account(self) -> dict[str, Any]:
        held = [self.position(symbol) for symbol, size in self.sizes.items() if size]
        profit = sum((Decimal(row["unRealizedProfit"]) for row in held), Decimal(0))
        margin = sum((Decimal(row["initialMargin"]) for row in held), Decimal(0))
        worth = self.cash + profit
        asset = {
            "asset": "USDT", "walletBalance": str(self.cash), "unrealizedProfit": str(profit),
            "marginBalance": str(worth), "initialMargin": str(margin), "maintMargin": "0",
            "availableBalance": str(worth - margin), "crossWalletBalance": str(self.cash),
            "updateTime": self.now_ms(),
        }  # fmt: skip
        return {"totalWalletBalance": str(self.cash), "assets": [asset], "positions": held}

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def push_order(self, o: Placed, trade: Mapping[str, Any] | None = None) -> None:
        now_ms, name = self.now_ms(), "ALGO_UPDATE" if o.algo else "ORDER_TRADE_UPDATE"
        told: dict[str, Any] = {
            "s": o.symbol, "S": o.side, "o": o.kind, "f": o.tif, "q": str(o.quantity),
            "p": str(o.price), "X": o.status, "R": o.reduce_only, "ps": "BOTH", "ot": o.kind,
        }  # fmt: skip
        if o.algo:
            told |= {"caid": o.client_id, "aid": o.oid, "at": "CONDITIONAL", "tp": str(o.trigger)}
        else:
            told |= {"c": o.client_id, "i": o.oid, "z": str(o.done), "ap": "0", "sp": "0"}
            told |= {"x": "TRADE" if trade else o.status, "T": now_ms, "m": False, "t": 0}
        if trade is not None:
            told |= {"l": trade["qty"], "L": trade["price"], "n": trade["commission"], "N": "USDT"}
            told |= {"t": trade["id"], "rp": trade["realizedPnl"], "T": trade["time"]}
        self.push({"e": name, "E": now_ms, "T": now_ms, "o": told})

    def push_account(self, symbol: str) -> None:
        row = self.position(symbol)
        position = {
            "s": symbol, "pa": row["positionAmt"], "ep": row["entryPrice"], "cr": "0",
            "up": row["unRealizedProfit"], "mt": "cross", "iw": "0", "ps": "BOTH", "ma": "USDT",
        }  # fmt: skip
        balance = {"a": "USDT", "wb": str(self.cash), "cw": str(self.cash), "bc": "0"}
        told = {"B": [balance], "P": [position], "m": "ORDER"}
        self.push({"e": "ACCOUNT_UPDATE", "E": self.now_ms(), "T": self.now_ms(), "a": told})

    def push(self, event: dict[str, Any]) -> None:
        for socket in self.private:
            if not socket.closed:
                task = asyncio.ensure_future(socket.send_str(json.dumps(event)))
                self.late.add(task)
                task.add_done_callback(self.late.discard)

    # ---- what it answers ------------------------------------------------------------------------

    async def rest(self, request: web.Request) -> web.StreamResponse:
        path, method = request.path.removeprefix("/fapi/"), request.method
        self.asked[f"{method} {path}"] += 1
        text = request.query_string if method in {"GET", "DELETE"} else await request.text()
        said = dict(parse_qsl(text))
        acting = method != "GET" and path in {"v1/order", "v1/algoOrder"}
        fault = self.fault() if acting else ""
        if fault:
            self.done[fault] += 1
        if fault in BEFORE:
            return await self.fail(request, fault, lambda: self.answer(method, path, said, text))
        status, body = self.answer(method, path, said, text)
        if fault == GATEWAY and method == "POST" and self.is_open(said):
            status, body = self.answer(method, path, said, text)
        if fault in AFTER:
            return await self.fail(request, fault, None)
        return web.json_response(body, status=status)

    def is_open(self, said: Mapping[str, str]) -> bool:
        name = said.get("newClientOrderId") or said.get("clientAlgoId")
        return any(o.client_id == name and o.status == "NEW" for o in self.orders.values())

    async def fail(
        self, request: web.Request, fault: str, act: Callable[[], Any] | None
    ) -> web.StreamResponse:
        kind = fault.split(maxsplit=1)[0]
        if kind == "late" and act is not None:
            task = asyncio.ensure_future(self.later(act))
            self.late.add(task)
            task.add_done_callback(self.late.discard)
        if kind in {"reset", "late"}:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        if kind == "hang":
            await asyncio.sleep(1)
            return web.Response()
        if kind == "garbage":
            return web.Response(text='{"orderId": 1, "sym')
        told = {
            "502": web.Response(status=502, text=_PAGE, content_type="text/html"),
            "503": web.json_response({"code": -1000, "msg": _UNKNOWN}, status=503),
            "429": web.json_response(
                {"code": -1003, "msg": "Too many requests."},
                status=429,
                headers={"Retry-After": "1"},
            ),
            "-1008": web.json_response(
                {"code": -1008, "msg": "Server is currently overloaded."}, status=503
            ),
            "-1007": web.json_response(
                {"code": -1007, "msg": "Timeout waiting for response from backend server. "
                 "Send status unknown; execution status unknown."}, status=400,
            ),
        }  # fmt: skip
        return told[kind]

    async def later(self, act: Callable[[], Any]) -> None:
        await asyncio.sleep(self.late_s)
        act()

    def answer(
        self, method: str, path: str, said: dict[str, str], text: str
    ) -> tuple[int, dict[str, Any] | list[Any]]:
        try:
            return 200, self.answered(method, path, said, text)
        except Refused as refusal:
            return refusal.status, {"code": refusal.code, "msg": str(refusal)}

    def answered(self, method: str, path: str, said: dict[str, str], text: str) -> Any:
        symbols = list(self.prices)
        public: dict[str, Callable[[], Any]] = {
            "v1/time": lambda: {"serverTime": self.now_ms()},
            "v1/exchangeInfo": lambda: {
                "symbols": [{**listed(s), "orderTypes": _TYPES} for s in symbols]
            },
            "v1/listenKey": lambda: {"listenKey": "a-listen-key"},
        }
        if path in public:
            return public[path]()
        self.check(said, text)
        algo, symbol = "lgo" in path, said.get("symbol", "")
        signed: dict[str, Callable[[], Any]] = {
            "POST order": lambda: self.place(said, algo=algo),
            "DELETE order": lambda: self.cancel(said, algo=algo),
            "GET order": lambda: self.written(self.found(said, algo=algo)),
            "PUT order": lambda: self.modify(said),
            "GET orders": lambda: [
                self.written(o)
                for o in self.orders.values()
                if o.algo == algo and o.status == "NEW"
            ],
            "GET userTrades": lambda: [
                t
                for t in self.trades
                if t["symbol"] == symbol and t["time"] >= int(said.get("startTime", "0"))
            ][-int(said.get("limit", "500")) :],
            "GET account": self.account,
            "GET positionRisk": lambda: [
                self.position(s) for s, size in self.sizes.items() if size
            ],
            "GET leverageBracket": lambda: [brackets(s) for s in symbols],
            "POST leverage": lambda: self.set_leverage(said),
            "POST marginType": lambda: self.set_mode(said),
            "POST positionMargin": lambda: self.adjust(said),
            "GET history": lambda: self.margins,
        }
        name = path.rpartition("/")[2]
        name = {"algoOrder": "order", "openOrders": "orders", "openAlgoOrders": "orders"}.get(
            name, name
        )
        return signed[f"{method} {name}"]()

    def set_leverage(self, said: Mapping[str, str]) -> dict[str, Any]:
        self.leverages[said["symbol"]] = int(said["leverage"])
        return {"symbol": said["symbol"], "leverage": int(said["leverage"])}

    def set_mode(self, said: Mapping[str, str]) -> dict[str, Any]:
        if self.modes.get(said["symbol"], "CROSSED") == said["marginType"]:
            raise Refused(-4046, "No need to change margin type.")
        self.modes[said["symbol"]] = said["marginType"]
        return {"code": 200, "msg": "success"}

    def adjust(self, said: Mapping[str, str]) -> dict[str, Any]:
        told = {"symbol": said["symbol"], "type": int(said["type"]), "amount": said["amount"]}
        self.margins.append(
            {**told, "asset": "USDT", "time": self.now_ms(), "positionSide": "BOTH"}
        )
        return {"code": 200, "msg": "Successfully modify position margin.", **told}

    def check(self, said: dict[str, str], text: str) -> None:
        """Check signature and time stamp, as the exchange does."""
        unsigned, _, signature = text.rpartition("&signature=")
        wanted = hmac.new(SECRET.encode(), unsigned.encode(), hashlib.sha256).hexdigest()
        if signature != wanted:
            self.unsigned.append(text)
            raise Refused(-1022, "Signature for this request is not valid.")
        at_ms, window_ms = int(said["timestamp"]), int(said.get("recvWindow", "5000"))
        if not -1000 <= self.now_ms() - at_ms <= window_ms:
            raise Refused(-1021, "Timestamp for this request is outside of the recvWindow.")

    # ---- what it streams ------------------------------------------------------------------------

    async def stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if "listenKey" in request.query:
            self.private.append(socket)
        streams: list[str] = []
        telling = asyncio.ensure_future(self.tell_prices(socket, streams))
        try:
            async for message in socket:
                said = json.loads(message.data)
                if said.get("method") == "SUBSCRIBE":
                    streams += said["params"]
                    await socket.send_json({"result": None, "id": said["id"]})
        finally:
            telling.cancel()
            if socket in self.private:
                self.private.remove(socket)
        return socket

    async def tell_prices(self, socket: web.WebSocketResponse, streams: list[str]) -> None:
        with suppress(ConnectionError):
            while True:
                await asyncio.sleep(0.05)
                for name in () if self.is_quiet else streams:
                    symbol = name.partition("@")[0].upper()
                    bid, ask = (
                        str(self.prices[symbol] + d) for d in (Decimal("-.1"), Decimal(".1"))
                    )
                    now_ms = self.now_ms()
                    await socket.send_json(
                        {"e": "bookTicker", "u": now_ms, "E": now_ms, "T": now_ms, "s": symbol,
                         "b": bid, "B": "10", "a": ask, "A": "10"}
                    )  # fmt: skip


@asynccontextmanager
async def binance_trading(server: TradingServer) -> AsyncIterator[TradingServer]:
    """Serve it on a free port."""
    app = web.Application()
    app.router.add_route("*", "/fapi/{path:.*}", server.rest)
    app.router.add_get("/{path:.*}", server.stream)
    async with on_a_free_port(app) as url:
        server.url = url
        try:
            yield server
        finally:
            for task in list(server.late):
                task.cancel()
