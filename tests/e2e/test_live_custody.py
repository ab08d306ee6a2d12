"""Keys in the running service: one process has them, and they are nowhere but in it."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.canaries import contents_below, leaks, process_listings
from tests.support.live_accounts import WrittenTrader, anna, write_accounts
from tests.support.live_stack import LiveStack, LiveTrader, command, fetch, running_stack
from tests.support.waiting import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    folder = tmp_path_factory.mktemp("custody")
    traders = LiveTrader("alice"), LiveTrader("bob", has_sub_account=True)
    with running_stack(folder, *traders) as found:
        yield found


def test_second_instance_is_refused_in_one_line(stack: LiveStack) -> None:
    """Also while the first one is stopped: nobody signs in its place."""
    assert stack.process is not None
    pid = stack.process.pid
    for stop in (False, True):
        if stop:
            os.kill(pid, signal.SIGSTOP)
        try:
            done = stack.run("serve", "--port", "0")
        finally:
            os.kill(pid, signal.SIGCONT)
        lines = done.stderr.splitlines()
        assert done.returncode != 0
        assert f"is in use: process {pid} on" in lines[-1]
        assert "one key, one process: stop that one first" in lines[-1]
    assert fetch(f"{stack.url}/health")[0] == 200


async def test_keys_are_found_nowhere(stack: LiveStack) -> None:
    """Not in logs, journals, answers, metrics, reports, process listings, whatever goes wrong."""
    secrets = {f"key of {name}": bytes(trader.agent.key) for name, trader in stack.traders.items()}
    answers: dict[str, bytes] = {}

    def ask(name: str, path: str, body: Any = None, who: str = "alice") -> int:
        status, text = fetch(f"{stack.url}{path}", body, stack.headers(who))
        answers[name] = text.encode()
        return status

    order = {"coin": "BTC", "is_buy": True, "sz": "0.01", "limit_px": "20000"}
    await until(lambda: ask("order", "/exchange/order", order) == 200)
    ask("order of another", "/exchange/order", order, "bob")
    ask("wrong order", "/exchange/order", {"coin": {"a": 1}})
    ask("unsigned", "/exchange", {"action": {"type": "usdSend"}, "nonce": 1})
    for path in ("/health", "/ready", "/metrics", "/openapi.json", "/docs", "/key", "/keys"):
        ask(path, path, who="operator")
    for name, arguments in {
        "check": ("check",),
        "show": ("keys", "show", "alice"),
        "help": ("--help",),
        "doctor": ("doctor",),
        "second": ("serve", "--port", "0"),
    }.items():
        done = stack.run(*arguments)
        answers[f"command {name}"] = (done.stdout + done.stderr).encode()
    assert b"all in order" in answers["command check"]
    places = dict(contents_below(stack.folder, but=("keys/",))) | answers
    places |= dict(process_listings())
    assert {"proxy.log", "order", f"/proc/{os.getpid()}/cmdline"} <= places.keys()
    assert any(name.startswith("var/intents/") for name in places)
    assert leaks(secrets, places) == []
    held = dict(contents_below(stack.folder / "keys"))
    assert len(leaks(secrets, held)) >= 2  # the search finds them where they are


def test_key_that_cannot_be_used_is_not_repeated_in_any_crash(tmp_path: Path) -> None:
    """With tracebacks switched on, and the key in places where it should not be."""
    trader = WrittenTrader("anna", 0x5C)
    path = write_accounts(tmp_path, [trader])
    (tmp_path / "keys" / "anna.key").chmod(0o644)
    text = path.read_text()
    places: dict[str, bytes] = {}
    for name, written in {
        "mode": text,
        "inline": text.replace("keys/anna.key", trader.secret),
        "inline key": text.replace("key_file: keys/anna.key", f"{trader.secret}: 1"),
        "not yaml": text + f"\n{trader.secret}: [\n",
    }.items():
        path.write_text(written)
        done = serve(tmp_path, SUITE_TRACEBACK="1")
        assert done.returncode == 2
        places[name] = (done.stdout + done.stderr).encode()
        assert places[name]
    assert leaks({"key": bytes.fromhex(trader.secret)}, places) == []


def serve(folder: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    own = {
        "HYPERLIQUID_EXCHANGE_ACCOUNTS": "accounts.yaml",
        "HYPERLIQUID_EXCHANGE_UPSTREAM_URL": "http://127.0.0.1:9",
    }
    return subprocess.run(
        [command(), "serve", "--port", "0"],
        cwd=folder,
        env=os.environ | own | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_service_that_cannot_ask_who_signs_does_not_start(tmp_path: Path) -> None:
    """Where a database says so, and is away."""
    write_accounts(tmp_path, [anna()])
    done = serve(tmp_path, DATABASE_URL="postgresql://nobody@127.0.0.1:9/nothing")
    assert done.returncode != 0
    assert "the database cannot be used at present" in done.stderr


def no_limits(folder: Path) -> None:
    text = (folder / "accounts.yaml").read_text()
    (folder / "accounts.yaml").write_text(text.replace("    max_day_loss_usd: '1000'\n", ""))


def open_key(folder: Path) -> None:
    (folder / "keys" / "anna.key").chmod(0o640)


def other_network(folder: Path) -> None:
    text = (folder / "accounts.yaml").read_text()
    (folder / "accounts.yaml").write_text(text.replace("testnet", "mainnet"))


def masters_key(folder: Path) -> None:
    text = (folder / "accounts.yaml").read_text()
    wrong = text.replace(anna().entry()["address"], anna().signer)
    (folder / "accounts.yaml").write_text(wrong)


def no_file(folder: Path) -> None:
    (folder / "accounts.yaml").unlink()


@pytest.mark.parametrize(
    ("breaks", "told"),
    [
        (no_limits, "limits.max_day_loss_usd: missing"),
        (open_key, "has mode 0640; run: chmod 400"),
        (other_network, "both must name the network that is meant"),
        (masters_key, "this is the master wallet's key"),
        (no_file, "cannot read accounts.yaml"),
    ],
)
def test_service_does_not_start_with_a_mistake(
    tmp_path: Path, breaks: Callable[[Path], None], told: str
) -> None:
    """One clear line, and nothing was asked of the venue or written down."""
    write_accounts(tmp_path, [anna()])
    breaks(tmp_path)
    done = serve(tmp_path)
    assert done.returncode == 2
    assert told in done.stderr.splitlines()[-1]
    assert not (tmp_path / "var" / "intents").exists()
