"""Shares of the capital, against what each method promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio_service.adapters.skfolio_weights import library_weights, prior_of
from portfolio_service.domain.weighing import (
    DAYS_MIN,
    Candidate,
    Method,
    Rules,
    Weights,
    covariance,
    weigh,
)

WIDE = Rules(weight_max=1.0, reserve_min=0.0)


def noise(name: str, deviation: float, days: int = 400, seed: int = 0, **more: object) -> Candidate:
    draw = np.random.default_rng([seed, *name.encode()]).normal(0, 1, days)
    draw = (draw - draw.mean()) / draw.std(ddof=1) * deviation
    return Candidate(trader_id=name, returns=draw, **more)  # type: ignore[arg-type]


def shares(method: Method, *candidates: Candidate, rules: Rules = WIDE) -> list[float]:
    return list(weigh(method, candidates, rules).shares.values())


def test_equal_is_equal_and_nobody_is_nothing() -> None:
    assert shares("equal", *(noise(n, 0.01) for n in "abc")) == pytest.approx([1 / 3] * 3)
    assert {} == weigh("equal", (), WIDE).shares


def test_inverse_volatility_gives_the_calmer_more() -> None:
    assert shares("inverse_vol", noise("a", 0.6), noise("b", 0.9)) == pytest.approx([0.6, 0.4])


@pytest.mark.parametrize("alike", [0.0, 0.7, -0.7])
def test_two_of_equal_risk_do_not_ask_how_alike_they_are(alike: float) -> None:
    """Volatilities of 60 and 90 % and any correlation: 0.6 and 0.4."""
    rng = np.random.default_rng(3)
    a = rng.normal(0, 1, 4000)
    b = alike * a + np.sqrt(1 - alike**2) * rng.normal(0, 1, 4000)
    pair = [Candidate(trader_id=n, returns=r) for n, r in (("a", a * 0.6), ("b", b * 0.9))]
    cov = covariance(np.stack([one.returns for one in pair]))
    deviations = np.sqrt(np.diag(cov))
    expected = (1 / deviations) / (1 / deviations).sum()
    assert shares("risk_parity", *pair) == pytest.approx(list(expected), abs=1e-6)


def test_risk_parity_contributes_equally() -> None:
    rng = np.random.default_rng(5)
    mixed = rng.normal(0, 0.02, (4, 4)) @ rng.normal(0, 1, (4, 300))
    some = [Candidate(trader_id=str(i), returns=row) for i, row in enumerate(mixed)]
    share = np.array(shares("risk_parity", *some))
    contributions = share * (covariance(mixed) @ share)
    assert contributions == pytest.approx(np.full(4, contributions.mean()), rel=1e-6)


def test_score_gives_losers_nothing_and_the_young_less() -> None:
    old, young, loser = (
        noise("old", 0.01, 400, sharpe=2.0),
        noise("young", 0.01, 30, sharpe=2.0),
        noise("loser", 0.01, 400, sharpe=-1.0),
    )
    first, second, third = shares("score", old, young, loser)
    assert 0 == third
    assert first / second == pytest.approx((400 / 490) / (30 / 120))


def test_kelly_gives_no_more_than_the_edge_is_worth() -> None:
    """A small edge is worth a small share; without one that is told from luck all get the same."""
    small = noise("a", 0.05)
    small = Candidate(trader_id="a", returns=small.returns + 0.0005, has_edge=True)
    given_share, none = shares("kelly", small, noise("b", 0.05))
    assert 0 < given_share < 0.1
    assert 0 == none
    lucky = weigh("kelly", [noise("a", 0.01), noise("b", 0.01)], WIDE)
    assert ("equal", ("kelly needs returns that are told apart from luck: shared equally",)) == (
        lucky.method,
        lucky.notes,
    )


@pytest.mark.parametrize("method", ["inverse_vol", "risk_parity", "score", "kelly"])
def test_too_few_days_are_shared_equally_and_said(method: Method) -> None:
    days = DAYS_MIN[method]
    told = weigh(method, [noise("a", 0.01), noise("b", 0.02, days - 1)], WIDE)
    assert [0.5, 0.5] == list(told.shares.values())
    assert told.notes == (f"{method} needs {days} days, b has {days - 1}: shared equally",)


def test_who_never_moved_says_nothing_about_its_risk() -> None:
    still = Candidate(trader_id="still", returns=np.zeros(100))
    told = weigh("inverse_vol", [noise("a", 0.01), still], WIDE)
    assert ("still never moved: shared equally",) == told.notes


def test_what_a_drawdown_takes_goes_to_the_reserve() -> None:
    """Half-way to the stop: half of its share, and the others get no more by that."""
    fallen = noise("b", 0.01, drawdown=0.1)
    told = weigh("equal", [noise("a", 0.01), fallen, noise("c", 0.01, drawdown=0.3)], WIDE)
    assert list(told.shares.values()) == pytest.approx([1 / 3, 1 / 6, 0])
    assert (
        "b is 10.0% below its highest: it gets 50%",
        "c is 30.0% below its highest: it gets 0%",
    ) == told.notes


@given(
    method=st.sampled_from(sorted(DAYS_MIN)),
    deviations=st.lists(st.floats(0, 1), min_size=1, max_size=12),
    seed=st.integers(0, 1000),
    most=st.floats(0.05, 1),
    reserve=st.floats(0, 0.9),
)
def test_no_share_is_beyond_its_bounds(
    method: Method, deviations: list[float], seed: int, most: float, reserve: float
) -> None:
    rules = Rules(weight_max=most, reserve_min=reserve)
    some = [
        noise(f"t{i}", one, 130, seed, sharpe=one * 3 - 1, has_edge=i % 2 == 0, drawdown=one / 3)
        for i, one in enumerate(deviations)
    ]
    told: Weights = weigh(method, some, rules)
    values = np.array(list(told.shares.values()))
    assert np.all(values >= 0)
    assert np.all(values <= most)
    assert values.sum() <= 1 - reserve + 1e-9


def test_what_is_above_the_cap_is_shared_among_the_others() -> None:
    rules = Rules(weight_max=0.4, reserve_min=0.1)
    calm, wild, wilder = shares(
        "inverse_vol", noise("a", 0.01), noise("b", 0.1), noise("c", 0.2), rules=rules
    )
    assert 0.4 == calm
    assert wild / wilder == pytest.approx(2, rel=1e-6) or wild == 0.4
    assert calm + wild + wilder == pytest.approx(0.9)


# ---- by the library, which tests always have -----------------------------------------------------


def of_library(method: Method, *candidates: Candidate) -> list[float]:
    told = weigh(method, candidates, WIDE, library_weights)
    assert (method, ()) == (told.method, told.notes)
    return list(told.shares.values())


def mixed_returns(traders: int = 4, days: int = 300) -> list[Candidate]:
    rng = np.random.default_rng(5)
    rows = rng.normal(0, 0.02, (traders, traders)) @ rng.normal(0, 1, (traders, days))
    return [Candidate(trader_id=str(i), returns=row) for i, row in enumerate(rows)]


def test_risk_parity_is_that_of_the_library() -> None:
    """Ours needs no library and is faster; both solve the same problem, from the same estimate."""
    from skfolio.optimization import InverseVolatility, RiskBudgeting  # it is large

    some = mixed_returns()
    returns = np.stack([one.returns for one in some])
    prior = prior_of(covariance(returns))
    theirs = RiskBudgeting(prior_estimator=prior).fit(returns.T).weights_
    assert shares("risk_parity", *some) == pytest.approx(list(theirs), abs=1e-4)
    plain = [row / row.std(ddof=1) * (i + 1) / 100 for i, row in enumerate(returns)]
    theirs = InverseVolatility().fit(np.stack(plain).T).weights_
    candidates = [Candidate(trader_id=str(i), returns=row) for i, row in enumerate(plain)]
    assert shares("inverse_vol", *candidates) == pytest.approx(list(theirs), abs=1e-6)


@pytest.mark.parametrize("method", ["hrp", "min_cvar"])
@pytest.mark.parametrize("traders", [1, 2, 4])
def test_the_library_gives_shares_of_all(method: Method, traders: int) -> None:
    found = of_library(method, *mixed_returns(traders))
    assert pytest.approx(1.0) == sum(found)
    assert all(share >= 0 for share in found)


def test_least_tail_loss_gives_the_wild_one_little() -> None:
    calm, wild = noise("a", 0.01), noise("b", 0.05)
    assert of_library("min_cvar", calm, wild)[0] > 0.8
    assert of_library("hrp", calm, wild)[0] > 0.8


def test_a_library_that_is_missing_or_finds_nothing_is_said_and_shared_equally() -> None:
    pair = [noise("a", 0.01), noise("b", 0.02)]
    for optimize in (None, lambda *_: None, lambda *_: np.array([np.nan, 1.0])):
        told = weigh("hrp", pair, WIDE, optimize)
        assert {"a": 0.5, "b": 0.5} == told.shares
        assert ("equal", ("hrp gives nobody anything: shared equally",)) == (
            told.method,
            told.notes,
        )
