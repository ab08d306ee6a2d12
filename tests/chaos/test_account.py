"""The long form of what an account's cache promises."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.disconnects import disconnect_again_and_again
from tests.support.fill_replay import replay
from tests.support.silent_losses import lose_again_and_again

pytestmark = [pytest.mark.process, pytest.mark.timeout(3600)]

ROUNDS, LOSSES, FILLS = 1000, 12, 1_000_000


async def test_a_thousand_disconnects_leave_no_difference(
    tmp_path: Path, figure: Callable[[str, str], None]
) -> None:
    """D5."""
    found = await disconnect_again_and_again(tmp_path, ROUNDS, seed=11)
    figure(
        "D5",
        f"{found.rounds:,} disconnects, {found.cuts_between_fills} between fills, {found.fills:,} "
        f"fills: {len(found.differences)} differences; live again after {found.median_s:.2f} s "
        f"(median), {max(found.live_s):.2f} s at most",
    )
    assert ([], 0, ROUNDS) == (found.differences, found.doubted, found.rounds)
    assert found.median_s <= 3


async def test_one_message_in_a_thousand_is_missed_every_time(
    tmp_path: Path, figure: Callable[[str, str], None]
) -> None:
    """D6."""
    found = await lose_again_and_again(tmp_path, LOSSES, every=1000, seed=12)
    figure(
        "D6",
        f"one message in 1,000 lost, {LOSSES} times: {len(found.missed)} not noticed, found after "
        f"{max(found.found_s):.1f} s at most",
    )
    assert [] == found.missed
    assert max(found.found_s) <= 10


def test_a_million_fills_told_one_to_three_times_count_once(
    figure: Callable[[str, str], None],
) -> None:
    """D2."""
    counted, repeated = replay(FILLS, seed=13)
    figure("D2", f"{FILLS:,} fills told {repeated:,} times again: {counted - FILLS} counted twice")
    assert FILLS == counted
