"""How full disks are: what is told, to whom, and what a service says of it."""

import asyncio
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from suite.service.app import install_chassis
from suite.service.disk import Disk, DiskWatch, used_share
from suite.service.settings import ServiceSettings


@pytest.mark.parametrize(
    ("used", "fills", "is_short"),
    [(0.9, False, False), (0.901, True, False), (0.95, True, False), (0.951, True, True)],
)
def test_limits(used: float, fills: bool, is_short: bool) -> None:
    disk = Disk(used=used, path="/here")
    assert (fills, is_short) == (disk.is_filling, disk.is_short)


def test_people_are_told_once_until_there_is_room_again() -> None:
    used = {Path("/a"): 0.2, Path("/b"): 0.5}
    watch, told, seen = DiskWatch(*used, read=used.__getitem__), list[str](), list[Disk]()
    watch.tell = lambda kind, text: told.append(f"{kind}: {text}")
    watch.listeners.append(seen.append)
    for share in (0.5, 0.92, 0.97, 0.5, 0.96):
        used[Path("/b")] = share
        watch.take(watch.look())
    assert [0.5, 0.92, 0.97, 0.5, 0.96] == [disk.used for disk in seen]
    assert [
        "disk: the disk of /b is 92% full; free some space",
        "disk: the disk of /b is 96% full; free some space",
    ] == told


def test_a_disk_that_cannot_be_asked_hides_no_other() -> None:
    def read(folder: Path) -> float:
        if folder.name == "gone":
            raise OSError(5, "input/output error")
        return 0.93

    assert Disk(used=0.93, path="/b") == DiskWatch(Path("/gone"), Path("/b"), read=read).look()


def test_a_folder_that_is_not_there_yet_counts_as_its_parent(tmp_path: Path) -> None:
    assert 0 < used_share(tmp_path / "not" / "yet") <= 1


async def test_a_service_tells_it(tmp_path: Path) -> None:
    app = FastAPI(title="demo")
    chassis = install_chassis(app, ServiceSettings(state_dir=tmp_path))
    looked = asyncio.Event()
    chassis.disk._read = lambda _: 0.934
    chassis.disk.listeners.append(lambda _: looked.set())
    await chassis.parts.open()
    try:
        await asyncio.wait_for(looked.wait(), 10)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            health, metrics = await client.get("/health"), await client.get("/metrics")
    finally:
        await chassis.parts.close()
    assert (200, "ok") == (health.status_code, health.json()["status"])
    assert f"the disk of {tmp_path} is 93% full; free some space" == health.json()["disk"]
    assert "process_disk_used_ratio 0.934" in metrics.text
