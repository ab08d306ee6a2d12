"""Every channel of the WebSocket: which subscription makes it.

What a channel shares with `/info` is asked of the same reads, so that both always agree.

Source: venue documentation "Subscriptions", captures of its clients, read 2026-11.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from suite.contracts import hyperliquid_ws as ws
from virtual_exchange.application.info.queries import Queries
from virtual_exchange.application.stream.accounts import AccountStates
from virtual_exchange.application.stream.feeds import Feed
from virtual_exchange.application.stream.logs import AccountLogs
from virtual_exchange.application.stream.market import MarketStreams
from virtual_exchange.application.stream.reads import asker
from virtual_exchange.application.world import World

_encode = msgspec.json.Encoder().encode
RANKS: Final = 3
"""Fills are sent first, then the updates of orders, then all else."""
_FILLS, _UPDATES, _ELSE = range(RANKS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """What a subscription asks for.

    Attributes:
        key: the same for all that ask for the same.
        rank: those of a lower one are sent first.
        user: address of the account it concerns, empty where it is the market.
        feed: makes what it sends.
    """

    key: str
    rank: int
    user: str
    feed: Callable[[], Feed]


class Channels:
    """The channels of one world."""

    def __init__(self, world: World, queries: Queries) -> None:
        ask = asker(queries)
        self._market = MarketStreams(world, queries.market, ask)
        self._logs = AccountLogs(world, queries.accounts, ask)
        self._states = AccountStates(world, ask)

    def of(self, wanted: ws.Named) -> Channel | None:
        """Find what a subscription asks for, None where there is nothing such here."""
        if getattr(wanted, "dex", None):
            return None  # only the main one exists
        wanted = _canonical(wanted)
        if isinstance(wanted, ws.OfUser):
            user, make = wanted.user, self._logs.maker(wanted) or self._states.maker(wanted)
        else:
            user, make = "", self._market.maker(wanted)
        if make is None:
            return None
        return Channel(key=_encode(wanted).decode(), rank=_rank(wanted), user=user, feed=make)


def _rank(wanted: ws.Named) -> int:
    match wanted:
        case ws.UserFills() | ws.UserEvents():
            return _FILLS
        case ws.OrderUpdates() | ws.UserHistoricalOrders():
            return _UPDATES
    return _ELSE


def _canonical(wanted: ws.Named) -> ws.Named:
    """Write what asks for the same in the same way."""
    match wanted:
        case ws.UserEventsAlias():
            return ws.UserEvents(user=wanted.user)
        case ws.SpotState():
            return ws.SpotState(user=wanted.user)
        case ws.L2Book():
            return msgspec.structs.replace(wanted, fast=msgspec.UNSET)
    if hasattr(wanted, "dex"):
        return msgspec.structs.replace(wanted, dex=msgspec.UNSET)
    return wanted
