"""What an exchange of ccxt tells of an account when it is asked."""

from collections import OrderedDict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from strategy_agent.adapters.ccxt_exchange.calls import CcxtCalls
from strategy_agent.adapters.ccxt_exchange.markets import Markets
from strategy_agent.adapters.ccxt_exchange.values import (
    FillWriter,
    Holdings,
    number,
    oid_of,
    open_order,
    text,
)
from suite.account.events import FundingPayment, StatePush
from suite.clock import Clock
from suite.contracts.hyperliquid_info import OpenOrder, UserFill
from suite.contracts.venue import CancelOrder, ModifyOrder
from suite.errors import UpstreamRefused, UpstreamTimeout

_REMEMBERED: Final = 4_096
_PAGE: Final = 500
_TRIES: Final = 5


class CcxtRecords:
    """The exchange's own answers about one account, and what ids stand for.

    Args:
        calls: of the exchange.
        markets: of it.
        wall: the machine's clock.
        coins: that are traded; fills of others are not asked for.

    Attributes:
        holdings: money and positions as they were told last.
        fills: writes trades as fills.
    """

    def __init__(
        self, calls: CcxtCalls, markets: Markets, wall: Clock, *, coins: tuple[str, ...]
    ) -> None:
        self.calls = calls
        self.markets = markets
        universe = markets.meta()["universe"]
        self.holdings = Holdings(max_leverages={a["name"]: a["maxLeverage"] for a in universe})
        self.fills = FillWriter(markets)
        self._wall = wall
        self._coins = coins
        self._ids: OrderedDict[int, str] = OrderedDict()
        self._triggers: OrderedDict[str, None] = OrderedDict()

    async def fetch_account(self) -> StatePush:
        """Ask for orders, positions and balance, one after the other."""
        orders = await self._open_orders()
        positions = await self.calls.read("fetch_positions")
        balance = await self.calls.read("fetch_balance")
        self.holdings.take_positions(positions, self.markets, whole=True)
        total = (balance.get(self.markets.settle) or {}).get("total")
        self.holdings.take_total(total, equity=True)
        at_ms = int(balance.get("timestamp") or self._wall.now_ms())
        return StatePush(state=self.holdings.state(at_ms), open_orders=orders, server_ms=at_ms)

    async def fetch_fills(self, start_ms: int) -> tuple[UserFill, ...]:
        """Ask for the trades since a time; for the latest ones where it is 0."""
        if self.fills.sizes is None:
            return await self._first_fills(start_ms)
        return self.fills.write(await self._trades(start_ms))

    async def fetch_fundings(self, start_ms: int) -> tuple[FundingPayment, ...]:
        """Ask for funding received and paid since a time, coin by coin.

        Raises:
            UpstreamRefused: the exchange does not tell.
        """
        if self.calls.api.has.get("fetchFundingHistory") is not True:
            raise UpstreamRefused(
                f"{self.calls.access.exchange} does not tell what funding was paid"
            )
        found: dict[tuple[int, str], FundingPayment] = {}
        for coin in self._coins:
            symbol, since_ms = self.markets.symbol(coin), start_ms
            while True:
                page = await self.calls.read("fetch_funding_history", symbol, since_ms, _PAGE)
                known = len(found)
                for row in page:
                    payment = _payment(row, coin)
                    found[payment.time, coin] = payment
                if len(found) == known:
                    break
                since_ms = max(int(row["timestamp"]) for row in page)
        return tuple(sorted(found.values(), key=lambda paid: paid.time))

    async def _first_fills(self, start_ms: int) -> tuple[UserFill, ...]:
        """Read trades with no change of position meanwhile, so that one explains the other."""
        before = await self._positions()
        for _ in range(_TRIES):
            trades = await self._trades(start_ms)
            after = await self._positions()
            if before == after:
                break
            before = after
        self.fills.begin(before, trades)
        return self.fills.write(trades)

    async def _positions(self) -> dict[str, Decimal]:
        told = Holdings()
        told.take_positions(await self.calls.read("fetch_positions"), self.markets, whole=True)
        return {coin: row.size for coin, row in told.rows.items()}

    async def _trades(self, start_ms: int) -> list[Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        for coin in self._coins:
            symbol, since_ms = self.markets.symbol(coin), start_ms or None
            while True:
                page = await self.calls.read("fetch_my_trades", symbol, since_ms, _PAGE)
                fresh = [trade for trade in page if f"{coin} {trade['id']}" not in found]
                found.update((f"{coin} {trade['id']}", trade) for trade in fresh)
                if since_ms is None or len(page) < _PAGE or not fresh:
                    break
                since_ms = max(int(trade["timestamp"]) for trade in page)
        return list(found.values())

    async def _open_orders(self) -> tuple[OpenOrder, ...]:
        rows = await self.calls.read("fetch_open_orders")
        if self.calls.habits.triggers_apart:
            more = await self.calls.read("fetch_open_orders", None, None, None, {"trigger": True})
            for row in more:
                self.remember(row, trigger=True)
            rows = [*rows, *more]
        for row in rows:
            self.remember(row)
        written = (open_order(row, self.markets) for row in rows)
        return tuple(order for order in written if order is not None)

    def remember(self, order: Mapping[str, Any], *, trigger: bool = False) -> None:
        """Keep what an order's number stands for, and whether it is a trigger order."""
        if order.get("id") is None:
            return
        self._ids[oid_of(order["id"])] = str(order["id"])
        if trigger or (self.calls.habits.triggers_apart and number(order.get("triggerPrice"))):
            self._triggers[str(order["id"])] = None
            self._triggers[str(order.get("clientOrderId"))] = None
        for kept in (self._ids, self._triggers):
            while len(kept) > _REMEMBERED:
                kept.popitem(last=False)

    async def find(self, coin: str, cloid: str, *, trigger: bool) -> Mapping[str, Any]:
        """Look for an order by its client id.

        Raises:
            NotFound: there is none.
            SuiteError: the exchange does not tell.
        """
        parameters: dict[str, Any] = {"clientOrderId": self.client_id(cloid)}
        if trigger and self.calls.habits.triggers_apart:
            parameters["trigger"] = True
        order: Any = await self.calls.read("fetch_order", "", self.markets.symbol(coin), parameters)
        if not isinstance(order, Mapping) or order.get("id") is None:
            raise UpstreamTimeout("what was answered is no order")
        return order

    def named(self, action: CancelOrder | ModifyOrder) -> tuple[str, dict[str, Any], bool]:
        """Name an order: exchange's id, parameters, and whether it is a trigger order."""
        if action.oid is not None:
            order_id = self._ids.get(action.oid, str(action.oid))
            return order_id, {}, order_id in self._triggers
        client_id = self.client_id(str(action.cloid))
        return "", {"clientOrderId": client_id}, client_id in self._triggers

    def client_id(self, cloid: str) -> str:
        """Write a client order id as the exchange wants it."""
        return self.calls.habits.id_prefix + cloid.removeprefix("0x")


def _payment(row: Mapping[str, Any], coin: str) -> FundingPayment:
    """Write a payment; most exchanges do not say for which position and at what rate."""
    told = row.get("info")
    told = told.get("delta", told) if isinstance(told, Mapping) else {}
    return FundingPayment(
        time=int(row["timestamp"]),
        coin=coin,
        usdc=text(number(row.get("amount"))),
        szi=str(told.get("szi", "0.0")),
        fundingRate=str(told.get("fundingRate", "0.0")),
    )
