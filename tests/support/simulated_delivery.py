"""Order delivery in virtual time: the real rules of the client, the real keys of the venue.

Between them is a network that loses, repeats and delays, and a venue that answers errors for
minutes while it goes on executing. Nothing waits, so the real pauses and expiries are used.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.support.delivery_record import Belief, judge
from tests.support.virtual_time import VirtualClock, VirtualLoop, run_virtually
from tests.support.worlds import START_MS, open_memory_world, random_source

from strategy_agent.application.budget import RateBudget
from strategy_agent.application.delivery import OrderDelivery
from strategy_agent.application.ports import DurableIntent
from suite.contracts.venue import Action, ActionReply, PlaceOrder
from suite.errors import Conflict, UpstreamTimeout
from virtual_exchange.application.exchange.keys import RequestKeys
from virtual_exchange.application.latency_queue import Delivery, answered
from virtual_exchange.application.session import Session

EXPIRED = ActionReply(status="err", response="Action already expired")
TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What the network and the venue do.

    Attributes:
        lost, answer_lost, repeated: shares of requests, 0 to 1.
        crash: share of turns in which the client crashes.
        outage_s: how long an outage lasts, on average; one comes every `calm_s` on average.
        late_s: by how much a request of an outage may be executed later than it was refused.
    """

    lost: float = 0.08
    answer_lost: float = 0.08
    repeated: float = 0.08
    crash: float = 0.3
    outage_s: float = 20.0
    calm_s: float = 60.0
    late_s: float = 45.0


class MemoryIntents:
    """Intents on a disk that keeps what was synced when its process dies."""

    def __init__(self) -> None:
        self.generation = 1
        self.beliefs: dict[str, Belief] = {}
        self._open: dict[str, DurableIntent] = {}
        self._unsynced: list[DurableIntent] = []

    def begin(self, intent: DurableIntent) -> None:
        self._open[intent.key] = intent
        self.beliefs[intent.key] = Belief(intent, asyncio.get_running_loop().time())
        self._unsynced.clear()

    def settle(self, key: str, reply: ActionReply | None) -> None:
        belief = self.beliefs[key]
        belief.fates.append(reply)
        belief.known_s = belief.known_s or asyncio.get_running_loop().time() - belief.begun_s
        self._unsynced.append(self._open.pop(key))

    def holds(self, intent: DurableIntent) -> bool:
        return self._open.get(intent.key) == intent

    def open_intents(self) -> tuple[DurableIntent, ...]:
        return tuple(self._open.values())

    def reopen(self, chance: random.Random) -> None:
        """Begin the next life; notes of answers may have been lost."""
        self.generation += 1
        if chance.random() < 0.5:
            self._open.update((intent.key, intent) for intent in self._unsynced)
        self._unsynced.clear()


class NoLatch:
    engaged = False

    def engage(self, reason: str) -> None:
        raise AssertionError(reason)


class Way:
    """To the venue and back."""

    def __init__(
        self, session: Session, keys: RequestKeys, clock: VirtualClock, chance: random.Random
    ) -> None:
        self.weather = Weather()
        self.under_way: set[asyncio.Future[Any]] = set()
        self._session, self._keys, self._clock, self._chance = session, keys, clock, chance
        self._outage_until_s = 0.0
        self._calm_until_s = 30.0

    async def send(self, intent: DurableIntent) -> ActionReply:
        def act() -> Delivery[ActionReply]:
            if self._clock.now_ms() > intent.expires_ms:
                return answered(EXPIRED)
            return self._session.barrier.send(0, intent.action)

        def arrive() -> ActionReply:
            return self._keys.once(0, intent.key, b"x", act).delivery.answer

        answer: ActionReply = await self._carried(arrive)
        return answer

    async def resolve(self, intent: DurableIntent) -> ActionReply | None:
        def arrive() -> ActionReply | None:
            kept = self._keys.noop(0, intent.key)
            return kept.delivery.answer if kept.replayed else None

        answer: ActionReply | None = await self._carried(arrive)
        return answer

    async def _carried(self, arrive: Callable[[], Any]) -> Any:
        chance, weather = self._chance, self.weather
        if chance.random() < weather.repeated:
            self._later(arrive, 30 * chance.random())
        if self._in_outage():
            return await self._refused(arrive)
        if chance.random() < weather.lost:
            await asyncio.sleep(TIMEOUT_S * (chance.random() < 0.5))
            raise UpstreamTimeout("lost")
        await asyncio.sleep(chance.expovariate(1 / 0.05))
        try:
            answer = arrive()
        except Conflict as fault:
            raise UpstreamTimeout(str(fault)) from None
        if chance.random() < weather.answer_lost:
            await asyncio.sleep(TIMEOUT_S * (chance.random() < 0.5))
            raise UpstreamTimeout("answer lost")
        await asyncio.sleep(chance.expovariate(1 / 0.05))
        return answer

    async def _refused(self, arrive: Callable[[], Any]) -> Any:
        """Answer a 5xx; what was asked is done now, later, or never."""
        throw = self._chance.random()
        if throw < 0.4:
            self._later(arrive, self.weather.late_s * self._chance.random())
        elif throw < 0.7:
            with suppress(Conflict):
                arrive()
        await asyncio.sleep(0.01)
        raise UpstreamTimeout("503")

    def _later(self, arrive: Callable[[], Any], delay_s: float) -> None:
        async def bring() -> None:
            await asyncio.sleep(delay_s)
            with suppress(Conflict):
                arrive()

        task = asyncio.ensure_future(bring())
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)

    def _in_outage(self) -> bool:
        now_s = asyncio.get_running_loop().time()
        if not self.weather.outage_s:
            return False
        if now_s >= self._calm_until_s and now_s >= self._outage_until_s:
            self._outage_until_s = now_s + self._chance.expovariate(1 / self.weather.outage_s)
            calm_s = self._chance.expovariate(1 / self.weather.calm_s)
            self._calm_until_s = self._outage_until_s + calm_s
        return now_s < self._outage_until_s


@dataclass(slots=True)
class Simulated:
    """What came of one seed.

    Attributes:
        trace: of what was believed when, the same for the same seed.
        healed_s: virtual seconds after the last fault until every fate was known.
    """

    beliefs: dict[str, Belief] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    crashes: int = 0
    healed_s: float = 0.0
    trace: list[tuple[str, float]] = field(default_factory=list)


class NotFoundWay(Way):
    """Takes an order that the venue does not know for one that never will be; a planted fault."""

    async def resolve(self, intent: DurableIntent) -> ActionReply | None:
        await asyncio.sleep(0.1)
        book = self._session.world.books[0]
        known = isinstance(intent.action, PlaceOrder) and intent.action.cloid in book.latest
        return await super().resolve(intent) if known else None


def simulate(
    seed: int, intents: int, weather: Weather | None = None, *, way: type[Way] = Way
) -> Simulated:
    """Deliver so many intents in virtual time and compare; the same seed is the same run."""
    chance = random.Random(seed)
    loop = VirtualLoop(random.Random(f"{seed} order"))
    main = _run(loop, chance, intents, weather or Weather(), way)
    return run_virtually(main, loop)


async def _run(
    loop: VirtualLoop, chance: random.Random, intents: int, weather: Weather, kind: type[Way]
) -> Simulated:
    clock, found = VirtualClock(loop, START_MS), Simulated()
    session = open_memory_world(random_source("BTC", "ETH"))
    way = kind(session, RequestKeys(clock), clock, chance)
    way.weather = weather
    log, turn = MemoryIntents(), 0
    delivery = _delivery(way, log, clock, chance)
    while len(log.beliefs) < intents:
        turn += 1
        actions = [_action(chance) for _ in range(chance.randrange(1, 3))]
        acting = asyncio.ensure_future(
            delivery.carry_out(actions, turn=turn, decided_ms=clock.now_ms())
        )
        if chance.random() < weather.crash:
            await asyncio.wait([acting], timeout=chance.expovariate(1 / 0.3))
            acting.cancel()
            with suppress(asyncio.CancelledError):
                await acting
            await delivery.close()
            found.crashes += 1
            log.reopen(chance)
            delivery = _delivery(way, log, clock, chance)
        else:
            await acting
            await asyncio.sleep(chance.expovariate(1))
    way.weather = Weather(lost=0, answer_lost=0, repeated=0, outage_s=0)
    since_s = loop.time()
    await delivery.recover()
    while delivery.unknown and loop.time() < since_s + 3600:  # noqa: ASYNC110 - no time passes
        await asyncio.sleep(0.1)
    found.healed_s = loop.time() - since_s
    while way.under_way:
        await asyncio.wait(set(way.under_way))
    await delivery.close()
    rows = session.queries.accounts.orders.order_rows(0, None)
    held = {
        session.world.market.instruments[symbol].coin: session.world.market.instruments[
            symbol
        ].format_size(session.world.engine.position(0, symbol).size)
        for symbol in session.world.engine.held(0)
    }
    verdict = judge(log.beliefs, rows, held)
    found.beliefs = log.beliefs
    found.problems = [problem for told in verdict.problems.values() for problem in told]
    found.trace = [(key, belief.known_s) for key, belief in log.beliefs.items()]
    return found


def _delivery(
    way: Way, log: MemoryIntents, clock: VirtualClock, chance: random.Random
) -> OrderDelivery:
    return OrderDelivery(
        way,
        log,
        clock,
        trader_id="alice",
        latch=NoLatch(),
        budget=RateBudget(asyncio.get_running_loop().time),
        jitter=chance,
    )


def _action(chance: random.Random) -> Action:
    coin, is_buy = chance.choice(("BTC", "ETH")), chance.random() < 0.5
    size = Decimal("0.001" if coin == "BTC" else "0.02")
    return PlaceOrder(coin=coin, is_buy=is_buy, sz=size, reduce_only=chance.random() < 0.2)
