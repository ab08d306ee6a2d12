"""A venue process that is killed, and clients over HTTP who live on and ask again."""

import os
import random
import resource
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import msgspec
from tests.support.stores import make_store
from tests.support.world_kills import WANT, decided

COINS = ("BTC", "ETH")
NAMES = ("alice", "bob")
MINUTES = 2880
LIMIT_S = 5.0
"""After which a client asks again."""
JSON = {"content-type": "application/json"}


class Refused(Exception):
    """The venue has answered that it does not do it."""


class KeptVenue:
    """Serves; begun again in the same folder after every kill.

    Args:
        folder: of the process.
        most_bytes: that any of its files may have; None for any number.
    """

    def __init__(self, folder: Path, *, most_bytes: int | None = None) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)
        self._store = make_store(folder / "var" / "data", *COINS, minutes=MINUTES)
        self.most_bytes = most_bytes
        self.kills = 0
        self.process: subprocess.Popen[str] | None = None
        self.begin()

    def begin(self) -> None:
        """Start it."""
        command = [str(Path(sys.executable).with_name("virtual-exchange")), "serve", "--port", "0"]
        self.process = subprocess.Popen(
            [*command, "--data", str(self._store)],
            cwd=self._folder,
            stdout=subprocess.PIPE,
            env=os.environ | {"VIRTUAL_EXCHANGE_LOG_LEVEL": "error"},
            text=True,
            preexec_fn=self._limit if self.most_bytes else None,  # noqa: PLW1509 - one thread
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the venue did not start"
        self.url = line.split()[-1]

    def _limit(self) -> None:
        assert self.most_bytes is not None
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.most_bytes, self.most_bytes))

    def kill(self) -> None:
        """End it where it is, without a word, and begin it again."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._let_go()
        self.kills += 1
        self.begin()

    def close(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self._let_go()

    def _let_go(self) -> None:
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()

    def operator(self) -> str:
        return (self._folder / "var" / "tokens" / "operator.token").read_text().strip()

    def call(self, method: str, path: str, token: str, body: Any = None) -> httpx.Response:
        """Ask once."""
        return httpx.request(
            method,
            self.url + path,
            headers={"authorization": f"Bearer {token}", **JSON},
            content=None if body is None else msgspec.json.encode(body),
            timeout=60,
        )


class KeptWorld:
    """Two traders of a supervised world; each repeats what got no answer.

    Args:
        venue: serves it.
        to: its end.
    """

    def __init__(self, venue: KeptVenue, to: str) -> None:
        self.venue = venue
        reply = venue.call(
            "POST",
            "/worlds",
            venue.operator(),
            {
                "symbols": COINS,
                "from": "2025-05-05",
                "to": to,
                "accounts": [{"id": name} for name in NAMES],
                "supervised": True,
            },
        )
        assert reply.status_code == 201, reply.text
        made = reply.json()
        self.id: str = made["world_id"]
        self.tokens: dict[str, str] = made["tokens"]
        self.turns = 0
        self._replies: dict[int, Any] = {}
        self.given_up = threading.Event()

    def status(self) -> Any:
        return self.venue.call("GET", f"/worlds/{self.id}", self.venue.operator()).json()

    def report(self) -> Any:
        reply = self.venue.call("GET", f"/worlds/{self.id}/report", self.venue.operator())
        assert reply.status_code == 200, reply.text
        return reply.json()

    def play(self) -> str:
        """Let both trade to the end, from where they are; the hash of the report."""
        self.given_up.clear()
        with ThreadPoolExecutor(len(NAMES)) as pool:
            for done in [pool.submit(self._trade, n) for n in range(len(NAMES))]:
                done.result()
        pause = threading.Event()
        while True:  # it may be killed while it is asked for the report as well
            try:
                return str(self.report()["sha256"])
            except httpx.TransportError:
                if self.given_up.is_set():
                    raise
                pause.wait(0.02)

    def _trade(self, number: int) -> None:
        with httpx.Client(timeout=LIMIT_S) as client:
            try:
                if number not in self._replies:
                    self._replies[number] = self._ask(client, number, "join", {"want": WANT})
                while not (reply := self._replies[number])["ended"]:
                    step = decided(number, reply, 10**9)
                    self._replies[number] = self._ask(client, number, "wait", step)
                    self.turns += 1
            except BaseException:
                self.given_up.set()
                raise

    def _ask(self, client: httpx.Client, number: int, what: str, body: Any) -> Any:
        """Ask until there is an answer."""
        pause = threading.Event()
        while True:
            try:
                reply = client.post(
                    f"{self.venue.url}/w/{self.id}/clock/{what}",
                    headers={"authorization": f"Bearer {self.tokens[NAMES[number]]}", **JSON},
                    content=msgspec.json.encode(body),
                )
            except httpx.TransportError:
                if self.given_up.is_set():
                    raise
                pause.wait(0.02)
                continue
            if reply.status_code != 200:
                raise Refused(reply.text)
            return reply.json()


def killed_by_chance(venue: KeptVenue, world: KeptWorld, seed: int, kills: int) -> str:
    """Let a world be traded to its end while its process is killed; the hash of its report.

    Args:
        venue: of the world.
        world: nobody has traded in it yet.
        seed: of the moments.
        kills: how many, or fewer where the world ends before.
    """
    draw = random.Random(seed)
    before = venue.kills
    with ThreadPoolExecutor(1) as pool:
        playing = pool.submit(world.play)
        try:
            while not playing.done() and venue.kills - before < kills:
                seen = world.turns
                # the next one comes when time has gone on since the last
                while world.turns == seen and not playing.done():
                    threading.Event().wait(0.005)
                threading.Event().wait(draw.uniform(0, 0.1))
                if not playing.done():
                    venue.kill()
        except BaseException:
            world.given_up.set()
            raise
        return playing.result()
