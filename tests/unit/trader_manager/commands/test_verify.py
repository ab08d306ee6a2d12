"""Whether traders are as they are wanted."""

from pathlib import Path
from typing import Any

import pytest

from trader_manager.commands.verify import _desired, _Seen


def seen(**row: Any) -> _Seen:
    row = {"trader_id": "anna", "holder": "", **row}
    return _Seen(row=row, folder=Path(), environment=None, command=())


@pytest.mark.parametrize(
    ("desired", "actual", "holder", "problem"),
    [
        ("stopped", "absent", "", ""),
        ("stopped", "claimable", "", ""),
        ("stopped", "claimable", "p/1", "anna shall be stopped and is claimable, p/1 has it"),
        ("stopped", "running", "p/1", "anna shall be stopped and is running, p/1 has it"),
        ("running", "running", "p/1", ""),
        ("running", "claimable", "", "anna shall be running and is claimable"),
        ("running", "absent", "", "anna shall be running and is absent"),
    ],
)
def test_a_trader_that_shall_stop_is_had_by_nobody(
    desired: str, actual: str, holder: str, problem: str
) -> None:
    check = _desired([seen(desired=desired, actual=actual, holder=holder)])
    assert problem == check.problem
