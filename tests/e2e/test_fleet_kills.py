"""A fleet whose traders, manager and database are killed ends where it would have, to the byte."""

from pathlib import Path

import pytest
from tests.support.fleet_kills import assert_equal, reports
from tests.support.postgres_servers import open_folder, running

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(300)]

PLAN = (
    *((5, "trader"), (15, "manager"), (25, "trader"), (35, "database")),
    *((50, "manager"), (65, "trader"), (80, "manager")),
)


def test_whatever_dies_the_report_is_that_of_the_undisturbed_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traders, the manager, the database, and a trader while the database is away."""
    with running("package", monkeypatch) as database, open_folder() as home:
        run = {"to": "2025-05-06T08:00", "away_s": 3}
        assert_equal(*reports(tmp_path / "venue", home, database, PLAN, **run))
