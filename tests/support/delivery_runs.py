"""Clients that send orders through a proxy full of faults, and crash now and then."""

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from tests.support.delivery_record import Belief, RecordedIntents, Verdict, judge
from tests.support.http_faults import FAULTS, HttpFaults, http_faults
from tests.support.venue_calls import venue_calls
from tests.support.venue_process import VenueUnderTest

from strategy_agent.adapters.kill_latch import KillLatch
from strategy_agent.adapters.venue_orders import VenueOrders
from strategy_agent.application.budget import RateBudget
from strategy_agent.application.delivery import Counts, DeliveryTimeouts, OrderDelivery
from strategy_agent.application.ports import OrderGateway
from suite.contracts.venue import Action, CancelOrder, PlaceOrder, SetLeverage
from suite.service.clock import SystemClock

SIZES = {"BTC": "0.001", "ETH": "0.02", "SOL": "0.2"}
LIMITS = {"BTC": "47000", "ETH": "900", "SOL": "70"}
TIMEOUTS = DeliveryTimeouts(
    expires_ms=2_500,
    entry_wanted_ms=500,
    exit_wanted_ms=1_500,
    turn_s=1.0,
    first_pause_s=0.02,
    longest_pause_s=0.5,
)
TIMEOUT_S = 0.6
HEALED_S = 30.0
"""How long the end is waited for at most once the network is healed."""

MakeGateway = Callable[[VenueOrders], OrderGateway]


@dataclass(slots=True)
class Outcome:
    """What came of a run.

    Attributes:
        verdicts: by account.
        healed_s: how long after the network was healed the last fate was known.
        requests: of the agents, by reason.
    """

    verdicts: dict[str, Verdict] = field(default_factory=dict)
    beliefs: dict[str, dict[str, Belief]] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    crashes: int = 0
    healed_s: float = 0.0
    left_unknown: int = 0
    done: dict[str, int] = field(default_factory=dict)
    hit: dict[str, set[str]] = field(default_factory=dict)

    @property
    def intents(self) -> int:
        return sum(map(len, self.beliefs.values()))

    @property
    def problems(self) -> list[str]:
        """Every problem of every intent."""
        return [p for v in self.verdicts.values() for found in v.problems.values() for p in found]

    def known_s(self, share: float) -> float:
        """Seconds within which a share of the fates was known."""
        times = sorted(b.known_s for found in self.beliefs.values() for b in found.values())
        return times[min(len(times) - 1, int(share * len(times)))]


class Client:
    """One account's orders, over several lives of its process.

    Args:
        name: of the account.
        token: of it.
        url: where it sends.
        folder: of its files.
        chance: of everything it does.
        gateway: what is put between delivery and venue; a planted fault.
        forgets: a crash takes the intents along; a planted fault.
    """

    def __init__(
        self,
        name: str,
        token: str,
        url: str,
        folder: Path,
        *,
        chance: random.Random,
        gateway: MakeGateway = lambda orders: orders,
        forgets: bool = False,
    ) -> None:
        self.name = name
        self._forgets = forgets
        self.beliefs: dict[str, Belief] = {}
        self.crashes = 0
        self.counts = Counts()
        self._token, self._url, self._folder = token, url, folder
        self._chance = chance
        self._make_gateway = gateway
        self._turn = 0
        self._start()

    def _start(self) -> None:
        self._log = RecordedIntents(self._folder / f"{self.name}.intents", self.beliefs)
        self._orders = VenueOrders(venue_calls(self._url, self._token, timeout_s=TIMEOUT_S))
        self.delivery = OrderDelivery(
            self._make_gateway(self._orders),
            self._log,
            SystemClock(),
            trader_id=self.name,
            latch=KillLatch(self._folder / f"{self.name}.kill"),
            budget=RateBudget(asyncio.get_running_loop().time, per_minute=10**6, reserve=1),
            jitter=self._chance,
            timeouts=TIMEOUTS,
        )

    async def stop(self) -> None:
        """End as a process does: nothing is waited for."""
        await self.delivery.close()
        self._log.close()
        await self._orders.close()
        for name in Counts.__dataclass_fields__:
            more = getattr(self.delivery.counts, name)
            setattr(self.counts, name, getattr(self.counts, name) + more)

    async def restart(self) -> None:
        """Crash, and begin again from the file."""
        await self.stop()
        self.crashes += 1
        if self._forgets:
            (self._folder / f"{self.name}.intents").unlink()
        self._start()

    async def run(self, intents: int, crash_share: float) -> None:
        """Trade until so many intents were begun."""
        while len(self.beliefs) < intents:
            self._turn += 1
            acting = asyncio.ensure_future(
                self.delivery.carry_out(self._actions(), turn=self._turn, decided_ms=self._turn)
            )
            if self._chance.random() < crash_share:
                await asyncio.wait([acting], timeout=0.4 * self._chance.random())
                acting.cancel()
                with suppress(asyncio.CancelledError):
                    await acting
                await self.restart()
            else:
                await acting

    def _actions(self) -> list[Action]:
        count = self._chance.choices((1, 2, 3), (6, 3, 1))[0]
        return [self._action() for _ in range(count)]

    def _action(self) -> Action:
        chance, coin = self._chance, self._chance.choice(list(SIZES))
        size, is_buy = Decimal(SIZES[coin]), self._chance.random() < 0.5
        throw = chance.random()
        if throw < 0.5:
            return PlaceOrder(coin=coin, is_buy=is_buy, sz=size)
        if throw < 0.7:
            return PlaceOrder(coin=coin, is_buy=True, sz=size, limit_px=Decimal(LIMITS[coin]))
        if throw < 0.85:
            resting = [
                b.intent.action for b in self.beliefs.values()
                if isinstance(b.status, dict) and "resting" in b.status
            ][-40:]  # fmt: skip
            if resting:
                chosen = chance.choice(resting)
                assert isinstance(chosen, PlaceOrder)
                return CancelOrder(coin=chosen.coin, cloid=chosen.cloid)
        if throw < 0.97:
            return PlaceOrder(coin=coin, is_buy=is_buy, sz=size, reduce_only=True)
        return SetLeverage(coin=coin, leverage=chance.randrange(2, 10))


async def deliver(
    venue: VenueUnderTest,
    folder: Path,
    *,
    accounts: tuple[str, ...],
    intents: int,
    seed: int = 1,
    fault_share: float = 0.3,
    crash_share: float = 0.04,
    late_s: float = 6.0,
    shares: Mapping[str, float] | None = None,
    **planted: Any,
) -> Outcome:
    """Send orders through faults, heal, and compare.

    Args:
        venue: with an account of each name.
        folder: of the clients' files.
        accounts: one client each.
        intents: of all of them together.
        seed: of chance.
        fault_share: of requests to which something is done; each kind equally often.
        crash_share: of turns in which the client crashes.
        late_s: by how much a request may come later than its sender was told that it failed.
        shares: of single faults, instead of all of them.
        planted: faults of the clients, see `Client`.
    """
    chance, outcome = random.Random(seed), Outcome()
    even = dict.fromkeys(FAULTS, fault_share / len(FAULTS))
    async with http_faults(
        venue.url, even if shares is None else shares, seed=seed, late_s=late_s, hold_s=1.5
    ) as proxy:
        clients = [
            Client(
                name,
                venue.token(name),
                proxy.url,
                folder,
                chance=random.Random(f"{seed} {name}"),
                **planted,
            )
            for name in accounts
        ]
        each = -(-intents // len(clients))
        trouble = asyncio.ensure_future(outages(proxy, chance))
        await asyncio.gather(*(client.run(each, crash_share) for client in clients))
        trouble.cancel()
        proxy.heal()
        recovering = [asyncio.ensure_future(client.delivery.recover()) for client in clients]
        outcome.healed_s, outcome.left_unknown = await healed(clients)
        await proxy.settle()
        for client, recovery in zip(clients, recovering, strict=True):
            recovery.cancel()
            await client.stop()
            outcome.beliefs[client.name] = client.beliefs
            outcome.crashes += client.crashes
            for name in Counts.__dataclass_fields__:
                total = getattr(outcome.counts, name) + getattr(client.counts, name)
                setattr(outcome.counts, name, total)
            rows, positions = await record_of(venue, client.name)
            outcome.verdicts[client.name] = judge(client.beliefs, rows, positions)
        outcome.done, outcome.hit = dict(proxy.done), proxy.hit
    return outcome


async def outages(proxy: HttpFaults, chance: random.Random) -> None:
    """Now and then nothing works for a while; some of it is executed nevertheless."""
    while proxy.shares:
        await asyncio.sleep(4 + 4 * chance.random())
        proxy.outage = True
        await asyncio.sleep(1.5 * chance.random())
        proxy.outage = False


async def healed(clients: list[Client], limit_s: float = HEALED_S) -> tuple[float, int]:
    """Wait until every fate is known; say how long it took, and how many are not after all."""
    loop = asyncio.get_running_loop()
    since = loop.time()
    while loop.time() - since < limit_s:
        left = sum(len(client.delivery.unknown) for client in clients)
        if not left:
            break
        await asyncio.sleep(0.02)
    return loop.time() - since, sum(len(client.delivery.unknown) for client in clients)


async def record_of(
    venue: VenueUnderTest, name: str
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Ask the venue itself for all orders and positions of an account."""
    headers = {"authorization": f"Bearer {venue.token(name)}"}
    rows: list[dict[str, Any]] = []
    async with httpx.AsyncClient(base_url=venue.url, headers=headers, timeout=30) as client:
        before = ""
        while True:
            page = (await client.get(f"/exchange/orders{before}")).json()
            rows += page
            if len(page) < 2000:
                break
            before = f"?before_oid={page[-1]['oid']}"
        state = (await client.post("/info", json={"type": "clearinghouseState"})).json()
    held = (row["position"] for row in state["assetPositions"])
    return rows, {position["coin"]: position["szi"] for position in held}


def fault_table(outcome: Outcome) -> str:
    """For people: each fault, how often, and what came of the intents that it hit."""
    lines = [
        "| fault | requests | intents | executed | refused | never | wrong |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    outcomes = {k: o for v in outcome.verdicts.values() for k, o in v.outcome.items()}
    wrong = {k for v in outcome.verdicts.values() for k in v.problems}
    for name in (*FAULTS, "none of them"):
        keys = outcome.hit.get(name, set()) & outcomes.keys()
        if name == "none of them":
            keys = outcomes.keys() - set().union(*outcome.hit.values())
        told = [
            sum(outcomes[key] == kind for key in keys) for kind in ("executed", "refused", "never")
        ]
        row = (name, outcome.done.get(name, "-"), len(keys), *told, len(keys & wrong))
        lines.append("| " + " | ".join(map(str, row)) + " |")
    counts = outcome.counts
    lines.append(
        f"\n{outcome.intents} intents, {counts.sent} sent, {counts.sent_again} times again, "
        f"{counts.asked} keys ended or asked for, {outcome.crashes} crashes; problems: "
        f"{len(outcome.problems)}; fate known after p50 {outcome.known_s(0.5):.2f} s, "
        f"p90 {outcome.known_s(0.9):.2f} s, max {outcome.known_s(1):.1f} s; unknown "
        f"{outcome.healed_s:.2f} s after the network was healed: {outcome.left_unknown}"
    )
    return "\n".join(lines)
