"""Follow each position from its first fill to flat: by fills where they are shown, else reports."""

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import NamedTuple

from strategy_core.exits.kinds import ExitState, OtherClose
from strategy_core.exits.memory import CoinMemory, ExitMemory, ExitRecord, PendingExit
from strategy_core.port import ZERO, Observation
from suite.contracts.clock import PositionView
from suite.contracts.hyperliquid_info import UserFill
from suite.fixed import parse_decimal

DIGITS_MAX = 15
"""Digits before the point of any amount or price that a market has."""
TIDS_KEPT = 512
"""Fills remembered, so that one told again after a restart is not counted again."""
NEAR_PRICE = Decimal("0.001")
"""How far beyond its price a stop may fill and still be told by it, fraction of the price."""
BPS = 10_000


class _Trade(NamedTuple):
    """The numbers of one fill.

    Attributes:
        start, signed: position before it and what it changed, units of the coin.
        price: USD.
        gain, fee: USD.
    """

    start: Decimal
    signed: Decimal
    price: Decimal
    gain: Decimal
    fee: Decimal


def follow(
    memory: ExitMemory, observation: Observation, senseless: Collection[str]
) -> tuple[list[ExitRecord], list[str]]:
    """Bring the memory up to an observation.

    Args:
        memory: changed in place.
        observation: its fills are counted once, however often they are shown.
        senseless: coins of those of its positions that make no sense.

    Returns:
        The positions that have come to their end, in the order in which they did; and what of the
        observation no sense could be made of, and was left out.
    """
    records: list[ExitRecord] = []
    notes: list[str] = []
    for fill in _new(memory, observation.fills):
        trade = _trade(fill)
        if trade is None:
            notes.append(f"{fill.coin[:20]}: fill {fill.tid} makes no sense to the exits")
        else:
            _count(memory, fill, trade, records)
    for coin in sorted({*memory.coins, *observation.positions}):
        if coin in senseless:
            size = observation.positions[coin].size
            notes.append(f"{coin[:20]}: position {size} makes no sense to the exits")
        else:
            _compare(memory, coin, observation, records)
    return records, notes


def _new(memory: ExitMemory, fills: Sequence[UserFill]) -> list[UserFill]:
    """Leave out the fills that have counted, and remember the others."""
    if not fills:
        return []
    known = set(memory.tids)
    new = []
    for fill in fills:
        if fill.tid not in known:
            known.add(fill.tid)
            memory.tids.append(fill.tid)
            new.append(fill)
    del memory.tids[:-TIDS_KEPT]
    return new


def senseless(observation: Observation) -> list[str]:
    """Name the coins of reported positions whose numbers are none that a market has."""
    return [coin for coin, position in observation.positions.items() if not _makes_sense(position)]


def _makes_sense(position: PositionView) -> bool:
    return (
        is_price(position.entry_px)
        and is_amount(position.size)
        and is_amount(position.unrealized_pnl)
    )


def _trade(fill: UserFill) -> _Trade | None:
    """Read the numbers of a fill; None where they are none that a market has."""
    texts = (fill.startPosition, fill.sz, fill.px, fill.closedPnl, fill.fee)
    try:
        start, size, price, gain, fee = map(parse_decimal, texts)
    except ValueError:
        return None
    if not (is_price(price) and size > 0 and all(map(is_amount, (start, size, gain, fee)))):
        return None
    return _Trade(start, size if fill.side == "B" else -size, price, gain, fee)


def is_amount(value: Decimal) -> bool:
    """Whether a number can be an amount that a market has."""
    return value.is_finite() and (not value or value.adjusted() <= DIGITS_MAX)


def is_price(value: Decimal) -> bool:
    """Whether a number can be a price, USD."""
    return value > 0 and is_amount(value)


def _count(memory: ExitMemory, fill: UserFill, trade: _Trade, records: list[ExitRecord]) -> None:
    """Take one fill into account."""
    start, signed, price = trade.start, trade.signed, trade.price
    end = start + signed
    held = memory.coins.get(fill.coin)
    if held is not None and held.side * signed < 0:
        _reduce(held, fill, trade)
        if end * held.side <= 0:
            records.append(_close(memory, held, fill.time, _kind(held, fill, price)))
            if end:
                _open(memory, fill.coin, end, price=price, at_ms=fill.time)
        return
    if end:
        if held is None:
            held = _open(memory, fill.coin, end, price=price, at_ms=fill.time)
        held.fees += trade.fee
        held.size = abs(end)
        held.size_max = max(held.size_max, held.size)


def _compare(
    memory: ExitMemory, coin: str, observation: Observation, records: list[ExitRecord]
) -> None:
    """Bring one coin in line with the venue's report of its position."""
    position, held = observation.positions.get(coin), memory.coins.get(coin)
    if held is not None and (position is None or position.size * held.side < 0):
        records.append(_close(memory, held, observation.now_ms, OtherClose.UNSEEN.value))
        held = None
    if position is None:
        return
    if held is None:
        at_ms = observation.now_ms
        held = _open(memory, coin, position.size, price=position.entry_px, at_ms=at_ms)
    _report(held, position)


def _report(held: CoinMemory, position: PositionView) -> None:
    """Take over what the venue says of an open position."""
    if not held.leverage:  # reported for the first time: the average of the whole entry is known
        held.leverage = max(1, position.leverage)
        held.unit_risk = None
    held.entry_price = position.entry_px
    held.size = abs(position.size)
    held.size_max = max(held.size_max, held.size)
    if held.unit_risk is None:
        held.unit_risk = _unit_risk(held)


def _open(
    memory: ExitMemory, coin: str, size: Decimal, *, price: Decimal, at_ms: int
) -> CoinMemory:
    """Begin a position; a plan that was given for it stays."""
    held = memory.coming.pop(coin, None) or CoinMemory(coin=coin, noted_ms=at_ms)
    memory.coins[coin] = held
    memory.opened += 1
    held.number = memory.opened
    held.state = ExitState.OPEN
    held.side = 1 if size > 0 else -1
    held.opened_at_ms = at_ms
    held.entry_price = held.best = held.worst = price
    held.size = held.size_max = abs(size)
    held.unit_risk = _unit_risk(held)
    held.confidence_at_entry = held.plan.confidence if held.plan else None
    return held


def _unit_risk(held: CoinMemory) -> Decimal | None:
    """Distance of the first stop from the entry, USD; None without one on the right side."""
    if held.stop_asked is None:
        return None
    distance = held.side * (held.entry_price - held.stop_asked)
    return distance if distance > 0 else None


def _reduce(held: CoinMemory, fill: UserFill, trade: _Trade) -> None:
    """Book what one fill has closed."""
    size, price = min(abs(trade.signed), held.size), trade.price
    held.closed += size
    held.closed_notional += size * price
    held.realized += trade.gain
    held.fees += trade.fee
    held.size -= size
    held.see(price)
    pending = held.pending
    if pending is not None and _closes_for(held, fill) == pending.kind:
        pending.filled += size
        pending.notional += size * price


def _kind(held: CoinMemory, fill: UserFill, price: Decimal) -> str:
    """Say what closed a position, by the fill that did."""
    own = _closes_for(held, fill)
    if own is not None:
        return own
    if fill.liquidation:
        return OtherClose.LIQUIDATION.value
    slack = price * NEAR_PRICE
    if held.stop_asked is not None and held.side * (price - held.stop_asked) <= slack:
        return OtherClose.STOP_LOSS.value
    if held.target_asked is not None and held.side * (held.target_asked - price) <= slack:
        return OtherClose.TAKE_PROFIT.value
    return OtherClose.STRATEGY.value


def _closes_for(held: CoinMemory, fill: UserFill) -> str | None:
    """Name the exit that a fill belongs to, None where it is none of ours.

    While an exit is on its way the order manager may carry it on under ids of its own; the legs of
    an entry have none.
    """
    cloid = _cloid(fill)
    own = held.ids.get(cloid)
    if own is None and cloid and held.pending is not None:
        own = held.pending.kind.value
    return own


def _cloid(fill: UserFill) -> str:
    return fill.cloid if isinstance(fill.cloid, str) else ""


def _close(memory: ExitMemory, held: CoinMemory, at_ms: int, kind: str) -> ExitRecord:
    """Sum a position up and forget it."""
    del memory.coins[held.coin]
    exit_price = held.closed_notional / held.closed if held.closed else held.entry_price
    net = held.realized - held.fees - held.funding
    risk = held.unit_risk * held.size_max if held.unit_risk is not None else None
    margin = held.size_max * held.entry_price / max(1, held.leverage)
    pending = held.pending if held.pending and held.pending.kind == kind else None
    slippage = None
    if pending is not None and pending.filled:
        paid = pending.notional / pending.filled
        slippage = held.side * (pending.decision_price - paid) / pending.decision_price * BPS
    return ExitRecord(
        coin=held.coin,
        kind=kind,
        side=held.side,
        opened_at_ms=held.opened_at_ms,
        closed_at_ms=at_ms,
        holding_ms=at_ms - held.opened_at_ms,
        size=held.size_max,
        entry_price=held.entry_price,
        exit_price=exit_price,
        realized=held.realized,
        fees=held.fees,
        funding=held.funding,
        net=net,
        gain_in_risks=net / risk if risk else None,
        roe=net / margin if margin else ZERO,
        adverse=max(ZERO, held.side * (held.entry_price - held.worst) / held.entry_price),
        favorable=max(ZERO, held.side * (held.best - held.entry_price) / held.entry_price),
        slippage_bps=slippage,
        conditions=pending.readings if pending else (),
        rule=held.plan.invalidation if pending and held.plan and _came_true(pending) else "",
    )


def _came_true(pending: PendingExit) -> bool:
    """Whether the strategy's own rule fired when an exit was decided."""
    fired = (one for one in pending.readings if one.kind is pending.kind and one.fires)
    return any(one.values.get("invalidated") == "true" for one in fired)
