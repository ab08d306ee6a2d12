"""Who has a signer, between machines: a lock, an epoch and a time.

The lock of the database ends with its connection, and the owner may not know that yet: it was
stopped, or the network was. So an owner signs for a few seconds only after it has made sure that
lock and epoch are its own, by a clock that goes on while it is stopped; and who comes after one
that did not say goodbye waits for longer than that before its first signature.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable
from importlib.resources import files
from typing import Final, Protocol

import structlog

from suite.errors import InUse, NotOwner, SuiteError, UpstreamUnavailable, one_line
from suite.service.database import Database
from suite.service.migrations import read_migrations
from suite.service.sql import Row

LEASE_S: Final = 5.0
"""How long an owner signs without having made sure again."""
BEAT_S: Final = 1.0
"""Between two looks."""
_CALL_S: Final = 2.0
_MARGIN: Final = 1.2
"""By how much two machines' seconds may differ, and more."""

_log = structlog.get_logger(__name__)


class Process(Protocol):
    """This process, as others are told of it."""

    @property
    def pid(self) -> int: ...
    @property
    def host(self) -> str: ...
    @property
    def since_ms(self) -> int: ...


def boot_time_s() -> float:
    """Seconds that go on while the process, and on Linux the machine, is suspended."""
    clock: int | None = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class SignerLease:
    """The signers that this process has in the database.

    Args:
        url: of the database, see `suite.service.database`.
        me: this process.
        lease_s: as `LEASE_S`.
        beat_s: as `BEAT_S`.
        seconds: a clock that goes on whatever becomes of the process.
        sleep: waits.
    """

    def __init__(
        self,
        url: str,
        me: Process,
        *,
        lease_s: float = LEASE_S,
        beat_s: float = BEAT_S,
        seconds: Callable[[], float] = boot_time_s,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._database = Database(
            url,
            schema="hyperliquid_exchange",
            migrations=read_migrations(
                files("hyperliquid_exchange.adapters.signer_lease") / "migrations"
            ),
            connections=2,
            timeout_s=_CALL_S,
        )
        self._me = me
        self._lease_s = lease_s
        self._beat_s = beat_s
        self._seconds = seconds
        self._sleep = sleep
        self._epochs: dict[str, int] = {}
        self._until: dict[str, float] = {}
        self._lost: dict[str, str] = {}
        self._beating: asyncio.Task[None] | None = None

    async def take(self, signers: Iterable[str]) -> None:
        """Take signers, all of them or none, and keep them until `close`.

        After an owner that did not say goodbye this takes as long as that one may still sign.

        Raises:
            InUse: another process has one; it is named.
            ConfigError, UpstreamUnavailable, UpstreamTimeout: of the database.
        """
        await self._database.open()
        try:
            waits = [await self._take_one(signer) for signer in signers]
            if wait := max(waits, default=0.0):
                _log.warning("signer_taken_over", wait_s=wait)
                await self._sleep(wait)
            await self._beat()
            self._refuse_lost()
        except BaseException:
            await self.close()
            raise
        self._beating = asyncio.get_running_loop().create_task(self._keep())

    def check(self, signer: str) -> None:
        """Make sure; a local look.

        Raises:
            NotOwner: another has it, or nobody can say.
        """
        if self._seconds() < self._until.get(signer, 0.0):
            return
        why = self._lost.get(signer, "the database has not said so for too long")
        raise NotOwner(f"the signer {signer} may be another's: {why}")

    async def close(self) -> None:
        """Sign no more, and say goodbye, so that the next one need not wait."""
        self._until.clear()
        if self._beating is not None:
            self._beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beating
            self._beating = None
        mine = {signer: it for signer, it in self._epochs.items() if signer not in self._lost}
        self._epochs.clear()
        if mine:
            with contextlib.suppress(SuiteError):
                async with self._database.transaction() as connection:
                    for signer, epoch in mine.items():
                        await connection.execute(
                            "UPDATE signers SET released = true WHERE signer = $1 AND epoch = $2",
                            signer,
                            epoch,
                        )
        await self._database.close()

    async def _take_one(self, signer: str) -> float:
        """Take a signer; how long the one before may still sign, seconds."""
        if not await self._database.hold(signer):
            raise InUse(
                f"the signer {signer} is in use: {await self._holder(signer)} has it in the "
                "database; one key, one process: stop that one first"
            )
        async with self._database.transaction() as connection:
            before = await connection.fetchrow(
                "SELECT epoch, released, lease_s FROM signers WHERE signer = $1 FOR UPDATE", signer
            )
            epoch = 1 if before is None else before["epoch"] + 1
            await connection.execute(
                "INSERT INTO signers (signer, epoch, pid, host, since_ms, lease_s, released)"
                " VALUES ($1, $2, $3, $4, $5, $6, false) ON CONFLICT (signer) DO UPDATE SET"
                " epoch = $2, pid = $3, host = $4, since_ms = $5, lease_s = $6, released = false",
                signer,
                epoch,
                self._me.pid,
                self._me.host,
                self._me.since_ms,
                self._lease_s,
            )
        self._epochs[signer] = epoch
        return 0.0 if before is None or before["released"] else before["lease_s"] * _MARGIN

    async def _keep(self) -> None:
        while True:
            await self._sleep(self._beat_s)
            await self._beat()

    async def _beat(self) -> None:
        """Make sure of every signer that is not lost."""
        held = [signer for signer in self._epochs if signer not in self._lost]
        for signer in held:
            start = self._seconds()
            try:
                is_held = await self._database.hold(signer)
                row = await self._row(signer)
            except SuiteError as error:
                # at once: the lock is gone, and whoever has it now may be signing soon
                if isinstance(error, UpstreamUnavailable):
                    self._until.pop(signer, None)
                _log.warning("signer_not_confirmed", signer=signer, reason=one_line(str(error)))
                continue
            if row is None or row["epoch"] != self._epochs[signer]:
                self._until.pop(signer, None)
                self._lost[signer] = f"{_named(row)} has it in the database"
                _log.error("signer_lost", signer=signer, reason=self._lost[signer])
            elif is_held:
                self._until[signer] = start + self._lease_s
            else:  # somebody who is about to say so, or an own connection that is not dead yet
                self._until.pop(signer, None)

    def _refuse_lost(self) -> None:
        for signer, why in self._lost.items():
            raise InUse(f"the signer {signer} is in use: {why}")

    async def _row(self, signer: str) -> Row | None:
        async with self._database.transaction() as connection:
            return await connection.fetchrow(
                "SELECT epoch, pid, host FROM signers WHERE signer = $1", signer
            )

    async def _holder(self, signer: str) -> str:
        return _named(await self._row(signer))


def _named(row: Row | None) -> str:
    return "another process" if row is None else f"process {row['pid']} on {row['host']}"
