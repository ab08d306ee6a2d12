"""What a wake-up shows: built at one time for one participant, shared where it is the same."""

from typing import Any

import msgspec

from suite.contracts.clock import AccountView, WaitReply, Want
from virtual_exchange.application.info.queries import Queries
from virtual_exchange.application.info.snapshots import MarketData
from virtual_exchange.application.info.values import usd
from virtual_exchange.application.world import World


class Views:
    """Builder of replies.

    Args:
        world: what is shown.
        queries: accounts and mids.
        data: snapshots.
        encoded: snapshots are put in as JSON, encoded once for all who want the same; for HTTP.
    """

    def __init__(
        self, world: World, queries: Queries, data: MarketData, *, encoded: bool = False
    ) -> None:
        self._world = world
        self._queries = queries
        self._data = data
        self._encoded = encoded
        self._shared: dict[tuple[str, tuple[str, ...]], Any] = {}
        self._shared_ms = -1

    def reply(self, account: int, want: Want, *, first_fill: int) -> WaitReply:
        """Build a reply of the present moment, without what only the barrier knows."""
        if self._shared_ms != self._world.now_ms:
            self._shared.clear()
            self._shared_ms = self._world.now_ms
        return WaitReply(
            now_ms=self._world.now_ms,
            step_seq=0,
            fills=self._queries.accounts.fills.rows(account, first_fill) if want.fills else (),
            account=self._account(account) if want.account else None,
            mids=self._queries.market.mids() if want.mids else None,
            snapshots={coin: self._snapshot(coin, want.intervals) for coin in want.snapshots}
            if want.snapshots
            else None,
        )

    def check(self, want: Want) -> None:
        """Look whether all that is wanted exists, before anything is done for it.

        Raises:
            NotFound: a coin is unknown.
            BadRequest: an interval does not exist.
        """
        for coin in want.snapshots:
            self._data.check(coin, want.intervals)

    def fill_count(self, account: int) -> int:
        """How many fills an account has had."""
        return len(self._world.books[account].fills)

    def _account(self, account: int) -> AccountView:
        return AccountView(
            state=self._queries.accounts.clearinghouse(account),
            open_orders=self._queries.accounts.orders.open_orders(account),
            net_deposits=usd(self._world.books[account].moved_usd),
        )

    def _snapshot(self, coin: str, intervals: tuple[str, ...]) -> Any:
        key = (coin, intervals)
        if key not in self._shared:
            snapshot: Any = self._data.snapshot(coin, None, intervals)
            if self._encoded:
                snapshot = msgspec.Raw(msgspec.json.encode(snapshot))
            self._shared[key] = snapshot
        return self._shared[key]
