"""Channels of an account: its orders, fills, money and positions."""

from collections.abc import Callable
from typing import Any, Final

from suite.contracts import hyperliquid_ws as ws
from suite.contracts.hyperliquid_info import OpenOrder
from suite.enums import OrderStatus
from suite.fixed import RATE_DECIMALS, Usd, format_fixed
from suite.ids import AccountId, Oid
from virtual_exchange.application.account_reads import AccountReads
from virtual_exchange.application.book import AccountBook
from virtual_exchange.application.liquidations import fills_of
from virtual_exchange.application.stream_feeds import Feed, Log, LogFeed, StateFeed
from virtual_exchange.application.stream_reads import Ask
from virtual_exchange.application.wire_values import SIDES, usd
from virtual_exchange.application.world import World
from virtual_exchange.domain.accounts import Account
from virtual_exchange.domain.record import OrderUpdate

_MOST_FILLS: Final = 2000
_MOST_ROWS: Final = 500
_BY_VENUE: Final = frozenset(
    {OrderStatus.MARGIN_CANCELED, OrderStatus.LIQUIDATED_CANCELED, OrderStatus.DELISTED_CANCELED}
)
"""Cancels that are told as events too; those of reduce-only orders and siblings are not."""
_VENUE_ADDRESS: Final = "0x" + "0" * 40
_LIQUIDATIONS: Final = 1 << 20
"""More than any account has, so that its row and their count make an id."""
_NOBODY: Final = AccountBook(
    Account(index=0, account_id=AccountId(""), address="", initial_balance_usd=Usd(0))
)
"""Where nothing is noted."""


class AccountStreams:
    """Makers of the feeds of accounts; an account that is opened later is found by then."""

    def __init__(self, world: World, reads: AccountReads, ask: Ask) -> None:
        self._world = world
        self._reads = reads
        self._ask = ask

    def maker(self, wanted: ws.OfUser) -> Callable[[], Feed] | None:
        """Find what makes the feed of a subscription, None where there is nothing such here."""
        user = wanted.user
        match wanted:
            case ws.OrderUpdates():
                return lambda: self._order_updates(user)
            case ws.UserEvents():
                return lambda: self._events(user)
            case ws.UserFills():
                return lambda: self._fills(user)
            case ws.UserFundings():
                return lambda: self._fundings(user)
            case ws.UserLedger():
                return lambda: self._ledger(user)
            case ws.UserTwapSliceFills() | ws.UserTwapHistory() | ws.Notification():
                return lambda: _without_rows(wanted)
        read = self._state(wanted)
        return None if read is None else lambda: StateFeed(_channel(wanted), read)

    # states

    def _state(self, wanted: ws.OfUser) -> Callable[[], Any] | None:
        user, ask = wanted.user, self._ask
        if isinstance(wanted, ws.ActiveAssetData):
            coin = wanted.coin
            known = coin in self._world.symbols
            return (lambda: ask("activeAssetData", user=user, coin=coin)) if known else None

        def money() -> Any:
            return ask("clearinghouseState", user=user)

        of_dex = {"dex": "", "user": user}
        reads: dict[type[ws.OfUser], Callable[[], Any]] = {
            ws.Clearinghouse: lambda: of_dex | {"clearinghouseState": money()},
            ws.AllDexsClearinghouse: lambda: {"user": user, "clearinghouseStates": [["", money()]]},
            ws.SpotState: lambda: {
                "user": user,
                "spotState": ask("spotClearinghouseState", user=user),
            },
            ws.OpenOrders: lambda: of_dex | {"orders": ask("frontendOpenOrders", user=user)},
            ws.TwapStates: lambda: of_dex | {"states": []},
            ws.WebData2: lambda: ask("webData2", user=user),
            ws.WebData3: lambda: self._web_data_3(user),
        }
        return reads.get(type(wanted))

    def _web_data_3(self, user: str) -> dict[str, Any]:
        page = self._ask("webData2", user=user)
        shown = ("agentAddress", "agentValidUntil", "cumLedger", "serverTime", "isVault", "user")
        dex = {"totalVaultEquity": "0.0", "perpsAtOpenInterestCap": [], "leadingVaults": []}
        return {"userState": {name: page[name] for name in shown}, "perpDexStates": [dex]}

    # logs

    def _order_updates(self, user: str) -> Feed:
        def between(first: int, end: int) -> list[Any]:
            book = self._book(user)
            return [[self._update(book, update) for update in book.updates[first:end]]]

        def now() -> list[Any]:
            book = self._book(user)
            rows = [
                self._update(
                    book,
                    OrderUpdate(
                        time_ms=record.placed_ms,
                        oid=record.oid,
                        status=OrderStatus.OPEN,
                        remaining=record.remaining,
                    ),
                )
                for record in book.orders.values()
                if not record.status.terminal
            ]
            return [rows] if rows else []

        log = Log(length=lambda: len(self._book(user).updates), between=between)
        return LogFeed("orderUpdates", log, opening=now)

    def _update(self, book: AccountBook, update: OrderUpdate) -> dict[str, Any]:
        record = book.orders[Oid(update.oid)]
        instrument = self._world.market.instruments[record.symbol]
        price = record.limit_price or record.trigger_price or record.decision_price
        order = OpenOrder(
            coin=instrument.coin,
            side=SIDES[record.side],
            limitPx=instrument.format_price(price),
            sz=instrument.format_size(update.remaining),
            oid=update.oid,
            timestamp=record.placed_ms,
            origSz=instrument.format_size(record.size),
            cloid=record.cloid,
            reduceOnly=record.reduce_only,
        )
        return {"order": order, "status": str(update.status), "statusTimestamp": update.time_ms}

    def _fills(self, user: str) -> Feed:
        def between(first: int, end: int) -> list[Any]:
            return [{"user": user, "fills": self._fill_rows(user, first, end)}]

        def recent() -> list[Any]:
            count = len(self._book(user).fills)
            rows = self._fill_rows(user, max(0, count - _MOST_FILLS), count)
            return [{"isSnapshot": True, "user": user, "fills": rows[::-1]}]

        return LogFeed("userFills", self._fill_log(user, between), opening=recent)

    def _fill_log(self, user: str, between: Callable[[int, int], list[Any]]) -> Log:
        return Log(length=lambda: len(self._book(user).fills), between=between)

    def _fill_rows(self, user: str, first: int, end: int) -> tuple[Any, ...]:
        account = self._world.by_address.get(user)
        index = None if account is None else account.index
        return self._reads.user_fills(index, first)[: end - first]

    def _fundings(self, user: str) -> Feed:
        def between(first: int, end: int) -> list[Any]:
            return [{"user": user, "fundings": self._payments(user, first, end)}]

        def recent() -> list[Any]:
            count = len(self._book(user).funding)
            rows = self._payments(user, max(0, count - _MOST_ROWS), count)
            return [{"isSnapshot": True, "user": user, "fundings": rows}]

        log = Log(length=lambda: len(self._book(user).funding), between=between)
        return LogFeed("userFundings", log, opening=recent)

    def _payments(self, user: str, first: int, end: int) -> list[dict[str, Any]]:
        rows = []
        for payment in self._book(user).funding[first:end]:
            instrument = self._world.market.instruments[payment.symbol]
            rows.append(
                {
                    "time": payment.time_ms,
                    "coin": instrument.coin,
                    "usdc": usd(payment.usd),
                    "szi": instrument.format_size(payment.size),
                    "fundingRate": format_fixed(payment.rate, RATE_DECIMALS),
                    "nSamples": None,
                }
            )
        return rows

    def _ledger(self, user: str) -> Feed:
        reads = self._reads.ledger

        def told(rows: list[dict[str, Any]], **more: Any) -> list[Any]:
            return [more | {"user": user, "nonFundingLedgerUpdates": rows}]

        def recent() -> list[Any]:
            return told(reads.rows(self._book(user))[-_MOST_ROWS:], isSnapshot=True)

        return LogFeed(
            "userNonFundingLedgerUpdates",
            Log(
                length=lambda: len(self._book(user).ledger),
                between=lambda first, end: told(reads.transfers(self._book(user), first, end)),
            ),
            Log(
                length=lambda: len(self._book(user).liquidations),
                between=lambda first, end: told(reads.liquidations(self._book(user), first, end)),
            ),
            opening=recent,
        )

    def _events(self, user: str) -> Feed:
        def fills(first: int, end: int) -> list[Any]:
            return [{"fills": self._fill_rows(user, first, end)}]

        def fundings(first: int, end: int) -> list[Any]:
            return [{"funding": row} for row in self._payments(user, first, end)]

        def liquidations(first: int, end: int) -> list[Any]:
            return [{"liquidation": self._liquidation(user, n)} for n in range(first, end)]

        def cancels(first: int, end: int) -> list[Any]:
            book, instruments = self._book(user), self._world.market.instruments
            rows = [
                {"coin": instruments[book.orders[Oid(u.oid)].symbol].coin, "oid": u.oid}
                for u in book.updates[first:end]
                if u.status in _BY_VENUE
            ]
            return [{"nonUserCancel": rows}] if rows else []

        return LogFeed(
            "user",
            Log(length=lambda: len(self._book(user).liquidations), between=liquidations),
            self._fill_log(user, fills),
            Log(length=lambda: len(self._book(user).funding), between=fundings),
            Log(length=lambda: len(self._book(user).updates), between=cancels),
        )

    def _liquidation(self, user: str, number: int) -> dict[str, Any]:
        """Tell a liquidation; its notional is that of the fills it made."""
        book = self._book(user)
        event = book.liquidations[number]
        notional = sum(fill.price * fill.size for fill in fills_of(book, number))
        return {
            "lid": book.account.index * _LIQUIDATIONS + number + 1,
            "liquidator": _VENUE_ADDRESS,
            "liquidated_user": user,
            "liquidated_ntl_pos": usd(notional),
            "liquidated_account_value": usd(event.equity_usd),
        }

    def _book(self, user: str) -> AccountBook:
        """Everything noted of an account; nothing of one that does not exist, or not yet."""
        account = self._world.by_address.get(user)
        return _NOBODY if account is None else self._world.books[account.index]


def _channel(wanted: ws.Named) -> str:
    return str(wanted.__struct_config__.tag)


def _without_rows(wanted: ws.OfUser) -> Feed:
    """Make the feed of something that does not happen here."""
    channel, user = _channel(wanted), wanted.user
    names = {"userTwapSliceFills": "twapSliceFills", "userTwapHistory": "history"}
    if channel not in names:
        return LogFeed(channel)
    data = {"isSnapshot": True, "user": user, names[channel]: list[Any]()}
    return LogFeed(channel, opening=lambda: [data])
