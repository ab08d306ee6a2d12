"""What ccxt tells of an account, in the shapes of the venue contract."""

import random
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from strategy_agent.adapters.ccxt_exchange.access import CcxtAccess
from strategy_agent.adapters.ccxt_exchange.calls import CcxtCalls
from strategy_agent.adapters.ccxt_exchange.markets import Markets
from strategy_agent.adapters.ccxt_exchange.values import (
    FillWriter,
    Holdings,
    best_prices,
    cloid_of,
    oid_of,
    open_order,
    order_status,
    text,
)
from suite.account.events import BestPush, Level
from suite.errors import UpstreamRefused
from suite.service.clock import SystemClock

BTC, LOTS = "BTC/USDT:USDT", "LOTS/USDT:USDT"


def market(base: str, settle: str, step: str, contract: str) -> dict[str, Any]:
    return {
        "id": f"{base}{settle}", "symbol": f"{base}/{settle}:{settle}", "base": base,
        "quote": settle, "settle": settle, "baseId": base, "quoteId": settle, "settleId": settle,
        "type": "swap", "spot": False, "swap": True, "future": False, "option": False,
        "margin": False, "contract": True, "linear": True, "inverse": False, "active": True,
        "contractSize": contract, "precision": {"amount": step, "price": "0.1"},
        "limits": {"leverage": {"max": "50"}, "amount": {}, "price": {}, "cost": {}}, "info": {},
    }  # fmt: skip


@pytest.fixture(name="markets")
def _markets() -> Markets:
    access = CcxtAccess(exchange="binanceusdm", keys={"apiKey": "k", "secret": "s"})
    calls = CcxtCalls(access, SystemClock())
    rows = [market("BTC", "USDT", "0.001", "1"), market("BTC", "USDC", "0.01", "1")]
    rows += [market("LOTS", "USDT", "1", "0.01"), market("ODD", "USDC", "1", "1")]
    calls.api.set_markets(rows)
    return Markets(calls, {BTC: 125})


def trade(number: int, side: str, amount: str, symbol: str = BTC) -> Mapping[str, Any]:
    return {
        "id": str(number), "symbol": symbol, "side": side, "amount": amount, "price": "100.5",
        "timestamp": 1000 + number, "order": "7", "takerOrMaker": "taker", "info": {"rp": "1.5"},
        "fee": {"cost": "0.02", "currency": "USDT"},
    }  # fmt: skip


def test_best_prices_are_told_with_what_is_offered_there(markets: Markets) -> None:
    """In coins; a side without its size is none, as nobody knows what it is worth."""
    ticker = {"bid": "99.5", "bidVolume": "30", "ask": "100", "askVolume": "7"}
    bid, ask = Level(px="99.5", sz="0.3"), Level(px="100.0", sz="0.07")
    assert BestPush(coin="LOTS", bid=bid, ask=ask) == best_prices("LOTS", ticker, markets)
    for missing in ("ask", "askVolume"):
        told = best_prices("LOTS", ticker | {missing: None}, markets)
        assert BestPush(coin="LOTS", bid=bid, ask=None) == told


def test_coins_are_those_of_one_currency_and_sizes_those_of_coins(markets: Markets) -> None:
    """A contract of 0.01 coins: sizes go out in contracts and come back in coins."""
    names = {
        row["name"]: (row["szDecimals"], row["maxLeverage"]) for row in markets.meta()["universe"]
    }
    assert {"BTC": (3, 125), "LOTS": (2, 50)} == names
    assert "150" == markets.amount("LOTS", Decimal("1.5"))
    assert Decimal("1.50") == markets.size("LOTS", "150")
    assert "0.1" == markets.price("BTC", Decimal("0.14"))
    for size in ("0.0005", "0.0011"):
        with pytest.raises(UpstreamRefused, match="BTC: size"):
            markets.amount("BTC", Decimal(size))
    with pytest.raises(UpstreamRefused, match=r"does not trade 'BCT'.*did you mean BTC"):
        markets.symbol("BCT")


def test_position_before_a_fill_is_told_alike_however_often_it_is_told(markets: Markets) -> None:
    """Backwards from the position at the beginning, forwards from there, in any repetition."""
    chance = random.Random(3)
    trades = [trade(n, chance.choice(("buy", "sell")), f"0.00{n % 9 + 1}") for n in range(40)]
    signed = [Decimal(str(t["amount"])) * (1 if t["side"] == "buy" else -1) for t in trades]
    starts = [text(sum(signed[:n], Decimal("0.5"))) for n in range(40)]
    writer = FillWriter(markets)
    writer.begin({"BTC": Decimal("0.5") + sum(signed[:20])}, trades[5:20])
    told = [*writer.write(trades[5:20]), *writer.write(trades[18:30]), *writer.write(trades[5:40])]
    assert () == writer.write(trades[:5]), "what is older than the beginning is not told"
    by_id: dict[int, set[str]] = {}
    for fill in told:
        by_id.setdefault(fill.tid, set()).add(fill.startPosition)
    assert {n: {starts[n]} for n in range(5, 40)} == by_id
    assert ("1.5", "0.02", "USDT", 7) == (
        told[0].closedPnl, told[0].fee, told[0].feeToken, told[0].oid
    )  # fmt: skip


def test_positions_come_in_pieces_or_whole(markets: Markets) -> None:
    holdings = Holdings()
    long = {"symbol": BTC, "contracts": "0.5", "side": "long", "entryPrice": "100"}
    lots = {"symbol": LOTS, "contracts": "200", "side": "short", "entryPrice": "10"}
    holdings.take_positions([long | {"leverage": "5"}], markets, whole=False)
    holdings.take_positions([lots], markets, whole=False)
    holdings.take_total("1000", equity=False)
    holdings.marks = {"BTC": Decimal(110), "LOTS": Decimal(11)}
    state = holdings.state(1)
    assert [("BTC", "0.5", "5.0", 5), ("LOTS", "-2.0", "-2.0", 1)] == [
        (p.position.coin, p.position.szi, p.position.unrealizedPnl, p.position.leverage.value)
        for p in state.assetPositions
    ]
    # value 1000 + 5 - 2; cash is what is left when positions are valued apart: 1003 - 55 + 22
    assert ("1003.0", "970.0") == (
        state.marginSummary.accountValue,
        state.marginSummary.totalRawUsd,
    )
    holdings.take_total("1003", equity=True)
    assert state == holdings.state(1)
    holdings.take_positions([long | {"contracts": "0", "side": None}], markets, whole=False)
    assert ["LOTS"] == list(holdings.rows)
    holdings.take_positions([long], markets, whole=True)
    assert ["BTC"] == list(holdings.rows)


def test_ids_become_numbers_and_stay_what_they_are() -> None:
    assert 8_886_774 == oid_of("8886774") == oid_of(8_886_774)
    assert oid_of("b9c2-uuid") == oid_of("b9c2-uuid") < 1 << 63
    assert oid_of("b9c2-uuid") != oid_of("b9c2-uuie")
    assert f"0x{7:032x}" == cloid_of(f"{7:032x}") == cloid_of(f"0x{7:032X}".replace("0X", "0x"))
    assert (None, None, None) == (cloid_of("web_abc"), cloid_of(None), cloid_of("g" * 32))


@pytest.mark.parametrize(
    ("order", "filled", "at_once", "expected"),
    [
        ({"status": "open"}, "0", False, {"resting": {"oid": 9}}),
        ({"status": "open"}, "0.1", False, {"resting": {"oid": 9}}),
        ({"status": None}, "0", False, {"resting": {"oid": 9}}),
        (
            {"status": "closed", "average": "5"}, "1", True,
            {"filled": {"totalSz": "1.0", "avgPx": "5.0", "oid": 9}},
        ),
        (
            {"status": "canceled", "average": None, "price": "5"}, "0.5", True,
            {"filled": {"totalSz": "0.5", "avgPx": "5.0", "oid": 9}},
        ),
        (
            {"status": "expired"}, "0", True,
            {"error": "Order could not immediately match against any resting orders."},
        ),
        (
            {"status": "expired"}, "0", False,
            {"error": "Post only order would have immediately matched: expired at once"},
        ),
        ({"status": "canceled"}, "0", False, {"resting": {"oid": 9}}),
    ],
)  # fmt: skip
def test_what_became_of_an_order(
    order: dict[str, Any], filled: str, at_once: bool, expected: dict[str, Any]
) -> None:
    assert expected == order_status({"id": "9", **order}, Decimal(filled), at_once=at_once)


def test_order_of_another_market_is_not_ours(markets: Markets) -> None:
    row = {"id": "1", "amount": "1", "filled": "0", "side": "buy"}
    for symbol in ("BTC/USDC:USDC", "ODD/USDC:USDC"):
        assert open_order({**row, "symbol": symbol}, markets) is None
    ours = open_order({**row, "symbol": BTC, "triggerPrice": "5", "price": None}, markets)
    assert ours is not None
    assert ("5.0", "1.0", "B") == (ours.limitPx, ours.sz, ours.side)
