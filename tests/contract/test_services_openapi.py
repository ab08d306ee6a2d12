"""The other services under schemathesis: no request that their description allows is our error.

The status is what is looked at here.
"""

from pathlib import Path

import pytest
from tests.support.agent_process import running_agent
from tests.support.collector_process import CollectorProcess
from tests.support.described import STATUS, described_requests
from tests.support.manager_process import managing
from tests.support.postgres_servers import open_folder
from tests.support.venue_process import running_venue

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(400)]

TRADERS = """
traders:
  - {trader_id: alice, strategy: {kind: random, params: {probability: 0.5}}, symbols: [BTC]}
"""
ENDS = "/(stop|leave|shutdown|start|restart)|^/backtest|^/arena|/events$|/stream$"
"""What ends the service or a trader, or goes on for ever."""


def served(url: str, token: str, folder: Path) -> int:
    """Have requests made of a description; how many there were."""
    left_out = ("--exclude-path-regex", ENDS)
    return described_requests(url, token, folder, *left_out, checks=STATUS, examples=4)


def test_collector_answers_everything_that_it_describes(tmp_path: Path) -> None:
    (tmp_path / "venue").mkdir()
    (tmp_path / "collector").mkdir()
    with running_venue(tmp_path / "venue", coins=("BTC",)) as venue:
        collector = CollectorProcess(tmp_path / "collector", venue.url, "BTC")
        try:
            token = tmp_path / "collector" / "var" / "tokens" / "operator.token"
            held = token.read_text().strip() if token.exists() else ""
            assert served(collector.url, held, tmp_path / "client") > 50
        finally:
            collector.stop()


def test_manager_answers_everything_that_it_describes(tmp_path: Path) -> None:
    (tmp_path / "venue").mkdir()
    with (
        open_folder() as folder,
        running_venue(tmp_path / "venue", coins=("BTC",)) as venue,
        managing(folder, venue) as manager,
    ):
        token = (folder / "var" / "tokens" / "operator.token").read_text().strip()
        assert served(manager.url, token, tmp_path / "client") > 50


def test_agent_answers_everything_that_it_describes(tmp_path: Path) -> None:
    for name in ("venue", "agent"):
        (tmp_path / name).mkdir()
    options = ("--accounts", "alice")
    with (
        running_venue(tmp_path / "venue", *options, coins=("BTC",)) as venue,
        running_agent(tmp_path / "agent", venue, TRADERS, "alice") as agent,
    ):
        token = (agent.folder / "var" / "tokens" / "operator.token").read_text().strip()
        assert served(agent.url, token, tmp_path / "client") > 50
