"""Keeps an account's cache true: hears its stream, asks once after each connection, has it healed.

Nothing is polled. The venue is read when a connection has been opened; `rest_calls` says how often.
"""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from strategy_agent.application.live_prices import LivePrices
from strategy_agent.application.ports import AccountReads, AccountStream
from strategy_agent.application.presence import Presence
from strategy_agent.application.venue_world import WorldChanged
from suite.account.events import AccountEvent, BestPush, MidsPush
from suite.account.state import AccountStateCache
from suite.errors import SuiteError

CONNECT: Final = "connect"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperTimeouts:
    """How long a keeper waits for what, seconds.

    Attributes:
        tick_s: between looks at ages and differences.
        first_pause_s, longest_pause_s: before a read that failed, or did not explain the account,
            is repeated.
        reads: after so many reads that do not explain it, the difference is told instead.
        first_heal_s, longest_heal_s: before an account that differs is connected to anew again.
        gone_s, silent_s: without a connection, and with one over which nothing comes, until the
            venue counts as lost.
    """

    tick_s: float = 0.5
    first_pause_s: float = 0.25
    longest_pause_s: float = 20.0
    reads: int = 4
    first_heal_s: float = 30.0
    longest_heal_s: float = 600.0
    gone_s: float = 2.0
    silent_s: float = 7.0


class AccountKeeper:
    """Listens to one account's stream on behalf of its cache.

    Args:
        cache: what is kept.
        reads: the venue's own answers about the account.
        chance: of the jitter of pauses.
        prices: that come over the same connection.
        timeouts: see there.
        presence: is told when the venue is lost, and when it is back.
        look: has a look at the venue after each connection, before what it says is believed.

    Attributes:
        rest_calls: requests to the venue by reason: `connect`.
        failed_reads: that were not answered.
        flaws: messages that could not be read.
    """

    def __init__(
        self,
        cache: AccountStateCache,
        reads: AccountReads,
        *,
        chance: random.Random,
        prices: LivePrices | None = None,
        timeouts: KeeperTimeouts | None = None,
        presence: Presence | None = None,
        look: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self.cache = cache
        self.prices = prices or LivePrices()
        self.rest_calls: Counter[str] = Counter()
        self.failed_reads = 0
        self.flaws: Counter[str] = Counter()
        self._reads = reads
        self._chance = chance
        self._timeouts = timeouts or KeeperTimeouts()
        self._presence = presence
        self._look = look
        self._reason = ""
        self._connection = 0
        self._wanted = asyncio.Event()

    async def run(self, stream: AccountStream) -> None:
        """Keep the cache true until cancelled.

        Args:
            stream: tells this keeper.

        Raises:
            WorldChanged: in an exception group; the venue has another world by now.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(stream.run())
            tasks.create_task(self._reconcile_again_and_again())
            tasks.create_task(self._look_after(stream))

    # what the stream tells

    def connected(self) -> None:
        """Have the connection held against a read."""
        self._connection += 1
        self.cache.connected()
        self._wanted.set()

    def received(self, events: Sequence[AccountEvent]) -> None:
        """Hand events on."""
        for event in events:
            if isinstance(event, MidsPush):
                self.prices.received(event.mids)
            elif isinstance(event, BestPush):
                self.prices.received_best(event)
            else:
                self.cache.received(event)

    def heard(self) -> None:
        """Note a sign of life."""
        self.cache.heard()

    def flawed(self, reason: str) -> None:
        """Count it; what it said is missing now, which the next full states show."""
        self.flaws[reason] += 1

    def lost(self, reason: str) -> None:
        """Note that nothing comes."""
        self._connection += 1
        self._reason = reason
        self.cache.lost()

    # how

    async def _reconcile_again_and_again(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self._reconcile(self._connection)

    async def _reconcile(self, connection: int) -> None:
        """Read the account until the reads explain what the stream told, or it is another one."""
        timeouts, pause_s, unexplained = self._timeouts, self._timeouts.first_pause_s, 0
        looked = self._look is None
        while connection == self._connection and self.cache.state.live:
            if looked and not self.cache.ready:
                await asyncio.sleep(min(timeouts.tick_s, 0.02))
                continue
            try:
                if not looked:
                    await self._have_a_look()
                    looked = True
                    continue
                if await self._read(connection):
                    return
                unexplained += 1
                wait_s = pause_s
            except WorldChanged:
                raise
            except SuiteError as fault:
                self.failed_reads += 1
                self._reason = str(fault)
                wait_s = max(pause_s, (fault.retry_after_ms or 0) / 1000)
            if unexplained >= timeouts.reads:
                self.cache.give_in()
                return
            await asyncio.sleep(wait_s * self._chance.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, timeouts.longest_pause_s)

    async def _have_a_look(self) -> None:
        if self._look is not None:
            self.rest_calls[CONNECT] += 1
            await self._look()

    async def _read(self, connection: int) -> bool:
        """Ask for fills, ledger and account, and merge the answers; say whether they explain it.

        The account last: of a fill between two answers the stream tells, not the account.
        """
        self.rest_calls[CONNECT] += 1
        fills = await self._reads.fetch_fills(self.cache.agreed_ms)
        ledger = await self._reads.fetch_ledger(self.cache.ledger_ms)
        self.rest_calls[CONNECT] += ledger is not None
        self.rest_calls[CONNECT] += 1
        state = await self._reads.fetch_account()
        if connection != self._connection:
            return False
        return self.cache.reconciled(state, fills, ledger)

    async def _look_after(self, stream: AccountStream) -> None:
        """Connect anew where a connection tells nothing, or the account differs from its story."""
        timeouts, cache = self._timeouts, self.cache
        now_s = asyncio.get_running_loop().time
        heal_s, next_heal_s = timeouts.first_heal_s, 0.0
        while True:
            await asyncio.sleep(timeouts.tick_s)
            state = cache.state
            self._tell_presence()
            if not state.live:
                continue
            if cache.push_age_ms > cache.limits.push_s * 1000:
                stream.reconnect("no state of the account came")
            elif not state.reconciling and any(_needs_fills(key) for key in state.differences):
                if now_s() >= next_heal_s:
                    stream.reconnect("the account differs")
                    next_heal_s = now_s() + heal_s
                    heal_s = min(2 * heal_s, timeouts.longest_heal_s)
            elif not state.reconciling and not state.differences and now_s() >= next_heal_s:
                heal_s = timeouts.first_heal_s

    def _tell_presence(self) -> None:
        """Tell that the venue is lost, or back: then its account is known again."""
        silent_s, state, timeouts = self.cache.age_ms / 1000, self.cache.state, self._timeouts
        if self._presence is None or math.isinf(silent_s):
            return
        if silent_s > (timeouts.silent_s if state.live else timeouts.gone_s):
            why = "nothing comes over the connection" if state.live else self._reason
            self._presence.lost(f"the account's stream: {why}", silent_s=silent_s)
        elif state.live and not state.reconciling:
            self._presence.back()


def _needs_fills(difference: str) -> bool:
    return difference.startswith(("position", "cash"))
