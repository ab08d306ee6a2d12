"""Orders of many traders through the proxy, a faulty network behind it, and kills of the proxy.

The clients are the agents' own delivery, in front of the proxy; the faults are between the proxy
and the venue; the judge asks the venue itself. Nothing in between is believed.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
from tests.support.delivery_record import judge
from tests.support.delivery_runs import Client, Outcome, healed, outages, record_of
from tests.support.http_faults import FAULTS, HttpFaults, Request, http_faults
from tests.support.live_stack import LiveStack, LiveTrader, running_stack, wallet
from tests.support.venue_process import VenueUnderTest, running_venue

from strategy_agent.application.delivery import Counts

UNDETECTABLE: Final = frozenset({"answer of another request"})
"""A whole, wellformed answer that is another action's: the venue's native protocol names no request
in its answers, and over TLS no network can do it. Between agent and proxy, where answers repeat
their key, it is one of the faults (`tests/e2e/test_delivery_faults.py`)."""
LIVE_FAULTS: Final = tuple(name for name in FAULTS if name not in UNDETECTABLE)
HEALED_S: Final = 60.0
MINUTES: Final = 80_000
"""Of the world: longer than the longest run may take, for trading is halted at its end."""


@dataclass(slots=True)
class LiveOutcome(Outcome):
    """What came of a run through the proxy.

    Attributes:
        kills: of the proxy.
        open_after: intents that the proxy still had open at the end.
        settings: of the run.
    """

    kills: int = 0
    open_after: int = 0
    settings: dict[str, float] = field(default_factory=dict)


def venue_world(folder: Path, names: tuple[str, ...]) -> Path:
    """Write a world whose accounts are the masters, by the names of the traders."""
    accounts = [
        {"id": name, "address": wallet(f"master of {name}").address.lower(),
         "initial_balance": 1_000_000}
        for name in names
    ]  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "world.json"
    path.write_text(json.dumps({"accounts": accounts}))
    return path


def cloid_of(request: Request) -> str:
    """The client id of a signed order or cancel; empty where it names none."""
    match json.loads(request.body).get("action"):
        case {"orders": [{"c": str(cloid)}, *_]} | {"cancels": [{"cloid": str(cloid)}, *_]}:
            return cloid
    return ""


@asynccontextmanager
async def faulty_stack(
    folder: Path,
    names: tuple[str, ...],
    shares: Mapping[str, float],
    *,
    seed: int,
    late_s: float,
) -> AsyncIterator[tuple[VenueUnderTest, HttpFaults, LiveStack]]:
    """Run venue, faults and proxy."""
    world = venue_world(folder, names)
    options = ("--signatures", "mainnet", "--world", str(world), "--option", "latency=60000")
    (folder / "venue").mkdir()
    with running_venue(folder / "venue", *options, minutes=MINUTES) as venue:
        async with http_faults(
            venue.url, {}, seed=seed, late_s=late_s, hold_s=1.5, name_of=cloid_of
        ) as faults:
            traders = [LiveTrader(name) for name in names]
            with running_stack(
                folder, *traders, venue=venue, upstream_url=faults.url, starts=False
            ) as stack:
                await asyncio.to_thread(stack.start)
                faults.shares = dict(shares)
                yield venue, faults, stack


async def deliver_live(
    folder: Path,
    *,
    names: tuple[str, ...],
    intents: int,
    seed: int = 1,
    fault_share: float = 0.3,
    kill_every_s: float = 0.0,
    crash_share: float = 0.02,
    late_s: float = 4.0,
) -> LiveOutcome:
    """Trade through the proxy, heal the network, and compare with the venue.

    Args:
        folder: of everything.
        names: of the traders, one client each.
        intents: of all of them together.
        seed: of chance.
        fault_share: of requests between proxy and venue to which something is done.
        kill_every_s: about how often the proxy is killed and started again; 0 is never.
        crash_share: of turns in which a client crashes.
        late_s: by how much a request may come later than its sender was told that it failed.
    """
    chance, outcome = random.Random(seed), LiveOutcome()
    shares = dict.fromkeys(LIVE_FAULTS, fault_share / len(LIVE_FAULTS))
    async with faulty_stack(folder, names, shares, seed=seed, late_s=late_s) as found:
        venue, faults, stack = found
        clients = [
            Client(
                name,
                stack.token(name),
                stack.url,
                folder,
                chance=random.Random(f"{seed} {name}"),
            )
            for name in names
        ]
        each = -(-intents // len(clients))
        trouble = [
            asyncio.ensure_future(outages(faults, chance)),
            asyncio.ensure_future(_allow_again(stack)),
        ]
        killer = asyncio.ensure_future(_kill_now_and_then(stack, outcome, chance, kill_every_s))
        try:
            await asyncio.gather(*(client.run(each, crash_share) for client in clients))
        finally:
            killer.cancel()
            trouble[0].cancel()
            with suppress(asyncio.CancelledError):
                await killer
        faults.heal()
        recovering = [asyncio.ensure_future(client.delivery.recover()) for client in clients]
        outcome.healed_s, outcome.left_unknown = await healed(clients, HEALED_S)
        await faults.settle()
        outcome.open_after = await _open_at_proxy(stack)
        trouble[1].cancel()
        for client, recovery in zip(clients, recovering, strict=True):
            recovery.cancel()
            await client.stop()
            outcome.beliefs[client.name] = client.beliefs
            outcome.crashes += client.crashes
            for name in Counts.__dataclass_fields__:
                total = getattr(outcome.counts, name) + getattr(client.counts, name)
                setattr(outcome.counts, name, total)
            rows, positions = await record_of(venue, client.name)
            outcome.verdicts[client.name] = judge(
                client.beliefs, rows, positions, others_cancel=True
            )
        keys = {
            str(getattr(belief.intent.action, "cloid", None)): key
            for beliefs in outcome.beliefs.values()
            for key, belief in beliefs.items()
        }
        outcome.done = dict(faults.done)
        outcome.hit = {
            name: {keys[cloid] for cloid in hit & keys.keys()} for name, hit in faults.hit.items()
        }
    return outcome


async def _allow_again(stack: LiveStack) -> None:
    """Be the operator who, while answers are lost, allows new risk again and again."""
    async with httpx.AsyncClient(timeout=2.0) as client:
        while True:
            await asyncio.sleep(0.2)
            with suppress(httpx.HTTPError, OSError):
                await client.post(
                    f"{stack.url}/safety/resume", json={}, headers=stack.headers("risk-resume")
                )


async def _kill_now_and_then(
    stack: LiveStack, outcome: LiveOutcome, chance: random.Random, every_s: float
) -> None:
    while every_s:
        await asyncio.sleep(every_s * (0.5 + chance.random()))
        # a kill that has begun is finished, so that the proxy runs at the end
        await asyncio.shield(asyncio.to_thread(_kill_and_start, stack))
        outcome.kills += 1


def _kill_and_start(stack: LiveStack) -> None:
    stack.kill()
    stack.start()


async def _open_at_proxy(stack: LiveStack) -> int:
    """Wait until the proxy knows every fate; how many it does not know after all."""
    loop = asyncio.get_running_loop()
    end, left = loop.time() + HEALED_S, -1
    async with httpx.AsyncClient(timeout=5.0) as client:
        while left and loop.time() < end:
            left = (await client.get(f"{stack.url}/health")).json()["unknown"]
            await asyncio.sleep(0.1)
    return left
