"""Signatures: the official client's, for one network, of the listed actions alone."""

from typing import Any

import msgspec
import pytest
from eth_account import Account
from hyperliquid.utils import signing as sdk  # noqa: TID253 - it is what this is held against
from hypothesis import given
from hypothesis import strategies as st

from hyperliquid_exchange.adapters.keystore import AgentKey
from hyperliquid_exchange.adapters.signing import AgentSigner
from hyperliquid_exchange.domain.accounts import LiveAccount, Network, TraderLimits
from hyperliquid_exchange.domain.actions import ALLOWED
from suite.checks import InvariantViolated
from suite.contracts import hyperliquid_exchange as wire
from suite.contracts.hyperliquid_signing import l1_digest, recover
from suite.errors import Forbidden, NotOwner
from suite.fixed import Rate, Usd
from suite.ids import TraderId

ANNA = TraderId("anna")
KEY = AgentKey(bytes.fromhex("11" * 32))
WALLET = Account.from_key("0x" + "11" * 32)
MASTER = "0x" + "22" * 20
VAULT = "0x" + "33" * 20
NONCE = 1_700_000_000_123
LIMITS = TraderLimits(
    max_order_usd=Usd(1),
    max_position_usd=Usd(1),
    max_account_usd=Usd(1),
    max_leverage=1,
    max_open_orders=1,
    max_orders_per_s=1,
    max_orders_per_minute=1,
    max_day_loss_usd=Usd(1),
    max_drawdown_usd=Usd(1),
    max_executions=1,
    price_collar=Rate(1),
    duplicate_s=1.0,
    facts_age_s=1.0,
)
VECTOR: dict[str, Any] = {
    "type": "order",
    "orders": [
        {
            "a": 1,
            "b": True,
            "p": "2950.5",
            "s": "0.25",
            "r": False,
            "t": {"limit": {"tif": "Gtc"}},
            "c": "0x000000000000000000000000000000ab",
        }
    ],
    "grouping": "na",
}


class Owner:
    """Says who owns a signer; counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_lost = False

    def check(self, signer: str) -> None:
        self.asked.append(signer)
        if self.is_lost:
            raise NotOwner(f"{signer} is another's")


def account(address: str, master: str) -> LiveAccount:
    return LiveAccount(
        trader_id=ANNA,
        address=address,
        master=master,
        signer=KEY.address,
        native="forward",
        client_signers=(),
        symbols=("BTC",),
        limits=LIMITS,
    )


def signer(
    *, network: Network = "testnet", vault: str | None = None, owner: Owner | None = None
) -> AgentSigner:
    return AgentSigner(
        {ANNA: account(vault or MASTER, MASTER)},
        {KEY.address: KEY},
        network=network,
        ownership=owner or Owner(),
    )


def read(action: dict[str, Any]) -> wire.L1Action:
    return wire.decode_action(msgspec.Raw(msgspec.json.encode(action)))


@pytest.mark.parametrize(
    ("network", "vault", "expires", "r", "s", "v"),
    [
        (
            "mainnet",
            None,
            None,
            "0x1333fcf3fa1303f350e51b068966e76e8b23d65b75f0e9c31222f7ed7bbf070",
            "0x162f95a3a6a6b62c0d6e591238db72a2f776dae36a5f36087db916defab8d4ad",
            27,
        ),
        (
            "testnet",
            None,
            None,
            "0x7e6977f33608c31b140b7db7f416e727c107758b1e278d45dc622d52ff88ced5",
            "0x7f5b7dfab6cd1f007891375a7db10327d13ce72c7fbb96a9a3edc050391af8aa",
            27,
        ),
        (
            "testnet",
            "0x" + "22" * 20,
            None,
            "0xbb622e3f1996006553ba613290dc8684b4de6290736b994525656384823819ca",
            "0x70aea9123a8cf075264e2617245dc6f04b935dd5cb70a8ce12f5d3fb6d28157a",
            28,
        ),
        (
            "testnet",
            None,
            1_700_000_060_000,
            "0x74d1c56e0544ed8433111f957047a51c846facfc6e07785f210c3742f21bfdb8",
            "0x3c04fd65b0fba2d780cbdf5d9a9d9303f9a19d235b0799ad65c079fde0d3a851",
            28,
        ),
    ],
)
def test_known_answers(
    network: Network, vault: str | None, expires: int | None, r: str, s: str, v: int
) -> None:
    """Those of the wire reference, whole requests as the official client posts them."""
    master = "0x" + "44" * 20
    live = account(vault or master, master)
    own = AgentSigner({ANNA: live}, {KEY.address: KEY}, network=network, ownership=Owner())
    sent = msgspec.json.decode(own.sign(ANNA, read(VECTOR), nonce=NONCE, expires_ms=expires))
    assert sent == {
        "action": VECTOR,
        "nonce": NONCE,
        "signature": {"r": r, "s": s, "v": v},
        "vaultAddress": vault,
        "expiresAfter": expires,
    }


DECIMALS = st.decimals("0.00000001", "99999999", places=8).map(lambda n: f"{n:f}")
CLOIDS = st.none() | st.binary(min_size=16, max_size=16).map(lambda b: f"0x{b.hex()}")
KINDS = st.one_of(
    st.sampled_from(["Gtc", "Ioc", "Alo", "FrontendMarket"]).map(
        lambda tif: {"limit": {"tif": tif}}
    ),
    st.builds(
        lambda m, p, k: {"trigger": {"isMarket": m, "triggerPx": p, "tpsl": k}},
        st.booleans(),
        DECIMALS,
        st.sampled_from(["tp", "sl"]),
    ),
)
ASSETS = st.integers(0, 100_300_000)
OIDS = st.integers(0, 2**53)


@st.composite
def order_items(draw: st.DrawFn) -> dict[str, Any]:
    item = {
        "a": draw(ASSETS),
        "b": draw(st.booleans()),
        "p": draw(DECIMALS),
        "s": draw(DECIMALS),
        "r": draw(st.booleans()),
        "t": draw(KINDS),
    }
    return item if (cloid := draw(CLOIDS)) is None else {**item, "c": cloid}


ITEMS = order_items()
IDS = OIDS | st.binary(min_size=16, max_size=16).map(lambda b: f"0x{b.hex()}")
CHANGES = st.builds(lambda oid, item: {"oid": oid, "order": item}, IDS, ITEMS)
ACTIONS = st.one_of(
    st.builds(
        lambda items, grouping: {"type": "order", "orders": items, "grouping": grouping},
        st.lists(ITEMS, min_size=1, max_size=4),
        st.sampled_from(["na", "normalTpsl", "positionTpsl"]),
    ),
    st.builds(
        lambda pairs: {"type": "cancel", "cancels": [{"a": a, "o": o} for a, o in pairs]},
        st.lists(st.tuples(ASSETS, OIDS), min_size=1, max_size=4),
    ),
    st.builds(
        lambda a, c: {"type": "cancelByCloid", "cancels": [{"asset": a, "cloid": f"0x{c.hex()}"}]},
        ASSETS,
        st.binary(min_size=16, max_size=16),
    ),
    CHANGES.map(lambda change: {"type": "modify", **change}),
    st.lists(CHANGES, min_size=1, max_size=3).map(
        lambda changes: {"type": "batchModify", "modifies": changes}
    ),
    st.builds(
        lambda a, c, n: {"type": "updateLeverage", "asset": a, "isCross": c, "leverage": n},
        ASSETS,
        st.booleans(),
        st.integers(1, 50),
    ),
    st.builds(
        lambda a, b, n: {"type": "updateIsolatedMargin", "asset": a, "isBuy": b, "ntli": n},
        ASSETS,
        st.booleans(),
        st.integers(-(10**15), 10**15),
    ),
    st.none() | st.integers(0, 2**45),
).map(
    lambda action: (
        action
        if isinstance(action, dict)
        else {"type": "noop"}
        if action is None
        else {"type": "scheduleCancel", "time": action}
    )
)


@given(
    action=ACTIONS,
    nonce=st.integers(1, 2**63),
    expires=st.none() | st.integers(1, 2**45),
    vault=st.none() | st.binary(min_size=20, max_size=20).map(lambda b: f"0x{b.hex()}"),
    is_mainnet=st.booleans(),
)
def test_signature_is_the_official_clients_and_the_venues(
    action: dict[str, Any], nonce: int, expires: int | None, vault: str | None, *, is_mainnet: bool
) -> None:
    """The client signs the canonical action to the same bytes; over what the venue hashes it
    recovers to the agent for its own network, and to a stranger for the other.
    """
    network: Network = "mainnet" if is_mainnet else "testnet"
    own = signer(network=network, vault=vault)
    sent = msgspec.json.decode(own.sign(ANNA, read(action), nonce=nonce, expires_ms=expires))
    known = None if vault is None or vault == MASTER else vault
    canonical = msgspec.to_builtins(read(action))
    assert sent["action"] == canonical
    assert sent["vaultAddress"] == known
    expected = sdk.sign_l1_action(WALLET, canonical, known, nonce, expires, is_mainnet)
    assert expected == sent["signature"]
    r, s = (int(sent["signature"][name], 16) for name in ("r", "s"))
    hashed = wire.packed(wire.decode_action(msgspec.Raw(msgspec.json.encode(sent["action"]))))
    where = None if known is None else bytes.fromhex(known[2:])
    own_source, other = ("a", "b") if is_mainnet else ("b", "a")
    digest = l1_digest(hashed, nonce, own_source, vault=where, expires_after=expires)  # type: ignore[arg-type]
    assert recover(digest, r, s, sent["signature"]["v"]) == KEY.address
    stranger = l1_digest(hashed, nonce, other, vault=where, expires_after=expires)  # type: ignore[arg-type]
    assert recover(stranger, r, s, sent["signature"]["v"]) != KEY.address


REFUSED: dict[str, dict[str, Any]] = {
    "createSubAccount": {"name": "x"},
    "subAccountTransfer": {"subAccountUser": VAULT, "isDeposit": False, "usd": 1},
    "subAccountSpotTransfer": {
        "subAccountUser": VAULT,
        "isDeposit": False,
        "token": "USDC",
        "amount": "1",
    },
    "vaultTransfer": {"vaultAddress": VAULT, "isDeposit": True, "usd": 1},
    "twapOrder": {"twap": {"a": 0, "b": True, "s": "1", "r": False, "m": 5, "t": False}},
    "twapCancel": {"a": 0, "t": 1},
    "setReferrer": {"code": "x"},
    "reserveRequestWeight": {"weight": 1},
    "agentSetAbstraction": {"abstraction": "u"},
    "agentEnableDexAbstraction": {},
    "topUpIsolatedOnlyMargin": {"asset": 0, "leverage": "1"},
}


def test_every_action_of_the_wire_is_either_listed_or_refused() -> None:
    """A new one is refused until somebody decides."""
    known = {str(kind.__struct_config__.tag) for kind in wire.L1Action.__args__}
    assert known == ALLOWED | REFUSED.keys()


@pytest.mark.parametrize("name", REFUSED)
def test_nothing_else_is_signed(name: str) -> None:
    """Nobody is even asked for the key."""
    owner = Owner()
    with pytest.raises(Forbidden, match=f"{name} is no action that is signed here"):
        signer(owner=owner).sign(
            ANNA, read({"type": name, **REFUSED[name]}), nonce=NONCE, expires_ms=None
        )
    assert owner.asked == []


def test_ownership_is_asked_before_each_signature() -> None:
    owner = Owner()
    own = signer(owner=owner)
    own.sign(ANNA, read({"type": "noop"}), nonce=1, expires_ms=None)
    assert [KEY.address] == owner.asked
    owner.is_lost = True
    with pytest.raises(NotOwner):
        own.sign(ANNA, read({"type": "noop"}), nonce=2, expires_ms=None)


def test_trader_without_an_account_is_refused() -> None:
    with pytest.raises(Forbidden, match="no account of bert"):
        signer().sign(TraderId("bert"), read({"type": "noop"}), nonce=1, expires_ms=None)


def test_signature_of_a_stranger_never_leaves() -> None:
    """Whoever mixes up two keys ends the process, and no order."""
    other = AgentKey(bytes.fromhex("12" * 32))
    mixed = AgentSigner(
        {ANNA: account(MASTER, MASTER)},
        {KEY.address: other},
        network="testnet",
        ownership=Owner(),
    )
    with pytest.raises(InvariantViolated, match="not that of the agent"):
        mixed.sign(ANNA, read(VECTOR), nonce=NONCE, expires_ms=None)


def test_nothing_is_signed_where_the_official_client_signs_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A version of it with another digest is seen at the start, and not by a stranger's name."""
    official = sdk.sign_l1_action

    def other(*arguments: Any) -> Any:
        *same, is_mainnet = arguments
        return official(*same, not is_mainnet)

    monkeypatch.setattr(sdk, "sign_l1_action", other)
    with pytest.raises(InvariantViolated, match="signs otherwise"):
        signer()
