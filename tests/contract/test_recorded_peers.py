"""What nautilus_trader and hummingbot sent to a served venue, sent again with a key of our own.

The requests are recordings (`recorded/`), not the bots: for those see `test_peers.py`. Signatures,
times and prices are made anew, since they cannot be used twice; all else is as recorded. Every
answer must have its golden shape, which holds every field that the bots read.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hyperliquid.utils.signing import get_timestamp_ms, sign_l1_action  # noqa: TID253
from tests.support.sdk import Sdk, set_up
from tests.support.shapes import Golden
from tests.support.venue_process import LIMIT_S, VenueUnderTest
from websockets.sync.client import ClientConnection, connect

pytestmark = [pytest.mark.process]

HERE = Path(__file__).parent
GOLDEN = Golden(HERE / "golden")
CHANNEL = {"user": "user", "userEvents": "user"}
CLOID = 0xABCDEF << 64


class Replay:
    """One recording, with what stands for its times, prices and ids."""

    def __init__(self, sdk: Sdk, socket: ClientConnection) -> None:
        self.sdk, self.socket = sdk, socket
        self.mid = sdk.target.mid("ETH")
        self.now = int(sdk.target.info("l2Book", coin="ETH")["time"])
        self.oid = 0
        self.posts = 0
        self.heard: list[tuple[str, Any]] = []

    def filled_in(self, value: Any) -> Any:
        """Put our own values where the recording has names of them."""
        if isinstance(value, dict):
            return {key: self.filled_in(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.filled_in(item) for item in value]
        if not isinstance(value, str):
            return value
        if value.endswith("%"):
            return f"{self.mid * float(value[:-1]) / 100:.4g}"
        name, _, more = value.partition("+")
        if name == "$cloid":
            return f"0x{CLOID + int(more or 0):032x}"
        if value.startswith("$now"):
            return self.now + int(value.removeprefix("$now") or 0)
        known = {"$user": self.sdk.address, "$oid": self.oid}
        return known.get(value, value)

    def take(self, step: dict[str, Any]) -> list[str]:
        """Do one step; return where its answer is not as it should be."""
        if "info" in step:
            body = self.filled_in(step["info"])
            return GOLDEN.problems("info", body["type"], self.sdk.target.post("/info", body))
        if "subscribe" in step:
            return self.subscribe(self.filled_in(step["subscribe"]))
        return self.act(self.filled_in(step["action"]), over=step["over"], answer=step["answer"])

    def subscribe(self, subscription: dict[str, Any]) -> list[str]:
        self.socket.send(json.dumps({"method": "subscribe", "subscription": subscription}))
        confirmed = self.hear("subscriptionResponse")
        return GOLDEN.problems("ws", "subscriptionResponse", confirmed)

    def hear(self, channel: str) -> Any:
        """Wait for a channel, and keep what else is said meanwhile."""
        while True:
            message = json.loads(self.socket.recv(timeout=LIMIT_S))
            if message["channel"] == channel:
                return message["data"]
            self.heard.append((message["channel"], message["data"]))

    def act(self, action: dict[str, Any], *, over: str, answer: str) -> list[str]:
        nonce = get_timestamp_ms()
        signature = sign_l1_action(self.sdk.wallet, action, None, nonce, None, is_mainnet=True)
        body = {"action": action, "nonce": nonce, "signature": signature}
        if over == "ws":
            self.posts += 1
            request = {"type": "action", "payload": body}
            frame = {"method": "post", "id": self.posts, "request": request}
            self.socket.send(json.dumps(frame))
            reply = self.hear("post")["response"]["payload"]
        else:
            reply = self.sdk.target.post("/exchange", body)
        status = reply["response"].get("data", {}).get("statuses", [reply["response"]["type"]])[0]
        kind = status if isinstance(status, str) else next(iter(status))
        if kind in {"resting", "filled"}:
            self.oid = status[kind]["oid"]
        problems = GOLDEN.problems(
            "exchange", "default" if kind == "default" else action["type"], reply
        )
        return problems + ([] if kind == answer else [f"{action}: {kind}, not {answer}"])


@pytest.mark.step("its recorded requests, answer by answer")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("nautilus", marks=pytest.mark.client("nautilus")),
        pytest.param("hummingbot", marks=pytest.mark.client("hummingbot")),
    ],
)
def test_recorded_requests_are_answered(target: VenueUnderTest, name: str) -> None:
    """In their order, over the way they took; and what was subscribed to is told meanwhile."""
    steps = json.loads((HERE / "recorded" / f"{name}.json").read_text())["steps"]
    sdk = set_up(target)
    sdk.exchange.market_open("SOL", True, 1.0)
    sdk.rest("BTC", sz=0.001)
    with connect(target.ws_url, max_size=None) as socket:
        replay = Replay(sdk, socket)
        wanted = {
            CHANNEL.get(kind, kind)
            for kind in (s["subscribe"]["type"] for s in steps if "subscribe" in s)
        }
        for step in steps:
            if step.get("info", {}).get("type") == "userFunding":
                continue  # it has none of this account yet
            assert [] == replay.take(step), step
        while wanted - {channel for channel, _ in replay.heard}:
            message = json.loads(socket.recv(timeout=LIMIT_S))
            replay.heard.append((message["channel"], message["data"]))
    for channel, data in replay.heard:
        assert [] == GOLDEN.problems("ws", channel, data)
    assert sdk.position("ETH") is None
