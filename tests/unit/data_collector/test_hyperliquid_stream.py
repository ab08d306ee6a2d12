"""Every message of the venue is read strictly or told to be malformed."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_collector.adapters.hyperliquid_stream import HyperliquidStream
from data_collector.domain.candles import (
    AssetContext,
    Candle,
    Followed,
    Mids,
    Print,
    Refused,
)

CANDLE = {
    "t": 1700000040000,
    "T": 1700000099999,
    "s": "ETH",
    "i": "1m",
    "o": "3000.1",
    "c": "3001.0",
    "h": "3001.5",
    "l": "2999.8",
    "v": "12.34",
    "n": 57,
}
TRADE = {"coin": "ETH", "side": "B", "px": "3000.1", "sz": "0.5", "time": 1700000040001, "tid": 7}


def read(channel: str, data: Any) -> Any:
    text = json.dumps({"channel": channel, "data": data})
    return list(HyperliquidStream("ws://nowhere")._read(text.encode()))


def test_candles() -> None:
    assert [
        Candle(
            coin="ETH",
            interval_ms=60_000,
            open_time_ms=1700000040000,
            open=3000.1,
            high=3001.5,
            low=2999.8,
            close=3001.0,
            volume=12.34,
            trades=57,
        )
    ] == read("candle", CANDLE)


def test_trades() -> None:
    sold = {**TRADE, "side": "A", "tid": 8}
    bought = Print(
        coin="ETH", time_ms=1700000040001, price=3000.1, size=0.5, is_buy=True, trade_id=7
    )
    first, second = read("trades", [TRADE, sold])
    assert bought == first
    assert (False, 8) == (second.is_buy, second.trade_id)


def test_mids_best_prices_and_contexts() -> None:
    assert [Mids(time_ms=0, prices={"ETH": 3000.5})] == read("allMids", {"mids": {"ETH": "3000.5"}})
    level = {"px": "3000.0", "sz": "1.0", "n": 2}
    best = {"coin": "ETH", "time": 1700000040001, "bbo": [level, {**level, "px": "3001.0"}]}
    assert [Mids(time_ms=1700000040001, prices={"ETH": 3000.5})] == read("bbo", best)
    assert [Mids(time_ms=1700000040001, prices={})] == read("bbo", {**best, "bbo": [level, None]})
    context = {
        "coin": "ETH",
        "ctx": {
            "funding": "0.0000125",
            "openInterest": "1200.5",
            "markPx": "3000.1",
            "premium": None,
        },
    }
    assert [
        AssetContext(
            coin="ETH",
            time_ms=0,
            funding_rate_hourly=0.0000125,
            open_interest=1200.5,
            mark_price=3000.1,
        )
    ] == read("activeAssetCtx", context)


@pytest.mark.parametrize("channel", ["pong", "notification"])
def test_what_carries_no_payload_is_none(channel: str) -> None:
    assert [] == read(channel, "text")


def test_answers_to_subscriptions_name_the_coin() -> None:
    wanted = {"type": "candle", "coin": "ETH", "interval": "1m"}
    answer = {"method": "subscribe", "subscription": wanted}
    assert [Followed(coin="ETH")] == read("subscriptionResponse", answer)
    for other in ({"method": "unsubscribe"}, {"subscription": {"type": "allMids"}}):
        assert [] == read("subscriptionResponse", {**answer, **other})
    refused = f"Invalid subscription {json.dumps(wanted)}"
    assert [Refused(coin="ETH", reason=refused)] == read("error", refused)
    assert [Refused(coin="", reason="too many")] == read("error", "too many")


@pytest.mark.parametrize(
    ("channel", "data"),
    [
        ("subscriptionResponse", "text"),
        ("candle", {**CANDLE, "o": 3000.1}),
        ("candle", {**CANDLE, "o": "1_0"}),
        ("candle", {**CANDLE, "o": "nan"}),
        ("candle", {**CANDLE, "o": "\u0661"}),
        ("candle", {**CANDLE, "T": 1700000099998}),
        ("candle", {**CANDLE, "i": "7m"}),
        ("candle", {**CANDLE, "n": -1}),
        ("candle", {key: value for key, value in CANDLE.items() if key != "v"}),
        ("candle", None),
        ("trades", [{**TRADE, "side": "C"}]),
        ("trades", [{**TRADE, "sz": "-1"}]),
        ("trades", TRADE),
        ("allMids", {"mids": {"ETH": None}}),
        ("bbo", {"coin": "ETH", "time": "now", "bbo": [None, None]}),
    ],
)
def test_what_cannot_be_is_malformed(channel: str, data: Any) -> None:
    with pytest.raises((msgspec.DecodeError, ValueError)):
        read(channel, data)


@given(st.integers(0, len(json.dumps(CANDLE))), st.binary(min_size=1, max_size=3))
def test_a_damaged_message_is_read_as_it_is_or_told_to_be_malformed(at: int, junk: bytes) -> None:
    text = json.dumps({"channel": "candle", "data": CANDLE}).encode()
    try:
        events = HyperliquidStream("ws://nowhere")._read(text[:at] + junk + text[at + len(junk) :])
    except (msgspec.DecodeError, UnicodeError, ValueError):
        return
    assert all(isinstance(event, Candle) for event in events)
