"""44: how long the same configuration and code have run in real time, from a real journal."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from strategy_agent.adapters.journal_file import JournalFile
from strategy_agent.application.preflight.paper_run import DAYS, Stretch, check_paper_run
from strategy_agent.journal_summary import stretches_of
from strategy_core.journal import DecisionRecord, RunStart
from suite.bars import DAY_MS
from suite.checklist import Line
from suite.errors import BadRequest

START_MS = 1_746_403_200_000
WHOLE: dict[str, Any] = {
    "trader_id": "anna",
    "kind": "flat",
    "venue": "http://paper",
    "configuration": "c",
    "build": "b",
    "speed": 1.0,
}


def journal(folder: Path, *runs: tuple[dict[str, Any], float]) -> Path:
    """Write runs of so many days, one after the other, the last decision of each a failure."""
    file, at_ms = JournalFile(folder, "anna"), START_MS
    for more, days in runs:
        file.write("run", RunStart(**{**WHOLE, **more}))
        for number, now_ms in enumerate((at_ms, at_ms + int(days * DAY_MS))):
            file.write("decision", record(now_ms, fault="" if not number else "no idea"))
        at_ms += int((days + 1) * DAY_MS)
    file.close()
    return folder / "anna.jsonl"


def record(now_ms: int, fault: str) -> DecisionRecord:
    return DecisionRecord(
        trader_id="anna",
        decision=1,
        now_ms=now_ms,
        woke_by=("time",),
        equity=Decimal(1),
        reasoning="",
        fault=fault,
        actions=(),
        verdicts=(),
        sent=(),
        results=(),
    )


def line_of(found: list[Stretch] | str | None) -> Line:
    return check_paper_run("anna", found, configuration="c", build="b", config="t.yaml")


def test_time_of_the_same_configuration_and_code_is_summed_over_restarts(tmp_path: Path) -> None:
    """Pauses between two runs do not count, nor do runs of something else."""
    file = journal(
        tmp_path, ({"build": "old"}, 9), ({}, 3), ({"configuration": "d"}, 9), ({}, 4.25)
    )
    line = line_of(stretches_of(file))
    assert ("PASS", 44) == (line.status, line.number)
    told = "anna: 7.2 days in 2 runs at http://paper, 4 decisions, 2 failed, code b"
    assert told == line.reason


@pytest.mark.parametrize(
    ("more", "days", "said"),
    [
        ({}, DAYS - 0.5, "6.5 days in 1 run"),
        ({"build": "old"}, 30, "by other code than is installed"),
        ({"speed": 60.0}, 30, "never in real time"),
        ({"speed": 0.0}, 30, "never in real time"),
    ],
)
def test_run_that_proves_little_is_a_warning(
    tmp_path: Path, more: dict[str, Any], days: float, said: str
) -> None:
    line = line_of(stretches_of(journal(tmp_path, (more, days))))
    assert "WARN" == line.status
    assert said in line.reason


def test_no_journal_is_a_warning_with_the_command() -> None:
    line = line_of(None)
    assert "WARN" == line.status
    assert "strategy-agent run --config t.yaml --trader anna" in line.fix


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"configuration": "d"}, "none of the 1 runs was of this configuration"),
        ({"trader_id": "bob"}, "has no turn of it"),
    ],
)
def test_journal_of_something_else_fails(tmp_path: Path, more: dict[str, Any], said: str) -> None:
    line = line_of(stretches_of(journal(tmp_path, (more, 30))))
    assert "FAIL" == line.status
    assert said in line.reason


def test_lines_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    """As the one that a crash has cut short; a file that is not there is a failure."""
    file = journal(tmp_path, ({}, 8))
    with file.open("ab") as end:
        end.write(b'{"type": "decision", "decision": {"now_')
    assert "PASS" == line_of(stretches_of(file)).status
    with pytest.raises(BadRequest, match="cannot read"):
        stretches_of(tmp_path / "none.jsonl")
    assert "FAIL" == line_of("cannot read it").status
