"""What must hold at the end of every history, by the venue's own books."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from tests.support.simulation.record import Name, status_of
from tests.support.simulation.services import Agent

from hyperliquid_exchange.domain.actions import may_add_risk
from hyperliquid_exchange.domain.intents import Intent, Settled
from hyperliquid_exchange.domain.safety import EVERYBODY
from suite.contracts import hyperliquid_exchange as wire
from suite.contracts.venue import ActionReply, PlaceOrder

if TYPE_CHECKING:
    from tests.support.simulation.world import World

_envelope = msgspec.json.Decoder(wire.Envelope)


def problems(world: "World") -> Iterator[str]:
    """Tell everything that must not be."""
    yield from world.machines.problems
    yield from _of_agents(world)
    yield from _of_the_proxy(world)
    yield from _after_kills(world)
    for name in world.names:
        yield from _of_the_books(world, name)


# what was executed, and what is believed


def _rows(world: "World", name: str) -> list[dict[str, Any]]:
    assert world.venue is not None
    account = world.venue.session.world.by_id[name].index  # type: ignore[index]
    return world.venue.session.queries.accounts.orders.order_rows(account, None)


def _of_agents(world: "World") -> Iterator[str]:
    """Hold the agents' intents against the books."""
    for (name, key), intent in world.record.agent.items():
        fates = [_of_reply(fate) for fate in world.record.agent_fates.get((name, key), [])]
        if not fates:
            yield f"agent {name}: {key} left unknown"
            continue
        beliefs = {status_of(fate) is not None for fate in fates}
        if len(beliefs) > 1:
            yield f"agent {name}: {key} has two beliefs"
        if isinstance(intent.action, PlaceOrder):
            signed = world.record.payloads.get((name, key), set())
            is_there = any(payload in world.record.executed for payload in signed)
            if is_there != (True in beliefs):
                yield f"agent {name}: {'' if is_there else 'not '}executed, believed otherwise"


def _of_reply(reply: ActionReply | None) -> dict[str, Any] | None:
    found: dict[str, Any] | None = None if reply is None else msgspec.to_builtins(reply)
    return found


def _of_the_proxy(world: "World") -> Iterator[str]:
    """Hold the proxy's intents against the books, and its nonces against each other."""
    nonces: dict[tuple[str, int], str] = {}
    for (name, key), intent in world.record.live.items():
        before = nonces.setdefault((intent.signer, intent.nonce), key)
        if before != key:
            yield f"proxy: nonce {intent.nonce} of {name} twice"
        is_operators = intent.fingerprint.startswith("operator")
        if not (is_operators or (name, key) in world.record.agent or world.disk(name).refused):
            yield f"proxy: {name} {key} was decided by nobody"
        fates = world.record.live_fates.get((name, key), [])
        if fates:
            yield from _of_fates(world, (name, key), intent, fates)
        elif (name, key) not in world.record.loose:
            yield f"proxy: {name} {key} left unknown"
    yield from _of_ids(world)


def _of_fates(
    world: "World", name: Name, intent: Intent, fates: Sequence[Settled]
) -> Iterator[str]:
    """Hold what the proxy found out of one intent against what the venue has done."""
    if len({one.outcome for one in fates}) > 1:
        yield f"proxy: {' '.join(name)} has two fates"
    if not isinstance(wire.decode_action(_envelope.decode(intent.payload).action), wire.Order):
        return
    count = sum(world.record.executed[payload] for payload in world.record.payloads[name])
    is_done = fates[-1].outcome == "answered" and status_of(fates[-1].reply) is not None
    if count > 1:
        yield f"proxy: {name[0]} executed {count} times"
    elif count and not is_done:
        yield f"proxy: {name[0]} executed, believed not"
    elif not count and is_done:
        yield f"proxy: {name[0]} not executed, believed executed"


def _of_ids(world: "World") -> Iterator[str]:
    """Look for ids that two orders have, and for orders that nobody has sent."""
    for cloid, payloads in world.record.placed.items():
        owner = world.record.owner_of(next(iter(payloads)))
        # an exit goes out where the disk does not take a note of its number, see `MemoryKeeper`
        if len(payloads) > 1 and owner and not world.disk(owner).refused:
            yield f"{owner}: the id {cloid} was given twice"
    known = {str(_cloid(intent)) for intent in world.record.live.values()}
    for name in world.names:
        for row in _rows(world, name):
            if row["cloid"] and row["cloid"] not in known and row["parent_oid"] is None:
                yield f"{name}: an order of no intent"


def _cloid(intent: Any) -> str | None:
    action = wire.decode_action(_envelope.decode(intent.payload).action)
    match action:
        case wire.Order(orders=[first, *_]):
            return first.c
        case wire.BatchModify(modifies=[first, *_]):
            return first.order.c
    return None


def _after_kills(world: "World") -> Iterator[str]:
    """Look for what left that may add risk after a kill was acknowledged."""
    for scope, at_s in world.record.killed:
        for sent_s, body in world.record.sent:
            if sent_s <= at_s:
                continue
            envelope = _envelope.decode(body)
            action = wire.decode_action(envelope.action)
            owner = world.record.owner_of(body)
            if scope in {EVERYBODY, owner} and may_add_risk(action):  # type: ignore[arg-type]
                yield f"risk left after the kill of {scope or 'all'}"
                return


# money


def _of_the_books(world: "World", name: str) -> Iterator[str]:
    """Hold an account's money against its fills, and every reduction against its position."""
    assert world.venue is not None
    session = world.venue.session
    account = session.world.by_id[name].index  # type: ignore[index]
    accounts = session.queries.accounts
    fills = accounts.fills.rows(account)
    reduces = {row["oid"] for row in _rows(world, name) if row["reduce_only"]}
    earned = Decimal(0)
    for fill in fills:
        earned += Decimal(fill.closedPnl) - Decimal(fill.fee)
        start = Decimal(fill.startPosition)
        change = Decimal(fill.sz) if fill.side == "B" else -Decimal(fill.sz)
        after = start + change
        if fill.oid in reduces and (abs(after) > abs(start) or after * start < 0):
            yield f"{name}: a reduction has increased or flipped"
    book = session.world.books[account]
    for row in accounts.ledger.payments(book, 0, len(book.funding)):
        earned += Decimal(row["usdc"])
    state = accounts.clearinghouse(account)
    open_usd = sum(
        (Decimal(row.position.unrealizedPnl) for row in state.assetPositions), Decimal(0)
    )
    due = Decimal(100_000) + earned + open_usd
    if Decimal(state.marginSummary.accountValue) != due:
        yield f"{name}: worth {state.marginSummary.accountValue}, by its books {due}"


def differences(world: "World", name: str, agent: Agent) -> Iterator[str]:
    """Tell in what an agent's picture of its account differs from the venue's books."""
    cache = cache_of(agent)
    if cache is None or cache.state.view is None:
        yield f"{name} knows nothing of its account"
        return
    state = cache.state
    if not state.live or state.reconciling or state.differences:
        yield f"{name} is not sure of its account: {state.differences}"
        return
    assert world.venue is not None
    session = world.venue.session
    account = session.world.by_id[name].index  # type: ignore[index]
    truth = session.queries.accounts.view(account)
    view = state.view
    assert view is not None
    if view.equity != truth.equity:
        yield f"{name} believes to be worth {view.equity}, not {truth.equity}"
    held = {one.coin: one.size for one in view.positions}
    real = {one.coin: one.size for one in truth.positions}
    if held != real:
        yield f"{name} believes to hold {held}, not {real}"
    mine = sorted(order.oid for order in view.open_orders)
    open_orders = sorted(order.oid for order in truth.open_orders)
    if mine != open_orders:
        yield f"{name} believes orders {mine} to be open, not {open_orders}"


def cache_of(agent: Agent) -> Any:
    """The account as an agent knows it; None while it is not connected."""
    parts = agent.instance._parts
    if parts is None or parts.adopt is None:
        return None
    return parts.adopt.__self__._cache  # type: ignore[attr-defined]
