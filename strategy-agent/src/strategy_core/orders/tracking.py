"""Take in what the venue says: answers, fills, open orders and positions, and whether they agree.

A fill counts once, by time, coin and trade id, whichever way and in whichever order fills come. An
order that is no longer listed is at its end; a fill of it that comes later still counts.
"""

from decimal import Decimal
from typing import Final

from strategy_core.orders.answers import read_answer
from strategy_core.orders.desk import Desk
from strategy_core.orders.memory import (
    FILLS_KEPT,
    MISSED_KEPT,
    ZERO,
    Child,
    Guard,
    Missed,
    OrderMemory,
    fill_key,
)
from strategy_core.orders.replies import take_answer
from strategy_core.port import Observation
from suite.contracts.hyperliquid_info import FillLiquidation, OpenOrder, UserFill
from suite.fixed import parse_decimal

SETTLED_MS: Final = 2_000
"""How long an accepted order may be missing in the list of open orders that has not shown it."""
LOST_MS: Final = 20_000
"""After which an order that was never answered nor seen can no longer be accepted: actions expire
15 s after they are sent, and 5 s are kept for the clocks."""
OWING_MS: Final = 5_000
"""How long fills may lag behind an answer that told of them."""
BELIEVED_DEAD: Final = frozenset({"lost", "gone", "refused", "retry", "empty", "flat", "withheld"})
"""Endings that an order still listed proves wrong; one that was canceled may be listed late."""
STRIKES: Final = 2
"""Observations in a row in which positions must differ before it is trouble."""


def brings_nothing(memory: OrderMemory, seen: Observation) -> bool:
    """Whether no order is at the venue or under way, and positions are those that are known."""
    if (
        not memory.started
        or seen.fills
        or seen.results
        or seen.open_orders
        or memory.outbox
        or memory.children
        or memory.works
        or memory.exits
        or memory.guards
        or memory.owing
        or memory.strikes
        or memory.others
        or memory.notes
        or (memory.missed and any(missed.moved is None for missed in memory.missed))
    ):
        return False
    return {coin: held.size for coin, held in seen.positions.items()} == memory.positions


def take_in(desk: Desk) -> None:
    """Bring the memory up to an observation."""
    _take_answers(desk)
    _take_fills(desk)
    _take_orders(desk)
    _take_positions(desk)
    _find_owing(desk)
    _find_outcomes(desk)
    desk.memory.started = True


def _joined(desk: Desk) -> bool:
    """Whether this observation is a whole snapshot after a (re)connect."""
    return "join" in desk.seen.woke_by


# ---- answers --------------------------------------------------------------------------------


def _take_answers(desk: Desk) -> None:
    memory, results = desk.memory, desk.seen.results
    outbox, memory.outbox = memory.outbox, []
    if len(results) == len(outbox):
        for sent, reply in zip(outbox, results, strict=True):
            take_answer(desk, sent, read_answer(reply))
        return
    for sent in outbox:
        if (child := memory.child(sent.cloid)) is not None and child.state == "sent":
            child.state = "unknown"
    if results or not _joined(desk):
        desk.trouble.append(f"{len(results)} answers came to {len(outbox)} actions")


# ---- fills ----------------------------------------------------------------------------------


def _take_fills(desk: Desk) -> None:
    memory = desk.memory
    for fill in desk.seen.fills:
        key = fill_key(fill)
        if key in memory.fills:
            if not _joined(desk):
                desk.trouble.append(f"{fill.coin}: fill {fill.tid} was reported twice")
            continue
        if fill.time <= memory.forgotten_ms:
            desk.trouble.append(f"{fill.coin}: fill {fill.tid} is too old to be told from others")
            continue
        memory.fills[key] = fill.time
        if len(memory.fills) > FILLS_KEPT:
            oldest = memory.fills.pop(next(iter(memory.fills)))
            memory.forgotten_ms = max(memory.forgotten_ms, oldest - 1)
        if memory.started:
            _take_fill(desk, fill)


def _take_fill(desk: Desk, fill: UserFill) -> None:
    memory = desk.memory
    try:
        size = parse_decimal(fill.sz)
    except ValueError:
        desk.trouble.append(f"{fill.coin}: fill {fill.tid} has the size {fill.sz[:40]!r}")
        return
    signed = size if fill.side == "B" else -size
    memory.positions[fill.coin] = memory.positions.get(fill.coin, ZERO) + signed
    child = memory.child_of(fill.oid)
    if child is None and isinstance(fill.cloid, str):
        child = memory.child(fill.cloid.lower())
    if child is None:
        _take_other_fill(desk, fill, size)
        return
    if child.coin != fill.coin or child.is_buy != (fill.side == "B"):
        desk.trouble.append(f"{fill.coin}: fill {fill.tid} is not of its order {child.cloid}")
        return
    memory.give_oid(child, fill.oid)
    was_complete = child.filled >= child.sz
    child.filled += size
    if child.filled > child.sz and not was_complete:
        desk.trouble.append(
            f"{fill.coin}: {child.filled} filled of order {child.cloid} over {child.sz}"
        )
    elif was_complete:
        desk.trouble.append(f"{fill.coin}: fill {fill.tid} of order {child.cloid} that was full")
    if child.ending in {"refused", "retry", "empty", "flat", "withheld"}:
        desk.trouble.append(
            f"{fill.coin}: fill {fill.tid} of order {child.cloid}, which was {child.ending}"
        )
    elif child.ending in {"canceled", "lost"} and child.filled > child.told:
        desk.notes.append(f"{fill.coin}: late fill of {size} after {child.ending}, counted")
    desk.credit(child, fill.time)


def _take_other_fill(desk: Desk, fill: UserFill, size: Decimal) -> None:
    """A fill of an order that was not sent from here: the venue's own, or nobody's."""
    liquidated = isinstance(fill.liquidation, FillLiquidation) or fill.dir.startswith("Liquidat")
    if liquidated or fill.dir == "Settlement":
        desk.notes.append(f"{fill.coin}: {fill.dir} of {fill.sz} at {fill.px} by the venue")
        return
    for guard in desk.memory.guards.values():
        if fill.oid in guard.stop_legs or fill.oid in guard.other_legs:
            guard.size = max(ZERO, guard.size - size)
            return
    for entry in _grouped(desk.memory, fill.coin):
        if entry.is_buy != (fill.side == "B"):
            return  # a leg that came and went within one step
    if fill.oid in desk.memory.foreign:
        desk.notes.append(f"{fill.coin}: fill of order {fill.oid}, which was there at the start")
        return
    desk.trouble.append(f"{fill.coin}: fill {fill.tid} of order {fill.oid}, which is not ours")


def _grouped(memory: OrderMemory, coin: str) -> list[Child | Guard]:
    """Entries of a coin whose legs the venue places."""
    orders: list[Child | Guard] = [
        child for child in memory.children.values() if child.grouped and child.coin == coin
    ]
    return orders + [g for g in memory.guards.values() if g.entry and g.coin == coin]


# ---- open orders ----------------------------------------------------------------------------


def _take_orders(desk: Desk) -> None:
    memory = desk.memory
    rows = desk.seen.open_orders
    if not memory.started:
        memory.foreign = [row.oid for row in rows if row.cloid not in memory.children]
    listed: dict[str, OpenOrder] = {}
    for row in rows:
        child = memory.child_of(row.oid)
        if child is None and row.cloid:
            child = memory.child(row.cloid.lower())
        if child is not None and child.ending in BELIEVED_DEAD:
            _revive(desk, child)
        if child is not None:
            listed[child.cloid] = row
    for child in tuple(memory.children.values()):
        row_of_child = listed.get(child.cloid)
        if row_of_child is not None:
            _show(memory, child, row_of_child)
        else:
            _hide(desk, child)
    others = [row for row in rows if not memory.owns(row)]
    desk.notes += [
        f"{row.coin}: order {row.oid} is not ours, and is left as it is"
        for row in others
        if row.oid not in memory.others
    ]
    memory.others = [row.oid for row in others]


def _revive(desk: Desk, child: Child) -> None:
    """An order lives that was held for dead; one that nothing waits for any more is taken back."""
    memory = desk.memory
    text = f"{child.coin}: order {child.cloid} lives although it was {child.ending}"
    if child.ending in {"lost", "gone"}:
        desk.notes.append(text)
    else:
        desk.trouble.append(text)
    memory.reopen(child)
    work, exiting = memory.works.get(child.owner), memory.exits.get(child.owner)
    guard = memory.guards.get(child.owner)
    waiting = (work and work.child, exiting and exiting.child)
    protective = (guard.stop, guard.target) if guard is not None else ()
    if child.role != "plain" and child.cloid not in (*waiting, *protective):
        desk.cancel(child)


def _show(memory: OrderMemory, child: Child, row: OpenOrder) -> None:
    memory.give_oid(child, row.oid)
    child.resting, child.placed_ms = parse_decimal(row.sz), row.timestamp
    if child.state == "unknown":  # this tells which of its versions lives
        child.sz = child.done + child.resting
        child.px = child.px if child.tpsl else parse_decimal(row.limitPx)
    child.state, child.seen = "open", True


def _hide(desk: Desk, child: Child) -> None:
    """An order that is not listed."""
    memory, age_ms = desk.memory, desk.now_ms - child.sent_ms
    child.resting = ZERO
    if child.done >= child.sz:
        memory.close(child, "filled")
    elif child.state == "unknown":
        explained = desk.seen.size_of(child.coin) == memory.positions.get(child.coin, ZERO)
        if age_ms >= LOST_MS and explained:  # expired, and no position hints at it
            memory.close(child, "lost" if not child.filled else "gone")
            desk.notes.append(f"{child.coin}: order {child.cloid} was never answered nor seen")
        else:
            desk.wake(max(child.sent_ms + LOST_MS, desk.now_ms + SETTLED_MS))
    elif child.state == "open":
        if child.seen or age_ms >= SETTLED_MS:
            memory.close(child, "gone")
        else:
            desk.wake(child.sent_ms + SETTLED_MS)


# ---- positions ------------------------------------------------------------------------------


def _take_positions(desk: Desk) -> None:
    memory, seen = desk.memory, desk.seen
    held = {coin: position.size for coin, position in seen.positions.items()}
    if not memory.started:
        memory.positions = held
        return
    if held == memory.positions and not memory.strikes:
        return  # as it nearly always is
    for coin in sorted(set(held) | set(memory.positions)):
        now, expected = held.get(coin, ZERO), memory.positions.get(coin, ZERO)
        if now == expected:
            memory.strikes.pop(coin, None)
            if not now:
                memory.positions.pop(coin, None)
            continue
        memory.strikes[coin] = memory.strikes.get(coin, 0) + 1
        if memory.strikes[coin] >= STRIKES or _joined(desk):
            desk.trouble.append(f"{coin}: position is {now}, its fills make it {expected}")
        if _joined(desk):
            memory.positions[coin] = now
            memory.strikes.pop(coin)


def _find_owing(desk: Desk) -> None:
    """Find answers whose fills do not come."""
    memory = desk.memory
    for cloid, looks in tuple(memory.owing.items()):
        child = memory.child(cloid)
        if child is None or child.filled >= child.told:
            del memory.owing[cloid]
            continue
        memory.owing[cloid] = looks + 1
        if looks >= STRIKES and desk.now_ms - child.sent_ms >= OWING_MS:
            desk.trouble.append(
                f"{child.coin}: order {cloid} is said to have filled {child.told}, "
                f"its fills are {child.filled}"
            )
            del memory.owing[cloid]


def _find_outcomes(desk: Desk) -> None:
    """Look what became of missed entries."""
    memory = desk.memory
    for missed in memory.missed:
        mid = desk.seen.mids.get(missed.coin, ZERO)
        due = desk.now_ms >= missed.at_ms + desk.rules.missed_ms
        if missed.moved is None and due and mid > 0:
            missed.moved = _return_of(missed, mid)
            desk.notes.append(
                f"MISSED {missed.coin} of {missed.at_ms}: moved {missed.moved:+.5f} its way"
            )
    del memory.missed[: max(0, len(memory.missed) - MISSED_KEPT)]


def _return_of(missed: Missed, mid: Decimal) -> Decimal:
    moved = round(mid / missed.px - 1, 8)
    return moved if missed.is_buy else -moved
