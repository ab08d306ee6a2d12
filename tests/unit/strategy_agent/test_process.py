"""The agent as a real process against a venue in another one."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.process

TRADERS = """
traders:
  - {trader_id: a, strategy: {kind: random, params: {probability: 0.5}}, symbols: [BTC, ETH]}
  - {trader_id: b, strategy: {kind: sma_cross}, symbols: [BTCUSDT]}
  - {trader_id: c, strategy: {kind: "plugin:mine:Bad"}, symbols: [BTC]}
  - {trader_id: d, strategy: {kind: flat}, symbols: [DOGE]}
  - {trader_id: e, strategy: {kind: "plugin:absent:Bad"}, symbols: [BTC]}
"""
PLUGIN = '''
from strategy_core.building import Params as Base
from strategy_core.port import Needs

class Bad:
    """Breaks at its first decision."""

    class Params(Base, frozen=True, kw_only=True):
        pass

    needs = Needs(slow=True)

    def __init__(self, setup, params):
        pass

    def decide(self, observation):
        raise ZeroDivisionError("by design")
'''
Agent = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).parents[3]
COMMAND = str(Path(sys.executable).with_name("strategy-agent"))


@pytest.fixture
def venue() -> Iterator[Callable[..., str]]:
    running: list[subprocess.Popen[str]] = []

    def start(mode: str = "lockstep", steps: int = 40) -> str:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.strategy_agent.stub_venue", mode, str(steps)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        running.append(process)
        assert process.stdout is not None
        return f"http://127.0.0.1:{process.stdout.readline().strip()}/w/x"

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    (tmp_path / "traders.yaml").write_text(TRADERS)
    (tmp_path / "mine.py").write_text(PLUGIN)

    def run(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
        names = ("PATH", "HOME", "PYTHONPATH", "PYTHONWARNINGS")
        base = {name: os.environ[name] for name in names if name in os.environ}
        return subprocess.run(
            [COMMAND, *args],
            env={**base, "STRATEGY_AGENT_CONNECT_WINDOW_S": "0.3", **env},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def one_line(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert (code, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr
    for word in words:
        assert word in done.stderr


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_trader_runs_to_the_end_and_leaves_a_journal(
    venue: Callable[..., str], agent: Agent, tmp_path: Path
) -> None:
    """One line on stdout, a record for each decision, exit 0."""
    url = venue()
    done = agent("run", "--config", "traders.yaml", "--trader", "a",
                 TRADING_URL=url, TRADER_TOKEN="token-a")  # fmt: skip
    assert (0, "") == (done.returncode, done.stderr)
    assert "a: ended at" in done.stdout
    records = lines(tmp_path / "var/journal/a.jsonl")
    assert ["run", *["decision"] * 40, "result"] == [record["type"] for record in records]
    assert "token-a" not in (tmp_path / "var/journal/a.jsonl").read_text()


def test_two_runs_and_lost_answers_make_the_same_decisions(
    venue: Callable[..., str], agent: Agent, tmp_path: Path
) -> None:
    """A step whose answer was lost is asked again under its number and acts once."""
    journals = []
    for mode, name in (("lockstep", "one"), ("lockstep fail=3", "two"), ("paced", "three")):
        done = agent("run", "--config", "traders.yaml", "--trader", "b", "--journal", name,
                     TRADING_URL=venue(mode), TRADER_TOKEN="token-b")  # fmt: skip
        assert done.returncode == 0, done.stderr
        journals.append(lines(tmp_path / name / "b.jsonl")[1:])
    assert journals[0] == journals[1] == journals[2]


def test_several_traders_in_one_process_fail_alone(venue: Callable[..., str], agent: Agent) -> None:
    """Three reach their end, one of them paused; what cannot start gets a line each; exit 1."""
    tokens = json.dumps({name: f"token-{name}" for name in "abc"})
    done = agent("run", "--config", "traders.yaml", "--trader", "a,c,b,d,e",
                 "--no-journal", "--quiet",
                 TRADING_URL=venue(), TRADER_TOKENS=tokens, TRADER_TOKEN="token-d")  # fmt: skip
    assert done.returncode == 1
    assert {"a: ended", "b: ended", "c: ended"} == {line[:8] for line in done.stdout.splitlines()}
    assert "d: traders[d].symbols: the venue does not trade DOGE" in done.stderr
    assert "e: traders[e].strategy.kind: cannot load absent:Bad" in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_tokens_may_be_files(venue: Callable[..., str], agent: Agent, tmp_path: Path) -> None:
    """Each is found by the name of its trader."""
    for name in "ab":
        file = tmp_path / f"{name}.token"
        file.write_text(f"token-{name}\n")
        file.chmod(0o400)
    done = agent("run", "--config", "traders.yaml", "--trader", "a,b", "--no-journal", "--quiet",
                 TRADING_URL=venue(), TRADER_TOKENS_DIR=str(tmp_path))  # fmt: skip
    assert (0, "") == (done.returncode, done.stderr)
    assert {"a: ended", "b: ended"} == {line[:8] for line in done.stdout.splitlines()}


def test_one_token_is_never_traded_by_two(venue: Callable[..., str], agent: Agent) -> None:
    """It is one account: a trader without a token of its own must not take another's."""
    done = agent("run", "--config", "traders.yaml", "--trader", "a,b", "--no-journal", "--quiet",
                 TRADING_URL=venue(), TRADER_TOKEN="token-a")  # fmt: skip
    one_line(
        done, 1, "trader b has no token of its own: TRADER_TOKEN is that of a", "TRADER_TOKENS"
    )
    assert ["a: ended"] == [line[:8] for line in done.stdout.splitlines()]


def test_a_venue_that_does_not_answer_is_one_line(agent: Agent) -> None:
    """Where it was looked for, and exit 1."""
    done = agent("run", "--config", "traders.yaml", "--trader", "a",
                 TRADING_URL="http://127.0.0.1:9/w/x", TRADER_TOKEN="t")  # fmt: skip
    one_line(done, 1, "strategy-agent: cannot reach the venue at http://127.0.0.1:9/w/x: ")


def test_check_of_a_venue_needs_a_token(
    venue: Callable[..., str], agent: Agent, tmp_path: Path
) -> None:
    """It says which setting is missing, not what the venue thinks of a request without one."""
    (tmp_path / "traders.yaml").write_text(
        "traders: [{trader_id: a, strategy: {kind: flat}, symbols: [BTC]}]"
    )
    done = agent("check", "--config", "traders.yaml", "--trader", "a", TRADING_URL=venue())
    assert "traders[a]: no token: set TRADER_TOKEN" in done.stdout + done.stderr
    assert done.returncode


@pytest.mark.parametrize(
    ("tokens", "hint"),
    [
        ({}, "set TRADER_TOKEN, or a in TRADER_TOKENS for several traders"),
        ({"TRADER_TOKENS": '{"b": "token-b"}'}, "or a in TRADER_TOKENS for several traders"),
    ],
)
def test_no_token_is_wrong_use(
    venue: Callable[..., str], agent: Agent, tokens: dict[str, str], hint: str
) -> None:
    """Before anything has begun."""
    run = ("run", "--config", "traders.yaml", "--trader", "a")
    one_line(agent(*run, TRADING_URL=venue(), **tokens), 2, "trader a has no token", hint)


@pytest.mark.parametrize(
    ("tokens", "hint"),
    [
        ({"TRADER_TOKEN": "token-of-nobody"}, "is TRADER_TOKEN the token of a?"),
        (
            {"TRADER_TOKENS": '{"a": "token-of-nobody"}'},
            "is the entry a of TRADER_TOKENS the token of a?",
        ),
    ],
)
def test_the_setting_that_a_wrong_token_is_from_is_named(
    venue: Callable[..., str], agent: Agent, tokens: dict[str, str], hint: str
) -> None:
    run = ("run", "--config", "traders.yaml", "--trader", "a")
    one_line(agent(*run, TRADING_URL=venue(), **tokens), 1, "401", hint)


def test_a_wrong_token_is_one_line(venue: Callable[..., str], agent: Agent) -> None:
    """The venue's own words, what to look at, and never the token."""
    done = agent("run", "--config", "traders.yaml", "--trader", "a",
                 TRADING_URL=venue(), TRADER_TOKEN="secret-and-wrong")  # fmt: skip
    one_line(done, 1, "answered 401: unknown token", "TRADER_TOKEN")
    assert "secret" not in done.stderr


def test_a_wrong_world_is_one_line(venue: Callable[..., str], agent: Agent) -> None:
    """A path without a venue behind it."""
    done = agent("run", "--config", "traders.yaml", "--trader", "a",
                 TRADING_URL=venue()[:-1] + "y", TRADER_TOKEN="token-a")  # fmt: skip
    one_line(done, 1, "answered 404", "TRADING_URL")


def test_a_strategy_that_always_raises_is_told_with_every_decision(
    venue: Callable[..., str], agent: Agent, tmp_path: Path
) -> None:
    """The run goes on to its end; the reason is on the screen and in the journal, no traceback."""
    done = agent("run", "--config", "traders.yaml", "--trader", "c",
                 TRADING_URL=venue(), TRADER_TOKEN="token-a")  # fmt: skip
    assert (0, "") == (done.returncode, done.stderr)
    records = lines(tmp_path / "var/journal/c.jsonl")
    decisions: list[Any] = [row["decision"] for row in records if row["type"] == "decision"]
    asked = [row["fault"] for row in decisions if row["asked"]]  # slow: three turns for each
    assert 13 <= len(asked)
    assert {"ZeroDivisionError: by design"} == set(asked)
    assert "ZeroDivisionError: by design" in str([row for row in records if row["type"] == "alert"])


def test_no_venue_named_is_wrong_use(agent: Agent) -> None:
    """The name of the setting, and exit 2."""
    one_line(agent("run", "--config", "traders.yaml", "--trader", "a"), 2, "TRADING_URL is not set")


def test_a_bad_address_is_wrong_use(agent: Agent) -> None:
    """Before anything is tried."""
    done = agent("run", "--config", "traders.yaml", "--trader", "a", TRADING_URL="localhost:8100")
    one_line(done, 2, "TRADING_URL", "must be an address")


def test_an_unknown_trader_is_wrong_use(agent: Agent) -> None:
    """With the ids that exist."""
    done = agent("run", "--config", "traders.yaml", "--trader", "aa")
    one_line(done, 2, "no trader aa, did you mean a?; there are a, b, c, d, e")


def test_a_journal_that_cannot_be_written_is_one_line(
    venue: Callable[..., str], agent: Agent
) -> None:
    """Before the first order."""
    done = agent("run", "--config", "traders.yaml", "--trader", "a", "--journal", "mine.py",
                 TRADING_URL=venue(), TRADER_TOKEN="token-a")  # fmt: skip
    one_line(done, 1, "cannot write the journal")


def test_strategies_are_listed_with_their_defaults(agent: Agent) -> None:
    """Kinds, parameters, limits of the guard."""
    done = agent("strategies")
    assert done.returncode == 0
    for text in ("sma_cross:", "  fast = 10", "  slow = 30", "hodl:", "flat:", "max_leverage = 5"):
        assert text in done.stdout


def test_check_lists_every_problem_on_its_own_line(agent: Agent, tmp_path: Path) -> None:
    """However many there are; exit 2. Plugins are loaded, their parameters looked at."""
    entries = [{"trader_id": f"t{n}", "strategy": {"kind": "nope"}, "symbols": ["BTC"]}
               for n in range(30)]  # fmt: skip
    (tmp_path / "bad.yaml").write_text(json.dumps({"traders": entries}))
    done = agent("check", "--config", "bad.yaml")
    assert len(done.stdout.splitlines()) == 30
    one_line(done, 2, "bad.yaml has 30 problems")
    (tmp_path / "odd.yaml").write_text(
        TRADERS + '  - {trader_id: f, strategy: {kind: "plugin:mine:Bad", params: {x: 1}},\n'
        "     symbols: [BTC]}\n"
    )
    found = agent("check", "--config", "odd.yaml").stdout.splitlines()
    assert [
        "line 7: traders[e].strategy.kind: cannot load absent:Bad",
        "line 8: traders[f].strategy.params.x: unknown key",
    ] == [": ".join(line.split(": ")[:3]) for line in found]


def test_check_asks_the_venue_where_one_is_named(
    venue: Callable[..., str], agent: Agent, tmp_path: Path
) -> None:
    """One that does not answer, a wrong token and a coin that it does not trade are told."""
    keep = [line for line in TRADERS.splitlines() if "absent" not in line]
    (tmp_path / "good.yaml").write_text("\n".join(keep))
    check = ("check", "--config", "good.yaml", "--trader")
    assert "all well (the venue was not asked" in agent(*check, "a,d").stdout
    away = agent(*check, "a", TRADING_URL="http://127.0.0.1:9/w/x",
                 TRADER_TOKEN="t", STRATEGY_AGENT_CONNECT_WINDOW_S="0.1")  # fmt: skip
    assert "traders[a]: cannot reach the venue at http://127.0.0.1:9/w/x" in away.stdout
    one_line(away, 2, "good.yaml has 1 problem")
    url = venue()
    tokens = json.dumps({"a": "token-a", "d": "token-b", "b": "token-of-nobody"})
    asked = agent(*check, "a,d,b", TRADING_URL=url, TRADER_TOKENS=tokens)
    assert ["traders[d].symbols: the venue does not trade DOGE", "traders[b]: the venue at"] == [
        line[: len("traders[d].symbols: the venue does not trade DOGE")] if n == 0 else line[:24]
        for n, line in enumerate(asked.stdout.splitlines())
    ]
    assert "401" in asked.stdout


@pytest.mark.parametrize("command", [(), ("run",), ("strategies",), ("check",)])
def test_every_command_has_help_with_an_example(agent: Agent, command: tuple[str, ...]) -> None:
    """Help is never a failure."""
    done = agent(*command, "--help")
    assert done.returncode == 0
    assert not command or "Example" in done.stdout


HEAVY = ("numba", "pandas", "pyarrow", "xgboost", "ccxt", "httpx", "uvicorn")
WEB = ("fastapi", "starlette")
RUNS = "strategy_agent.main, strategy_agent.adapters.traders_file, strategy_agent.settings, yaml"


def loaded(modules: str, names: tuple[str, ...]) -> str:
    """Say which of some modules a new process has after importing others."""
    code = f"import sys, aiohttp, {modules}\nprint([n for n in {names!r} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/"
    )
    return done.stdout.strip()


def test_the_command_loads_no_data_library() -> None:
    """What a running trader does not use costs it neither time nor memory."""
    assert loaded(f"strategy_agent.cli, {RUNS}", HEAVY) == "[]"


def test_a_trader_runs_without_the_web_stack() -> None:
    """FastAPI comes with the control API only."""
    assert loaded(RUNS, HEAVY + WEB) == "[]"
