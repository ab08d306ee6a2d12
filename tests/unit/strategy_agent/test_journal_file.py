"""The journal on disk: whole lines, bounded, readable from its end."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from strategy_agent.adapters.journal_file import JournalFile
from suite.errors import StorageError


def numbers(journal: JournalFile, limit: int, before: int | None = None) -> list[int]:
    return [row["decision"] for row in journal.decisions(limit, before)]


def decide(journal: JournalFile, *ids: int, padding: int = 0) -> None:
    for number in ids:
        journal.write("decision", {"decision": number, "reasoning": "é" * padding})


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., JournalFile]]:
    with ExitStack() as stack:

        def make(**options: int) -> JournalFile:
            journal = JournalFile(tmp_path, "a", **options)
            stack.callback(journal.close)
            return journal

        yield make


def test_decisions_are_told_newest_first_in_pages(opened: Callable[..., JournalFile]) -> None:
    """Whatever the blocks are in which the file is read, and whatever stands between them."""
    journal = opened()
    journal.write("run", {"continued": False})
    decide(journal, *range(1, 300), padding=333)
    journal.write("command", {"decision": 7})
    assert [299, 298, 297] == numbers(journal, 3)
    assert [99, 98] == numbers(journal, 2, before=100)
    assert list(range(299, 0, -1)) == numbers(journal, 1000)
    assert [] == numbers(journal, 5, before=1)


def test_a_page_ends_where_a_run_began_afresh(opened: Callable[..., JournalFile]) -> None:
    """Numbers of other runs are not mixed in; a run that went on is the same one."""
    journal = opened()
    decide(journal, 1, 2, 3)
    journal.write("run", {"continued": False})
    decide(journal, 1, 2)
    journal.write("run", {"continued": True})
    decide(journal, 3)
    assert [3, 2, 1] == numbers(journal, 10)


def test_a_line_cut_short_by_a_crash_costs_nothing_else(
    opened: Callable[..., JournalFile], tmp_path: Path
) -> None:
    """At every byte of it."""
    path = tmp_path / "a.jsonl"
    decide(opened(), 1, 2)
    whole = path.read_bytes()
    for cut in range(whole.index(b"\n") + 1, len(whole)):
        path.write_bytes(whole[:cut])
        journal = opened()
        decide(journal, 3)
        is_whole = cut == len(whole) - 1
        assert ([3, 2, 1] if is_whole else [3, 1]) == numbers(journal, 9)


def test_a_journal_is_bounded_and_keeps_the_newest(
    opened: Callable[..., JournalFile], tmp_path: Path
) -> None:
    journal = opened(limit_bytes=1000, keep=2)
    decide(journal, *range(1, 101))
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert {"a.jsonl", "a.1.jsonl", "a.2.jsonl"} == sizes.keys()
    assert max(sizes.values()) <= 1000
    found = numbers(journal, 1000)
    assert list(range(100, 100 - len(found), -1)) == found
    assert len(found) > 30


def test_a_journal_that_cannot_be_written_is_one_clear_line(
    opened: Callable[..., JournalFile], tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").mkdir()
    with pytest.raises(StorageError, match=r"cannot write the journal .*a\.jsonl: Is a directory"):
        opened()
