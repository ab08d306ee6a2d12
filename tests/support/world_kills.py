"""A world whose process is killed at a named point, and the clients who live on and ask again.

The points are the calls that reach the disk, before, amid and after each, and the moment between
what an input did and its answer. Clients are in another process, as in life: they repeat what got
no answer. What a power cut may take away, the bytes that no sync has covered, can be taken too.
"""

import asyncio
import multiprocessing
import os
import random
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec
from tests.support.prepared import PREPARED
from tests.support.wallets import Wallet
from tests.support.worlds import START_MS, MemorySource, random_source

from suite.bars import MINUTE_MS
from suite.clock import ManualClock
from suite.contracts.clock import WaitRequest, WakeOn, Want
from suite.contracts.venue import PlaceOrder
from suite.contracts.world import AccountRequest, Transfer, WorldRequest
from suite.errors import SuiteError
from virtual_exchange.adapters.world_journals import WorldFiles
from virtual_exchange.application.inputs import Acting, Join, Leave, Move, Open, Post, Send, Wait
from virtual_exchange.application.report.results import canonical_report
from virtual_exchange.application.session import Session, open_session
from virtual_exchange.application.worlds import Keeping, Worlds

NAMES = ("alice", "bob")
WANT = Want(fills=True, account=True, mids=True)
NOW_MS = 1_746_500_000_000
STEPS = 24
"""Of each trader."""
MOST_KILLS = 25
"""Of one run at moments of chance."""
_SOURCE: list[MemorySource] = []


def request() -> WorldRequest:
    return WorldRequest(
        symbols=("BTC", "ETH"),
        accounts=(
            AccountRequest(id="alice"),
            AccountRequest(id="bob"),
            AccountRequest(id="carol", address=Wallet(3).address),
        ),
        participants=NAMES,
        supervised=True,
    )


def source() -> MemorySource:
    """The market of all runs, made once."""
    if not _SOURCE:
        _SOURCE.append(random_source("BTC", "ETH", count=400))
    return _SOURCE[0]


# the process that is killed


class _Points:
    """Counts the calls that reach the disk, and ends the process at one of them."""

    def __init__(self, point: str, talk: Connection) -> None:
        self._point, self._talk = point, talk
        self._counts: dict[str, int] = {}
        for name in ("pwrite", "fdatasync"):
            setattr(os, name, self._around(name, getattr(os, name)))

    def _around(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(handle: int, *args: Any) -> Any:
            self.reach(name, "before")
            if name == "pwrite":
                data, at = bytes(args[0]), args[1]
                self.reach(name, "amid", lambda: real(handle, data[: len(data) // 2], at))
            result = real(handle, *args)
            if name == "fdatasync":
                self._talk.send(("synced", os.fstat(handle).st_size))
            self.reach(name, "after", count=True)
            return result

        return call

    def reach(
        self,
        name: str,
        phase: str,
        last: Callable[[], object] = lambda: None,
        *,
        count: bool = False,
    ) -> None:
        """Come to a point; it may be the end."""
        place = f"{name} {self._counts.get(name, 0)} {phase}"
        self._counts[name] = self._counts.get(name, 0) + count
        self._talk.send(("point", place))
        if place == self._point:
            last()
            os.kill(os.getpid(), signal.SIGKILL)


def serve(folder: str, point: str, talk: Connection, at_ms: int, *, sync: bool) -> None:
    """Hold the world, and let what is asked act on it."""
    asyncio.run(_serve(Path(folder), _Points(point, talk), talk, at_ms, sync=sync))


async def _serve(
    folder: Path, points: _Points, talk: Connection, at_ms: int, *, sync: bool
) -> None:
    worlds = Worlds(
        source=source(),
        clock=ManualClock(at_ms),
        keeping=Keeping(journals=WorldFiles(folder, sync=sync)),
    )
    kept = await worlds.restore()
    session = kept[0] if kept else await worlds.create(request(), world_id="w")
    while (asked := talk.recv()) is not None:
        answer = _answered(session, asked)
        points.reach("answer", "before", count=True)
        talk.send(("answer", answer))


def _answered(session: Session, asked: Any) -> Any:
    if asked == "report":
        return canonical_report(session.record())[1]
    try:
        came = session.take(asked)
        while session.barrier.move():
            pass
        if isinstance(asked, Wait):
            return msgspec.json.encode(came.result()) if came.done else None
    except SuiteError as error:
        return type(error).__name__
    return msgspec.json.encode(came) if isinstance(asked, Join) else "done"


# those who live on


@dataclass
class Run:
    """What a run has gone through.

    Attributes:
        points: that its first process came to.
        report: hash of its report at the end.
        kills: of its process.
    """

    points: list[str] = field(default_factory=list)
    report: str = ""
    kills: int = 0


class Venue:
    """The process, begun again wherever it was killed.

    Args:
        folder: of the journals.
        plan: at which point each life ends; beyond the last one, none does.
        power: what was not synced is lost with the process.
    """

    def __init__(self, folder: Path, plan: list[str], *, power: bool = False) -> None:
        self.run = Run()
        self._folder, self._plan, self._power = folder, list(plan), power
        self._lives = 0
        self._start()

    def ask(self, what: Any) -> Any:
        """Ask until there is an answer."""
        while True:
            try:
                self._talk.send(what)
                return self._answer()
            except (EOFError, ConnectionError):
                self._process.join(30)
                assert self._process.exitcode == -signal.SIGKILL, "it has ended by itself"
                self.run.kills += 1
                if self._power:
                    self._cut_power()
                self._start()

    def close(self) -> None:
        self._talk.send(None)
        self._process.join(30)

    def kill(self) -> None:
        """End it from outside, wherever it is."""
        if self._process.is_alive():
            self._process.kill()

    def _start(self) -> None:
        point = self._plan.pop(0) if self._plan else ""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PREPARED)
        self._talk, its = context.Pipe()
        self._lives += 1
        at_ms = NOW_MS + 1000 * self._lives
        self._process = context.Process(
            target=serve,
            args=(str(self._folder), point, its, at_ms),
            kwargs={"sync": self._power},
            daemon=True,
        )
        self._process.start()
        its.close()
        self._synced = 0

    def _answer(self) -> Any:
        while True:
            match self._talk.recv():
                case ("point", place):
                    if self._lives == 1:
                        self.run.points.append(place)
                case ("synced", size):
                    self._synced = size
                case ("answer", answer):
                    return answer

    def _cut_power(self) -> None:
        for path in self._folder.glob("*.world"):
            if path.stat().st_size > self._synced:
                os.truncate(path, self._synced)


def trade(folder: Path, plan: list[str], *, power: bool = False) -> Run:
    """Let two traders, an operator and a wallet use the world to its end, whatever dies.

    Args:
        folder: of the journals.
        plan: as of `Venue`.
        power: as of `Venue`.
    """
    return _use(Venue(folder, plan, power=power))


def killed_anywhere(folder: Path, draw: random.Random) -> Run:
    """The same, while the process is killed from outside at moments of chance."""
    venue, done = Venue(folder, []), threading.Event()

    def kill() -> None:
        while not done.wait(draw.uniform(0.002, 0.15)):
            venue.kill()

    def enough() -> None:
        if venue.run.kills >= MOST_KILLS:
            done.set()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        return _use(venue, enough)
    finally:
        done.set()
        killer.join()


def _use(venue: Venue, between: Callable[[], object] = lambda: None) -> Run:
    steps = STEPS
    replies = {n: _reply(venue.ask(Join(account=n, want=WANT))) for n in range(len(NAMES))}
    asked: dict[int, Wait] = {}
    turn = 0
    while not all(reply["ended"] for reply in replies.values()):
        turn += 1
        between()
        for n, reply in replies.items():
            if n not in asked:
                asked[n] = Wait(account=n, request=decided(n, reply, steps))
                venue.ask(asked[n])
        for n, it in tuple(asked.items()):
            if (answer := venue.ask(it)) is not None:
                replies[n] = _reply(answer)
                del asked[n]
        for other in _meanwhile(turn, replies[0]["now_ms"]):
            venue.ask(other)
    for n in range(len(NAMES)):
        venue.ask(Leave(account=n))
    venue.run.report = venue.ask("report")
    venue.close()
    return venue.run


def _reply(answer: Any) -> Any:
    return msgspec.json.decode(answer)


def decided(account: int, reply: Any, steps: int) -> WaitRequest:
    """Decide by chance and by what was seen.

    Args:
        account: who.
        reply: that it was woken with.
        steps: after which it sleeps to the end.
    """
    step = reply["step_seq"] + 1
    last = step >= steps
    draw = random.Random(f"{account} {step} {reply['mids']} {len(reply['fills'])}")
    orders = []
    for _ in range(draw.randrange(3)):
        coin = draw.choice(("BTC", "ETH"))
        mid = Decimal(reply["mids"][coin])
        off = Decimal(draw.choice(("0", "0.999", "1.001", "0.99")))
        orders.append(
            PlaceOrder(
                coin=coin,
                is_buy=draw.random() < 0.5,
                sz=Decimal(draw.choice(("0.01", "0.02"))),
                limit_px=(mid * off).quantize(Decimal(1)),
                reduce_only=draw.random() < 0.2,
            )
        )
    until_ms = START_MS + 400 * MINUTE_MS if last else reply["now_ms"] + 15 * MINUTE_MS
    wake_on = WakeOn(fill=draw.random() < 0.3)
    return WaitRequest(
        step_seq=step, until_ms=until_ms, orders=tuple(orders), wake_on=wake_on, want=WANT
    )


def _meanwhile(step: int, now_ms: int) -> list[Acting[Any]]:
    """What others do between two steps: a wallet signs, the operator moves money, one comes."""
    found: list[Acting[Any]] = []
    if step % 3 == 1:
        action = {"type": "updateLeverage", "asset": step % 2, "isCross": True, "leverage": step}
        body = Wallet(3).signed(action, nonce=NOW_MS + step)
        found.append(Post(body=msgspec.json.encode(body)))
    if step % 4 == 2:
        order = PlaceOrder(coin="ETH", is_buy=True, sz=Decimal("0.05"), limit_px=Decimal(0))
        found.append(Send(account=2, action=order, key=f"k{step}", fingerprint=b"one"))
    if step % 5 == 3:
        moved = Transfer(from_="bob", to="carol", usd_micro=step, idempotency_key=f"t{now_ms}")
        found.append(Move(transfer=moved))
    if step == 7:
        found.append(Open(accounts=(AccountRequest(id="dora"),)))
    return found


def warm() -> None:
    """Play a little, so that children find everything compiled and loaded."""
    session = open_session(request(), source=source(), clock=ManualClock(NOW_MS))
    session.take(Join(account=0, want=WANT))
    session.world.play(100)
    canonical_report(session.record())
