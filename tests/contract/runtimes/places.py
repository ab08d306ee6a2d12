"""Where traders run: each runtime over something real, and the way to kill what it started."""

import json
import os
import signal
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import pytest
from pydantic import SecretStr
from tests.support.fake_cluster import FakeCluster
from tests.support.venue_process import VenueUnderTest

from suite.service.clock import SystemClock
from trader_manager.adapters.agent_http import AgentHttp
from trader_manager.adapters.docker_containers import ContainerRules, DockerContainers
from trader_manager.adapters.kubernetes_pods import KubernetesPods, PodRules
from trader_manager.adapters.local_processes import FleetProcess, LocalProcesses
from trader_manager.adapters.local_processes.kept import KeptProcess
from trader_manager.application.runtime import Launch, Runtime, Sighting

R = TypeVar("R", bound=Runtime)

SECRET: Final = "secret-of-a-model"
IMAGE: Final = os.environ.get("STRATEGY_AGENT_IMAGE", "autocryptotrader/strategy-agent:test")
NAMES: Final = ("anna", "bert")


class Place(ABC):
    """One runtime, and what tests do to it from outside.

    Args:
        folder: for what it keeps.
        venue: where its traders trade.
    """

    def __init__(self, folder: Path, venue: VenueUnderTest) -> None:
        self.folder = folder
        self.venue = venue

    def launch(self, name: str = "anna", *, generation: int = 1) -> Launch:
        return Launch(
            trader_id=name,
            written={
                "trader_id": name,
                "name": "${CALLED}",
                "strategy": {"kind": "hodl"},
                "symbols": ["BTC"],
                "interval": "1m",
            },
            secrets={"CALLED": SecretStr(SECRET)},
            generation=generation,
            venue_url=self.venue.url,
            data_url=self.venue.url,
            token=SecretStr(self.venue.token(name)),
            seed=3,
        )

    async def open(self) -> None:  # noqa: B027 - most have nothing to open
        """Make what the runtime talks to."""

    @abstractmethod
    def manager(self) -> Runtime:
        """The runtime of another manager: it knows what is there, and nothing else."""

    @abstractmethod
    async def kill(self, seen: Sighting) -> None:
        """Let a trader die as a crash does."""

    def written(self) -> str:
        """What is kept of traders where others may read it."""
        texts = (
            path.read_text(errors="replace")
            for path in self.folder.rglob("*")
            if path.is_file() and "tokens" not in path.parts
        )
        return "\n".join(texts)

    @abstractmethod
    async def close(self) -> None:
        """End what tests have left."""


class Processes(Place, Generic[R]):
    """Processes of this machine.

    Attributes:
        made: the runtime of each manager so far.
    """

    def __init__(self, folder: Path, venue: VenueUnderTest) -> None:
        super().__init__(folder, venue)
        self.made: list[R] = []

    @abstractmethod
    def make(self) -> R:
        """Make a runtime."""

    @abstractmethod
    def kept(self, made: R) -> Iterable[KeptProcess[Any]]:
        """Tell the processes that one of them knows."""

    def manager(self) -> R:
        self.made.append(self.make())
        return self.made[-1]

    async def kill(self, seen: Sighting) -> None:
        os.kill(seen.pid, signal.SIGKILL)

    async def close(self) -> None:
        for name in NAMES:
            await self.manager().stop(name)
        for made in self.made:
            if isinstance(made, FleetProcess):
                await made.close()
            for kept in self.kept(made):
                if kept._child is not None:
                    kept._child.wait()


class OneEach(Processes[LocalProcesses]):
    """A process for each trader."""

    def make(self) -> LocalProcesses:
        return LocalProcesses(self.folder, SystemClock())

    def kept(self, made: LocalProcesses) -> Iterable[KeptProcess[Any]]:
        return made._kept.values()


class Fleet(Processes[FleetProcess]):
    """One process for all."""

    def make(self) -> FleetProcess:
        return FleetProcess(self.folder, SystemClock())

    def kept(self, made: FleetProcess) -> Iterable[KeptProcess[Any]]:
        return (made._host,)


class Containers(Place):
    """A container for each trader, of a real engine."""

    def __init__(self, folder: Path, venue: VenueUnderTest) -> None:
        super().__init__(folder, venue)
        self._engine = engine()
        self._rules = ContainerRules(
            image=IMAGE, prefix=f"test-{uuid.uuid4().hex[:12]}", network="host"
        )
        self._managers: list[tuple[DockerContainers, AgentHttp]] = []

    def manager(self) -> Runtime:
        agents = AgentHttp()
        made = DockerContainers(self._rules, agents, SystemClock())
        self._managers.append((made, agents))
        return made

    async def kill(self, seen: Sighting) -> None:
        self._engine.api.kill(f"{self._rules.prefix}.anna")

    def written(self) -> str:
        """All that the engine tells of its containers, and what they said."""
        return "\n".join(
            f"{json.dumps(self._engine.api.inspect_container(one))} {self._engine.api.logs(one)}"
            for one in self._containers()
        )

    def _containers(self) -> list[str]:
        only = {"label": f"autocryptotrader.fleet={self._rules.prefix}"}
        return [one["Id"] for one in self._engine.api.containers(all=True, filters=only)]

    async def close(self) -> None:
        for manager, agents in self._managers:
            await manager.close()
            await agents.close()
        for one in self._containers():
            self._engine.api.remove_container(one, force=True)
        for volume in self._engine.volumes.list(filters={"name": self._rules.prefix}):
            volume.remove()
        self._engine.close()


class FakePods(Place):
    """A pod for each trader, of a FAKE cluster whose pods are real processes."""

    def __init__(self, folder: Path, venue: VenueUnderTest) -> None:
        super().__init__(folder, venue)
        self.cluster = FakeCluster(folder)
        self.rules = PodRules(image="strategy-agent:test")
        self._managers: list[KubernetesPods] = []

    async def open(self) -> None:
        await self.cluster.open()

    def manager(self) -> KubernetesPods:
        async def connect() -> Any:
            from kubernetes.aio import client

            return client.ApiClient(client.Configuration(host=self.cluster.url))

        self._managers.append(KubernetesPods(self.rules, SystemClock(), connect=connect))
        return self._managers[-1]

    async def kill(self, seen: Sighting) -> None:
        self.cluster.kill("trader.anna")

    def written(self) -> str:
        """All objects but Secrets, and what the pods wrote."""
        kinds = {kind: found for kind, found in self.cluster.objects.items() if kind != "secrets"}
        return f"{json.dumps(kinds)} {super().written()}"

    async def close(self) -> None:
        for manager in self._managers:
            await manager.close()
        await self.cluster.close()


def engine() -> Any:
    """The engine that DOCKER_HOST names; left out where it does not answer, or lacks the image."""
    import docker

    away = "no container engine answers; start one, or set DOCKER_HOST"
    if "DOCKER_HOST" not in os.environ and not Path("/var/run/docker.sock").exists():
        pytest.skip(away)  # not asked: the client leaves a socket open where nobody is
    try:
        client = docker.from_env(timeout=60)
        client.images.get(IMAGE)
    except docker.errors.ImageNotFound:
        pytest.skip(
            f"the engine has no image {IMAGE}: docker build --build-arg SERVICE=strategy-agent "
            f"-f deploy/docker/python-service.Dockerfile -t {IMAGE} ."
        )
    except docker.errors.DockerException:
        pytest.skip(away)
    return client


PLACES: Mapping[str, Callable[[Path, VenueUnderTest], Place]] = {
    "process": OneEach,
    "fleet": Fleet,
    "docker": Containers,
    "kubernetes": FakePods,
}
