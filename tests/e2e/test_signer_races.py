"""Two processes want one signer: one has it, the other never signs."""

import os
import signal
from pathlib import Path

import pytest
from tests.support.signer_races import Racecourse, race_for_a_signer

pytestmark = pytest.mark.process


def test_loser_of_a_race_never_signs(tmp_path: Path) -> None:
    """The long form is in `tests/chaos/test_signer_races.py`."""
    assert race_for_a_signer(tmp_path, 30) == {
        "wins": 30,
        "by_winner": 90,
        "by_loser": 0,
        "nonces_twice": 0,
    }


def test_stopped_owner_keeps_its_signer_on_its_machine(tmp_path: Path) -> None:
    """Nobody else gets it meanwhile, so it may go on when it wakes."""
    course = Racecourse(tmp_path)
    (owner,), told = course.race(1)
    assert told == [""]
    os.kill(owner.process.pid, signal.SIGSTOP)
    (other,), (why,) = course.race(1)
    assert f"process {owner.process.pid} on" in why
    assert other.sign(3) == []
    os.kill(owner.process.pid, signal.SIGCONT)
    assert len(owner.sign(3)) == 3
    for runner in (owner, other):
        runner.end(by_kill=False)
