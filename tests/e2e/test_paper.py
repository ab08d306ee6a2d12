"""A paper world as a process, in the market of another process."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.processes import BIN, Service
from tests.support.sdk import ALO, Sdk, one, set_up
from tests.support.stores import make_store
from tests.support.venue_process import VenueUnderTest, eventually

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]

SPEED = 60
"""A minute of the market a second, so that minutes end while a test waits."""
LIMIT_S = 30.0
TRADERS = """
traders:
  - {trader_id: dice, strategy: {kind: random}, symbols: [BTC, ETH], interval: 1m}
"""


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


class Feed:
    """A virtual exchange whose world goes on; killed and started again at one address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._store = make_store(folder / "data", "BTC", "ETH", minutes=20_000)
        self._port = free_port()
        self.service = self.start()

    def start(self, *options: str) -> Service:
        named = ("--data", str(self._store), "--symbols", "BTC,ETH", "--port", self._port)
        self.service = Service(self._folder, *named, "--speed", str(SPEED), *options)
        assert self.service.url, "the feed did not start"
        return self.service


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[Feed]:
    folder = tmp_path / "feed"
    folder.mkdir()
    running = Feed(folder)
    yield running
    running.service.kill()


@pytest.fixture
def paper(tmp_path: Path, feed: Feed) -> Iterator[Service]:
    folder = tmp_path / "paper"
    folder.mkdir()
    market = ("--clock", "paper", "--feed", feed.service.url, "--symbols", "BTC,ETH")
    running = Service(folder, *market, "--option", "profile=plain")
    yield running
    running.kill()


def health(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{service.url}/health").json()
    return found


def klines(service: Service) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = httpx.get(f"{service.url}/klines/ETH").json()
    return rows


def info(service: Service, kind: str, **more: Any) -> Any:
    return httpx.post(f"{service.url}/info", json={"type": kind, **more}).json()


def fills(sdk: Sdk) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = sdk.info.user_fills(sdk.address)
    return rows


def healthy(service: Service) -> None:
    eventually(lambda: health(service), lambda found: found["status"] == "ok", LIMIT_S)


def quote(sdk: Sdk, *, is_buy: bool) -> int:
    """Rest an order a little off the market, unless that comes there first; return its oid."""
    factor = 0.9995 if is_buy else 1.0005

    def send() -> Any:
        limit = float(f"{sdk.target.mid('ETH') * factor:.5g}")
        return one(sdk.exchange.order("ETH", is_buy, 0.1, limit, ALO))

    return int(eventually(send, lambda found: "resting" in found, LIMIT_S)["resting"]["oid"])


def test_official_client_trades_live_prices_and_outlives_the_feed(
    feed: Feed, paper: Service
) -> None:
    """Market and limit orders fill at traded prices; without the feed nothing does; then again."""
    assert paper.url
    healthy(paper)
    known = len(klines(paper))
    venue = VenueUnderTest("paper", paper.url, paper.folder)
    sdk = set_up(venue)
    eventually(lambda: len(klines(paper)), lambda found: found > known, LIMIT_S)

    filled = one(sdk.exchange.market_open("ETH", True, 0.5))["filled"]
    traded = {row["px"] for row in info(feed.service, "recentTrades", coin="ETH")}
    assert filled["avgPx"] in traded

    quotes = {quote(sdk, is_buy=True): "B", quote(sdk, is_buy=False): "A"}
    maker = eventually(lambda: fills(sdk)[0], lambda found: found["oid"] in quotes, LIMIT_S)
    assert (quotes[maker["oid"]], False) == (maker["side"], maker["crossed"])
    played = klines(feed.service)[-200:]
    assert min(row["low"] for row in played) <= float(maker["px"])
    assert max(row["high"] for row in played) >= float(maker["px"])

    grown = eventually(lambda: klines(paper), lambda found: len(found) > known + 5, LIMIT_S)
    theirs = {row["open_time_ms"]: row for row in klines(feed.service)}
    settled = grown[:-3]  # at this speed a moment of delay is a minute
    assert [theirs[row["open_time_ms"]] for row in settled] == settled
    snapshot = httpx.get(f"{paper.url}/gpt-latest/ETH").json()
    assert snapshot["intervals_data"]["1"]["open_time_ms"] >= grown[-1]["open_time_ms"]

    feed.service.kill()
    lost = eventually(lambda: health(paper), lambda found: found["status"] == "degraded", LIMIT_S)
    assert feed.service.url in lost["reason"]
    assert lost["since_ms"] > 0
    refused = one(sdk.exchange.market_open("ETH", True, 0.5))
    assert "could not immediately match" in refused["error"]
    price, known = venue.mid("ETH"), len(fills(sdk))
    oid = sdk.rest()
    assert (price, known) == (venue.mid("ETH"), len(fills(sdk)))

    now_ms = httpx.get(f"{paper.url}/clock").json()["now_ms"]
    feed.start("--from", str(now_ms + 4 * SPEED * 1000))
    healthy(paper)
    eventually(lambda: venue.mid("ETH"), lambda found: found != price, LIMIT_S)
    assert "filled" in one(sdk.exchange.market_open("ETH", False, 0.2))
    assert "open" == sdk.status(oid)
    ended = klines(paper)[-1]["open_time_ms"]
    eventually(lambda: klines(paper)[-1]["open_time_ms"], lambda found: found > ended, LIMIT_S)
    print(f"paper world: {paper.memory_kb() / 1024:.0f} MB resident")
    assert (0, "") == paper.stop()


def test_agent_of_the_suite_trades_on_paper_like_anywhere(tmp_path: Path, feed: Feed) -> None:
    """The venue wakes it at every minute, with what it needs to decide."""
    traders = tmp_path / "traders.yaml"
    traders.write_text(TRADERS)
    market = ("--clock", "paper", "--feed", feed.service.url, "--symbols", "BTC,ETH")
    running = Service(tmp_path, *market, "--traders", str(traders))
    try:
        healthy(running)
        agent = subprocess.Popen(
            [BIN / "strategy-agent", "run", "--config", str(traders), "--trader", "dice"],
            cwd=tmp_path,
            env=os.environ | {"TRADING_URL": running.url, "TRADER_TOKEN": running.token("dice")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            eventually(
                lambda: info(running, "userFills", user="dice"),
                lambda found: len(found) > 2,
                LIMIT_S,
            )
            assert agent.poll() is None
        finally:
            agent.send_signal(signal.SIGTERM)
            _, errors = agent.communicate(timeout=20)
        assert "Traceback" not in errors
    finally:
        running.kill()


def test_feed_that_is_not_there_is_a_reason_not_to_start(tmp_path: Path) -> None:
    """One line, at once."""
    url = f"http://127.0.0.1:{free_port()}"
    running = Service(tmp_path, "--clock", "paper", "--feed", url, "--symbols", "BTC")
    _, errors = running.process.communicate(timeout=20)
    assert 1 == running.process.returncode
    assert f"the feed {url} cannot be reached" in errors
    assert 1 == len(errors.strip().splitlines())
