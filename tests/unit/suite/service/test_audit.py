"""Every write of somebody with a name leaves one line, without secrets; edits are found."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from suite.service.app import install_chassis
from suite.service.audit import broken_line
from suite.service.settings import ServiceSettings
from suite.service.tokens import ADMIN, Grant, TokenStore, open_to_all, require

FILE = Path("audit") / "demo.jsonl"


class Service:
    def __init__(self, folder: Path) -> None:
        self.tokens = TokenStore()
        self.admin = self.tokens.issue(Grant(name="operator", scopes=frozenset({ADMIN})))
        self.reader = self.tokens.issue(Grant(name="reader", scopes=frozenset({"read:market"})))
        app = FastAPI(title="demo")
        install_chassis(app, ServiceSettings(state_dir=folder), tokens=self.tokens)

        @app.post("/traders/{name}/stop")
        async def stop(
            name: str, body: dict[str, int], grant: Annotated[Grant, Depends(require(ADMIN))]
        ) -> str:
            return f"{grant.name} {name} {body}"

        @app.get("/traders")
        async def read(_: Annotated[Grant, Depends(require(ADMIN))]) -> str:
            return ""

        @app.post("/login")
        @open_to_all("a test")
        async def login() -> str:
            return ""

        self.client = TestClient(app, base_url="http://127.0.0.1")
        self.path = folder / FILE

    def stop(self, token: str = "", name: str = "alice") -> int:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        reply = self.client.post(f"/traders/{name}/stop", json={"a": 1}, headers=headers)
        return int(reply.status_code)

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.path.read_bytes().splitlines()]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path)
    with service.client:
        yield service


def test_a_write_leaves_a_line_that_says_who_and_what(service: Service) -> None:
    assert 200 == service.stop(service.admin)
    (line,) = service.lines()
    assert {
        "token": "operator",
        "token_id": hashlib.sha256(service.admin.encode()).hexdigest()[:12],
        "scope": "admin",
        "route": "POST /traders/{name}/stop",
        "object": {"name": "alice"},
        "status": 200,
        "request": hashlib.sha256(b'{"a":1}').hexdigest(),
    } == {key: value for key, value in line.items() if key not in {"at_ms", "chain"}}
    assert 0o600 == service.path.stat().st_mode & 0o777
    assert service.admin not in service.path.read_text()


def test_a_refusal_by_name_is_told_and_a_stranger_fills_no_disk(service: Service) -> None:
    assert (403, 401, 401) == (service.stop(service.reader), service.stop(), service.stop("x"))
    headers = {"authorization": f"Bearer {service.admin}"}
    assert 200 == service.client.get("/traders", headers=headers).status_code
    assert 200 == service.client.post("/login").status_code
    assert [("reader", 403), ("", 200)] == [
        (line["token"], line["status"]) for line in service.lines()
    ]


def test_every_edit_is_found(service: Service) -> None:
    for name in ("a", "b", "c", "d"):
        service.stop(service.admin, name)
    assert broken_line(service.path) is None
    lines = service.path.read_bytes().splitlines(keepends=True)
    spoilt = {
        "changed": ([lines[0], lines[1].replace(b'"b"', b'"x"'), *lines[2:]], 2),
        "moved": ([lines[0], lines[2], lines[1], lines[3]], 2),
        "taken out": ([lines[0], *lines[2:]], 2),
        "cut": ([*lines[:3], lines[3][:40]], 4),
        "written anew": ([lines[0].replace(b"200", b"403"), *lines[1:]], 1),
    }
    for kind, (parts, number) in spoilt.items():
        service.path.write_bytes(b"".join(parts))
        assert number == broken_line(service.path), kind


def test_a_new_process_goes_on_in_the_chain(tmp_path: Path) -> None:
    for _ in range(3):
        service = Service(tmp_path)
        with service.client:
            assert 200 == service.stop(service.admin)
    assert broken_line(tmp_path / FILE) is None
    assert 3 == len(service.lines())
