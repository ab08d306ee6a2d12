"""What is not about orders: money from outside, leverage, isolated margin, the timer."""

from fractions import Fraction

from tests.support.oracle import margin
from tests.support.oracle.account import Account
from tests.support.oracle.exact import up
from tests.support.oracle.world import DAY_MS, World

from perp_engine.commands import AdjustMargin, Deposit, ScheduleCancel, SetLeverage
from perp_engine.events import (
    ActionRejected,
    CancelScheduled,
    Deposited,
    LeverageSet,
    MarginMoved,
)
from suite.errors import RejectReason

SOONEST_MS = 5_000
CANCELS_A_DAY = 10


def _refuse(world: World, account: Account, reason: RejectReason) -> None:
    world.events.append(ActionRejected(time_ms=world.now_ms, account=account.index, reason=reason))


def deposit(world: World, account: Account, command: Deposit) -> None:
    """Money comes in, or leaves when nothing needs it."""
    if world.finished:
        _refuse(world, account, RejectReason.HALTED)
        return
    after = margin.cross_equity(world, account) + command.usd
    if command.usd < 0 and (
        -command.usd > margin.available(world, account)
        or after * 10 < margin.cross_notional(world, account)
    ):
        _refuse(world, account, RejectReason.MARGIN_IN_USE)
        return
    account.cash += command.usd
    world.events.append(Deposited(time_ms=world.now_ms, account=account.index, usd=command.usd))


def set_leverage(world: World, account: Account, command: SetLeverage) -> None:
    reason = _leverage_fault(world, account, command)
    if reason is not None:
        _refuse(world, account, reason)
        return
    position = account.positions[command.symbol]
    position.leverage, position.mode = command.leverage, command.mode
    world.events.append(
        LeverageSet(
            time_ms=world.now_ms,
            account=account.index,
            symbol=command.symbol,
            leverage=command.leverage,
            mode=command.mode,
        )
    )


def _is_unknown(world: World, symbol: int) -> bool:
    return not 0 <= symbol < world.tape.symbols or symbol in world.market.delisted


def _leverage_fault(world: World, account: Account, command: SetLeverage) -> RejectReason | None:
    symbol = command.symbol
    if world.finished:
        return RejectReason.HALTED
    if _is_unknown(world, symbol):
        return RejectReason.UNKNOWN_COIN
    if not 1 <= command.leverage <= world.market.instruments[symbol].tiers[0].max_leverage:
        return RejectReason.INVALID_LEVERAGE
    position = account.positions[symbol]
    if position.size and command.mode is not position.mode:
        return RejectReason.MARGIN_MODE_WITH_POSITION
    if command.leverage >= position.leverage:
        return None
    before = position.leverage, position.mode
    position.leverage, position.mode = command.leverage, command.mode
    reason = _lowering_fault(world, account, symbol)
    position.leverage, position.mode = before
    return reason


def _lowering_fault(world: World, account: Account, symbol: int) -> RejectReason | None:
    position = account.positions[symbol]
    mark = world.market.marks[symbol]
    covered = position.bucket + position.profit(mark)
    if not position.is_cross and covered < position.initial_margin(mark):
        return RejectReason.ISOLATED_LEVERAGE_NEEDS_MARGIN
    is_concerned = position.size or account.orders_in(symbol)
    if is_concerned and margin.available(world, account) < 0:
        return RejectReason.LEVERAGE_NEEDS_MARGIN
    return None


def adjust_margin(world: World, account: Account, command: AdjustMargin) -> None:
    reason = _adjusting_fault(world, account, command)
    if reason is not None:
        _refuse(world, account, reason)
        return
    account.cash -= command.usd
    account.positions[command.symbol].bucket += command.usd
    world.events.append(
        MarginMoved(
            time_ms=world.now_ms, account=account.index, symbol=command.symbol, usd=command.usd
        )
    )


def _adjusting_fault(world: World, account: Account, command: AdjustMargin) -> RejectReason | None:
    if world.finished:
        return RejectReason.HALTED
    if not 0 <= command.symbol < world.tape.symbols:
        return RejectReason.UNKNOWN_COIN
    position = account.positions[command.symbol]
    if position.is_cross or not position.size:
        return RejectReason.NOT_ISOLATED
    if command.usd > 0 and command.usd > margin.available(world, account):
        return RejectReason.MARGIN_IN_USE
    mark = world.market.marks[command.symbol]
    stays = position.bucket + command.usd + position.profit(mark)
    tenth = up(Fraction(abs(position.size) * mark, 10))
    if command.usd < 0 and stays < max(position.initial_margin(mark), tenth):
        return RejectReason.MARGIN_IN_USE
    return None


def schedule_cancel(world: World, account: Account, command: ScheduleCancel) -> None:
    """Set, move or clear the time at which all orders end."""
    now, due = world.now_ms, command.time_ms
    if world.finished:
        _refuse(world, account, RejectReason.HALTED)
        return
    if due is not None and due < now + SOONEST_MS:
        _refuse(world, account, RejectReason.SCHEDULE_TOO_SOON)
        return
    if due is not None and account.cancels.get(now // DAY_MS, 0) >= CANCELS_A_DAY:
        _refuse(world, account, RejectReason.SCHEDULE_LIMIT)
        return
    account.cancel_ms = due
    world.events.append(CancelScheduled(time_ms=now, account=account.index, cancel_ms=due))
