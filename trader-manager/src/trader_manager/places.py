"""Where traders can run here, by the names that operators use."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from suite.clock import Clock
from suite.errors import ConfigError
from trader_manager.adapters.docker_containers import ContainerRules, DockerContainers
from trader_manager.adapters.kubernetes_pods import KubernetesPods, PodRules
from trader_manager.adapters.local_processes import FleetProcess, LocalProcesses
from trader_manager.application.agents import AgentHost
from trader_manager.application.claims import REPLICAS
from trader_manager.application.runtime import Runtime
from trader_manager.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The runtimes, by name, and what lets go of their connections."""

    runtimes: Mapping[str, Runtime]
    closing: tuple[Callable[[], Awaitable[None]], ...] = ()

    async def close(self) -> None:
        """Let go of connections; traders run on."""
        for close in self.closing:
            await close()


def open_places(settings: Settings, agents: AgentHost, clock: Clock, claims: Runtime) -> Places:
    """Make the runtimes that the settings ask for; nothing is started or asked.

    Args:
        settings: of the process.
        agents: puts traders into processes that host them.
        clock: the machine's.
        claims: of traders that replicas run.

    Raises:
        ConfigError: the runtime of traders that name none is not among them, or what one needs is
            not installed.
    """
    folder = settings.state_dir / "fleet"
    fleet = FleetProcess(folder, clock, plugins=settings.fleet_plugins)
    runtimes: dict[str, Runtime] = {
        "process": LocalProcesses(folder, clock),
        "fleet": fleet,
        REPLICAS: claims,
    }
    closing: list[Callable[[], Awaitable[None]]] = [fleet.close]
    if settings.docker_image:
        docker = _docker(settings, agents, clock)
        runtimes["docker"] = docker
        closing.append(docker.close)
    if settings.kubernetes_image:
        kubernetes = _kubernetes(settings, clock)
        runtimes["kubernetes"] = kubernetes
        closing.append(kubernetes.close)
    if settings.runtime not in runtimes:
        known = ", ".join(runtimes)
        raise ConfigError(
            f"TRADER_MANAGER_RUNTIME: there is no runtime {settings.runtime!r}; there are {known}"
        )
    return Places(runtimes=runtimes, closing=tuple(closing))


def _docker(settings: Settings, agents: AgentHost, clock: Clock) -> DockerContainers:
    _insist_on("docker", "TRADER_MANAGER_DOCKER_IMAGE")
    rules = ContainerRules(
        image=settings.docker_image,
        prefix=settings.docker_prefix,
        network=settings.docker_network,
        memory_mb=settings.docker_memory_mb,
        cpus=settings.docker_cpus,
    )
    return DockerContainers(rules, agents, clock)


def _kubernetes(settings: Settings, clock: Clock) -> KubernetesPods:
    _insist_on("kubernetes", "TRADER_MANAGER_KUBERNETES_IMAGE")
    storage = settings.kubernetes_storage
    rules = PodRules(
        image=settings.kubernetes_image,
        namespace=settings.kubernetes_namespace,
        prefix=settings.kubernetes_prefix,
        storage="" if storage == "none" else storage,
        storage_class=settings.kubernetes_storage_class,
        memory_mb=settings.kubernetes_memory_mb,
        cpus=settings.kubernetes_cpus,
    )
    return KubernetesPods(rules, clock)


def _insist_on(package: str, setting: str) -> None:
    """Make sure of an optional client library.

    Raises:
        ConfigError: it is not installed.
    """
    if find_spec(package) is None:
        raise ConfigError(
            f"{setting} needs the client library: pip install 'trader-manager[{package}]'"
        )
