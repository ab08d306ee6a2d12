"""Every `curl` line of the README and the documentation works as it is written."""

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.support.agent_process import Agent, running_agent
from tests.support.documented_live import PROXY, QuickStart, quick_start
from tests.support.manager_process import managing
from tests.support.portfolio_process import serving_portfolio
from tests.support.postgres_servers import open_folder
from tests.support.stores import make_store
from tests.support.venue_process import eventually, running_venue

pytestmark = pytest.mark.process

CONTROL = "http://127.0.0.1:8300"
FLEET = "http://127.0.0.1:8400"
PORTFOLIO = "http://127.0.0.1:8500"
ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").glob("*.md")))
LINES = [
    pytest.param(line, id=f"{page.name}-{number}")
    for page in PAGES
    for number, line in enumerate(
        line
        for line in page.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
        if line.startswith("curl ")
    )
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The venue that the README starts: its folder and its address."""
    folder = tmp_path_factory.mktemp("venue")
    make_store(folder / "var" / "data", "BTC", "ETH", minutes=2880)
    command = [str(Path(sys.executable).with_name("virtual-exchange")), "serve", "--port", "0"]
    options = ["--symbols", "BTC,ETH", "--accounts", "alice", "--clock", "lockstep"]
    with subprocess.Popen(
        [*command, "--data", "var/data", *options], cwd=folder, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield folder, process.stdout.readline().split()[-1]
        process.terminate()


@pytest.fixture(scope="module")
def collector(served: tuple[Path, str]) -> Iterator[str]:
    """The collector over the same store."""
    command = [str(Path(sys.executable).with_name("data-collector")), "serve", "--port", "0"]
    with subprocess.Popen(
        [*command, "--data", "var/data"], cwd=served[0], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.terminate()


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """A trader with its control API, where nothing happens until it is told."""
    folder = tmp_path_factory.mktemp("agent")
    traders = "traders: [{trader_id: alice, strategy: {kind: flat}, symbols: [BTC]}]"
    options = ("--accounts", "alice,bob", "--clock", "lockstep")
    with (
        running_venue(tmp_path_factory.mktemp("agents-venue"), *options, coins=("BTC",)) as venue,
        running_agent(folder, venue, traders, "alice") as running,
    ):
        for _ in range(200):
            if running.get("/status")["traders"][0]["connection"] == "connected":
                break
            time.sleep(0.05)
        yield running


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A manager with a trader that is not started: its folder and its address."""
    entry = {"trader_id": "alice", "strategy": "flat", "symbol": "BTC"}
    with (
        running_venue(tmp_path_factory.mktemp("fleet-venue"), coins=("BTC",)) as venue,
        open_folder() as folder,
        managing(folder, venue) as running,
    ):
        assert 201 == running.ask("POST", "/traders", entry=entry, start=False).status_code
        yield folder, running.url


@pytest.fixture(scope="module")
def portfolio(manager: tuple[Path, str]) -> Iterator[tuple[Path, str]]:
    """The portfolio of that manager: its folder and its address."""
    token = (manager[0] / "var/tokens/operator.token").read_text().strip()
    with serving_portfolio(manager[0] / "portfolio", manager[1], token) as running:
        yield running.folder, running.url


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QuickStart]:
    """The live venue of docs/live.md, started as it is written there."""
    with quick_start(tmp_path_factory.mktemp("live")) as started:
        yield started


@pytest.fixture(scope="module")
def served_by_time(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The venue of the README's client: its time moves by itself, and a faucet opens accounts."""
    folder = tmp_path_factory.mktemp("paced")
    make_store(folder / "var" / "data", "BTC", "ETH", minutes=2880)
    command = [str(Path(sys.executable).with_name("virtual-exchange")), "serve", "--port", "0"]
    with subprocess.Popen(
        [*command, "--data", "var/data", "--symbols", "BTC,ETH"],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.terminate()


def expand(line: str, folder: Path) -> str:
    """Put in what the shell would: `$(cat FILE)`, and TOKEN as the README sets it."""
    whole = line.replace("$TOKEN", "$(cat var/tokens/alice.token)")
    return re.sub(
        r"\$\(cat ([^)]+)\)", lambda match: (folder / match[1]).read_text().strip(), whole
    )


def test_there_are_examples_to_try() -> None:
    assert len(LINES) >= 5
    for page in ("README.md", "README.zh-CN.md"):
        assert "TOKEN=$(cat var/tokens/alice.token)" in (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("line", LINES)
def test_documented_call_is_answered(
    served: tuple[Path, str], collector: str, request: pytest.FixtureRequest, line: str
) -> None:
    folder, venue = served
    bases = {"http://127.0.0.1:8100": venue, "http://127.0.0.1:8000": collector}
    if CONTROL in line:
        running: Agent = request.getfixturevalue("agent")
        folder, bases[CONTROL] = running.folder, running.url
    if FLEET in line:
        folder, bases[FLEET] = request.getfixturevalue("manager")
    if PORTFOLIO in line:
        folder, bases[PORTFOLIO] = request.getfixturevalue("portfolio")
    if PROXY in line:
        live: QuickStart = request.getfixturevalue("live")
        folder, bases[PROXY] = live.folder, live.url
    words = iter(shlex.split(expand(line, folder))[1:])
    headers: dict[str, str] = {}
    body, url = None, ""
    for word in words:
        if word == "-H":
            name, _, value = next(words).partition(":")
            headers[name] = value.strip()
        elif word == "-d":
            body = next(words)
        elif word == "-o":
            next(words)
        else:
            assert not word.startswith("-"), word
            url = word
    documented = url[: len("http://127.0.0.1:8100")]
    assert documented in bases, url
    method = "GET" if body is None else "POST"
    reply = httpx.request(
        method,
        url.replace(documented, bases[documented]),
        headers=headers,
        content=body,
        timeout=30,
    )
    assert 200 == reply.status_code, reply.text
    assert '"error"' not in reply.text
    assert '"err"' not in reply.text


def test_live_venue_of_the_documentation_is_five_commands_away(live: QuickStart) -> None:
    """Four start it, and the fifth is an order, which fills."""
    (call,) = live.calls
    words = shlex.split(expand(call.replace(PROXY, live.url), live.folder))

    def fills() -> bool:
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
        return '"filled"' in done.stdout

    eventually(fills)  # an equal order may have left just now, and is then refused


def test_connections_of_the_live_venue_are_measured(live: QuickStart) -> None:
    """One that carries the trader and one that takes snapshots, by name."""
    told = httpx.get(f"{live.url}/metrics").text
    for feed in ("venue-0", "snapshots"):
        assert f'feed_messages_total{{feed="{feed}"}}' in told, told
    assert 'feed_connects_total{feed="venue-0"} 1.0' in told


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_documented_client_trades(served_by_time: str, page: str) -> None:
    """The official client, as the README has it."""
    text = (ROOT / page).read_text(encoding="utf-8")
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    code = code.replace("http://127.0.0.1:8100", served_by_time)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert "'filled'" in done.stdout, done.stderr
