"""`keys` and `check`: addresses are told, keys never."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.live_accounts import anna, bert, write_accounts, write_key
from typer.testing import CliRunner

from hyperliquid_exchange.adapters.keystore import AgentKey, read_key_file
from hyperliquid_exchange.cli import cli

jsonschema: Any = pytest.importorskip("jsonschema")
SECRET = "8f2a559490d1c3b7e60f4a9b2c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d"
ADDRESS = AgentKey(bytes.fromhex(SECRET)).address


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("HYPERLIQUID_EXCHANGE_"):
            monkeypatch.delenv(name)


def run(*args: str, given: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(cli, list(args), input=given, standalone_mode=False)
    code = result.exit_code or int(result.return_value or 0)
    return code, result.output or str(result.exception)


def test_new_key_tells_its_address_and_what_to_approve(tmp_path: Path) -> None:
    code, told = run("keys", "new", "anna")
    path = tmp_path / "keys" / "anna.key"
    secret, address = path.read_text().strip(), read_key_file(path).address
    assert (code, path.stat().st_mode & 0o777) == (0, 0o400)
    assert told == (
        f"{address}\napprove it with the master wallet, in the venue's page under API: name anna, "
        f"address {address}; then write key_file: keys/anna.key into the accounts file\n"
    )
    assert secret[:8] not in told
    assert run("keys", "show", "anna") == (0, f"{address}\n")
    code, told = run("keys", "new", "anna")
    assert code != 0
    assert path.read_text().strip() == secret


def test_key_is_imported_from_a_pipe_and_never_from_an_argument(tmp_path: Path) -> None:
    code, told = run("keys", "import", "anna", given=f"0x{SECRET}\n")
    assert (code, told.splitlines()[0]) == (0, ADDRESS)
    assert read_key_file(tmp_path / "keys" / "anna.key").address == ADDRESS
    for args in (["keys", "import", SECRET], ["keys", "new", f"0x{SECRET}"]):
        code, told = run(*args, given=SECRET)
        assert code != 0
        assert SECRET[:8] not in told
    code, told = run("keys", "import", "bert", given="17" * 32)
    assert code != 0
    assert "is an example" in told
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["anna.key"]


def test_check_looks_for_the_keys_of_one_role(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the watchdog has a machine of its own, each has its own keys alone."""
    monkeypatch.setenv("HYPERLIQUID_EXCHANGE_UPSTREAM_URL", "http://127.0.0.1:1")
    write_accounts(tmp_path, [anna(watchdog_key_file="watchdog-keys/anna.key")])
    command = ["check", "--accounts", "accounts.yaml"]
    code, told = run(*command)
    assert (code, "watchdog-keys/anna.key" in told) == (1, True)
    assert 0 == run(*command, "--role", "proxy")[0]

    write_key(tmp_path / "watchdog-keys" / "anna.key", bert().secret)
    (tmp_path / "keys" / "anna.key").unlink()
    assert 0 == run(*command, "--role", "watchdog")[0]
    assert 1 == run(*command, "--role", "proxy")[0]
    assert "proxy or watchdog" in run(*command, "--role", "agent")[1]


def test_check_tells_what_is_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPERLIQUID_EXCHANGE_UPSTREAM_URL", "http://127.0.0.1:8100")
    trader = anna(watchdog_key_file="keys/watchdog.key")
    other = bert(master="0x" + "6b" * 20)
    path = write_accounts(tmp_path, [trader, other])
    write_key(tmp_path / "keys" / "watchdog.key", SECRET)
    code, told = run("check", "--accounts", str(path))
    anna_at, bert_at = trader.entry()["address"], other.entry()["address"]
    of_master = f"a sub-account or vault of 0x{'6b' * 20}"
    assert told.splitlines() == [
        "ok      venue: http://127.0.0.1:8100 (a stand-in)",
        f"ok      anna: agent {trader.signer} trades {anna_at}",
        f"ok      bert: agent {other.signer} trades {bert_at}, {of_master}",
        f"ok      anna, watchdog: agent {ADDRESS} trades {anna_at}",
        "all in order",
    ]
    assert code == 0


@pytest.mark.parametrize(
    ("url", "network", "told"),
    [
        ("", "testnet", "HYPERLIQUID_EXCHANGE_UPSTREAM_URL is not set"),
        ("https://api.hyperliquid.xyz", "testnet", "UPSTREAM_URL is mainnet"),
        ("https://api.hyperliquid-testnet.xyz", "mainnet", "UPSTREAM_URL is testnet"),
        ("http://api.hyperliquid-testnet.xyz", "testnet", "must be https://"),
        ("https://api.hyperliquid.xyz.", "testnet", "UPSTREAM_URL is mainnet"),
        ("https://API.Hyperliquid.XYZ:443", "testnet", "UPSTREAM_URL is mainnet"),
        ("http://10.0.0.7:8100", "testnet", "neither Hyperliquid's nor on this machine"),
        ("https://api.hyperliquid.xyz.evil.example", "mainnet", "neither Hyperliquid's nor"),
        ("https://api.hyperliquid-testnet.xyz", "testnet", "is an example"),
    ],
)
def test_check_tells_every_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, network: str, told: str
) -> None:
    """Of the settings and of the file, together."""
    path = write_accounts(tmp_path, [anna(), bert(natve="x")], network=network)
    if "example" in told:
        path = write_accounts(tmp_path / "b", [anna()], network=network)
    monkeypatch.setenv("HYPERLIQUID_EXCHANGE_UPSTREAM_URL", url)
    monkeypatch.setenv("HYPERLIQUID_EXCHANGE_NETWORK", network)
    monkeypatch.setenv("HYPERLIQUID_EXCHANGE_ACCOUNTS", str(path))
    code, output = run("check")
    assert code == 1
    assert told in output
    if "example" not in told:
        assert "did you mean native?" in output
        assert output.endswith("2 problems\n")


def test_stand_in_elsewhere_needs_a_trusted_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYPERLIQUID_EXCHANGE_UPSTREAM_URL", "http://virtual-exchange:8100")
    monkeypatch.setenv("TRUSTED_NETWORK", "true")
    assert run("check", "--accounts", str(write_accounts(tmp_path, [anna()])))[0] == 0


def test_schema_takes_what_the_service_takes(tmp_path: Path) -> None:
    code, told = run("check", "--schema")
    assert code == 0
    validator = jsonschema.Draft202012Validator(json.loads(told))
    trader = anna(native="resign", client_signers=["0x" + "7c" * 20])
    document = yaml.safe_load(write_accounts(tmp_path, [trader]).read_text())
    assert list(validator.iter_errors(document)) == []
    del document["accounts"][0]["limits"]["max_order_usd"]
    document["netwrok"] = 1
    document["accounts"][0]["key_env"] = "X"
    assert len(list(validator.iter_errors(document))) == 3


@pytest.mark.process
def test_commands_import_nothing_heavy() -> None:
    """Help and typing mistakes are told without half a second of imports."""
    program = "import sys, hyperliquid_exchange.cli; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not {"eth_account", "hyperliquid", "aiohttp", "fastapi"} & set(done.stdout.split())
