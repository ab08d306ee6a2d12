"""What happens when world time reaches a boundary, up to the actions that arrive there."""

from fractions import Fraction

from tests.support.oracle import liquidation, orders, path
from tests.support.oracle.account import Account
from tests.support.oracle.exact import RATE, half_even
from tests.support.oracle.market import Scene
from tests.support.oracle.world import DAY_MS, World

from perp_engine.events import FeesSet, FundingPaid
from perp_engine.rules import FillAt
from suite.enums import FillCause, OrderStatus
from suite.fixed import Rate, Size, Usd

FEE_DAYS = 14


def reach(world: World, bar: int) -> None:
    """Come to the boundary before a bar."""
    world.bar = bar
    world.scene = Scene(bar, in_path=False)
    _show_prints(world)
    if not world.finished:
        _delist(world)
    _pay_funding(world)
    _assess_fees(world)
    _cancel_what_is_due(world)
    if world.finished:
        for account in world.accounts:
            everything = list(account.orders.values())
            orders.end_all(world, account, everything, OrderStatus.DELISTED_CANCELED)
    elif bar > 0 and world.rules.fill_at is FillAt.OPEN:
        for symbol in world.market.names:
            if world.market.prints[symbol]:
                for account in world.accounts:
                    path.meet_opening(world, account, symbol, world.market.prints[symbol])


def _show_prints(world: World) -> None:
    market, bar = world.market, world.bar
    for symbol in range(market.tape.symbols):
        if not market.has_bar(symbol, bar):
            market.prints[symbol] = 0
            continue
        if world.rules.fill_at is FillAt.OPEN or not market.marks[symbol]:
            market.marks[symbol] = market.open(symbol, bar)
        market.prints[symbol] = market.marks[symbol]


def _delist(world: World) -> None:
    market = world.market
    for symbol in market.names:
        if market.last_bar[symbol] >= world.bar or symbol in market.delisted:
            continue
        market.delisted.add(symbol)
        for account in world.accounts:
            of_coin = account.orders_in(symbol)
            orders.end_all(world, account, of_coin, OrderStatus.DELISTED_CANCELED)
            if account.positions[symbol].size:
                liquidation.close_at_mark(world, account, symbol, FillCause.SETTLEMENT)
                world.make_good(account, symbol)


def _pay_funding(world: World) -> None:
    for symbol in world.market.names:
        for rate in world.market.funding_due(symbol, world.bar):
            for account in world.accounts:
                if account.positions[symbol].size:
                    _pay(world, account, symbol, rate)


def _pay(world: World, account: Account, symbol: int, rate: int) -> None:
    position = account.positions[symbol]
    value = position.size * world.market.marks[symbol]
    usd = -half_even(Fraction(value * rate, RATE))
    if position.is_cross:
        account.cash += usd
    else:
        position.bucket += usd
    world.events.append(
        FundingPaid(
            time_ms=world.now_ms,
            account=account.index,
            symbol=symbol,
            size=Size(position.size),
            rate=Rate(rate),
            usd=Usd(usd),
        )
    )


def _assess_fees(world: World) -> None:
    today = world.now_ms // DAY_MS
    tiers = world.rules.fee_tiers
    if not tiers or world.bar == 0 or world.tape.time_ms(world.bar - 1) // DAY_MS == today:
        return
    for account in world.accounts:
        traded = sum(account.traded.get(today - back, 0) for back in range(1, FEE_DAYS + 1))
        tier = max(i for i, fees in enumerate(tiers) if fees.volume_usd <= traded)
        if tier != account.fee_tier:
            account.fee_tier = tier
            world.events.append(
                FeesSet(
                    time_ms=world.now_ms,
                    account=account.index,
                    taker=tiers[tier].taker,
                    maker=tiers[tier].maker,
                )
            )


def _cancel_what_is_due(world: World) -> None:
    now = world.now_ms
    for account in world.accounts:
        if account.cancel_ms is not None and account.cancel_ms <= now:
            account.cancel_ms = None
            day = now // DAY_MS
            account.cancels[day] = account.cancels.get(day, 0) + 1
            everything = list(account.orders.values())
            orders.end_all(world, account, everything, OrderStatus.SCHEDULED_CANCEL)
        due = [order for order in account.orders.values() if 0 < order.expires_ms <= now]
        orders.end_all(world, account, due, OrderStatus.EXPIRED)
