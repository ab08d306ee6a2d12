"""Whether the database says of the traders' money what the venue says."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from suite.account_ledger import AccountLedger
from suite.fixed import parse_decimal
from suite.ids import WorldId
from suite.instrument import is_perp
from trader_manager.adapters.postgres import PostgresStore
from trader_manager.adapters.venue_reads import VenueReadsHttp
from trader_manager.commands.checks import Check
from trader_manager.domain.records import Progress, Trade
from trader_manager.domain.traders import StoredTrader

_TRIES: Final = 90
_PAUSE_S: Final = 1.0
"""Until a difference is looked at again: what just happened is collected in the next round."""
_SETTLED: Final = 3
"""Looks after which what was read of the account since then should be stored."""


async def agreement(
    store: PostgresStore, venue: VenueReadsHttp, traders: Sequence[StoredTrader], world: WorldId
) -> Sequence[Check]:
    """Compare each trader: up to its last sample, and at present where it stands still for that.

    Raises:
        SuiteError: the database or the venue is away.
    """
    progress = await store.get_progress(world)
    problems, moving = [], 0
    for one in traders:
        reached_ms = progress.get(one.trader_id, Progress()).last_equity_ms
        problem = await _recorded(store, venue, one, world, reached_ms)
        if not problem:
            found = await _present(store, venue, one, world)
            moving += found is None
            problem = found or ""
        if problem:
            problems.append(f"{one.trader_id}: {problem}")
    told = f"fills, funding, cash and positions of {len(traders)} traders are the venue's"
    if moving:
        told += f"; {moving} never stood still, and {'is' if moving == 1 else 'are'} compared up to"
        told += " the last sample"
    return [Check(name="database and venue", problem="; ".join(problems), told=told)]


async def _recorded(
    store: PostgresStore,
    venue: VenueReadsHttp,
    trader: StoredTrader,
    world: WorldId,
    reached_ms: int | None,
) -> str:
    """Say what differs of all that happened before the last sample; empty where nothing does."""
    if reached_ms is None:
        return ""
    name = trader.trader_id
    user = await venue.address(name, trader.account_id)
    told = [
        row for row in await venue.fills(user, from_ms=0, to_ms=reached_ms - 1) if is_perp(row.coin)
    ]
    stored = await store.get_trades(world, name, until_ms=reached_ms)
    if len(stored) != len(told):
        return f"{len(stored)} fills are stored, the venue has {len(told)}"
    values = [parse_decimal(row.px) * parse_decimal(row.sz) for row in told]
    if sum(values) != sum(one.price * one.size for one in stored):
        return "the fills that are stored are of another value than the venue's"
    received = sum(
        row.received_usd for row in await venue.funding(user, from_ms=0, to_ms=reached_ms - 1)
    )
    paid = sum(
        one.received_usd for one in await store.get_funding(world, name, until_ms=reached_ms)
    )
    if paid != received:
        return f"{paid} USD of funding is stored, the venue has {received}"
    return ""


async def _present(
    store: PostgresStore, venue: VenueReadsHttp, trader: StoredTrader, world: WorldId
) -> str | None:
    """Say what differs at present; None where the trader traded whenever it was looked at."""
    name = trader.trader_id
    user = await venue.address(name, trader.account_id)
    before: tuple[Decimal, dict[str, Decimal]] | None = None
    since_ms = 0
    for number in range(_TRIES):
        if number:
            await asyncio.sleep(_PAUSE_S)
        state = await venue.state(user)
        ledger = AccountLedger(user)
        ledger.add(await venue.ledger(user, from_ms=0, to_ms=state.time))
        trades = await store.get_trades(world, name)
        funding = await store.get_funding(world, name)
        positions = (await store.get_positions(world)).get(name)
        held = {one.coin: one.size for one in positions.positions} if positions else {}
        cash = ledger.net_usd + sum(map(_cash, trades), Decimal(0))
        cash += sum((one.received_usd for one in funding), Decimal(0))
        stands = (
            parse_decimal(state.marginSummary.totalRawUsd),
            {row.position.coin: parse_decimal(row.position.szi) for row in state.assetPositions},
        )
        if stands == (cash, held):
            return ""
        if stands != before:
            before, since_ms = stands, state.time
        elif number > _SETTLED and (positions is None or positions.time_ms >= since_ms):
            return (
                f"what is stored makes {cash} USD of cash and {_sizes(held)}, the venue has"
                f" {stands[0]} and {_sizes(stands[1])}"
            )
    return None


def _cash(trade: Trade) -> Decimal:
    return -trade.side * trade.price * trade.size - trade.fee_usd


def _sizes(held: dict[str, Decimal]) -> str:
    return ", ".join(f"{size} {coin}" for coin, size in held.items()) or "no position"
