"""The virtual exchange as an HTTP application in this process, over a market in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from tests.support.worlds import MemorySource, random_source

from virtual_exchange.application.ports import LiveFeed
from virtual_exchange.bootstrap import Container, build
from virtual_exchange.main import create_app
from virtual_exchange.settings import Settings


@dataclass
class Served:
    """A running application, with its client and tokens."""

    app: FastAPI
    client: httpx.AsyncClient
    container: Container

    def token(self, name: str) -> str:
        return self.container.token_files[name].read_text().strip()

    def headers(self, name: str | None) -> dict[str, str]:
        return {} if name is None else {"authorization": f"Bearer {self.token(name)}"}

    async def post(self, path: str, body: Any, name: str | None = "alice") -> httpx.Response:
        return await self.client.post(path, json=body, headers=self.headers(name))

    async def get(self, path: str, name: str | None = None) -> httpx.Response:
        return await self.client.get(path, headers=self.headers(name))


@asynccontextmanager
async def served(
    state_dir: Path,
    source: MemorySource | None = None,
    live: LiveFeed | None = None,
    **settings: Any,
) -> AsyncIterator[Served]:
    """Serve BTC and ETH to alice and bob in lockstep, unless told otherwise."""
    values: dict[str, Any] = {
        "symbols": ("BTC", "ETH"),
        "clock": "lockstep",
        "accounts": ("alice", "bob"),
        "state_dir": state_dir,
        **settings,
    }
    chosen = Settings.load(**values)
    container = build(chosen, source or random_source("BTC", "ETH"), live)
    app = create_app(chosen, container)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield Served(app, client, container)
