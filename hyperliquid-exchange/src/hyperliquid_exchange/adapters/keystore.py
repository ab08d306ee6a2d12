"""Keys of agents: read once, held in memory, never told.

A key comes from a file that only its owner can read or, on the testnet, from a variable of the
environment. What leaves this module signs; it has no way to say what it signs with.
"""

import ctypes
import os
import re
import resource
import secrets
import shlex
import stat
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final, NoReturn

from coincurve import PrivateKey

from hyperliquid_exchange.domain.accounts import Network
from suite.addresses import derived_address
from suite.errors import ConfigError

_CURVE_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_KEY: Final = re.compile(r"(?:0x)?([0-9a-fA-F]{64})", re.ASCII)
_MOST_BYTES: Final = 256
_PERIOD_MAX: Final = 20
_SMALLEST: Final = 1 << 64
_PR_SET_DUMPABLE: Final = 4
_PR_GET_DUMPABLE: Final = 3

KNOWN_KEYS: Final = frozenset(
    f"0x{address}"
    for address in (
        # hardhat and anvil: "test test ... junk", the first twenty
        "f39fd6e51aad88f6f4ce6ab8827279cfffb92266",
        "70997970c51812dc3a010c7d01b50e0d17dc79c8",
        "3c44cdddb6a900fa2b585dd299e03d12fa4293bc",
        "90f79bf6eb2c4f870365e785982e1f101e93b906",
        "15d34aaf54267db7d7c367839aaf71a00a2c6a65",
        "9965507d1a55bcc2695c58ba16fb37d819b0a4dc",
        "976ea74026e726554db657fa54763abd0c3a0aa9",
        "14dc79964da2c08b23698b3d3cc7ca32193d9955",
        "23618e81e3f5cdf7f54c3d65f7fbc0abf5b21e8f",
        "a0ee7a142d267c1f36714e4a8f75612f20a79720",
        "bcd4042de499d14e55001ccbb24a551f3b954096",
        "71be63f3384f5fb98995898a86b02fb2426c5788",
        "fabb0ac9d68b0b445fb7357272ff202c5651694a",
        "1cbd3b2770909d4e10f157cabc84c7264073c9ec",
        "df3e18d64bc6a983f673ab319ccae4f1a57c7097",
        "cd3b766ccdd6ae721141f452c550ca635964ce71",
        "2546bcd3c84621e976d8185a91a922ae77ecec30",
        "bda5747bfd65f08deb54cb465eb87d40e51b197e",
        "dd2fd4581271e230360230f9337d5c0430bf44c0",
        "8626f6940e2eb28930efb4cef49b2d1f2c9c1199",
        # ganache in its deterministic mode, the first ten
        "90f8bf6a479f320ead074411a4b0e7944ea8c9c1",
        "ffcf8fdee72ac11b5c542428b35eef5769c409f0",
        "22d491bde2303f2f43325b2108d26f1eaba1e32b",
        "e11ba2b4d45eaed5996cd0823791e0c93114882d",
        "d03ea8624c8c5987235048901fb614fdca89b117",
        "95ced938f7991cd0dfcb48f0a06a40fa1af46ebc",
        "3e5e9111ae8eb78fe1cc3bb8915d5d461f3ef9a9",
        "28a8746e75304c0780e011bed21c72cd78cd535e",
        "aca94ef8bd5ffee41947b4585a84bda5a3d3da6e",
        "1df62f291b2e969fb0849d99d9ce41e2f137006e",
        # examples in the documentation of web3
        "2c7536e3605d9c16a7a3d7b1898e529396a65c23",
    )
)
"""Addresses of keys that everybody knows."""


class AgentKey:
    """A key that signs and never tells itself.

    Not `repr`, `str`, `format`, a copy, a pickle or an encoder gets at it.

    Args:
        secret: 32 bytes.

    Attributes:
        address: that its signatures are known by, lower case.
        example: why everybody has this key, in a few words; empty where nobody should.
    """

    __slots__ = ("__curve", "address", "example")

    def __init__(self, secret: bytes) -> None:
        self.__curve = PrivateKey(secret)
        self.address = derived_address(self.__curve.public_key.format(compressed=False)[1:])
        self.example = _example(secret, self.address)

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign 32 bytes that were hashed already: `r`, `s` and the parity, 65 bytes."""
        return self.__curve.sign_recoverable(digest, hasher=None)

    def __repr__(self) -> str:
        return f"AgentKey({self.address})"

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a key is neither copied nor stored")


def read_key_file(path: Path) -> AgentKey:
    """Read a key that only its owner can.

    Raises:
        ConfigError: the file is not there, a link, somebody else's, open to others, or no key;
            what to do is said.
    """
    named = shlex.quote(str(path))
    try:
        # without a wait where the name is that of a pipe
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if path.is_symlink():
            raise ConfigError(f"{path} is a link: name the file itself, or copy it") from None
        raise ConfigError(
            f"cannot read {path}: {error.strerror}; make one: "
            f"hyperliquid-exchange keys new {shlex.quote(path.stem)}"
        ) from None
    try:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode):
            raise ConfigError(f"{path} is no file")
        if state.st_uid != os.geteuid():
            raise ConfigError(
                f"{path} belongs to user {state.st_uid}, this is {os.geteuid()}; run: "
                f"chown {os.geteuid()} {named}"
            )
        if (mode := stat.S_IMODE(state.st_mode)) not in {0o400, 0o600}:
            raise ConfigError(f"{path} has mode {mode:04o}; run: chmod 400 {named}")
        content = os.read(handle, _MOST_BYTES)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    finally:
        os.close(handle)
    return AgentKey(read_secret(content.decode("ascii", "replace"), str(path)))


def read_key_variable(
    name: str, environment: MutableMapping[str, str], *, network: Network
) -> AgentKey:
    """Take a key out of the environment, so that no process started from here gets it.

    What the system shows of the environment at the start of this process stays; that is why the
    process is not to be looked into, and why mainnet has files alone.

    Raises:
        ConfigError: it is not set, no key, or for mainnet.
    """
    text = environment.pop(name, None)
    if network == "mainnet":
        raise ConfigError(
            f"a key for mainnet may not be in the environment ({name}): whoever lists processes, "
            "starts one from here or gets a crash report reads it; use key_file"
        )
    if not text:
        raise ConfigError(f"the variable {name} is not set")
    return AgentKey(read_secret(text, f"the variable {name}"))


def new_key() -> bytes:
    """Draw a key from the system's randomness, 32 bytes."""
    while not 0 < int.from_bytes(secret := secrets.token_bytes(32), "big") < _CURVE_ORDER:
        pass
    return secret


def write_key_file(path: Path, secret: bytes) -> None:
    """Write a new key file, mode 0400; one that is there is never overwritten.

    Raises:
        ConfigError: there is one, or it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(f"cannot make {path.parent}: {error.strerror}") from None
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(path, flags, 0o400)
    except FileExistsError:
        raise ConfigError(f"{path} is there already; a key is never overwritten") from None
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secret.hex().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None


def read_secret(text: str, where: str) -> bytes:
    """Read the 32 bytes of a key from 64 hex digits.

    Args:
        text: with `0x` or without, blanks around it allowed.
        where: it stands, for messages.

    Raises:
        ConfigError: it is no key; what stands there is not repeated.
    """
    match = _KEY.fullmatch(text.strip())
    if match is None:
        raise ConfigError(f"{where} does not hold a key: 64 hex digits and nothing else")
    secret = bytes.fromhex(match[1])
    if not 0 < int.from_bytes(secret, "big") < _CURVE_ORDER:
        raise ConfigError(f"{where} holds a number that is no key")
    return secret


def hide_process() -> str:
    """Keep the memory of this process out of core dumps, and from other processes of its user.

    Returns:
        What could not be done; empty where all was.
    """
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (OSError, ValueError) as error:
        return f"core dumps cannot be switched off: {error}"
    if sys.platform != "linux":
        return ""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if libc.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) != 0:
        return "the memory of this process can be read by others of its user"
    return ""


def _example(secret: bytes, address: str) -> str:
    """Say why a key is no secret; empty where it is one."""
    if address in KNOWN_KEYS:
        return "it stands in the documentation of a tool"
    if int.from_bytes(secret, "big") < _SMALLEST:
        return "it is a small number"
    digits = secret.hex()
    for period in range(1, _PERIOD_MAX + 1):
        if digits[period:] == digits[:-period]:
            return "its digits repeat themselves"
    return ""
