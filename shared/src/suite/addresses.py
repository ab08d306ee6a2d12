"""Addresses: how they are written, and what they are made of."""

import re
from typing import Annotated, Final

import msgspec
import sha3

_ANY_FORM: Final = "(0x)?[0-9a-fA-F]{40}"
_WITH_PREFIX: Final = "0x[0-9a-fA-F]{40}"

Address = Annotated[str, msgspec.Meta(pattern=f"^{_WITH_PREFIX}$")]
"""`0x` and 40 hex digits."""
AddressText = Annotated[str, msgspec.Meta(pattern=f"^{_ANY_FORM}$")]
"""The same as the venue takes it: `0x` may be left out."""
NOBODY: Final = "0x" + "0" * 40


def is_address(text: str) -> bool:
    """Whether a text is an address; `0x` may be left out, hex digits may be upper case."""
    return re.fullmatch(_ANY_FORM, text) is not None


def normal_address(text: str) -> str:
    """Write an address in lower case with its prefix."""
    lower = text.lower()
    return lower if lower.startswith("0x") else f"0x{lower}"


def derived_address(data: bytes) -> str:
    """Make an address as the chain does: the last 20 bytes of a hash, that of a public key."""
    return "0x" + keccak(data)[-20:].hex()


def account_address(account: str) -> str:
    """Find the address of an account by its name.

    Args:
        account: an address itself, or the name of an account at a simulated venue, whose address
            is the last 20 bytes of keccak("account:" + name).
    """
    if is_address(account):
        return normal_address(account)
    return derived_address(f"account:{account}".encode())


def keccak(data: bytes) -> bytes:
    """Keccak-256, 32 bytes."""
    return bytes(sha3.keccak_256(data).digest())
