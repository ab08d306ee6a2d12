"""Keys: who may have one, where it may come from, and that it never tells itself."""

import base64
import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from eth_account import Account
from tests.support.live_accounts import write_key

from hyperliquid_exchange.adapters.keystore import (
    KNOWN_KEYS,
    AgentKey,
    new_key,
    read_key_file,
    read_key_variable,
    write_key_file,
)
from suite.errors import ConfigError

SECRET = "8f2a559490d1c3b7e60f4a9b2c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d"
ADDRESS = str(Account.from_key(SECRET).address).lower()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "anna.key"


@pytest.mark.parametrize("mode", [0o400, 0o600])
@pytest.mark.parametrize("text", [SECRET, f"0x{SECRET}", f" {SECRET.upper()} \r\n"])
def test_key_is_read_from_a_file_of_its_owner(path: Path, mode: int, text: str) -> None:
    path.write_text(text)
    path.chmod(mode)
    assert (ADDRESS, "") == (read_key_file(path).address, read_key_file(path).example)


@pytest.mark.parametrize("mode", [0o404, 0o440, 0o644, 0o640, 0o660, 0o700, 0o500, 0o200, 0o000])
def test_file_that_others_may_read_is_refused_with_what_to_do(path: Path, mode: int) -> None:
    """Everything but 0400 and 0600, as nobody should have to think about the others."""
    write_key(path, SECRET, mode=0o600)
    path.chmod(mode)
    if mode & 0o400 or os.geteuid() == 0:
        with pytest.raises(ConfigError, match=f"mode {mode:04o}; run: chmod 400 {path}$"):
            read_key_file(path)


def test_link_is_refused(path: Path, tmp_path: Path) -> None:
    write_key(path, SECRET)
    link = tmp_path / "link.key"
    link.symlink_to(path)
    with pytest.raises(ConfigError, match="is a link"):
        read_key_file(link)


def test_what_is_no_file_is_refused(path: Path, tmp_path: Path) -> None:
    """A pipe does not even make the process wait."""
    os.mkfifo(path)
    with pytest.raises(ConfigError, match="is no file"):
        read_key_file(path)
    with pytest.raises(ConfigError, match="is no file"):
        read_key_file(tmp_path)
    with pytest.raises(ConfigError, match="keys new bert"):
        read_key_file(tmp_path / "bert.key")


def test_file_of_somebody_else_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_key(path, SECRET)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(ConfigError, match=f"belongs to user {os.getuid()}, .*run: chown"):
        read_key_file(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        SECRET[:-1],
        SECRET + "0",
        "0x" + SECRET + "\n" + SECRET,
        "g" + SECRET[1:],
        "0X" + SECRET,
        "0" * 64,
        "f" * 64,
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
        SECRET[:32] + "_" + SECRET[33:],
        "{" + SECRET + "}",
        "٣" * 64,
    ],
)
def test_what_is_no_key_is_refused_without_being_repeated(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o400)
    with pytest.raises(ConfigError) as caught:
        read_key_file(path)
    assert SECRET[:8] not in str(caught.value)
    assert str(path) in str(caught.value)


def test_variable_is_gone_once_it_was_read() -> None:
    """No process that is started from here gets it."""
    environment = {"ANNA_KEY": SECRET, "OTHER": "1"}
    key = read_key_variable("ANNA_KEY", environment, network="testnet")
    assert (ADDRESS, {"OTHER": "1"}) == (key.address, environment)


def test_mainnet_takes_no_key_from_the_environment() -> None:
    environment = {"ANNA_KEY": SECRET}
    with pytest.raises(ConfigError, match=r"mainnet may not be in the environment \(ANNA_KEY\)"):
        read_key_variable("ANNA_KEY", environment, network="mainnet")
    assert environment == {}
    with pytest.raises(ConfigError, match="the variable ANNA_KEY is not set"):
        read_key_variable("ANNA_KEY", environment, network="testnet")


def forms(secret: str) -> list[str]:
    """A key as it might be found."""
    raw = bytes.fromhex(secret)
    return [secret, secret.upper(), base64.b64encode(raw).decode().rstrip("="), repr(raw)[2:-1]]


def test_key_does_not_tell_itself() -> None:
    """Whatever is made of it; nothing but the address comes out."""
    key = AgentKey(bytes.fromhex(SECRET))
    told = [repr(key), str(key), f"{key}", f"{key!r:>80}", f"{[key]}", repr({"key": key})]
    told += [repr(getattr(key, name)) for name in dir(key) if not name.startswith("_AgentKey")]
    for text in told:
        assert not any(form in text for form in forms(SECRET))
    assert f"AgentKey({ADDRESS})" == repr(key)
    for refused in (pickle.dumps, copy.copy, copy.deepcopy, msgspec.json.encode):
        with pytest.raises(TypeError) as caught:
            refused(key)
        assert not any(form in str(caught.value) for form in forms(SECRET))
    with pytest.raises(TypeError):
        vars(key)


def test_examples_are_told_from_keys() -> None:
    """Known ones by their address, others by their digits."""
    Account.enable_unaudited_hdwallet_features()
    known = {
        "test test test test test test test test test test test junk": 20,
        "myth like bonus scare over problem client lizard pioneer submit female collect": 10,
    }
    found = {
        str(Account.from_mnemonic(words, account_path=f"m/44'/60'/0'/0/{n}").address).lower()
        for words, count in known.items()
        for n in range(count)
    }
    assert found < KNOWN_KEYS
    assert len(KNOWN_KEYS) == len(found) + 1
    hardhat = Account.from_mnemonic(next(iter(known)))
    assert AgentKey(bytes(hardhat.key)).example == "it stands in the documentation of a tool"
    for digits in ("11" * 32, "01" * 32, ("0123456789" * 7)[:64], "deadbeef" * 8, "ab" * 32):
        assert AgentKey(bytes.fromhex(digits)).example == "its digits repeat themselves"
    for number in (1, 2, 255, 2**63):
        assert AgentKey(number.to_bytes(32, "big")).example == "it is a small number"
    assert [""] * 100 == [AgentKey(new_key()).example for _ in range(100)]


def test_new_key_file_is_for_its_owner_alone_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "anna.key"
    secret = new_key()
    write_key_file(path, secret)
    assert (0o100400, 0o40700) == (path.stat().st_mode, path.parent.stat().st_mode)
    assert read_key_file(path).address == AgentKey(secret).address
    with pytest.raises(ConfigError, match="never overwritten"):
        write_key_file(path, new_key())
    assert read_key_file(path).address == AgentKey(secret).address
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot make"):
        write_key_file(tmp_path / "file" / "anna.key", secret)


@pytest.mark.process
def test_hidden_process_leaves_no_core_and_cannot_be_looked_into() -> None:
    program = (
        "import resource; from hyperliquid_exchange.adapters.keystore import hide_process\n"
        "print(repr(hide_process()), resource.getrlimit(resource.RLIMIT_CORE),"
        " __import__('ctypes').CDLL(None).prctl(3, 0, 0, 0, 0),"
        " __import__('os').stat('/proc/self/environ').st_uid)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("'' (0, 0) 0 0")
