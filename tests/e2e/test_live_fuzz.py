"""Ten thousand spoilt bodies at the live proxy: no error of ours, and nothing leaves untold."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hyperliquid.utils.signing import sign_l1_action  # noqa: TID253 - a client signs with it
from tests.support.live_stack import LiveStack, LiveTrader, nonce, running_stack
from tests.support.live_target import await_accounts
from tests.support.mutations import mutated

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(600)]

SPOILT = 10_000
LIMIT = {"limit": {"tif": "Gtc"}}
ORDER = {"a": 0, "b": True, "p": "50000", "s": "0.01", "r": False, "t": LIMIT}
CLOID = "0x" + "ab" * 16
NATIVE: tuple[dict[str, Any], ...] = (
    {"type": "order", "orders": [ORDER], "grouping": "na"},
    {"type": "order", "orders": [ORDER | {"c": CLOID}], "grouping": "na"},
    {"type": "cancel", "cancels": [{"a": 0, "o": 77}]},
    {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": CLOID}]},
    {"type": "modify", "oid": 77, "order": ORDER},
    {"type": "batchModify", "modifies": [{"oid": CLOID, "order": ORDER}]},
    {"type": "updateLeverage", "asset": 1, "isCross": True, "leverage": 5},
    {"type": "updateIsolatedMargin", "asset": 1, "isBuy": True, "ntli": 5_000_000},
    {"type": "withdraw3", "destination": "0x" + "1" * 40, "amount": "5"},
    {"type": "noop"},
)
SIMPLE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("order", {"coin": "BTC", "is_buy": True, "sz": "0.01", "limit_px": "50000"}),
    ("order", {"coin": "ETH", "is_buy": False, "sz": "1", "reduce_only": True}),
    ("cancel", {"coin": "BTC", "oid": 77}),
    ("modify", {"oid": 77, "coin": "BTC", "is_buy": True, "sz": "0.01", "limit_px": "50000"}),
    ("leverage", {"coin": "ETH", "leverage": 3, "is_cross": True}),
    ("isolated-margin", {"coin": "ETH", "margin": "5"}),
    ("noop", {"idempotency_key": "one"}),
)
READS = ("clearinghouseState", "openOrders", "userFills", "meta", "l2Book", "orderStatus")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[LiveStack]:
    with running_stack(tmp_path, LiveTrader("alice")) as found:
        await_accounts(found)
        yield found


def bodies(stack: LiveStack) -> list[tuple[str, bytes]]:
    """One of each kind that a client sends, with the path that it is sent to."""
    wallet = stack.traders["alice"].master
    found = []
    for action in NATIVE:
        stamp = nonce()
        signature = sign_l1_action(wallet, action, None, stamp, None, True)
        body = {"action": action, "nonce": stamp, "signature": signature}
        found.append(("/exchange", json.dumps(body).encode()))
    found += [(f"/exchange/{name}", json.dumps(body).encode()) for name, body in SIMPLE]
    asked = [{"type": kind, "coin": "BTC", "oid": 77} for kind in READS]
    return found + [("/info", json.dumps(body).encode()) for body in asked]


def oids_told(reply: httpx.Response) -> set[int]:
    """Ids of orders that an answer says there are."""
    if reply.status_code != 200:
        return set()
    told = reply.json()
    data = told.get("response", {}) if isinstance(told, dict) else {}
    rows = data.get("data", {}).get("statuses", []) if isinstance(data, dict) else []
    states = [row.get("resting") or row.get("filled") for row in rows if isinstance(row, dict)]
    return {state["oid"] for state in states if state}


def test_spoilt_bodies_are_refused_and_nothing_leaves_untold(stack: LiveStack) -> None:
    """Bits flipped, tokens swapped, keys dropped, doubled and reordered, nested without end."""
    chance, chosen = random.Random(20261124), bodies(stack)
    statuses: Counter[int] = Counter()
    told: set[int] = set()
    headers = {**stack.headers("alice"), "content-type": "application/json"}
    with httpx.Client(base_url=stack.url, headers=headers, timeout=30) as client:
        for _ in range(SPOILT):
            path, body = chance.choice(chosen)
            spoilt = mutated(body, chance)
            reply = client.post(path, content=spoilt)
            statuses[reply.status_code] += 1
            assert reply.status_code < 500, (path, spoilt[:1000], reply.text[:300])
            assert "Traceback" not in reply.text
            told |= oids_told(reply)
        levels = client.get("/safety", headers=stack.headers("operator")).json()["levels"]
        assert client.get("/health").status_code == 200
    print(dict(statuses), len(told))
    assert {200, 400, 422} <= set(statuses)
    assert {"alice": "LIVE"} == levels
    user = stack.traders["alice"].address  # of a refused order no id is told
    rows = stack.venue.info("historicalOrders", user=user)
    there = {row["order"]["oid"] for row in rows if "ejected" not in row["status"]}
    there |= {row["oid"] for row in stack.venue.info("openOrders", user=user)}
    assert there <= told, "the venue has an order that nobody was told of"
