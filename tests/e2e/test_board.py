"""The leaderboard of a running fleet, and the records behind it, through the real API."""

import csv
import io
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pyarrow.parquet
import pytest
from tests.support.manager_process import Manager, end_traders, managing
from tests.support.postgres_servers import open_folder
from tests.support.venue_process import VenueUnderTest, eventually, running_venue

from suite.addresses import account_address

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]

TRADERS = """
traders:
  - {trader_id: anna, strategy: {kind: random, params: {probability: 0.9}}, symbols: [BTC],
     interval: 1m}
  - {trader_id: bert, strategy: {kind: hodl}, symbols: [BTC], interval: 1m}
  - {trader_id: carl, strategy: {kind: sma_cross}, symbols: [BTC], interval: 1m}
"""


@pytest.fixture
def home() -> Iterator[Path]:
    with open_folder() as folder:
        (folder / "traders.yaml").write_text(TRADERS)
        yield folder
        end_traders(folder)


def read(manager: Manager, path: str) -> Any:
    reply = manager.ask("GET", path)
    assert 200 == reply.status_code, reply.text
    return reply.json()


def _fills(manager: Manager, name: str) -> int:
    return int(read(manager, f"/traders/{name}/trades")["fills"])


def test_a_running_fleet_has_a_board_and_the_records_behind_it(home: Path, tmp_path: Path) -> None:
    """Every number is the venue's; while that is away, it is said as of when the last one is."""
    with (
        running_venue(tmp_path / "venue", coins=("BTC",), speed=600) as venue,
        managing(
            home, venue, "--traders", "traders.yaml", TRADER_MANAGER_COLLECTING_PAUSE_S="0.1"
        ) as manager,
    ):
        world = venue.get("/clock")["world"]
        for name in ("anna", "bert"):
            eventually(partial(_fills, manager, name), limit_s=90)
        # a decision is told by its process, which must be there until one was
        eventually(lambda: _traced(_page_of_anna(manager)), limit_s=60)
        assert 200 == manager.ask("POST", "/stop-all").status_code
        # until they have ended they may trade on
        eventually(
            lambda: {row["actual"] for row in manager.traders().values()} == {"absent"}, limit_s=60
        )
        user = account_address("anna")
        told = eventually(
            lambda: venue.info("userFillsByTime", user=user, startTime=0),
            lambda rows: len(rows) == _fills(manager, "anna"),
        )
        _check_records(manager, told, world)
        _check_boards(manager, world)
        _check_exports(manager, told)
        _check_report(manager, told)
        _check_refusals(manager)
        before = read(manager, "/leaderboard")
        _kill(venue)
        after = read(manager, "/leaderboard")
        assert "" == before["trouble"]
        assert ("venue" in after["trouble"], world) == (True, after["world"])
        assert before["now_ms"] <= after["now_ms"]
        ready = eventually(
            lambda: httpx.get(manager.url + "/ready").json(), lambda body: "collecting" in body
        )
        assert "the venue" in ready["collecting"]
    log = (home / "manager.log").read_text()
    assert 1 == log.count("not_collected"), "told once"


def test_a_venue_that_was_never_there_is_one_clear_line(home: Path, tmp_path: Path) -> None:
    with running_venue(tmp_path / "venue", coins=("BTC",), speed=600) as venue:
        _kill(venue)
        with managing(home, venue) as manager:
            for path in ("/leaderboard", "/best"):
                reply = manager.ask("GET", path)
                assert 503 == reply.status_code
                assert reply.text == "the venue does not answer within 2 s"


def _kill(venue: VenueUnderTest) -> None:
    port = int(venue.url.rpartition(":")[2])
    for child in psutil.Process().children():
        if any(at.laddr.port == port for at in child.net_connections() if at.status == "LISTEN"):
            child.kill()
            child.wait(10)


def _check_records(manager: Manager, told: list[Any], world: str) -> None:
    trades = read(manager, "/traders/anna/trades")
    assert (world, len(told)) == (trades["world"], len(trades["trades"]))
    for fill, trade in zip(told, trades["trades"], strict=True):
        assert (fill["tid"], Decimal(fill["px"])) == (trade["tid"], Decimal(trade["price"]))
    newest = read(manager, "/traders/anna/trades?limit=1")
    assert (told[-1]["tid"], len(told)) == (newest["trades"][0]["tid"], newest["fills"])
    history = read(manager, "/traders/anna/history")
    assert history["samples"] == len(history["time_ms"]) == len(history["equity_usd"]) > 1
    grown = history["equity_usd"][-1] / history["equity_usd"][0] - 1
    assert pytest.approx(grown) == history["total_return"], "nothing was paid in meanwhile"
    some = read(manager, "/traders/anna/history?points=2")["time_ms"]
    assert [history["time_ms"][0]] == some[:1]
    assert 2 == len(some)
    later = read(manager, f"/traders/anna/history?since={history['time_ms'][1]}")
    assert history["time_ms"][1] == later["time_ms"][0]
    held = read(manager, "/traders/bert/positions")
    assert ["BTC"] == [one["coin"] for one in held["positions"]]


def _check_boards(manager: Manager, world: str) -> None:
    answer = read(manager, "/leaderboard")
    assert world == answer["world"]
    assert {"anna", "bert", "carl", "flat"} == {row["trader_id"] for row in answer["board"]["rows"]}
    some = read(manager, "/compare?traders=anna")["board"]["rows"]
    assert {"anna", "flat"} == {row["trader_id"] for row in some}
    best = eventually(lambda: read(manager, "/best")["best"])
    assert "carl" == best["trader_id"], "the only one that is no baseline"


def _page(manager: Manager) -> dict[str, Any]:
    reply = manager.ask("GET", "/report")
    assert (200, "text/html; charset=utf-8") == (reply.status_code, reply.headers["content-type"])
    pattern = r'<script type="application/json" id="(\w+)">(.*?)</script>'
    return {name: json.loads(text) for name, text in re.findall(pattern, reply.text)}


def _page_of_anna(manager: Manager) -> dict[str, Any]:
    data = _page(manager)
    place = [row["trader_id"] for row in data["data"]["board"]].index("anna")
    return dict(data[f"t{place}"])


def _traced(page: dict[str, Any]) -> set[int]:
    """Numbers of the decisions that fills of a trader's page are of, and that are recorded."""
    known = {one["n"] for one in page["decisions"] or ()}
    traced = {fill[-2] for fill in page["fills"] or ()} - {None}
    assert known >= traced
    return traced


def _check_report(manager: Manager, told: list[Any]) -> None:
    """The page holds every fill, and the decision that led to each that is recorded."""
    data = _page(manager)["data"]
    assert ("paper", ["BTC"]) == (data["kind"], list(data["prices"]))
    page = _page_of_anna(manager)
    assert [Decimal(fill["px"]) for fill in told] == [Decimal(fill[3]) for fill in page["fills"]]
    assert _traced(page)
    assert 401 == httpx.get(manager.url + "/report").status_code


def _check_exports(manager: Manager, told: list[Any]) -> None:
    reply = manager.ask("GET", "/export?kind=trades&trader=anna")
    assert "anna-trades.csv" in reply.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(reply.text)))
    assert [row["tid"] for row in rows] == [str(fill["tid"]) for fill in told]
    packed = manager.ask("GET", "/export?kind=equity&form=parquet").content
    table = pyarrow.parquet.read_table(io.BytesIO(packed)).to_pylist()
    assert {"anna", "bert", "carl"} == {row["trader_id"] for row in table}


def _check_refusals(manager: Manager) -> None:
    for path, status, text in (
        ("/traders/%00", 404, "there is no trader '\\x00'"),
        ("/compare", 422, "the query names no traders: write ?traders=..."),
        ("/traders/ann/history", 404, "there is no trader 'ann', did you mean anna?"),
        ("/compare?traders=anna,nobody", 404, "there is no trader 'nobody'"),
        ("/compare?traders=,", 400, "traders names nobody; write traders=a,b"),
        ("/leaderboard?since=yesterday", 400, "not a date: 'yesterday'; write 2025-05-05"),
        ("/leaderboard?since=5&until=4", 400, "start 5 is after end 4"),
        ("/export?kind=equity&trader=nobody", 404, "there is no trader 'nobody'"),
    ):
        reply = manager.ask("GET", path)
        assert (status, text) == (reply.status_code, reply.text)
    assert 422 == manager.ask("GET", "/export?kind=money").status_code
    assert 401 == httpx.get(manager.url + "/leaderboard").status_code
    described = httpx.get(manager.url + "/openapi.json").json()
    shape = described["paths"]["/leaderboard"]["get"]["responses"]["200"]["content"]
    assert {"$ref": "#/components/schemas/BoardAnswer"} == shape["application/json"]["schema"]
    assert "rank_worst" in described["components"]["schemas"]["LeaderboardRow"]["properties"]
