"""A running fleet follows its file, and who is not meant does not notice."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.manager_process import Manager, end_traders, lives, managing
from tests.support.postgres_servers import open_folder
from tests.support.venue_process import VenueUnderTest, eventually, running_venue

from suite.addresses import account_address

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(400)]

KEPT = ("anna", "bert")
ANNA = """
  - {trader_id: anna, strategy: {kind: random, params: {probability: 0.5}}, symbols: [BTC],
     interval: 1m}"""
BERT = """
  - {trader_id: bert, strategy: {kind: sma_cross, params: {fast: 2, slow: 5}}, symbols: [ETH],
     interval: 15m}"""
CARL = """
  - {trader_id: carl, strategy: {kind: hodl}, symbols: [BTC], interval: 5m}"""


def write(folder: Path, *entries: str) -> None:
    """Replace the file, as an editor does."""
    draft = folder / "traders.new"
    draft.write_text("traders:" + "".join(entries))
    draft.replace(folder / "traders.yaml")


@contextmanager
def fleet(folder: Path, home: Path) -> Iterator[tuple[VenueUnderTest, Manager]]:
    """Serve a world that owns time and waits for both, and a manager that follows a file."""
    write(home, ANNA, BERT)
    options = ("--accounts", ",".join(KEPT), "--clock", "lockstep")
    with running_venue(folder, *options, coins=("BTC", "ETH"), speed=None) as venue:
        tokens = msgspec.json.encode({name: venue.token(name) for name in KEPT}).decode()
        try:
            with managing(
                home, venue, "--traders", "traders.yaml", TRADER_TOKENS=tokens
            ) as manager:
                yield venue, manager
        finally:
            end_traders(home)


def decisions(home: Path, name: str) -> list[Any]:
    path = home / f"var/fleet/{name}/var/journal/{name}.jsonl"
    lines = path.read_bytes().splitlines() if path.exists() else []
    rows = [msgspec.json.decode(line) for line in lines if line.endswith(b"}")]
    return [row["decision"] for row in rows if row["type"] == "decision"]


def reached_ms(home: Path) -> int:
    """Time of the last decision that both have taken."""
    told = [decisions(home, name) for name in KEPT]
    return min((rows[-1]["now_ms"] if rows else 0) for rows in told)


def streams(home: Path, venue: VenueUnderTest, until_ms: int) -> dict[str, Any]:
    """What both did before a time: their fills at the venue, and their journals."""
    return {
        name: (
            [
                fill
                for fill in venue.info("userFills", user=account_address(name))
                if fill["time"] < until_ms
            ],
            [row for row in decisions(home, name) if row["now_ms"] < until_ms],
        )
        for name in KEPT
    }


def test_a_trader_comes_and_goes_and_the_others_do_not_notice(tmp_path: Path) -> None:
    """Their fills and journals are those of a run in which nobody came, byte for byte."""
    with open_folder() as home, fleet(tmp_path / "with", home) as (venue, manager):
        eventually(lambda: reached_ms(home), limit_s=120)
        pids = {name: manager.traders()[name]["pid"] for name in KEPT}
        write(home, ANNA, BERT, CARL)
        eventually(lambda: decisions(home, "carl"), limit_s=90)
        come_ms = reached_ms(home)
        until_ms = eventually(lambda: reached_ms(home), lambda now_ms: now_ms > come_ms, 60)
        with_carl = streams(home, venue, until_ms)
        carl = manager.traders()["carl"]["pid"]
        write(home, ANNA, BERT)
        eventually(lambda: not lives(carl), limit_s=90)
        eventually(lambda: "carl holds BTC: flatten it first" in log(home), limit_s=30)
        assert "stopped" == manager.traders()["carl"]["desired"]
        assert pids == {name: manager.traders()[name]["pid"] for name in KEPT}
    with open_folder() as home, fleet(tmp_path / "without", home) as (venue, _):
        eventually(lambda: reached_ms(home), lambda now_ms: now_ms >= until_ms, 200)
        without = streams(home, venue, until_ms)
    assert all(fills and rows for fills, rows in without.values())
    for name in KEPT:
        assert msgspec.json.encode(without[name]) == msgspec.json.encode(with_carl[name])


def test_a_file_with_mistakes_keeps_nobody_from_running(tmp_path: Path) -> None:
    """All of the issue's: each is told with its line, and the others run on."""
    os.environ.pop("NOT_SET_ANYWHERE", None)
    with (
        open_folder() as home,
        running_venue(tmp_path / "venue", coins=("BTC",), speed=60) as venue,
    ):
        entry = "strategy: {kind: hodl}, symbols: [BTC]"
        bad = [
            f"\n  - {{trader_id: good, {entry}}}",
            f"\n  - {{trader_id: good, {entry}}}",
            f"\n  - {{trader_id: keyless, name: '${{NOT_SET_ANYWHERE}}', {entry}}}",
            f"\n  - {{trader_id: shares, account: good, {entry}}}",
            f"\n  - {{trader_id: poor, initial_balance: -1, {entry}}}",
            "\n  - {trader_id: odd, strategy: {kind: hodle}, symbols: [BTC]}",
            "\n  - {trader_id: plug, strategy: {kind: 'plugin:nowhere:Mine'}, symbols: [BTC]}",
        ]
        write(home, *bad)
        try:
            with managing(home, venue, "--traders", "traders.yaml") as manager:
                eventually(lambda: manager.state("good") == "running", limit_s=90)
                for line, text in (
                    (3, "an earlier entry is good already"),
                    (4, "NOT_SET_ANYWHERE is not set"),
                    (5, "the account good is that of traders[good]"),
                    (6, "must be above 0"),
                    (7, "'hodle'"),
                ):
                    told = [row for row in log(home).splitlines() if f"line {line}: " in row]
                    assert text in told[0], told
                reason = eventually(lambda: manager.traders()["plug"]["reason"], limit_s=60)
                assert "nowhere" in reason
                assert {"good", "plug"} == set(manager.traders())
                again = manager.ask("POST", "/traders/good/start")
                assert (409, True) == (again.status_code, "to run already" in again.text)
                assert 404 == manager.ask("POST", "/traders/nobody/stop").status_code
        finally:
            end_traders(home)


def log(home: Path) -> str:
    return (home / "manager.log").read_text()
