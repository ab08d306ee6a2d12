"""What a pod has that a process has not, on the FAKE cluster: a name that is the fence."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.contract.runtimes.places import FakePods
from tests.contract.runtimes.test_runtimes import is_actual, seen
from tests.support.venue_process import VenueUnderTest

from suite.errors import Conflict, UpstreamRefused, UpstreamTimeout, UpstreamUnavailable
from trader_manager.adapters.kubernetes_pods import PodRules, pods

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
async def place(tmp_path: Path, venue: VenueUnderTest) -> AsyncIterator[FakePods]:
    made = FakePods(tmp_path, venue)
    await made.open()
    yield made
    await made.close()


async def test_a_look_at_all_is_one_call(place: FakePods) -> None:
    """Once their tokens are known."""
    runtime = place.manager()
    for name in ("anna", "bert"):
        await runtime.start(place.launch(name))
    assert {"anna", "bert"} == set(await runtime.look_all())
    place.cluster.calls.clear()
    await runtime.look_all()
    assert ["GET /api/v1/namespaces/default/pods"] == place.cluster.calls


async def test_one_whose_node_is_away_is_not_doubled(
    place: FakePods, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pod is there until the node says that it is gone: nobody else is begun."""
    monkeypatch.setattr(pods, "_GONE_S", 0.3)
    runtime = place.manager()
    await runtime.start(place.launch())
    with monkeypatch.context() as away:
        away.setattr(place.cluster, "_end", _nothing)
        with pytest.raises(UpstreamTimeout, match="may trade there yet, so no other is begun"):
            await runtime.stop("anna")
        assert "running" == (await runtime.look("anna")).actual
        with pytest.raises(UpstreamTimeout, match="does not go"):
            await runtime.start(place.launch(generation=2))
    assert 1 == (await runtime.look("anna")).generation


async def test_of_two_who_start_one_at_a_time_one_does(place: FakePods) -> None:
    """The other is told."""
    first, second = place.manager(), place.manager()
    await first.start(place.launch())

    async def unseen(*_: str) -> None:
        return None

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(second, "_read", unseen)
        with pytest.raises(Conflict, match="somebody started it"):
            await second.start(place.launch())


async def test_a_world_that_ends_is_no_crash(place: FakePods) -> None:
    """Its pod has succeeded; a start takes it away first."""
    runtime = place.manager()
    await runtime.start(place.launch())
    pod = place.cluster.objects["pods"]["trader.anna"]
    pod["status"]["phase"] = "Succeeded"
    assert ("ended", "") == (
        (await runtime.look("anna")).actual,
        (await runtime.look("anna")).reason,
    )
    await runtime.start(place.launch(generation=2))
    assert 2 == (await seen(runtime, "anna", is_actual("running"))).generation


async def test_what_is_forgotten_leaves_its_disk_only(place: FakePods) -> None:
    """No secret stays."""
    runtime = place.manager()
    await runtime.start(place.launch())
    await runtime.forget("anna")
    assert "running" == (await runtime.look("anna")).actual, "it runs, so it is not let go"
    await runtime.stop("anna")
    await runtime.forget("anna")
    left = {kind: set(found) for kind, found in place.cluster.objects.items()}
    assert {
        "pods": set(), "secrets": set(), "configmaps": set(),
        "persistentvolumeclaims": {"trader.anna"},
    } == left  # fmt: skip


async def test_a_cluster_that_refuses_or_is_away_is_told(place: FakePods) -> None:
    """In its words; nobody is taken for gone."""
    runtime = place.manager()
    place.rules = PodRules(image="i", namespace="elsewhere")
    with pytest.raises(UpstreamRefused, match="the cluster: "):
        await place.manager().start(place.launch())
    await place.cluster.close()
    with pytest.raises(UpstreamUnavailable, match="the cluster does not answer"):
        await runtime.look_all()


async def _nothing(name: str, pod: object) -> None:
    """A node that is away."""
