"""Histories at the venue are read to their end, page by page."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.support.scripted_venue import fill

from suite.errors import UpstreamRefused
from trader_manager.adapters.venue_reads import VenueReadsHttp


class Pages:
    """A venue that tells the oldest rows of a range, so many at a time."""

    def __init__(self, rows: list[dict[str, Any]], most: int) -> None:
        self.rows = rows
        self.most = most
        self.asked = 0

    async def read(
        self, method: str, path: str, body: Any, decoder: msgspec.json.Decoder[Any], *, reason: str
    ) -> Any:
        self.asked += 1
        found = [row for row in self.rows if body["startTime"] <= row["time"] <= body["endTime"]]
        return decoder.decode(msgspec.json.encode(found[: self.most]))


def reads(rows: list[dict[str, Any]], most: int) -> tuple[VenueReadsHttp, Pages]:
    pages, found = Pages(rows, most), VenueReadsHttp("http://127.0.0.1:1")
    found._opened = pages  # type: ignore[assignment]
    return found, pages


def funding(time_ms: int, coin: str, usdc: str = "-0.25") -> dict[str, Any]:
    delta = {"type": "funding", "coin": coin, "usdc": usdc, "szi": "1.0", "fundingRate": "0.1"}
    return {"time": time_ms, "hash": "0x0", "delta": delta}


async def test_payments_of_one_moment_are_on_two_pages_and_each_is_told_once() -> None:
    rows = [funding(hour, coin) for hour in range(400) for coin in ("A", "B", "C")]
    venue, _ = reads(rows, 500)
    found = await venue.funding("0x0", from_ms=0, to_ms=398)
    assert 3 * 399 == len(found) == len({(row.time_ms, row.coin) for row in found})
    assert Decimal("-0.25") * 3 * 399 == sum(row.received_usd for row in found)


async def test_a_short_page_is_the_last() -> None:
    rows = [msgspec.to_builtins(fill(tid, tid)) for tid in range(1, 100)]
    venue, pages = reads(rows, 2000)
    assert list(range(50, 100)) == [
        row.tid for row in await venue.fills("0x0", from_ms=50, to_ms=1000)
    ]
    assert 1 == pages.asked


async def test_a_full_last_page_is_no_end_without_end() -> None:
    rows = [
        {"time": number, "hash": hex(number), "delta": {"type": "deposit", "usdc": "1.0"}}
        for number in range(1000)
    ]
    venue, _ = reads(rows, 500)
    assert 1000 == len(await venue.ledger("0x0", from_ms=0, to_ms=5000))


async def test_money_that_is_no_number_is_refused() -> None:
    venue, _ = reads([funding(1, "A", usdc="nan")], 500)
    with pytest.raises(UpstreamRefused, match="not a number"):
        await venue.funding("0x0", from_ms=0, to_ms=5)
