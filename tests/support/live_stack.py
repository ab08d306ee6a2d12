"""The live stack as processes: a venue as strict as mainnet, and the proxy in front of it.

The venue is a `virtual-exchange` that takes mainnet signatures alone. Masters have money there;
each has approved the agent of its trader, with its own wallet, as a person does. The proxy reads
an accounts file and key files that are written here, and is another process.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from hyperliquid.utils import signing  # noqa: TID253 - a person's wallet signs with it
from tests.support.live_accounts import GLOBAL_LIMITS, TRADER_LIMITS, write_key
from tests.support.venue_process import LIMIT_S, VenueUnderTest, running_venue

ROOMY: dict[str, Any] = {
    "max_order_usd": "10000000",
    "max_position_usd": "50000000",
    "max_account_usd": "100000000",
    "max_leverage": 40,
    "max_open_orders": 1000,
    "max_orders_per_s": 1000,
    "max_orders_per_minute": 60000,
    "max_day_loss_usd": "50000000",
    "max_drawdown_usd": "50000000",
    "max_executions": 1000000,
    "price_collar": "0.5",
    "duplicate_s": "0.001",
    "facts_age_s": 60,
}
"""Limits that are in nobody's way: for what is not about them."""
ROOMY_OVERALL: dict[str, Any] = {
    "max_gross_usd": "900000000",
    "max_orders_per_s": 1000,
    "max_day_loss_usd": "500000000",
}


def wallet(name: str) -> LocalAccount:
    """The key of a name."""
    made: LocalAccount = Account.from_key(keccak(text=f"live stack {name}"))
    return made


@dataclass
class LiveTrader:
    """One trader of the stack.

    Attributes:
        trader_id: of it.
        native: what the proxy makes of actions that a client has signed.
        has_sub_account: it trades for a sub-account of its master.
        client_signers: further addresses whose signatures are taken in `resign`; that of the
            master always is.
        limits: that are otherwise than `ROOMY`.
        symbols: that it may trade.
        address: of the account it trades for.
    """

    trader_id: str
    native: str = "forward"
    has_sub_account: bool = False
    client_signers: tuple[str, ...] = ()
    limits: Mapping[str, Any] = field(default_factory=dict)
    symbols: tuple[str, ...] = ("BTC", "ETH", "SOL")
    address: str = ""

    @property
    def master(self) -> LocalAccount:
        """The wallet that has the money."""
        return wallet(f"master of {self.trader_id}")

    @property
    def agent(self) -> LocalAccount:
        """The key that the proxy holds."""
        return wallet(f"agent of {self.trader_id}")

    def entry(self) -> dict[str, Any]:
        """Its part of the accounts file."""
        written: dict[str, Any] = {
            "trader_id": self.trader_id,
            "address": self.address.lower(),
            "master": self.master.address.lower(),
            "key_file": f"keys/{self.trader_id}.key",
            "symbols": list(self.symbols),
            "native": self.native,
            "limits": ROOMY | dict(self.limits),
        }
        if self.native == "resign":
            signers = (self.master.address.lower(), *self.client_signers)
            written["client_signers"] = list(signers)
        return written


@dataclass
class LiveStack:
    """A running venue, and the proxy in front of it.

    Attributes:
        venue: the process that stands in for Hyperliquid.
        upstream_url: what the proxy takes for the venue: it, or something in between.
        folder: working directory of the proxy, with its tokens below `var/tokens`.
        traders: by id.
        url: where the proxy answers; empty while it does not run.
        settings: of the proxy, as variables.
    """

    venue: VenueUnderTest
    upstream_url: str
    folder: Path
    traders: dict[str, LiveTrader]
    settings: dict[str, str]
    url: str = ""
    process: "subprocess.Popen[str] | None" = None

    @property
    def accounts_path(self) -> Path:
        return self.folder / "accounts.yaml"

    def token(self, name: str) -> str:
        """Token of a trader, or of the `operator`."""
        return (self.folder / "var" / "tokens" / f"{name}.token").read_text().strip()

    def headers(self, name: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token(name)}"}

    def start(self, *options: str) -> str:
        """Start the proxy, on its old port where it had one; its address."""
        port = self.url.rpartition(":")[2] or "0"
        with (self.folder / "proxy.log").open("a") as log:
            self.process = subprocess.Popen(
                [command(), "serve", "--port", port, *options],
                cwd=self.folder,
                env=os.environ | self.settings,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, (self.folder / "proxy.log").read_text()[-3000:]
        self.url = line.split()[-1]
        return self.url

    def kill(self) -> None:
        """End the proxy as a power cut does."""
        assert self.process is not None
        self.process.kill()
        self.process.communicate()

    def stop(self) -> int:
        """End it in good order; its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=30)
        return self.process.returncode

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run another command of the proxy."""
        return subprocess.run(
            [command(), *arguments],
            cwd=self.folder,
            env=os.environ | self.settings,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    def write_accounts(self, *, network: str = "mainnet", **limits: Any) -> None:
        """Write the accounts file and the key files again."""
        for trader in self.traders.values():
            path = self.folder / "keys" / f"{trader.trader_id}.key"
            if not path.exists():
                write_key(path, bytes(trader.agent.key).hex())
        document = {
            "network": network,
            "limits": GLOBAL_LIMITS | ROOMY_OVERALL | limits,
            "accounts": [trader.entry() for trader in self.traders.values()],
        }
        self.accounts_path.write_text(yaml.safe_dump(document, sort_keys=False))


def command() -> str:
    return str(Path(sys.executable).with_name("hyperliquid-exchange"))


def nonce() -> int:
    """A number for a signature of a person."""
    return time.time_ns() // 1_000_000


def user_signed(venue: VenueUnderTest, signer: LocalAccount, kind: str, **fields: Any) -> Any:
    """Do with a wallet what only a person may; the venue's answer."""
    stamp = nonce()
    action = {"type": kind, **fields, "nonce": stamp}
    signature = signing.sign_agent(signer, action, True)
    return venue.post("/exchange", {"action": action, "nonce": stamp, "signature": signature})


def l1_signed(venue: VenueUnderTest, signer: LocalAccount, action: dict[str, Any]) -> Any:
    """Do what a master's own key may; the venue's answer."""
    stamp = nonce()
    signature = signing.sign_l1_action(signer, action, None, stamp, None, True)
    return venue.post("/exchange", {"action": action, "nonce": stamp, "signature": signature})


def approve(venue: VenueUnderTest, trader: LiveTrader, name: str = "proxy") -> None:
    """Let the agent of a trader act for its master, by the master's signature."""
    told = user_signed(
        venue,
        trader.master,
        "approveAgent",
        agentAddress=trader.agent.address,
        agentName=name,
    )
    assert told["status"] == "ok", told


def open_accounts(venue: VenueUnderTest, traders: Sequence[LiveTrader]) -> None:
    """Give the masters money, have them approve agents, and open sub-accounts."""
    for trader in traders:
        venue.info("clearinghouseState", user=trader.master.address)  # the faucet
        approve(venue, trader)
        trader.address = trader.master.address
        if trader.has_sub_account:
            told = l1_signed(venue, trader.master, {"type": "createSubAccount", "name": "live"})
            trader.address = told["response"]["data"]
            moved = {
                "type": "subAccountTransfer",
                "subAccountUser": trader.address,
                "isDeposit": True,
                "usd": 50_000_000_000,
            }
            assert l1_signed(venue, trader.master, moved)["status"] == "ok"


@contextmanager
def running_stack(
    folder: Path,
    *traders: LiveTrader,
    venue_options: Sequence[str] = (),
    upstream_url: str = "",
    starts: bool = True,
    venue: VenueUnderTest | None = None,
    settings: Mapping[str, str] = {},
    **venue_settings: Any,
) -> Iterator[LiveStack]:
    """Start the venue, open the accounts, and start the proxy.

    Args:
        folder: of everything.
        traders: of the proxy; one by default.
        venue_options: of the venue's command.
        upstream_url: what is put between the two; the venue itself when empty.
        starts: the proxy is started; else `LiveStack.start` does it.
        venue: one that runs already, and takes mainnet signatures.
        settings: further ones of the proxy, as variables.
        venue_settings: see `running_venue`.
    """
    chosen = traders or (LiveTrader("alice"),)
    options = ("--signatures", "mainnet", *venue_options)
    (folder / "venue").mkdir(parents=True, exist_ok=True)
    (folder / "proxy").mkdir(parents=True, exist_ok=True)
    if venue is not None:
        yield from _stack(folder, venue, chosen, upstream_url, settings, starts=starts)
        return
    with running_venue(folder / "venue", *options, **venue_settings) as started:
        yield from _stack(folder, started, chosen, upstream_url, settings, starts=starts)


def _stack(
    folder: Path,
    venue: VenueUnderTest,
    traders: Sequence[LiveTrader],
    upstream_url: str,
    settings: Mapping[str, str],
    *,
    starts: bool,
) -> Iterator[LiveStack]:
    open_accounts(venue, traders)
    stack = LiveStack(
        venue=venue,
        upstream_url=upstream_url or venue.url,
        folder=folder / "proxy",
        traders={trader.trader_id: trader for trader in traders},
        settings={
            "HYPERLIQUID_EXCHANGE_NETWORK": "mainnet",
            "HYPERLIQUID_EXCHANGE_ACCOUNTS": "accounts.yaml",
            "HYPERLIQUID_EXCHANGE_UPSTREAM_URL": upstream_url or venue.url,
            "HYPERLIQUID_EXCHANGE_WEIGHT_PER_MINUTE": "10000000",
            **settings,
        },
    )
    stack.write_accounts()
    if starts:
        stack.start()
    try:
        yield stack
    finally:
        if stack.process is not None and stack.process.poll() is None:
            stack.process.terminate()
            try:
                stack.process.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                stack.process.kill()
                stack.process.communicate()


def fetch(url: str, body: Any = None, headers: Mapping[str, str] = {}) -> tuple[int, str]:
    """Ask by HTTP; status and text, whatever they are."""
    data = None if body is None else json.dumps(body).encode()
    named = {"content-type": "application/json", **headers}
    request = urllib.request.Request(url, data=data, headers=named)
    try:
        with urllib.request.urlopen(request, timeout=LIMIT_S) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


__all__ = ["TRADER_LIMITS", "LiveStack", "LiveTrader", "fetch", "running_stack", "wallet"]
