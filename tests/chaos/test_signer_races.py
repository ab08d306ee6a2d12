"""A thousand races for one signer."""

from pathlib import Path

import pytest
from tests.support.signer_races import race_for_a_signer


@pytest.mark.timeout(900)
def test_loser_of_a_thousand_races_never_signs(tmp_path: Path) -> None:
    counts = race_for_a_signer(tmp_path, 1000)
    print(counts)
    assert counts == {"wins": 1000, "by_winner": 3000, "by_loser": 0, "nonces_twice": 0}
