"""Who signed an action: hashes of the venue's two schemes, and recovery of the signer.

A signature never fails: over other bytes it recovers to another address, a stranger. So what is
hashed decides. The venue hashes the action as it writes it itself; `l1_digest` takes those bytes.

Source: venue documentation, "Signing", and hyperliquid-python-sdk 0.24 `utils/signing.py`, read
2026-11.
"""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, Final, Literal

from suite.addresses import derived_address, is_address, keccak

Source = Literal["a", "b"]
"""`a` is mainnet, `b` testnet; a client chooses by its own rules."""

_CURVE_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_DOMAIN_TYPE: Final = (
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_WORD_MAX: Final = 1 << 256
_CHAIN_ID: Final = re.compile("0x[0-9a-fA-F]{1,64}")

USER_SIGNED: Final[Mapping[str, tuple[str, tuple[tuple[str, str], ...]]]] = {
    "usdSend": ("UsdSend", (("destination", "string"), ("amount", "string"), ("time", "uint64"))),
    "spotSend": (
        "SpotSend",
        (
            ("destination", "string"),
            ("token", "string"),
            ("amount", "string"),
            ("time", "uint64"),
        ),
    ),
    "withdraw3": (
        "Withdraw",
        (("destination", "string"), ("amount", "string"), ("time", "uint64")),
    ),
    "usdClassTransfer": (
        "UsdClassTransfer",
        (("amount", "string"), ("toPerp", "bool"), ("nonce", "uint64")),
    ),
    "sendAsset": (
        "SendAsset",
        (
            ("destination", "string"),
            ("sourceDex", "string"),
            ("destinationDex", "string"),
            ("token", "string"),
            ("amount", "string"),
            ("fromSubAccount", "string"),
            ("nonce", "uint64"),
        ),
    ),
    "approveAgent": (
        "ApproveAgent",
        (("agentAddress", "address"), ("agentName", "string"), ("nonce", "uint64")),
    ),
    "approveBuilderFee": (
        "ApproveBuilderFee",
        (("maxFeeRate", "string"), ("builder", "address"), ("nonce", "uint64")),
    ),
    "tokenDelegate": (
        "TokenDelegate",
        (
            ("validator", "address"),
            ("wei", "uint64"),
            ("isUndelegate", "bool"),
            ("nonce", "uint64"),
        ),
    ),
    "cDeposit": ("CDeposit", (("wei", "uint64"), ("nonce", "uint64"))),
    "cWithdraw": ("CWithdraw", (("wei", "uint64"), ("nonce", "uint64"))),
    "userDexAbstraction": (
        "UserDexAbstraction",
        (("user", "address"), ("enabled", "bool"), ("nonce", "uint64")),
    ),
    "userSetAbstraction": (
        "UserSetAbstraction",
        (("user", "address"), ("abstraction", "string"), ("nonce", "uint64")),
    ),
    "convertToMultiSigUser": (
        "ConvertToMultiSigUser",
        (("signers", "string"), ("nonce", "uint64")),
    ),
}
"""Actions that a wallet shows before it signs: name of the type, and its fields in order.

Every one begins with `string hyperliquidChain`, which is left out here.
"""


def l1_digest(
    packed: bytes,
    nonce: int,
    source: Source,
    *,
    vault: bytes | None = None,
    expires_after: int | None = None,
) -> bytes:
    """Compute what a trader or its agent signs.

    Args:
        packed: the action as msgpack, in the venue's order of keys.
        nonce: below 2^64.
        source: network that the signature is for.
        vault: 20 bytes of the account acted for, None for the signer's own.
        expires_after: ms, None for never.

    Returns:
        32 bytes.
    """
    return agent_digest(connection_id(packed, nonce, vault, expires_after), source)


def connection_id(
    packed: bytes, nonce: int, vault: bytes | None = None, expires_after: int | None = None
) -> bytes:
    """Hash an action with what surrounds it, 32 bytes."""
    data = packed + nonce.to_bytes(8, "big") + (b"\x00" if vault is None else b"\x01" + vault)
    if expires_after is not None:
        data += b"\x00" + expires_after.to_bytes(8, "big")
    return keccak(data)


def agent_digest(connection: bytes, source: Source) -> bytes:
    """Wrap a connection id in the phantom agent that is signed, 32 bytes."""
    agent = keccak(_AGENT_TYPE + _SOURCES[source] + connection)
    return keccak(b"\x19\x01" + _EXCHANGE_DOMAIN + agent)


def user_digest(action: Mapping[str, Any]) -> bytes:
    """Compute what a wallet signs for one of `USER_SIGNED`.

    Args:
        action: as sent; `agentName` may be missing, which means the empty name.

    Returns:
        32 bytes.

    Raises:
        ValueError: a field is missing or has another type.
    """
    name, fields = USER_SIGNED[action["type"]]
    words = [_user_type(name, fields), _word("string", action.get("hyperliquidChain"))]
    for field, kind in fields:
        value = action.get(field)
        words.append(_word(kind, "" if value is None and field == "agentName" else value))
    chain = action.get("signatureChainId")
    if not isinstance(chain, str) or not _CHAIN_ID.fullmatch(chain):
        raise ValueError("missing or wrong field `signatureChainId`")
    return keccak(b"\x19\x01" + _user_domain(int(chain, 16)) + keccak(b"".join(words)))


def recover(digest: bytes, r: int, s: int, v: int) -> str | None:
    """Find the address that signed, lower-case; None when nobody can have.

    Args:
        digest: 32 bytes.
        r, s: halves of the signature.
        v: 27 or 28.
    """
    from coincurve import PublicKey

    if v not in {27, 28} or not 0 < r < _CURVE_ORDER or not 0 < s < _CURVE_ORDER:
        return None
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes((v - 27,))
    try:
        key = PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except ValueError:
        return None
    return derived_address(key.format(compressed=False)[1:])


def _word(kind: str, value: object) -> bytes:
    """One field of a struct, 32 bytes."""
    match kind, value:
        case "string", str():
            return keccak(value.encode("utf-8", "surrogatepass"))
        case "address", str() if value.startswith("0x") and is_address(value):
            return bytes(12) + bytes.fromhex(value[2:])
        case "bool", bool():
            return int(value).to_bytes(32, "big")
        case "uint64", int() if not isinstance(value, bool) and 0 <= value < 1 << 64:
            return value.to_bytes(32, "big")
    raise ValueError(f"a field is not {'an' if kind == 'address' else 'a'} {kind}")


@cache
def _user_type(name: str, fields: tuple[tuple[str, str], ...]) -> bytes:
    parts = ",".join(f"{kind} {field}" for field, kind in (("hyperliquidChain", "string"), *fields))
    return keccak(f"HyperliquidTransaction:{name}({parts})".encode())


def _domain(name: str, chain: int) -> bytes:
    words = (keccak(_DOMAIN_TYPE.encode()), keccak(name.encode()), keccak(b"1"))
    return keccak(b"".join(words) + (chain % _WORD_MAX).to_bytes(32, "big") + bytes(32))


@lru_cache(maxsize=16)
def _user_domain(chain: int) -> bytes:
    return _domain("HyperliquidSignTransaction", chain)


_EXCHANGE_DOMAIN: Final = _domain("Exchange", 1337)
_AGENT_TYPE: Final = keccak(b"Agent(string source,bytes32 connectionId)")
_SOURCES: Final[Mapping[Source, bytes]] = {"a": keccak(b"a"), "b": keccak(b"b")}
