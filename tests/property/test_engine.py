"""What holds for every run of the engine, whatever traders and market do."""

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.random_traders import COINS, DEPOSITS, MINUTE, Driver, random_tape

from perp_engine.commands import Advance, Deposit, NewOrder, PlaceOrders
from perp_engine.engine import Engine
from perp_engine.events import Event, Fill, FundingPaid, InsuranceMoved, OrderClosed, OrderOpened
from perp_engine.kernel import layout
from perp_engine.rules import PLAIN, BarPath, FillAt, LimitFill, Rules
from perp_engine.tape import CLOSE, HIGH, LOW, OPEN, VOLUME, Tape
from suite.checks import InvariantViolated
from suite.enums import FillCause, Side, Tif
from suite.fixed import RATE_ONE, Rate, Size, Usd

BARS = 90
SEEDS = st.integers(0, 10_000)
RULES = st.sampled_from(
    [
        Rules(),
        PLAIN,
        Rules(bar_path=BarPath.OHLC, limit_fill=LimitFill.TOUCH),
        Rules(bar_path=BarPath.OLHC, fill_at=FillAt.CLOSE),
    ]
)


def run(seed: int, rules: Rules, tape: Tape, accounts: int = 2) -> tuple[Driver, list[Event]]:
    driver = Driver.start(seed, tape, accounts, rules)
    events: list[Event] = []
    while not driver.engine.finished:
        events.extend(driver.step())
    return driver, events


@given(SEEDS, RULES)
def test_cash_is_deposits_and_profits_less_fees_and_funding(seed: int, rules: Rules) -> None:
    """An account's money, recounted from its events alone, is what the engine says, to the unit."""
    driver, events = run(seed, rules, random_tape(seed, BARS))
    for account in range(2):
        cash: int = DEPOSITS[account]
        size, cost = [0, 0], [0, 0]
        for event in events:
            if isinstance(event, Fill) and event.account == account:
                cash += event.realized_pnl_usd - event.fee_usd
                assert size[event.symbol] == event.start_position
                change = event.side * event.size
                held = size[event.symbol]
                if held * change < 0:
                    closed = min(abs(held), event.size)
                    signed = closed if held > 0 else -closed
                    share = round(Fraction(cost[event.symbol] * closed, abs(held)))
                    assert signed * event.price - share == event.realized_pnl_usd
                    cost[event.symbol] -= share
                    change += signed
                cost[event.symbol] += change * event.price
                size[event.symbol] += event.side * event.size
                rate = rules.taker_fee if event.is_taker else rules.maker_fee
                if event.cause is FillCause.BACKSTOP:
                    rate = Rate(0)
                exact = Fraction(event.price * event.size * rate, RATE_ONE)
                assert exact <= event.fee_usd < exact + 1
            elif isinstance(event, FundingPaid | InsuranceMoved) and event.account == account:
                cash += event.usd
        state = driver.engine.account(account)
        assert cash == state.cash_usd
        for symbol in range(2):
            position = driver.engine.position(account, symbol)
            assert (size[symbol], cost[symbol]) == (position.size, position.cost_usd)


@given(SEEDS, RULES)
def test_no_fill_is_outside_its_bar(seed: int, rules: Rules) -> None:
    """In a bar's path a fill is within the bar; at a boundary it is the print and its cost."""
    tape = random_tape(seed, BARS)
    _, events = run(seed, rules, tape)
    for fill in (event for event in events if isinstance(event, Fill)):
        bar = fill.time_ms // MINUTE
        low, high = tape.bars[fill.symbol, LOW, bar], tape.bars[fill.symbol, HIGH, bar]
        assert tape.bars[fill.symbol, VOLUME, bar] >= 0
        if fill.time_ms % MINUTE:
            assert low <= fill.price <= high
            assert low <= fill.reference_price <= high
        else:
            known = int(tape.bars[fill.symbol, OPEN, bar])
            if rules.fill_at is FillAt.CLOSE and bar > 0:
                known = _last_close(tape, fill.symbol, bar)
            assert fill.reference_price == known
            assert fill.side * (fill.price - fill.reference_price) >= 0


def _last_close(tape: Tape, symbol: int, bar: int) -> int:
    present = np.flatnonzero(tape.bars[symbol, VOLUME, :bar] >= 0)
    return int(tape.bars[symbol, CLOSE, present[-1]])


@given(SEEDS, RULES)
def test_reduce_only_never_increases_or_flips(seed: int, rules: Rules) -> None:
    """A fill of a reduce-only order brings its position toward zero, and not beyond."""
    driver = Driver.start(seed, random_tape(seed, BARS), 2, rules)
    reducing: set[int] = set()
    while not driver.engine.finished:
        for event in driver.step():
            if isinstance(event, Fill) and event.oid in reducing:
                after = event.start_position + event.side * event.size
                assert abs(after) < abs(event.start_position)
                assert after * event.start_position >= 0
        for account in range(2):
            orders = driver.engine.open_orders(account)
            reducing |= {order.oid for order in orders if order.reduce_only}


@given(SEEDS, RULES)
def test_an_order_ends_once_and_fills_what_it_says(seed: int, rules: Rules) -> None:
    """Fills of an order and what remains of it add up; nothing follows its end; ids are unique."""
    _, events = run(seed, rules, random_tape(seed, BARS))
    ended: dict[int, int] = {}
    opened: set[int] = set()
    trades: set[tuple[int, int]] = set()
    for event in events:
        if isinstance(event, OrderOpened):
            assert event.oid not in opened
            opened.add(event.oid)
        elif isinstance(event, Fill) and event.cause is FillCause.ORDER:
            assert event.oid in opened
            assert event.oid not in ended
            assert (event.account, event.tid) not in trades
            trades.add((event.account, event.tid))
        elif isinstance(event, OrderClosed):
            assert event.oid in opened
            assert event.oid not in ended
            ended[event.oid] = event.remaining
    assert opened == set(ended)


@given(SEEDS, RULES, st.integers(0, 1))
def test_accounts_do_not_touch_each_other(seed: int, rules: Rules, removed: int) -> None:
    """Silencing one account leaves every event of the other equal."""
    tape = random_tape(seed, BARS)

    def stream(idle: int | None) -> list[Event]:
        driver = Driver.start(seed, tape, 2, rules, idle=idle)
        events: list[Event] = []
        while not driver.engine.finished:
            events.extend(driver.step())
        return [event for event in events if getattr(event, "account", None) == 1 - removed]

    assert stream(None) == stream(removed)


@given(SEEDS, RULES, st.integers(3, BARS - 3))
def test_nothing_before_a_cut_depends_on_the_bars_after_it(
    seed: int, rules: Rules, cut: int
) -> None:
    """With the future replaced by garbage, but for the next print, the past is byte-equal."""
    tape = random_tape(seed, BARS)
    poisoned = tape.bars.copy()
    rng = np.random.default_rng(seed)
    poisoned[:, :4, cut:] = rng.integers(100_000, 900_000, poisoned[:, :4, cut:].shape)
    poisoned[:, 4, cut + 1 :] = rng.integers(0, 10_000, poisoned[:, 4, cut + 1 :].shape)
    poisoned[:, OPEN, cut] = tape.bars[:, OPEN, cut]
    poisoned[:, HIGH, cut:] = poisoned[:, :4, cut:].max(axis=1)
    poisoned[:, LOW, cut:] = poisoned[:, :4, cut:].min(axis=1)
    stamps = tuple(np.where(f[:, :1] > cut * MINUTE, f + 7, f) for f in tape.funding)
    other = Tape(0, MINUTE, np.ascontiguousarray(poisoned), stamps)

    def until_cut(world: Tape) -> tuple[list[Event], list[object]]:
        driver = Driver.start(seed, world, 2, rules)
        events: list[Event] = []
        while driver.engine.bar + 3 <= cut:
            events.extend(driver.step())
        events.extend(driver.engine.apply(Advance(until_bar=cut)))
        engine = driver.engine
        reads: list[object] = [
            (engine.mark(s), engine.book(s), engine.last_funding(s)) for s in (0, 1)
        ]
        reads += [(engine.account(a), engine.open_orders(a)) for a in (0, 1)]
        return events, reads

    assert until_cut(tape) == until_cut(other)


@given(SEEDS, RULES)
def test_an_advance_in_parts_is_an_advance_in_one(seed: int, rules: Rules) -> None:
    """Stopping at every bar changes nothing but the stops."""
    tape = random_tape(seed, BARS)
    whole, parts = (Driver.start(seed, tape, 2, rules) for _ in range(2))
    while not whole.engine.finished:
        for account, rng in enumerate(whole.generators):
            command = whole.command(account, rng)
            assert whole.engine.apply(command) == parts.engine.apply(command)
        until = whole.engine.bar + 5
        one = whole.engine.apply(Advance(until_bar=until))[:-1]
        many: list[Event] = []
        for bar in range(parts.engine.bar + 1, min(until, BARS) + 1):
            many.extend(parts.engine.apply(Advance(until_bar=bar))[:-1])
        assert list(one) == many
    assert whole.engine.digest() == parts.engine.digest()


def test_a_unit_too_much_anywhere_is_noticed_at_once() -> None:
    """One micro-USD planted into an account, or one unit into a size, stops the engine."""
    for table, field in ((layout.AT_ACCOUNT, layout.CASH), (layout.AT_POSITION, layout.SIZE)):
        driver = Driver.start(1, random_tape(1, BARS), 2, Rules())
        world = driver.engine._world
        world[world[table] + field] += 1
        with pytest.raises(InvariantViolated):
            driver.engine.apply(Advance(until_bar=1))


def test_numbers_beyond_64_bits_are_refused_and_change_nothing() -> None:
    """Sizes and prices that no venue has ever seen are refused for their form."""
    engine = Driver.start(1, random_tape(1, BARS), 1, Rules()).engine
    before = engine.digest()
    for size in (10**30, -(10**30), -1, 3_000_000_000):
        order = NewOrder(symbol=0, side=Side.BUY, size=Size(size), tif=Tif.IOC)
        engine.apply(PlaceOrders(account=0, orders=(order,)))
    assert engine.open_orders(0) == ()
    assert engine.position(0, 0).size == 0
    assert before == engine.digest()


def test_many_orders_make_the_tables_grow_and_keep_their_places() -> None:
    """A thousand open orders fit, the next is refused, and all of them are still found."""
    tape = random_tape(1, BARS)
    engine = Engine(COINS[:2], tape, 1, PLAIN)
    engine.apply(Deposit(account=0, usd=Usd(10**15)))
    order = NewOrder(
        symbol=0, side=Side.BUY, size=Size(1000), limit_price=COINS[0].parse_price(30000)
    )
    for _ in range(101):
        engine.apply(PlaceOrders(account=0, orders=(order,) * 10))
    assert len(engine.open_orders(0)) == 1000
    assert len({order.oid for order in engine.open_orders(0)}) == 1000


SCRIPT = """
from tests.support.random_traders import Driver, random_tape
from perp_engine.rules import Rules
for seed in range(3):
    driver = Driver.start(seed, random_tape(seed, 60), 2, Rules())
    while not driver.engine.finished:
        driver.step()
    print(driver.engine.digest())
"""


@pytest.mark.process
def test_compiled_and_interpreted_kernel_end_in_the_same_bytes() -> None:
    """One source text: the whole state is equal with the compiler on and off."""
    root = Path(__file__).parents[2]

    def digests(disabled: str) -> str:
        env = {**os.environ, "NUMBA_DISABLE_JIT": disabled, "PYTHONPATH": str(root)}
        command = [sys.executable, "-c", SCRIPT]
        return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout

    assert digests("0") == digests("1")
