"""The journal of intents, killed at every point where it reaches the disk."""

from pathlib import Path

import pytest
from tests.support.journal_kills import cut_power, faults_after, killed_at

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]


@pytest.mark.parametrize("power", [False, True], ids=["killed", "power_cut"])
def test_what_was_acknowledged_is_there_after_a_kill_at_any_point(
    tmp_path: Path, *, power: bool
) -> None:
    """Before, amid and after each write, sync and rename; with what no sync covered taken away
    too. Begun is open or settled, settled durably is settled, counted is counted.
    """
    whole = killed_at("", tmp_path / "whole")
    assert whole.ended
    assert faults_after(tmp_path / "whole", whole) == []
    points = list(dict.fromkeys(whole.points))
    failed: dict[str, list[str]] = {}
    for number, point in enumerate(points):
        folder = tmp_path / str(number)
        found = killed_at(point, folder)
        assert not found.ended
        if power:
            cut_power(folder, found)
        if faults := faults_after(folder, found):
            failed[point] = faults
    print(f"{len(points)} points")
    assert len(points) > 100
    assert failed == {}
