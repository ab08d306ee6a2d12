"""The agents' part of the checklist as a command: real collector, venue, run, report; a model."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.agent_process import running_agent
from tests.support.model_server import ModelServer, serving
from tests.support.stores import make_store
from tests.support.venue_process import VenueUnderTest, eventually, running_venue

pytestmark = [pytest.mark.process, pytest.mark.timeout(900)]

BIN = Path(sys.executable).parent
NOW = "2025-05-10T13:20"
HOLD = '{"decisions": [{"coin": "BTC", "signal": "hold"}], "notes": []}'
ANNA = """\
traders:
  - trader_id: anna
    strategy: {{kind: sma_cross, params: {{fast: 5, slow: 20, exposure: {exposure}}}}}
    symbols: [BTC, ETH]
"""
OTHERS = """\
  - trader_id: qwen
    strategy:
      kind: llm
      params: {{model: small, base_url: "{url}", short: 1m, long: 15m}}
    symbols: [BTC]
  - trader_id: sue
    strategy: {{kind: sma_cross}}
    symbols: [SOL]
"""


@contextmanager
def collector(folder: Path, store: Path) -> Iterator[str]:
    """Serve a store; its address."""
    command = [str(BIN / "data-collector"), "serve", "--data", str(store), "--port", "0"]
    with (
        (folder / "collector.log").open("w") as log,
        subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (folder / "collector.log").read_text()[-2000:]
        try:
            yield line.split()[-1]
        finally:
            process.send_signal(signal.SIGTERM)


class Suite:
    """What runs around the command.

    Attributes:
        model: a server of a language model that does as it is told.
    """

    def __init__(self, folder: Path, venue: VenueUnderTest, data: str, model: ModelServer) -> None:
        self.folder, self.venue, self.data, self.model = folder, venue, data, model
        self.write()

    def write(self, exposure: str = "0.1") -> None:
        """Write the traders file."""
        traders = ANNA.format(exposure=exposure) + OTHERS.format(url=self.model.url)
        (self.folder / "traders.yaml").write_text(traders)

    def preflight(self, trader: str, *options: str) -> tuple[int, dict[int, dict[str, Any]]]:
        """Exit code and lines by number."""
        done = self.run(trader, *options, "--json")
        assert done.stdout, done.stderr
        return done.returncode, {line["number"]: line for line in json.loads(done.stdout)["lines"]}

    def run(self, trader: str, *options: str) -> subprocess.CompletedProcess[str]:
        command = [str(BIN / "strategy-agent"), "preflight", "--config", "traders.yaml"]
        return subprocess.run(
            [*command, "--trader", trader, *options],
            cwd=self.folder,
            env=os.environ
            | {
                "TRADING_URL": self.venue.url,
                "DATA_SERVICE_URL": self.data,
                "TRADER_TOKENS_DIR": str(self.folder / "venue" / "var" / "tokens"),
            },
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """A venue in real time, in the middle of stored bars; those of SOL have ended before."""
    folder: Path = tmp_path_factory.mktemp("preflight")
    options = ("--accounts", "anna,qwen,sue", "--from", NOW)
    with (
        running_venue(
            folder / "venue", *options, coins=("BTC", "ETH"), minutes=9_000, speed=1.0
        ) as venue,
        serving() as model,
    ):
        store = make_store(folder / "venue" / "var" / "data", "SOL", minutes=7_910)
        with collector(folder, store) as data:
            model.text = HOLD
            yield Suite(folder, venue, data, model)


@pytest.fixture(scope="module")
def report(suite: Suite) -> str:
    """A backtest of anna over a day."""
    (suite.folder / "anna.yaml").write_text(ANNA.format(exposure="0.1"))
    span = ("--from", "2025-05-06", "--to", "2025-05-07")
    command = ["backtest", "--traders", "anna.yaml", "--data", "venue/var/data", "--out", "report"]
    subprocess.run(
        [str(BIN / "virtual-exchange"), *command, *span],
        cwd=suite.folder,
        check=True,
        capture_output=True,
        timeout=400,
    )
    return "report"


@pytest.fixture(scope="module")
def journal(suite: Suite) -> str:
    """Of a run in real time, as long as its first two turns take."""
    folder = suite.folder / "agent"
    folder.mkdir()
    traders = ANNA.format(exposure="0.1")
    with running_agent(folder, suite.venue, traders, "anna") as agent:
        eventually(lambda: agent.status("anna")["decisions"], limit_s=240)
        assert agent.post("/run-once", reason="to have its second turn now").is_success
        eventually(lambda: agent.journal("anna", "decision"), limit_s=240)
        code, _, errors = agent.stop()
        assert (0, "") == (code, errors)
    return "agent/var/journal"


def test_trader_of_rules_is_green_with_its_report_and_its_run(
    suite: Suite, report: str, journal: str
) -> None:
    """Bars whole; a generated market and seconds of paper are told as what they are."""
    code, lines = suite.preflight("anna", "--report", report, "--journal", journal)
    assert 0 == code, lines
    assert [42, 43, 44, 45, 46] == list(lines)
    assert "anna: 20 bars of 15m for BTC, ETH" == lines[42]["reason"]
    told = [lines[number]["status"] for number in lines]
    assert ["PASS", "WARN", "WARN", "PASS", "PASS"] == told, lines
    sha256 = json.loads((suite.folder / report / "report.json").read_text())["sha256"]
    assert f"report {sha256[:12]}; the market was generated" in lines[43]["reason"]
    assert "2025-05-06 to 2025-05-07 (1.0 days)" in lines[43]["reason"]
    assert f"0.0 days in 1 run at {suite.venue.url}, " in lines[44]["reason"]
    assert " decisions, 0 failed, code " in lines[44]["reason"]
    done = suite.run("anna")
    assert "PASS 45 models: anna: asks no model\n" in done.stdout
    assert "anna: green (3 PASS, 2 WARN, 0 FAIL, 0 SKIP)" == done.stdout.splitlines()[-1]


def test_report_and_run_of_another_configuration_fail(
    suite: Suite, report: str, journal: str
) -> None:
    """The field is named; nothing else has changed."""
    suite.write(exposure="0.2")
    try:
        code, lines = suite.preflight("anna", "--report", report, "--journal", journal)
    finally:
        suite.write()
    assert 1 == code
    assert {43, 44} == {n for n, line in lines.items() if line["status"] == "FAIL"}, lines
    assert "params.exposure is 0.2, in the report 0.1" in lines[43]["reason"]
    assert "none of the 1 runs was of this configuration" in lines[44]["reason"]


def test_bars_that_are_not_there_are_counted(suite: Suite) -> None:
    """The store of SOL ends before now, in the middle of a quarter of an hour."""
    code, lines = suite.preflight("sue")
    assert 1 == code
    assert "FAIL" == lines[42]["status"]
    assert "sue: SOL 15m: 6 of 30 bars are missing, from 2025-05-10 11:45" in lines[42]["reason"]
    assert "the newest among them" in lines[42]["reason"]


def test_language_model_is_asked_and_must_hold(suite: Suite) -> None:
    """One question each time, and nothing of it reaches the venue."""
    before = len(suite.model.bodies)
    code, lines = suite.preflight("qwen")
    assert 0 == code, lines
    assert "PASS" == lines[45]["status"]
    assert "small: answered hold within" in lines[45]["reason"]
    assert "cost 0.0 USD" in lines[45]["reason"]
    assert 1 == len(suite.model.bodies) - before
    suite.model.text = HOLD.replace("hold", "buy_to_enter")
    try:
        code, lines = suite.preflight("qwen")
    finally:
        suite.model.text = HOLD
    assert 1 == code
    assert "answered buy_to_enter BTC where nothing but hold" in lines[45]["reason"]
    assert [] == suite.venue.post("/info", {"type": "openOrders"}, "qwen")
