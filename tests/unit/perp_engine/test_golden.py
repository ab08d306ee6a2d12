"""Numbers worked out by hand, and the same once more in exact fractions."""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perp_engine.commands import AdjustMargin, Advance, Deposit, NewOrder, PlaceOrders, SetLeverage
from perp_engine.engine import Engine
from perp_engine.events import Fill, FundingPaid
from perp_engine.rules import PLAIN, Rules
from perp_engine.tape import Tape
from perp_engine.views import PositionState
from suite.enums import MarginMode, Side
from suite.fixed import RATE_ONE, Price, Rate, Size, Usd
from suite.instrument import Instrument, MarginTier, default_instrument

MINUTE = 60_000
FREE = Rules(
    half_spread=Rate(0),
    slippage=Rate(0),
    participation=Rate(0),
    taker_fee=Rate(0),
    maker_fee=Rate(0),
    min_notional_usd=Usd(0),
)
BTC, ETH = default_instrument("BTC", 1), default_instrument("ETH", 2)
USD = 1_000_000
NEVER = (1 << 50, 0)


def coin(*tiers: tuple[int, int], sz_decimals: int = 0) -> Instrument:
    """A coin of tiers, each a lower bound in micro-USD and its leverage."""
    rows = (MarginTier(lower_bound_usd=Usd(bound), max_leverage=most) for bound, most in tiers)
    return Instrument(coin="TOY", sz_decimals=sz_decimals, tiers=tuple(rows))


TOY = coin((0, 10))


@dataclass
class World:
    """One account among flat bars, each at the price of its place in a list."""

    engine: Engine

    @classmethod
    def of(
        cls,
        coins: tuple[Instrument, ...],
        *prices: list[int],
        rules: Rules = FREE,
        stamps: tuple[tuple[int, int], ...] = (),
        cash: int = 10**15,
    ) -> "World":
        bars = np.array([[row] * 4 + [[1000] * len(row)] for row in prices], np.int64)
        funding = tuple(np.array([*stamps, NEVER], np.int64) for _ in coins)
        engine = Engine(coins, Tape(0, MINUTE, bars, funding), 1, rules)
        engine.apply(Deposit(account=0, usd=Usd(cash)))
        return cls(engine)

    def trade(self, size: int, symbol: int = 0) -> Fill:
        side = Side.BUY if size > 0 else Side.SELL
        order = NewOrder(symbol=symbol, side=side, size=Size(abs(size)))
        events = self.engine.apply(PlaceOrders(account=0, orders=(order,)))
        [fill] = [event for event in events if isinstance(event, Fill)]
        return fill

    def lever(self, leverage: int, symbol: int = 0, mode: MarginMode = MarginMode.CROSS) -> None:
        command = SetLeverage(account=0, symbol=symbol, leverage=leverage, mode=mode)
        self.engine.apply(command)

    def next(self) -> list[FundingPaid]:
        events = self.engine.apply(Advance(until_bar=self.engine.bar + 1))
        return [event for event in events if isinstance(event, FundingPaid)]

    def position(self, symbol: int = 0) -> PositionState:
        return self.engine.position(0, symbol)

    @property
    def cash(self) -> int:
        return self.engine.account(0).cash_usd


def maintenance(instrument: Instrument, notional: int) -> int:
    """The tiers of the specification, in exact fractions."""
    deduction, rate_before = 0, instrument.tiers[0].maintenance
    total = Fraction(0)
    for tier in instrument.tiers:
        step = Fraction(tier.lower_bound_usd * (tier.maintenance - rate_before), RATE_ONE)
        rate_before = tier.maintenance
        deduction += floor(step)
        if notional >= tier.lower_bound_usd:
            total = Fraction(ceil(Fraction(notional * tier.maintenance, RATE_ONE)) - deduction)
    return int(total)


def falls_short(instrument: Instrument, size: int, cost: int, backing: int, price: int) -> bool:
    return backing + size * price - cost < maintenance(instrument, abs(size) * price)


def assert_is_first(
    instrument: Instrument, position: PositionState, backing: int, *, is_long: bool
) -> None:
    price = position.liquidation_price
    assert price is not None
    fine = price + (1 if is_long else -1)
    for at, expected in ((price, True), (fine, False)):
        assert expected == falls_short(instrument, position.size, position.cost_usd, backing, at)


# liquidation prices


@pytest.mark.parametrize(
    ("size", "cash_usd", "expected"),
    # 0.5 BTC at 60000. Long: 1000 + 0.5 p - 30000 < 0.00625 p below 29000 / 0.49375 = 58734.177
    # Short: 1000 + 30000 - 0.5 p < 0.00625 p above 31000 / 0.50625 = 61234.567
    # what is out of reach: a long covered down to nothing, a short whose price would be 3e10 units
    [
        (50_000, 1000, 587_341),
        (-50_000, 1000, 612_346),
        (50_000, 31_000, None),
        (-1, 31_000, None),
    ],
)
def test_liquidation_price_of_a_cross_position(
    size: int, cash_usd: int, expected: int | None
) -> None:
    """The first price below maintenance; None when the cash covers even a price of nothing."""
    world = World.of((BTC,), [600_000], cash=cash_usd * USD)
    world.trade(size)
    position = world.position()
    assert expected == position.liquidation_price
    if expected is not None:
        assert_is_first(BTC, position, world.cash, is_long=size > 0)


@pytest.mark.parametrize(
    ("size", "extra_usd", "expected"),
    # 0.2 BTC at 60000, 20x, bucket 600: 11400 / 0.1975 = 57721.519 and 12600 / 0.2025 = 62222.222
    # with 100 more: 11300 / 0.1975 = 57215.190 and 12700 / 0.2025 = 62716.049
    [
        (20_000, 0, 577_215),
        (-20_000, 0, 622_223),
        (20_000, 100, 572_151),
        (-20_000, 100, 627_161),
    ],
)
def test_liquidation_price_of_an_isolated_position(
    size: int, extra_usd: int, expected: int
) -> None:
    """Only its bucket stands behind it, whatever the cash."""
    world = World.of((BTC,), [600_000])
    world.lever(20, mode=MarginMode.ISOLATED)
    world.trade(size)
    world.engine.apply(AdjustMargin(account=0, symbol=0, usd=Usd(extra_usd * USD)))
    position = world.position()
    assert (600 + extra_usd) * USD == position.bucket_usd
    assert expected == position.liquidation_price
    assert_is_first(BTC, position, position.bucket_usd, is_long=size > 0)


def test_liquidation_prices_of_two_coins_share_one_pool() -> None:
    """Each is judged with the other at its mark: profit and maintenance of both count."""
    # long 0.5 BTC at 60000, short 8 ETH at 2500, 2000 of cash; then BTC 59000, ETH 2450
    world = World.of((BTC, ETH), [600_000, 590_000], [250_000, 245_000], cash=2000 * USD)
    world.trade(50_000)
    world.trade(-80_000, 1)
    world.next()
    # BTC: 2000 + 400 - 392 + 0.5 p - 30000 < 0.00625 p: 27992 / 0.49375 = 56692.658
    assert world.position(0).liquidation_price == 566_926
    assert_is_first(BTC, world.position(0), (2000 + 400 - 392) * USD, is_long=True)
    # ETH: 2000 - 500 - 368.75 + 20000 - 8 p < 0.16 p: 21131.25 / 8.16 = 2589.614
    assert world.position(1).liquidation_price == 258_962
    backing = 2000 * USD - 500 * USD - 368_750_000
    assert_is_first(ETH, world.position(1), backing, is_long=False)


@pytest.mark.parametrize(
    ("entry", "size", "expected"),
    # 5 % below 100 USD, 10 % less 5 USD from there; isolated at 5x: a fifth is behind it.
    # Short at 87.5: 17.5 - 12.5 = 5 at 100 just holds; at 87.499999 a micro-USD is lacking.
    # Long at 118.75: 23.75 - 18.75 = 5 at 100. At 118.750002 (bucket 23.750001, rounded up) it is
    # 4.999999, and at 100.000001 its 5 meet a maintenance of 5.000001.
    [
        (87_500_000, -1, 100_000_001),
        (87_499_999, -1, 100_000_000),
        (118_750_000, 1, 99_999_999),
        (118_750_002, 1, 100_000_001),
    ],
)
def test_liquidation_price_on_both_sides_of_a_tier(entry: int, size: int, expected: int) -> None:
    """Where maintenance changes its slope, the price is still the first that falls short."""
    tiered = coin((0, 10), (100 * USD, 5))
    world = World.of((tiered,), [entry])
    world.lever(5, mode=MarginMode.ISOLATED)
    world.trade(size)
    position = world.position()
    assert expected == position.liquidation_price
    assert_is_first(tiered, position, position.bucket_usd, is_long=size > 0)


@given(
    steps=st.lists(st.integers(1, 400 * USD), min_size=1, max_size=9, unique=True),
    leverages=st.lists(st.integers(1, 50), min_size=9, max_size=9),
    size=st.integers(-300, 300).filter(bool),
    entry=st.integers(USD // 100, 3 * USD),
    share=st.integers(0, 300),
)
def test_liquidation_price_over_any_tiers(
    steps: list[int], leverages: list[int], size: int, entry: int, share: int
) -> None:
    """Over up to ten tiers the price is still the first: its neighbor holds, it does not."""
    bounds = [0, *sorted(steps)]
    falling = [50, *sorted(leverages, reverse=True)]
    tiered = coin(*zip(bounds, falling, strict=False))
    world = World.of((tiered,), [entry])
    world.lever(1, mode=MarginMode.ISOLATED)
    world.trade(size)
    # less is not possible, more is: a hundredth of the notional for each share
    extra = Usd(abs(size) * entry * share // 100)
    world.engine.apply(AdjustMargin(account=0, symbol=0, usd=extra))
    position = world.position()
    if position.liquidation_price is not None:
        assert_is_first(tiered, position, position.bucket_usd, is_long=size > 0)
    elif size > 0:
        cost, bucket = position.cost_usd, position.bucket_usd
        assert not falls_short(tiered, size, cost, bucket, 1)


# margin


@pytest.mark.parametrize(
    ("mark", "expected"),
    # at the bound 5 % of 100 USD equals 10 % less the deduction of 5 USD; one micro-USD beside it
    # the two roundings up part: ceil(4999999.95), 10000000 - 5000000, ceil(10000000.1) - 5000000
    [(99_999_999, 5_000_000), (100_000_000, 5_000_000), (100_000_001, 5_000_001)],
)
def test_maintenance_one_micro_usd_beside_a_tier(mark: int, expected: int) -> None:
    """The bound is inclusive, and maintenance is continuous over it."""
    tiered = coin((0, 10), (100 * USD, 5))
    world = World.of((tiered,), [90 * USD, mark])
    world.lever(5)
    world.trade(1)
    world.next()
    assert expected == world.position().maintenance_usd
    assert expected == maintenance(tiered, mark)


@pytest.mark.parametrize(
    ("size", "mark", "expected_usd"),
    # BTC: 1.25 % to 150M, then 2.5 % less 150M * (0.025 - 0.0125) = 1.875M
    [
        (100_000_000, 600_000, 750_000),
        (250_000_000, 599_999, Fraction(1_874_996_875_000, USD)),
        (250_000_000, 600_000, 1_875_000),
        (250_000_000, 640_000, 2_125_000),
        (300_000_000, 600_000, 2_625_000),
    ],
)
def test_maintenance_of_bitcoin_tiers(size: int, mark: int, expected_usd: Fraction) -> None:
    """40x to 150 million USD of notional, 20x from there, as the venue publishes them."""
    world = World.of((BTC,), [600_000, mark], cash=10**14)
    world.lever(20)
    half = size // 2
    for signed in (half, size - half):
        world.trade(signed)
    world.next()
    assert expected_usd * USD == world.position().maintenance_usd
    assert maintenance(BTC, size * mark) == world.position().maintenance_usd


@pytest.mark.parametrize("notional", [99, 100, 1_000_003, 7_654_321, 7_654_322, 200_000_001])
def test_deductions_are_rounded_down_tier_by_tier(notional: int) -> None:
    """Bounds and rates that divide nothing evenly: 1/6, 1/14, 1/2 of the notional."""
    tiered = coin((0, 7), (1_000_003, 3), (7_654_321, 1))
    world = World.of((tiered,), [50, notional])
    world.lever(1)
    world.trade(1)
    world.next()
    assert maintenance(tiered, notional) == world.position().maintenance_usd


@pytest.mark.parametrize(("leverage", "expected"), [(1, 1000), (3, 334), (7, 143), (10, 100)])
def test_initial_margin_is_rounded_up(leverage: int, expected: int) -> None:
    """1000 micro-USD over the leverage."""
    world = World.of((TOY,), [1000])
    world.lever(leverage)
    world.trade(1)
    assert expected == world.position().margin_usd == ceil(Fraction(1000, leverage))
    assert expected == world.engine.account(0).position_margin_usd


# money


@pytest.mark.parametrize(
    ("size", "rate", "expected"),
    # 0.5 USD of notional a unit: half a micro-USD for an odd rate
    [
        (1000, 1, 0),
        (1000, 3, -2),
        (1000, 5, -2),
        (1000, 7, -4),
        (1000, 2, -1),
        (1000, -1, 0),
        (1000, -3, 2),
        (-1000, 1, 0),
        (-1000, 3, 2),
        (-1000, -5, -2),
        (1001, 1, -1),
        (999, 3, -1),
    ],
)
def test_funding_is_rounded_half_to_even(size: int, rate: int, expected: int) -> None:
    """Longs pay a positive rate, shorts receive it; exact halves go to the even micro-USD."""
    world = World.of((TOY,), [500_000, 500_000], stamps=((MINUTE, rate),))
    world.lever(1)
    world.trade(size)
    before = world.cash
    [paid] = world.next()
    assert expected == paid.usd == -round(Fraction(size * 500_000 * rate, RATE_ONE))
    assert world.cash == before + expected
    assert -expected == world.position().funding_all_usd == world.position().funding_open_usd


@pytest.mark.parametrize(
    ("price", "size", "rate", "expected"),
    [
        (1000, 1, 1_000_000, 1),
        (1000, 1, 1_000_001, 2),
        (1000, 3, 333_333, 1),
        (1, 1, 1, 1),
        (1000, 1, 0, 0),
        (1000, 1, -1_000_000, -1),
        (1000, 1, -1_999_999, -1),
        (1000, 1, -999_999, 0),
        (123_457, 1001, 450_000, 55_612),
    ],
)
def test_fees_are_rounded_up_and_rebates_down(
    price: int, size: int, rate: int, expected: int
) -> None:
    """A fraction of a micro-USD is the venue's, both ways."""
    world = World.of((TOY,), [price], rules=replace(FREE, taker_fee=Rate(rate)))
    fill = world.trade(size)
    assert expected == fill.fee_usd == ceil(Fraction(price * size * rate, RATE_ONE))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("first", "second", "released"),
    # one unit each at two prices; half of the cost is released: 100.5 to 100, 101.5 to 102
    [(100, 101, 100), (101, 102, 102), (102, 103, 102), (100, 102, 101)],
)
def test_cost_basis_is_released_half_to_even(
    sign: int, first: int, second: int, released: int
) -> None:
    """What is not released stays, so that the last part releases the rest."""
    world = World.of((TOY,), [first, second, 200])
    for _ in range(2):
        world.trade(sign)
        world.next()
    assert sign * (first + second) == world.position().cost_usd
    fill = world.trade(-sign)
    assert fill.realized_pnl_usd == sign * (200 - released)
    assert released == round(Fraction(first + second, 2))
    assert sign * (first + second - released) == world.position().cost_usd
    last = world.trade(-sign)
    assert last.realized_pnl_usd == sign * (200 - (first + second - released))
    assert world.position().cost_usd == 0


@pytest.mark.parametrize(
    ("price", "rate", "half"),
    # a tick is 10 units at 600000 (whole dollars of BTC), 1 at 99999, 10 at 100000
    [
        (600_000, 0, 0),
        (600_000, 1, 5),
        (600_000, 8_333, 5),
        (600_000, 8_334, 6),
        (600_000, 50_000, 30),
        (600_001, 50_000, 31),
        (99_999, 1, 1),
        (99_999, 10_000, 1),
        (99_999, 10_001, 2),
        (100_000, 1, 5),
        (12_000_000, 1, 5),
    ],
)
def test_half_spread_is_rounded_up_and_at_least_half_a_tick(
    price: int, rate: int, half: int
) -> None:
    """The larger of the two, and none at all when the world has none."""
    rules = replace(PLAIN, half_spread=Rate(rate))
    book = World.of((BTC,), [price], rules=rules).engine.book(0)
    assert (price - half, price + half) == (book.bid, book.ask)
    if rate:
        tick = BTC.tick(price)
        assert half == max(ceil(Fraction(price * rate, RATE_ONE)), ceil(Fraction(tick, 2)))


@pytest.mark.parametrize(
    ("slippage", "impact", "size", "expected"),
    # around 600000, V = 1000: impact 7e-6 * 3 / 1000 = 21e-9; 600000 * 21e-9 = 0.0126, up to 1
    [
        (0, 0, 3, 600_000),
        (1, 0, 3, 600_001),
        (0, 7_000, 3, 600_001),
        (100_000, 0, 3, 600_060),
        (100_001, 0, 3, 600_061),
        # 99998.334 of impact up to 99999: 600000 * 1.99999e-4 = 119.9994, up to 120
        (100_000, 299_995, 333, 600_120),
        (100_000, 100_001, 1000, 600_121),
        (100_000, 100_001, 5000, 600_121),
    ],
)
def test_slippage_and_impact_are_rounded_up(
    slippage: int, impact: int, size: int, expected: int
) -> None:
    """The rate of the impact first, then what both make of the touch."""
    rules = replace(FREE, slippage=Rate(slippage), impact=Rate(impact))
    world = World.of((BTC,), [600_000, 600_000], rules=rules)
    world.next()
    fill = world.trade(size)
    rate = slippage + ceil(Fraction(impact * min(size, 1000), 1000))
    assert expected == fill.price == 600_000 + ceil(Fraction(600_000 * rate, RATE_ONE))
    assert Price(600_000) == fill.reference_price
