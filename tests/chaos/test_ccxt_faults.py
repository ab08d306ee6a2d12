"""Two hundred orders through ccxt and every fault of a server in Binance's format."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.ccxt_delivery import send_through_faults

pytestmark = [pytest.mark.process, pytest.mark.timeout(600)]
INTENTS = 200


async def test_two_hundred_intents_are_executed_once_or_known_not_to_be(
    tmp_path: Path, figure: Callable[[str, str], None]
) -> None:
    outcome = await send_through_faults(tmp_path, intents=INTENTS, crash_every=15)
    outcome.check()
    figure(
        "D1",
        f"over ccxt: {outcome.intents:,} intents, {outcome.crashes} crashes, {len(outcome.done)} "
        "kinds of faults: none lost, none doubled",
    )
    assert INTENTS <= outcome.intents
    assert outcome.crashes > 3
