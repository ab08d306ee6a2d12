"""Writers of a store are killed at steps all over their work; `make chaos` does it at every one."""

import pytest
from tests.support.store_kill_table import kill_table, run_kills, wrong

pytestmark = [pytest.mark.process, pytest.mark.slow]


def test_nothing_acknowledged_is_lost_and_nothing_is_unreadable_after_a_kill() -> None:
    """Every eleventh step that touches the disk, half writes among them, and moments of chance."""
    kills = run_kills("--every", "11", "--outside", "1")
    print(kill_table(kills))
    assert [] == wrong(kills)
    assert {"append", "revise", "compact", "journal", "ledger"} == {x["scenario"] for x in kills}
    assert len(kills) >= 30
