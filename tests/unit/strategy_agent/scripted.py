"""Parts of instances without wires: a fake venue each, memories and journals in lists."""

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from pydantic import SecretStr
from tests.support.account_wire import position, state
from tests.unit.strategy_core.fake_venue import META, FakeVenue, spec_of
from tests.unit.strategy_core.market import random_bars

from strategy_agent.application.alpha_loop import AlphaLoop
from strategy_agent.application.instance import StrategyInstance
from strategy_agent.application.parts import Parts, ProcessContext
from strategy_agent.application.ports import Kept
from strategy_agent.application.presence import Presence
from strategy_agent.application.status import Alert
from strategy_core.building import StrategyKind
from strategy_core.orders.memory import Child
from strategy_core.port import instruments_of
from strategy_core.risk.commands import Command
from strategy_core.snapshot import SnapshotSeries
from suite.account.events import FundingPayment, StatePush
from suite.clock import ManualClock
from suite.contracts.clock import ClockState, JoinRequest, WaitReply, WaitRequest
from suite.contracts.guards import GuardSummary
from suite.contracts.hyperliquid_info import OpenOrder, UserFill
from suite.contracts.trader import TraderSpec, near
from suite.contracts.venue import ActionReply, CancelOrder
from suite.errors import ConfigError, SuiteError, UpstreamUnavailable

COINS = ("BTC", "ETH")
DONE = ActionReply(status="ok", response={"type": "cancel", "data": {"statuses": ["success"]}})


class JournalList:
    def __init__(self) -> None:
        self.lines: list[tuple[str, Any]] = []
        self.fault: Exception | None = None

    def write(self, kind: str, record: object) -> None:
        if self.fault is not None:
            raise self.fault
        self.lines.append((kind, msgspec.to_builtins(record)))

    def decisions(self, limit: int, before: int | None = None) -> list[dict[str, Any]]:
        rows = [row for row in self.of("decision") if before is None or row["decision"] < before]
        return rows[: -limit - 1 : -1]

    def of(self, kind: str) -> list[Any]:
        return [record for name, record in self.lines if name == kind]

    def close(self) -> None:
        pass


class MemoryCell:
    def __init__(self) -> None:
        self.content = b""
        self.commands: tuple[Command, ...] = ()
        self.fault: Exception | None = None
        self.commands_fault: Exception | None = None

    def load_commands(self) -> tuple[Command, ...]:
        return self.commands

    def keep_commands(self, commands: Sequence[Command]) -> None:
        if self.commands_fault is not None:
            raise self.commands_fault
        self.commands = tuple(commands)

    def load(self) -> Kept | None:
        return msgspec.json.decode(self.content, type=Kept) if self.content else None

    def encode(self, kept: Kept) -> bytes:
        return msgspec.json.encode(kept)

    def write(self, content: bytes) -> None:
        if self.fault is not None:
            raise self.fault
        self.content = content

    def forget(self) -> None:
        self.content, self.commands = b"", ()


class ScriptedSteps:
    """Steps of one account; `sleeps`: it wakes only when it is asked to."""

    def __init__(self, venue: FakeVenue, *, sleeps: bool) -> None:
        self.venue = venue
        self.turns = 0
        self.asleep = False
        self.cancelled: list[CancelOrder] = []
        self.trouble: tuple[str, ...] = ()
        self.account_age_ms = self.market_age_ms = 0
        self.fault: Exception | None = None
        self._sleeps = sleeps
        self._woken = asyncio.Event()
        self._first = 0

    async def join(self, request: JoinRequest) -> WaitReply:
        await asyncio.sleep(0)
        self._first = 0
        return self.venue.join(request)

    async def wait(self, request: WaitRequest) -> WaitReply:
        if self.fault is not None:
            raise self.fault
        self.turns += 1
        at_once = request.until_ms is not None and request.until_ms <= self.venue.now_ms
        reply = self.venue.wait(request)
        self._woken.clear()
        self.asleep = True
        if self._sleeps and not at_once:
            await self._woken.wait()
        else:
            await asyncio.sleep(0)
        self.asleep = False
        return reply

    async def heartbeat(self) -> None:
        pass

    def wake(self) -> None:
        self._woken.set()

    async def fetch_account(self) -> StatePush:
        view = self.venue.join(JoinRequest()).account
        assert view is not None
        held = [position(one.coin, str(one.size)) for one in view.positions]
        told = state(*held, cash=str(view.equity))
        return StatePush(state=told, open_orders=view.open_orders, server_ms=0)

    async def fetch_fills(self, start_ms: int) -> tuple[UserFill, ...]:
        return ()

    async def fetch_ledger(self, start_ms: int) -> None:
        return None

    async def fetch_fundings(self, start_ms: int) -> tuple[FundingPayment, ...]:
        return ()

    async def cancel(self, actions: Sequence[CancelOrder]) -> tuple[ActionReply, ...]:
        self.cancelled += actions
        return tuple(DONE for _ in actions)

    async def snapshot(self, coin: str, at_ms: int | None) -> dict[str, Any]:
        return {"symbol": coin, "as_of_ms": at_ms, "funding": 1e-5}


class ScriptedVenue:
    """A venue of an account for each trader.

    Args:
        steps: of each world.
        sleeps: traders wake only when they are asked to.
        fails: traders that cannot connect, and why.
    """

    def __init__(
        self, *, steps: int = 10**9, sleeps: bool = False, fails: dict[str, str] | None = None
    ) -> None:
        self.fails = fails or {}
        self.refusal: SuiteError | None = None
        self.tokens: dict[str, str] = {}
        self.left: list[str] = []
        self.told: dict[str, GuardSummary] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.adopt: Callable[[], tuple[str, ...]] | None = None
        self.closed: list[str] = []
        self.plugins: dict[str, StrategyKind] = {}
        self.accounts: dict[str, ScriptedSteps] = {}
        self.journals: dict[str, JournalList] = {}
        self.memories: dict[str, MemoryCell] = {}
        self.mode: Any = "lockstep"
        self.url = "http://venue"
        self.world = ""
        self.presence = Presence(ManualClock(9))
        self._steps = steps
        self._sleeps = sleeps
        self.series = {c: SnapshotSeries(c, random_bars(3000, seed=i)) for i, c in enumerate(COINS)}

    def use_token(self, trader_id: str, token: SecretStr) -> None:
        self.tokens[trader_id] = token.get_secret_value()

    async def objections(self, spec: TraderSpec, token: str | None = None) -> list[str]:
        self.asked.append((spec.trader_id, token))
        if self.refusal is not None:
            raise self.refusal
        traded = instruments_of(META)
        return [
            f"symbols: the venue does not trade {coin}{near(coin, traded)}"
            for coin in spec.symbols
            if coin not in traded
        ]

    async def connect(self, spec: TraderSpec) -> Parts:
        name = spec.trader_id
        await asyncio.sleep(0)
        if self.refusal is not None:
            raise self.refusal
        if name in self.fails:
            raise UpstreamUnavailable(self.fails[name])
        if name not in self.accounts:
            venue = FakeVenue(steps=self._steps, series=self.series)
            self.accounts[name] = ScriptedSteps(venue, sleeps=self._sleeps)
        steps = self.accounts[name]
        if spec.strategy.kind.startswith("plugin:") and spec.strategy.kind not in self.plugins:
            raise ConfigError("no such plugin")

        async def close() -> None:
            self.closed.append(name)

        async def leave(guards: GuardSummary | None) -> None:
            if guards is None:
                self.left.append(name)
            else:
                self.told[name] = guards

        now_ms = steps.venue.now_ms
        return Parts(
            venue=self.url,
            clock=ClockState(mode=self.mode, now_ms=now_ms, speed=0.0, world=self.world),
            meta=META,
            steps=steps,
            account=steps,
            cancel=steps.cancel,
            market=steps,
            journal=self.journal(name),
            memory=self.memories.setdefault(name, MemoryCell()),
            plugins=self.plugins,
            close=close,
            leave=leave,
            adopt=self.adopt,
            presence=self.presence,
        )

    def journal(self, name: str) -> JournalList:
        return self.journals.setdefault(name, JournalList())

    def asleep(self, name: str) -> bool:
        return name in self.accounts and self.accounts[name].asleep

    def turns(self, name: str) -> int:
        return self.accounts[name].turns


def alpha_with(
    venue: ScriptedVenue,
    *names: str,
    kind: str = "flat",
    slow_s: float = 5.0,
    alerts: list[Alert] | None = None,
    retry_pauses_s: tuple[float, ...] = (),
    decided: int = 0,
    counts_from: int = 0,
) -> AlphaLoop:
    """Instances that are not started yet."""
    context = ProcessContext(
        connect=venue.connect,
        wall=ManualClock(7),
        seed=1,
        heartbeat_s=10.0,
        quick_s=5.0,
        slow_s=slow_s,
        retry_pauses_s=retry_pauses_s,
        objections=venue.objections,
        decided=decided,
        counts_from=counts_from,
    )
    heard = alerts if alerts is not None else []
    alpha = AlphaLoop(context, on_alert=heard.append)
    for name in names:
        alpha.add(spec_of(kind, trader_id=name))
    return alpha


def resting(
    venue: ScriptedVenue, of: StrategyInstance, *, oid: int, ours: bool = True, **more: Any
) -> None:
    """Let an order rest at the venue, and the trader know it where it is its own."""
    name = of.spec.trader_id
    cloid = f"0x{oid:032x}"
    order = OpenOrder(
        **{
            "coin": "BTC",
            "side": "B",
            "limitPx": "1",
            "sz": "1",
            "origSz": "1",
            "timestamp": 1,
            "oid": oid,
            "cloid": cloid,
            **more,
        }
    )
    venue.accounts[name].venue.open_orders.append(order)
    if ours:
        assert of.memory is not None
        child = Child(
            cloid=cloid, coin="BTC", is_buy=True, sz=Decimal(1), role="plain", decision=1, leg="0",
            px=Decimal(1), state="open",
        )  # fmt: skip
        of.memory.orders.children[cloid] = child
        of.memory.orders.give_oid(child, oid)
