"""What the venue says of an account when the risk path asks it."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from tests.support.live_parts import live_account

from hyperliquid_exchange.application.venue_desk import VenueDesk
from suite.errors import UpstreamRefused

ALICE = live_account()
UNIVERSE = [{"name": "BTC", "szDecimals": 5, "maxLeverage": 40}]


def row(coin: str, oid: int) -> dict[str, Any]:
    order = {"coin": coin, "side": "B", "limitPx": "90000.0", "sz": "0.01", "oid": oid}
    return {**order, "timestamp": 1, "origSz": "0.01", "reduceOnly": False, "orderType": "Limit"}


class Venue:
    """Tells what is listed and what rests."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = list(rows)

    async def exchange(self, payload: bytes) -> Mapping[str, Any]:
        raise AssertionError(payload)

    async def info(self, body: bytes) -> tuple[int, bytes]:
        kind = msgspec.json.decode(body)["type"]
        told: Any = {"universe": UNIVERSE} if kind == "meta" else self.rows
        return 200, msgspec.json.encode(told)


async def orders_of(*rows: dict[str, Any]) -> list[int]:
    desk = VenueDesk(Venue(*rows), {ALICE.trader_id: ALICE})
    return [one.oid for one in await desk.orders(ALICE.trader_id)]


async def test_an_order_of_the_spot_wallet_keeps_no_kill_from_its_work() -> None:
    """A person may have placed it with the master wallet; it is of another account."""
    assert [2] == await orders_of(row("@107", 1), row("BTC", 2), row("PURR/USDC", 3))


async def test_an_order_of_a_coin_that_is_not_listed_is_not_passed_over() -> None:
    with pytest.raises(UpstreamRefused, match="does not list NEW"):
        await orders_of(row("BTC", 1), row("NEW", 2))
