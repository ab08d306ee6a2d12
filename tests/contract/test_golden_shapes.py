"""Every answer of `/info`, `/ws` and `/exchange` has the names and types of its golden file."""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from tests.support.busy_user import BUILDER, CLOID, act, busy_user
from tests.support.sdk import Sdk, behind, set_up
from tests.support.shapes import Golden, problems
from tests.support.venue_process import VenueUnderTest, eventually
from tests.support.wallets import item, order
from tests.support.worlds import open_memory_world, random_source
from websockets.sync.client import connect

from hyperliquid_exchange.domain.actions import ALLOWED
from suite.contracts.hyperliquid_ws import SUBSCRIPTIONS, UserEventsAlias
from virtual_exchange.application.session import Session

pytestmark = [pytest.mark.process]

GOLDEN = Golden(Path(__file__).parent / "golden")
FIELDS: dict[str, dict[str, Any]] = {
    "activeAssetData": {"coin": "ETH"},
    "candleSnapshot": {
        "req": {"coin": "ETH", "interval": "1m", "startTime": 0, "endTime": 1 << 42}
    },
    "fundingHistory": {"coin": "ETH", "startTime": 0},
    "l2Book": {"coin": "ETH", "nSigFigs": 5},
    "marginTable": {"id": 50},
    "maxBuilderFee": {"builder": BUILDER},
    "orderStatus": {"oid": CLOID.to_raw()},
    "recentTrades": {"coin": "ETH"},
    "tokenDetails": {"tokenId": "0xc1fb593aeffbeb02f85e0308e9956a90"},
    "userFillsByTime": {"startTime": 0},
    "userTwapSliceFillsByTime": {"startTime": 0},
    "vaultDetails": {"vaultAddress": "0x" + "1" * 40},
}
CHANNELS = {
    str(subscription.__struct_config__.tag): subscription.__struct_fields__
    for subscription in SUBSCRIPTIONS
    if subscription is not UserEventsAlias
}
TOLD_BY = {"userEvents": "user"}
SILENT = {"notification"}
"""Channels that nothing is ever said on here."""


@contextmanager
def listening(
    target: VenueUnderTest, said: dict[str, list[Any]], wallet: LocalAccount
) -> Iterator[Callable[..., None]]:
    """Subscribe to everything, and note all that is said; yield what sends a frame."""
    values = {"user": wallet.address, "coin": "ETH", "interval": "1m"}
    headers = target.headers(wallet)
    with connect(target.ws_url, max_size=None, additional_headers=headers) as socket:

        def send(**frame: Any) -> None:
            socket.send(json.dumps(frame))

        def listen() -> None:
            for text in socket:
                message = json.loads(text)
                said[message["channel"]].append(message.get("data"))

        thread = threading.Thread(target=listen)
        thread.start()
        for kind, fields in CHANNELS.items():
            chosen = {name: values[name] for name in fields if name in values}
            send(method="subscribe", subscription={"type": kind, **chosen})
        for _ in range(2):  # the second is refused
            send(method="subscribe", subscription={"type": "activeAssetCtx", "coin": "@1"})
        yield send
    thread.join()


@pytest.fixture(scope="module")
def told(target: VenueUnderTest) -> tuple[Sdk, dict[str, list[Any]]]:
    """A user who has done everything, and what the WebSocket said of it meanwhile."""
    wallet = target.wallet()
    said: dict[str, list[Any]] = defaultdict(list)
    with listening(target, said, wallet) as send:
        busy_user(behind(target), wallet)
        sdk = set_up(target, wallet)
        send(method="ping")
        payload = {"type": "userRole", "user": sdk.address}
        send(method="post", id=1, request={"type": "info", "payload": payload})
        eventually(lambda: set(said), lambda found: found >= GOLDEN.names("ws") - SILENT)
    first = len(said["webData2"])
    with listening(target, said, wallet):  # snapshots of a busy account
        eventually(lambda: len(said["webData2"]), lambda count: count > first)
    return sdk, said


def test_every_type_and_channel_has_a_golden_file() -> None:
    """And every file has something that is checked with it."""
    session: Session = open_memory_world(random_source("BTC"))
    assert set(session.queries._reads) == GOLDEN.names("info")
    more = {"activeSpotAssetCtx", "error", "pong", "post", "subscriptionResponse"}
    assert {TOLD_BY.get(kind, kind) for kind in CHANNELS} | more == GOLDEN.names("ws")


@pytest.mark.client("raw HTTP")
@pytest.mark.step("every answer has its golden shape")
@pytest.mark.parametrize("kind", sorted(GOLDEN.names("info")))
def test_info_has_its_shape(told: Any, kind: str) -> None:
    """Of a busy account; and of one that nobody knows, where there are lists empty."""
    sdk, _ = told
    answer = sdk.target.info(kind, user=sdk.address, **FIELDS.get(kind, {}))
    assert [] == GOLDEN.problems("info", kind, answer)


@pytest.mark.client("raw WebSocket")
@pytest.mark.step("every answer has its golden shape")
@pytest.mark.parametrize("channel", sorted(GOLDEN.names("ws") - SILENT))
def test_channel_has_its_shape(told: Any, channel: str) -> None:
    """Every message of a busy account's life."""
    _, said = told
    assert said[channel]
    found = [problem for data in said[channel] for problem in GOLDEN.problems("ws", channel, data)]
    assert [] == found[:3]


@pytest.mark.client("raw HTTP")
@pytest.mark.step("every answer has its golden shape")
def test_actions_have_their_shapes(target: VenueUnderTest) -> None:
    """Accepted, refused as a whole, refused one by one."""
    sdk = set_up(target)
    price = f"{sdk.price('ETH', 0.8):g}"
    resting = item(1, px=price, sz="0.02", cloid="0x" + "7" * 32)
    named = {"asset": 1, "cloid": "0x" + "7" * 32}
    twap = {"a": 1, "b": True, "s": "1", "r": False, "m": 10, "t": False}
    oid = 1
    done: list[tuple[str, dict[str, Any]]] = [
        ("order", order(resting, item(1, px=price, sz="0"), item(1, px=price, sz="0.00001"))),
        ("order", order(resting)),
        (
            "batchModify",
            {"type": "batchModify", "modifies": [{"oid": named["cloid"], "order": resting}]},
        ),
        ("modify", {"type": "modify", "oid": named["cloid"], "order": resting}),
        ("modify", {"type": "modify", "oid": oid, "order": resting}),
        ("cancelByCloid", {"type": "cancelByCloid", "cancels": [named, named]}),
        ("cancel", {"type": "cancel", "cancels": [{"a": 1, "o": oid}]}),
        (
            "order",
            order(
                item(1, px=f"{sdk.price('ETH', 1.05):g}", sz="0.02", kind={"limit": {"tif": "Ioc"}})
            ),
        ),
        ("twapOrder", {"type": "twapOrder", "twap": twap}),
        ("twapCancel", {"type": "twapCancel", "a": 1, "t": 1}),
        ("twapCancel", {"type": "twapCancel", "a": 1, "t": 99}),
        ("createSubAccount", {"type": "createSubAccount", "name": "shape"}),
        ("default", {"type": "updateLeverage", "asset": 1, "isCross": True, "leverage": 3}),
        ("default", {"type": "noop"}),
        ("refused", {"type": "updateLeverage", "asset": 1, "isCross": True, "leverage": 3000}),
        ("refused", {"type": "claimRewards"}),
    ]
    assert GOLDEN.names("exchange") == {shape for shape, _ in done}
    if target.name == "hyperliquid-exchange":
        done = [
            (shape if action["type"] in ALLOWED else "refused", action) for shape, action in done
        ]
    found = [GOLDEN.problems("exchange", shape, act(sdk, action)) for shape, action in done]
    assert [[]] * len(done) == found


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        ("decimal", "1"),
        ("decimal", "1.10"),
        ("decimal", "1e5"),
        ("decimal", 1.5),
        ("address", "0x" + "A" * 40),
        ("int", True),
        ({"a": "int"}, {}),
        ({"a": "int"}, {"a": 1, "b": 2}),
        (["int"], []),
        ({"row": ["int", "int"]}, [1]),
        ({"any": ["int", "null"]}, "1.0"),
        ("=Gtc|null", "gtc"),
    ],
)
def test_wrong_types_are_found(shape: Any, value: Any) -> None:
    """A golden file that nothing could contradict would be of no use."""
    assert 1 == len(list(problems(shape, value, {})))
