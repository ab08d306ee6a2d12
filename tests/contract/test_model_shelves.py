"""Shelves of models keep one promise: in memory, in folders, and on a real PostgreSQL server."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.postgres_servers import TestServer, running

from strategy_agent.adapters.model_tables import ModelTables, TableShelf
from suite.errors import ConfigError, NotFound
from suite.service.shelves import KEPT, FolderShelf, MemoryShelf

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]
AnyShelf = MemoryShelf | FolderShelf | TableShelf
KINDS = ("memory", "folder", "tables")


@pytest.fixture(scope="module")
def server() -> Iterator[TestServer]:
    with pytest.MonkeyPatch.context() as monkeypatch, running("package", monkeypatch) as found:
        yield found


@pytest.fixture(params=KINDS)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], AnyShelf]]:
    """Open shelves by name, of one kind."""
    if request.param == "tables":
        server: TestServer = request.getfixturevalue("server")
        with ModelTables(server.empty(), pause_s=0.05) as tables:
            yield tables.shelf
        return
    kept: dict[str, AnyShelf] = {}

    def shelf(name: str) -> AnyShelf:
        if request.param == "folder":
            return FolderShelf(tmp_path / name)
        return kept.setdefault(name, MemoryShelf())

    yield shelf


Opened = Callable[[str], AnyShelf]


def names(shelf: AnyShelf) -> list[str]:
    return [name for name, _ in shelf.models()]


def test_the_last_five_models_are_kept_the_newest_first(opened: Opened) -> None:
    shelf = opened("live/a")
    assert () == shelf.models()
    for number in range(7):
        shelf.put(f"m-{number}", {"meta.json": b"%d" % number, "model.ubj": b"\x00\xff"})
    assert [f"m-{number}" for number in (6, 5, 4, 3, 2)] == names(shelf)
    assert KEPT == len(names(shelf))
    assert {"meta.json": b"6", "model.ubj": b"\x00\xff"} == shelf.models()[0][1]
    shelf.put("m-4", {"meta.json": b"again"})
    assert ["m-4", "m-6", "m-5", "m-3", "m-2"] == names(shelf)
    assert {"meta.json": b"again"} == shelf.models()[0][1]


def test_kept_model_is_chosen_and_the_one_before_it_again(opened: Opened) -> None:
    shelf = opened("live/a")
    for number in range(3):
        shelf.put(f"m-{number}", {"meta.json": b"%d" % number})
    shelf.choose("m-0")
    assert ["m-0", "m-2", "m-1"] == names(shelf)
    shelf.choose("m-2")
    assert ["m-2", "m-0", "m-1"] == names(shelf)
    assert {"meta.json": b"2"} == shelf.models()[0][1]
    with pytest.raises(NotFound, match="m-9 is not kept; kept are: m-2, m-0, m-1"):
        shelf.choose("m-9")


def test_file_is_attached_to_a_kept_model_alone(opened: Opened) -> None:
    shelf = opened("live/a")
    shelf.put("m-1", {"meta.json": b"1"})
    shelf.put("m-2", {"meta.json": b"2"})
    shelf.attach("m-1", "evidence.json", b"{}")
    shelf.attach("m-1", "evidence.json", b"[]")
    assert [("m-2", {"meta.json": b"2"}), ("m-1", {"meta.json": b"1", "evidence.json": b"[]"})] == [
        (name, dict(files)) for name, files in shelf.models()
    ]
    with pytest.raises(NotFound, match="m-3 is not kept"):
        shelf.attach("m-3", "evidence.json", b"{}")


def test_records_come_back_as_they_were_in_their_order(opened: Opened) -> None:
    shelf = opened("live/a")
    assert ((), ()) == (shelf.rows(), shelf.attempts())
    parts = (b"\n\x00one", b"", b"two")
    for part in parts:
        shelf.add_rows(part)
    shelf.note(b'{"number":1}\n')
    shelf.note(b'{"number":2}')
    assert parts == shelf.rows()
    assert (b'{"number":1}', b'{"number":2}') == shelf.attempts()


def test_shelves_know_nothing_of_each_other_and_open_again(opened: Opened) -> None:
    opened("live/a").put("m-1", {"meta.json": b"a"})
    opened("live/b").put("m-1", {"meta.json": b"b"})
    opened("live/b").add_rows(b"b")
    assert {"meta.json": b"a"} == opened("live/a").models()[0][1]
    assert {"meta.json": b"b"} == opened("live/b").models()[0][1]
    assert ((), (b"b",)) == (opened("live/a").rows(), opened("live/b").rows())


def test_what_is_written_while_the_database_is_away_is_there_when_it_is_back(
    server: TestServer,
) -> None:
    with ModelTables(server.empty(), pause_s=0.05) as tables:
        shelf = tables.shelf("live/a")
        shelf.put("m-1", {"meta.json": b"1"})
        assert ["m-1"] == names(shelf)
        server.server.stop()
        shelf.add_rows(b"one")
        shelf.put("m-2", {"meta.json": b"2"})
        shelf.note(b"noted")
        server.server.start()
        assert ["m-2", "m-1"] == names(shelf)
        assert ((b"one",), (b"noted",)) == (shelf.rows(), shelf.attempts())
        assert ("live/a",) == tables.shelves()


def test_address_that_is_none_is_one_clear_line() -> None:
    with pytest.raises(ConfigError, match=r"postgresql://user:password@host"):
        ModelTables("mysql://x")
