"""A market told through a faulty stream is stored as it was; what is not is in the ledger.

The long form, with a million candles, is `tests/chaos/test_collected_candles.py`.
"""

from tests.support.fault_proxy import Faults
from tests.support.faulty_market import market, run


async def test_nothing_is_lost_unrecorded_nor_stored_twice_nor_wrong_under_faults() -> None:
    faults = Faults(drop=0.05, repeat=0.05, reorder=0.05, garble=0.001, reach=30)
    outcome = await run(market(8, 1500), faults)
    assert (0, 0, 0) == (outcome.lost, outcome.duplicated, outcome.wrong)
    assert outcome.candles == outcome.equal + outcome.recorded
    assert 0.99 < outcome.equal / outcome.candles
    assert min(outcome.faults[name] for name in ("drop", "repeat", "reorder")) > 1000
    assert {"dropped", "repeated", "reordered", "malformed"} <= set(outcome.noticed)


async def test_a_stream_without_faults_needs_no_history_even_for_minutes_without_trades() -> None:
    outcome = await run(market(8, 800), Faults())
    assert (outcome.candles, 0, {}) == (outcome.equal, outcome.requests, outcome.noticed)


async def test_frames_that_are_only_dropped_are_noticed_too() -> None:
    outcome = await run(market(8, 800), Faults(drop=0.02))
    assert (0, 0) == (outcome.lost, outcome.wrong)
    assert outcome.noticed["dropped"] > 50
