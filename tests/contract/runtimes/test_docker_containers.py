"""What a container of a real engine has that a process has not: limits, a name, a volume."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.contract.runtimes.places import Containers
from tests.contract.runtimes.test_runtimes import answer, is_actual, seen
from tests.support.venue_process import VenueUnderTest

from suite.errors import ConfigError, UpstreamUnavailable
from suite.service.clock import SystemClock
from trader_manager.adapters.agent_http import AgentHttp
from trader_manager.adapters.docker_containers import ContainerRules, DockerContainers

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
async def place(tmp_path: Path, venue: VenueUnderTest) -> AsyncIterator[Containers]:
    made = Containers(tmp_path, venue)
    yield made
    await made.close()


def inspected(place: Containers, name: str = "anna") -> dict[str, Any]:
    found: dict[str, Any] = place._engine.api.inspect_container(f"{place._rules.prefix}.{name}")
    return found


async def test_it_may_do_little(place: Containers) -> None:
    """Not root, nothing of it can be written but its volume, bounded, and never restarted."""
    place._rules = replace(place._rules, memory_mb=300, cpus=0.5)
    await place.manager().start(place.launch())
    found = inspected(place)
    host, config = found["HostConfig"], found["Config"]
    assert (300 << 20, 300 << 20, 500_000_000) == (
        host["Memory"], host["MemorySwap"], host["NanoCpus"],
    )  # fmt: skip
    assert ("no", True, ["ALL"], 256) == (
        host["RestartPolicy"]["Name"], host["ReadonlyRootfs"], host["CapDrop"], host["PidsLimit"],
    )  # fmt: skip
    assert ["no-new-privileges:true"] == host["SecurityOpt"]
    assert "service" == config["User"]
    (mount,) = (one for one in found["Mounts"] if one["Type"] == "volume")
    assert (f"{place._rules.prefix}.anna", "/var/lib/service") == (
        mount["Name"], mount["Destination"],
    )  # fmt: skip


async def test_its_control_api_is_published_on_loopback_only(place: Containers) -> None:
    """On a bridge, which is the default; reads need the token there."""
    place._rules = replace(place._rules, network="bridge")
    runtime = place.manager()
    launch = replace(place.launch(), venue_url="http://venue:8100", data_url="http://venue:8100")
    await runtime.start(launch)
    ports = inspected(place)["NetworkSettings"]["Ports"]["8300/tcp"]
    assert ["127.0.0.1"] == [one["HostIp"] for one in ports]
    found = (await runtime.look_all())["anna"]
    assert found.control_url == f"http://127.0.0.1:{ports[0]['HostPort']}"
    assert ["anna"] == [row["trader_id"] for row in (await answer(found, "/status"))["traders"]]
    with pytest.raises(ConfigError, match="a container's own loopback"):
        await runtime.start(place.launch("bert"))


async def test_one_that_takes_too_much_memory_is_told_so(place: Containers) -> None:
    """By the engine, since it can say nothing itself."""
    place._rules = replace(place._rules, memory_mb=24)
    runtime = place.manager()
    with pytest.raises(UpstreamUnavailable, match=r"does not come up: it took more than 24 MiB"):
        await runtime.start(place.launch())
    assert "absent" == (await runtime.look("anna")).actual


async def test_one_that_was_just_being_started_is_nobody(place: Containers) -> None:
    """Its manager died before the trader was put into it: it is begun anew."""
    runtime = place.manager()
    await runtime.start(place.launch())
    prefix = place._rules.prefix
    place._engine.api.rename(f"{prefix}.anna", f"{prefix}_starting.1.anna")
    assert "absent" == (await runtime.look("anna")).actual
    await runtime.start(place.launch(generation=2))
    assert 2 == (await runtime.look("anna")).generation
    assert 1 == len(place._containers())


async def test_one_whose_manager_died_while_it_ended_has_not_crashed(place: Containers) -> None:
    """Its end was wanted."""
    runtime = place.manager()
    await runtime.start(place.launch())
    prefix = place._rules.prefix
    place._engine.api.rename(f"{prefix}.anna", f"{prefix}_ending.1.anna")
    assert "running" == (await runtime.look("anna")).actual
    place._engine.api.kill(f"{prefix}_ending.1.anna")
    await seen(runtime, "anna", is_actual("absent"))
    await runtime.stop("anna")
    assert [] == place._containers()


async def test_an_image_that_is_not_there_is_told(place: Containers) -> None:
    place._rules = replace(place._rules, image="nobody/has-this:ever")
    with pytest.raises(ConfigError, match="there is no image nobody/has-this:ever"):
        await place.manager().start(place.launch())


async def test_an_engine_that_is_away_is_told() -> None:
    """Nobody is taken for gone."""
    import docker

    agents = AgentHttp()
    runtime = DockerContainers(
        ContainerRules(image="any"),
        agents,
        SystemClock(),
        connect=lambda: docker.DockerClient(base_url="tcp://127.0.0.1:1"),
    )
    with pytest.raises(UpstreamUnavailable, match="the container engine does not answer"):
        await runtime.look_all()
    await agents.close()
