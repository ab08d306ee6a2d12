"""Runs of the engine that must tell the same story when their world is told differently."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.support.random_traders import COINS, MINUTE, random_tape
from tests.support.wild_traders import WildTraders

from perp_engine.commands import (
    AdjustMargin,
    Advance,
    CancelByCloid,
    CancelOrder,
    Command,
    Deposit,
    ModifyOrder,
    NewOrder,
    PlaceOrders,
    ScheduleCancel,
    SetLeverage,
)
from perp_engine.engine import Engine
from perp_engine.events import Advanced, Event, InsuranceMoved, Liquidated
from perp_engine.rules import PLAIN, BarPath, FeeTier, FillAt, LimitFill, Rules
from perp_engine.tape import Tape
from suite.bars import I64
from suite.enums import Side, Tif
from suite.fixed import Price, Rate, Size, Usd
from suite.ids import Oid
from suite.instrument import Instrument

BARS, ACCOUNTS = 60, 3
DAY_MS = 86_400_000
TIERS = (
    FeeTier(volume_usd=Usd(0), taker=Rate(450_000), maker=Rate(150_000)),
    FeeTier(volume_usd=Usd(10**11), taker=Rate(300_000), maker=Rate(-10_000)),
)
SEEDS = st.integers(0, 10_000)
RULES = st.sampled_from(
    [
        Rules(),
        Rules(impact=Rate(1_000_000), decision_latency_ms=90_000),
        replace(PLAIN, fee_tiers=TIERS),
        Rules(bar_path=BarPath.OHLC, limit_fill=LimitFill.TOUCH),
        Rules(bar_path=BarPath.OLHC, fill_at=FillAt.CLOSE),
    ]
)
FEW = settings(max_examples=40)
Log = list[tuple[Command, tuple[Event, ...]]]
Map = Callable[[int], int]


def same(value: int) -> int:
    return value


@dataclass(frozen=True, kw_only=True)
class Change:
    """How the numbers of one world read in another."""

    account: Map = same
    symbol: Map = same
    time: Map = same
    price: Map = same
    size: Map = same

    def oid(self, oid: int) -> int:
        """Ids name their account between the bar and the number."""
        account = oid >> 14 & 0xFFF
        return oid + (self.account(account) - account << 14)

    def order(self, order: NewOrder) -> NewOrder:
        trigger = order.trigger
        if trigger is not None:
            trigger = replace(trigger, price=Price(self.price(trigger.price)))
        return replace(
            order,
            symbol=self.symbol(order.symbol),
            size=Size(self.size(order.size)),
            limit_price=Price(self.price(order.limit_price)),
            trigger=trigger,
            expires_ms=self.time(order.expires_ms) if order.expires_ms else 0,
        )

    def command(self, command: Command) -> Command:
        if isinstance(command, Advance):
            return command
        command = replace(command, account=self.account(command.account))
        match command:
            case PlaceOrders(orders=orders):
                return replace(command, orders=tuple(self.order(order) for order in orders))
            case ModifyOrder(oid=oid, order=order):
                return replace(command, oid=Oid(self.oid(oid)), order=self.order(order))
            case CancelOrder(symbol=symbol, oid=oid):
                return replace(command, symbol=self.symbol(symbol), oid=Oid(self.oid(oid)))
            case ScheduleCancel(time_ms=time_ms):
                return replace(command, time_ms=None if time_ms is None else self.time(time_ms))
            case CancelByCloid(symbol=symbol) | SetLeverage(symbol=symbol):
                return replace(command, symbol=self.symbol(symbol))
            case AdjustMargin(symbol=symbol):
                return replace(command, symbol=self.symbol(symbol))
        return command

    def event(self, event: Event) -> tuple[object, ...]:
        """An event as plain values, in the words of the other world."""
        read: dict[str, Map] = {
            "account": self.account,
            "symbol": self.symbol,
            "oid": self.oid,
            "tid": self.oid,
            "time_ms": self.time,
            "arrives_ms": self.time,
            "cancel_ms": self.time,
            **dict.fromkeys(("price", "reference_price", "mark"), self.price),
            **dict.fromkeys(("size", "start_position", "order_size_left", "remaining"), self.size),
        }
        values = [(field.name, getattr(event, field.name)) for field in fields(event)]
        told = (value if value is None else read.get(name, same)(value) for name, value in values)
        return (type(event).__name__, *told)


UNCHANGED = Change()
Streams = dict[object, list[tuple[object, ...]]]


def wild(
    seed: int,
    tape: Tape,
    rules: Rules,
    accounts: int = ACCOUNTS,
    coins: Sequence[Instrument] = COINS,
) -> WildTraders:
    traders = WildTraders.start(seed, coins[: tape.symbols], tape, rules, accounts=accounts)
    traders.run(4)
    return traders


def replay(engine: Engine, commands: Sequence[Command]) -> Log:
    return [(command, engine.apply(command)) for command in commands]


def streams(log: Log, change: Change = UNCHANGED, *, by_symbol: bool = False) -> Streams:
    """What happened, account by account (and coin by coin); where an advance stops is left out."""
    found: Streams = defaultdict(list)
    for _, events in log:
        for event in events:
            if not isinstance(event, Advanced):
                key: object = change.account(event.account)
                if by_symbol:
                    symbol = getattr(event, "symbol", None)
                    key = (key, None if symbol is None else change.symbol(symbol))
                found[key].append(change.event(event))
    return found


@FEW
@given(SEEDS, RULES, st.integers(0, ACCOUNTS - 1))
def test_who_is_removed_or_ruined_is_missed_by_nobody(seed: int, rules: Rules, lost: int) -> None:
    """With one account's commands left out, or thrown into ruin, the others see the same."""
    tape = random_tape(seed, BARS)
    traders = wild(seed, tape, rules)
    log = streams(traders.log)
    without = [c for c, _ in traders.log if isinstance(c, Advance) or c.account != lost]
    removed = replay(Engine(COINS[:2], tape, ACCOUNTS, rules), without)
    ruinous: list[Command] = []
    for command in without:
        ruinous.append(command)
        if isinstance(command, Advance):
            # all it has, levered to the utmost, again and again
            ruinous.append(Deposit(account=lost, usd=Usd(100_000_000)))
            side = Side.BUY if len(ruinous) % 2 else Side.SELL
            order = NewOrder(symbol=0, side=side, size=Size(6_000), tif=Tif.IOC)
            ruinous.append(PlaceOrders(account=lost, orders=(order,)))
    ruined = replay(Engine(COINS[:2], tape, ACCOUNTS, rules), ruinous)
    for account in set(range(ACCOUNTS)) - {lost}:
        assert log[account] == streams(removed)[account] == streams(ruined)[account]


def test_a_thousand_accounts_of_which_many_are_ruined_do_not_touch_each_other() -> None:
    """The streams of the rest are equal, hashed, whether or not a third of them ever acts."""
    tape, accounts = random_tape(3, 200), 1000
    doomed = set(range(0, accounts, 3))

    def run(*, idle: set[int]) -> tuple[list[str], int]:
        engine, rng = Engine(COINS[:2], tape, accounts, Rules()), np.random.default_rng(1)
        hashes = [hashlib.sha256() for _ in range(accounts)]
        liquidated = set()
        for _ in range(4):
            events: list[Event] = []
            for account in range(accounts):
                # 2000 USD a time; the doomed are levered 35 times, on BTC at 60000
                most = 110_000 if account in doomed else 9_000
                size = int(rng.integers(most // 2, most))
                side = Side.BUY if rng.random() < 0.5 else Side.SELL
                if account in idle:
                    continue
                order = NewOrder(symbol=0, side=side, size=Size(size), tif=Tif.IOC)
                events += engine.apply(Deposit(account=account, usd=Usd(2_000_000_000)))
                events += engine.apply(PlaceOrders(account=account, orders=(order,)))
            events += engine.apply(Advance(until_bar=engine.bar + 50))
            for event in events:
                if not isinstance(event, Advanced):
                    hashes[event.account].update(repr(event).encode())
                if isinstance(event, Liquidated | InsuranceMoved):
                    liquidated.add(event.account)
        return [h.hexdigest() for h in hashes], len(liquidated)

    everybody, ruined = run(idle=set())
    without, _ = run(idle=doomed)
    assert ruined > 100
    for account in set(range(accounts)) - doomed:
        assert everybody[account] == without[account]


@FEW
@given(SEEDS, RULES)
def test_permuted_symbols_permute_the_streams(seed: int, rules: Rules) -> None:
    """A coin's place in the tables means nothing: its name decides its turn."""
    tape = random_tape(seed, BARS, 3)
    traders = wild(seed, tape, rules)
    place = (2, 0, 1)
    back = [place.index(symbol) for symbol in range(3)]
    change = Change(symbol=place.__getitem__)
    bars = np.ascontiguousarray(tape.bars[back])
    other = Tape(0, MINUTE, bars, tuple(tape.funding[symbol] for symbol in back))
    engine = Engine([COINS[symbol] for symbol in back], other, ACCOUNTS, rules)
    log = replay(engine, [change.command(command) for command, _ in traders.log])
    assert streams(traders.log, change, by_symbol=True) == streams(log, by_symbol=True)
    for account in range(ACCOUNTS):
        assert traders.engine.account(account) == engine.account(account)


@FEW
@given(SEEDS, RULES, st.integers(1, 30_000))
def test_shifted_days_shift_nothing_but_times(seed: int, rules: Rules, days: int) -> None:
    """Whole UTC days later the same happens, that much later."""
    tape = random_tape(seed, BARS)
    traders = wild(seed, tape, rules)
    shift = days * DAY_MS
    change = Change(time=lambda time_ms: time_ms + shift)
    stamps = tuple(stamp + np.array([shift, 0]) for stamp in tape.funding)
    engine = Engine(COINS[:2], Tape(shift, MINUTE, tape.bars, stamps), ACCOUNTS, rules)
    log = replay(engine, [change.command(command) for command, _ in traders.log])
    assert streams(traders.log, change) == streams(log)


class Careful(WildTraders):
    """Traders of small sizes: a price that liquidates lies on one grid and not on the other."""

    def size(self, account: int, symbol: int, rng: np.random.Generator) -> Size:
        """Up to a tenth of what they have, without leverage."""
        notional = self.start_usd * rng.uniform(0.001, 0.1)
        return Size(max(1, int(notional / self.engine.mark(symbol))))


@FEW
@given(SEEDS, st.sampled_from([PLAIN, replace(PLAIN, limit_fill=LimitFill.THROUGH)]))
def test_another_lattice_gives_the_same_money(seed: int, rules: Rules) -> None:
    """Sizes a digit finer and prices a digit coarser: the same trades for the same micro-USD."""
    wide = random_tape(seed, BARS)
    # every price a multiple of 10 with six or more digits: valid, and as fine, on both grids
    bars: I64 = wide.bars.copy()
    bars[:, :4] -= bars[:, :4] % 10
    tape = Tape(0, MINUTE, bars, wide.funding)
    traders = Careful.start(seed, COINS[:2], tape, rules, accounts=ACCOUNTS)
    traders.run(4)
    assume(not any(isinstance(event, Liquidated) for _, events in traders.log for event in events))
    change = Change(price=lambda price: price // 10, size=lambda size: size * 10)
    finer = [replace(coin, sz_decimals=coin.sz_decimals + 1) for coin in COINS[:2]]
    rescaled = bars.copy()
    rescaled[:, :4] //= 10
    rescaled[:, 4] = np.where(bars[:, 4] > 0, bars[:, 4] * 10, bars[:, 4])
    engine = Engine(finer, Tape(0, MINUTE, rescaled, tape.funding), ACCOUNTS, rules)
    log = replay(engine, [change.command(command) for command, _ in traders.log])
    assert streams(traders.log, change) == streams(log)
    for account in range(ACCOUNTS):
        assert traders.engine.account(account) == engine.account(account)


@FEW
@given(SEEDS, RULES)
def test_many_small_advances_are_one(seed: int, rules: Rules) -> None:
    """Fed bar by bar, with advances that go nowhere between, it ends in the same bytes."""
    tape = random_tape(seed, BARS)
    traders = wild(seed, tape, rules)
    engine = Engine(COINS[:2], tape, ACCOUNTS, rules)
    for command, events in traders.log:
        if not isinstance(command, Advance):
            assert events == engine.apply(command)
            continue
        fed: list[Event] = []
        for bar in range(engine.bar, min(command.until_bar, BARS) + 1):
            fed += engine.apply(Advance(until_bar=bar))[:-1]
            fed += engine.apply(Advance(until_bar=bar))[:-1]
        assert list(events[:-1]) == fed
    assert traders.engine.digest() == engine.digest()


@FEW
@given(SEEDS, RULES, st.permutations(range(ACCOUNTS)))
def test_permuted_accounts_permute_the_streams(
    seed: int, rules: Rules, place: Sequence[int]
) -> None:
    """An account's number is a name: it decides nothing."""
    tape = random_tape(seed, BARS)
    traders = wild(seed, tape, rules)
    change = Change(account=place.__getitem__)
    engine = Engine(COINS[:2], tape, ACCOUNTS, rules)
    log = replay(engine, [change.command(command) for command, _ in traders.log])
    assert streams(traders.log, change) == streams(log)


@FEW
@given(SEEDS, RULES)
def test_leverage_that_is_set_again_changes_nothing(seed: int, rules: Rules) -> None:
    """Saying what holds already, before every command, is told and has no other effect."""
    tape = random_tape(seed, BARS)
    traders = wild(seed, tape, rules)
    engine = Engine(COINS[:2], tape, ACCOUNTS, rules)
    for command, events in traders.log:
        if not isinstance(command, Advance) and not engine.finished:
            held = engine.position(command.account, 0)
            again = SetLeverage(
                account=command.account, symbol=0, leverage=held.leverage, mode=held.mode
            )
            assert len(engine.apply(again)) == 1
        assert events == engine.apply(command)
    assert traders.engine.digest() == engine.digest()
