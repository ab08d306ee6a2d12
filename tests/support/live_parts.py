"""The last hop with nothing real around it: a log, a signer, a gate in memory."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.live_model import ModelVenue, signed

from hyperliquid_exchange.application.last_hop import LastHop
from hyperliquid_exchange.application.leaving import Parts
from hyperliquid_exchange.application.requests import Request
from hyperliquid_exchange.domain.accounts import LiveAccount, TraderLimits
from hyperliquid_exchange.domain.actions import Allowed, may_add_risk
from hyperliquid_exchange.domain.facts import AccountFacts
from hyperliquid_exchange.domain.intents import Intent, Settled
from hyperliquid_exchange.domain.safety import Cause, Level, level_of
from hyperliquid_exchange.domain.verdicts import Verdict
from suite.clock import Clock, ManualClock
from suite.contracts import hyperliquid_exchange as wire
from suite.errors import NotOwner, StorageError, UpstreamTimeout
from suite.fixed import Price, Rate, Usd
from suite.ids import TraderId
from suite.instrument import Instrument, MarginTier

NOW_MS = 1_746_403_200_000
AGENT = "0x" + "a1" * 20
MASTER = "0x" + "b2" * 20
CLIENT = "0x" + "c3" * 20

LIMITS = TraderLimits(
    max_order_usd=Usd(10**12),
    max_position_usd=Usd(10**12),
    max_account_usd=Usd(10**12),
    max_leverage=20,
    max_open_orders=100,
    max_orders_per_s=1000,
    max_orders_per_minute=60_000,
    max_day_loss_usd=Usd(10**12),
    max_drawdown_usd=Usd(10**12),
    max_executions=10**9,
    price_collar=Rate(100_000_000),
    duplicate_s=0.0,
    facts_age_s=60.0,
)


def live_account(trader_id: str = "alice", **changes: Any) -> LiveAccount:
    fields: dict[str, Any] = {
        "trader_id": TraderId(trader_id),
        "address": MASTER,
        "master": MASTER,
        "signer": AGENT,
        "native": "resign",
        "client_signers": (CLIENT,),
        "symbols": ("BTC", "ETH"),
        "limits": LIMITS,
    }
    return LiveAccount(**fields | changes)


def universe() -> tuple[Instrument, ...]:
    tiers = (MarginTier(lower_bound_usd=Usd(0), max_leverage=20),)
    return (
        Instrument(coin="BTC", sz_decimals=5, tiers=tiers),
        Instrument(coin="ETH", sz_decimals=4, tiers=tiers),
    )


@dataclass
class MemoryUpstream:
    """A model of the venue behind a wire that a test may cut.

    Attributes:
        lost: the next requests that do not arrive.
        answers_lost: the next requests that arrive, and whose answer does not come back.
        held: while set, requests wait here before they arrive.
        info_down: reads fail.
        again_fails: bytes that came once are lost when they are sent again.
    """

    venue: ModelVenue
    clock: Clock
    lost: int = 0
    answers_lost: int = 0
    info_down: bool = False
    again_fails: bool = False
    asked: int = 0
    held: asyncio.Event | None = None

    async def exchange(self, payload: bytes) -> Mapping[str, Any]:
        if self.held is not None:
            await self.held.wait()
        await asyncio.sleep(0)
        if self.lost:
            self.lost -= 1
            raise UpstreamTimeout("lost")
        if self.again_fails and payload in self.venue.arrived:
            raise UpstreamTimeout("lost")
        reply = self.venue.arrive(payload, self.clock.now_ms())
        if self.answers_lost:
            self.answers_lost -= 1
            raise UpstreamTimeout("answer lost")
        return reply

    async def info(self, body: bytes) -> tuple[int, bytes]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.info_down:
            raise UpstreamTimeout("down")
        return self.venue.info(body)


class MemorySigner:
    def sign(
        self, trader_id: TraderId, action: wire.L1Action, *, nonce: int, expires_ms: int | None
    ) -> bytes:
        del trader_id
        return signed(action, nonce, expires_ms, AGENT)


@dataclass
class MemoryOwnership:
    gone: bool = False

    def check(self, signer: str) -> None:
        if self.gone:
            raise NotOwner(f"{signer} belongs to another process")


@dataclass
class MemoryNonces:
    clock: Clock
    last: dict[str, int] = field(default_factory=dict)

    def next(self, signer: str) -> int:
        self.last[signer] = max(self.clock.now_ms(), self.last.get(signer, 0) + 1)
        return self.last[signer]


@dataclass
class MemoryLog:
    """Intents on a disk that keeps what was synced when its process dies."""

    open: dict[tuple[str, str], Intent] = field(default_factory=dict)
    settled: dict[tuple[str, str], Settled] = field(default_factory=dict)
    noops: dict[tuple[str, str], int] = field(default_factory=dict)
    unsynced: list[tuple[str, str]] = field(default_factory=list)
    begun: dict[tuple[str, str], Intent] = field(default_factory=dict)
    broken: bool = False
    forgetful: bool = False
    noops_fail: bool = False
    full: bool = False
    gate: asyncio.Event | None = None

    async def begin(self, intent: Intent) -> None:
        await asyncio.sleep(0)
        if self.gate is not None:
            await self.gate.wait()
        if self.broken:
            raise StorageError("disk full")
        self.open[intent.trader_id, intent.key] = intent
        self.begun[intent.trader_id, intent.key] = intent
        self.unsynced.clear()

    async def count_noop(self, intent: Intent) -> int:
        await asyncio.sleep(0)
        if self.noops_fail:
            raise StorageError("disk full")
        name = (intent.trader_id, intent.key)
        before = self.noops.get(name, 0)
        self.noops[name] = before + 1
        return before

    async def settle(self, settled: Settled, *, durable: bool = False) -> None:
        name = (settled.trader_id, settled.key)
        self.open.pop(name, None)
        self.settled[name] = settled
        self.unsynced.append(name)
        if durable:
            self.unsynced.clear()
        await asyncio.sleep(0)

    def find(self, trader_id: str, key: str) -> Intent | Settled | None:
        return self.open.get((trader_id, key)) or self.settled.get((trader_id, key))

    def has_room(self, trader_id: str) -> bool:
        return not self.full

    def holds(self, intent: Intent) -> bool:
        return not self.forgetful and self.open.get((intent.trader_id, intent.key)) == intent

    def open_intents(self) -> Sequence[Intent]:
        return tuple(self.open.values())

    def reopen(self, chance: random.Random) -> None:
        """Begin the next life; notes that were not synced may have been lost."""
        if chance.random() < 0.5:
            for name in self.unsynced:
                self.settled.pop(name, None)
                if name in self.begun:
                    self.open[name] = self.begun[name]
        self.unsynced.clear()


@dataclass
class MemoryFacts:
    known: AccountFacts | None = None
    listed: tuple[Instrument, ...] = field(default_factory=universe)

    def facts(self, trader_id: TraderId) -> AccountFacts | None:
        del trader_id
        return self.known

    def universe(self) -> Sequence[Instrument]:
        return self.listed


def known_facts(**changes: Any) -> AccountFacts:
    instruments = universe()
    fields: dict[str, Any] = {
        "equity_usd": Usd(10_000 * 10**6),
        "positions": {},
        "orders": (),
        "mids": {
            0: instruments[0].parse_price("94000"),
            1: Price(instruments[1].parse_price("1800")),
        },
        "instruments": instruments,
        "age_s": 0.0,
        "trouble": (),
        "executions": 0,
        "net_deposits_usd": Usd(0),
        "state_age_s": 0.0,
    }
    return AccountFacts(**fields | changes)


@dataclass
class MemoryGate:
    refusal: str | None = None
    under_way: int = 0

    def judge(self, trader_id: TraderId, action: wire.L1Action) -> Verdict:
        del trader_id
        coins = ("BTC",)
        if self.refusal is None:
            self.under_way += 1
        adds = may_add_risk(action)  # type: ignore[arg-type]
        return Verdict(coins=coins, adds_risk=adds, refusal=self.refusal)

    def settled(self, trader_id: TraderId, verdict: Verdict) -> None:
        del trader_id, verdict
        self.under_way -= 1

    def restore(self, trader_id: TraderId, action: wire.L1Action) -> Verdict:
        return self.judge(trader_id, action)


@dataclass
class MemorySafety:
    set: list[Cause] = field(default_factory=list)

    def level(self, trader_id: TraderId) -> Level:
        return level_of(self.set, trader_id)

    def engage(self, cause: Cause) -> None:
        self.set.append(cause)

    def release(self, scope: TraderId | str, by: str) -> None:
        self.set = [one for one in self.set if (one.scope, one.by) != (scope, by)]

    @property
    def causes(self) -> Sequence[Cause]:
        return tuple(self.set)


@dataclass
class Hop:
    """A last hop, and all that is around it."""

    clock: Clock = field(default_factory=lambda: ManualClock(NOW_MS))
    venue: ModelVenue = field(default_factory=ModelVenue)
    log: MemoryLog = field(default_factory=MemoryLog)
    ownership: MemoryOwnership = field(default_factory=MemoryOwnership)
    gate: MemoryGate = field(default_factory=MemoryGate)
    safety: MemorySafety = field(default_factory=MemorySafety)
    facts: MemoryFacts = field(default_factory=lambda: MemoryFacts(known_facts()))

    def __post_init__(self) -> None:
        self.upstream = MemoryUpstream(self.venue, self.clock)
        self.nonces = MemoryNonces(self.clock)
        self.parts = Parts(
            upstream=self.upstream,
            signer=MemorySigner(),
            ownership=self.ownership,
            nonces=self.nonces,
            log=self.log,
            gate=self.gate,
            safety=self.safety,
            facts=self.facts,
        )

    def open(self, chance: random.Random | None = None) -> LastHop:
        return LastHop(self.parts, clock=self.clock, jitter=chance or random.Random(1))


def request(action: Allowed, key: str = "k1", **more: Any) -> Request:
    async def known() -> Allowed:
        return action

    return Request(key=key, fingerprint=f"{action}", action=known, **more)
