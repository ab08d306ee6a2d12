"""The leaderboard in a terminal: what its numbers are called, and what is said of them."""

from io import StringIO
from typing import Any

from rich.console import Console

from virtual_exchange.application.report.console import leaderboard, remarks

PAUSED = {
    "status": "PAUSED",
    "from_ms": 1_748_705_400_000,
    "until_ms": None,
    "causes": ["day_loss"],
    "reason": "equity 9414.31 <= 9419.53 USD",
}


def row(trader_id: str, rank: int, total_return: str, **more: Any) -> dict[str, Any]:
    return {
        "trader_id": trader_id,
        "rank": rank,
        "rank_worst": rank,
        "tied_with": [],
        "total_return": total_return,
        "return_interval": None,
        "total_pnl": "0",
        "max_drawdown": "0",
        "sharpe": None,
        "total_trades": 0,
        "degraded": False,
        **more,
    }


def report(*rows: dict[str, Any], fills: int = 0, stood: Any = ()) -> dict[str, Any]:
    return {
        "result": {
            "coins": ["BTC"],
            "synthetic": False,
            "leaderboard": list(rows),
            "leaderboard_note": "",
            "traders": {one["trader_id"]: {"trades": [{}] * fills} for one in rows},
        },
        "guards": {one["trader_id"]: {"stood": list(stood)} for one in rows},
        "models": {},
        "charged": None,
    }


def shown(told: dict[str, Any]) -> str:
    written = StringIO()
    Console(width=140, file=written).print(leaderboard(told))
    return written.getvalue()


def test_ranks_are_written_as_on_the_page() -> None:
    """Tied traders have a mark, and the worst rank that is possible stands behind."""
    text = shown(report(row("a", 1, "0.1", tied_with=["b"], rank_worst=3), row("c", 4, "0")))
    assert " =1 to 3 " in text
    assert " 4 " in text


def test_the_interval_and_the_fills_have_columns() -> None:
    """Who bought once and holds has no closed trade, and a fill."""
    text = shown(report(row("hodl", 1, "0.1", return_interval=["-0.0123", "0.2"]), fills=3))
    assert "95 % interval" in text
    assert "-1.2 to +20.0 %" in text
    assert "closed trades" in text
    assert "fills" in text
    line = next(line for line in text.splitlines() if "hodl" in line)
    assert ["0", "3"] == line.split()[-2:]


def test_nothing_is_minus_zero() -> None:
    """A loss of less than is shown is none."""
    text = shown(
        report(row("a", 1, "-0.00001", total_pnl="-0.001", return_interval=["-0.0001", "0"]))
    )
    assert "-0.0" not in text
    assert "0.0 to 0.0 %" in text


def test_a_rank_above_one_that_earned_more_is_explained_where_it_happens() -> None:
    """Only there."""
    assert [] == list(remarks(report(row("a", 1, "0.1"), row("b", 2, "0.05"))))
    (said,) = remarks(report(row("wild", 1, "-0.0963"), row("calm", 3, "-0.0091")))
    assert "wild (-9.63 %) stands above calm (-0.91 %)" in said
    assert "what is proven" in said


def test_a_pause_at_the_end_has_its_reason() -> None:
    """One that is over is not told."""
    told = report(row("a", 1, "0"), stood=[PAUSED])
    assert "a (paused)" in shown(told)
    (said,) = remarks(told)
    assert "a was paused at the end, from 2025-05-31 15:30" in said
    assert "day loss: equity 9414.31 <= 9419.53 USD" in said
    over = report(row("a", 1, "0"), stood=[PAUSED | {"until_ms": 1_748_736_000_000}])
    assert [] == list(remarks(over))
