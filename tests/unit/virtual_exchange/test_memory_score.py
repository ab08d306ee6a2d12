"""The memory score: a trader that remembers is told from one that reads."""

import pytest
from tests.support.worlds import random_source

from strategy_core import building
from strategy_core.building import Setup, kind_of
from strategy_core.port import Decision, Needs, Observation
from strategy_core.sizing.targets import market_order, size_for
from suite.contracts.trader import StrategySpec, TraderSpec
from suite.contracts.world import MaskRequest
from suite.errors import BadRequest
from virtual_exchange import memory_runs
from virtual_exchange.application.session import world_request
from virtual_exchange.domain.memory_score import MemoryScore, memory_score
from virtual_exchange.memory_runs import score_traders, table_of


def test_the_interval_is_students() -> None:
    """By hand: differences 1, 2, 3 percent; t with 2 degrees of freedom is 4.303."""
    score = memory_score([0.02, 0.02, 0.02], [0.01, 0.0, -0.01])
    assert 0.02 == pytest.approx(score.score)
    half = 4.303 * 0.01 / 3**0.5
    assert (0.02 - half, 0.02 + half) == pytest.approx((score.low, score.high))
    assert not score.tells
    assert memory_score([0.02] * 3, [0.01, 0.011, 0.009]).tells


@pytest.mark.parametrize(("one", "other"), [([0.1], [0.1]), ([0.1, 0.2], [0.1])])
def test_a_score_needs_pairs(one: list[float], other: list[float]) -> None:
    """Two at least."""
    with pytest.raises(ValueError, match="pairs of runs"):
        memory_score(one, other)


class Remembering:
    """Buys where it recognizes the coin, and sells where it does not: it knows the end."""

    class Params(building.Params, frozen=True, kw_only=True):
        """None."""

    needs = Needs()

    def __init__(self, setup: Setup, _: object) -> None:
        self._setup = setup

    def decide(self, seen: Observation) -> Decision:
        (coin,) = self._setup.symbols
        price = seen.mids.get(coin)
        if seen.positions or not price:
            return Decision()
        side = KNOWS if coin == "BTC" else -KNOWS
        size = size_for(self._setup.instruments[coin], notional=seen.equity * side, price=price)
        return Decision(actions=(market_order(coin, size),))


KNOWS = 1


def test_a_trader_that_remembers_has_a_score_and_one_of_rules_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the same worlds, with the same moves."""
    kind = "plugin:tests.unit.virtual_exchange.test_memory_score:Remembering"
    traders = (
        TraderSpec(trader_id="knows", strategy=StrategySpec(kind=kind), symbols=("BTC",)),
        TraderSpec(trader_id="hodl", strategy=StrategySpec(kind="hodl"), symbols=("BTC",)),
    )
    monkeypatch.setattr(memory_runs, "load_plugins", lambda _: {kind: kind_of(Remembering)})
    told: list[str] = []
    scores = score_traders(
        world_request(traders),
        traders,
        source=random_source("BTC", count=600),
        seeds=3,
        tell=told.append,
    )
    assert 6 == len(told)
    assert scores["knows"].tells
    assert not scores["hodl"].tells
    assert abs(scores["hodl"].score) < 0.001 < abs(scores["knows"].score)
    lines = list(table_of(scores, traders))
    assert "differs" in lines[1]
    assert "no difference shown" in lines[2]


def test_what_cannot_be_compared_is_refused() -> None:
    """One seed, or a world that is masked already."""
    traders = (TraderSpec(trader_id="a", strategy=StrategySpec(kind="flat"), symbols=("BTC",)),)
    source = random_source("BTC", count=60)
    with pytest.raises(BadRequest, match="at least 2"):
        score_traders(world_request(traders), traders, source=source, seeds=1, tell=print)
    masked = world_request(traders, mask=MaskRequest(seed=1))
    with pytest.raises(BadRequest, match="has a mask already"):
        score_traders(masked, traders, source=source, seeds=2, tell=print)


def test_a_difference_within_the_noise_of_rules_says_so() -> None:
    """Masked prices are quantized otherwise, which any trader feels."""
    traders = tuple(
        TraderSpec(trader_id=name, strategy=StrategySpec(kind=kind), symbols=("BTC",))
        for name, kind in (("asks", "llm"), ("rules", "sma_cross"))
    )

    def score(value: float) -> MemoryScore:
        low, high = 0.5 * value, 1.5 * value
        return MemoryScore(unmasked=value, masked=0.0, score=value, low=low, high=high, seeds=5)

    for value, said in ((0.001, "no more than the noise of the rules"), (0.1, "] differs, ")):
        lines = list(table_of({"asks": score(value), "rules": score(0.001)}, traders))
        assert said in lines[1]
        assert "] differs, " in lines[2]
