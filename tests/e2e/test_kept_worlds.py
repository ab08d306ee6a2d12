"""A world of the service survives its process: killed, or on a disk that is full."""

from pathlib import Path

import pytest
from tests.support.kept_venue import KeptVenue, KeptWorld, Refused, killed_by_chance

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(400)]

TO = "2025-05-05T12:00"


def test_killed_service_ends_its_world_as_if_nothing_had_been(tmp_path: Path) -> None:
    """Clients repeat what got no answer; tokens and names are what they were."""
    venue = KeptVenue(tmp_path / "venue")
    try:
        calm = KeptWorld(venue, TO).play()
        world = KeptWorld(venue, TO)
        assert calm == killed_by_chance(venue, world, seed=1, kills=3)
        assert venue.kills
        venue.kill()
        assert calm == world.report()["sha256"]
    finally:
        venue.close()


def test_full_disk_changes_nothing_and_the_world_goes_on_after_it(tmp_path: Path) -> None:
    """What is refused has not acted; time stands, reads go on, and the same request comes again."""
    venue = KeptVenue(tmp_path / "venue")
    try:
        calm = KeptWorld(venue, TO).play()
        venue.most_bytes = 20_000
        venue.kill()
        world = KeptWorld(venue, TO)
        with pytest.raises(Refused, match="File too large; nothing was changed: make room"):
            world.play()
        stood = world.status()
        assert 0 < stood["percent"] < 100
        with pytest.raises(Refused, match="nothing was changed"):
            world.play()
        assert stood == world.status()
        venue.most_bytes = None
        venue.kill()
        assert stood["now_ms"] == world.status()["now_ms"]
        assert calm == world.play()
    finally:
        venue.close()
