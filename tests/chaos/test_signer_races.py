"""A thousand races for one signer."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.signer_races import race_for_a_signer


@pytest.mark.timeout(900)
def test_loser_of_a_thousand_races_never_signs(
    tmp_path: Path, figure: Callable[[str, str], None]
) -> None:
    counts = race_for_a_signer(tmp_path, 1000)
    figure(
        "D3",
        f"{counts['wins']:,} races for a signer: {counts['by_loser']} signatures by the loser, "
        f"{counts['nonces_twice']} nonces twice",
    )
    assert counts == {"wins": 1000, "by_winner": 3000, "by_loser": 0, "nonces_twice": 0}
