"""Worlds whose process is killed at every named point, and 200 times by chance."""

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.kept_venue import KeptVenue, KeptWorld, killed_by_chance
from tests.support.world_kills import killed_anywhere, trade
from tests.support.world_tails import CUTS, flips, recovered

pytestmark = [pytest.mark.process, pytest.mark.slow]

KILLS, SERVICE_KILLS = 200, 24


def test_world_is_the_same_wherever_its_process_is_killed(
    tmp_path: Path, figure: Callable[[str, str], None]
) -> None:
    """At each point of the reference scenario, and by power cuts at every tenth of them."""
    calm = trade(tmp_path / "calm", [])
    found = Counter[str]()
    for number, point in enumerate(calm.points):
        killed = trade(tmp_path / str(number), [point])
        assert killed.kills == 1, point
        found["differ"] += killed.report != calm.report
        found["points"] += 1
    for number in range(10):
        cut = trade(tmp_path / f"cut-{number}", calm.points[number::40], power=True)
        found["cuts"] += cut.kills
        found["differ"] += cut.report != calm.report
    figure(
        "X1",
        f"{found['points']} named points and {found['cuts']} power cuts of a world: "
        f"{found['differ']} differing reports",
    )
    assert found["differ"] == 0


def test_world_is_the_same_whenever_its_process_is_killed(
    tmp_path: Path, figure: Callable[[str, str], None]
) -> None:
    """At moments of chance, many times in one run."""
    calm, draw = trade(tmp_path / "calm", []), random.Random(12)
    kills = differ = runs = 0
    while kills < KILLS:
        runs += 1
        killed = killed_anywhere(tmp_path / str(runs), draw)
        kills += killed.kills
        differ += killed.report != calm.report
    figure("X1", f"{kills} SIGKILLs of a world at moments of chance: {differ} differing reports")
    assert differ == 0


def test_service_that_is_killed_again_and_again_ends_where_it_would_have(
    tmp_path: Path, figure: Callable[[str, str], None]
) -> None:
    """The whole service, over HTTP."""
    venue = KeptVenue(tmp_path / "venue")
    try:
        to, differ, seed = "2025-05-06T12:00", 0, 0
        calm = KeptWorld(venue, to).play()
        while venue.kills < SERVICE_KILLS:
            seed += 1
            world = KeptWorld(venue, to)
            differ += killed_by_chance(venue, world, seed, SERVICE_KILLS // 3) != calm
    finally:
        venue.close()
    figure("X1", f"{venue.kills} SIGKILLs of the serving virtual-exchange: {differ} differ")
    assert differ == 0


def test_every_cut_is_recovered_and_every_flip_found(
    tmp_path: Path, figure: Callable[[str, str], None]
) -> None:
    assert recovered(tmp_path / "cut.world", every=1) == CUTS
    flipped, found = flips(tmp_path / "flipped.world", 40)
    figure("X1", f"{CUTS:,} torn tails recovered, {found:,} of {flipped:,} flipped bytes found")
    assert flipped == found
