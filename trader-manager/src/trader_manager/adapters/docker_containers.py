"""Traders as containers of one engine, through its API: each with its own image's isolation.

A container is a `strategy-agent host` of one trader: it starts empty, and the trader is put into it
by its control API. So secrets and tokens are in its memory only: neither in the image, nor in what
`docker inspect` shows (environment, command, labels, mounts), nor on a disk. What is said of it:

    name `PREFIX.ID`               it runs, or has crashed
    name `PREFIX_starting.MS.ID`   the trader was not put into it yet; whoever finds it begins anew
    name `PREFIX_ending.MS.ID`     its end is wanted, so an exit of it is no crash
    labels                         the trader, its generation and world, when it was started
    volume `PREFIX.ID`             journal, memory and token of the control API

No prefix has a dot or an underline in it, so each name is that of one trader of one manager; one of
more than 63 letters has a digest for the id.
The engine restarts nothing: what becomes of one that ended is the supervisor's to say.
"""

import asyncio
import hashlib
import io
import os
import re
import tarfile
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr

from suite.clock import Clock
from suite.errors import ConfigError, SuiteError, UpstreamRefused, UpstreamUnavailable, one_line
from trader_manager.application.agents import AgentHost
from trader_manager.application.runtime import Launch, Sighting
from trader_manager.domain.agent_words import control_url, last_line
from trader_manager.domain.reserved import agent_settings

T = TypeVar("T")

_LABEL: Final = "autocryptotrader"
_PORT: Final = 8300
_HOME: Final = "/var/lib/service"
_TOKEN: Final = f"{_HOME}/var/tokens/operator.token"
_STOP_S: Final = 30
_BEGIN_S: Final = 60.0
"""Until its control API answers."""
_CALL_S: Final = 20
_PAUSE_S: Final = 0.1
_FIRST_BYTES: Final = 1 << 16
"""Of what it said, in which it says where its control API is."""
_NAME_MAX: Final = 63
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRules:
    """How containers are made.

    Attributes:
        image: of strategy-agent, see `deploy/docker`.
        prefix: of their names; one for each manager of an engine.
        network: `bridge`, where control APIs are published on this machine's loopback; `host`; or
            the name of a network, by whose addresses this process reaches them.
        memory_mb, cpus: of one trader at most.
    """

    image: str
    prefix: str = "trader"
    network: str = "bridge"
    memory_mb: int = 512
    cpus: float = 1.0


@dataclass(frozen=True, slots=True)
class _Found:
    """A container, as the engine lists it."""

    ident: str
    name: str
    trader_id: str
    generation: int
    world: str
    started_ms: int
    runs: bool
    listed: Mapping[str, Any]


class DockerContainers:
    """A `Runtime` of a container engine.

    Args:
        rules: how containers are made.
        agents: puts traders into them.
        wall: the machine's clock.
        connect: opens the engine's client; by the environment (`DOCKER_HOST`) when not given.
    """

    def __init__(
        self,
        rules: ContainerRules,
        agents: AgentHost,
        wall: Clock,
        *,
        connect: Callable[[], Any] | None = None,
    ) -> None:
        self._rules = rules
        self._agents = agents
        self._wall = wall
        self._connect = connect or _by_environment
        self._client: Any = None
        self._opening = asyncio.Lock()
        self._controls: dict[str, tuple[str, SecretStr]] = {}
        self._reasons: dict[str, str] = {}

    async def close(self) -> None:
        """Let go of the connections to the engine; the containers run on."""
        if self._client is not None:
            await asyncio.to_thread(self._client.close)
            self._client = None

    async def start(self, launch: Launch) -> None:
        """Start a trader; nothing where it runs already.

        Raises:
            ConfigError: the image is not there, or a container cannot reach the venue.
            SuiteError: the engine refuses, or the agent does.
        """
        self._check(launch)
        for found in await self._of(launch.trader_id):
            if found.runs and found.name == self._name(launch.trader_id):
                return
            await self._end(found)
        now_ms = self._wall.now_ms()
        name = name_of(self._rules.prefix, launch.trader_id, f"_starting.{now_ms}")
        made = await self._ask(lambda client: self._create(client, launch, name, now_ms))
        try:
            await self._ask(lambda client: client.api.start(made))
            control = await self._answering(made)
            there = Sighting(actual="running", control_url=control[0], control_token=control[1])
            await self._agents.host(launch, there)
            named = self._name(launch.trader_id)
            await self._ask(lambda client: client.api.rename(made, named))
        except SuiteError:
            with suppress(SuiteError):
                await self._ask(lambda client: client.api.remove_container(made, force=True))
            raise

    async def stop(self, trader_id: str) -> None:
        """End a trader in order, and by force where it does not; nothing where it does not run."""
        for found in await self._of(trader_id):
            await self._end(found)

    async def look(self, trader_id: str) -> Sighting:
        """See what a trader is doing."""
        found = await self._of(trader_id)
        seen = [await self._sighting(one) for one in found]
        there = [one for one in seen if one.actual != "absent"]
        return there[0] if there else Sighting(actual="absent")

    async def look_all(self) -> Mapping[str, Sighting]:
        """See what all traders are doing: one question to the engine."""
        seen: dict[str, Sighting] = {}
        found = await self._list({})
        for one in found:
            sighting = await self._sighting(one)
            if seen.get(one.trader_id, sighting).actual == "absent" or one.trader_id not in seen:
                seen[one.trader_id] = sighting
        known = {one.ident for one in found}
        for kept in (self._controls, self._reasons):
            for gone in [ident for ident in kept if ident not in known]:
                del kept[gone]
        return seen

    async def forget(self, trader_id: str) -> None:
        """Let go of a trader that does not run; its volume stays."""
        for found in await self._of(trader_id):
            if not found.runs:
                await self._remove(found)

    # one container

    def _name(self, trader_id: str) -> str:
        return name_of(self._rules.prefix, trader_id)

    def _check(self, launch: Launch) -> None:
        if _NAME.fullmatch(launch.trader_id) is None:
            raise ConfigError(f"{launch.trader_id[:64]!r} is no name of a trader")
        for url in (launch.venue_url, launch.data_url):
            host = urlsplit(url).hostname or ""
            if host in _LOOPBACK and self._rules.network != "host":
                raise ConfigError(
                    f"{url} is a container's own loopback: name the venue as containers reach it "
                    "in TRADING_URL, or set TRADER_MANAGER_DOCKER_NETWORK=host"
                )

    def _create(self, client: Any, launch: Launch, name: str, now_ms: int) -> str:
        """Create a container that holds nobody yet; its identity."""
        rules, api = self._rules, client.api
        is_host, is_bridge = rules.network == "host", rules.network == "bridge"
        host_config = api.create_host_config(
            network_mode=rules.network,
            port_bindings={_PORT: ("127.0.0.1", None)} if is_bridge else None,
            binds=[f"{name_of(rules.prefix, launch.trader_id)}:{_HOME}"],
            restart_policy={"Name": "no"},
            mem_limit=f"{rules.memory_mb}m",
            memswap_limit=f"{rules.memory_mb}m",
            nano_cpus=round(rules.cpus * 1e9),
            pids_limit=256,
            init=True,
            read_only=True,
            tmpfs={"/tmp": "size=64m,noexec", "/var/cache/service": "size=128m,mode=1777"},  # noqa: S108
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            log_config={"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
        )
        environment = {
            **agent_settings(os.environ),
            "TRADING_URL": launch.venue_url,
            "DATA_SERVICE_URL": launch.data_url,
            "STRATEGY_AGENT_SEED": str(launch.seed),
            "STRATEGY_AGENT_HOSTS_PLUGINS": "true",  # it is alone in there
            "STRATEGY_AGENT_HOST": "127.0.0.1" if is_host else "0.0.0.0",  # noqa: S104
            "TRUSTED_NETWORK": "false" if is_host else "true",
        }
        made = api.create_container(
            rules.image,
            ["host", "--homes", "homes", "--control-port", "0" if is_host else str(_PORT)],
            name=name,
            ports=[_PORT] if is_bridge else None,
            environment=environment,
            labels={
                f"{_LABEL}.fleet": rules.prefix,
                f"{_LABEL}.trader": launch.trader_id,
                f"{_LABEL}.generation": str(launch.generation),
                f"{_LABEL}.world": launch.world,
                f"{_LABEL}.started_ms": str(now_ms),
            },
            host_config=host_config,
        )
        return str(made["Id"])

    async def _answering(self, ident: str) -> tuple[str, SecretStr]:
        """Wait until its control API answers; where, and with which token.

        Raises:
            UpstreamUnavailable: it does not come up, and the last it said.
        """
        deadline = asyncio.get_running_loop().time() + _BEGIN_S
        while asyncio.get_running_loop().time() < deadline:
            (found,) = await self._list({"id": ident}) or (None,)
            if found is None or not found.runs:
                break
            if control_url(await self._first_words(ident)):
                url, token = await self._control(found)
                if url:
                    return url, token
            await asyncio.sleep(_PAUSE_S)
        memory_mb = self._rules.memory_mb
        why = await self._ask(lambda client: _reason_of(client, ident, memory_mb))
        raise UpstreamUnavailable(f"its container does not come up: {why}")

    async def _control(self, found: _Found) -> tuple[str, SecretStr]:
        """Find its control API and the token for it, once; empty before there is one.

        What it said is read only where that alone tells the port: where it is this machine's.
        """
        known = self._controls.get(found.ident)
        if known is not None:
            return known
        if self._rules.network == "host":
            url = control_url(await self._first_words(found.ident))
        elif self._rules.network == "bridge":
            ports = [port.get("PublicPort") for port in found.listed.get("Ports", ())]
            url = next((f"http://127.0.0.1:{port}" for port in ports if port), "")
        else:
            address = _address_in(self._rules.network, found.listed)
            url = f"http://{address}:{_PORT}" if address else ""
        if not url:
            return "", SecretStr("")
        token = SecretStr(await self._ask(lambda client: _file_in(client, found.ident, _TOKEN)))
        self._controls[found.ident] = url, token
        return url, token

    async def _first_words(self, ident: str) -> str:
        """Read the beginning of what a container said; nothing where it is gone."""
        return await self._ask(lambda client: _said_first(client, ident)) or ""

    async def _sighting(self, found: _Found) -> Sighting:
        if found.name != self._name(found.trader_id):
            is_ending = found.name.startswith(f"{self._rules.prefix}_ending.")
            if not (found.runs and is_ending):
                return Sighting(actual="absent")
        seen = Sighting(
            actual="running" if found.runs else "crashed",
            generation=found.generation,
            world=found.world,
            started_ms=found.started_ms,
        )
        if not found.runs:
            return replace(seen, reason=await self._reason(found))
        try:
            url, token = await self._control(found)
        except SuiteError as error:  # it may go this moment, or be where nobody reaches it
            return replace(seen, reason=str(error))
        return replace(seen, control_url=url, control_token=token)

    async def _reason(self, found: _Found) -> str:
        """Find out why it is gone: what the engine knows, else the last it said."""
        if found.ident not in self._reasons:
            self._reasons[found.ident] = await self._ask(
                lambda client: _reason_of(client, found.ident, self._rules.memory_mb)
            )
        return self._reasons[found.ident]

    async def _end(self, found: _Found) -> None:
        """End a container in order, and take it away."""
        name = name_of(self._rules.prefix, found.trader_id, f"_ending.{found.started_ms}")
        if found.runs:
            if found.name != name:
                await self._ask(lambda client: client.api.rename(found.ident, name))
            await self._ask(lambda client: client.api.stop(found.ident, timeout=_STOP_S))
        await self._remove(found)

    async def _remove(self, found: _Found) -> None:
        await self._ask(lambda client: client.api.remove_container(found.ident, force=True))
        self._controls.pop(found.ident, None)
        self._reasons.pop(found.ident, None)

    # the engine

    async def _of(self, trader_id: str) -> list[_Found]:
        return await self._list({"label": f"{_LABEL}.trader={trader_id}"})

    async def _list(self, only: Mapping[str, str]) -> list[_Found]:
        """List containers of this manager's; one that names no trader stands under its own name."""
        labels = [f"{_LABEL}.fleet={self._rules.prefix}"]
        filters = {key: value for key, value in only.items() if key != "label"}
        if "label" in only:
            labels.append(only["label"])
        listed = await self._ask(
            lambda client: client.api.containers(all=True, filters={**filters, "label": labels})
        )
        return [_found(one) for one in listed or ()]

    async def _ask(self, do: Callable[[Any], T]) -> T:
        """Ask the engine, in a thread: its client waits.

        Raises:
            ConfigError: the image is not there.
            UpstreamUnavailable: the engine does not answer.
            UpstreamRefused: it refuses, in its words.
        """
        import docker
        import requests

        try:
            async with self._opening:
                if self._client is None:
                    self._client = await asyncio.to_thread(self._connect)
            return await asyncio.to_thread(do, self._client)
        except docker.errors.ImageNotFound:
            raise ConfigError(
                f"there is no image {self._rules.image} at the engine: build it, see "
                "docs/trader-manager.md, or pull it"
            ) from None
        except docker.errors.NotFound:
            return None  # type: ignore[return-value]
        except docker.errors.APIError as error:
            raise UpstreamRefused(f"the engine: {one_line(str(error.explanation))}") from None
        except (docker.errors.DockerException, requests.RequestException) as error:
            said = one_line(str(error))
            raise UpstreamUnavailable(f"the container engine does not answer: {said}") from None


def _by_environment() -> Any:
    import docker

    return docker.from_env(timeout=_STOP_S + _CALL_S)


def _address_in(network: str, listed: Mapping[str, Any]) -> str:
    """Find the address of a container in a network; empty before it has one.

    Raises:
        UpstreamRefused: it is in none of that name: it began with another setting.
    """
    networks = (listed.get("NetworkSettings") or {}).get("Networks") or {}
    if network not in networks:
        raise UpstreamRefused(
            f"its container is not in the network {network!r} of TRADER_MANAGER_DOCKER_NETWORK: "
            "stop the trader and start it again"
        )
    return str((networks[network] or {}).get("IPAddress") or "")


def name_of(prefix: str, trader_id: str, state: str = "") -> str:
    """Name the container of a trader, and its volume: of 63 letters at most, and of one trader.

    Args:
        prefix: of the manager's names.
        trader_id: whose.
        state: `_starting.MS` or `_ending.MS`; nothing for one that runs, and for the volume.
    """
    name = f"{prefix}{state}.{trader_id}"
    if len(name) <= _NAME_MAX:
        return name
    digest = hashlib.sha256(trader_id.encode()).hexdigest()
    begin = f"{prefix}{state or '_of'}."
    return f"{begin}{digest[: min(24, _NAME_MAX - len(begin))]}"


def _found(listed: Mapping[str, Any]) -> _Found:
    marks, name = listed.get("Labels") or {}, listed["Names"][0].removeprefix("/")
    runs = listed["State"] in {"running", "paused"}
    try:
        trader_id = marks[f"{_LABEL}.trader"]
        generation, started_ms = (
            int(marks[f"{_LABEL}.{label}"]) for label in ("generation", "started_ms")
        )
    except (KeyError, ValueError):  # somebody else's, with the label of this manager
        trader_id, generation, started_ms = f"container {name}", 0, 0
    return _Found(
        ident=listed["Id"],
        name=name,
        trader_id=trader_id,
        generation=generation,
        world=marks.get(f"{_LABEL}.world", ""),
        started_ms=started_ms,
        runs=runs,
        listed=listed,
    )


def _said_first(client: Any, ident: str) -> str:
    """Read the beginning of what it said, up to where its control API is, and a bound."""
    said = b""
    told = client.api.logs(ident, stdout=True, stderr=True, stream=True, follow=False)
    with closing(told):
        for piece in told:
            said += piece
            if control_url(said.decode(errors="replace")) or len(said) > _FIRST_BYTES:
                break
    return said.decode(errors="replace")


def _said(client: Any, ident: str, tail: int) -> str:
    said: bytes = client.api.logs(ident, stdout=True, stderr=True, tail=tail)
    return said.decode(errors="replace")


def _reason_of(client: Any, ident: str, memory_mb: int) -> str:
    state = client.api.inspect_container(ident)["State"]
    if state.get("OOMKilled"):
        return f"it took more than {memory_mb} MiB of memory"
    if state.get("Error"):
        return one_line(str(state["Error"]))
    said = last_line(_said(client, ident, tail=20))
    how = "it runs, and does not answer" if state["Running"] else f"exit code {state['ExitCode']}"
    return how + (f": {said}" if said else "")


def _file_in(client: Any, ident: str, path: str) -> str:
    """Read a small file of a container."""
    chunks, _ = client.api.get_archive(ident, path)
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        member = archive.extractfile(archive.getmembers()[0])
        return member.read().decode().strip() if member is not None else ""
