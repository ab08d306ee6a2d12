"""Hashes and recovery, against published vectors and the official client."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.wallets import Wallet, item, order

from suite.contracts.hyperliquid_exchange import Envelope, decode_action, packed, packed_as_sent
from suite.contracts.hyperliquid_signing import (
    USER_SIGNED,
    Source,
    connection_id,
    l1_digest,
    recover,
    user_digest,
)

SIGNER = "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a"
NONCE = 1700000000123
ACTION = order(item(1, "2950.5", "0.25", cloid="0x" + "0" * 30 + "ab"))
VAULT = bytes.fromhex("22" * 20)
VECTORS: list[tuple[bytes | None, int | None, str, Source, str, str, int]] = [
    (
        None,
        None,
        "4acf0a3daf42601108afbed6ffe8f610ffaff734eb864acf1f5ca329616d2b28",
        "a",
        "0x1333fcf3fa1303f350e51b068966e76e8b23d65b75f0e9c31222f7ed7bbf070",
        "0x162f95a3a6a6b62c0d6e591238db72a2f776dae36a5f36087db916defab8d4ad",
        27,
    ),
    (
        None,
        None,
        "4acf0a3daf42601108afbed6ffe8f610ffaff734eb864acf1f5ca329616d2b28",
        "b",
        "0x7e6977f33608c31b140b7db7f416e727c107758b1e278d45dc622d52ff88ced5",
        "0x7f5b7dfab6cd1f007891375a7db10327d13ce72c7fbb96a9a3edc050391af8aa",
        27,
    ),
    (
        VAULT,
        None,
        "0686162459bc104f5c41bd224a7cffa5a03a9b30d2b1072fbfa244e0e727ada2",
        "b",
        "0xbb622e3f1996006553ba613290dc8684b4de6290736b994525656384823819ca",
        "0x70aea9123a8cf075264e2617245dc6f04b935dd5cb70a8ce12f5d3fb6d28157a",
        28,
    ),
    (
        None,
        1700000060000,
        "228b48d80cb76afb4c316c7b3203e54d17766852d86da179445925448cd40110",
        "b",
        "0x74d1c56e0544ed8433111f957047a51c846facfc6e07785f210c3742f21bfdb8",
        "0x3c04fd65b0fba2d780cbdf5d9a9d9303f9a19d235b0799ad65c079fde0d3a851",
        28,
    ),
]


def raw(action: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(action))


def signer_of(digest: bytes, signature: dict[str, Any]) -> str | None:
    return recover(digest, int(signature["r"], 16), int(signature["s"], 16), signature["v"])


@pytest.mark.parametrize(("vault", "expires", "connection", "source", "r", "s", "v"), VECTORS)
def test_published_vectors_are_recovered(
    vault: bytes | None,
    expires: int | None,
    connection: str,
    source: Source,
    r: str,
    s: str,
    v: int,
) -> None:
    """The connection id is the published one, and the signature leads to its key."""
    body = packed(decode_action(raw(ACTION)))
    assert len(body) == 114
    assert connection_id(body, NONCE, vault, expires).hex() == connection
    digest = l1_digest(body, NONCE, source, vault=vault, expires_after=expires)
    assert signer_of(digest, {"r": r, "s": s, "v": v}) == SIGNER


@pytest.mark.parametrize(
    ("action", "r", "s"),
    [
        (
            {"type": "usdClassTransfer", "amount": "25.5", "toPerp": True},
            "0x907fd34f308fa47603280a951d11654ff85824f1bf690238be0237b47cf8ed1",
            "0x16859276815cf0145211d39500441d4bba161ef843632ab5cf321458c237e23c",
        ),
        (
            {"type": "approveAgent", "agentAddress": "0x" + "3" * 40},
            "0x8089030ba90452bdf1bbdb729850c1ef0f83b2aa14dcbfe12aeaf6b711d5ffa2",
            "0x21326b305ce9fd05594bbc2f849286b76a5a590e8801bde7bd477a467f3882b6",
        ),
    ],
)
def test_published_wallet_vectors_are_recovered(action: dict[str, Any], r: str, s: str) -> None:
    """A missing agent name is the empty one."""
    more = {"nonce": NONCE, "hyperliquidChain": "Testnet", "signatureChainId": "0x66eee"}
    assert signer_of(user_digest(action | more), {"r": r, "s": s, "v": 27}) == SIGNER


def test_other_network_recovers_to_a_stranger() -> None:
    """A wrong source never fails; it is somebody else's signature."""
    digest = l1_digest(packed(decode_action(raw(ACTION))), NONCE, "a")
    _, _, _, _, r, s, v = VECTORS[1]
    stranger = signer_of(digest, {"r": r, "s": s, "v": v})
    assert stranger == "0x6265290df4f1211ff29b46c37a618f69a3d22ff4"


ACTIONS: list[dict[str, Any]] = [
    ACTION,
    order(item(0, "100000", "0.001", kind={"limit": {"tif": "Ioc"}}), item(2, "7.5", "3")),
    order(
        item(1, "3010", "0.5"),
        item(
            1,
            "3300",
            "0.5",
            is_buy=False,
            reduce_only=True,
            kind={"trigger": {"isMarket": True, "triggerPx": "3300", "tpsl": "tp"}},
        ),
        grouping="normalTpsl",
        builder={"b": "0x" + "a" * 40, "f": 10},
    ),
    {"type": "cancel", "cancels": [{"a": 1, "o": 77}, {"a": 0, "o": 1 << 45}]},
    {"type": "cancelByCloid", "cancels": [{"asset": 1, "cloid": "0x" + "0" * 31 + "1"}]},
    {"type": "modify", "oid": 77, "order": item(1, "2951", "0.1")},
    {
        "type": "batchModify",
        "modifies": [{"oid": "0x" + "0" * 31 + "1", "order": item(1, "2951", "0.1")}],
    },
    {"type": "scheduleCancel"},
    {"type": "scheduleCancel", "time": 1700000010000},
    {"type": "updateLeverage", "asset": 1, "isCross": True, "leverage": 21},
    {"type": "updateIsolatedMargin", "asset": 1, "isBuy": True, "ntli": -1000000},
    {"type": "createSubAccount", "name": "example"},
    {
        "type": "subAccountTransfer",
        "subAccountUser": "0x" + "1d" * 20,
        "isDeposit": True,
        "usd": 10,
    },
    {
        "type": "subAccountSpotTransfer",
        "subAccountUser": "0x" + "1d" * 20,
        "isDeposit": True,
        "token": "PURR:0xc4bf3f870c0e9465323c0b6ed28096c2",
        "amount": "10",
    },
    {"type": "vaultTransfer", "vaultAddress": "0x" + "1d" * 20, "isDeposit": True, "usd": 5000000},
    {"type": "twapOrder", "twap": {"a": 1, "b": True, "s": "1", "r": False, "m": 5, "t": True}},
    {"type": "twapCancel", "a": 1, "t": 41},
    {"type": "setReferrer", "code": "ASDFASDF"},
    {"type": "noop"},
    {"type": "reserveRequestWeight", "weight": 5},
    {"type": "agentSetAbstraction", "abstraction": "u"},
    {"type": "agentEnableDexAbstraction"},
    {"type": "topUpIsolatedOnlyMargin", "asset": 1, "leverage": "3.5"},
]


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: str(action["type"]))
def test_the_venues_own_notation_is_what_the_official_client_signs(action: dict[str, Any]) -> None:
    """For every action the rebuilt bytes are the client's."""
    assert packed(decode_action(raw(action))) == packed_as_sent(raw(action))
    wallet = Wallet()
    envelope = wallet.signed(action, nonce=NONCE)
    digest = l1_digest(packed(decode_action(raw(action))), NONCE, "b")
    assert signer_of(digest, envelope["signature"]) == wallet.address


def test_notation_does_not_matter_where_the_venue_does_not_mind() -> None:
    """Order of keys, padding and case are made good: the venue hashes what it writes itself."""
    written = msgspec.json.encode(
        {
            "grouping": "na",
            "orders": [
                {
                    "c": "0x" + "0" * 30 + "AB",
                    "t": {"limit": {"tif": "Gtc"}},
                    "r": False,
                    "s": "000.2500",
                    "p": "2950.50",
                    "b": True,
                    "a": 1,
                }
            ],
            "type": "order",
        }
    )
    assert packed(decode_action(msgspec.Raw(written))) == packed(decode_action(raw(ACTION)))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("p", "1e3"),
        ("p", "-1"),
        ("p", ""),
        ("p", "0.123456789"),
        ("p", 1.5),
        ("s", "+1"),
        ("s", " 1"),
        ("s", "1_000"),
        ("s", "\u0661"),
        ("s", "NaN"),
        ("a", -1),
        ("a", "0"),
        ("c", "0x1"),
        ("t", {}),
        ("t", {"limit": {"tif": "Day"}}),
    ],
)
def test_what_the_venue_cannot_read_is_no_action(field: str, value: Any) -> None:
    """Numbers are plain decimals in text, kinds are one of two."""
    broken = order({**item(), field: value})
    with pytest.raises(msgspec.ValidationError):
        decode_action(raw(broken))


def test_nine_places_that_end_in_zero_are_eight() -> None:
    """As the venue counts them."""
    action: Any = decode_action(raw(order(item(px="0.123456780"))))
    assert action.orders[0].p == "0.12345678"


@given(
    key=st.integers(1, 254),
    nonce=st.integers(1, (1 << 64) - 1),
    vault=st.none() | st.binary(min_size=20, max_size=20),
    expires=st.none() | st.integers(1, (1 << 63) - 1),
    mainnet=st.booleans(),
    which=st.sampled_from(range(len(ACTIONS))),
)
def test_whatever_the_official_client_signs_is_recovered(
    *, key: int, nonce: int, vault: bytes | None, expires: int | None, mainnet: bool, which: int
) -> None:
    """Any key, nonce, vault, expiry and network; halves of a signature may be short."""
    wallet = Wallet(key, mainnet)
    address = None if vault is None else "0x" + vault.hex()
    body = wallet.signed(ACTIONS[which], nonce=nonce, vault=address, expires=expires)
    envelope = msgspec.json.decode(msgspec.json.encode(body), type=Envelope)
    digest = l1_digest(
        packed(decode_action(envelope.action)),
        nonce,
        "a" if mainnet else "b",
        vault=vault,
        expires_after=expires,
    )
    found = envelope.signature
    assert recover(digest, int(found.r, 16), int(found.s, 16), found.v) == wallet.address


@pytest.mark.parametrize(
    ("r", "s", "v"),
    [(0, 1, 27), (1, 0, 27), (1, 1, 26), (1, 1, 29), (1 << 256, 1, 27), (5, 1, 27)],
)
def test_nobody_signed_what_is_no_signature(r: int, s: int, v: int) -> None:
    """Zero, beyond the curve's order, or off the curve."""
    assert recover(bytes(32), r, s, v) is None


@pytest.mark.parametrize("kind", sorted(USER_SIGNED))
def test_missing_field_of_a_wallets_action_is_told(kind: str) -> None:
    """Nothing is hashed in its place."""
    with pytest.raises(ValueError, match=r"a field is not|signatureChainId"):
        user_digest({"type": kind, "hyperliquidChain": "Testnet"})
