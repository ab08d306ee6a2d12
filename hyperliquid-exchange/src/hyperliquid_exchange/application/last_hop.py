"""The one way out: what leaves was decided, is allowed now, and is never lost or done twice.

Every action is a durable intent before its first byte leaves. Only the venue's own answer tells
what became of it; without one its fate is unknown, the caller is told so, and a resolution finds it
out (`resolving.py`). Until then the coin takes no new risk; what reduces risk passes.

A key belongs to one request of one trader. Whoever brings it again is told what became of that.
"""

import asyncio
import random
from collections.abc import Mapping
from typing import Any, Final

import structlog

from hyperliquid_exchange.application import answers
from hyperliquid_exchange.application.evidence import Evidence, action_of, is_to
from hyperliquid_exchange.application.flights import (
    Flight,
    Flights,
    Name,
    check_same,
    unknown_fate,
)
from hyperliquid_exchange.application.leaving import BY, Leaving, Parts
from hyperliquid_exchange.application.losses import LossWatch
from hyperliquid_exchange.application.requests import Request, Told
from hyperliquid_exchange.application.resolving import Resolver, ResolveTimes, about
from hyperliquid_exchange.domain.accounts import LiveAccount
from hyperliquid_exchange.domain.actions import (
    Allowed,
    assets_of,
    forbidden,
    may_add_risk,
)
from hyperliquid_exchange.domain.intents import Intent, Settled
from hyperliquid_exchange.domain.safety import EVERYBODY, Cause, Level
from hyperliquid_exchange.domain.verdicts import Verdict
from suite.clock import Clock
from suite.errors import NotOwner, RateLimited, StorageError, SuiteError, UpstreamTimeout
from suite.ids import TraderId

FLOOD_PAUSE_MS: Final = 1000
"""What a trader is told to wait whose refusals are too many to be kept."""

_log = structlog.get_logger(__name__)


class LastHop:
    """The only sender of actions.

    Args:
        parts: what stands between a decision and the venue.
        clock: wall time.
        jitter: source of the random part of pauses.
        times: of resolutions.

    Attributes:
        counts: what went out.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        clock: Clock,
        jitter: random.Random,
        times: ResolveTimes | None = None,
    ) -> None:
        self._leaving = Leaving(parts, clock)
        self.counts = self._leaving.counts
        self._parts = parts
        self._clock = clock
        self._flights = Flights()
        self._recovering: dict[str, int] = {}
        self._losses = LossWatch(
            parts.safety, clock, by=BY, is_clear=lambda: not any(f.unknown for f in self._flights)
        )
        self._resolver = Resolver(
            Evidence(parts.upstream),
            self._leaving,
            facts=parts.facts,
            clock=clock,
            jitter=jitter,
            contradicted=self._contradicted,
            times=times,
        )

    # for callers

    async def submit(self, account: LiveAccount, request: Request) -> Told:
        """Carry a request out, unless its key was used: then tell what became of that.

        Args:
            account: of the trader who asks.
            request: what it asks for.

        Returns:
            The venue's answer, or a refusal in its shape.

        Raises:
            Conflict: another request, or a noop, has used the key; nothing was done.
            UpstreamTimeout: what became of it is unknown, and is being found out.
            NotOwner, StorageError, UpstreamUnavailable, RateLimited: nothing has left.
        """
        name = (account.trader_id, request.key)
        flight = self._flights.get(name)
        if flight is not None:
            check_same(request, flight.fingerprint)
            return self._flights.told_again(request, name, await flight.fate())
        found = self._parts.log.find(*name)
        if isinstance(found, Settled):
            return self._flights.told_again(request, name, found)
        if found is not None:
            raise unknown_fate()
        flight = Flight(name, request.fingerprint)
        self._flights.begin(flight, self._carry_out(account, request, flight))
        settled = await flight.first()
        return Told(reply=settled.reply or answers.DONE, replayed=False)

    async def noop(self, account: LiveAccount, key: str) -> Told:
        """Use a key up, so that no request that still comes is carried out.

        Returns:
            What became of the request that used the key before; if there is none there never will
            be, and `replayed` is false.

        Raises:
            UpstreamTimeout: what became of it is unknown, and is being found out.
            StorageError: it could not be written down.
            RateLimited: so many keys are young that an unused one cannot be kept too.
        """
        name = (account.trader_id, key)
        while (flight := self._flights.get(name)) is not None:
            try:
                return _of_noop(await flight.fate())
            except UpstreamTimeout:
                raise
            except SuiteError:  # it ended before anything was written down: the key is free
                continue
        found = self._parts.log.find(*name)
        if isinstance(found, Intent):
            raise unknown_fate()
        if found is None:
            if not self._parts.log.has_room(account.trader_id):
                raise _flood("")
            flight = Flight(name, "", adds_risk=False)
            found = await self._flights.begin(flight, self._use_up(name)).fate()
        return _of_noop(found)

    def knows(self, account: LiveAccount, key: str) -> bool:
        """Whether a key was used."""
        name = (account.trader_id, key)
        return self._flights.get(name) is not None or self._parts.log.find(*name) is not None

    def unknown(self, trader_id: str) -> tuple[int, ...]:
        """List the assets of which the fate of an action is unknown."""
        return tuple(
            {asset for flight in self._flights.unknown(trader_id) for asset in flight.assets}
        )

    def in_flight(self, trader_id: str) -> bool:
        """Whether something of a trader is on its way, or its fate is not known."""
        return any(flight.trader_id == trader_id for flight in self._flights)

    def unsettled(self, trader_id: str) -> bool:
        """Whether something that may add risk has left and its fate is not known."""
        return any(
            flight.trader_id == trader_id
            and flight.adds_risk
            and (flight.leaving or flight.unknown)
            for flight in self._flights
        )

    async def quiet(self, trader_id: str | None = None) -> None:
        """Wait until nothing that may add risk is on its way that was when this was called.

        Args:
            trader_id: of whom; None for all.
        """
        on_their_way = [
            flight.known.wait()
            for flight in self._flights
            if flight.leaving and flight.adds_risk and trader_id in {None, flight.trader_id}
        ]
        await asyncio.gather(*on_their_way)

    def recover(self, accounts: Mapping[TraderId, LiveAccount]) -> None:
        """Begin to find out what became of intents of an earlier life.

        No new risk leaves for their traders before that is known.
        """
        self._losses.go_on()
        for intent in self._parts.log.open_intents():
            account = accounts.get(TraderId(intent.trader_id))
            if account is None:
                _log.warning("intent_of_nobody", trader_id=intent.trader_id, key=intent.key)
                continue
            action = action_of(intent)
            flight = Flight((intent.trader_id, intent.key), intent.fingerprint, assets_of(action))
            flight.adds_risk = intent.adds_risk
            flight.unknown = True
            flight.known.set()
            self._recovering[intent.trader_id] = self._recovering.get(intent.trader_id, 0) + 1
            verdict = self._parts.gate.restore(account.trader_id, action)
            self._flights.begin(flight, self._recovered(account, intent, verdict))

    async def close(self) -> None:
        """Stop; what is open stays so in the log, and is found out in the next life."""
        self._losses.close()
        await self._flights.close()

    async def _carry_out(self, account: LiveAccount, request: Request, flight: Flight) -> Settled:
        if request.expires_ms is not None and self._clock.now_ms() > request.expires_ms:
            return await self._refused(account, request, answers.err(answers.EXPIRED))
        action = await request.action()
        if isinstance(action, dict):
            return await self._refused(account, request, action)
        flight.assets, flight.adds_risk = assets_of(action), may_add_risk(action)
        if why := self._forbidden(account, action, request, adds_risk=flight.adds_risk):
            return await self._refused(account, request, answers.err(why))
        verdict = self._parts.gate.judge(account.trader_id, action)
        if verdict.refusal is not None:
            return await self._refused(account, request, answers.err(verdict.refusal))
        flight.adds_risk = verdict.adds_risk  # by what it takes the place of, too
        try:
            intent = self._leaving.prepare(account, request, action, verdict)
            await self._parts.log.begin(intent)
            self.counts.decided += 1
            # what was forbidden while it was written down does not leave
            if why := self._forbidden(account, action, request, adds_risk=verdict.adds_risk):
                return await self._answer(account, request, answers.err(why))
            return await self._sent(account, intent, action, flight)
        finally:
            self._leaving.over(flight.name)
            self._parts.gate.settled(account.trader_id, verdict)

    async def _sent(
        self, account: LiveAccount, intent: Intent, action: Allowed, flight: Flight
    ) -> Settled:
        told: Mapping[str, Any] | None = None
        try:
            flight.leaving = True
            self._losses.left()
            told = await self._leaving.first(account, intent)
        except NotOwner:
            await self._settle(_ended(intent), durable=True)
            raise
        except UpstreamTimeout:
            pass
        finally:
            flight.leaving = False
        if told is not None and about(told) == "answer" and is_to(action, told):
            settled = _answered(intent, dict(told))
            await self._settle(settled)
            return settled
        flight.unknown = True
        flight.known.set()
        self._lost(intent)
        return await self._found_out(account, intent, told)

    async def _found_out(
        self, account: LiveAccount, intent: Intent, told: Mapping[str, Any] | None
    ) -> Settled:
        settled = await self._resolver.resolve(account, intent, told)
        if settled.outcome == "never":
            self.counts.never += 1
        else:
            self.counts.resolved += 1
        _log.warning(
            "fate_found", trader_id=intent.trader_id, key=intent.key, outcome=settled.outcome
        )
        await self._settle(settled, durable=True)
        return settled

    async def _recovered(self, account: LiveAccount, intent: Intent, verdict: Verdict) -> Settled:
        settled = await self._found_out(account, intent, None)
        self._parts.gate.settled(account.trader_id, verdict)
        left = self._recovering.pop(intent.trader_id) - 1
        if left:
            self._recovering[intent.trader_id] = left
        return settled

    async def _refused(
        self, account: LiveAccount, request: Request, reply: answers.Reply
    ) -> Settled:
        """Answer what was never written down, without the venue.

        Raises:
            RateLimited: so many keys are young that this one cannot be kept too; it stays free.
        """
        if not self._parts.log.has_room(account.trader_id):
            self.counts.refused += 1
            raise _flood(f"{reply.get('response')}; ")
        return await self._answer(account, request, reply)

    async def _answer(
        self, account: LiveAccount, request: Request, reply: answers.Reply
    ) -> Settled:
        """Answer without the venue; the answer belongs to the key."""
        self.counts.refused += 1
        settled = Settled(
            trader_id=account.trader_id,
            key=request.key,
            fingerprint=request.fingerprint,
            outcome="answered",
            reply=reply,
        )
        await self._settle(settled)
        return settled

    async def _use_up(self, name: Name) -> Settled:
        settled = Settled(trader_id=name[0], key=name[1], fingerprint="", outcome="never")
        await self._parts.log.settle(settled, durable=True)
        return settled

    async def _settle(self, settled: Settled, *, durable: bool = False) -> None:
        """Note what is known; where that fails it is found out again in the next life."""
        try:
            await self._parts.log.settle(settled, durable=durable)
        except StorageError as fault:
            _log.warning("fate_not_noted", key=settled.key, reason=str(fault))

    # whether it may leave

    def _forbidden(
        self, account: LiveAccount, action: Allowed, request: Request, *, adds_risk: bool
    ) -> str | None:
        """Tell why an action may not leave now, `rule: reason`."""
        reason = forbidden(action)
        if reason is not None:
            return f"action: {reason}"
        trader_id = account.trader_id
        level = self._parts.safety.level(trader_id)
        is_killed = level is Level.KILLED and not request.by_operator
        if is_killed or (adds_risk and level is not Level.LIVE):
            return f"safety: {self._why(trader_id, level)}"
        if not adds_risk:
            return None
        if trader_id in self._recovering:
            return "unresolved: what became of actions of an earlier life is being found out"
        mine = set(assets_of(action))
        if any(mine.intersection(flight.assets) for flight in self._flights.unknown(trader_id)):
            return "unknown: what became of an earlier action on this coin is being found out"
        return None

    def _why(self, trader_id: TraderId, level: Level) -> str:
        for cause in self._parts.safety.causes:
            if cause.level is level and cause.scope in {EVERYBODY, trader_id}:
                return f"{level.name} by {cause.by}: {cause.reason}"
        return level.name

    def _lost(self, intent: Intent) -> None:
        """Take note of an answer that was lost."""
        self.counts.unknown += 1
        _log.warning("answer_lost", trader_id=intent.trader_id, key=intent.key, kind=intent.kind)
        self._losses.lost()

    def _contradicted(self, account: LiveAccount, intent: Intent) -> None:
        reason = f"{intent.kind} {intent.key}: the venue shows it and says that it never was"
        self._engage(account.trader_id, Level.PAUSED, reason)

    def _engage(self, scope: str, level: Level, reason: str) -> None:
        cause = Cause(scope=scope, level=level, by=BY, reason=reason, since_ms=self._clock.now_ms())
        self._parts.safety.engage(cause)


def _flood(why: str) -> RateLimited:
    """Refuse to keep one more key."""
    return RateLimited(
        f"{why}too many keys within ten minutes; this one is not used up",
        retry_after_ms=FLOOD_PAUSE_MS,
    )


def _of_noop(found: Settled) -> Told:
    if found.outcome == "never":
        return Told(reply=answers.DONE, replayed=False)
    return Told(reply=found.reply or answers.DONE, replayed=True)


def _answered(intent: Intent, reply: dict[str, Any]) -> Settled:
    return Settled(
        trader_id=intent.trader_id,
        key=intent.key,
        fingerprint=intent.fingerprint,
        outcome="answered",
        reply=reply,
    )


def _ended(intent: Intent) -> Settled:
    return Settled(
        trader_id=intent.trader_id,
        key=intent.key,
        fingerprint=intent.fingerprint,
        outcome="never",
    )
