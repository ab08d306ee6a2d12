"""hyperliquid-python-sdk 0.24.0, unmodified: every channel its WebSocket manager knows."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.sdk import ALO, Sdk, guarded, move_to_spot, one, open_info, set_up
from tests.support.venue_process import VenueUnderTest, eventually

pytestmark = [pytest.mark.process, pytest.mark.client("SDK")]


class Heard:
    """What a client's callbacks were called with."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: dict[str, list[Any]] = defaultdict(list)

    def __call__(self, message: Any) -> None:
        with self._lock:
            self._said[message["channel"]].append(message["data"])

    def of(self, channel: str) -> list[Any]:
        with self._lock:
            return list(self._said[channel])

    def wait(self, channel: str, count: int = 1) -> list[Any]:
        return eventually(lambda: self.of(channel), lambda found: len(found) >= count)


@pytest.fixture
def sdk(target: VenueUnderTest) -> Iterator[Sdk]:
    """A user whose `Info` has a WebSocket, as `Info(base_url)` makes one."""
    plain = set_up(target)
    plain.info = open_info(target, plain.wallet, ws=True)
    yield plain
    plain.info.disconnect_websocket()


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.mark.step("ws: every channel of basic_ws")
def test_basic_ws(sdk: Sdk, heard: Heard) -> None:
    """All fourteen subscriptions of the example on one connection, and each answers."""
    address = sdk.address
    pair = sdk.info.spot_meta()["universe"][0]["name"]
    for wanted in (
        {"type": "allMids"},
        {"type": "l2Book", "coin": "ETH"},
        {"type": "trades", "coin": pair},
        {"type": "trades", "coin": "ETH"},
        {"type": "userEvents", "user": address},
        {"type": "userFills", "user": address},
        {"type": "candle", "coin": "ETH", "interval": "1m"},
        {"type": "orderUpdates", "user": address},
        {"type": "userFundings", "user": address},
        {"type": "userNonFundingLedgerUpdates", "user": address},
        {"type": "webData2", "user": address},
        {"type": "bbo", "coin": "ETH"},
        {"type": "activeAssetCtx", "coin": "BTC"},
        {"type": "activeAssetCtx", "coin": pair},
        {"type": "activeAssetData", "user": address, "coin": "BTC"},
    ):
        sdk.info.subscribe(wanted, heard)
    for snapshot in ("userFills", "userFundings", "userNonFundingLedgerUpdates"):
        first = heard.wait(snapshot)[0]
        assert (True, address.lower()) == (first["isSnapshot"], first["user"])
    one(sdk.exchange.market_open("ETH", True, 0.05))["filled"]
    move_to_spot(sdk, 1)
    for channel in (
        "allMids",
        "l2Book",
        "trades",
        "user",
        "candle",
        "orderUpdates",
        "webData2",
        "bbo",
        "activeAssetCtx",
        "activeSpotAssetCtx",
        "activeAssetData",
    ):
        heard.wait(channel)
    for channel in ("userFills", "userFundings", "userNonFundingLedgerUpdates"):
        heard.wait(channel, 2)
    sdk.exchange.market_close("ETH")


@pytest.mark.step("ws: market data")
def test_market_channels_tell_one_market(sdk: Sdk, heard: Heard) -> None:
    """Times do not run back; best prices are those of the book."""
    for wanted in (
        {"type": "l2Book", "coin": "ETH"},
        {"type": "bbo", "coin": "ETH"},
        {"type": "trades", "coin": "ETH"},
        {"type": "candle", "coin": "ETH", "interval": "1m"},
        {"type": "allMids"},
    ):
        sdk.info.subscribe(wanted, heard)
    books, candles = heard.wait("l2Book", 10), heard.wait("candle", 10)
    times = [book["time"] for book in books]
    assert times == sorted(times)
    best = {book["time"]: [side[0]["px"] for side in book["levels"]] for book in books}
    touches = {t["time"]: [level["px"] for level in t["bbo"]] for t in heard.wait("bbo", 10)}
    both = best.keys() & touches.keys()
    assert both
    assert {time: best[time] for time in both} == {time: touches[time] for time in both}
    opened = [candle["t"] for candle in candles]
    assert opened == sorted(opened)
    trades = [trade for batch in heard.wait("trades", 3) for trade in batch]
    assert {"coin", "side", "px", "sz", "time", "hash", "tid", "users"} == set(trades[0])
    assert len({trade["tid"] for trade in trades}) == len(trades)
    assert {"BTC", "ETH", "SOL"} <= set(heard.wait("allMids")[0]["mids"])


@pytest.mark.step("ws: orders, fills, events")
def test_user_channels_tell_the_life_of_an_order(sdk: Sdk, heard: Heard) -> None:
    """Open, canceled, filled; every fill once on each channel that shows fills."""
    for kind in ("orderUpdates", "userEvents", "userFills"):
        sdk.info.subscribe({"type": kind, "user": sdk.address}, heard)
    heard.wait("userFills")
    resting = sdk.rest()
    sdk.exchange.cancel("ETH", resting)
    filled = one(sdk.exchange.market_open("ETH", True, 0.05))["filled"]["oid"]

    def told() -> list[tuple[int, str]]:
        batches = heard.of("orderUpdates")
        return [(row["order"]["oid"], row["status"]) for batch in batches for row in batch]

    wanted = [(resting, "open"), (resting, "canceled"), (filled, "filled")]
    eventually(lambda: [row for row in told() if row in wanted], lambda rows: rows == wanted)
    fills = eventually(
        lambda: [
            fill["tid"]
            for batch in heard.of("userFills")
            for fill in batch["fills"]
            if fill["oid"] == filled
        ]
    )
    events = [event for event in heard.wait("user") if "fills" in event]
    assert fills == [fill["tid"] for event in events for fill in event["fills"]]
    sdk.exchange.market_close("ETH")


@pytest.mark.step("ws: orders, fills, events")
def test_triggered_order_is_told(sdk: Sdk, heard: Heard) -> None:
    """Its trigger, then its fill, and the end of its sibling, on the channel of orders."""
    sdk.info.subscribe({"type": "orderUpdates", "user": sdk.address}, heard)
    oids = guarded(sdk, 0.05)

    def told() -> list[list[str]]:
        rows = [row for batch in heard.of("orderUpdates") for row in batch]
        return sorted([row["status"] for row in rows if row["order"]["oid"] == oid] for oid in oids)

    def both_ended(ways: list[list[str]]) -> bool:
        return {"filled", "siblingFilledCanceled"} == {way[-1] for way in ways if way}

    sibling, (first, second, *between, _last) = eventually(told, both_ended)
    assert ["open", "siblingFilledCanceled"] == sibling
    assert ("open", "triggered") == (first, second)
    assert {"open"} >= set(between)


@pytest.mark.step("ws: subscribe, unsubscribe")
def test_unsubscribed_channel_falls_silent(sdk: Sdk, heard: Heard) -> None:
    """And may be subscribed to again."""
    wanted = {"type": "bbo", "coin": "ETH"}
    number = sdk.info.subscribe(wanted, heard)
    heard.wait("bbo", 3)
    assert sdk.info.unsubscribe(wanted, number)
    sdk.info.subscribe({"type": "allMids"}, heard)
    heard.wait("allMids", 3)
    before = len(heard.of("bbo"))
    heard.wait("allMids", len(heard.of("allMids")) + 10)
    assert before == len(heard.of("bbo"))
    sdk.info.subscribe(wanted, heard)
    heard.wait("bbo", before + 1)


class Adder:
    """The example `basic_adding`: keeps a post-only order at a distance on both sides.

    Attributes:
        placed: orders it has placed.
        canceled: orders it has replaced since.
    """

    DEPTH = 0.0006
    DEVIATION = 0.6

    def __init__(self, sdk: Sdk) -> None:
        self.sdk = sdk
        self.placed = self.canceled = 0
        self.at_work, self.ended = threading.Lock(), False
        self.resting: dict[str, tuple[int, float] | None] = {"A": None, "B": None}
        sdk.info.subscribe({"type": "l2Book", "coin": "ETH"}, self.on_book)
        sdk.info.subscribe({"type": "userEvents", "user": sdk.address}, self.on_event)

    def on_event(self, message: Any) -> None:
        for fill in message["data"].get("fills", []):
            kept = self.resting[fill["side"]]
            if kept is not None and kept[0] == fill["oid"]:  # not the order that came after it
                self.resting[fill["side"]] = None

    def end(self) -> None:
        """Let it finish what it is at, and do nothing more."""
        with self.at_work:
            self.ended = True

    def on_book(self, message: Any) -> None:
        with self.at_work:
            if not self.ended:
                self.follow(message)

    def follow(self, message: Any) -> None:
        for place, side in enumerate("BA"):
            best = float(message["data"]["levels"][place][0]["px"])
            ideal = best * (1 + self.DEPTH * (1 if side == "A" else -1))
            kept = self.resting[side]
            if kept is not None and abs(ideal - kept[1]) > best * self.DEPTH * self.DEVIATION:
                self.sdk.exchange.cancel("ETH", kept[0])
                self.canceled += 1
                self.resting[side] = kept = None
            if kept is None:
                price = float(f"{ideal:.5g}")
                reply = self.sdk.exchange.order("ETH", side == "B", 0.02, price, ALO)
                status = one(reply)
                if "resting" in status:
                    self.placed += 1
                    self.resting[side] = (status["resting"]["oid"], price)


@pytest.mark.step("ws: basic_adding, a maker loop")
def test_basic_adding(sdk: Sdk) -> None:
    """Orders follow the book, are filled, and none is forgotten."""
    adder = Adder(sdk)
    eventually(lambda: (adder.placed, adder.canceled), lambda n: n[0] >= 10 and n[1] >= 5)
    eventually(lambda: sdk.info.user_fills(sdk.address))
    adder.end()
    known = {kept[0] for kept in adder.resting.values() if kept is not None}
    still = {row["oid"] for row in sdk.info.open_orders(sdk.address)}
    assert still <= known
    assert {False} == {fill["crossed"] for fill in sdk.info.user_fills(sdk.address)}
