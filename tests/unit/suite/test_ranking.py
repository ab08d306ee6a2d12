"""Who stands above whom, and who may not be told apart."""

import numpy as np
import pytest
from tests.support.simulated_traders import Process, boards_with_a_false_order, shocks

from suite.bars import F64
from suite.ranking import ranks_of, significantly_better
from suite.resampling import Resampler, block_lengths

HOURS = 720


def better(growth: F64) -> list[list[bool]]:
    resampler = Resampler(growth.shape[1], resamples=500, seed=1)
    found: list[list[bool]] = significantly_better(
        growth, block_lengths(growth), resampler
    ).tolist()
    return found


def ranks(growth: F64) -> tuple[list[int], list[int]]:
    resampler = Resampler(growth.shape[1], resamples=500, seed=1)
    found = ranks_of(growth, block_lengths(growth), resampler)
    return found.best.tolist(), found.worst.tolist()


def test_what_the_market_did_to_both_cancels() -> None:
    """Alone, neither could be told from zero; side by side, one is a little better every hour."""
    market = 0.02 * shocks("fat tails", (1, HOURS), seed=2)[0]
    own = 0.0005 * shocks("independent", (2, HOURS), seed=3)
    growth = market + own + np.array([[0.0], [0.0003]])
    assert ([2, 1], [2, 1]) == ranks(growth)


def test_equal_traders_share_the_first_rank_however_lucky_one_is() -> None:
    growth = 0.01 * shocks("independent", (30, HOURS), seed=4)
    assert ([1] * 30, [30] * 30) == ranks(growth)


def test_ranks_count_those_above_and_those_below() -> None:
    noise = 0.001 * shocks("independent", (4, HOURS), seed=5)
    growth = noise + np.array([[0.001], [0.001], [0.0], [-0.001]])
    assert ([1, 1, 3, 4], [2, 2, 3, 4]) == ranks(growth)


def test_a_copy_is_a_tie_and_a_copy_that_pays_an_hourly_bill_is_not() -> None:
    returns = 0.01 * shocks("independent", (1, HOURS), seed=6)[0]
    assert [[False, False], [False, False]] == better(np.array([returns, returns]))
    assert [[False, True], [False, False]] == better(np.array([returns, returns - 1e-6]))


def test_few_active_hours_prove_nothing() -> None:
    """29 equal wins, one a day, beside one who never traded; a thirtieth makes it evidence."""
    growth = np.zeros((2, HOURS))
    growth[0, 10:700:24] = 0.01
    assert 29 == np.count_nonzero(growth)
    assert [[False, False], [False, False]] == better(growth)
    growth[0, 710] = 0.01
    assert [[False, True], [False, False]] == better(growth)


def test_few_hours_prove_nothing() -> None:
    growth = np.array([np.full(29, 0.01), np.full(29, -0.01)])
    assert [[False, False], [False, False]] == better(growth)


@pytest.mark.parametrize("process", ["independent", "trending"])
def test_boards_of_equal_traders_rarely_tell_any_apart(process: Process) -> None:
    """All pairs together: 5 % of boards, by design; the long form is in tests/chaos."""
    told = boards_with_a_false_order(process, 336, boards=60, traders=8, seed=100)
    assert told <= 0.12


def test_one_restless_trader_does_not_blind_the_board() -> None:
    """Its long blocks would leave too few of them; the others stay apart."""
    growth = 0.001 * shocks("independent", (3, HOURS), seed=8)
    growth[0] += 0.002
    growth[2] = 0.001 * np.cumsum(shocks("independent", (1, HOURS), seed=9)[0]) / 10
    assert 30 < block_lengths(growth)[2]
    assert better(growth)[0][1]
