"""What holds for every board."""

from dataclasses import replace
from math import isclose

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.support.simulated_traders import history

from suite.bars import I64
from suite.contracts.leaderboard import Leaderboard, LeaderboardRow
from suite.leaderboard import BoardRules, build_leaderboard
from suite.trader_history import TraderHistory

HOURS = 60
RANKS = {"rank": None, "rank_worst": None, "tied_with": ()}


def curve(seed: int, *, drift: float = 0.0) -> I64:
    steps = np.random.default_rng(seed).normal(drift, 0.01, HOURS)
    grown = 1_000_000_000 * np.exp(np.concatenate([[0.0], np.cumsum(steps)]))
    equity: I64 = np.round(grown).astype(np.int64)
    return equity


def board_of(histories: list[TraderHistory]) -> Leaderboard:
    now = max(int(one.time_ms[-1]) for one in histories)
    return build_leaderboard(histories, BoardRules(now_ms=now, resamples=100))


def row_of(board: Leaderboard, name: str) -> LeaderboardRow:
    return next(row for row in board.rows if row.trader_id == name)


@given(
    st.integers(0, 2**32),
    st.lists(st.tuples(st.integers(1, HOURS), st.integers(1, 9)), max_size=8),
)
def test_deposits_at_any_time_change_no_return(seed: int, deposits: list[tuple[int, int]]) -> None:
    """Money comes in whole multiples of what there is, so the same trading is exact in integers."""
    plain = history("a", curve(seed))
    equity, paid = plain.equity_usd.copy(), plain.deposits_usd.copy()
    for step, times in sorted(deposits):
        paid[step:] += times * equity[step]
        equity[step:] *= 1 + times
    rich = replace(plain, equity_usd=equity, deposits_usd=paid)
    expected, found = (row_of(board_of([one]), "a") for one in (plain, rich))
    assert expected.return_interval
    assert found.return_interval
    for before, after in (
        (expected.total_return, found.total_return),
        (expected.max_drawdown, found.max_drawdown),
        (expected.return_interval.low, found.return_interval.low),
        (expected.return_interval.high, found.return_interval.high),
    ):
        assert before is not None
        assert after is not None
        assert isclose(1 + before, 1 + after, rel_tol=1e-11)


@given(st.lists(st.integers(-(10**12), 10**12), min_size=HOURS, max_size=HOURS))
def test_paying_in_and_out_without_trading_earns_nothing(flows: list[int]) -> None:
    paid = np.concatenate([[0], np.maximum(np.cumsum(flows), 1 - 10**9)])
    row = row_of(board_of([history("a", 10**9 + paid, deposits_usd=paid)]), "a")
    assert (0.0, 0, 0.0) == (row.total_return, row.profit_usd, row.max_drawdown)


@given(st.lists(st.integers(0, 2**32), min_size=2, max_size=6, unique=True), st.randoms())
def test_the_order_of_traders_does_not_matter(seeds: list[int], chance: object) -> None:
    histories = [history(f"t{seed}", curve(seed, drift=seed % 3 * 0.002)) for seed in seeds]
    mixed = list(histories)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert board_of(histories) == board_of(mixed)


@given(st.lists(st.integers(0, 2**32), min_size=2, max_size=6, unique=True))
def test_another_trader_changes_no_value_of_the_others(seeds: list[int]) -> None:
    histories = [history(f"t{seed}", curve(seed)) for seed in seeds]
    fewer, more = board_of(histories[:-1]), board_of(histories)
    for row in fewer.rows:
        again = row_of(more, row.trader_id)
        assert msgspec.structs.replace(row, **RANKS) == msgspec.structs.replace(again, **RANKS)


@given(st.integers(0, 2**32), st.integers(2, 1000))
def test_the_unit_of_money_does_not_matter(seed: int, factor: int) -> None:
    small = history("a", curve(seed))
    large = replace(small, equity_usd=small.equity_usd * factor)
    expected, found = (row_of(board_of([one]), "a") for one in (small, large))
    assert expected.profit_usd is not None
    assert expected.profit_usd * factor == found.profit_usd
    for name in ("total_return", "max_drawdown", "sharpe"):
        before, after = getattr(expected, name), getattr(found, name)
        assert before == after or isclose(1 + before, 1 + after, rel_tol=1e-12)


@given(st.lists(st.integers(0, 2**32), min_size=1, max_size=8, unique=True))
def test_ranks_are_counts_of_the_board(seeds: list[int]) -> None:
    """The best rank is 1, ties name each other, and no rank is worse than its worst."""
    board = board_of([history(f"t{seed}", curve(seed, drift=seed % 5 * 0.003)) for seed in seeds])
    ranks = {row.trader_id: row.rank for row in board.rows}
    assert 1 == min(rank for rank in ranks.values() if rank)
    for row in board.rows:
        sharing = {name for name, rank in ranks.items() if rank == row.rank} - {row.trader_id}
        assert sharing == set(row.tied_with)
        assert 1 <= (row.rank or 0) <= (row.rank_worst or 0) <= len(board.rows)
