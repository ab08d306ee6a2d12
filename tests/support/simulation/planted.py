"""Bugs over the whole suite, each of which its histories must find."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from unittest.mock import patch

import msgspec
from tests.support.simulation.machine import START_MS
from tests.support.simulation.manager import Machines, SimulatedRuntime

from hyperliquid_exchange.adapters.intent_journal.segments import Segments
from hyperliquid_exchange.adapters.nonce_file import NonceFiles
from hyperliquid_exchange.adapters.safety_files import SafetyFiles
from strategy_agent.application.account_keeper import AccountKeeper
from strategy_agent.application.delivery import OrderDelivery
from suite.account.events import FillsPush

if TYPE_CHECKING:
    from tests.support.simulation.world import World

_KILLED_S: Final = 20.0


@contextmanager
def kill_forgotten_at_restart(world: "World") -> Iterator[None]:
    """What is forbidden is in the memory of the proxy alone, which dies after a kill."""
    world.loop.after(_KILLED_S, lambda: world.soon(_killed_and_restarted(world)))
    with (
        patch.object(SafetyFiles, "load", lambda _self: ()),
        patch.object(SafetyFiles, "changed", lambda _self: False),
    ):
        yield


async def _killed_and_restarted(world: "World") -> None:
    from tests.support.simulation import faults

    for name in world.names:
        await faults.forbid(world, name)
    world.kill("proxy")


@contextmanager
def second_process(_: "World") -> Iterator[None]:
    """A manager does not see what an earlier one has started."""
    make, look = SimulatedRuntime.__init__, SimulatedRuntime.look_all

    def init(self: Any, machines: Machines) -> None:
        make(self, machines)
        self.mine = set[str]()

    async def start(self: Any, launch: Any) -> None:
        self.mine.add(launch.trader_id)
        self._machines.begin(launch)

    async def look_all(self: Any) -> Mapping[str, Any]:
        found = await look(self)
        return {name: seen for name, seen in found.items() if name in self.mine}

    with (
        patch.object(SimulatedRuntime, "__init__", init),
        patch.object(SimulatedRuntime, "start", start),
        patch.object(SimulatedRuntime, "look_all", look_all),
    ):
        yield


@contextmanager
def nonces_begin_anew(_: "World") -> Iterator[None]:
    """Nonces are counted, from the same number in each life."""
    with (
        patch.object(NonceFiles, "_now_ms", lambda _self: 0),
        patch.object(NonceFiles, "open", _counted),
    ):
        yield


def _counted(files: Any, signer: str) -> None:
    from hyperliquid_exchange.adapters.nonce_file import _Sequence

    files._sequences[signer] = _Sequence(last=START_MS, mark=0)


@contextmanager
def sent_again_under_another_key(_: "World") -> Iterator[None]:
    """An agent takes an order without an answer for a new one."""
    send = OrderDelivery._send

    async def again(self: Any, intent: Any) -> Any:
        if intent.key in self._sent and hasattr(intent.action, "cloid"):
            key = f"{int(intent.key, 16) ^ 1:032x}"
            action = msgspec.structs.replace(intent.action, cloid=f"0x{key}")
            other = msgspec.structs.replace(intent, key=key, action=action)
            return await self._gateway.send(other)
        return await send(self, intent)

    with patch.object(OrderDelivery, "_send", again):
        yield


@contextmanager
def intents_not_synced(_: "World") -> Iterator[None]:
    """What is about to leave is written, and in no hurry."""
    append = Segments.append

    def lazily(self: Any, contents: list[bytes], *, sync: bool) -> None:
        del sync
        append(self, contents, sync=False)

    with patch.object(Segments, "append", lazily):
        yield


@contextmanager
def read_and_not_synced(_: "World") -> Iterator[None]:
    """A journal goes on from what its killed process has left, wherever that is."""
    with patch.object(Segments, "_sync", lambda _self, _path: None):
        yield


@contextmanager
def fills_missed_while_away(_: "World") -> Iterator[None]:
    """An agent that connects again does not ask what happened meanwhile."""
    received = AccountKeeper.received

    def deaf(self: Any, events: Any) -> None:
        late = self._connection > 1
        received(
            self, [e for e in events if not (late and isinstance(e, FillsPush) and e.snapshot)]
        )

    async def nothing(self: Any, start_ms: int) -> tuple[Any, ...]:
        del self, start_ms
        return ()

    with (
        patch.object(AccountKeeper, "received", deaf),
        patch("strategy_agent.adapters.venue_orders.VenueOrders.fetch_fills", nothing),
    ):
        yield


@contextmanager
def earlier_intents_left_alone(_: "World") -> Iterator[None]:
    """An agent asks for the fates of an earlier life with its next order, which never comes."""
    with patch.object(OrderDelivery, "ask_for_earlier", lambda _self: None):
        yield


Planted: TypeAlias = Callable[["World"], contextlib.AbstractContextManager[Any]]
PLANTED: Final[Mapping[Planted, tuple[str, str, int]]] = {
    kill_forgotten_at_restart: ("a kill is forgotten at a restart", "risk left after the kill", 1),
    second_process: ("a manager starts a second process beside the first", "two processes of", 0),
    nonces_begin_anew: ("nonces begin anew at a restart", "twice", 0),
    sent_again_under_another_key: (
        "an unknown order is sent again under another id",
        "was decided by nobody",
        0,
    ),
    intents_not_synced: ("intents are not synced before they leave", "executed, believed", 6),
    read_and_not_synced: ("what was read of a journal is not synced", "the proxy does not run", 22),
    fills_missed_while_away: ("fills are missed after a reconnect", "its account", 2),
    earlier_intents_left_alone: ("intents of an earlier life are left alone", "unknown at", 0),
}
"""Each with its name in `planted.yaml`, what the histories say of it, and a seed that found it."""
