"""What a dollar became, by hand."""

import numpy as np

from suite.wealth import wealth_index


def index_of(value: list[int], deposits: list[int]) -> list[float]:
    index: list[float] = wealth_index(np.array(value), np.array(deposits)).tolist()
    return index


def test_without_deposits_the_index_is_equity_over_the_first() -> None:
    assert [1.0, 1.1, 0.9] == index_of([100, 110, 90], [100, 100, 100])


def test_a_deposit_is_no_profit() -> None:
    assert [1.0, 1.0, 1.0] == index_of([100, 350, 350], [100, 350, 350])


def test_a_withdrawal_is_no_loss() -> None:
    assert [1.0, 1.5, 1.5, 3.0] == index_of([100, 150, 50, 100], [100, 100, 0, 0])


def test_growth_before_and_after_a_deposit_is_linked() -> None:
    """+10 % on 100, then 90 more, then +50 % on 200."""
    assert [1.0, 1.1, 1.1 * 1.5] == index_of([100, 200, 300], [0, 90, 90])


def test_who_has_nothing_left_is_ruined_and_no_deposit_helps() -> None:
    assert [1.0, 0.0, 0.0, 0.0] == index_of([100, 0, 500, 900], [0, 0, 500, 500])
    assert [1.0, 0.0, 0.0] == index_of([100, 450, 900], [0, 500, 500])


def test_who_takes_everything_out_is_not_ruined() -> None:
    assert [1.0, 1.2, 1.2, 1.2, 2.4] == index_of([100, 0, 0, 50, 100], [0, -120, -120, -70, -70])


def test_an_account_that_is_still_empty_has_neither_won_nor_lost() -> None:
    assert [1.0, 1.0, 2.0] == index_of([0, 100, 200], [0, 100, 100])


def test_debt_from_the_start_is_ruin() -> None:
    assert [0.0, 0.0] == index_of([-5, 20], [0, 0])
