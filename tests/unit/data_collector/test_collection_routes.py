"""Starting and stopping over HTTP: who may, what is answered, and the addresses of old."""

from pathlib import Path

import msgspec
import pytest
from tests.unit.data_collector.market import NOW_MS, START_MS
from tests.unit.data_collector.serving import Client, MemoryCollection, client_of, parts_of

from suite.contracts.market_data import Collected
from suite.service.kline_store import KlineStore


@pytest.fixture
def collection() -> MemoryCollection:
    return MemoryCollection()


@pytest.fixture
def client(tmp_path: Path, collection: MemoryCollection) -> Client:
    store = KlineStore(tmp_path)
    return client_of(parts_of(store, lambda: NOW_MS, collection=collection), tmp_path)


@pytest.fixture
def operator(client: Client, tmp_path: Path) -> dict[str, str]:
    """The token that the first start has written."""
    assert client.app is not None
    token = (tmp_path / "state" / "tokens" / "operator.token").read_text().strip()
    return {"authorization": f"Bearer {token}"}


def test_a_coin_is_collected_and_no_longer(client: Client, operator: dict[str, str]) -> None:
    """Status is open to all; intervals are started shortest first, each once."""
    assert [] == client.get("/collection").json()
    reply = client.ask("POST", "/collection/BTCUSDT?intervals=15m,1m,1m", operator)
    assert 200 == reply.status_code, reply.text
    rows = client.get("/collection").json()
    assert reply.json() == rows
    assert [("BTC", "1m"), ("BTC", "15m")] == [(row["coin"], row["interval"]) for row in rows]
    msgspec.convert(rows, list[Collected])
    assert [] == client.ask("DELETE", "/collection/BTC", operator).json()
    assert [] == client.get("/collection").json()


def test_old_address_starts_a_collection_and_names_a_task(
    client: Client, collection: MemoryCollection, operator: dict[str, str]
) -> None:
    """The task succeeds once each interval has a bar, and is gone when it is stopped."""
    started = client.get("/start-collection/ETH?intervals=60,15", operator).json()
    assert {"message", "intervals", "task_id"} == set(started)
    assert [15, 60] == started["intervals"]
    path = f"/task-result/{started['task_id']}"
    for interval, state in (("15m", "PENDING"), ("1h", "PENDING"), ("", "SUCCESS")):
        answer = client.get(path).json()
        assert (state, 2) == (answer["state"], len(answer["result"]))
        if interval:
            collection.rows["ETH", interval]["last_bar_ms"] = START_MS
    client.ask("DELETE", "/collection/ETH", operator)
    assert 404 == client.get(path).status_code
    default = client.get("/start-collection/ETH", operator).json()
    assert [15, 60, 240, 1440] == default["intervals"]


def test_query_that_does_not_exist_starts_nothing(
    client: Client, collection: MemoryCollection, operator: dict[str, str]
) -> None:
    """Who may not start anything is told that first."""
    path = "/collection/BTC?interval=1h"
    assert 401 == client.ask("POST", path).status_code
    reply = client.ask("POST", path, operator)
    assert (400, True) == (reply.status_code, "'interval'; there are intervals" in reply.text)
    assert 400 == client.get("/collection?coin=BTC").status_code
    assert {} == collection.rows


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/collection/BTC"), ("DELETE", "/collection/BTC"), ("GET", "/start-collection/BTC")],
)
def test_who_changes_something_needs_the_operators_token(
    client: Client, collection: MemoryCollection, method: str, path: str
) -> None:
    """None is 401, a wrong one too, and nothing happens."""
    wrong = {"authorization": "Bearer act_" + "x" * 43}
    assert [401, 401] == [client.ask(method, path, head).status_code for head in (None, wrong)]
    assert {} == collection.rows


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("POST", "/collection/BTC?intervals=7m", 400, "unknown interval '7m'; there are 1m"),
        ("POST", "/collection/BTC?intervals=", 400, "unknown interval ''"),
        ("POST", "/collection/a%20b", 404, "not a symbol"),
        ("POST", "/collection/NOPE", 400, "memory has no coin NOPE"),
        ("DELETE", "/collection/BTC", 404, "BTC is not collected"),
        ("GET", "/start-collection/BTC?intervals=1m", 400, "there are 1, 3, 5"),
        ("GET", "/task-result/BTC-1m", 404, "no such task"),
        ("GET", "/task-result/-", 404, "no such task"),
    ],
)
def test_wrong_request_gets_one_clear_line(
    client: Client, operator: dict[str, str], method: str, path: str, status: int, text: str
) -> None:
    reply = client.ask(method, path, operator)
    assert (status, True) == (reply.status_code, text in reply.text), reply.text
    assert "\n" not in reply.text


def test_service_that_collects_nothing_says_so(tmp_path: Path) -> None:
    """Before it asks for a token, and it writes none."""
    client = client_of(parts_of(KlineStore(tmp_path), lambda: NOW_MS), tmp_path)
    assert [] == client.get("/collection").json()
    for method, path in (("POST", "/collection/BTC"), ("GET", "/start-collection/BTC")):
        reply = client.ask(method, path)
        assert (409, True) == (reply.status_code, "--collect VENUE" in reply.text)
    assert not (tmp_path / "state").exists()
