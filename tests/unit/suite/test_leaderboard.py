"""Boards worked out by hand."""

from dataclasses import replace
from math import isclose

import msgspec
import numpy as np
import pytest
from tests.support.simulated_traders import START_MS, history, history_of, shocks

from suite import performance
from suite.bars import DAY_MS, HOUR_MS
from suite.checks import InvariantViolated
from suite.contracts.leaderboard import Leaderboard, LeaderboardRow
from suite.leaderboard import BoardRules, build_leaderboard, step_of
from suite.trader_history import TraderHistory

HOURS = 35 * 24
USD = 1_000_000


def board_of(
    *histories: TraderHistory, now_ms: int | None = None, stale_after_ms: int = 3 * HOUR_MS
) -> Leaderboard:
    ends = [int(one.time_ms[-1]) for one in histories if len(one.time_ms)]
    now = max(ends) if now_ms is None else now_ms
    return build_leaderboard(
        histories, BoardRules(now_ms=now, resamples=300, stale_after_ms=stale_after_ms)
    )


def rows_of(board: Leaderboard) -> dict[str, LeaderboardRow]:
    return {row.trader_id: row for row in board.rows}


def luck(seed: int, hours: int = HOURS, *, edge: float = 0.0) -> TraderHistory:
    growth = 0.003 * shocks("independent", (1, hours), seed=seed)[0] + edge
    return history_of(f"trader-{seed}", growth)


def test_a_row_without_deposits_has_the_metrics_of_the_equity_curve() -> None:
    trader = luck(1)
    row = rows_of(board_of(trader))["trader-1"]
    daily = performance.returns_of(performance.daily_equity(trader.time_ms, trader.equity_usd))
    drawdown = performance.max_drawdown(trader.time_ms, trader.equity_usd)
    expected = (
        performance.total_return(trader.equity_usd),
        performance.sharpe(daily),
        performance.sortino(daily),
        drawdown.depth,
    )
    found = (row.total_return, row.sharpe, row.sortino, row.max_drawdown)
    assert np.allclose(np.array(expected, float), np.array(found, float), rtol=1e-12)
    assert int(trader.equity_usd[-1] - trader.equity_usd[0]) == row.profit_usd


def test_intervals_lie_around_what_they_are_of() -> None:
    row = rows_of(board_of(luck(1)))["trader-1"]
    assert row.return_interval
    assert row.sharpe_interval
    assert row.return_interval.low < (row.total_return or 0) < row.return_interval.high
    assert row.sharpe_interval.low < (row.sharpe or 0) < row.sharpe_interval.high


def test_the_bill_of_its_model_is_taken_off() -> None:
    costs = np.array([0, 0, 50 * USD])
    row = rows_of(board_of(history("a", [1000 * USD, 1000 * USD, 1100 * USD], costs_usd=costs)))[
        "a"
    ]
    assert isclose(0.05, row.total_return or 0)
    assert (50 * USD, 50 * USD, 1100 * USD) == (row.profit_usd, row.cost_usd, row.equity_usd)


def test_deposits_are_neither_profit_nor_return() -> None:
    deposits = np.array([0, 0, 9000 * USD, 9000 * USD])
    equity = [1000 * USD, 1000 * USD, 10_000 * USD, 11_000 * USD]
    row = rows_of(board_of(history("a", equity, deposits_usd=deposits)))["a"]
    assert isclose(0.1, row.total_return or 0)
    assert 1000 * USD == row.profit_usd


def test_only_the_window_that_all_share_is_compared() -> None:
    early = luck(1)
    late = history_of("late", np.zeros(100), time_ms=early.time_ms[-101:])
    rows = rows_of(board := board_of(early, late))
    assert (int(late.time_ms[0]), int(early.time_ms[-1])) == (board.from_ms, board.to_ms)
    shown = float(early.equity_usd[-1] / early.equity_usd[-101] - 1)
    assert isclose(shown, rows["trader-1"].total_return or 0, rel_tol=1e-9)
    assert (START_MS, START_MS + HOURS * HOUR_MS) == (
        rows["trader-1"].own_from_ms,
        rows["trader-1"].own_to_ms,
    )


def test_a_newcomer_waits_and_shortens_nobodys_window() -> None:
    early = luck(1)
    newcomer = history("new", [USD, 2 * USD], time_ms=early.time_ms[-2:])
    board = board_of(early, newcomer)
    assert board_of(early).rows[:2] == board.rows[:2]
    row = rows_of(board)["new"]
    assert ("new", None, None, None) == (row.standing, row.rank, row.total_return, row.profit_usd)


def test_when_all_are_new_they_are_compared() -> None:
    rows = rows_of(board_of(history("a", [USD, 2 * USD]), history("b", [USD, USD])))
    assert [1.0, 0.0] == [rows["a"].total_return, rows["b"].total_return]
    assert [1, 1, None] == [rows["a"].rank, rows["b"].rank, rows["a"].return_interval]


def test_one_who_is_stale_is_unknown_and_never_zero() -> None:
    fresh, silent = luck(1), luck(2, HOURS - 4)
    board = board_of(fresh, silent)
    row = rows_of(board)["trader-2"]
    known = {"trader_id", "standing", "stale_ms", "own_from_ms", "own_to_ms", "tied_with"}
    told = set(row.__struct_fields__) - known - {"is_replayed"}
    values = {name: getattr(row, name) for name in told}
    assert {None} == set(values.values())
    assert ("stale", 4 * HOUR_MS) == (row.standing, row.stale_ms)
    assert board.rows[-1] is row
    assert START_MS + HOURS * HOUR_MS == board.to_ms
    assert "ranked" == rows_of(board_of(fresh, luck(2, HOURS - 3)))["trader-2"].standing


def test_one_who_was_never_sampled_is_unknown() -> None:
    nobody = np.zeros(0, np.int64)
    row = rows_of(board_of(luck(1), history("ghost", nobody, time_ms=nobody)))["ghost"]
    assert ("new", None, None, None) == (row.standing, row.stale_ms, row.rank, row.own_from_ms)


def test_who_was_removed_ends_nobodys_window_and_stands_still() -> None:
    stays, whole = luck(1), luck(2)
    gone = replace(luck(2, HOURS - 2), removed=True)
    board = board_of(stays, gone)
    rows = rows_of(board)
    assert (START_MS, START_MS + HOURS * HOUR_MS) == (board.from_ms, board.to_ms)
    assert rows_of(board_of(stays))["trader-1"].total_return == rows["trader-1"].total_return
    shown = float(whole.equity_usd[-3] / whole.equity_usd[0] - 1)
    assert isclose(shown, rows["trader-2"].total_return or 0, rel_tol=1e-9)
    assert START_MS + (HOURS - 2) * HOUR_MS == rows["trader-2"].own_to_ms


def test_who_was_removed_begins_nobodys_window() -> None:
    """Nor is one compared that is not there at its begin, or not any more."""
    times = luck(1).time_ms
    a = history("a", [USD, USD, 2 * USD], time_ms=times[4:7])
    late = history("late", [USD, 2 * USD], time_ms=times[5:7])
    early = history("early", [USD, 2 * USD], time_ms=times[3:5])
    board = board_of(a, replace(late, removed=True), replace(early, removed=True))
    assert (int(times[4]), int(times[6])) == (board.from_ms, board.to_ms)
    rows = rows_of(board)
    assert ("ranked", "new", "stale") == tuple(
        rows[name].standing for name in ("a", "late", "early")
    )
    mature = replace(luck(3), removed=True)
    assert {"a": "ranked", "trader-3": "ranked", "flat": "ranked"} == {
        name: row.standing
        for name, row in rows_of(board_of(a, mature, now_ms=int(times[6]))).items()
    }


def test_who_was_removed_leaves_with_its_staleness_and_is_no_baseline() -> None:
    stays, gone = luck(1), replace(luck(2, HOURS - 4), removed=True, baseline="flat")
    now_ms = int(stays.time_ms[-1])
    board = build_leaderboard([stays, gone], BoardRules(now_ms=now_ms, with_removed=False))
    assert {"trader-1", "flat"} == rows_of(board).keys()
    board = build_leaderboard([stays, gone], BoardRules(now_ms=now_ms))
    assert {"trader-1", "trader-2", "flat"} == rows_of(board).keys()
    alone = board_of(replace(luck(1), removed=True))
    assert "ranked" == rows_of(alone)["trader-1"].standing
    hodl = replace(luck(2), removed=True, baseline="hodl")
    assert "hodl" in board_of(stays, hodl).missing_baselines


def test_the_ruined_rank_last_with_everything_lost() -> None:
    """Also one whose samples ended long ago, and one that the bill of its model ate."""
    poor = luck(3, edge=-0.003)
    gone = history("gone", [1000 * USD, 500 * USD, -1])
    eaten = history_of("eaten", np.zeros(HOURS), costs_usd=np.arange(HOURS + 1) * 100 * USD)
    board = board_of(luck(1), poor, gone, eaten)
    rows = rows_of(board)
    for name, other in (("gone", "eaten"), ("eaten", "gone")):
        row = rows[name]
        assert (4, 5, (other,)) == (row.rank, row.rank_worst, row.tied_with)
        assert (-1.0, 1.0, "ruined") == (row.total_return, row.max_drawdown, row.standing)
    assert 3 == rows["trader-3"].rank
    assert ("eaten", "gone") == tuple(row.trader_id for row in board.rows[-2:])


def test_traders_that_luck_may_have_put_apart_share_a_rank() -> None:
    rows = rows_of(board_of(luck(1), luck(2), luck(3, edge=0.002)))
    assert (1, 1, ()) == (
        rows["trader-3"].rank, rows["trader-3"].rank_worst, rows["trader-3"].tied_with
    )  # fmt: skip
    assert (2, 4, ("flat", "trader-2")) == (
        rows["trader-1"].rank, rows["trader-1"].rank_worst, rows["trader-1"].tied_with
    )  # fmt: skip


def test_doing_nothing_is_always_on_the_board() -> None:
    board = board_of(luck(1))
    row = rows_of(board)["flat"]
    assert ("flat", 0.0, 0) == (row.baseline, row.total_return, row.profit_usd)
    assert row.return_interval
    assert (0.0, 0.0) == (row.return_interval.low, row.return_interval.high)
    assert ("hodl", "random") == board.missing_baselines


def test_baselines_that_are_given_are_marked_and_not_added_again() -> None:
    nothing = np.zeros(HOURS)
    given = [history_of(f"b-{name}", nothing, baseline=name) for name in ("hodl", "random", "flat")]
    board = board_of(luck(1), *given)
    assert () == board.missing_baselines
    assert 4 == len(board.rows)
    assert "hodl" == rows_of(board)["b-hodl"].baseline


def test_a_group_tells_the_mean_of_its_seeds_and_how_much_they_differ() -> None:
    """Mean 10 %, deviation 10 points, Student's 4.303 for three seeds."""
    equity = {"a": 1000, "b": 1100, "c": 1200}
    seeds = [
        history(name, [1000 * USD, 1000 * USD, last * USD], group="model", seed=seed)
        for seed, (name, last) in enumerate(equity.items())
    ]
    old = history("d", [USD], group="model", time_ms=np.array([START_MS - DAY_MS]))
    (group,) = board_of(*seeds, old).groups
    assert ("model", 3, 1) == (group.group, group.seeds, group.unknown_seeds)
    assert isclose(0.1, group.mean_return or 0)
    assert group.return_interval
    half = 4.302653 * 0.1 / 3**0.5
    assert isclose(0.1 + half, group.return_interval.high, rel_tol=1e-6)
    (pair,) = board_of(*seeds[:2]).groups
    assert pair.return_interval is None


def test_counts_are_of_the_window() -> None:
    """The first two hours and the trade in them are before the other one began."""
    trader = history(
        "a",
        [1000 * USD] * 27,
        notional_usd=np.array([0] * 14 + [500 * USD] * 13),
        traded_usd=np.array([100 * USD] * 2 + [1100 * USD] * 25),
        tokens=np.array([5, 5, 5] + [12] * 24),
        closed_time_ms=START_MS + np.array([1, 3, 4, 5]) * HOUR_MS,
        closed_net_usd=np.array([9, 10, -5, 20]) * USD,
    )
    late = history("late", [USD] * 26, time_ms=trader.time_ms[1:])
    row = rows_of(board_of(trader, late))["a"]
    assert (3, 7, 6.0, 2 / 3) == (row.trades, row.tokens, row.profit_factor, row.win_rate)
    assert (0.5, 0.25) == (row.exposure, row.mean_leverage)
    assert isclose(1.0 / (25 / 24), row.turnover or 0)


def test_a_board_survives_the_wire() -> None:
    board = board_of(luck(1), luck(2))
    assert board == msgspec.json.decode(msgspec.json.encode(board), type=Leaderboard)


def test_a_board_of_nobody_is_empty_but_for_the_yardstick() -> None:
    board = build_leaderboard([], BoardRules(now_ms=START_MS))
    assert (None, None) == (board.from_ms, board.to_ms)
    assert [("flat", None)] == [(row.trader_id, row.rank) for row in board.rows]


def test_windows_that_do_not_meet_rank_nobody() -> None:
    before = luck(1, 30)
    after = history_of("after", np.zeros(30), time_ms=before.time_ms + 40 * HOUR_MS)
    board = board_of(before, after, stale_after_ms=DAY_MS * 9)
    assert {None} == {row.rank for row in board.rows}


def test_long_windows_take_longer_steps() -> None:
    """90 days of hours, a year of four hours, ten years of days."""
    days = (1, 90, 180, 365, 3650)
    assert [1, 1, 2, 4, 24] == [step_of(many * DAY_MS) // HOUR_MS for many in days]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InvariantViolated, match="one name"):
        board_of(luck(1), luck(1))
    with pytest.raises(InvariantViolated, match="not in order"):
        history("a", [1, 2], time_ms=np.array([5, 5]))
    with pytest.raises(InvariantViolated, match="different lengths"):
        history("a", [1, 2], tokens=np.array([5]))
    with pytest.raises(InvariantViolated, match="does not divide a day"):
        BoardRules(now_ms=0, step_ms=7 * HOUR_MS)
