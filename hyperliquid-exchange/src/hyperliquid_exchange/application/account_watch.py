"""What the venue pushes of every trader's account, as facts for the gate.

Nothing is polled but the list of what can be traded. After each connection an account is in trouble
until its snapshots are merged; then what the venue's messages add up to is held against each full
state that it pushes (`suite.account`), and a difference that lasts pauses the trader.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from hyperliquid_exchange.application.ports import OnChange, Safety, Upstream
from hyperliquid_exchange.application.streams import Member, Refused, Seat, Streams
from hyperliquid_exchange.application.universe import Mids, Universe, read_universe
from hyperliquid_exchange.application.watched_account import WatchedAccount
from hyperliquid_exchange.domain.accounts import LiveAccount
from hyperliquid_exchange.domain.facts import AccountFacts
from hyperliquid_exchange.domain.safety import Cause, Level
from suite.account.events import MidsPush
from suite.account.pushes import read_message
from suite.account.state import AccountStateCache, StateLimits
from suite.clock import Clock
from suite.contracts import hyperliquid_ws as ws
from suite.errors import SuiteError, one_line
from suite.ids import TraderId
from suite.instrument import Instrument

BY: Final = "account"
"""Who has set a cause that an account gave."""
_REASON: Final = 500
"""Characters of a cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchTimes:
    """How often what is looked at, seconds.

    Attributes:
        universe_s: between two reads of what can be traded.
        retry_s: before one that failed, or a subscription without room, is tried again.
        heal_s: between fresh snapshots for an account that differs.
        look_s: between looks at what differs.
    """

    universe_s: float = 60.0
    retry_s: float = 2.0
    heal_s: float = 30.0
    look_s: float = 0.5


class AccountWatch:
    """Every trader's account; a `FactsSource`.

    Args:
        accounts: of the traders.
        streams: what the venue pushes.
        upstream: asked for what can be traded, and nothing else.
        safety: pauses a trader whose account differs.
        clock: wall time.
        times: see there.
        now_s: seconds of a clock that never goes back.

    Attributes:
        listeners: told of a trader whose account has changed.
        in_flight: whether an action of a trader is on its way: a difference may be its effect.
    """

    def __init__(
        self,
        accounts: Mapping[TraderId, LiveAccount],
        *,
        streams: Streams,
        upstream: Upstream,
        safety: Safety,
        clock: Clock,
        times: WatchTimes | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.listeners: list[OnChange] = []
        self.in_flight: Callable[[TraderId], bool] = lambda _: False
        self._streams = streams
        self._upstream = upstream
        self._safety = safety
        self._clock = clock
        self._times = times or WatchTimes()
        self._now_s = now_s
        self._universe = Universe()
        self._mids = Mids(now_s)
        self._prices = _Prices(self._mids)
        self._reported: dict[TraderId, tuple[str, ...]] = {}
        self.accounts = {
            trader_id: self._watched(trader_id, account) for trader_id, account in accounts.items()
        }

    def _watched(self, trader_id: TraderId, account: LiveAccount) -> WatchedAccount:
        age_s = account.limits.facts_age_s
        cache = AccountStateCache(
            clock=self._clock,
            user=account.address,
            limits=StateLimits(silence_s=age_s, push_s=3 * age_s),
            now_s=self._now_s,
        )
        cache.in_flight = lambda: self.in_flight(trader_id)
        return WatchedAccount(
            account,
            universe=self._universe,
            mids=self._mids,
            cache=cache,
            on_change=lambda: self._changed(trader_id),
        )

    def facts(self, trader_id: TraderId) -> AccountFacts | None:
        """Tell what is known of a trader's account."""
        watched = self.accounts.get(trader_id)
        return None if watched is None else watched.facts()

    def universe(self) -> Sequence[Instrument]:
        """Tell what is listed."""
        return self._universe.instruments

    def is_followed(self, trader_id: TraderId) -> bool:
        """Whether a full state is known, and the connection that told it is alive."""
        watched = self.accounts[trader_id]
        return watched.cache.state.live and watched.facts() is not None

    @property
    def trouble(self) -> str:
        """Whose account is not followed at present, and takes no new risk; empty for nobody."""
        names = [name for name in self.accounts if not self.is_followed(name)]
        return f"not followed: {one_line(', '.join(names))}" if names else ""

    def differences(self, trader_id: TraderId) -> tuple[str, ...]:
        """Tell in what a trader's account differs from what was told of it."""
        return self.accounts[trader_id].cache.state.differences

    def adopt(self, trader_id: TraderId) -> None:
        """Believe the venue's account as it is, because a person has looked."""
        self.accounts[trader_id].cache.adopt()
        self._changed(trader_id)

    async def run(self) -> None:
        """Follow all accounts until cancelled; the streams must run."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_universe())
            tasks.create_task(self._keep_subscribed())
            tasks.create_task(self._heal())

    def _changed(self, trader_id: TraderId) -> None:
        cache = self.accounts[trader_id].cache
        differences = () if cache.state.reconciling else cache.state.differences
        if differences and self._reported.get(trader_id) != differences:
            reason = one_line(f"the account differs: {'; '.join(differences)}")[:500]
            self._safety.engage(
                Cause(
                    scope=trader_id,
                    level=Level.PAUSED,
                    by=BY,
                    reason=reason,
                    since_ms=self._clock.now_ms(),
                )
            )
        self._reported[trader_id] = differences
        for listener in self.listeners:
            listener(trader_id)

    async def _keep_universe(self) -> None:
        while True:
            try:
                status, body = await self._upstream.info(b'{"type":"meta"}')
                is_read = status == 200
                if is_read:
                    self._universe.take(read_universe(body))
            except (SuiteError, msgspec.DecodeError, ValueError):
                is_read = False
            times = self._times
            await asyncio.sleep(times.universe_s if is_read else times.retry_s)

    async def _keep_subscribed(self) -> None:
        """Have a seat at everything; those that the venue refused are asked for again."""
        while True:
            for member, wanted, seats in self._missing():
                try:
                    seats[wanted] = self._streams.subscribe(member, wanted)
                except Refused:
                    break
            await asyncio.sleep(self._times.retry_s)

    def _missing(self) -> Iterator[tuple[Member, ws.Named, dict[ws.Named, Seat]]]:
        for watched in self.accounts.values():
            for wanted in watched.wanted:
                if wanted not in watched.seats:
                    yield watched, wanted, watched.seats
        prices = self._prices
        if prices.wanted not in prices.seats:
            yield prices, prices.wanted, prices.seats

    async def _heal(self) -> None:
        """Ask for fresh snapshots of what differs: what was lost is told again."""
        due_s: dict[TraderId, float] = {}
        while True:
            await asyncio.sleep(self._times.look_s)
            for trader_id, watched in self.accounts.items():
                state = watched.cache.state
                if not watched.flaw and (state.reconciling or not state.differences):
                    due_s.pop(trader_id, None)
                elif self._now_s() >= due_s.get(trader_id, 0.0):
                    due_s[trader_id] = self._now_s() + self._times.heal_s
                    await self._refresh(watched)

    async def _refresh(self, watched: WatchedAccount) -> None:
        flaw, watched.flaw = watched.flaw, ""
        try:
            for seat in tuple(watched.seats.values()):
                await self._streams.refresh(seat)
        except SuiteError:
            watched.flaw = watched.flaw or flaw


class _Prices:
    """Listens to the mid prices; a `Member`."""

    wanted: Final[ws.Named] = ws.AllMids()

    def __init__(self, mids: Mids) -> None:
        self.seats: dict[ws.Named, Seat] = {}
        self._mids = mids

    def acknowledged(self, seat: Seat, message: bytes) -> None:
        pass

    def told(self, message: bytes) -> None:
        try:
            for event in read_message(message):
                if isinstance(event, MidsPush):
                    self._mids.take(event.mids)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return  # they grow old, and say so

    def refused(self, seat: Seat, text: str) -> None:
        del text
        self.seats.pop(seat.wanted, None)

    def lost(self, reason: str) -> None:
        """Let them grow old."""
