"""Parent orders: one that rests at the touch and follows it, one that goes out in slices."""

from decimal import ROUND_CEILING, Decimal
from typing import Final, Literal

import msgspec

from strategy_core.intents import ParentOrder, Passive, Sliced
from strategy_core.lattice import exact, round_price, round_size_down, tick_at
from strategy_core.orders import escalation
from strategy_core.orders.desk import IMMEDIATE, POST_ONLY, Desk
from strategy_core.orders.identity import cloid_for, share_of
from strategy_core.orders.market import (
    atr_of,
    capped,
    minute_volume,
    volume_since,
)
from strategy_core.orders.memory import Child, Work
from strategy_core.sizing.targets import MIN_NOTIONAL
from suite.contracts.venue import Leg, PlaceOrder
from suite.enums import TraderStatus

AWAY_IN_ATR: Final = Decimal("0.1")
"""How far the touch may leave a quote, in average true ranges."""
RETRY_IN_ATR: Final = Decimal("0.3")
"""How far the price may move before an entry that was refused is not tried again."""
STOP_IN_ATR: Final = Decimal("0.5")
"""How far the price may move against an entry in slices before the rest is left."""


def start(desk: Desk, order: ParentOrder, *, decision: int, leg: str) -> None:
    """Begin to work a parent order; one that cannot be is dropped with a note."""
    why = _unworkable(desk, order)
    if why:
        desk.notes.append(f"{order.coin}: parent order dropped: {why}")
        return
    instrument = desk.instruments[order.coin]
    work = Work(
        key=f"{decision}/{leg}",
        decision=decision,
        leg=leg,
        order=order,
        goal=round_size_down(instrument, order.sz),
        arrival_px=desk.touch(order.coin).mid,
        arrival_ms=desk.now_ms,
        atr=atr_of(desk.seen, order.coin),
    )
    if isinstance(order.execution, Sliced):
        work.slice_sz = _slice_size(desk, work, order.execution)
        _send_slice(desk, work, order.execution)
    else:
        _send_quote(desk, work)
        desk.wake(desk.now_ms + desk.rules.requote_ms)
    if work.child:
        desk.memory.works[work.key] = work


def carry_on(desk: Desk) -> None:
    """Do what is next for every parent order."""
    for work in tuple(desk.memory.works.values()):
        work.looks += 1
        child = desk.memory.children.get(work.child)
        if child is not None and child.in_flight:
            continue
        if child is None and work.left <= 0:
            del desk.memory.works[work.key]
        elif work.stage == "ending" or _is_paused(desk, work):
            _end(desk, work, child)
        elif isinstance(work.order.execution, Sliced):
            _carry_on_slices(desk, work, work.order.execution, child)
        else:
            _carry_on_quote(desk, work, work.order.execution, child)


def _unworkable(desk: Desk, order: ParentOrder) -> str:
    """Why a parent order cannot be worked, empty when it can."""
    instrument = desk.instruments.get(order.coin)
    if instrument is None:
        return "the venue does not trade it"
    if not order.sz.is_finite() or round_size_down(instrument, order.sz) <= 0:
        return f"its size is {order.sz}"
    if desk.touch(order.coin).mid <= 0:
        return "it has no price"
    if order.reduce_only:
        return ""
    if desk.seen.status is not TraderStatus.LIVE:
        return f"the trader is {desk.seen.status}"
    unknown = any(
        child.state == "unknown" and child.coin == order.coin
        for child in desk.memory.children.values()
    )
    return "an order of the coin has an unknown outcome" if unknown else ""


def _is_paused(desk: Desk, work: Work) -> bool:
    """Whether an entry may not go on."""
    if work.order.reduce_only or desk.seen.status is TraderStatus.LIVE:
        return False
    work.why = work.why or f"the trader is {desk.seen.status}"
    return True


def _end(desk: Desk, work: Work, child: Child | None) -> None:
    """Take back what still rests, then give up what is left."""
    if child is not None:
        work.stage = "ending"
        desk.cancel(child)
        desk.wake(desk.now_ms + desk.rules.requote_ms)
        return
    del desk.memory.works[work.key]
    if work.left <= 0:
        return
    if not work.order.reduce_only:
        desk.miss(work, work.why)
        return
    escalation.close_rest(desk, work)


def _issue(desk: Desk, work: Work, order: PlaceOrder, *, role: Literal["quote", "slice"]) -> None:
    """Send the next order of a parent under its next generation."""
    parent, instrument = work.order, desk.instruments[order.coin]
    # rounding never adds risk: both prices go toward the entry
    stop, target = parent.stop_loss, parent.take_profit
    stop_px = round_price(instrument, stop.price, up=parent.is_buy) if stop else None
    target_px = round_price(instrument, target.price, up=not parent.is_buy) if target else None
    if role == "slice":  # trades at once, so its protection comes with it
        order = msgspec.structs.replace(
            order,
            stop_loss=None if stop_px is None else Leg(price=stop_px),
            take_profit=None if target_px is None else Leg(price=target_px),
        )
    work.generation += 1
    child = desk.place(
        order,
        role=role,
        decision=work.decision,
        leg=work.leg,
        generation=work.generation,
        owner=work.key,
    )
    if child is not None:
        work.child = child.cloid
        child.stop_px, child.target_px = stop_px, target_px


# ---- at the touch ---------------------------------------------------------------------------


def _send_quote(desk: Desk, work: Work) -> None:
    order = work.order
    _issue(
        desk,
        work,
        PlaceOrder(
            coin=order.coin,
            is_buy=order.is_buy,
            sz=work.left,
            limit_px=desk.touch(order.coin).near(is_buy=order.is_buy),
            order_type=POST_ONLY,
            reduce_only=order.reduce_only,
        ),
        role="quote",
    )


def _carry_on_quote(desk: Desk, work: Work, how: Passive, child: Child | None) -> None:
    if child is None:
        _after_quote(desk, work)
        return
    due_ms = work.arrival_ms + how.timeout_ms
    if work.stage == "crossing":
        work.why = f"crossing was refused: {child.refusal}"
        _end(desk, work, child)
    elif desk.now_ms >= due_ms:
        _cross_or_miss(desk, work, how, child)
    else:
        _requote(desk, work, child)
        desk.wake(min(due_ms, desk.now_ms + desk.rules.requote_ms))


def _after_quote(desk: Desk, work: Work) -> None:
    """The order has ended before all was filled."""
    last = desk.memory.closed.get(work.child)
    ending = last.ending if last is not None else "gone"
    if ending == "retry" and _may_retry(desk, work):
        _send_quote(desk, work)
        return
    work.why = work.why or f"its order was {ending}"
    if last is not None and last.reason:
        work.why += f": {last.reason}"
    _end(desk, work, None)


def _may_retry(desk: Desk, work: Work) -> bool:
    """Whether a refusal that may pass is worth another attempt; the first look is never late."""
    rules, now_ms = desk.rules, desk.now_ms
    work.refused_ms = [at for at in work.refused_ms if now_ms - at < rules.retry_ms] + [now_ms]
    young = work.looks <= 1 or now_ms - work.arrival_ms <= rules.signal_ms
    near = work.atr is None or _against(desk, work) < RETRY_IN_ATR * work.atr
    if work.order.reduce_only:
        return len(work.refused_ms) <= rules.retries
    return young and near and len(work.refused_ms) <= rules.retries


def _against(desk: Desk, work: Work) -> Decimal:
    """How far the price has moved against an entry since it was decided, USD."""
    moved = desk.touch(work.order.coin).mid - work.arrival_px
    return moved if work.order.is_buy else -moved


def _requote(desk: Desk, work: Work, child: Child) -> None:
    """Follow the touch when it has left the quote behind."""
    order, touch = work.order, desk.touch(work.order.coin)
    near = touch.near(is_buy=order.is_buy)
    if near <= 0:
        return
    away = near - child.px if order.is_buy else child.px - near
    least = tick_at(desk.instruments[order.coin], near)
    if work.atr is not None:
        least = max(least, AWAY_IN_ATR * work.atr)
    early = desk.now_ms - work.moved_ms < desk.rules.requote_ms
    if away < least or early or work.moved >= desk.rules.requotes:
        return
    work.moved += 1
    work.moved_ms = desk.now_ms
    desk.modify(child, px=near, sz=work.left, order_type=POST_ONLY)


def _cross_or_miss(desk: Desk, work: Work, how: Passive, child: Child) -> None:
    """The time is up: take the other side where that still pays.

    `edge - (taker fee - maker fee) - half spread > 0`
    """
    order, touch = work.order, desk.touch(work.order.coin)
    gain = how.edge - desk.rules.crossing_cost - touch.half_spread
    if touch.mid > 0 and (gain > 0 or order.reduce_only):
        work.stage = "crossing"
        limit = capped(
            desk.instruments[order.coin],
            touch,
            is_buy=order.is_buy,
            cap=exact(desk.rules.cross_cap),
        )
        desk.modify(child, px=limit, sz=work.left, order_type=IMMEDIATE)
        return
    work.why = f"not filled in {how.timeout_ms} ms, and crossing would gain {gain:.5f}"
    _end(desk, work, child)


# ---- in slices ------------------------------------------------------------------------------


def _slice_size(desk: Desk, work: Work, how: Sliced) -> Decimal:
    """Equal slices, `n = ceil(size / (participation * V1m))`, each worth the smallest order.

    Without a known volume there are as many slices as there may be.
    """
    coin = work.order.coin
    volume = minute_volume(desk.seen, coin)
    number = Decimal(desk.rules.slices)
    if volume:
        share = (work.goal / (how.participation * volume)).to_integral_value(ROUND_CEILING)
        number = min(number, share)
    number = min(number, work.goal * work.arrival_px // MIN_NOTIONAL)
    lot = Decimal(1).scaleb(-desk.instruments[coin].sz_decimals)
    lots = (work.goal / max(number, Decimal(1)) / lot).to_integral_value(ROUND_CEILING)
    return lots * lot


def _send_slice(desk: Desk, work: Work, how: Sliced) -> None:
    """Send the next slice; the last takes the remainder."""
    order, price = work.order, desk.touch(work.order.coin).mid or work.arrival_px
    size = min(work.slice_sz, work.left)
    if (work.left - size) * price < MIN_NOTIONAL:
        size = work.left
    work.attempts += 1
    first = work.generation < 0
    if not order.reduce_only and not first:
        volume = volume_since(desk.seen, order.coin, work.moved_ms)
        if volume is not None:
            most = round_size_down(
                desk.instruments[order.coin], volume * exact(desk.rules.slice_share)
            )
            size = min(size, most)
    jitter = share_of(cloid_for("", work.key, work.attempts, order.coin))
    work.next_ms = desk.now_ms + round(how.interval_ms * (0.8 + 0.4 * jitter))
    desk.wake(work.next_ms)
    if size <= 0 or (size * price < MIN_NOTIONAL and not order.reduce_only and not first):
        return  # too little was traded since the last one
    work.moved_ms = desk.now_ms
    _issue(
        desk,
        work,
        PlaceOrder(
            coin=order.coin,
            is_buy=order.is_buy,
            sz=size,
            order_type=IMMEDIATE,
            reduce_only=order.reduce_only,
        ),
        role="slice",
    )


def _carry_on_slices(desk: Desk, work: Work, how: Sliced, child: Child | None) -> None:
    last = desk.memory.closed.get(work.child)
    entry = not work.order.reduce_only
    if child is not None:
        desk.wake(desk.now_ms + how.interval_ms)
    elif last is not None and last.ending in {"refused", "flat", "withheld"}:
        work.why = f"a slice was {last.ending}: {last.reason}"
        _end(desk, work, None)
    elif entry and work.atr is not None and _against(desk, work) > STOP_IN_ATR * work.atr:
        work.why = f"the price moved {_against(desk, work):f} against it"
        _end(desk, work, None)
    elif work.attempts >= 2 * desk.rules.slices:
        work.why = f"{work.attempts} slices were not enough"
        _end(desk, work, None)
    elif desk.now_ms < work.next_ms:
        desk.wake(work.next_ms)
    else:
        _send_slice(desk, work, how)
