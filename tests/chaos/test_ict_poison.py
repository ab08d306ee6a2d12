"""Another future at a thousand places: no byte of the past may change, of any market."""

from collections.abc import Callable

import numpy as np
import pytest
from tests.support.ict_markets import TEMPERS, market, poisoned_bytes, recorded
from tests.support.real_data import COINS, needs_real_data

CUTS = 1000
BARS = 6000


@pytest.mark.parametrize("temper", TEMPERS)
def test_a_thousand_other_futures_change_no_byte(
    temper: str, figure: Callable[[str, str], None]
) -> None:
    bars, other = market(21, BARS, temper), market(22, BARS, "wild")
    cuts = np.random.default_rng(23).integers(1, BARS, CUTS).tolist()
    assert poisoned_bytes(bars, other, cuts) == 0
    figure("T1", f"generated markets, {CUTS:,} other futures of the features each: 0 bytes differ")


@needs_real_data
@pytest.mark.parametrize("coin", COINS)
def test_a_thousand_other_futures_change_no_byte_of_recorded_bars(
    coin: str, figure: Callable[[str, str], None]
) -> None:
    """The other future is what the coin did four days later."""
    bars = recorded(coin).rows(0, BARS)
    other = recorded(coin).rows(BARS, 2 * BARS)
    cuts = np.random.default_rng(24).integers(1, BARS, CUTS).tolist()
    assert poisoned_bytes(bars, other, cuts) == 0
    figure("T1", f"real markets, {CUTS:,} other futures of the features each: 0 bytes differ")
