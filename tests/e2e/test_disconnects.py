"""A connection that breaks at any moment leaves no difference behind (D5)."""

from pathlib import Path

import pytest
from tests.support.disconnects import disconnect_again_and_again

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]

ROUNDS = 60


async def test_a_reconciled_account_is_the_venues_own(tmp_path: Path) -> None:
    """Positions, cash, open orders and the set of fills, after every cut."""
    found = await disconnect_again_and_again(tmp_path, ROUNDS, seed=5)
    print(f"median {found.median_s:.3f} s to live, {found.fills} fills")
    assert ([], 0, ROUNDS) == (found.differences, found.doubted, found.rounds)
    assert found.fills > ROUNDS
    assert found.cuts_between_fills > 0
    assert found.median_s <= 3
