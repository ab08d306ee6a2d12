"""Journals of backtests in process."""

import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.worlds import random_source

from strategy_agent.journal_summary import summarize
from strategy_core.journal import DecisionRecord
from suite.clock import ManualClock
from suite.contracts.trader import StrategySpec, TraderSpec
from suite.errors import StorageError
from virtual_exchange.adapters.journal_folder import JournalFolder
from virtual_exchange.application.backtest import run_backtest
from virtual_exchange.application.keeping import KEEP_NOTHING, Keeper
from virtual_exchange.application.session import world_request
from virtual_exchange.domain.record import RunRecord

TRADERS = tuple(
    TraderSpec(trader_id=kind, strategy=StrategySpec(kind=kind), symbols=("BTC", "ETH"))
    for kind in ("hodl", "random", "sma_cross")
)


def run(keeper: Keeper = KEEP_NOTHING, *, count: int = 3000) -> RunRecord:
    return run_backtest(
        world_request(TRADERS),
        TRADERS,
        source=random_source("BTC", "ETH", count=count),
        clock=ManualClock(0),
        progress=lambda _done: None,
        keeper=keeper,
    )


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]


def test_journal_of_a_backtest_tells_every_turn(tmp_path: Path) -> None:
    """As many as the report says, from the run's beginning to its result, in order."""
    with JournalFolder(tmp_path) as journals:
        record = run(journals)
    for account in record.accounts:
        lines = lines_of(tmp_path / f"{account.account_id}.jsonl")
        assert ("run", "result") == (lines[0]["type"], lines[-1]["type"])
        turns = [msgspec.convert(line["decision"], DecisionRecord) for line in lines[1:-1]]
        assert list(range(1, len(turns) + 1)) == [turn.decision for turn in turns]
        assert account.guards is not None
        assert account.guards.decisions == sum(turn.asked for turn in turns)
        summary = summarize(tmp_path / f"{account.account_id}.jsonl")
        assert account.guards == summary.tally.summary()


def test_journal_changes_nothing_in_the_run(tmp_path: Path) -> None:
    """It is only told."""
    with JournalFolder(tmp_path) as journals:
        told = run(journals)
    alone = run()
    assert [a.decisions_sha256 for a in alone.accounts] == [
        a.decisions_sha256 for a in told.accounts
    ]
    assert alone.manifest == told.manifest


def test_journals_of_an_earlier_run_are_replaced(tmp_path: Path) -> None:
    """Not appended to: a folder holds one run."""
    with JournalFolder(tmp_path) as journals:
        run(journals)
    first = (tmp_path / "random.jsonl").read_bytes()
    with JournalFolder(tmp_path) as journals:
        run(journals)
    assert first == (tmp_path / "random.jsonl").read_bytes()


def test_journals_are_not_held_in_memory(tmp_path: Path) -> None:
    """A megabyte of records takes a few kilobytes."""
    with JournalFolder(tmp_path) as journals:
        tracemalloc.start()
        for number in range(20_000):
            journals.write(TRADERS[0], "decision", {"decision": number, "reasoning": "x" * 100})
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert 2_000_000 < (tmp_path / "hodl.jsonl").stat().st_size
    assert held < 300_000


def test_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """In a line, before the run."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write journals to"):
        JournalFolder(tmp_path / "file" / "journals")
