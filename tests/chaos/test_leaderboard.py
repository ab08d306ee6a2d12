"""What the board's intervals and ranks are worth, on thousands of traders whose edge is known."""

from collections.abc import Callable
from typing import get_args

import pytest
from tests.support.simulated_traders import Process, boards_with_a_false_order, coverage

pytestmark = pytest.mark.timeout(3600)

PROCESSES = get_args(Process)
TRADERS, BOARDS = 4000, 400


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("n", [30, 60, 90, 336, 720, 2160])
def test_95_percent_intervals_cover_the_true_edge(
    process: Process, n: int, figure: Callable[[str, str], None]
) -> None:
    """Days from 30 to 90, hours from 14 to 90 days."""
    share = coverage(process, n, traders=TRADERS, seed=31)
    print(f"{process}, {n} returns: {share:.4f} of {TRADERS}")
    assert 0.93 <= share <= 0.97
    figure("A1", f"intervals of {TRADERS:,} traders of a known edge cover it in 93 to 97 %")


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("n", [30, 336, 720])
@pytest.mark.parametrize("traders", [2, 10, 40])
def test_equal_traders_are_told_apart_on_one_board_of_twenty(
    process: Process, n: int, traders: int, figure: Callable[[str, str], None]
) -> None:
    """All pairs together; the bound is 5 % and three standard errors of this many boards."""
    share = boards_with_a_false_order(process, n, boards=BOARDS, traders=traders, seed=5000)
    print(f"{process}, {n} returns, {traders} traders: {share:.4f} of {BOARDS} boards")
    assert share <= 0.05 + 3 * (0.05 * 0.95 / BOARDS) ** 0.5
    figure("A1", f"{BOARDS} boards of equal traders: told apart on one of twenty")
