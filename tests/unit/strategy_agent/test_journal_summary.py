"""What a journal tells of a whole run: real records, written and read back."""

from contextlib import closing
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from tests.unit.strategy_core.fake_venue import FakeVenue, drive, spec_of
from tests.unit.strategy_core.market import START_MS

from strategy_agent.adapters.journal_file import JournalFile
from strategy_agent.journal_summary import summarize, table_of
from strategy_core.intents import ExitPlan, ParentOrder, Passive
from strategy_core.journal import DecisionRecord
from strategy_core.port import Decision, Needs, Observation
from suite.contracts.venue import PlaceOrder
from suite.errors import BadRequest
from suite.moments import format_moment


class Eventful:
    """Something accepted, clamped, rejected, worked, planned wrongly; then nothing but failures."""

    needs = Needs()

    def decide(self, observation: Observation) -> Decision:
        if observation.now_ms > START_MS:
            raise ValueError("no idea")
        sizes = {"BTC": "0.2", "ETH": "9999", "DOGE": "1"}
        orders = (PlaceOrder(coin=c, is_buy=True, sz=Decimal(size)) for c, size in sizes.items())
        execution = Passive(timeout_ms=60_000, edge=Decimal("0.01"))
        worked = ParentOrder(coin="BTC", is_buy=True, sz=Decimal("0.2"), execution=execution)
        return Decision(actions=(*orders, worked), plans=(ExitPlan(coin="BTC", invalidation="x"),))


def written(folder: Path, records: list[DecisionRecord], **limits: int) -> Path:
    file = JournalFile(folder, "t", **limits)
    file.write("run", {"trader_id": "t", "continued": False})
    for record in records:
        file.write("decision", record)
    file.write("run", {"trader_id": "t", "continued": True})
    file.write("alert", {"kind": "decision", "text": "ValueError: no idea"})
    file.close()
    return folder / "t.jsonl"


@pytest.mark.parametrize("again", [True, False])
def test_a_turn_that_is_told_twice_counts_once(tmp_path: Path, again: bool) -> None:
    """A process that was killed before it remembered a turn is answered again, or not any more."""
    run = drive(FakeVenue(steps=6), spec_of("flat"), strategy=Eventful())
    for last in range(1, 7):
        lost = msgspec.structs.replace(run.records[last - 1], results=None)
        repeated = [*run.records[:last], *([] if again else [lost]), *run.records[last - again :]]
        folder = tmp_path / str(last)
        summary = summarize(written(folder, repeated))
        assert (6, run.result.guards) == (summary.turns, summary.tally.summary())
        with closing(JournalFile(folder, "t")) as journal:
            rows = journal.decisions(2)
        assert [6, 5] == [row["decision"] for row in rows]
        assert all(row["results"] is not None for row in rows)


def test_a_journal_says_what_the_run_itself_says(tmp_path: Path) -> None:
    """Every kind of intent is read back, over all parts of the file."""
    run = drive(FakeVenue(steps=6), spec_of("flat"), strategy=Eventful())
    file = written(tmp_path, run.records, limit_bytes=2_000, keep=9)
    assert (tmp_path / "t.1.jsonl").exists()
    summary = summarize(file)
    assert run.result.guards == summary.tally.summary()
    assert (len(run.records), 2, 0) == (summary.turns, summary.starts, summary.unread)
    lines = [" ".join(line.split()) for line in table_of(summary)]
    at = format_moment(START_MS)
    assert f"t: {len(run.records)} turns from {at} to " in lines[0]
    for line in (
        *(
            "actions accepted 2",
            "actions clamped 1",
            "actions rejected 2",
            "unknown_coin 1",
            "exit_plan 1",
        ),
        *("paused or stopped 1", "alerts 1", "decision 1", "failed 4"),
    ):
        assert line in lines
    assert any("PAUSED (strategy): ValueError: no idea" in line for line in lines)


def test_an_earlier_run_is_not_mixed_in_and_a_torn_line_costs_no_other(tmp_path: Path) -> None:
    run = drive(FakeVenue(steps=3), spec_of("flat"))
    written(tmp_path, run.records)
    file = written(tmp_path, run.records)
    with file.open("ab") as end:
        end.write(b'{"type": "decision", "decision": {"trader')
    summary = summarize(file)
    assert (len(run.records), 1) == (summary.turns, summary.unread)


@pytest.mark.parametrize(("text", "told"), [(None, "cannot read"), ("", "has no turn")])
def test_a_journal_that_tells_nothing_is_one_clear_line(
    tmp_path: Path, text: str | None, told: str
) -> None:
    file = tmp_path / "t.jsonl"
    if text is not None:
        file.write_text(text)
    with pytest.raises(BadRequest, match=told):
        summarize(file)
