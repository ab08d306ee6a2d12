"""A paper world at its start."""

import asyncio
from typing import Final, Protocol

import msgspec

from suite.clock import Clock
from suite.contracts.world import WorldRequest
from suite.errors import BadRequest
from virtual_exchange.application.market.building import query_of
from virtual_exchange.application.market.rules import rules_of
from virtual_exchange.application.paper.market import live_market
from virtual_exchange.application.paper.run import PaperRun
from virtual_exchange.application.ports import LiveFeed
from virtual_exchange.application.session import Session
from virtual_exchange.domain.market import Market

_NOT_LIVE: Final = (
    "from_",
    "to",
    "interval",
    "participants",
    "supervised",
    "mask",
    "time_shift",
    "fill_at",
    "speed",
)
"""Options of a world that make no sense where nothing is recorded and nobody is waited for."""
_LEAST_LATENCY_MS: Final = 1
"""An order meets the market at the boundary after it came: the present book is up to a second old,
and trades of the present second may have been before the order."""


class Opener(Protocol):
    """Builds a world over a market."""

    def __call__(self, request: WorldRequest, *, source: Market) -> Session:
        """Build it."""
        ...


async def open_paper_session(
    request: WorldRequest, feed: LiveFeed | None, clock: Clock, open_it: Opener
) -> Session:
    """Build a world in the live market.

    Raises:
        BadRequest: there is no feed, or the request asks for what is recorded.
        SuiteError: the feed cannot be reached, or knows a coin not.
    """
    if feed is None:
        raise BadRequest(
            "clock paper needs a live market: start the service with --feed, as "
            "--feed http://127.0.0.1:8000"
        )
    for field in msgspec.structs.fields(WorldRequest):
        if field.name in _NOT_LIVE and getattr(request, field.name) not in (field.default, ()):
            raise BadRequest(
                f"clock paper takes the live market as it is: leave out {field.encode_name}"
            )
    query, rules = query_of(request), rules_of(request)
    time, coins = await feed.opening(query.coins)
    live = live_market(coins, time, rules=rules, source=feed.name)
    latency = max(request.latency, _LEAST_LATENCY_MS)
    arriving = msgspec.structs.replace(request, latency=latency)
    session = await asyncio.to_thread(open_it, arriving, source=live.market)
    session.paper = PaperRun(
        world=session.world,
        live=live,
        barrier=session.barrier,
        data=session.data,
        feed=feed,
        time=time,
        clock=clock,
    )
    return session
