"""A report does not depend on where it was made; all 24 environments are the long form's."""

from pathlib import Path

import pytest
from tests.support.environments import few, prepared, report_hash

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(400)]


def test_report_is_the_same_in_other_environments(tmp_path: Path) -> None:
    """Another seed of hashes, time zone and locale; compiled or not; in one process or in five."""
    folder = prepared(tmp_path, minutes=360)
    hashes = {report_hash(folder, one, f"out-{n}") for n, one in enumerate(few())}
    assert len(hashes) == 1
