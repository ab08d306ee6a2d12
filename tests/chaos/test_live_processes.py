"""The long form of orders through the live proxy, a faulty network behind it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.delivery_runs import fault_table
from tests.support.live_delivery import LIVE_FAULTS, deliver_live

pytestmark = [pytest.mark.process, pytest.mark.timeout(3000)]

INTENTS = 10_000
TRADERS = tuple(f"trader{number}" for number in range(8))


async def test_ten_thousand_intents_are_executed_once_or_known_not_to_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], figure: Callable[[str, str], None]
) -> None:
    """As on 29 July 2025, and worse: errors while executing, resets, timeouts, 429, 5xx, HTML."""
    outcome = await deliver_live(
        tmp_path, names=TRADERS, intents=INTENTS, fault_share=0.3, kill_every_s=20.0, late_s=10.0
    )
    with capsys.disabled():
        print(f"\n{fault_table(outcome)}\nproxy killed {outcome.kills} times")
    figure(
        "D1",
        f"{outcome.intents:,} intents through the live proxy, all processes: "
        f"{len(outcome.problems)} lost, doubled or believed wrongly; {outcome.left_unknown} left "
        "unknown",
    )
    assert [] == outcome.problems
    assert (0, 0) == (outcome.left_unknown, outcome.open_after)
    assert INTENTS <= outcome.intents
    assert set(LIVE_FAULTS) == outcome.done.keys()
    executed = [fate for v in outcome.verdicts.values() for fate in v.outcome.values()]
    assert len(executed) // 4 < executed.count("executed")
