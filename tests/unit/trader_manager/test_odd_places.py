"""What container engine and cluster answer, where it is not as expected."""

import io
import re
import tarfile
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from suite.clock import ManualClock
from suite.errors import UpstreamRefused
from trader_manager.adapters.docker_containers import ContainerRules, DockerContainers, name_of
from trader_manager.adapters.kubernetes_pods import KubernetesPods, PodRules, pods

MARKS = {
    "autocryptotrader.fleet": "trader",
    "autocryptotrader.trader": "anna",
    "autocryptotrader.generation": "3",
    "autocryptotrader.started_ms": "5",
}
SERVES = b"strategy-agent control on http://127.0.0.1:8399\n"


class Words:
    """What a container said, piece by piece, as the client of an engine gives it."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.read = 0
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            self.read += len(piece)
            yield piece

    def close(self) -> None:
        self.is_closed = True


class Engine:
    """An engine's API, as far as a look needs it; it refuses to tell a whole log."""

    def __init__(self, *listed: Mapping[str, Any], said: Words | None = None) -> None:
        self.listed, self.said, self.asked = listed, said, 0

    def containers(self, *, all: bool, filters: Mapping[str, Any]) -> list[Mapping[str, Any]]:  # noqa: A002
        assert all, "those that have crashed too"
        wanted = dict(label.split("=", 1) for label in filters["label"])
        return [one for one in self.listed if wanted.items() <= one["Labels"].items()]

    def logs(self, ident: str, *, stdout: bool, stderr: bool, stream: bool, follow: bool) -> Words:
        assert (stdout, stderr, stream, follow) == (True, True, True, False)
        assert self.said is not None, "nobody needs it"
        self.asked += 1
        return self.said

    def get_archive(self, ident: str, path: str) -> tuple[list[bytes], object]:
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w") as archive:
            member = tarfile.TarInfo(path.rpartition("/")[2])
            member.size = len(b"tok_1")
            archive.addfile(member, io.BytesIO(b"tok_1"))
        return [file.getvalue()], {}


def listed(name: str = "trader.anna", **more: Any) -> dict[str, Any]:
    return {
        "Id": name, "Names": [f"/{name}"], "Labels": MARKS, "State": "running",
        "Ports": [{"PublicPort": 8401}],
        "NetworkSettings": {"Networks": {"before": {"IPAddress": "10.0.0.2"}}}, **more,
    }  # fmt: skip


def over(engine: Engine, network: str) -> DockerContainers:
    return DockerContainers(
        ContainerRules(image="agent", network=network),
        agents=SimpleNamespace(host=None),
        wall=ManualClock(9),
        connect=lambda: SimpleNamespace(api=engine),
    )


async def test_a_container_of_another_network_runs_and_is_not_reached() -> None:
    """The setting was changed while it ran: it is no fault of the others."""
    seen = (await over(Engine(listed()), "now").look_all())["anna"]
    assert ("running", 3, "") == (seen.actual, seen.generation, seen.control_url)
    assert "not in the network 'now' of TRADER_MANAGER_DOCKER_NETWORK" in seen.reason


@pytest.mark.parametrize(
    "labels",
    [
        {"autocryptotrader.fleet": "trader"},
        {**MARKS, "autocryptotrader.generation": "many"},
    ],
)
async def test_a_container_that_is_no_traders_hides_nobody(labels: Mapping[str, str]) -> None:
    """Somebody gave it the label of this manager: it is told as one that nobody knows."""
    odd = listed("sidecar", Labels=labels)
    seen = await over(Engine(odd, listed()), "bridge").look_all()
    assert {"anna", "container sidecar"} == set(seen)
    assert "http://127.0.0.1:8401" == seen["anna"].control_url


async def test_where_the_port_is_known_nothing_is_read_of_what_was_said() -> None:
    found = (await over(Engine(listed()), "bridge").look_all())["anna"]
    assert ("http://127.0.0.1:8401", "tok_1") == (
        found.control_url, found.control_token.get_secret_value(),
    )  # fmt: skip
    found = (await over(Engine(listed()), "before").look_all())["anna"]
    assert "http://10.0.0.2:8300" == found.control_url


@pytest.mark.parametrize("says", [True, False])
async def test_of_what_was_said_the_beginning_is_read(says: bool) -> None:
    """However long it is; whether a line is cut there makes no difference."""
    begin = [b"numba is cold\n", SERVES[:20], SERVES[20:]] if says else []
    said = Words(*begin, *[b"x" * 1000] * 100_000)
    found = (await over(Engine(listed(), said=said), "host").look_all())["anna"]
    assert ("http://127.0.0.1:8399" if says else "") == found.control_url
    assert (True, True) == (said.read < 70_000, said.is_closed)
    assert "running" == found.actual


def test_each_trader_of_each_manager_has_a_name_of_its_own() -> None:
    """Of an engine: dots, dashes and underlines may be in an id, and what names say of a state."""
    ids = ["x-a", "a", "x.a", "x_a", "starting.1.a", "_starting.1.a", "A", "a" * 64, "a" * 63 + "b"]
    names = [
        name_of(prefix, one, state)
        for prefix in ("trader", "trader-x", "t" * 31)
        for state in ("", "_starting.1700000000000", "_ending.1700000000000")
        for one in ids
    ]
    assert 9 * len(ids) == len(set(names))
    assert "trader.x-a" == names[0]
    assert max(map(len, names)) <= 63
    assert all(re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", name) for name in names)


@pytest.mark.parametrize("content", [b"<html>", b"[]", b"\xff", b'"\xff"', b"[" * 100_000])
async def test_what_is_no_cluster_is_told(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy may answer in its place."""

    async def read() -> bytes:
        return content

    async def listed(*_args: Any, **_more: Any) -> Any:
        return SimpleNamespace(status=200, read=read)

    async def connect() -> Any:
        return None

    core = SimpleNamespace(list_namespaced_pod_without_preload_content=listed)
    monkeypatch.setattr(pods, "_core", lambda _: core)
    runtime = KubernetesPods(PodRules(image="agent"), ManualClock(9), connect=connect)
    with pytest.raises(UpstreamRefused, match="the cluster answers as none does"):
        await runtime.look_all()
