"""Everything that a start needs, looked at before it: what is wrong, and what to do."""

import socket
import sys
from pathlib import Path

import pytest

from trader_manager.commands.checks import tell
from trader_manager.commands.doctor import examine
from trader_manager.settings import Settings

PLUGIN = """
from strategy_core.building import Params
from strategy_core.port import Decision, Needs


class Mine:
    class Params(Params):
        pass

    def __init__(self, setup, params):
        self.needs = Needs()

    def decide(self, observation):
        return Decision()
"""


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRADING_URL", raising=False)


def found(**more: object) -> dict[str, str]:
    """Problems by what was looked at; empty where there is none."""
    settings = Settings.load(**{"port": 0, **more})
    problems: dict[str, str] = {}
    for check in examine(settings):
        assert bool(check.problem) != bool(check.told), check
        problems[check.name] = problems.get(check.name, "") + check.problem
    return problems


def test_a_machine_that_has_it_all_lacks_only_its_venue(tmp_path: Path) -> None:
    problems = found()
    assert "TRADING_URL is not set" in problems.pop("venue")
    assert not any(problems.values()), problems
    looked = "python packages strategy-agent port disk database tokens notices"
    assert set(looked.split()) == set(problems)
    assert [] == list(tmp_path.iterdir()), "nothing is made"


def test_a_venue_that_is_not_there_and_a_port_that_is_taken_are_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        problems = found(port=port, trading_url=f"http://127.0.0.1:{port}/w/none")
    assert "a manager may run already" in problems["port"]
    assert "correct TRADING_URL" in problems["venue"]


def test_a_traders_file_with_mistakes_is_told_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "traders.yaml"
    path.write_text(
        "traders:\n"
        "  - {trader_id: a, strategy: {kind: hodl}, symbols: [BTC], name: '${UNSET_ANYWHERE}'}\n"
        "  - {trader_id: b, strategy: {kind: holdl}, symbols: [BTC]}\n"
    )
    problems = found(traders=path)
    assert "line 3" in problems["traders file"]
    assert "UNSET_ANYWHERE is not set" in problems["secrets"]
    path.write_text("traders: [")
    assert "is not YAML" in found(traders=path)["traders file"]
    path.unlink()
    assert "No such file" in found(traders=path)["traders file"]
    assert "are both given" in found(traders=path, traders_config="{}")["traders file"]


def test_traders_of_a_setting_are_looked_at_as_a_file_is() -> None:
    problems = found(traders_config='{"a": {"strategy": "holdl", "symbol": "BTC"}}')
    assert "line 1: traders[a].strategy.kind" in problems["traders file"]


def test_a_database_that_does_not_answer_is_told_without_its_password() -> None:
    problem = found(database_url="postgresql://me:hidden@127.0.0.1:1/db")["database"]
    assert ("hidden" not in problem, "docs/database.md" in problem) == (True, True)
    assert "PG_VERSION" not in found(database_url="embedded://./elsewhere")["database"]


def test_tokens_that_others_may_read_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "var/tokens"
    folder.mkdir(mode=0o700, parents=True)
    token = folder / "operator.token"
    token.write_text("secret")
    token.chmod(0o444)
    problem = found()["tokens"]
    assert ("mode 0444" in problem, "secret" in problem) == (True, False)
    token.chmod(0o400)
    assert "" == found()["tokens"]


def test_the_exit_code_says_whether_there_is_a_problem(capsys: pytest.CaptureFixture[str]) -> None:
    checks = list(examine(Settings.load(port=0)))
    assert 1 == tell(checks)
    assert 0 == tell(one for one in checks if not one.problem)
    assert "PROBLEM  venue" in capsys.readouterr().out


def test_a_plugin_is_found_in_the_folder_of_the_manager_or_told(tmp_path: Path) -> None:
    """It is loaded by the agent, which works elsewhere, and not by the doctor itself."""
    path = tmp_path / "traders.yaml"
    path.write_text(
        "traders:\n"
        "  - {trader_id: a, strategy: {kind: 'plugin:mine_of_doctor:Mine'}, symbols: [BTC]}\n"
    )
    problem = found(traders=path)["plugins"]
    assert "traders[a].strategy.kind: cannot load mine_of_doctor:Mine" in problem
    assert "STRATEGY_AGENT_PLUGIN_DIR" in problem
    (tmp_path / "mine_of_doctor.py").write_text(PLUGIN)
    assert "" == found(traders=path)["plugins"]
    assert "mine_of_doctor" not in sys.modules
    path.write_text(path.read_text().replace("symbols", "runtime: replicas, symbols"))
    assert "plugins" not in found(traders=path)
