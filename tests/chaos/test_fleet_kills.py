"""The long form of `tests/e2e/test_fleet_kills.py`: the database is away for 30 s, five times."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.fleet_kills import assert_equal, reports
from tests.support.postgres_servers import open_folder, running

pytestmark = [pytest.mark.process, pytest.mark.slow]

PLAN = tuple(
    (percent, ("trader", "manager", "database")[index % 3])
    for index, percent in enumerate(range(5, 95, 6))
)


def test_whatever_dies_however_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figure: Callable[[str, str], None]
) -> None:
    """Two simulated days, fifteen deaths."""
    with running("package", monkeypatch) as database, open_folder() as home:
        run = {"to": "2025-05-08", "away_s": 30}
        assert_equal(*reports(tmp_path / "venue", home, database, PLAN, **run))
    figure(
        "X1",
        f"{len(PLAN)} deaths of traders, manager and database (away 30 s each time): the report "
        "is equal to the byte",
    )
