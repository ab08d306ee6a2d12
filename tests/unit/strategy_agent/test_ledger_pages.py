"""A ledger that is longer than one answer of the venue."""

from typing import Any, cast

import msgspec

from strategy_agent.adapters.venue_orders import VenueOrders
from suite.service.calls import ServiceCalls

PAGE = 500


class Pages:
    """Answers as the venue does: the first rows from a time on, that time included."""

    def __init__(self, times: list[int]) -> None:
        self.times = times
        self.asked: list[int] = []

    async def read(
        self, _method: str, _path: str, body: dict[str, Any], decoder: Any, *, reason: str
    ) -> Any:
        assert "userNonFundingLedgerUpdates" == reason == body["type"]
        self.asked.append(body["startTime"])
        rows = [
            {"time": at, "hash": f"0x{number}", "delta": {"type": "deposit", "usdc": "1.0"}}
            for number, at in enumerate(self.times)
            if at >= body["startTime"]
        ]
        return decoder.decode(msgspec.json.encode(rows[:PAGE]))


async def read(times: list[int], since: int = 0) -> tuple[list[str], list[int]]:
    pages = Pages(times)
    rows = await VenueOrders(cast("ServiceCalls", pages)).fetch_ledger(since)
    return [row.hash for row in rows], pages.asked


async def test_all_pages_are_read_and_each_entry_once() -> None:
    """Two entries of one time at the edge of a page are two."""
    times = [*range(499), 498, 499, *range(600, 1200)]
    hashes, asked = await read(times)
    assert [f"0x{number}" for number in range(len(times))] == hashes
    assert [0, 498, 1096] == asked[:3]


async def test_an_empty_ledger_is_asked_for_once() -> None:
    assert ([], [5]) == await read([1, 2], since=5)
