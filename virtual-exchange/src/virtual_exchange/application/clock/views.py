"""What a wake-up shows: built at one time for one participant, shared where it is the same."""

from typing import Any, Final

import msgspec

from suite.contracts.clock import WaitReply, Want
from suite.contracts.venue import ActionReply
from virtual_exchange.application.info.queries import Queries
from virtual_exchange.application.info.snapshots import MarketData
from virtual_exchange.application.world import World

_CHECKED_MAX: Final = 1024
"""Different wants that are remembered to be possible; traders ask for the same over and over."""


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
        self._checked: set[Want] = set()
        self._shared: dict[tuple[str, tuple[str, ...]], Any] = {}
        self._shared_ms = -1

    def reply(
        self,
        account: int,
        want: Want,
        *,
        first_fill: int,
        step_seq: int = 0,
        woke_by: tuple[str, ...] = (),
        results: tuple[ActionReply, ...] = (),
    ) -> WaitReply:
        """Build a reply of the present moment; what only the barrier knows is given to it.

        Args:
            account: whose.
            want: what it shall bring.
            first_fill: the first of the account's fills to be told.
            step_seq, woke_by, results: of the wait that it ends.
        """
        world, accounts = self._world, self._queries.accounts
        now_ms = world.now_ms
        if self._shared_ms != now_ms:
            self._shared.clear()
            self._shared_ms = now_ms
        return WaitReply(
            now_ms=now_ms,
            step_seq=step_seq,
            woke_by=woke_by,
            ended=world.finished,
            results=results,
            fills=accounts.fills.rows(account, first_fill) if want.fills else (),
            account=accounts.view(account) if want.account else None,
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
        if want in self._checked:
            return
        for coin in want.snapshots:
            self._data.check(coin, want.intervals)
        if len(self._checked) < _CHECKED_MAX:
            self._checked.add(want)

    def fill_count(self, account: int) -> int:
        """How many fills an account has had."""
        return len(self._world.books[account].fills)

    def _snapshot(self, coin: str, intervals: tuple[str, ...]) -> Any:
        key = (coin, intervals)
        if key not in self._shared:
            snapshot: Any = self._data.snapshot(coin, None, intervals)
            if self._encoded:
                snapshot = msgspec.Raw(msgspec.json.encode(snapshot))
            self._shared[key] = snapshot
        return self._shared[key]
