"""Kills under load: traders that never stop asking, and a venue that notes what reaches it.

Every activation is a new one: many callers submit entries without a pause, somebody kills in one of
the ways there are, and whatever may add risk and reaches the venue after the kill was acknowledged
is a failure.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
from tests.support.live_parts import Hop, live_account, request

from hyperliquid_exchange.adapters.safety_files import (
    PreflightFile,
    SafetyFiles,
    place_sentinel,
    sentinel_path,
)
from hyperliquid_exchange.application.flattening import SafetyWork
from hyperliquid_exchange.application.last_hop import LastHop
from hyperliquid_exchange.application.leaving import Parts
from hyperliquid_exchange.application.operator_path import OperatorPath
from hyperliquid_exchange.application.safety import KillLadder
from hyperliquid_exchange.application.safety_control import SafetyControl
from hyperliquid_exchange.domain.clearing import Clearing, words_for
from hyperliquid_exchange.domain.facts import RestingOrder
from hyperliquid_exchange.domain.safety import EVERYBODY, Cause, Level
from suite.contracts.hyperliquid_exchange import Kind, LimitKind, Order, OrderItem
from suite.errors import SuiteError
from suite.fixed import Price, Size
from suite.ids import TraderId
from suite.instrument import Instrument

TRADERS: Final = (TraderId("alice"), TraderId("bob"), TraderId("carol"))
WAYS: Final = ("control", "engage", "file", "last_hop")
CALLERS: Final = 4


@dataclass
class Noted:
    """Passes requests on, and notes which of them may add risk."""

    inner: Any
    entries: int = 0
    exits: int = 0

    async def exchange(self, payload: bytes) -> Mapping[str, Any]:
        action = msgspec.json.decode(payload)["action"]
        if any(not one["r"] for one in action.get("orders", ())):
            self.entries += 1
        else:
            self.exits += 1
        reply: Mapping[str, Any] = await self.inner.exchange(payload)
        return reply

    async def info(self, body: bytes) -> tuple[int, bytes]:
        found: tuple[int, bytes] = await self.inner.info(body)
        return found


class EmptyDesk:
    """Says that nothing rests and nothing is held."""

    async def universe(self) -> tuple[Instrument, ...]:
        return ()

    async def orders(self, trader_id: TraderId) -> tuple[RestingOrder, ...]:
        del trader_id
        return ()

    async def positions(self, trader_id: TraderId) -> dict[int, Size]:
        del trader_id
        return {}

    async def mids(self) -> dict[int, Price]:
        return {}


class Losses:
    def forgive(self, scope: str) -> None:
        del scope

    def allow_executions(self, scope: str) -> None:
        del scope


@dataclass
class KillStorm:
    """A last hop under load, and its kill ladder on disk.

    Attributes:
        late: entries that reached the venue after a kill was acknowledged.
        seen: of activations by way; `before` counts entries that left in time, `passed` exits
            that passed a stop.
    """

    folder: Path
    seed: int
    late: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.random = random.Random(f"kill {self.seed}")
        self.parts = Hop()
        self.noted = Noted(self.parts.upstream)
        clock = self.parts.clock
        self.ladder = KillLadder(SafetyFiles(self.folder, clock), TRADERS, clock)
        parts = self.parts.parts
        self.hop = LastHop(
            Parts(
                upstream=self.noted,
                signer=parts.signer,
                ownership=parts.ownership,
                nonces=parts.nonces,
                log=parts.log,
                gate=parts.gate,
                safety=self.ladder,
                facts=parts.facts,
            ),
            clock=clock,
            jitter=self.random,
        )
        self.accounts = {name: live_account(name) for name in TRADERS}
        self.keys = 0
        work = SafetyWork(
            ladder=self.ladder,
            desk=EmptyDesk(),
            path=OperatorPath(self.hop, self.accounts, self._key),
            traders=TRADERS,
            clock=clock,
        )
        self.control = SafetyControl(
            ladder=self.ladder,
            work=work,
            preflight=PreflightFile(self.folder / "preflight.json"),
            losses=Losses(),
            traders=TRADERS,
            clock=clock,
            quiet=self.hop.quiet,
        )

    async def activations(self, count: int) -> None:
        """Kill so many times."""
        for number in range(count):
            await self._activation(WAYS[number % len(WAYS)])
        await self.control.close()
        await self.hop.close()

    def judge(self, count: int) -> None:
        """Make sure that nothing was late, and that there was something to stop and to let out."""
        assert self.late == 0
        assert self.seen["before"] > count
        assert self.seen["passed"] > 0
        assert {self.seen[way] for way in WAYS} == {count // len(WAYS)}

    async def _activation(self, way: str) -> None:
        before = self.noted.entries
        callers = [
            asyncio.create_task(self._call(name)) for name in TRADERS for _ in range(CALLERS)
        ]
        try:
            for _ in range(self.random.randrange(1, 60)):
                await asyncio.sleep(0)
            level = await self._kill(way)
            acknowledged = self.noted.entries
            self.seen["before"] += acknowledged - before
            for _ in range(120):
                await asyncio.sleep(0)
            self.late += self.noted.entries - acknowledged
            assert level is self.ladder.level(TRADERS[0])
        finally:
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)
        self.seen[way] += 1
        self._revive()

    async def _kill(self, way: str) -> Level:
        """Kill, and return when that is acknowledged."""
        level = self.random.choice((Level.PAUSED, Level.STOPPED, Level.KILLED))
        now_ms = self.parts.clock.now_ms()
        match way:
            case "control":
                done = await self.control.forbid(EVERYBODY, level, by="operator", reason="storm")
                assert done.is_quiet
            case "file":
                place_sentinel(self.folder, EVERYBODY, "storm")
                level = Level.KILLED
            case _:
                cause = Cause(scope=EVERYBODY, level=level, by=way, reason="storm", since_ms=now_ms)
                self.ladder.engage(cause)
        return level

    def _revive(self) -> None:
        sentinel_path(self.folder, EVERYBODY).unlink(missing_ok=True)
        now_ms = self.parts.clock.now_ms()
        (self.folder / "preflight.json").write_bytes(
            msgspec.json.encode({"green": True, "at_ms": now_ms})
        )
        self.ladder.clear(
            EVERYBODY,
            Clearing(
                by="person",
                is_person=True,
                may_end_kill=True,
                words=words_for(EVERYBODY),
                preflight="",
            ),
        )

    async def _call(self, name: TraderId) -> None:
        """Ask for entries, and now and then for an exit, for ever."""
        while True:
            is_exit = self.random.random() < 0.1
            item = OrderItem(
                a=0,
                b=True,
                p=f"{90_000 + self.keys}",
                s="0.001",
                r=is_exit,
                t=Kind(limit=LimitKind(tif="Gtc")),
                c=f"0x{self.keys:032x}",
            )
            with contextlib.suppress(SuiteError):
                told = await self.hop.submit(
                    self.accounts[name],
                    request(Order(orders=[item], grouping="na"), key=self._key()),
                )
                self.seen["passed"] += is_exit and told.reply.get("status") == "ok"
            await asyncio.sleep(0)

    def _key(self) -> str:
        self.keys += 1
        return f"storm-{self.keys}"
