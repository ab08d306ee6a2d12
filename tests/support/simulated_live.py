"""The last hop in virtual time, before a venue that keeps its documented promises and no others.

Between them is a network that loses, repeats and delays, and a venue that answers errors for
minutes while it goes on executing. Nothing waits, so the real pauses and expiries are used.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn

import msgspec
from tests.support.live_model import ModelVenue
from tests.support.live_parts import (
    AGENT,
    NOW_MS,
    Hop,
    MemoryGate,
    MemoryLog,
    MemorySafety,
    live_account,
    request,
)
from tests.support.simulated_delivery import Weather
from tests.support.virtual_time import VirtualClock, VirtualLoop, run_virtually

from hyperliquid_exchange.application import answers
from hyperliquid_exchange.application.evidence import LOST, USED
from hyperliquid_exchange.application.last_hop import LastHop
from hyperliquid_exchange.application.translating import cloid_of
from hyperliquid_exchange.domain.actions import Allowed, assets_of, may_add_risk
from hyperliquid_exchange.domain.intents import Intent, Settled
from hyperliquid_exchange.domain.safety import Cause, Level
from hyperliquid_exchange.domain.verdicts import Verdict
from suite.contracts import hyperliquid_exchange as wire
from suite.errors import Conflict, UpstreamTimeout
from suite.ids import TraderId

COINS = tuple(f"C{number}" for number in range(16))
ALICE = live_account(symbols=COINS)
TIMEOUT_S = 10.0
CALM = Weather(lost=0, answer_lost=0, repeated=0, outage_s=0)


class Way:
    """To the venue and back; an `Upstream`."""

    def __init__(self, venue: ModelVenue, clock: VirtualClock, chance: random.Random) -> None:
        self.weather = Weather()
        self.under_way: set[asyncio.Future[Any]] = set()
        self._venue, self._clock, self._chance = venue, clock, chance
        self._outage_until_s = 0.0
        self._calm_until_s = 30.0

    async def exchange(self, payload: bytes) -> Mapping[str, Any]:
        def arrive() -> Mapping[str, Any]:
            return self._venue.arrive(payload, self._clock.now_ms())

        chance, weather = self._chance, self.weather
        if chance.random() < weather.repeated:
            _ = self._later(arrive, 30 * chance.random())
        if self._in_outage():
            await self._refused(arrive)
        if chance.random() < weather.lost:
            await asyncio.sleep(TIMEOUT_S * (chance.random() < 0.5))
            raise UpstreamTimeout("lost")
        answer: Mapping[str, Any] = await asyncio.shield(
            self._later(arrive, chance.expovariate(1 / 0.05))
        )
        if chance.random() < weather.answer_lost:
            await asyncio.sleep(TIMEOUT_S * (chance.random() < 0.5))
            raise UpstreamTimeout("answer lost")
        await asyncio.sleep(chance.expovariate(1 / 0.05))
        return answer

    async def info(self, body: bytes) -> tuple[int, bytes]:
        await asyncio.sleep(self._chance.expovariate(1 / 0.05))
        if self._in_outage() and self._chance.random() < 0.7:
            return 503, b"overloaded"
        if self._chance.random() < self.weather.lost:
            raise UpstreamTimeout("lost")
        answer = self._venue.info(body)
        await asyncio.sleep(self._chance.expovariate(1 / 0.05))
        return answer

    async def _refused(self, arrive: Callable[[], Any]) -> NoReturn:
        """Answer a 5xx; what was asked is done now, later, or never."""
        throw = self._chance.random()
        if throw < 0.4:
            _ = self._later(arrive, self.weather.late_s * self._chance.random())
        elif throw < 0.7:
            arrive()
        await asyncio.sleep(0.01)
        raise UpstreamTimeout("503")

    def _later(self, arrive: Callable[[], Any], delay_s: float) -> "asyncio.Future[Any]":
        async def bring() -> Any:
            await asyncio.sleep(delay_s)
            return arrive()

        task = asyncio.ensure_future(bring())
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)
        return task

    def _in_outage(self) -> bool:
        now_s = asyncio.get_running_loop().time()
        if not self.weather.outage_s:
            return False
        if now_s >= self._calm_until_s and now_s >= self._outage_until_s:
            self._outage_until_s = now_s + self._chance.expovariate(1 / self.weather.outage_s)
            calm_s = self._chance.expovariate(1 / self.weather.calm_s)
            self._calm_until_s = self._outage_until_s + calm_s
        return now_s < self._outage_until_s


class RecordedLog(MemoryLog):
    """Remembers when intents began, every fate that was noted, and when the first was."""

    def __init__(self) -> None:
        super().__init__()
        self.fates: dict[tuple[str, str], list[Settled]] = {}
        self.began_s: dict[tuple[str, str], float] = {}
        self.known_s: dict[tuple[str, str], float] = {}

    async def begin(self, intent: Intent) -> None:
        await super().begin(intent)
        self.began_s[intent.trader_id, intent.key] = asyncio.get_running_loop().time()

    async def settle(self, settled: Settled, *, durable: bool = False) -> None:
        name = (settled.trader_id, settled.key)
        self.fates.setdefault(name, []).append(settled)
        if name in self.began_s:
            now_s = asyncio.get_running_loop().time()
            self.known_s.setdefault(name, now_s - self.began_s[name])
        await super().settle(settled, durable=durable)


class CoinGate(MemoryGate):
    """Lets everything through, and names the coins."""

    def judge(self, trader_id: TraderId, action: wire.L1Action) -> Verdict:
        super().judge(trader_id, action)
        coins = tuple(COINS[asset] for asset in assets_of(action))  # type: ignore[arg-type]
        adds = may_add_risk(action)  # type: ignore[arg-type]
        return Verdict(coins=coins, adds_risk=adds, refusal=None)


class NoPause(MemorySafety):
    """Takes note of a pause and goes on: here it is about what becomes of every action."""

    def engage(self, cause: Cause) -> None:
        if cause.level is Level.KILLED:
            super().engage(cause)


@dataclass(slots=True)
class Simulated:
    """What came of one seed.

    Attributes:
        intents: that were written down.
        problems: what the venue did against what was believed.
        crashes: of the process.
        known_s: virtual seconds until each fate was known.
        healed_s: after the last fault until every fate was known.
        lost: choices of leverage that another has followed on, told as not to be known.
        fates: by outcome.
        trace: what was believed when, the same for the same seed.
    """

    intents: int = 0
    problems: list[str] = field(default_factory=list)
    crashes: int = 0
    known_s: list[float] = field(default_factory=list)
    healed_s: float = 0.0
    lost: int = 0
    fates: dict[str, int] = field(default_factory=dict)
    trace: list[tuple[str, float]] = field(default_factory=list)


Plant = Callable[[LastHop, Hop], None]
"""Puts a bug into a last hop."""


def sound(last: LastHop, hop: Hop) -> None:
    """No bug."""
    del last, hop


def simulate(
    seed: int, intents: int, weather: Weather | None = None, *, plant: Plant = sound
) -> Simulated:
    """Deliver so many intents in virtual time and compare; the same seed is the same run."""
    loop = VirtualLoop(random.Random(f"{seed} order"))
    run = _Run(loop, random.Random(seed), weather or Weather(), plant)
    return run_virtually(run.main(intents), loop)


class _Run:
    def __init__(
        self, loop: VirtualLoop, chance: random.Random, weather: Weather, plant: Plant
    ) -> None:
        self._chance, self._plant = chance, plant
        self._loop = loop
        clock = VirtualClock(loop, NOW_MS)
        self._venue = ModelVenue(COINS)
        self._way = Way(self._venue, clock, chance)
        self._way.weather = weather
        self._log = RecordedLog()
        self._hop = Hop(
            clock=clock, venue=self._venue, log=self._log, gate=CoinGate(), safety=NoPause()
        )
        self._hop.facts.known = None
        self._hop.upstream = self._way  # type: ignore[assignment]
        self._hop.__post_init__ = None  # type: ignore[assignment,method-assign]
        self._hop.parts = msgspec_replace(self._hop, self._way)
        self._callers: dict[asyncio.Future[Any], None] = {}
        self._number = 0
        self._resting: list[str] = []
        self._told: dict[str, list[str]] = {}
        self.found = Simulated()

    async def main(self, intents: int) -> Simulated:
        chance, found = self._chance, self.found
        last = self._opened()
        while len(self._log.begun) < intents:
            for _ in range(chance.randrange(1, 4)):
                self._call(self._ask(last))
            if chance.random() < self._way.weather.crash:
                await asyncio.sleep(chance.expovariate(1 / 0.3))
                await self._crash(last)
                last = self._opened()
            else:
                await asyncio.sleep(chance.expovariate(1))
        self._way.weather = CALM
        since_s = self._loop.time()
        while self._log.open and self._loop.time() < since_s + 600:  # noqa: ASYNC110 - no time passes
            await asyncio.sleep(0.1)
        found.healed_s = self._loop.time() - since_s
        await asyncio.gather(*self._callers, return_exceptions=True)
        while self._way.under_way:
            await asyncio.wait(set(self._way.under_way))
        await last.close()
        self._judge()
        return found

    def _opened(self) -> LastHop:
        last = self._hop.open(self._chance)
        self._hop.gate.under_way = 0
        self._plant(last, self._hop)
        last.recover({ALICE.trader_id: ALICE})
        return last

    async def _crash(self, last: LastHop) -> None:
        for caller in tuple(self._callers):
            caller.cancel()
        await last.close()
        await asyncio.gather(*self._callers, return_exceptions=True)
        self._log.reopen(self._chance)
        self.found.crashes += 1

    def _call(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._callers[task] = None
        task.add_done_callback(self._callers.pop)

    async def _ask(self, last: LastHop) -> None:
        """Send a request as a client does that wants to know: again, or a noop, until it knows."""
        self._number += 1
        key = f"k{self._number}"
        action = self._action(key)
        try:
            told = await last.submit(ALICE, request(action, key=key))
        except UpstreamTimeout:
            await asyncio.sleep(self._chance.random())
            with suppress(UpstreamTimeout):
                await self._ask_again(last, action, key)
            return
        self._told.setdefault(key, []).append(f"{told.reply}")

    async def _ask_again(self, last: LastHop, action: Allowed, key: str) -> None:
        if self._chance.random() < 0.5:
            with suppress(Conflict):
                told = await last.submit(ALICE, request(action, key=key))
                self._told.setdefault(key, []).append(f"{told.reply}")
        else:
            ended = await last.noop(ALICE, key)
            self._told.setdefault(key, []).append(f"{ended.reply}" if ended.replayed else "never")

    def _action(self, key: str) -> Allowed:
        chance = self._chance
        throw, asset = chance.random(), chance.randrange(len(COINS))
        if throw < 0.1:
            return wire.UpdateLeverage(asset=asset, isCross=True, leverage=self._number)
        resting = [c for c, row in self._venue.orders.items() if row["status"] == "open"]
        if throw < 0.2 and resting:
            cloid = chance.choice(resting)
            named = COINS.index(self._venue.orders[cloid]["order"]["coin"])
            return wire.CancelByCloid(cancels=[wire.CancelCloidItem(asset=named, cloid=cloid)])
        cloid = cloid_of("alice", key, 0)
        if throw < 0.4:  # one that the caller has chosen
            cloid = f"0x{self._number:032x}"
        item = wire.OrderItem(
            a=asset,
            b=chance.random() < 0.5,
            p=str(100 + self._number),
            s="0.01",
            r=chance.random() < 0.3,
            t=wire.Kind(limit=wire.LimitKind(tif="Gtc")),
            c=cloid,
        )
        return wire.Order(orders=[item], grouping="na")

    # what the venue says to it

    def _judge(self) -> None:
        found, log = self.found, self._log
        found.intents = len(log.begun)
        found.known_s = sorted(log.known_s.values())
        found.trace = [(name[1], at_s) for name, at_s in log.known_s.items()]
        problems = found.problems
        problems += [f"executed {n} times" for n in self._venue.executed.values() if n > 1]
        problems += [f"killed: {cause.reason}" for cause in self._hop.safety.set]
        if self._hop.gate.under_way:
            problems.append("the gate still counts something")
        for name, intent in log.begun.items():
            fates = log.fates.get(name, [])
            if not fates:
                problems.append("left unknown")
                continue
            for fate in fates:
                found.fates[fate.outcome] = found.fates.get(fate.outcome, 0) + 1
                self._compare(intent, fate)
            said = {"never" if f.outcome == "never" else f"{f.reply}" for f in fates}
            if not set(self._told.get(name[1], ())) <= said:
                problems.append("a caller was told something else")

    def _compare(self, intent: Intent, fate: Settled) -> None:
        found = self.found
        done, problems = self._venue.done.get(intent.nonce), found.problems
        did = _kinds(done)
        if intent.kind == "cancelByCloid" and fate.reply is not None:
            self._compare_cancel(intent, _kinds(fate.reply))
        elif fate.outcome == "never":
            if any(kind != "error" for kind in did):
                problems.append("executed, believed not")
        elif fate.reply in (answers.err(LOST), answers.err(USED)):
            found.lost += intent.kind == "updateLeverage"
            if intent.kind != "updateLeverage":
                problems.append(f"{intent.kind}: nothing is known")
        elif fate.reply is None or fate.reply["status"] == "err":
            if done is not None:
                problems.append("executed, believed refused")
        elif done is None:
            problems.append("not executed, believed executed")
        elif did != _kinds(fate.reply):
            problems.append(f"{did} was believed to be {_kinds(fate.reply)}")

    def _compare_cancel(self, intent: Intent, believed: list[str]) -> None:
        """Where its answer was lost, a cancel is told by what became of the order."""
        (item,) = msgspec.json.decode(intent.payload)["action"]["cancels"]
        state = self._venue.orders[item["cloid"]]["status"]
        if believed == ["success"] and state != "canceled":
            self.found.problems.append(f"canceled, it was believed of one that is {state}")
        if believed == ["error"] and state == "open":
            self.found.problems.append("gone, it was believed of one that is open")


def _kinds(reply: Mapping[str, Any] | None) -> list[str]:
    """What became of each item of an action; of one without items, that it was done."""
    match reply:
        case None:
            return []
        case {"status": "err"}:
            return ["error"]
        case {"response": {"data": {"statuses": list(statuses)}}}:
            return [one if isinstance(one, str) else next(iter(one)) for one in statuses]
    return ["done"]


def msgspec_replace(hop: Hop, way: Way) -> Any:
    """The parts of a hop, with another way to the venue."""
    from dataclasses import replace

    return replace(hop.parts, upstream=way)


def new_nonce(last: LastHop, hop: Hop) -> None:
    """Signs anew what got no answer; a planted bug."""

    async def again(account: Any, intent: Intent) -> Mapping[str, Any]:
        del account
        sent = msgspec.json.decode(intent.payload)
        sent["nonce"] = hop.nonces.next(AGENT)
        return await hop.parts.upstream.exchange(msgspec.json.encode(sent))

    last._leaving.again = again  # type: ignore[method-assign]
    resolver = last._resolver
    resolver._may_go_again = lambda case: case.tries < 3  # type: ignore[method-assign]


def used_is_executed(last: LastHop, hop: Hop) -> None:
    """Takes a used nonce for the action's doing, though a noop may have used it; a planted bug."""
    del hop
    resolver = last._resolver
    noop = resolver._noop

    async def believing(account: Any, case: Any) -> Settled | None:
        settled = await noop(account, case)
        if settled is None and case.dead:
            done = {"status": "ok", "response": {"type": "default"}}
            name = {"trader_id": case.intent.trader_id, "key": case.intent.key}
            return Settled(**name, fingerprint="x", outcome="answered", reply=done)
        return settled

    resolver._noop = believing  # type: ignore[method-assign]


def not_found_is_never(last: LastHop, hop: Hop) -> None:
    """Takes what the venue does not know yet for what will never be; a planted bug."""
    del hop
    resolver = last._resolver
    judged = resolver._judged

    def hasty(account: Any, case: Any, seen: Any, *, ended: bool) -> Settled | None:
        if seen.absent:
            return resolver._never(account, case)
        return judged(account, case, seen, ended=ended)

    resolver._judged = hasty  # type: ignore[method-assign]


def forgotten_intents(last: LastHop, hop: Hop) -> None:
    """Loses open intents in a crash; a planted bug."""
    del last
    hop.log.open.clear()


def no_margin(last: LastHop, hop: Hop) -> None:
    """Believes in the end of an action long before it is there; a planted bug."""
    del hop
    resolver = last._resolver
    resolver._end_ms = lambda intent: (intent.expires_ms or 0) - 15_000.0  # type: ignore[method-assign]
