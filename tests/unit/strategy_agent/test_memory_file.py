"""What a trader remembers on disk: whole, or a reason not to start."""

import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest

from strategy_agent.adapters.memory_file import MemoryFile
from strategy_agent.application.ports import Kept
from strategy_core.memory import TraderMemory
from strategy_core.risk.commands import Allocate, Stop
from suite.errors import StorageError


def kept(turns: int) -> Kept:
    return Kept(
        trader_id="a",
        account="a",
        spec="",
        venue="http://v",
        now_ms=5,
        memory=TraderMemory(turns=turns),
    )


def file(folder: Path) -> MemoryFile:
    return MemoryFile(folder, "a")


def keep(folder: Path, turns: int) -> MemoryFile:
    found = file(folder)
    found.write(found.encode(kept(turns)))
    return found


def test_what_was_kept_is_there_after_a_restart(tmp_path: Path) -> None:
    """The newest of it; nothing before the first time, nothing after the end of the world."""
    assert file(tmp_path / "new").load() is None
    keep(tmp_path / "new", 1)
    found = keep(tmp_path / "new", 2)
    assert kept(2) == file(tmp_path / "new").load()
    assert ["a.json"] == [path.name for path in (tmp_path / "new").iterdir()]
    found.forget()
    found.forget()
    assert file(tmp_path / "new").load() is None


def test_commands_are_kept_beside_it_until_they_are_obeyed(tmp_path: Path) -> None:
    """Nothing of them is left after that; what cannot be understood is a reason not to start."""
    stop = Stop(actor="ann", reason="enough")
    found = keep(tmp_path, 1)
    assert () == found.load_commands()
    found.keep_commands([stop])
    assert (stop,) == file(tmp_path).load_commands()
    assert kept(1) == file(tmp_path).load()
    found.keep_commands([])
    assert ["a.json"] == [path.name for path in tmp_path.iterdir()]
    found.keep_commands([stop])
    found.forget()
    assert [] == list(tmp_path.iterdir())
    (tmp_path / "a.commands.json").write_text("[{}]")
    with pytest.raises(StorageError, match=r"a\.commands\.json of trader a cannot be used"):
        found.load_commands()


@pytest.mark.parametrize("usd", [None, Decimal("1234.567891"), Decimal(0)])
def test_an_allocation_is_kept_to_the_micro_usd(tmp_path: Path, usd: Decimal | None) -> None:
    allotted = Allocate(actor="ann", usd=usd)
    keep(tmp_path, 1).keep_commands([allotted])
    assert (allotted,) == file(tmp_path).load_commands()


@pytest.mark.parametrize("usd", ["-1", "NaN", "Infinity"])
def test_what_is_no_amount_is_not_allotted(usd: str) -> None:
    with pytest.raises(ValueError, match="no amount"):
        Allocate(actor="ann", usd=Decimal(usd))


def content(**changes: object) -> str:
    whole = {
        "version": 1,
        "trader_id": "a",
        "account": "a",
        "spec": "",
        "venue": "",
        "now_ms": 1,
        "memory": {},
    }
    return json.dumps(whole | changes)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "\xff",
        '{"version": 1}',
        content(version=2),
        content(trader_id="b"),
        content(memory={"turns": "x"}),
        content(more=1),
    ],
)
def test_a_memory_that_cannot_be_understood_is_a_reason_not_to_start(
    tmp_path: Path, text: str
) -> None:
    """One line, which says what to do; the file is left as it is."""
    (tmp_path / "a.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(
        StorageError, match=r"cannot be used: .*; put it back from a backup, or"
    ) as e:
        file(tmp_path).load()
    assert "\n" not in str(e.value)
    assert text.encode("latin-1") == (tmp_path / "a.json").read_bytes()


def test_a_write_that_fails_leaves_the_old_memory(tmp_path: Path) -> None:
    keep(tmp_path, 1)
    (tmp_path / ".a.json.new").mkdir()
    with pytest.raises(StorageError, match=r"cannot write the memory"):
        keep(tmp_path, 2)
    assert kept(1) == file(tmp_path).load()


def test_two_threads_that_write_at_once_leave_one_of_both_whole(tmp_path: Path) -> None:
    """And nobody but the owner reads it: a strategy may remember anything."""
    memory = MemoryFile(tmp_path, "a", durable=False)
    contents = [f'{{"n":{n},"pad":"{"x" * 50_000 * n}"}}'.encode() for n in (1, 2, 3)]
    with ThreadPoolExecutor(3) as pool:
        for _ in range(50):
            list(pool.map(memory.write, contents))
            assert (tmp_path / "a.json").read_bytes() in contents
    assert 0o600 == (tmp_path / "a.json").stat().st_mode & 0o777


def test_of_a_simulated_world_nothing_waits_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It outlives its process all the same, and is replaced as a whole."""
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", synced.append)
    quick, durable = MemoryFile(tmp_path / "q", "a", durable=False), MemoryFile(tmp_path, "a")
    for memory in (quick, durable):
        memory.write(memory.encode(kept(3)))
        assert kept(3) == memory.load()
    assert 2 == len(synced)
    assert ["a.json"] == [path.name for path in (tmp_path / "q").iterdir()]
