"""The API description: complete, with examples that are true."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.data_collector.market import NOW_MS
from tests.unit.data_collector.serving import client_of, parts_of

from data_collector.entrypoint.examples import EXAMPLES
from data_collector.entrypoint.openapi import DOCS
from suite.service.kline_store import KlineStore


@pytest.fixture
def described(tmp_path: Path) -> dict[str, Any]:
    client = client_of(parts_of(KlineStore(tmp_path), lambda: NOW_MS), tmp_path)
    answer: dict[str, Any] = client.get("/openapi.json").json()
    return answer


def test_every_route_has_an_example_and_no_other(described: dict[str, Any]) -> None:
    """A new route is not finished without one."""
    routes = {(m.upper(), path) for path, item in described["paths"].items() for m in item}
    assert routes == set(EXAMPLES) == set(DOCS)


@pytest.mark.parametrize("key", DOCS, ids=" ".join)
def test_example_has_the_shape_of_its_route(
    described: dict[str, Any], key: tuple[str, str]
) -> None:
    """It is read by the type that the answer is described with."""
    msgspec.json.decode(msgspec.json.encode(EXAMPLES[key]), type=DOCS[key].answer)
    operation = described["paths"][key[1]][key[0].lower()]
    assert EXAMPLES[key] == operation["responses"]["200"]["content"]["application/json"]["example"]
    assert operation["summary"]
    for parameter in operation.get("parameters", ()):
        assert parameter["in"] == "path" or parameter["description"]
    assert DOCS[key].guarded == ("security" in operation)
