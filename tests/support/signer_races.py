"""Processes that want the same signer, and write down every signature that they make.

A child of a prepared server starts in milliseconds, so a thousand races are a matter of a minute.
"""

import multiprocessing
import os
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec

from hyperliquid_exchange.adapters.keystore import AgentKey
from hyperliquid_exchange.adapters.nonce_file import NonceFiles
from hyperliquid_exchange.adapters.signer_ownership import SignerOwnership, this_process
from hyperliquid_exchange.adapters.signing import AgentSigner
from hyperliquid_exchange.domain.accounts import LiveAccount, TraderLimits
from suite.contracts.hyperliquid_exchange import Noop
from suite.errors import NotOwner, SuiteError
from suite.fixed import Rate, Usd
from suite.ids import TraderId
from suite.service.clock import SystemClock

ANNA = TraderId("anna")
KEY = bytes.fromhex("17" * 32)
PRELOAD = ["tests.support.signer_races", "hyperliquid.utils.signing"]


def account(signer: str) -> LiveAccount:
    limits = TraderLimits(
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
    return LiveAccount(
        trader_id=ANNA,
        address="0x" + "22" * 20,
        master="0x" + "22" * 20,
        signer=signer,
        native="forward",
        client_signers=(),
        symbols=("BTC",),
        limits=limits,
    )


def contend(folder: str, talk: Connection) -> None:
    """Try to take the signer, tell whether it worked, and sign as often as told, owner or not."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    key, clock = AgentKey(KEY), SystemClock()
    ownership = SignerOwnership(Path(folder) / "signers", this_process(clock))
    nonces = NonceFiles(Path(folder) / "nonces", clock)
    signer = AgentSigner(
        {ANNA: account(key.address)}, {key.address: key}, network="testnet", ownership=ownership
    )
    talk.recv()
    why = ""
    try:
        ownership.take([key.address])
    except SuiteError as error:
        why = str(error)
    talk.send(why)
    while (count := talk.recv()) is not None:
        talk.send(_signed(signer, nonces, key.address, count))


def _signed(signer: AgentSigner, nonces: NonceFiles, address: str, count: int) -> list[int]:
    """Nonces of the signatures that could be made."""
    made = []
    for _ in range(count):
        try:
            nonce = nonces.next(address)
            sent = signer.sign(ANNA, Noop(), nonce=nonce, expires_ms=None)
        except NotOwner:
            continue
        made.append(msgspec.json.decode(sent)["nonce"])
    return made


@dataclass
class Contender:
    """One of them, as the test talks to it."""

    process: Any
    talk: Connection

    def sign(self, count: int) -> list[int]:
        self.talk.send(count)
        made: list[int] = self.talk.recv()
        return made

    def end(self, *, by_kill: bool) -> None:
        if by_kill:
            os.kill(self.process.pid, signal.SIGKILL)
        else:
            self.talk.send(None)
        self.process.join(20)
        assert not self.process.is_alive()
        self.process.close()
        self.talk.close()


class Racecourse:
    """Makes contenders for the signer of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOAD)

    def enter(self) -> Contender:
        mine, its = self._context.Pipe()
        process = self._context.Process(target=contend, args=(str(self._folder), its), daemon=True)
        process.start()
        its.close()
        return Contender(process, mine)

    def race(self, count: int) -> tuple[list[Contender], list[str]]:
        """Let several try at once; them, and what each was told (empty for the winner)."""
        runners = [self.enter() for _ in range(count)]
        for runner in runners:
            runner.talk.send("go")
        return runners, [runner.talk.recv() for runner in runners]


def race_for_a_signer(folder: Path, rounds: int) -> dict[str, int]:
    """Race, and count: wins, signatures of winners and of losers, nonces that were used twice."""
    course, seen = Racecourse(folder), set[int]()
    counts = {"wins": 0, "by_winner": 0, "by_loser": 0, "nonces_twice": 0}
    for number in range(rounds):
        runners, told = course.race(2)
        counts["wins"] += told.count("")
        for runner, why in zip(runners, told, strict=True):
            made = runner.sign(3)
            counts["by_loser" if why else "by_winner"] += len(made)
            counts["nonces_twice"] += len(seen.intersection(made))
            seen.update(made)
            if why:
                assert "is in use" in why
        for runner in runners:
            runner.end(by_kill=number % 2 == 0)
    return counts
