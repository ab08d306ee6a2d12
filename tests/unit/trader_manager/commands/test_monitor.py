"""The live view: what is known of each trader, best first; a dash for what is not."""

from typing import Any

import pytest
from rich.console import Console

from suite.errors import UpstreamUnavailable
from trader_manager.commands.monitor import Row, View, drawn, look, monitor, sparkline

TRADERS = {
    "traders": [
        {
            "trader_id": name, "actual": actual, "step": "none", "problem": problem, "reason": "",
            "status": status,
        }
        for name, actual, problem, status in (
            ("anna", "running", "", {"status": "PAUSED", "causes": {"data": ""}, "positions": {}}),
            (
                "bert", "running", "",
                {
                    "status": "LIVE", "positions": {"BTC": "0.5"}, "last_fault": "",
                    "model_fault": "quota: no money left",
                },
            ),
            ("carl", "absent", "KEY is not set", None),
        )
    ],
    "trouble": "",
}  # fmt: skip
BOARD = {
    "world": "w", "now_ms": 0, "trouble": "",
    "board": {
        "from_ms": 0, "to_ms": 3_600_000,
        "rows": [
            {"trader_id": "bert", "total_return": 0.0123, "max_drawdown": 0.5},
            {"trader_id": "anna", "total_return": None, "max_drawdown": -0.000001},
        ]
    },
}  # fmt: skip
HISTORY = {
    "total_return": 0.2,
    "equity_usd": [10_000_000, 12_000_000], "net_deposits_usd": [0, 0], "llm_cost_usd": [0, 0],
}  # fmt: skip


class ScriptedClient:
    """Answers as a manager does."""

    url = "http://manager"

    def __init__(self) -> None:
        self.away: set[str] = set()

    def get(self, path: str, **_query: Any) -> Any:
        if path in self.away:
            raise UpstreamUnavailable("it does not answer")
        match path.rpartition("/")[2]:
            case "traders":
                return TRADERS
            case "leaderboard":
                return BOARD
            case "history":
                return HISTORY
            case _:
                return {"decisions": [{"decision": 7, "reasoning": "[red]quiet\nvery"}]}


def test_a_view_has_what_is_known_best_first() -> None:
    client: Any = ScriptedClient()
    client.away = {"/traders/carl/history", "/traders/carl/decisions"}
    view = look(client)
    assert ["bert", "anna", "carl"] == [row.trader for row in view.rows]
    bert, anna, carl = view.rows
    assert ("12.00", "1.23 %", "▁█", "50.00 %", "0.5 BTC", "7: [red]quiet") == (
        bert.equity, bert.shared_return, bert.pnl, bert.drawdown, bert.position, bert.decision,
    )  # fmt: skip
    assert "quota: no money left" == bert.trouble
    assert ("running PAUSED", "–", "0.00 %", "flat", "data") == (
        anna.state, anna.shared_return, anna.drawdown, anna.position, anna.trouble,
    )  # fmt: skip
    assert ("–", "–", "–", "KEY is not set") == (
        carl.equity, carl.pnl, carl.position, carl.trouble,
    )  # fmt: skip


def test_a_return_is_of_the_time_that_the_equity_beside_it_is_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also of one that the board does not rank; the window of the comparison is told."""
    client: Any = ScriptedClient()
    view = look(client)
    assert ["20.00 %"] * 3 == [row.own_return for row in view.rows]
    told = "return: since the trader's own start; shared, drawdown: 1970-01-01"
    assert told in view.title
    assert "01:00" in view.title.partition(" to ")[2]
    nobody = {**BOARD["board"], "from_ms": None, "to_ms": None}  # type: ignore[dict-item]
    monkeypatch.setitem(BOARD, "board", nobody)
    assert "no time yet that traders share" in look(client).title


def test_without_a_terminal_there_is_one_table() -> None:
    console = Console(width=160, record=True, force_terminal=False)
    client: Any = ScriptedClient()
    monitor(client, once=False, console=console)
    text = console.export_text()
    assert ("bert" in text, "▁█" in text, "[red]quiet" in text) == (True, True, True)
    client.away = {"/leaderboard"}
    assert ("leaderboard: it does not answer",) == look(client).troubles
    client.away = {"/traders"}
    with pytest.raises(UpstreamUnavailable):
        monitor(client, once=True, console=console)


def shown(width: int, *, trouble: str = "", rows: int = 3) -> str:
    """What a terminal of so many characters shows of traders that have much to say."""
    traders = tuple(
        Row(
            trader=f"llm-agent-{number}",
            state="running PAUSED",
            equity=f"1{number},234.56",
            own_return="-12.34 %",
            shared_return="-1.23 %",
            pnl="▁▂▃▄▅▆▇█▁▂",
            drawdown="13.57 %",
            position="0.5 BTC, -12.25 ETH",
            decision=f"{number}: " + "the market is quiet " * 30,
            trouble=trouble,
        )
        for number in range(rows)
    )
    console = Console(width=width, record=True, force_terminal=False)
    console.print(drawn(View(title="manager", rows=traders, troubles=()), width=width))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= width
    return text


@pytest.mark.parametrize("trouble", ["", "it has lost more than it may, " * 5])
@pytest.mark.parametrize("width", [80, 100, 140])
def test_names_and_figures_are_whole_however_much_is_said(width: int, trouble: str) -> None:
    text = shown(width, trouble=trouble)
    for number in range(3):
        line = next(line for line in text.splitlines() if f"llm-agent-{number} " in line)
        assert "running PAUSED" in line
        assert f"1{number},234.56" in line
        assert "-12.34 %" in line
        assert "-1.23 %" in line
        assert "▁▂▃▄▅▆▇█▁▂" in line


def test_columns_go_from_the_right_where_a_terminal_is_narrow() -> None:
    heads = {width: shown(width).splitlines()[1].split() for width in (60, 80, 100, 140)}
    assert ["trader", "state", "equity", "return", "shared"] == heads[60]
    assert [*heads[60], "PnL", "drawdown"] == heads[80]
    assert [*heads[80], "position"] == heads[100]
    assert [*heads[100], "last", "decision"] == heads[140]
    assert "2: the market is quiet" in shown(140)


def test_a_trouble_that_has_no_column_is_told_below() -> None:
    wide, narrow = (shown(width, trouble="KEY is not set") for width in (140, 80))
    assert ("trouble" in wide, "llm-agent-2: KEY is not set" in wide) == (True, False)
    assert ("trouble" in narrow, "llm-agent-2: KEY is not set" in narrow) == (False, True)


def test_a_view_goes_on_while_the_manager_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    client: Any = ScriptedClient()
    rounds: list[int] = []

    def pause(_seconds: float) -> None:
        rounds.append(1)
        client.away = {"/traders"} if len(rounds) == 1 else set()
        if len(rounds) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("trader_manager.commands.monitor.time.sleep", pause)
    monitor(client, once=False, console=Console(width=160, record=True, force_terminal=True))
    assert 3 == len(rounds)


@pytest.mark.parametrize(
    ("values", "drawn"), [([], "–"), ([5, 5], "▄▄"), ([-1, 0, 1], "▁▄█"), ([0, 7], "▁█")]
)
def test_a_sparkline_is_between_the_lowest_and_the_highest(values: list[int], drawn: str) -> None:
    assert drawn == sparkline(values)
