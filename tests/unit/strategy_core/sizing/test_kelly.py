"""Confidence to margin: the reference tables, and the caps that nothing gets around."""

import math
import random
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_core.sizing.kelly import (
    CapBasis,
    InUse,
    KellyRules,
    Reservations,
    kelly_multiplier,
    plan_margin,
)
from strategy_core.sizing.reasons import SkipReason

EQUITY = Decimal(10_000)
RULES = KellyRules()
confidences = st.floats(0, 1)


@pytest.mark.parametrize(
    ("confidence", "multiplier", "margin"),
    [
        (0.51, "0.04", 20),
        (0.60, "0.4", 200),
        (0.625, "0.5", 250),
        (0.75, "1", 500),
        (0.90, "1.6", 800),
        (1.00, "2", 1000),
    ],
)
def test_confidence_becomes_margin_by_the_table(
    confidence: float, multiplier: str, margin: int
) -> None:
    """Five percent of 10,000 at three quarters, and in proportion to the edge."""
    plan = plan_margin(confidence, EQUITY, rules=RULES)
    assert [Decimal(multiplier), margin, margin] == [plan.multiplier, plan.wanted, plan.margin]
    assert plan.skip is None


@pytest.mark.parametrize(
    ("confidence", "reason"),
    [
        (0.40, SkipReason.NO_EDGE),
        (0.50, SkipReason.NO_EDGE),
        (0.0, SkipReason.NO_EDGE),
        (None, SkipReason.NO_CONFIDENCE),
        (math.nan, SkipReason.NO_CONFIDENCE),
        (math.inf, SkipReason.NO_CONFIDENCE),
        (1.01, SkipReason.NO_CONFIDENCE),
        (-0.1, SkipReason.NO_CONFIDENCE),
    ],
)
def test_without_an_edge_nothing_is_traded(confidence: float | None, reason: SkipReason) -> None:
    """Exactly one half is not an edge, and what is not a probability is no confidence."""
    assert reason == kelly_multiplier(confidence)
    plan = plan_margin(confidence, EQUITY, rules=RULES)
    assert (Decimal(0), reason) == (plan.margin, plan.skip)


def test_the_position_cap_binds_after_kelly_and_not_before() -> None:
    """Eight percent at certainty asks 1,600 and gets 1,000, not 8 percent of a capped base."""
    plan = plan_margin(1.0, EQUITY, rules=KellyRules(base_fraction=0.08))
    assert [1600, 1000] == [plan.wanted, plan.margin]
    assert SkipReason.CAP_POSITION == plan.bound


@pytest.mark.parametrize(
    ("in_use", "margin", "skip"),
    [
        (0, 700, None),
        (4600, 400, None),
        (4800, 0, SkipReason.CAP_ACCOUNT),
        (5100, 0, SkipReason.CAP_ACCOUNT),
    ],
)
def test_the_account_cap_shrinks_a_trade_or_skips_it(
    in_use: int, margin: int, skip: SkipReason | None
) -> None:
    """Less than half of the wanted 700 is not worth a trade."""
    used = InUse(account=Decimal(in_use))
    plan = plan_margin(0.85, EQUITY, in_use=used, rules=RULES)
    assert [700, margin] == [plan.wanted, plan.margin]
    assert skip == plan.skip


def test_a_trade_that_the_cap_alone_makes_small_is_still_made() -> None:
    """A base of 10 percent and a cap of 2 leave a fifth of the wish, and that is meant."""
    plan = plan_margin(0.75, EQUITY, rules=KellyRules(base_fraction=0.1, position_cap=0.02))
    assert [1000, 200] == [plan.wanted, plan.margin]
    assert plan.skip is None


def test_adding_to_a_coin_counts_together_with_what_it_has() -> None:
    """Of the 10 percent, 600 are there: 400 of the wanted 500 are left, then nothing."""
    used = InUse(coin=Decimal(600), account=Decimal(600))
    assert Decimal(400) == plan_margin(0.75, EQUITY, in_use=used, rules=RULES).margin
    full = InUse(coin=Decimal(900), account=Decimal(900))
    assert SkipReason.CAP_POSITION == plan_margin(0.75, EQUITY, in_use=full, rules=RULES).skip


def test_caps_on_notional_are_stricter_by_the_leverage() -> None:
    """At leverage 5 a position worth 10 percent of equity commits 2 percent."""
    rules = KellyRules(cap_basis=CapBasis.NOTIONAL)
    plan = plan_margin(1.0, EQUITY, leverage=5, rules=rules)
    assert (Decimal(200), SkipReason.CAP_POSITION) == (plan.margin, plan.bound)


def test_an_account_worth_nothing_trades_nothing() -> None:
    for equity in (Decimal(0), Decimal(-5), Decimal("NaN")):
        assert SkipReason.NO_EQUITY == plan_margin(0.9, equity, rules=RULES).skip


@pytest.mark.parametrize(
    "raw", [{"position_cap": 0.11}, {"account_cap": 0.51}, {"base_fraction": 0.2}, {"floor": 0.1}]
)
def test_configuration_cannot_exceed_the_hard_limits(raw: dict[str, float]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(raw, KellyRules)


def test_two_signals_at_one_time_cannot_both_take_the_last_of_the_room() -> None:
    """The second sees what the first has reserved; what is released can be taken again."""
    book = Reservations(positions={"ETH": Decimal(4600)})
    first = book.reserve("a", "BTC", 0.85, EQUITY, rules=RULES)
    second = book.reserve("b", "SOL", 0.85, EQUITY, rules=RULES)
    assert [400, 0] == [first.margin, second.margin]
    assert SkipReason.CAP_ACCOUNT == second.skip
    book.release("a")
    assert Decimal(400) == book.reserve("b", "SOL", 0.85, EQUITY, rules=RULES).margin


def test_a_filled_entry_goes_on_counting_until_its_coin_is_flat() -> None:
    book = Reservations()
    book.reserve("a", "BTC", 0.75, EQUITY, rules=RULES)
    book.fill("a")
    assert Decimal(500) == book.in_use("BTC").coin == book.in_use("ETH").account
    book.close("BTC")
    assert InUse() == book.in_use("BTC")


@given(confidences, confidences)
def test_margin_never_falls_when_confidence_rises(one: float, other: float) -> None:
    low, high = sorted((one, other))
    less = plan_margin(low, EQUITY, rules=RULES).margin
    assert less <= plan_margin(high, EQUITY, rules=RULES).margin


def test_no_sequence_of_reservations_gets_around_the_caps() -> None:
    """Ten thousand random sequences: never above 10 percent of a coin, 50 percent of all."""
    chance = random.Random(7)
    coins = ["BTC", "ETH", "SOL", "XRP", "ADA", "LTC", "BNB"]
    fullest = Decimal(0)
    for number in range(10_000):
        basis = CapBasis.NOTIONAL if number % 2 else CapBasis.MARGIN
        book, rules = Reservations(), KellyRules(cap_basis=basis, base_fraction=0.1)
        for _ in range(12):
            key, coin = str(chance.randrange(9)), chance.choice(coins)
            what = chance.choice(["reserve", "reserve", "reserve", "fill", "release", "close"])
            if what == "reserve":
                leverage, confidence = chance.randint(1, 20), chance.random()
                book.reserve(key, coin, confidence, EQUITY, leverage=leverage, rules=rules)
            else:
                getattr(book, what)(coin if what == "close" else key)
            used = book.in_use(coin)
            assert used.coin <= Decimal("1000.000001")
            assert used.account <= Decimal("5000.000001")
            fullest = max(fullest, used.account)
    assert fullest > Decimal(4999)  # the sequences do come to the cap
