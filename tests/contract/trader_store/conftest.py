"""A store with empty tables, on each kind of server."""

from collections.abc import AsyncIterator, Iterator

import pytest
from tests.support.postgres_servers import KINDS, TestServer, running

from trader_manager.adapters.postgres import PostgresStore
from trader_manager.application.ports import Store


@pytest.fixture(scope="session", params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[TestServer]:
    with pytest.MonkeyPatch.context() as monkeypatch, running(request.param, monkeypatch) as found:
        yield found


@pytest.fixture
def address(server: TestServer) -> str:
    return server.cleared()


@pytest.fixture
async def store(address: str) -> AsyncIterator[Store]:
    opened = PostgresStore(address)
    await opened.open()
    yield opened
    await opened.close()
