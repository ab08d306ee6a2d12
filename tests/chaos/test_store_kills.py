"""Writers of a store are killed at every step, and at two hundred moments of chance."""

from collections.abc import Callable

import pytest
from tests.support.store_kill_table import kill_table, run_kills, wrong

pytestmark = [pytest.mark.process, pytest.mark.slow]


@pytest.mark.timeout(1200)
def test_no_kill_loses_what_was_acknowledged_or_leaves_what_cannot_be_read(
    figure: Callable[[str, str], None],
) -> None:
    """The table is for people: kill point and count."""
    kills = run_kills("--outside", "40")
    print(kill_table(kills))
    figure(
        "T2", f"{len(kills)} SIGKILLs of writers: {len(wrong(kills))} lost or left what is broken"
    )
    assert [] == wrong(kills)
    assert len(kills) >= 200
