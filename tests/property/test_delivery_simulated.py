"""Orders in virtual time: lost, repeated and late requests, outages, crashes, with real pauses."""

import pytest
from tests.support.simulated_delivery import NotFoundWay, Weather, simulate


@pytest.mark.parametrize("seed", range(12))
def test_every_intent_is_executed_once_or_known_not_to_be(seed: int) -> None:
    """And a minute after the network was healed nothing is unknown."""
    found = simulate(seed, 120)
    assert [] == found.problems
    assert 120 <= len(found.beliefs)
    assert found.crashes
    assert found.healed_s < 60


def test_same_seed_is_the_same_run() -> None:
    """So that a failure can be looked at again."""
    assert simulate(7, 60).trace == simulate(7, 60).trace
    assert simulate(7, 60).trace != simulate(8, 60).trace


@pytest.mark.parametrize("seed", range(4))
def test_errors_for_37_minutes_while_everything_is_executed(seed: int) -> None:
    """As on 29 July 2025: answers are errors, and orders are executed up to 37 minutes later."""
    storm = Weather(outage_s=2220, calm_s=300, late_s=2220, crash=0.1)
    found = simulate(seed, 80, storm)
    assert [] == found.problems
    assert found.healed_s < 60


def test_resolving_by_not_found_is_seen() -> None:
    """A planted fault: what is still on its way is not found either."""
    found = [
        problem for seed in range(6) for problem in simulate(seed, 60, way=NotFoundWay).problems
    ]
    assert "executed, believed not" in found
