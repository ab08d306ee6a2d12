"""One account as the venue pushes it: state, fills, order updates, funding, and prices.

Nothing is polled: the venue's full-state channel (`webData2`) comes by itself. All channels share
one connection, with the prices first and the full state last, so that a state comes after what led
to it; the mids also show that a connection over which the account has nothing to tell is alive.

Source: venue documentation "WebSocket", read 2026-11.
"""

import random
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from strategy_agent.application.ports import AccountListener
from suite.account.events import AccountEvent
from suite.account.pushes import read_message
from suite.contracts import hyperliquid_ws as ws
from suite.service.feed import FeedTimeouts, MalformedFrame, MinuteBudget, UnifiedWebSocketFeed
from suite.service.feed_socket import FeedSocket
from suite.service.http import bearer

ACCOUNT_TIMEOUTS: Final = FeedTimeouts(ping_s=3.0, silence_s=15.0, open_s=15.0)
"""A dead connection is found, and replaced, before its account counts as stale after 20 s."""


class AccountStream:
    """One connection that is subscribed to one account.

    Args:
        url: of the venue's WebSocket.
        user: address of the account.
        coins: whose best prices are wanted.
        heard: is called at every message, pongs included.
        token: bearer token, where the venue wants one.
    """

    def __init__(
        self,
        url: str,
        user: str,
        *,
        coins: Sequence[str] = (),
        heard: Callable[[], None],
        token: str | None = None,
    ) -> None:
        self._socket = FeedSocket(url, headers=bearer(token))
        self._user = user
        self._coins = tuple(coins)
        self._heard = heard

    async def open(self) -> None:
        """Connect and subscribe."""
        await self._socket.open()
        for coin in self._coins:
            await self._socket.send(ws.Subscribe(subscription=ws.Bbo(coin=coin)))
        user = self._user
        for wanted in (
            ws.AllMids(),
            ws.UserFills(user=user),
            ws.OrderUpdates(user=user),
            ws.UserFundings(user=user),
            ws.UserLedger(user=user),
            ws.WebData2(user=user),
        ):
            await self._socket.send(ws.Subscribe(subscription=wanted))

    async def receive(self) -> Sequence[AccountEvent]:
        """Wait for the next message and read it."""
        data = await self._socket.receive()
        self._heard()
        try:
            return read_message(data)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise MalformedFrame(str(error)) from None

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
        coins: whose best prices are wanted.
        listener: is told of everything, in order.
        chance: of the jitter of pauses.
        token: bearer token, where the venue wants one.
        budget: of connections, shared with other feeds of the process.
        timeouts: the limits.

    Attributes:
        feed: what keeps the connection; for metrics.
    """

    def __init__(
        self,
        url: str,
        user: str,
        listener: AccountListener,
        *,
        coins: Sequence[str] = (),
        chance: random.Random,
        token: str | None = None,
        budget: MinuteBudget | None = None,
        timeouts: FeedTimeouts = ACCOUNT_TIMEOUTS,
    ) -> None:
        self.feed: UnifiedWebSocketFeed[AccountEvent] = UnifiedWebSocketFeed(
            f"account-{user[:10]}",
            lambda: AccountStream(url, user, coins=coins, heard=listener.heard, token=token),
            listener,
            budget=budget or MinuteBudget(),
            timeouts=timeouts,
            chance=chance,
            quiet=True,
        )

    async def run(self) -> None:
        """Connect and read until cancelled."""
        await self.feed.run()

    def reconnect(self, reason: str) -> None:
        """End the present connection and open another."""
        self.feed.reconnect(reason)


def ws_url(url: str) -> str:
    """Find a venue's WebSocket by the address of its REST."""
    return f"ws{url.removeprefix('http')}/ws"
