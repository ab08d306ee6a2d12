"""Where an account stands, and the two exits that look at it: before the venue acts."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.strategy_core.exits.small_venue import BTC, ETH, SmallVenue, places

from strategy_core.exits.facts import return_on_margin
from strategy_core.exits.memory import CoinMemory
from strategy_core.exits.rules import ExitRules
from strategy_core.exits.standing import Backing, maintenance_rate, standing_of
from strategy_core.port import Observation
from suite.contracts.clock import AccountView, PositionView
from suite.contracts.venue import PlaceOrder
from suite.fixed import Rate, Usd
from suite.instrument import Instrument, MarginTier

COINS = {"ETH": ETH, "BTC": BTC}


def view(
    coin: str,
    size: str,
    entry: str,
    gain: str = "0",
    *,
    isolated: bool = False,
    margin: str = "0",
    liquidation: str = "1950.5",
) -> PositionView:
    return PositionView(
        coin=coin,
        size=Decimal(size),
        entry_px=Decimal(entry),
        unrealized_pnl=Decimal(gain),
        leverage=25,
        isolated=isolated,
        margin_used=Decimal(margin),
        liquidation_px=Decimal(liquidation),
        funding=Decimal("1.5"),
    )


REPORT = AccountView(equity=Decimal(950), cross_equity=Decimal(900), margin_used=Decimal(0))
"""The venue's own word."""


def test_maintenance_is_that_of_the_tier_a_notional_lies_in() -> None:
    tiers = (
        MarginTier(lower_bound_usd=Usd(0), max_leverage=25),
        MarginTier(lower_bound_usd=Usd(10**12), max_leverage=10, maintenance_rate=Rate(60_000_000)),
    )
    coin = Instrument(coin="X", sz_decimals=2, tiers=tiers)
    assert Decimal("0.02") == maintenance_rate(coin, Decimal(999_999))
    assert Decimal("0.06") == maintenance_rate(coin, Decimal(1_000_000))


def test_all_cross_positions_share_the_account() -> None:
    """Maintenance is 2 percent of 40,000 and of 10,000: a tenth of an equity of 10,000."""
    seen = Observation(
        now_ms=0,
        equity=Decimal(10_000),
        positions={"ETH": view("ETH", "20", "2000"), "BTC": view("BTC", "-0.1", "100000")},
        mids={"ETH": Decimal(2000), "BTC": Decimal(100_000)},
    )
    standing = standing_of(seen, COINS, None, marks_are_old=False)
    assert Decimal("0.1") == standing.usage
    eth = standing.backings["ETH"]
    assert eth.liquidation == eth.price_at(Decimal(1))
    at = eth.price_at(Decimal(1)) or Decimal(0)
    fall = Decimal(2000) - at
    equity, maintenance = Decimal(10_000) - 20 * fall, Decimal(1000) - Decimal("0.4") * fall
    assert abs(equity - maintenance) < Decimal("1e-20")


def test_an_isolated_position_stands_on_its_own_margin() -> None:
    """The venue's report says so, and where it would be liquidated, and what funding cost."""
    seen = Observation(
        now_ms=0,
        equity=Decimal(1000),
        positions={"ETH": view("ETH", "1", "2000", isolated=True, margin="100")},
        mids={"ETH": Decimal(2000)},
    )
    eth = standing_of(seen, COINS, REPORT, marks_are_old=False).backings["ETH"]
    assert (Decimal("0.4"), Decimal("1950.5"), Decimal("1.5")) == (
        eth.usage,
        eth.liquidation,
        eth.funding,
    )
    shared = replace(seen, positions={"ETH": view("ETH", "1", "2000")})
    cross = standing_of(shared, COINS, REPORT, marks_are_old=False)
    assert Decimal(40) / 900 == cross.usage


def test_a_return_on_margin_counts_funding_and_the_fee_of_closing() -> None:
    """1 ETH at 2,000 on 80 USD gains 10, has paid 1.5, and closing it costs 0.9045."""
    held = CoinMemory(
        coin="ETH",
        noted_ms=0,
        side=1,
        entry_price=Decimal(2000),
        size=Decimal(1),
        leverage=25,
    )
    seen = Observation(
        now_ms=0, positions={"ETH": view("ETH", "1", "2000")}, mids={"ETH": Decimal(2010)}
    )
    backing = standing_of(seen, COINS, REPORT, marks_are_old=False).backings["ETH"]
    expected = (Decimal(10) - Decimal("1.5") - Decimal("0.9045")) / 80
    assert expected == return_on_margin(held, backing, ExitRules())


def test_an_old_mark_is_read_from_the_position_itself() -> None:
    seen = Observation(
        now_ms=0,
        equity=Decimal(1000),
        positions={"ETH": view("ETH", "2", "2000", "-60")},
        mids={"ETH": Decimal(2000)},
    )
    fresh = standing_of(seen, COINS, None, marks_are_old=False).backings["ETH"]
    old = standing_of(seen, COINS, None, marks_are_old=True).backings["ETH"]
    assert [Decimal(2000), Decimal(1970)] == [fresh.mark, old.mark]


def test_an_account_worth_nothing_is_used_up() -> None:
    seen = Observation(
        now_ms=0,
        equity=Decimal(0),
        positions={"ETH": view("ETH", "2", "2000")},
        mids={"ETH": Decimal(2000)},
    )
    assert Decimal("Infinity") == standing_of(seen, COINS, None, marks_are_old=False).usage


def test_a_coin_nobody_knows_has_no_usage() -> None:
    seen = Observation(now_ms=0, positions={"XYZ": view("XYZ", "2", "2000")})
    standing = standing_of(seen, COINS, None, marks_are_old=False)
    assert standing.usage is None
    assert standing.backings["XYZ"].price_at(Decimal(1)) is None


@given(
    st.decimals("-9", "9", places=2).filter(bool),
    st.decimals("100", "9000", places=1),
    st.decimals("1000", "90000", places=1),
    st.sampled_from([Decimal("0.7"), Decimal("0.85"), Decimal(1)]),
)
def test_at_the_price_found_the_usage_is_the_one_asked_for(
    size: Decimal, mark: Decimal, equity: Decimal, usage: Decimal
) -> None:
    rate = Decimal("0.02")
    backing = Backing(
        size=size, mark=mark, rate=rate, equity=equity, maintenance=abs(size) * mark * rate
    )
    price = backing.price_at(usage)
    if price is None:
        assert size > 0  # a long that its equity pays for to the last
        return
    after = equity + size * (price - mark)
    assert abs(abs(size) * price * rate - usage * after) < Decimal("1e-12")


def falling(leverage: int, size: str, equity: int, rules: ExitRules | None = None) -> SmallVenue:
    """A position at 2,000 of an account whose money hardly carries it."""
    venue = SmallVenue(rules=rules or ExitRules(), equity=Decimal(equity), leverage=leverage)
    venue.step("2000")
    venue.open(size, "2000")
    venue.step("2000")
    return venue


@pytest.mark.parametrize("side", [1, -1])
def test_a_position_is_closed_before_the_venue_liquidates_it(side: int) -> None:
    """Without a word in the configuration, at the price that the watch had named."""
    rules = ExitRules(margin_guard=False)
    venue = falling(25, str(side), 100, rules)
    (cross,) = venue.step("2000").watch.wake_on.price
    price = cross.below if side > 0 else cross.above
    assert price is not None
    assert [] == places(venue.step(str(price + side)).actions)
    (order,) = places(venue.step(str(price)).actions)  # where the watch wakes, it fires
    assert isinstance(order, PlaceOrder)
    assert (order.is_buy, Decimal(1)) == (side < 0, order.sz)
    venue.step(str(price))
    (record,) = venue.closed
    assert "forced_liquidation" == record.kind
    assert venue.equity > 0


def crowded(*, takes: bool) -> SmallVenue:
    """A long of ETH and one of BTC, the worse; 120 of 134.6 USD keep them open."""
    venue = SmallVenue(rules=ExitRules(), equity=Decimal(135), leverage=25, takes=takes)
    venue.open("1", "2000")
    venue.open("0.04", "100000", coin="BTC")
    venue.marks["BTC"] = Decimal(99_990)
    return venue


def test_the_guard_gives_up_the_worst_position_and_stops_when_it_is_safe() -> None:
    venue = crowded(takes=True)
    assert ["BTC"] == [order.coin for order in places(venue.step("2000").actions)]
    assert venue.memory.guarding
    review = venue.step("2000")
    assert ((), False) == (review.actions, venue.memory.guarding)
    (record,) = venue.closed
    values = record.conditions[1].values
    assert ("margin_guard", "0.89") == (record.kind, values["margin_usage"][:4])


def test_the_guard_waits_before_it_gives_up_another_position() -> None:
    """The first may be enough: ten seconds, then the next."""
    venue = crowded(takes=False)
    assert ["BTC"] == [order.coin for order in places(venue.step("2000").actions)]
    assert venue.now_ms + 10_000 == venue.step("2000", minutes=0).watch.until_ms
    assert [] == places(venue.step("2000", minutes=9 / 60).actions)
    assert ["ETH"] == [order.coin for order in places(venue.step("2000", minutes=1 / 60).actions)]


def test_the_guard_does_not_act_on_an_old_account() -> None:
    venue = crowded(takes=False)
    venue.step("2000", minutes=0)
    fresh = crowded(takes=False)
    review = fresh.manager().review(fresh.observe(), account_age_ms=5_001)
    assert [] == places(review.actions)
    assert 1 == len(venue.sent)


@pytest.mark.parametrize(
    "odd",
    [
        {"margin_used": Decimal("NaN")},
        {"liquidation_px": Decimal("Infinity")},
        {"funding": Decimal("1e400")},
    ],
)
def test_a_report_of_nonsense_gives_way_to_our_own_sums(odd: dict[str, Decimal]) -> None:
    """The account is at its end by what is known, so the position is closed all the same."""
    venue = falling(25, "1", 135)
    venue.takes = False
    venue.marks["ETH"] = Decimal(1900)
    seen = venue.observe()
    told = msgspec.structs.replace(seen.positions["ETH"], isolated=True, **odd)
    report = msgspec.structs.replace(REPORT, positions=(told,))
    seen = replace(seen, positions={"ETH": told})
    assert 1 == len(venue.manager().review(seen, report).actions)


def test_a_mark_that_is_old_gives_way_to_the_report_of_the_position() -> None:
    """The mid says 2,000, the position says that 98 of 100 USD are gone."""
    venue = falling(25, "1", 100, ExitRules(margin_guard=False))
    seen = venue.observe()
    position = msgspec.structs.replace(seen.positions["ETH"], unrealized_pnl=Decimal(-98))
    seen = replace(seen, positions={"ETH": position}, equity=Decimal(2))
    assert 1 == len(venue.manager().review(seen, mark_age_ms=10_001).actions)
