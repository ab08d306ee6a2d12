"""Nine of the actions may leave; what they may do to an account is told by their form."""

from typing import Any, get_args

import msgspec
import pytest

from hyperliquid_exchange.domain.actions import (
    ALLOWED,
    assets_of,
    forbidden,
    is_allowed,
    legs_of,
    may_add_risk,
    name_of,
)
from suite.contracts.hyperliquid_exchange import L1Action, decode_action

LIMIT = {"limit": {"tif": "Gtc"}}
STOP = {"trigger": {"isMarket": True, "triggerPx": "90", "tpsl": "sl"}}


def item(asset: int = 0, *, reduce_only: bool = False, **more: Any) -> dict[str, Any]:
    order = {"a": asset, "b": True, "p": "100", "s": "1", "r": reduce_only, "t": LIMIT}
    return order | more


def action(kind: str, **fields: Any) -> L1Action:
    return decode_action(msgspec.Raw(msgspec.json.encode({"type": kind, **fields})))


ROWS: list[tuple[str, dict[str, Any], bool, tuple[int, ...]]] = [
    ("order", {"orders": [item(3)], "grouping": "na"}, True, (3,)),
    ("order", {"orders": [item(3, reduce_only=True)], "grouping": "na"}, False, (3,)),
    (
        "order",
        {"orders": [item(1, reduce_only=True), item(2), item(1)], "grouping": "na"},
        True,
        (1, 2),
    ),
    ("cancel", {"cancels": [{"a": 4, "o": 5}]}, False, (4,)),
    ("cancelByCloid", {"cancels": [{"asset": 4, "cloid": "0x" + "A" * 32}]}, False, (4,)),
    ("modify", {"oid": 5, "order": item(2)}, True, (2,)),
    ("modify", {"oid": 5, "order": item(2, reduce_only=True)}, False, (2,)),
    ("batchModify", {"modifies": [{"oid": 5, "order": item(2)}]}, True, (2,)),
    ("updateLeverage", {"asset": 1, "isCross": True, "leverage": 2}, True, (1,)),
    ("updateIsolatedMargin", {"asset": 1, "isBuy": True, "ntli": 5}, False, (1,)),
    ("updateIsolatedMargin", {"asset": 1, "isBuy": True, "ntli": -5}, True, (1,)),
    ("updateIsolatedMargin", {"asset": 1, "isBuy": True, "ntli": 0}, True, (1,)),
    ("scheduleCancel", {"time": 5}, True, ()),
    ("scheduleCancel", {}, False, ()),
    ("noop", {}, False, ()),
]


@pytest.mark.parametrize(("kind", "fields", "adds", "assets"), ROWS)
def test_meaning_of_what_may_leave(
    kind: str, fields: dict[str, Any], adds: bool, assets: tuple[int, ...]
) -> None:
    value = action(kind, **fields)
    assert is_allowed(value)
    assert forbidden(value) is None
    assert (adds, assets) == (may_add_risk(value), assets_of(value))


def test_every_name_of_the_list_is_tried_above() -> None:
    assert {row[0] for row in ROWS} == ALLOWED


def test_nothing_else_may_leave() -> None:
    """Whatever the venue learns to do: a new action is refused until it is put on the list."""
    names = {str(kind.__struct_config__.tag) for kind in get_args(L1Action)}
    others = names - ALLOWED
    assert len(others) == len(names) - 9
    assert {"vaultTransfer", "subAccountTransfer", "twapOrder"} <= others
    transfer = action("vaultTransfer", vaultAddress="0x" + "1" * 40, isDeposit=False, usd=1)
    assert not is_allowed(transfer)
    assert "vaultTransfer is never sent" in str(forbidden(transfer))


@pytest.mark.parametrize(
    "more",
    [{"builder": {"b": "0x" + "1" * 40, "f": 1}}, {"grouping": {"p": 1}}],
)
def test_order_that_pays_somebody_is_refused(more: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"orders": [item()], "grouping": "na"}
    assert "is never sent" in str(forbidden(action("order", **fields | more)))


def test_builder_that_takes_nothing_is_none() -> None:
    free = {"b": "0x" + "1" * 40, "f": 0}
    assert forbidden(action("order", orders=[item()], grouping="na", builder=free)) is None


def test_legs_of_a_group() -> None:
    """The first is the entry; the others wait for it."""
    stop = item(reduce_only=True, t=STOP, c="0x" + "B" * 32)
    value = action("order", orders=[item(), stop], grouping="normalTpsl")
    assert is_allowed(value)
    entry, child = legs_of(value)
    assert (False, "Gtc", None) == (entry.is_child, entry.tif, entry.trigger)
    assert (True, None, "sl", "90", True) == (
        child.is_child,
        child.tif,
        child.trigger,
        child.trigger_price,
        child.trigger_is_market,
    )
    assert child.cloid == "0x" + "b" * 32


def test_leg_of_a_modification_names_what_it_replaces() -> None:
    value = action("batchModify", modifies=[{"oid": "0x" + "C" * 32, "order": item()}])
    assert is_allowed(value)
    assert ["0x" + "c" * 32] == [leg.replaces for leg in legs_of(value)]
    assert name_of(value) == "batchModify"


@pytest.mark.parametrize(
    ("tif", "takes"), [("Gtc", False), ("Ioc", True), ("FrontendMarket", True)]
)
def test_what_takes(tif: str, takes: bool) -> None:
    value = action("order", orders=[item(t={"limit": {"tif": tif}})], grouping="na")
    assert is_allowed(value)
    assert takes is legs_of(value)[0].takes
