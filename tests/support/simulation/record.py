"""What the services wrote down about their intents, over all their lives."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import msgspec

from hyperliquid_exchange.adapters.intent_journal.journal import IntentJournal
from hyperliquid_exchange.domain.intents import Intent, Settled
from strategy_agent.adapters.intent_file import IntentFile
from strategy_agent.application.ports import DurableIntent
from suite.contracts import hyperliquid_exchange as wire
from suite.contracts.venue import ActionReply

_envelope = msgspec.json.Decoder(wire.Envelope)

Name = tuple[str, str]
"""A trader and a key."""


class Record:
    """Intents that were durable, and every fate that was noted of each.

    Attributes:
        agent, live: begun by agents, and by the proxy.
        payloads: what the proxy signed for each key: once, whatever its lives remember.
        agent_fates, live_fates: in order; None is "never executed".
        open_agent, open_live: that are open at present.
        known_s: until the first fate of each intent of the proxy.
        killed: scopes whose kill was acknowledged, and when, loop time.
        executed: how often each order came to the venue's book, by its bytes.
        placed: those of each cloid.
        loose: intents of exits that a full disk has not taken.
        sent: what left the proxy for the venue, and when.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.agent: dict[Name, DurableIntent] = {}
        self.live: dict[Name, Intent] = {}
        self.payloads: dict[Name, set[bytes]] = {}
        self.agent_fates: dict[Name, list[ActionReply | None]] = {}
        self.live_fates: dict[Name, list[Settled]] = {}
        self.open_agent: dict[Name, None] = {}
        self.open_live: dict[Name, None] = {}
        self.known_s: dict[Name, float] = {}
        self._began_s: dict[Name, float] = {}
        self.killed: list[tuple[str, float]] = []
        self.loose: set[Name] = set()
        self.sent: list[tuple[float, bytes]] = []
        self.executed: Counter[bytes] = Counter()
        self.placed: dict[str, set[bytes]] = {}
        self._owners: dict[bytes, str] = {}

    def left(self, source: str, target: str, path: str, body: bytes) -> None:
        """Take note of bytes that leave for the venue."""
        if (source, target, path) == ("proxy", "venue", "/exchange"):
            self.sent.append((self._loop.time(), body))

    def answered(
        self, source: str, target: str, path: str, body: bytes, status: int, answer: bytes
    ) -> None:
        """Take note of what the venue has done, whoever is told."""
        del source
        if (target, path, status) != ("venue", "/exchange", 200):
            return
        action = wire.decode_action(_envelope.decode(body).action)
        told = msgspec.json.decode(answer)
        if isinstance(action, wire.Order) and status_of(told) is not None:
            self.executed[body] += 1
            self.placed.setdefault(str(action.orders[0].c), set()).add(body)

    def owner_of(self, payload: bytes) -> str:
        """Whose an action is; empty for a noop, which is nobody's risk."""
        return self._owners.get(payload, "")

    def begun(self, intent: Intent) -> None:
        """Take note of an intent of the proxy."""
        name = (intent.trader_id, intent.key)
        self.live[name] = intent
        self.payloads.setdefault(name, set()).add(intent.payload)
        self._owners[intent.payload] = intent.trader_id
        self.open_live[name] = None
        self._began_s[name] = self._loop.time()

    def settled(self, settled: Settled) -> None:
        """Take note of a fate at the proxy."""
        name = (settled.trader_id, settled.key)
        self.live_fates.setdefault(name, []).append(settled)
        self.open_live.pop(name, None)
        if name in self._began_s:
            self.known_s.setdefault(name, self._loop.time() - self._began_s[name])


def status_of(reply: dict[str, Any] | None) -> Any:
    """What an answer says of its first order; None where nothing was done."""
    if reply is None or reply.get("status") == "err":
        return None
    match reply.get("response"):
        case {"data": {"statuses": [{"error": str()}, *_]}}:
            return None
        case {"data": {"statuses": [first, *_]}}:
            return first
    return "success"


@contextlib.contextmanager
def recording(record: Record) -> Iterator[None]:
    """Have the services' own files tell a record."""

    class Journal(IntentJournal):
        async def begin(self, intent: Intent) -> None:
            await super().begin(intent)
            record.begun(intent)
            if self.trouble:  # an exit leaves all the same, and may be forgotten
                record.loose.add((intent.trader_id, intent.key))

        async def settle(self, settled: Settled, *, durable: bool = False) -> None:
            record.settled(settled)
            await super().settle(settled, durable=durable)

    class Intents(IntentFile):
        def __init__(self, path: Any, **options: Any) -> None:
            self._trader = path.stem
            super().__init__(path, **options)

        def begin(self, intent: DurableIntent) -> None:
            super().begin(intent)
            record.agent[self._trader, intent.key] = intent
            record.open_agent[self._trader, intent.key] = None

        def settle(self, key: str, reply: ActionReply | None) -> None:
            record.agent_fates.setdefault((self._trader, key), []).append(reply)
            record.open_agent.pop((self._trader, key), None)
            super().settle(key, reply)

    with (
        patch("hyperliquid_exchange.bootstrap.IntentJournal", Journal),
        patch("strategy_agent.local.IntentFile", Intents),
    ):
        yield
