"""Actions in virtual time: lost, repeated and late requests, outages, crashes, with real pauses."""

import pytest
from tests.support.simulated_delivery import Weather
from tests.support.simulated_live import (
    Plant,
    forgotten_intents,
    new_nonce,
    no_margin,
    not_found_is_never,
    simulate,
    used_is_executed,
)


@pytest.mark.parametrize("seed", range(16))
def test_every_intent_is_executed_once_or_known_not_to_be(seed: int) -> None:
    """And a minute after the network was healed nothing is unknown."""
    found = simulate(seed, 150)
    assert [] == found.problems
    assert 150 <= found.intents
    assert found.crashes
    assert {"answered", "never"} == found.fates.keys()
    assert found.healed_s < 60


def test_same_seed_is_the_same_run() -> None:
    """So that a failure can be looked at again."""
    assert simulate(7, 60).trace == simulate(7, 60).trace
    assert simulate(7, 60).trace != simulate(8, 60).trace


@pytest.mark.parametrize("seed", range(4))
def test_errors_for_37_minutes_while_everything_is_executed(seed: int) -> None:
    """As on 29 July 2025: answers are errors, and actions are executed up to 37 minutes later."""
    storm = Weather(outage_s=2220, calm_s=300, late_s=2220, crash=0.1)
    found = simulate(seed, 80, storm)
    assert [] == found.problems
    assert found.healed_s < 60


@pytest.mark.parametrize(
    ("plant", "problem"),
    [
        (new_nonce, "executed 2 times"),
        (used_is_executed, "not executed, believed executed"),
        (not_found_is_never, "executed, believed not"),
        (forgotten_intents, "left unknown"),
        (no_margin, "executed, believed not"),
    ],
)
def test_planted_bug_is_found(plant: Plant, problem: str) -> None:
    found = [one for seed in range(8) for one in simulate(seed, 100, plant=plant).problems]
    assert problem in found
