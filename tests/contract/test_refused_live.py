"""What the live proxy refuses by design, each signed rightly, for mainnet, by the master itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hyperliquid.utils import signing  # noqa: TID253 - signs as a person's wallet does
from tests.support.live_refusals import NATIVE_ACTIONS, USER_ACTIONS
from tests.support.live_stack import LiveStack, LiveTrader, fetch, nonce, running_stack

from hyperliquid_exchange.domain.actions import ALLOWED

pytestmark = [pytest.mark.process]
STRANGER = "0x" + "1" * 40


@pytest.fixture(scope="module", params=["forward", "resign"])
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveStack]:
    folder: Path = tmp_path_factory.mktemp("refused")
    with running_stack(folder, LiveTrader("alice", native=request.param)) as running:
        yield running


def asked(stack: LiveStack, action: dict[str, Any], stamp: int, signature: Any) -> str:
    body = {"action": action, "nonce": stamp, "signature": signature}
    status, text = fetch(f"{stack.url}/exchange", body, stack.headers("alice"))
    assert status == 200, text
    return text


@pytest.mark.parametrize("name", NATIVE_ACTIONS)
def test_action_beyond_the_list_never_leaves(stack: LiveStack, name: str) -> None:
    """Whoever signed it; and the venue has seen nothing."""
    alice = stack.traders["alice"]
    before = stack.venue.info("userRateLimit", user=alice.address)
    action, stamp = {"type": name, **NATIVE_ACTIONS[name][0]}, nonce()
    signature = signing.sign_l1_action(alice.master, action, None, stamp, None, True)
    text = asked(stack, action, stamp, signature)
    assert f"{name} never leaves from here" in text
    assert before == stack.venue.info("userRateLimit", user=alice.address)
    assert name not in ALLOWED


@pytest.mark.parametrize("name", USER_ACTIONS)
def test_nothing_that_a_wallet_signs_is_sent_on(stack: LiveStack, name: str) -> None:
    """Money and rights stay where they are."""
    alice = stack.traders["alice"]
    stamp = nonce()
    action = {
        "type": name,
        "hyperliquidChain": "Mainnet",
        "signatureChainId": "0x66eee",
        "destination": STRANGER,
        "amount": "1",
        "time": stamp,
        "nonce": stamp,
    }
    signature = signing.sign_l1_action(alice.master, action, None, stamp, None, True)
    assert f"{name} never leaves from here" in asked(stack, action, stamp, signature)
    value = stack.venue.info("clearinghouseState", user=alice.address)
    assert "100000.0" == value["marginSummary"]["accountValue"]


def test_every_door_wants_a_token(stack: LiveStack) -> None:
    """The operator's faucet and transfers of a simulator are not there at all."""
    for path in ("/exchange", "/info", "/exchange/order", "/safety/kill"):
        assert 401 == fetch(f"{stack.url}{path}", {})[0]
    for path in ("/faucet", "/transfers", "/worlds", "/clock/advance"):
        assert fetch(f"{stack.url}{path}", {}, stack.headers("operator"))[0] in {404, 405}
