"""The venue as a process, for clients that know nothing but its address."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from tests.support.stores import make_store

COINS = ("BTC", "ETH", "SOL")
MINUTES = 20_000
SPEED = 1200.0
"""An hour of the world in three seconds: funding comes while a test waits. Such a world ends after
a thousand seconds, and trading is halted there: what takes longer chooses a slower one."""
LIMIT_S = 10.0

T = TypeVar("T")
_Done = Callable[[T], object]


@dataclass
class VenueUnderTest:
    """A venue and who may trade there.

    Attributes:
        name: of the venue.
        url: its address, without a slash at the end.
        keys: what fresh private keys are made of.
        key: the one key there is, where no other has money.
        is_strict: it takes mainnet signatures alone.
        folder: working directory of the process, None where it is not ours.
    """

    name: str
    url: str
    folder: Path | None = None
    key: str | None = None
    is_strict: bool = False
    keys: Iterator[int] = field(default_factory=lambda: count(1))

    def headers(self, wallet: LocalAccount | None = None) -> dict[str, str]:
        """What a request of a wallet's owner carries besides; nothing at a venue without tokens."""
        del wallet
        return {}

    @property
    def ws_url(self) -> str:
        return "ws" + self.url.removeprefix("http") + "/ws"

    def wallet(self) -> LocalAccount:
        """A key whose account has money: a new one, where an address gets it by being named."""
        if self.key is not None:
            known: LocalAccount = Account.from_key(self.key)
            return known
        wallet: LocalAccount = Account.from_key(keccak(text=f"{self.name} {next(self.keys)}"))
        self.info("clearinghouseState", user=wallet.address)
        return wallet

    def info(self, kind: str, **more: Any) -> Any:
        return self.post("/info", {"type": kind, **more})

    def post(self, path: str, body: Any, token: str | None = None) -> Any:
        headers = {"content-type": "application/json", **self.headers()}
        if token is not None:
            headers["authorization"] = f"Bearer {self.token(token)}"
        request = urllib.request.Request(
            self.url + path, data=json.dumps(body).encode(), headers=headers
        )
        with urllib.request.urlopen(request, timeout=LIMIT_S) as reply:
            return json.load(reply)

    def get(self, path: str) -> Any:
        request = urllib.request.Request(self.url + path, headers=self.headers())
        with urllib.request.urlopen(request, timeout=LIMIT_S) as reply:
            return json.load(reply)

    def token(self, name: str) -> str:
        assert self.folder is not None
        return (self.folder / "var" / "tokens" / f"{name}.token").read_text().strip()

    def mid(self, coin: str) -> float:
        return float(self.info("allMids")[coin])

    def price(self, coin: str, factor: float) -> float:
        """A price on the lattice of every coin, at a multiple of the present one."""
        return float(f"{self.mid(coin) * factor:.4g}")


@contextmanager
def running_venue(
    folder: Path,
    *options: str,
    coins: tuple[str, ...] = COINS,
    minutes: int = MINUTES,
    speed: float | None = SPEED,
    **settings: object,
) -> Iterator[VenueUnderTest]:
    """Serve synthetic markets, by default at many times the speed of life.

    Args:
        folder: working directory of the process.
        options: of the command.
        coins: of the market.
        minutes: of it.
        speed: of a world that moves by itself; None where the options choose another clock.
        settings: of the service.
    """
    store = make_store(folder / "var" / "data", *coins, minutes=minutes)
    command = [str(Path(sys.executable).with_name("virtual-exchange")), "serve", "--port", "0"]
    named = {"faucet": 100_000, **settings}
    clock = () if speed is None else ("--clock", "paced", "--speed", f"{speed:g}")
    choice = ("--symbols", ",".join(coins), *clock)
    with subprocess.Popen(
        [*command, "--data", str(store), *choice, *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        env=os.environ | {f"VIRTUAL_EXCHANGE_{k.upper()}": str(v) for k, v in named.items()},
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the venue did not start"
        try:
            yield VenueUnderTest("virtual-exchange", line.split()[-1], folder)
        finally:
            process.send_signal(signal.SIGTERM)


def eventually(read: Callable[[], T], until: _Done[T] = bool, limit_s: float = LIMIT_S) -> T:
    """Read again and again until it is as wanted, and return it."""
    pause, end = threading.Event(), time.monotonic() + limit_s
    while not until(found := read()):
        assert time.monotonic() < end, f"still {found!r:.500} after {limit_s:g} s"
        pause.wait(0.02)
    return found
