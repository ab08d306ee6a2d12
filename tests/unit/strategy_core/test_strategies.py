"""The strategies that come with the suite, and how they are built."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from tests.unit.strategy_core.fake_venue import (
    INSTRUMENTS,
    FakeVenue,
    Run,
    drive,
    minutes,
    spec_of,
)
from tests.unit.strategy_core.market import random_bars

from strategy_core.building import kind_of
from strategy_core.port import Decision, Needs, Observation
from strategy_core.registry import KINDS, build, generator_for, problems
from strategy_core.sizing.targets import plan_target
from strategy_core.snapshot import SnapshotSeries
from strategy_core.strategies.random_targets import probability_for
from strategy_core.strategies.sma_cross import SmaCross
from suite.contracts.clock import PositionView
from suite.contracts.hyperliquid_info import OpenOrder
from suite.contracts.venue import CancelOrder, PlaceOrder, SetLeverage
from suite.errors import ConfigError
from suite.instrument import Instrument

BTC = INSTRUMENTS["BTC"]


def orders(venue: FakeVenue) -> list[PlaceOrder]:
    return [a for r in venue.requests for a in r.orders if isinstance(a, PlaceOrder)]


# ---- hodl ---------------------------------------------------------------------------------------


def test_hodl_buys_once_in_equal_parts_without_borrowing() -> None:
    """Half of 99 % of the money in each coin, leverage 1, then nothing."""
    venue = FakeVenue(steps=4)
    drive(venue, spec_of("hodl"))
    first, *rest = (request.orders for request in venue.requests)
    assert [SetLeverage(coin="BTC", leverage=1), SetLeverage(coin="ETH", leverage=1)] == [
        action for action in first if isinstance(action, SetLeverage)
    ]
    sizes = [action.sz for action in first if isinstance(action, PlaceOrder)]
    assert [Decimal("49.25373"), Decimal("244.4444")] == sizes  # 4950 USD each, rounded down
    assert rest == [(), (), ()]


def test_hodl_tries_again_what_was_refused() -> None:
    """A purchase that was not filled is only delayed, for the same money."""
    venue = FakeVenue(steps=3, refuse=True)

    def accept_from_the_second(step: int) -> None:
        venue.refuse = step < 2

    drive(venue, spec_of("hodl", symbols=("BTC",)), between=accept_from_the_second)
    assert [2, 2, 0] == [len(request.orders) for request in venue.requests]


def test_an_order_below_ten_dollars_is_skipped_with_the_reason() -> None:
    """The venue would refuse it."""
    venue = FakeVenue(steps=1, cash=Decimal(15))
    run = drive(venue, spec_of("hodl"))
    assert orders(venue) == []
    assert "less than 10 USD" in run.records[0].reasoning


def test_flat_never_trades() -> None:
    """The zero of the leaderboard."""
    venue = FakeVenue(steps=5)
    drive(venue, spec_of("flat"))
    assert orders(venue) == []


# ---- random -------------------------------------------------------------------------------------


def random_run(seed: int, trader_id: str = "t", **params: float) -> tuple[FakeVenue, Run]:
    venue = FakeVenue(steps=2000)
    run = drive(venue, spec_of("random", trader_id=trader_id, params=params), seed=seed)
    return venue, run


def test_random_is_decided_by_seed_and_trader() -> None:
    """Same seed, same orders; another seed or trader, another stream."""
    base = orders(random_run(1)[0])
    assert base == orders(random_run(1)[0])
    assert [o.sz for o in base] != [o.sz for o in orders(random_run(2)[0])]
    assert [o.sz for o in base] != [o.sz for o in orders(random_run(1, "u")[0])]


def test_random_trades_as_much_as_its_rule_says() -> None:
    """Turnover of a decision is probability * 2/3 * exposure * equity, on average."""
    venue, run = random_run(5, probability=0.2, exposure=1.5)
    traded = sum(float(o.sz) * float(venue.mids[o.coin]) for o in orders(venue))
    equity = float(run.result.equity)  # prices stand still, so it never changes
    turnover = traded / run.result.decisions / equity
    assert 0.2 * (2 / 3) * 1.5 == pytest.approx(turnover, rel=0.1)
    assert 0.2 == pytest.approx(probability_for(turnover, exposure=1.5), rel=0.1)
    assert probability_for(99.0, exposure=1.0) == 1.0


def test_random_closes_with_reduce_only_and_flips_in_one_order() -> None:
    """No order of it can be too small to shrink a position."""
    placed = orders(random_run(3, probability=1.0)[0])
    assert {True, False} == {order.reduce_only for order in placed}


# ---- sma_cross ----------------------------------------------------------------------------------


def snapshot(*closes: float, block: str = "15") -> dict[str, Any]:
    rows = [[i, close, close, close, close, 1.0] for i, close in enumerate(closes)]
    return {"intervals_data": {block: {"bars": rows}}}


def cross(**params: Any) -> SmaCross:
    spec = spec_of("sma_cross", symbols=("BTC",), params={"fast": 1, "slow": 2, **params})
    strategy = build(spec, instruments=INSTRUMENTS, seed=0)
    assert isinstance(strategy, SmaCross)
    return strategy


def see(side: int, *, held: str = "0", open_orders: tuple[OpenOrder, ...] = ()) -> Observation:
    """Fast mean above (1) or below (-1) the slow one; 1000 USD, BTC at 100."""
    size = Decimal(held)
    position = PositionView(
        coin="BTC", size=size, entry_px=size, unrealized_pnl=Decimal(0), leverage=1
    )
    return Observation(
        now_ms=0,
        equity=Decimal(1000),
        positions={"BTC": position} if size else {},
        mids={"BTC": Decimal("100.05")},
        snapshots={"BTC": snapshot(100.0, 100.0 + side)},
        open_orders=open_orders,
    )


def placed(decision: Decision) -> list[tuple[bool, Decimal, bool]]:
    return [
        (action.is_buy, action.sz, action.reduce_only)
        for action in decision.actions
        if isinstance(action, PlaceOrder)
    ]


def test_sma_cross_follows_the_sign_and_flips() -> None:
    """Enters on its first decision, keeps, then closes and opens the other side."""
    strategy = cross()
    size = Decimal("9.99500")
    assert [(True, size, False)] == placed(strategy.decide(see(1)))
    assert placed(strategy.decide(see(1, held="9.995"))) == []
    flip = strategy.decide(see(-1, held="9.995"))
    assert [(False, Decimal("9.995"), True), (False, size, False)] == placed(flip)


def test_sma_cross_does_not_reenter_after_a_stop() -> None:
    """Stopped out, it waits for the other side."""
    strategy = cross(stop_loss=0.02)
    strategy.decide(see(1))
    strategy.decide(see(1, held="9.995"))
    assert placed(strategy.decide(see(1))) == []
    assert len(placed(strategy.decide(see(-1)))) == 1


def test_sma_cross_tries_again_what_was_never_filled() -> None:
    """No position and no fill: the wish still stands."""
    strategy = cross()
    assert placed(strategy.decide(see(1))) == placed(strategy.decide(see(1))) != []


def test_sma_cross_long_or_flat_never_sells_short() -> None:
    """With short off, below means out."""
    strategy = cross(short=False)
    assert placed(strategy.decide(see(-1))) == []
    assert len(placed(strategy.decide(see(1)))) == 1
    assert [(False, Decimal("9.995"), True)] == placed(strategy.decide(see(-1, held="9.995")))
    assert placed(strategy.decide(see(-1))) == []


def test_sma_cross_attaches_protection_on_valid_prices() -> None:
    """Stop below and target above a long, the other way round for a short, on the price lattice."""
    strategy = cross(stop_loss=0.01, take_profit=0.02)
    entry = strategy.decide(see(1)).actions[-1]
    assert isinstance(entry, PlaceOrder)
    assert entry.stop_loss is not None
    assert entry.take_profit is not None
    assert (Decimal("99.0"), Decimal("102.0")) == (entry.stop_loss.price, entry.take_profit.price)
    short = cross(stop_loss=0.01, take_profit=0.02).decide(see(-1)).actions[-1]
    assert isinstance(short, PlaceOrder)
    assert short.stop_loss is not None
    assert short.take_profit is not None
    assert short.stop_loss.price > Decimal("100.05") > short.take_profit.price
    for leg in (entry.stop_loss, entry.take_profit, short.stop_loss, short.take_profit):
        assert BTC.price_is_valid(BTC.parse_price(leg.price))


def test_sma_cross_takes_down_old_protection_before_it_turns() -> None:
    """Orders of the old side go first."""
    old = OpenOrder(
        coin="BTC", side="A", limitPx="90", sz="1", oid=7, timestamp=0, origSz="1", reduceOnly=True
    )
    strategy = cross(stop_loss=0.01)
    first = strategy.decide(see(-1, held="1", open_orders=(old,))).actions[0]
    assert CancelOrder(coin="BTC", oid=7) == first


def test_sma_cross_waits_for_history() -> None:
    """Fewer closes than the slow mean needs: no order, and it says so."""
    decision = build(
        spec_of("sma_cross", symbols=("BTC",)), instruments=INSTRUMENTS, seed=0
    ).decide(see(1))
    assert decision.actions == ()
    assert "too little history" in decision.reasoning


def test_sma_cross_trades_over_real_snapshots() -> None:
    """From bars to fills through the whole loop, both sides."""
    bars = random_bars(20_000, seed=4)
    venue = FakeVenue(steps=600, series={"BTC": SnapshotSeries("BTC", bars)}, now_ms=minutes(600))
    run = drive(venue, spec_of("sma_cross", symbols=("BTC",)))
    assert run.result.fills > 10
    assert {True, False} == {order.is_buy for order in orders(venue)}


# ---- sizing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "target", "expected"),
    [
        ("0", "0.123456", [(True, "0.12345", False)]),
        ("0", "-0.123456", [(False, "0.12345", False)]),
        ("0", "0.09", []),  # 9 USD
        ("1", "1.05", []),  # adds 5 USD
        ("1", "0.95", [(False, "0.05000", True)]),  # reduces by 5 USD
        ("1", "0", [(False, "1.00000", True)]),
        ("1", "-0.05", [(False, "1", True)]),  # the far side would be 5 USD: close only
        ("1", "-1", [(False, "2.00000", False)]),
        ("1", "1.000001", []),
    ],
)
def test_a_target_becomes_one_order_or_none(
    held: str, target: str, expected: list[tuple[bool, str, bool]]
) -> None:
    """At 100 USD: sizes towards zero, small reductions allowed, small additions not."""
    plan = plan_target(BTC, held=Decimal(held), target=Decimal(target), price=Decimal(100))
    assert [(side, Decimal(size), only) for side, size, only in expected] == [
        (order.is_buy, order.sz, order.reduce_only) for order in plan.orders
    ]


# ---- building -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "params", "problem"),
    [
        ("smacross", {},
         ("strategy.kind: 'smacross' is not one of "
          "fixed_spread, flat, funding_rate, hodl, ict_xgboost, llm, llm_meeting, random, "
          "sma_cross, did you mean sma_cross?")),
        ("sma_cross", {"fasst": 3}, "strategy.params.fasst: unknown key, did you mean fast?"),
        ("sma_cross", {"fast": 30, "slow": 10},
         "strategy.params: fast (30) must be below slow (10)"),
        ("sma_cross", {"slow": 51}, "strategy.params.slow: expected `int` <= 50"),
        ("sma_cross", {"fast": 1.5}, "strategy.params.fast: expected `int`, got `float`"),
        ("sma_cross", {"stop_loss": 0}, "strategy.params.stop_loss: expected `float` > 0.0"),
        ("random", {"probability": 1.5}, "strategy.params.probability: expected `float` <= 1.0"),
        ("random", {"probability": "x"},
         "strategy.params.probability: expected `float`, got `str`"),
        ("hodl", {"invested": 0}, "strategy.params.invested: expected `float` > 0.0"),
        ("flat", {"x": 1}, "strategy.params.x: unknown key"),
        ("plugin:a.b:C", {}, "strategy.kind: plugin:a.b:C is not loaded"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_one_clear_line(
    kind: str, params: dict[str, Any], problem: str
) -> None:
    """Kind, key and range are named."""
    spec = spec_of(kind, params=params)
    assert [problem] == problems(spec, plugins={})
    with pytest.raises(ConfigError) as caught:
        build(spec, instruments=INSTRUMENTS, seed=0)
    assert f"traders[t].{problem}" == str(caught.value)


def test_every_problem_is_listed_in_one_go() -> None:
    """Parameters, and the limits of the guard."""
    spec = spec_of(
        "sma_cross", params={"fast": 0, "slo": 1}, risk={"max_leverage": 0, "max_levrage": 1}
    )
    assert [
        "strategy.params.slo: unknown key, did you mean slow?",
        "strategy.params.fast: expected `int` >= 1",
        "risk.max_levrage: unknown key, did you mean max_leverage?",
        "risk.max_leverage: expected `float` > 0.0",
    ] == problems(spec)


def test_a_symbol_that_the_venue_does_not_trade_is_refused() -> None:
    """Before the first order, with the nearest name."""
    with pytest.raises(ConfigError, match=r"the venue does not trade BTCC, did you mean BTC\?"):
        build(spec_of("flat", symbols=("BTCC",)), instruments=INSTRUMENTS, seed=0)


def test_a_plugin_is_built_like_any_other() -> None:
    """Its class has nested parameters and takes setup and parameters."""

    class Mine:
        """Mine alone."""

        Params = KINDS["flat"].params
        needs = Needs()

        def __init__(self, setup: object, params: object) -> None:
            self.setup = setup

        def decide(self, observation: Observation) -> Decision:
            return Decision()

    plugins = {"plugin:a.b:Mine": kind_of(Mine)}
    built = build(spec_of("plugin:a.b:Mine"), instruments=INSTRUMENTS, seed=0, plugins=plugins)
    assert isinstance(built, Mine)
    assert plugins["plugin:a.b:Mine"].summary == "Mine alone."
    with pytest.raises(ConfigError, match="no nested msgspec struct Params"):
        kind_of(Instrument)


def test_the_stream_of_a_trader_is_the_same_everywhere() -> None:
    """Recorded once; another value would mean that old runs cannot be repeated."""
    draws = generator_for("t", 0).random(2)
    assert np.array_equal(draws, generator_for("t", 0).random(2))
    assert [0.0, 0.0] != draws.tolist()
