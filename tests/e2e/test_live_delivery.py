"""Orders through the live proxy: none lost, none twice, none believed wrongly."""

from pathlib import Path

import pytest
from tests.support.delivery_runs import fault_table
from tests.support.live_delivery import LIVE_FAULTS, deliver_live

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(600)]

TRADERS = tuple(f"trader{number}" for number in range(6))


async def test_no_intent_is_lost_duplicated_or_believed_wrongly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every kind of fault between proxy and venue, outages, kills of the proxy, agents' crashes."""
    outcome = await deliver_live(
        tmp_path, names=TRADERS, intents=300, fault_share=0.4, kill_every_s=6.0
    )
    with capsys.disabled():
        print(f"\n{fault_table(outcome)}\nproxy killed {outcome.kills} times")
    assert [] == outcome.problems
    assert (0, 0) == (outcome.left_unknown, outcome.open_after)
    assert 300 <= outcome.intents
    assert outcome.kills
    assert len(LIVE_FAULTS) // 2 <= len(outcome.done)
    fates = [fate for v in outcome.verdicts.values() for fate in v.outcome.values()]
    assert len(fates) // 5 < fates.count("executed")
