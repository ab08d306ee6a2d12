"""One account as the venue pushes it: state, fills, order updates, funding.

Nothing is polled: the venue's full-state channel (`webData2`) comes by itself, and whoever keeps a
picture of the account compares it with every push.

Source: venue documentation "WebSocket", read 2026-11.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from suite.clock import Clock
from suite.contracts import hyperliquid_ws as ws
from suite.service.feed import (
    PATIENCE,
    MalformedFrame,
    MinuteBudget,
    Patience,
    UnifiedWebSocketFeed,
)
from suite.service.feed_socket import FeedSocket
from suite.service.http import bearer

Channel = Literal["webData2", "userFills", "orderUpdates", "userFundings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountEvent:
    """One push about an account.

    Attributes:
        channel: what kind it is.
        data: as the venue sent it.
        snapshot: it repeats what was before the connection, and is not news.
    """

    channel: Channel
    data: Any
    snapshot: bool


class _State(msgspec.Struct):
    clearinghouseState: dict[str, Any]  # noqa: N815 - the wire's own names
    openOrders: list[dict[str, Any]]  # noqa: N815
    serverTime: int  # noqa: N815


class _Fills(msgspec.Struct):
    fills: list[dict[str, Any]]


class _Fundings(msgspec.Struct):
    fundings: list[dict[str, Any]]


_SHAPES: Final[dict[Channel, Any]] = {
    "webData2": _State,
    "userFills": _Fills,
    "orderUpdates": list[dict[str, Any]],
    "userFundings": _Fundings,
}


class _Envelope(msgspec.Struct):
    channel: str
    data: Any = None


class AccountStream:
    """One connection that is subscribed to one account.

    Args:
        url: of the venue's WebSocket.
        user: address of the account.
        heard: is called at every message, pongs included.
        token: bearer token, where the venue wants one.
    """

    def __init__(
        self, url: str, user: str, *, heard: Callable[[], None], token: str | None = None
    ) -> None:
        self._socket = FeedSocket(url, headers=bearer(token))
        self._user = user
        self._heard = heard

    async def open(self) -> None:
        """Connect and subscribe."""
        await self._socket.open()
        user = self._user
        for wanted in (
            ws.WebData2(user=user),
            ws.UserFills(user=user),
            ws.OrderUpdates(user=user),
            ws.UserFundings(user=user),
        ):
            await self._socket.send(ws.Subscribe(subscription=wanted))

    async def receive(self) -> Sequence[AccountEvent]:
        """Wait for the next message and read it."""
        data = await self._socket.receive()
        self._heard()
        try:
            message = msgspec.json.decode(data, type=_Envelope)
            shape = _SHAPES.get(message.channel)  # type: ignore[call-overload]
            if shape is None:
                return ()
            msgspec.convert(message.data, shape)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise MalformedFrame(str(error)) from None
        snapshot = isinstance(message.data, dict) and bool(message.data.get("isSnapshot"))
        event = AccountEvent(
            channel=message.channel,  # type: ignore[arg-type]
            data=message.data,
            snapshot=snapshot,
        )
        return (event,)

    async def ping(self) -> None:
        """Ask for a pong."""
        await self._socket.send(ws.Ping())

    async def close(self) -> None:
        """End it."""
        await self._socket.close()


class AccountFeed:
    """Keeps one account's stream alive.

    Args:
        url: of the venue's WebSocket, that of a world included: `ws://host:8100/w/abc/ws`.
        user: address of the account.
        callback: is told of every push, in order; returns at once.
        clock: of the process.
        chance: of the jitter of pauses.
        token: bearer token, where the venue wants one.
        budget: of connections, shared with other feeds of the process.
        patience: the limits.

    Attributes:
        last_message_ms: when anything came last, pongs included; 0 before. Older than 20 s means
            that the account is not known any more.
        live: a connection is open.
        feed: what keeps the connection; for metrics.
    """

    def __init__(
        self,
        url: str,
        user: str,
        callback: Callable[[AccountEvent], None],
        *,
        clock: Clock,
        chance: random.Random,
        token: str | None = None,
        budget: MinuteBudget | None = None,
        patience: Patience = PATIENCE,
    ) -> None:
        self.last_message_ms = 0
        self.live = False
        self._callback = callback
        self._clock = clock
        self.feed: UnifiedWebSocketFeed[AccountEvent] = UnifiedWebSocketFeed(
            f"account-{user[:10]}",
            lambda: AccountStream(url, user, heard=self._heard, token=token),
            self,
            budget=budget or MinuteBudget(),
            patience=patience,
            chance=chance,
            quiet=True,
        )

    async def run(self) -> None:
        """Connect and read until cancelled."""
        await self.feed.run()

    def connected(self) -> None:
        """Note that pushes come from now on, snapshots first."""
        self.live = True

    def received(self, events: Sequence[AccountEvent]) -> None:
        """Hand events on."""
        for event in events:
            self._callback(event)

    def flawed(self, reason: str) -> None:
        """The next full state makes up for what could not be read."""

    def lost(self, reason: str) -> None:
        """Note that nothing comes."""
        self.live = False

    def _heard(self) -> None:
        self.last_message_ms = self._clock.now_ms()
