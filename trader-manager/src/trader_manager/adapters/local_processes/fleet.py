"""Many traders in one process of this machine, for code that is trusted.

    ROOT/.fleet/process.json      which process it is, see `kept`
    ROOT/.fleet/traders/ID.json   that a trader was put there, with which configuration and when
    ROOT/ID/var                   journal and memory of a trader, as in a process of its own

The process is `strategy-agent host`: it begins with the first trader and ends after the last one.
Traders come and go by its control API; their secrets and tokens go there over loopback, in bodies
of requests that need the operator's token, and stand neither in its environment nor in a file. It
outlives this one; where it dies, all that were in it have crashed, and each is begun anew from what
it remembers.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from pydantic import SecretStr

from suite.clock import Clock
from suite.errors import (
    BadRequest,
    ConfigError,
    Conflict,
    NotFound,
    StorageError,
    SuiteError,
    UpstreamTimeout,
    UpstreamUnavailable,
    one_line,
)
from suite.service.http import bearer
from suite.service.statuses import fault_of
from trader_manager.adapters.local_processes.kept import (
    KeptProcess,
    Process,
    environment_of,
)
from trader_manager.application.runtime import Launch, Sighting, seen_as
from trader_manager.domain.agent_words import control_url, last_line

_STOP_S: Final = 60.0
"""Its traders cancel their entries side by side, and there may be a thousand."""
_RELEASE_S: Final = 25.0
_STALLED_S: Final = 5.0
_SILENT_S: Final = 20.0
"""Without any answer: then the process is ended by force."""
_BEGIN_S: Final = 30.0
"""Until its control API answers."""
_ANSWER_S: Final = 15.0
_PAUSE_S: Final = 0.05
_AT_A_TIME: Final = 16
"""Requests to the process; each trader that comes also connects to its venue."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}")
_PLUGIN: Final = "plugin:"


class _Silent(UpstreamUnavailable):
    """The process does not answer, or nobody is at home in it."""


class _Host(Process, frozen=True, kw_only=True):
    """Which process hosts the traders.

    Attributes:
        venue_url, data_url, seed: that it was started with, alike for all traders.
        last_words: of the one before it, the reason for which those crashed that were there.
    """

    venue_url: str = ""
    data_url: str = ""
    seed: int = 0
    last_words: str = ""


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """That a trader was put into a process.

    Attributes:
        process: which one, by pid and birth.
        generation: of its configuration.
        started_ms: when, epoch ms.
        world: that its token is of.
    """

    process: str
    generation: int
    started_ms: int
    world: str = ""


@dataclass(slots=True)
class _Places:
    """What was read of `traders/` last, and the folder's time then."""

    at_ns: int = -1
    known: dict[str, _Place] = field(default_factory=dict)


class FleetProcess:
    """A `Runtime` of this machine: one process for all.

    Args:
        root: folder of the traders' folders.
        wall: the machine's clock.
        plugins: take code of others into it.
    """

    def __init__(self, root: Path, wall: Clock, *, plugins: bool = False) -> None:
        folder = root / ".fleet"
        homes = ("--homes", str(root.resolve()))
        self._host = KeptProcess(folder, ("host", *homes, "--control-port", "0"), _Host)
        self._folder = folder / "traders"
        self._wall = wall
        self._plugins = plugins
        self._places = _Places()
        self._begins = asyncio.Lock()
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(_ANSWER_S, connect=2.0, pool=None),
            limits=httpx.Limits(max_connections=_AT_A_TIME),
            trust_env=False,
        )

    async def close(self) -> None:
        """Let go of connections; the traders run on."""
        await self._client.aclose()

    async def start(self, launch: Launch) -> None:
        """Start a trader; nothing where it runs already.

        Raises:
            ConfigError: it is a plugin's, or its venue is another than that of the others.
            SuiteError: the process cannot be started, or does not take it.
        """
        name = launch.trader_id
        self._check(launch)
        async with self._begins:
            host = await self._begun(launch)
            before = self._read().get(name)
            there = before is not None and before.process == _identity(host)
            if there and await self._row(host, name) is not None:
                return
            place = _Place(
                process=_identity(host),
                generation=launch.generation,
                started_ms=self._wall.now_ms(),
                world=launch.world,
            )
            self._put(name, place)
        try:
            await self._ask(host, "PUT", f"/instances/{name}", json=launch.hosted())
        except (BadRequest, Conflict):  # whoever is there under its name was not begun with this
            self._drop(name)
            raise

    async def stop(self, trader_id: str) -> None:
        """End a trader in order; with the last one ends the process.

        One that does not end while the process answers is told; where that does not answer any
        more nobody trades, so it is ended by force and the others begin anew.

        Raises:
            UpstreamTimeout: the trader does not end.
        """
        try:
            async with self._begins:
                host = None if self._alive() is None else await self._answering()
            if host is not None:
                await self._released(host, trader_id)
        except _Silent:
            await self._host.stop(0.0)
        self._drop(trader_id)
        async with self._begins:
            if not self._read():
                await self._host.stop(_STOP_S)

    async def look(self, trader_id: str) -> Sighting:
        """See what a trader is doing."""
        host, place = self._alive(), self._read().get(trader_id)
        row: Mapping[str, Any] | None = {}
        if host is not None:
            with suppress(SuiteError):  # what it does is not known
                row = await self._row(host, trader_id)
        return self._seen_in(host)(place, row)

    async def look_all(self) -> Mapping[str, Sighting]:
        """See what all of them are doing: one question to the process, however many they are."""
        host = self._alive()
        rows: dict[str, Mapping[str, Any]] | None = None
        if host is not None:
            with suppress(SuiteError):  # what they do is not known
                told = (await self._ask(host, "GET", "/status"))["traders"]
                rows = {row["trader_id"]: row for row in told}
        seen, places = self._seen_in(host), self._read()
        if rows is None:
            return {name: seen(place, {}) for name, place in places.items()}
        names = dict.fromkeys((*places, *rows))
        return {name: seen(places.get(name), rows.get(name)) for name in names}

    async def forget(self, trader_id: str) -> None:
        """Let go of a trader that does not run; what it wrote stays."""
        self._drop(trader_id)

    # the process

    def _check(self, launch: Launch) -> None:
        kind = str((launch.written.get("strategy") or {}).get("kind", ""))
        if kind.startswith(_PLUGIN) and not self._plugins:
            raise ConfigError(
                f"{launch.trader_id} is a plugin's, code of others beside all traders of the "
                "fleet's process: let it run in runtime process, or set "
                "TRADER_MANAGER_FLEET_PLUGINS=true where it is trusted"
            )
        if _NAME.fullmatch(launch.trader_id) is None:
            raise ConfigError(f"{launch.trader_id[:64]!r} is no name of a trader")

    def _alive(self) -> _Host | None:
        """Find the process that runs."""
        noted = self._host.noted()
        if noted is None:
            return None
        if self._host.alive() is None and (noted.pid or self._host.found() is None):
            return None
        return self._host.noted()

    async def _begun(self, launch: Launch) -> _Host:
        """Find the process, or start it and wait until it answers.

        Raises:
            ConfigError: it trades elsewhere.
            UpstreamUnavailable: it does not come up.
            StorageError: its folder cannot be written.
        """
        host = self._alive()
        if host is None and self._host.found() is not None:
            host = self._host.noted()
        if host is not None:
            there = (host.venue_url, host.data_url, host.seed)
            if there != (launch.venue_url, launch.data_url, launch.seed):
                raise ConfigError(
                    f"the fleet's process trades at {host.venue_url or 'an unknown venue'}, and "
                    f"{launch.trader_id} at {launch.venue_url}, or with another seed or other "
                    "data: stop all traders of the fleet first, so that it begins anew"
                )
            return host
        before = self._host.noted()
        begun = _Host(
            started_ms=self._wall.now_ms(),
            venue_url=launch.venue_url,
            data_url=launch.data_url,
            seed=launch.seed,
            last_words="" if before is None else last_line(self._host.said(before)),
        )
        environment = environment_of(launch, {})
        if self._plugins:
            environment["STRATEGY_AGENT_HOSTS_PLUGINS"] = "true"
        try:
            self._host.start(begun, environment)
        except OSError as error:
            raise StorageError(f"cannot start the fleet's process: {error}") from None
        return await self._answering()

    async def _answering(self) -> _Host:
        deadline = asyncio.get_running_loop().time() + _BEGIN_S
        while (host := self._alive()) is not None:
            if control_url(self._host.said(host)):
                return host
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(_PAUSE_S)
        noted = self._host.noted()
        said = "" if noted is None else last_line(self._host.said(noted))
        raise _Silent(f"the fleet's process does not come up: {said or 'no word'}")

    async def _released(self, host: _Host, trader_id: str) -> None:
        """Have a trader ended in order, and wait until it has.

        A question that is not answered is asked again: one connection that broke is nobody's end.

        Raises:
            _Silent: the process does not answer for so long, or stands still.
            UpstreamTimeout: the trader does not end.
        """
        now_s = asyncio.get_running_loop().time
        answered_s = now_s()
        deadline, asked = answered_s + _RELEASE_S, False
        while True:
            try:
                if not asked:
                    await self._stalled_s(host)  # how long that will have been counts from here on
                    with suppress(NotFound, UpstreamTimeout):  # it goes on to its end
                        await self._ask(host, "DELETE", f"/instances/{trader_id}?returns=true")
                    asked = True
                if await self._row(host, trader_id) is None:
                    return
                answered_s = now_s()
            except _Silent:
                if self._alive() is None or now_s() > answered_s + _SILENT_S:
                    raise
            else:
                if answered_s > deadline:
                    raise await self._why_not_ended(host, trader_id)
            await asyncio.sleep(_PAUSE_S)

    async def _why_not_ended(self, host: _Host, trader_id: str) -> SuiteError:
        """Find out whether a trader does not end, or its process does nothing at all."""
        with suppress(_Silent):
            if await self._stalled_s(host) > _STALLED_S:
                return _Silent("the fleet's process stands still")
        return UpstreamTimeout(
            f"{trader_id} does not end in the fleet's process; it is asked again"
        )

    async def _row(self, host: _Host, trader_id: str) -> Mapping[str, Any] | None:
        """Read what the process says of a trader; None where it is not there."""
        try:
            row: Mapping[str, Any] = await self._ask(host, "GET", f"/instances/{trader_id}")
        except NotFound:
            return None
        return row

    async def _ask(self, host: _Host, method: str, path: str, **more: Any) -> Any:
        """Ask the process.

        Raises:
            UpstreamUnavailable: it does not answer.
            SuiteError: it refuses, in its words.
        """
        reply = await self._reply(host, method, path, **more)
        if reply.is_error:
            raise fault_of(reply.status_code)(one_line(reply.text))
        return msgspec.json.decode(reply.content)

    async def _stalled_s(self, host: _Host) -> float:
        """Ask for how long its event loop has stood still since it was asked before."""
        health = msgspec.json.decode((await self._reply(host, "GET", "/health")).content)
        return float(health.get("stalled_s", 0.0))

    async def _reply(self, host: _Host, method: str, path: str, **more: Any) -> httpx.Response:
        url = control_url(self._host.said(host))
        if not url:
            raise _Silent("the fleet's process does not answer yet")
        headers = bearer(self._host.operator_token())
        try:
            return await self._client.request(method, url + path, headers=headers, **more)
        except httpx.HTTPError as error:
            said = f"the fleet's process does not answer: {type(error).__name__}"
            raise _Silent(said) from None

    def _seen_in(
        self, host: _Host | None
    ) -> Callable[[_Place | None, Mapping[str, Any] | None], Sighting]:
        """Read once what is alike for all, and say by it what is seen of each.

        Args:
            host: the process that runs.

        Returns:
            Takes where a trader was put, and what the process says of it: None that it is not
            there, empty where it says nothing.
        """
        noted = self._host.noted() if host is None else host
        said = "" if noted is None else self._host.said(noted)
        token = SecretStr(self._host.operator_token())

        def seen(place: _Place | None, row: Mapping[str, Any] | None) -> Sighting:
            begun = Sighting(actual="absent")
            if place is not None:
                begun = replace(
                    begun,
                    generation=place.generation,
                    world=place.world,
                    started_ms=place.started_ms,
                )
            if place is not None and (host is None or place.process != _identity(host)):
                same = noted is not None and place.process == _identity(noted)
                words = last_line(said) if same else "" if noted is None else noted.last_words
                return replace(begun, actual="crashed", reason=words)
            if host is None or row is None or not (place or row):
                return Sighting(actual="absent")
            there = replace(
                begun,
                actual="running",
                control_url=control_url(said),
                control_token=token,
                pid=host.pid,
            )
            return seen_as(row, there)

        return seen

    # where traders were put

    def _read(self) -> Mapping[str, _Place]:
        """Read where traders were put; again only where something has changed."""
        try:
            at_ns = self._folder.stat().st_mtime_ns
        except OSError:
            return {}
        if at_ns != self._places.at_ns:
            known = {}
            for path in sorted(self._folder.glob("*.json")):
                try:
                    known[path.stem] = msgspec.json.decode(path.read_bytes(), type=_Place)
                except (OSError, msgspec.MsgspecError):
                    continue
            self._places = _Places(at_ns, known)
        return self._places.known

    def _put(self, trader_id: str, place: _Place) -> None:
        path = self._folder / f"{trader_id}.json"
        beside = path.with_suffix(".new")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._read()
            beside.write_bytes(msgspec.json.encode(place))
            beside.replace(path)
            self._places.known[trader_id] = place
            self._places.at_ns = self._folder.stat().st_mtime_ns
        except OSError as error:
            raise StorageError(f"cannot start {trader_id}: {error}") from None

    def _drop(self, trader_id: str) -> None:
        if trader_id in self._read():
            (self._folder / f"{trader_id}.json").unlink(missing_ok=True)
            self._places.known.pop(trader_id, None)
            self._places.at_ns = self._folder.stat().st_mtime_ns


def _identity(host: _Host) -> str:
    return f"{host.pid} {host.birth}"
