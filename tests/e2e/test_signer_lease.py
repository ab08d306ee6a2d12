"""One signer, two machines: the database says who signs, and nobody signs who cannot ask."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.postgres_servers import TestServer, running

from hyperliquid_exchange.adapters.database_probe import look_at_database
from hyperliquid_exchange.adapters.signer_lease import SignerLease
from hyperliquid_exchange.adapters.signer_ownership import Holder
from suite.errors import UpstreamUnavailable

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]
LEASE_S, BEAT_S = 1.5, 0.3


@pytest.fixture(scope="module")
def server() -> Iterator[TestServer]:
    with pytest.MonkeyPatch.context() as patch, running("package", patch) as found:
        yield found


def test_database_says_how_it_is(server: TestServer) -> None:
    """Line 23 of the checklist; and that one that is not there is told without its address."""
    seen = asyncio.run(look_at_database(server.empty()))
    assert seen is not None
    assert seen.waits_for_disk
    assert seen.version.split(".")[0].isdecimal()
    assert asyncio.run(look_at_database("embedded://var/pg")) is None
    with pytest.raises(UpstreamUnavailable, match="cannot be used") as caught:
        asyncio.run(look_at_database("postgresql://anna:secret@127.0.0.1:9/nothing"))
    assert "secret" not in str(caught.value)


class Machine:
    """A process that wants the signer, with a folder of its own."""

    def __init__(self, url: str, folder: Path, host: str) -> None:
        args = [sys.executable, "-m", "tests.support.signer_leases"]
        self.process = subprocess.Popen(
            [*args, url, str(folder / host), host, str(LEASE_S)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def until(self, word: str, most: int = 500) -> list[str]:
        """Read lines up to one that begins with a word; all of them, and not too many."""
        lines = [self.line()]
        while not lines[-1].startswith(word):
            assert lines[-1], lines[-5:]
            assert len(lines) < most, f"still {lines[-1]}"
            lines.append(self.line())
        return lines

    def end(self, how: int = signal.SIGTERM) -> list[str]:
        self.process.send_signal(how)
        rest, _ = self.process.communicate(timeout=30)
        return rest.splitlines()


@pytest.fixture
def start(server: TestServer, tmp_path: Path) -> Iterator[Callable[[str], Machine]]:
    url, machines = server.empty(), list[Machine]()

    def begin(host: str) -> Machine:
        machines.append(Machine(url, tmp_path, host))
        return machines[-1]

    yield begin
    for machine in machines:
        if machine.process.poll() is None:
            machine.process.kill()
        assert machine.process.stdout is not None
        machine.process.stdout.close()
        machine.process.wait()


def signed(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("signed")]


def end_its_connections(server: TestServer) -> None:
    """As a failover, a proxy in between or an administrator does."""
    server.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'hyperliquid_exchange'"
    )


def test_second_machine_is_refused_until_the_first_says_goodbye(
    start: Callable[[str], Machine],
) -> None:
    first = start("one")
    first.until("signed")
    second = start("two")
    (refused,) = second.until("refused")
    assert "process 0 on one has it in the database" in refused
    first.end()
    third = start("three")
    assert third.line() == "taken"
    third.until("signed")


def test_machine_that_was_stopped_and_lost_its_lock_never_signs_again(
    start: Callable[[str], Machine], server: TestServer
) -> None:
    """Stopped for longer than its lease; meanwhile another was let in."""
    first = start("one")
    first.until("signed")
    os.kill(first.process.pid, signal.SIGSTOP)
    end_its_connections(server)
    second = start("two")
    second.until("signed")
    os.kill(first.process.pid, signal.SIGCONT)
    # what it had told before it was stopped comes first
    first.until("not owner")
    later = [first.line() for _ in range(50)]
    assert later == ["not owner"] * 50
    assert signed(first.end()) == []
    assert len(signed(second.end())) > 0


def test_connection_that_ends_is_made_again_where_nobody_came_between(
    start: Callable[[str], Machine], server: TestServer
) -> None:
    """Nothing is signed while the owner cannot ask; then it goes on as before."""
    only = start("one")
    only.until("signed")
    end_its_connections(server)
    only.until("not owner")
    only.until("signed")


async def test_who_comes_after_a_crash_waits_for_as_long_as_the_other_may_sign(
    server: TestServer,
) -> None:
    """Longer than the lease of the one before; not at all after one that has said goodbye."""
    url, waits, signer = await asyncio.to_thread(server.empty), list[float](), "0x" + "ab" * 20

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(3600 if seconds == BEAT_S else 0)

    def lease(host: str) -> SignerLease:
        me = Holder(pid=1, host=host, since_ms=1)
        return SignerLease(url, me, lease_s=LEASE_S, beat_s=BEAT_S, sleep=sleep)

    for host, wait in (("one", []), ("two", []), ("three", [LEASE_S * 1.2])):
        waits.clear()
        owner = lease(host)
        await owner.take([signer])
        assert [seconds for seconds in waits if seconds != BEAT_S] == wait
        owner.check(signer)
        if host == "two":
            owner._epochs.clear()  # it crashes: nothing is said
        await owner.close()
