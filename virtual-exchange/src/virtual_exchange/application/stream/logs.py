"""Channels that are the log of an account: orders, fills, funding, transfers, liquidations."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from suite.addresses import NOBODY
from suite.contracts import hyperliquid_ws as ws
from suite.contracts.hyperliquid_info import UpdatedOrder
from suite.enums import OrderStatus
from suite.fixed import Usd
from suite.ids import AccountId, Oid
from virtual_exchange.application.book import AccountBook
from virtual_exchange.application.info.accounts import AccountReads
from virtual_exchange.application.info.liquidations import fills_of
from virtual_exchange.application.info.values import status_word, usd
from virtual_exchange.application.stream.feeds import Feed, Log, LogFeed
from virtual_exchange.application.stream.reads import Ask
from virtual_exchange.application.world import World
from virtual_exchange.domain.accounts import Account
from virtual_exchange.domain.record import OrderUpdate

_MOST_ROWS: Final = 500
_BY_VENUE: Final = frozenset(
    {OrderStatus.MARGIN_CANCELED, OrderStatus.LIQUIDATED_CANCELED, OrderStatus.DELISTED_CANCELED}
)
"""Cancels that are told as events too; those of reduce-only orders and siblings are not."""
_LIQUIDATIONS: Final = 1 << 20
"""More than any account has, so that its row and their count make an id."""


class AccountLogs:
    """Makers of the feeds of accounts that are logs."""

    def __init__(self, world: World, reads: AccountReads, ask: Ask) -> None:
        self._world = world
        self._reads = reads
        self._ask = ask
        nobody = Account(
            index=0, account_id=AccountId(""), address=NOBODY, initial_balance_usd=Usd(0)
        )
        self._nothing = AccountBook(nobody)

    def maker(self, wanted: ws.OfUser) -> Callable[[], Feed] | None:
        """Find what makes the feed of a subscription, None where it is no log."""
        user = wanted.user
        if isinstance(wanted, ws.UserFills):
            aggregated = bool(wanted.aggregateByTime)
            return lambda: self._fills(user, aggregated=aggregated)
        makers: dict[type[ws.OfUser], Callable[[], Feed]] = {
            ws.OrderUpdates: lambda: self._order_updates(user),
            ws.UserEvents: lambda: self._events(user),
            ws.UserFundings: lambda: self._fundings(user),
            ws.UserLedger: lambda: self._ledger(user),
            ws.UserHistoricalOrders: lambda: self._history(user),
            ws.UserTwapSliceFills: lambda: self._slices(user),
            ws.UserTwapHistory: lambda: self._twap_history(user),
            ws.Notification: lambda: LogFeed("notification"),
        }
        return makers.get(type(wanted))

    def _order_updates(self, user: str) -> Feed:
        def between(first: int, end: int) -> list[Any]:
            book = self._book(user)
            return [[self._update(book, update) for update in book.updates[first:end]]]

        def now() -> list[Any]:
            book = self._book(user)
            rows = [
                {
                    "order": UpdatedOrder(**msgspec.structs.asdict(order)),
                    "status": "open",
                    "statusTimestamp": book.changed_ms[Oid(order.oid)],
                }
                for order in self._reads.orders.open_orders(self._account(user))
            ]
            return [rows] if rows else []

        return LogFeed("orderUpdates", self._updates(user, between), opening=now)

    def _updates(self, user: str, between: Callable[[int, int], list[Any]]) -> Log:
        return Log(length=lambda: len(self._book(user).updates), between=between)

    def _update(self, book: AccountBook, update: OrderUpdate) -> dict[str, Any]:
        record = book.orders[Oid(update.oid)]
        instrument = self._world.market.instruments[record.symbol]
        order = UpdatedOrder(
            coin=instrument.coin,
            side=record.side.wire,
            limitPx=self._reads.orders.limit_text(record),
            sz=instrument.format_size(update.remaining),
            oid=update.oid,
            timestamp=record.placed_ms,
            origSz=instrument.format_size(record.size),
            cloid=record.cloid,
            reduceOnly=record.reduce_only,
        )
        status = status_word(update.status)
        return {"order": order, "status": status, "statusTimestamp": update.time_ms}

    def _history(self, user: str) -> Feed:
        orders = self._reads.orders

        def between(first: int, end: int) -> list[Any]:
            book = self._book(user)
            rows = [orders.change(book, update) for update in book.updates[first:end]]
            return [{"user": user, "orderHistory": rows}]

        def recent() -> list[Any]:
            rows = orders.historical(self._account(user))
            return [{"isSnapshot": True, "user": user, "orderHistory": rows}]

        return LogFeed("userHistoricalOrders", self._updates(user, between), opening=recent)

    def _fills(self, user: str, *, aggregated: bool) -> Feed:
        def rows(first: int, end: int) -> list[Any]:
            return self._reads.fills.between(self._book(user), first, end, aggregated=aggregated)

        def between(first: int, end: int) -> list[Any]:
            return [{"user": user, "fills": rows(first, end)}]

        def recent() -> list[Any]:
            latest = self._ask("userFills", user=user, aggregateByTime=aggregated)
            return [{"isSnapshot": True, "user": user, "fills": latest}]

        return LogFeed("userFills", self._fill_log(user, between), opening=recent)

    def _fill_log(self, user: str, between: Callable[[int, int], list[Any]]) -> Log:
        return Log(length=lambda: len(self._book(user).fills), between=between)

    def _slices(self, user: str) -> Feed:
        fills = self._reads.fills

        def between(first: int, end: int) -> list[Any]:
            rows = fills.slices_of(self._book(user), first, end)
            return [{"user": user, "twapSliceFills": rows}] if rows else []

        def recent() -> list[Any]:
            rows = fills.slices(self._account(user))
            return [{"isSnapshot": True, "user": user, "twapSliceFills": rows}]

        return LogFeed("userTwapSliceFills", self._fill_log(user, between), opening=recent)

    def _twap_history(self, user: str) -> Feed:
        fills = self._reads.fills

        def between(first: int, end: int) -> list[Any]:
            return [{"user": user, "history": fills.twap_rows(self._book(user), first, end)}]

        def recent() -> list[Any]:
            rows = fills.twap_history(self._account(user))
            return [{"isSnapshot": True, "user": user, "history": rows}]

        log = Log(length=lambda: len(self._book(user).twap_updates), between=between)
        return LogFeed("userTwapHistory", log, opening=recent)

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
        return self._reads.ledger.payments(self._book(user), first, end)

    def _ledger(self, user: str) -> Feed:
        ledger = self._reads.ledger

        def told(rows: list[Any], **more: Any) -> list[Any]:
            return [more | {"user": user, "nonFundingLedgerUpdates": rows}]

        def transfers(first: int, end: int) -> list[Any]:
            return told(ledger.transfers(self._book(user), first, end))

        def liquidations(first: int, end: int) -> list[Any]:
            return told(ledger.liquidations(self._book(user), first, end))

        return LogFeed(
            "userNonFundingLedgerUpdates",
            Log(length=lambda: len(self._book(user).ledger), between=transfers),
            self._liquidations(user, liquidations),
            opening=lambda: told(ledger.latest(self._book(user)), isSnapshot=True),
        )

    def _liquidations(self, user: str, between: Callable[[int, int], list[Any]]) -> Log:
        return Log(length=lambda: len(self._book(user).liquidations), between=between)

    def _events(self, user: str) -> Feed:
        def fills(first: int, end: int) -> list[Any]:
            return [{"fills": self._reads.fills.between(self._book(user), first, end)}]

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
            self._liquidations(user, liquidations),
            self._fill_log(user, fills),
            Log(length=lambda: len(self._book(user).funding), between=fundings),
            self._updates(user, cancels),
        )

    def _liquidation(self, user: str, number: int) -> dict[str, Any]:
        """Tell a liquidation; its notional is that of the fills it made."""
        book = self._book(user)
        event = book.liquidations[number]
        notional = sum(fill.price * fill.size for fill in fills_of(book, number))
        return {
            "lid": book.account.index * _LIQUIDATIONS + number + 1,
            "liquidator": NOBODY,
            "liquidated_user": user,
            "liquidated_ntl_pos": usd(notional),
            "liquidated_account_value": usd(event.equity_usd),
        }

    def _account(self, user: str) -> int | None:
        account = self._world.by_address.get(user)
        return None if account is None else account.index

    def _book(self, user: str) -> AccountBook:
        """Everything noted of an account; nothing of one that does not exist, or not yet."""
        account = self._account(user)
        return self._nothing if account is None else self._world.books[account]
