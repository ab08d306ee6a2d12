"""From the simple REST to the venue's own actions: prices, groups, names, and refusals of form."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.live_parts import LIMITS, MemoryFacts, known_facts, live_account, universe

from hyperliquid_exchange.application.translating import (
    MARKET_SLIPPAGE,
    Refused,
    Translator,
    beyond,
    cloid_of,
)
from hyperliquid_exchange.domain.accounts import LiveAccount
from suite.contracts import hyperliquid_exchange as wire
from suite.contracts.venue import Action
from suite.errors import UpstreamUnavailable
from suite.fixed import RATE_ONE, Price, Rate
from suite.instrument import Instrument, MarginTier

_action = msgspec.json.Decoder(Action)
ALICE = live_account()


def translate(
    kind: str,
    *,
    account: LiveAccount = ALICE,
    facts: MemoryFacts | None = None,
    old: str | None = None,
    **fields: Any,
) -> Any:
    body = msgspec.json.encode({"type": kind, "coin": "BTC", **fields})
    translator = Translator(facts or MemoryFacts(known_facts()))
    return translator.translate(account, "k1", _action.decode(body), old_cloid=old)


def refused(kind: str, **fields: Any) -> Any:
    with pytest.raises(Refused) as caught:
        translate(kind, **fields)
    return caught.value.reply


def test_market_order_is_an_ioc_beyond_the_mid() -> None:
    """At most 5 %, on the venue's lattice of prices."""
    (buy,) = translate("order", is_buy=True, sz="0.01", limit_px=0).orders
    (sell,) = translate("order", is_buy=False, sz="0.01", limit_px=0, reduce_only=True).orders
    assert ("98700", "Ioc", False) == (buy.p, buy.t.limit.tif, buy.r)
    assert ("89300", "Ioc", True) == (sell.p, sell.t.limit.tif, sell.r)


def test_market_order_keeps_within_a_tighter_collar() -> None:
    limits = LIMITS.__class__(
        **{name: getattr(LIMITS, name) for name in LIMITS.__slots__}
        | {"price_collar": Rate(10_000_000)}
    )
    tight = live_account(limits=limits)
    (buy,) = translate("order", account=tight, is_buy=True, sz="0.01").orders
    assert "94940" == buy.p


@given(
    price=st.integers(1, 10**12),
    reach=st.integers(0, 10**9 - 1),
    sz_decimals=st.integers(0, 5),
    up=st.booleans(),
)
def test_price_beyond_another_is_valid_and_within_reach(
    price: int, reach: int, sz_decimals: int, up: bool
) -> None:
    tiers = (MarginTier(lower_bound_usd=0, max_leverage=3),)  # type: ignore[arg-type]
    instrument = Instrument(coin="X", sz_decimals=sz_decimals, tiers=tiers)
    found = beyond(instrument, Price(price), Rate(reach), up=up)
    assert instrument.price_is_valid(found)
    if up:
        assert found * RATE_ONE <= price * (RATE_ONE + reach)
    else:
        assert found * RATE_ONE >= price * (RATE_ONE - reach)


def test_price_unknown_is_no_market_order() -> None:
    with pytest.raises(UpstreamUnavailable, match="no price of BTC"):
        translate("order", facts=MemoryFacts(None), is_buy=True, sz="1")
    with pytest.raises(UpstreamUnavailable, match="not known yet"):
        translate("order", facts=MemoryFacts(None, ()), is_buy=True, sz="1", limit_px="94000")


def test_limit_order_has_the_callers_price() -> None:
    action = translate(
        "order",
        coin="ETHUSDT",
        is_buy=True,
        sz="0.50",
        limit_px="1800.0",
        order_type={"limit": {"tif": "Alo"}},
        cloid="0x" + "A" * 32,
    )
    (item,) = action.orders
    assert (1, "1800", "0.5", "Alo", "0x" + "a" * 32) == (
        item.a,
        item.p,
        item.s,
        item.t.limit.tif,
        item.c,
    )
    assert "na" == action.grouping


def test_order_without_a_client_id_gets_that_of_its_request() -> None:
    (item,) = translate("order", is_buy=True, sz="1", limit_px="94000").orders
    assert cloid_of("alice", "k1", 0) == item.c
    assert len({cloid_of("alice", "k1", 1), cloid_of("bob", "k1", 0), item.c}) == 3


def test_protected_entry_is_one_group() -> None:
    """Target before stop, both at market; their limits are 10 % beyond the trigger."""
    action = translate(
        "order",
        is_buy=True,
        sz="0.01",
        limit_px="90000",
        stop_loss={"price": "85000"},
        take_profit={"price": "99000"},
    )
    entry, target, stop = action.orders
    assert "normalTpsl" == action.grouping
    assert [True, False, False] == [entry.b, target.b, stop.b]
    assert [False, True, True] == [entry.r, target.r, stop.r]
    assert [("tp", "99000", "89100", True), ("sl", "85000", "76500", True)] == [
        (leg.t.trigger.tpsl, leg.t.trigger.triggerPx, leg.p, leg.t.trigger.isMarket)
        for leg in (target, stop)
    ]
    assert [cloid_of("alice", "k1", place) for place in (1, 2)] == [target.c, stop.c]


def test_stop_of_a_short_is_bought_above() -> None:
    action = translate(
        "order", is_buy=False, sz="0.01", limit_px="90000", stop_loss={"price": "95000"}
    )
    assert ("104500", True) == (action.orders[1].p, action.orders[1].b)


def test_trigger_order_at_market_has_a_limit_beyond_its_trigger() -> None:
    trigger = {"isMarket": True, "triggerPx": "90000", "tpsl": "sl"}
    (item,) = translate("order", is_buy=False, sz="1", order_type={"trigger": trigger}).orders
    assert ("81000", "90000") == (item.p, item.t.trigger.triggerPx)
    (item,) = translate(
        "order", is_buy=False, sz="1", limit_px="89000", order_type={"trigger": trigger}
    ).orders
    assert "89000" == item.p


def test_trigger_order_with_a_limit_needs_one() -> None:
    trigger = {"isMarket": False, "triggerPx": "90000", "tpsl": "sl"}
    reply = refused("order", is_buy=False, sz="1", order_type={"trigger": trigger})
    assert [{"error": "Order has invalid price."}] == reply["response"]["data"]["statuses"]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"sz": "0"}, "Order has zero size."),
        ({"sz": "0.000001"}, "Order has invalid size."),
        ({"sz": "-1"}, "Order has invalid size."),
        ({"limit_px": "94000.05"}, "Order has invalid price."),
        ({"limit_px": "-1"}, "Order has invalid price."),
        ({"limit_px": "94000.0000001"}, "Order has invalid price."),
        (
            {"limit_px": "1e17"},
            "Order price cannot be more than 80% away from the reference price",
        ),
        ({"stop_loss": {"price": "0"}}, "Order has invalid price."),
    ],
)
def test_wrong_form_is_refused_in_the_venues_words(fields: dict[str, Any], text: str) -> None:
    order: dict[str, Any] = {"is_buy": True, "sz": "0.01", "limit_px": "94000"}
    expected = {"type": "order", "data": {"statuses": [{"error": text}]}}
    assert {"status": "ok", "response": expected} == refused("order", **order | fields)


def test_coin_that_is_not_listed_is_refused() -> None:
    reply = refused("leverage", coin="WHAT", leverage=3)
    assert {"status": "err", "response": "Unknown coin 'WHAT'."} == reply


def test_cancels() -> None:
    by_oid = translate("cancel", oid=7)
    assert wire.Cancel(cancels=[wire.CancelItem(a=0, o=7)]) == by_oid
    body = {"type": "cancel", "coin": "BTC", "cloid": "0x" + "A" * 32}
    action = _action.decode(msgspec.json.encode(body))
    found = Translator(MemoryFacts(known_facts())).translate(ALICE, "k1", action)
    expected = [wire.CancelCloidItem(asset=0, cloid="0x" + "a" * 32)]
    assert wire.CancelByCloid(cancels=expected) == found
    reply = refused("cancel", oid=1 << 53)
    text = "Order was never placed, already canceled, or filled. asset=0"
    assert [{"error": text}] == reply["response"]["data"]["statuses"]


def test_modification_keeps_the_client_id() -> None:
    change: dict[str, Any] = {"oid": 7, "is_buy": True, "sz": "0.01", "limit_px": "93000"}
    known = translate("modify", old="0x" + "b" * 32, **change)
    unknown = translate("modify", **change)
    assert ("0x" + "b" * 32, 7) == (known.modifies[0].order.c, known.modifies[0].oid)
    assert cloid_of("alice", "k1", 0) == unknown.modifies[0].order.c
    assert {"status": "err", "response": "Cannot modify canceled or filled order"} == refused(
        "modify", **change | {"oid": 0}
    )


def test_leverage_and_margin() -> None:
    assert wire.UpdateLeverage(asset=0, isCross=False, leverage=3) == translate(
        "leverage", leverage=3, is_cross=False
    )
    assert -1_500_000 == translate("isolated-margin", margin="-1.5").ntli
    assert "margin: " in refused("isolated-margin", margin="0.0000001")["response"]


def test_constant_of_market_orders() -> None:
    """A default that others rely on: the gate's collar, the documentation."""
    assert Decimal("0.05") == Decimal(MARKET_SLIPPAGE) / RATE_ONE
    assert universe()[0].coin == "BTC"
