"""Steps at a venue that wakes nobody: the agent sleeps by its own clock, and by what it is told.

    steps = LocalSteps(time=..., cache=..., prices=..., delivery=..., market=..., user=...)
    reply = await steps.join(JoinRequest(...))
    reply = await steps.wait(WaitRequest(...))

A reply is put together from what is known: the account from its cache, mids and best prices from
the stream, the rest of a snapshot from the data contract. Nothing is asked of the venue, and
nothing polled.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from strategy_agent.application.live_prices import BestPrices, LivePrices
from strategy_agent.application.ports import Delivery, Kept, MarketData
from strategy_agent.application.venue_time import VenueTime
from strategy_agent.application.venue_world import WorldChanged
from strategy_core.orders.memory import fill_key
from suite.account.events import AccountChange
from suite.account.state import AccountStateCache
from suite.bars import INTERVAL_MS, MINUTE_MS
from suite.contracts.clock import JoinRequest, PriceCross, WaitReply, WaitRequest, WakeOn, Want
from suite.contracts.hyperliquid_info import FillLiquidation, UserFill
from suite.contracts.venue import ActionReply
from suite.errors import SuiteError, UpstreamTimeout, UpstreamUnavailable
from suite.fixed import is_decimal, parse_decimal

_RETRY_S: Final = 0.1
_MOMENT_S: Final = 0.5
"""How long a turn waits for market data that is not urgent to it."""
_LOOK_S: Final = 0.5
"""Between looks at what tells nobody: a latch, the age of what is known."""
_REPEAT_S: Final = 1.0
"""Between two wake-ups by what lasts: a price beyond a limit, trouble that comes and goes."""
_LATE_FILLS_MS: Final = 5 * MINUTE_MS
"""How much later than it happened a fill may be told."""
_NEVER_MS: Final = 1 << 40
"""Age of what never came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLimits:
    """How long what may take, and how old it may be.

    Attributes:
        ready_s: until the account must be known at a join.
        market_ms: age of prices and of snapshots, of the venue's time.
        grace_s: for a snapshot that has the minute just closed; a collector needs a moment.
    """

    ready_s: float = 30.0
    market_ms: int = MINUTE_MS
    grace_s: float = 5.0


class LocalSteps:
    """Steps of one trader; a `Steps`.

    Args:
        time: of the venue.
        cache: of the trader's account, kept by somebody; its fills and orders end waits.
        prices: told by the same stream.
        delivery: carries out what was decided.
        market: snapshots.
        user: address of the account.
        limits: see there.
        kept: of an earlier run; fills that it had not been told of are told at the join.

    Attributes:
        begin: returns once the world has begun, for which a join waits; None where it has.
    """

    def __init__(
        self,
        *,
        time: VenueTime,
        cache: AccountStateCache,
        prices: LivePrices,
        delivery: Delivery,
        market: MarketData,
        user: str,
        limits: StepLimits | None = None,
        kept: Kept | None = None,
    ) -> None:
        self._time = time
        self._cache = cache
        self._prices = prices
        self._delivery = delivery
        self._market = market
        self._user = user.lower()
        self._limits = limits or StepLimits()
        self._kept = kept
        self.begin: Callable[[], Awaitable[None]] | None = None
        self._stirred = asyncio.Event()
        self._fills: list[UserFill] = []
        self._order_changed = self._asked = self._waiting = self._sending = False
        self._told_ms = -1
        self._told_trouble: set[str] = set()
        self._again_s = float("-inf")
        self._last: WaitReply | None = None
        self._snapshots: dict[str, dict[str, Any]] = {}
        self._behind: tuple[str, ...] = ()
        self._data_answers = True
        self._broken: SuiteError | None = None
        cache.in_flight = self._in_flight
        cache.listeners.append(self._account_changed)
        prices.listeners.append(self._stirred.set)

    @property
    def trouble(self) -> tuple[str, ...]:
        """Why no new risk may be taken at present; `unknown_order:ETH` concerns one coin."""
        found = [*self._cache.trouble, *self._delivery.trouble]
        if self._behind or self._prices.age_ms > self._time.real(self._market_ms):
            found.append("stale_market")
        found += [f"unknown_order:{coin}" for coin in self._delivery.unknown]
        return tuple(found)

    @property
    def account_age_ms(self) -> int:
        """Since the last message of the account's stream, pongs included."""
        return int(min(self._cache.age_ms, _NEVER_MS))

    @property
    def market_age_ms(self) -> int:
        """Since the last mids."""
        return int(min(self._prices.age_ms, _NEVER_MS))

    async def join(self, request: JoinRequest) -> WaitReply:
        """Wait until the world has begun and the account is known, and tell what it is.

        Raises:
            UpstreamTimeout: it is not known in time, or differs from what its fills say.
            WorldChanged: the venue has another world by now.
            SuiteError: there is no snapshot to be had.
        """
        if self.begin is not None:
            await self.begin()
        try:
            async with asyncio.timeout(self._limits.ready_s):
                while self._cache.trouble or (request.want.mids and not self._prices.mids):
                    self._stirred.clear()
                    self._check_following()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_RETRY_S):
                            await self._stirred.wait()
        except TimeoutError:
            reasons = (*self._cache.trouble, *self._cache.state.differences)
            reason = ", ".join(reasons) or "no prices"
            limit_s = self._limits.ready_s
            raise UpstreamTimeout(
                f"the account is not known after {limit_s:g} s: {reason}"
            ) from None
        if self._kept is not None:
            self._recall(self._kept)
            self._kept = None
        await self._refresh(request.want, strict=True)
        self._last = None
        return self._reply(request.want, step_seq=0, woke_by=(), results=())

    def _recall(self, kept: Kept) -> None:
        """Tell the fills that an earlier run did not hear of, which may be older than its end."""
        since_ms = kept.now_ms - _LATE_FILLS_MS
        heard = {*kept.memory.orders.fills, *map(fill_key, self._fills)}
        before = [
            fill
            for fill in self._cache.state.fills
            if fill.time >= since_ms and fill_key(fill) not in heard
        ]
        self._fills = sorted([*before, *self._fills], key=lambda fill: fill.time)

    async def wait(self, request: WaitRequest) -> WaitReply:
        """Carry out orders and sleep until woken; a repeated step has its reply and no more."""
        if self._last is not None and self._last.step_seq == request.step_seq:
            return self._last
        self._waiting, self._asked = True, False
        try:
            results = await self._carry_out(request)
            woke_by = await self._sleep(request)
        finally:
            self._waiting = False
        await self._refresh(request.want, strict=False)
        reply = self._reply(
            request.want, step_seq=request.step_seq, woke_by=woke_by, results=results
        )
        self._last = reply
        return reply

    async def heartbeat(self) -> None:
        """Nobody waits for it."""

    def wake(self) -> None:
        """End the present `wait` at once, once its orders have been carried out."""
        self._asked = self._waiting
        self._stirred.set()

    def adopt(self) -> None:
        """Believe the venue's account as it is, because an operator has looked at it."""
        self._cache.adopt()

    def following_ended(self, task: asyncio.Task[None]) -> None:
        """Learn that nobody follows the account any more; every wait then fails and says why."""
        if not task.cancelled():
            error = task.exception()
            why = f"{type(error).__name__}: {error}" if error else "it has ended"
            self._broken = _change_of_world(error) or SuiteError(
                f"the account is not followed any more: {why}"
            )
            self._stirred.set()

    def _check_following(self) -> None:
        if self._broken is not None:
            raise self._broken

    # what happens

    def _account_changed(self, change: AccountChange) -> None:
        self._fills += change.fills
        self._order_changed |= bool(change.orders)
        self._time.heard(self._cache.state.as_of_ms)
        self._stirred.set()

    def _in_flight(self) -> bool:
        return self._sending or bool(self._delivery.unknown)

    async def _carry_out(self, request: WaitRequest) -> tuple[ActionReply, ...]:
        if not request.orders:
            return ()
        self._sending = True
        try:
            return await self._delivery.carry_out(
                request.orders, turn=request.step_seq, decided_ms=self._told_ms
            )
        finally:
            self._sending = False
            self._order_changed = False  # what was just asked for is no news

    # sleeping

    async def _sleep(self, request: WaitRequest) -> tuple[str, ...]:
        """Sleep until something of the request holds; say what does."""
        bar = request.wake_on.bar
        interval_ms = INTERVAL_MS[bar] if bar else 0
        close_ms = (self._told_ms // interval_ms + 1) * interval_ms if interval_ms else None
        ends = [at_ms for at_ms in (request.until_ms, close_ms) if at_ms is not None]
        while True:
            self._stirred.clear()
            self._check_following()
            if reasons := tuple(self._reasons(request, close_ms)):
                self._note_condition(reasons)
                return reasons
            wait_s = min(map(self._time.wait_s, ends), default=_LOOK_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(min(wait_s, _LOOK_S)):
                    await self._stirred.wait()

    def _reasons(self, request: WaitRequest, close_ms: int | None) -> Iterator[str]:
        """Find what ends a wait now; while time stands still, only who asks, or other trouble."""
        now_ms = self._time.now_ms()
        may_repeat = asyncio.get_running_loop().time() >= self._again_s
        if self._asked:
            yield "asked"
        if may_repeat and set(self.trouble) != self._told_trouble:
            yield "trouble"
        if now_ms <= self._told_ms:
            return
        if request.until_ms is not None and now_ms >= request.until_ms:
            yield "time"
        if close_ms is not None and now_ms >= close_ms:
            yield "bar"
        yield from self._events(request.wake_on)
        if may_repeat and any(self._crossed(cross) for cross in request.wake_on.price):
            yield "price"

    def _note_condition(self, reasons: tuple[str, ...]) -> None:
        """Let what lasts wake again only after a while, as it does not end by being told."""
        if {"price", "trouble"} & set(reasons):
            now_s = asyncio.get_running_loop().time()
            self._again_s = now_s + self._time.real(_REPEAT_S)

    def _events(self, wake: WakeOn) -> Iterator[str]:
        if wake.fill and self._fills:
            yield "fill"
        if wake.liquidation and any(self._is_liquidation(fill) for fill in self._fills):
            yield "liquidation"
        if wake.order and self._order_changed:
            yield "order"

    def _is_liquidation(self, fill: UserFill) -> bool:
        told = fill.liquidation
        return isinstance(told, FillLiquidation) and told.liquidatedUser.lower() == self._user

    def _crossed(self, cross: PriceCross) -> bool:
        text = self._prices.mids.get(cross.coin, "")
        if not is_decimal(text):
            return False
        mid = parse_decimal(text)
        if cross.above is not None:
            return mid >= cross.above
        return cross.below is not None and mid <= cross.below

    # the reply

    def _reply(
        self,
        want: Want,
        *,
        step_seq: int,
        woke_by: tuple[str, ...],
        results: tuple[ActionReply, ...],
    ) -> WaitReply:
        """Put together what is known at this moment; nothing is waited for."""
        self._told_ms = self._time.now_ms()
        self._told_trouble = set(self.trouble)
        fills: tuple[UserFill, ...] = ()
        if want.fills:
            fills, self._fills = tuple(self._fills), []
        self._order_changed = False
        return WaitReply(
            now_ms=self._told_ms,
            step_seq=step_seq,
            woke_by=woke_by,
            results=results,
            fills=fills,
            account=self._cache.state.view if want.account else None,
            mids=dict(self._prices.mids) if want.mids else None,
            snapshots=self._shown(want) if want.snapshots else None,
        )

    def _shown(self, want: Want) -> dict[str, dict[str, Any]]:
        """Snapshots with the blocks that are wanted, and the book of where orders go."""
        shown = {
            coin: self._with_book(coin, self._snapshots[coin])
            for coin in want.snapshots
            if coin in self._snapshots
        }
        if not want.intervals:
            return shown
        return {
            coin: {
                **snapshot,
                "intervals_data": {
                    name: block
                    for name, block in snapshot["intervals_data"].items()
                    if name in want.intervals
                },
            }
            for coin, snapshot in shown.items()
        }

    def _with_book(self, coin: str, snapshot: dict[str, Any]) -> dict[str, Any]:
        """Put the best prices of the stream into a snapshot, where they are known.

        Whoever collects market data may do so elsewhere, and knows of no book older than a minute.
        """
        found = self._prices.best(coin)
        age_ms = self._market_ms if found is None else self._time.passed(found[1])
        if found is None or age_ms >= self._market_ms:
            return snapshot
        book = _book(found[0], as_of_ms=self._time.now_ms() - age_ms)
        return {**snapshot, "common_info": {**snapshot.get("common_info", {}), "order_book": book}}

    async def _refresh(self, want: Want, *, strict: bool) -> None:
        """Get the snapshots of the minute that has just closed.

        Args:
            want: which.
            strict: fail where there is none at all; else go on with those of before.
        """
        at_ms = self._time.now_ms() // MINUTE_MS * MINUTE_MS
        asked = [self._snapshot(coin, at_ms, strict=strict) for coin in want.snapshots]
        found = await asyncio.gather(*asked, return_exceptions=True)
        for coin, told in zip(want.snapshots, found, strict=True):
            if isinstance(told, SuiteError):
                if strict:
                    raise told
            elif isinstance(told, BaseException):
                raise told
            else:
                self._snapshots[coin] = told
        oldest_ms = at_ms - self._market_ms
        self._behind = tuple(
            coin
            for coin in want.snapshots
            if coin not in self._snapshots or self._snapshots[coin]["as_of_ms"] <= oldest_ms
        )

    async def _snapshot(self, coin: str, at_ms: int, *, strict: bool) -> dict[str, Any]:
        """Ask for a snapshot until it has the minute that closed, or take the newest there is.

        A service that does not answer at all is waited for once, and then only for a moment until
        it answers again: nobody reviews the exits meanwhile.
        """
        grace_s = self._time.real(self._limits.grace_s)
        answers = False
        with suppress(TimeoutError):
            async with asyncio.timeout(
                grace_s if strict or self._data_answers else min(_MOMENT_S, grace_s)
            ) as limit:
                while True:
                    try:
                        snapshot = await self._market.snapshot(coin, at_ms)
                    except SuiteError as fault:
                        if not (
                            answers or isinstance(fault, UpstreamTimeout | UpstreamUnavailable)
                        ):
                            answers = True
                            limit.reschedule(asyncio.get_running_loop().time() + grace_s)
                    else:
                        self._data_answers = True
                        return snapshot
                    await asyncio.sleep(self._time.real(_RETRY_S))
        if strict:
            return await self._market.snapshot(coin, None)
        self._data_answers = answers
        if answers:
            with suppress(TimeoutError):
                async with asyncio.timeout(_MOMENT_S):
                    return await self._market.snapshot(coin, None)
        raise UpstreamTimeout(f"no snapshot of {coin} came in time")

    @property
    def _market_ms(self) -> int:
        """Age that prices and snapshots may have, of the venue's time.

        A paced world tells them once a bar, and who collects them needs a moment of its own.
        """
        return (2 if self._time.paced else 1) * self._limits.market_ms


def _book(best: BestPrices, *, as_of_ms: int) -> dict[str, Any]:
    """Write best prices as a snapshot's book has them; what lies behind them is not known."""
    return {
        "modelled": False,
        "as_of_ms": as_of_ms,
        "top_ask_price": best.ask,
        "top_ask_volume": best.ask_size,
        "top_bid_price": best.bid,
        "top_bid_volume": best.bid_size,
        "total_bid_volume": None,
        "total_ask_volume": None,
        "bid_ask_volume_ratio": None,
        "spread": round(best.ask - best.bid, 8),
    }


def _change_of_world(error: BaseException | None) -> WorldChanged | None:
    """Find it in an error, which may be a group of groups."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(_change_of_world, error.exceptions)), None)
    return error if isinstance(error, WorldChanged) else None
