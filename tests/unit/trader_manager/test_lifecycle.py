"""What has to be done with a trader, for every pair of what is wanted and what is seen."""

import itertools

import pytest

from suite.crashes import CRASH_DELAY_MS, CRASH_WINDOW_MS, CRASHES_MAX, delay_ms
from trader_manager.domain.lifecycle import Actual, Seen, Step, Wanted, next_step
from trader_manager.domain.traders import DesiredState

RUNNING, STOPPED = DesiredState.RUNNING, DesiredState.STOPPED
TABLE: dict[tuple[DesiredState, Actual, bool], Step] = {
    (RUNNING, "absent", True): "start",
    (RUNNING, "absent", False): "start",
    (RUNNING, "running", True): "none",
    (RUNNING, "running", False): "restart",
    (RUNNING, "ended", True): "none",
    (RUNNING, "ended", False): "start",
    (RUNNING, "crashed", True): "start",
    (RUNNING, "crashed", False): "start",
    (STOPPED, "absent", True): "none",
    (STOPPED, "absent", False): "none",
    (STOPPED, "running", True): "stop",
    (STOPPED, "running", False): "stop",
    (STOPPED, "ended", True): "none",
    (STOPPED, "ended", False): "none",
    (STOPPED, "crashed", True): "none",
    (STOPPED, "crashed", False): "none",
    (RUNNING, "failed", True): "restart",
    (RUNNING, "failed", False): "restart",
    (STOPPED, "failed", True): "stop",
    (STOPPED, "failed", False): "stop",
}


def test_the_table_is_whole() -> None:
    """Wanted, seen, and whether it is the same configuration."""
    desires, actuals = (RUNNING, STOPPED), ("absent", "running", "ended", "crashed", "failed")
    assert set(itertools.product(desires, actuals, (True, False))) == set(TABLE)


@pytest.mark.parametrize(("case", "expected"), TABLE.items())
def test_each_pair_has_its_step(case: tuple[DesiredState, Actual, bool], expected: Step) -> None:
    """A trader whose world has ended is not begun again unless it was changed."""
    desired, actual, current = case
    wanted = Wanted(desired=desired, generation=5)
    seen = Seen(actual=actual, generation=5 if current else 4)
    assert (expected, 0) == next_step(wanted, seen, now_ms=0)


@pytest.mark.parametrize("crashes", range(8))
def test_after_too_many_crashes_in_a_row_the_next_start_waits(crashes: int) -> None:
    """Three within the window are answered at once; what is older does not count."""
    times = tuple(range(1000, 1000 + crashes))
    wanted = Wanted(desired=RUNNING, generation=1)
    seen = Seen(actual="crashed", generation=1, crashes_ms=times)
    expected = CRASH_DELAY_MS - 10 if crashes > CRASHES_MAX else 0
    now_ms = (times[-1] if times else 1000) + 10
    assert ("start", expected) == next_step(wanted, seen, now_ms=now_ms)
    changed = Wanted(desired=RUNNING, generation=2)
    assert ("start", 0) == next_step(changed, seen, now_ms=now_ms), "a person has changed it"
    assert 0 == delay_ms(times, now_ms=now_ms + CRASH_DELAY_MS)
    assert 0 == delay_ms(times, now_ms=times[0] + CRASH_WINDOW_MS if times else 0)


def test_a_failure_that_stays_is_not_tried_again_and_one_that_may_pass_waits_like_a_crash() -> None:
    """A wrong token is wrong the next time too; a new configuration is always tried."""
    wanted = Wanted(desired=RUNNING, generation=1)
    lasting = Seen(actual="failed", generation=1, lasting=True)
    assert ("none", 0) == next_step(wanted, lasting, now_ms=0)
    changed = Wanted(desired=RUNNING, generation=2)
    assert ("restart", 0) == next_step(changed, lasting, now_ms=0)
    often = Seen(actual="failed", generation=1, crashes_ms=(1, 2, 3, 4))
    assert ("restart", CRASH_DELAY_MS) == next_step(wanted, often, now_ms=4)
