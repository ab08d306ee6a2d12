"""Histories at the venue are read to their end, page by page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from aiohttp import web
from pydantic import SecretStr
from tests.support.scripted_venue import fill

from suite.addresses import account_address
from suite.errors import Conflict, UpstreamRefused
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


@asynccontextmanager
async def telling(**clock: object) -> AsyncIterator[tuple[str, list[str]]]:
    """A venue that tells its time, and by which tokens it was asked."""
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("authorization", ""))
        told = {"mode": "wall", "now_ms": 1, "speed": 1.0, **clock}
        if seen[-1] != "Bearer of-anna":
            told |= {"address": ""}
        return web.json_response(told)

    app = web.Application()
    app.router.add_get("/clock", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    finally:
        await runner.cleanup()


def tokens(trader_id: str) -> SecretStr | None:
    return SecretStr("of-anna") if trader_id == "anna" else None


async def test_a_real_venue_is_asked_which_address_a_trader_has() -> None:
    """With the trader's own token, once; an address is one; without either nobody knows."""
    async with telling(address="0x" + "AB" * 20) as (url, seen):
        venue = VenueReadsHttp(url, token="of-reader", token_of=tokens)
        for _ in range(2):
            assert "0x" + "ab" * 20 == await venue.address("anna", "anna")
        assert ["Bearer of-anna"] == seen
        assert "0x" + "cd" * 20 == await venue.address("bert", "0x" + "CD" * 20)
        with pytest.raises(Conflict, match="bert is no address"):
            await venue.address("bert", "bert")
        assert ["Bearer of-anna", "Bearer of-reader"] == seen
        await venue.close()


async def test_an_account_of_a_simulated_venue_has_the_address_of_its_name() -> None:
    async with telling(world="w") as (url, _):
        venue = VenueReadsHttp(url, token_of=tokens)
        assert account_address("anna") == await venue.address("anna", "anna")
        assert account_address("bert") == await venue.address("bert", "bert")
        await venue.close()
