"""The kill ladder: every cell of who may set and clear, restart, damage, files, a full disk."""

from pathlib import Path

import msgspec
import pytest

from hyperliquid_exchange.adapters.safety_files import (
    MarksFile,
    PreflightFile,
    SafetyFiles,
    place_sentinel,
    sentinel_path,
)
from hyperliquid_exchange.application.safety import SENTINEL, STORAGE, KillLadder
from hyperliquid_exchange.domain.clearing import Clearing, words_for
from hyperliquid_exchange.domain.marks import Marks
from hyperliquid_exchange.domain.safety import EVERYBODY, Cause, Level
from suite.clock import ManualClock
from suite.errors import Conflict, StorageError
from suite.fixed import Usd
from suite.ids import TraderId

ANNA, BERT = TraderId("anna"), TraderId("bert/two")
NOW_MS = 1_790_000_000_000
PERSON = Clearing(by="operator", is_person=True)


def ladder(folder: Path) -> KillLadder:
    clock = ManualClock(NOW_MS)
    return KillLadder(SafetyFiles(folder, clock), [ANNA, BERT], clock)


def cause(level: Level, by: str = "operator", scope: str = ANNA, reason: str = "why") -> Cause:
    return Cause(scope=scope, level=level, by=by, reason=reason, since_ms=NOW_MS)


def full(scope: str = ANNA) -> Clearing:
    """Everything that ends a kill."""
    return Clearing(
        by="chief", is_person=True, may_end_kill=True, words=words_for(scope), preflight=""
    )


def without(**changed: object) -> Clearing:
    fields = {"by": "chief", "is_person": True, "may_end_kill": True, "preflight": ""}
    return Clearing(**{**fields, "words": words_for(ANNA), **changed})  # type: ignore[arg-type]


LEVELS = [Level.PAUSED, Level.STOPPED, Level.KILLED]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("scope", [ANNA, EVERYBODY])
def test_a_level_is_for_its_scope_and_survives_a_restart(
    tmp_path: Path, level: Level, scope: str
) -> None:
    one = ladder(tmp_path)
    one.engage(cause(level, scope=scope))

    for each in (one, ladder(tmp_path)):
        assert level is each.level(ANNA)
        assert (level if scope == EVERYBODY else Level.LIVE) is each.level(BERT)


def test_the_worst_counts_and_the_clearing_of_one_leaves_the_others(tmp_path: Path) -> None:
    one = ladder(tmp_path)
    one.engage(cause(Level.PAUSED, "watchdog"))
    one.engage(cause(Level.STOPPED, "gate"))
    one.engage(cause(Level.PAUSED, "account", EVERYBODY))
    assert one.level(ANNA) is Level.STOPPED

    one.clear(ANNA, PERSON, by="gate")
    assert one.level(ANNA) is Level.PAUSED
    one.release(ANNA, "watchdog")
    assert one.level(ANNA) is Level.PAUSED  # all are
    one.release(EVERYBODY, "account")
    assert one.level(ANNA) is Level.LIVE
    assert ladder(tmp_path).level(ANNA) is Level.LIVE


def test_a_level_is_never_lowered_by_setting_another(tmp_path: Path) -> None:
    one = ladder(tmp_path)
    one.engage(cause(Level.KILLED, reason="first"))
    one.engage(cause(Level.PAUSED, reason="second"))

    assert [(Level.KILLED, "first")] == [(each.level, each.reason) for each in one.causes]


@pytest.mark.parametrize(
    ("level", "clearing", "is_cleared"),
    [
        (Level.PAUSED, Clearing(by="watchdog"), True),
        (Level.PAUSED, Clearing(by="gate"), False),
        (Level.PAUSED, PERSON, True),
        (Level.STOPPED, Clearing(by="watchdog"), False),
        (Level.STOPPED, PERSON, True),
        (Level.KILLED, Clearing(by="watchdog"), False),
        (Level.KILLED, PERSON, False),
        (Level.KILLED, full(), True),
        (Level.KILLED, without(is_person=False), False),
        (Level.KILLED, without(may_end_kill=False), False),
        (Level.KILLED, without(words=""), False),
        (Level.KILLED, without(words=words_for(ANNA).upper()), False),
        (Level.KILLED, without(words=words_for(EVERYBODY)), False),
        (Level.KILLED, without(preflight="it is not green"), False),
    ],
)
def test_who_may_clear(tmp_path: Path, level: Level, clearing: Clearing, is_cleared: bool) -> None:
    one = ladder(tmp_path)
    one.engage(cause(level, "watchdog"))
    if is_cleared:
        assert len(one.clear(ANNA, clearing)) == 1
    else:
        with pytest.raises(Conflict):
            one.clear(ANNA, clearing)

    expected = Level.LIVE if is_cleared else level
    assert [expected, expected] == [one.level(ANNA), ladder(tmp_path).level(ANNA)]


def test_one_that_may_not_be_cleared_keeps_all(tmp_path: Path) -> None:
    one = ladder(tmp_path)
    one.engage(cause(Level.PAUSED))
    one.engage(cause(Level.KILLED, "watchdog"))
    with pytest.raises(Conflict):
        one.clear(ANNA, PERSON)

    assert len(one.causes) == 2


def test_nothing_to_clear_is_no_mistake(tmp_path: Path) -> None:
    assert ladder(tmp_path).clear(ANNA, PERSON) == ()


@pytest.mark.parametrize(
    ("scope", "name"), [(EVERYBODY, "KILL"), (ANNA, "KILL.anna"), (BERT, "KILL.bert%2Ftwo")]
)
def test_a_file_kills_and_its_removal_does_not_revive(
    tmp_path: Path, scope: str, name: str
) -> None:
    one = ladder(tmp_path)
    (tmp_path / name).touch()
    trader = ANNA if scope == EVERYBODY else TraderId(scope)

    assert one.level(trader) is Level.KILLED
    assert [SENTINEL] == [each.by for each in one.causes]
    with pytest.raises(Conflict, match="remove it first"):
        one.clear(scope, full(scope))

    (tmp_path / name).unlink()
    assert one.level(trader) is Level.KILLED
    assert ladder(tmp_path).level(trader) is Level.KILLED
    one.clear(scope, full(scope))
    assert one.level(trader) is Level.LIVE


def test_a_file_for_another_trader_is_found_by_looking(tmp_path: Path) -> None:
    one = ladder(tmp_path)
    seen: list[Cause] = []
    one.on_engage.append(seen.append)
    place_sentinel(tmp_path, BERT, "the\nhouse burns")

    one.look()

    assert [(BERT, Level.KILLED, "the house burns")] == [
        (each.scope, each.level, each.reason) for each in seen
    ]
    assert one.level(ANNA) is Level.LIVE


def test_a_folder_that_is_gone_pauses_until_it_is_back(tmp_path: Path) -> None:
    state = tmp_path / "state"
    one = ladder(state)
    state.rename(tmp_path / "away")
    assert [Level.PAUSED, Level.PAUSED] == [one.level(ANNA), one.level(BERT)]
    assert [STORAGE] == [each.by for each in one.causes]

    (tmp_path / "away").rename(state)
    assert one.level(ANNA) is Level.LIVE


@pytest.mark.parametrize("damage", [b"", b"[{", b"\xff", b'[{"scope":"anna"}]', None])
def test_what_cannot_be_read_pauses_and_is_not_written_over(
    tmp_path: Path, damage: bytes | None
) -> None:
    ladder(tmp_path).engage(cause(Level.KILLED))
    path = tmp_path / "safety.json"
    kept = path.read_bytes()
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)

    one = ladder(tmp_path)
    assert [Level.PAUSED, Level.PAUSED] == [one.level(ANNA), one.level(BERT)]
    one.engage(cause(Level.PAUSED, "account"))
    one.release(ANNA, "account")
    with pytest.raises(Conflict):
        one.clear(ANNA, PERSON)
    with pytest.raises(Conflict):
        one.clear(EVERYBODY, PERSON)
    assert damage == (path.read_bytes() if path.exists() else None)

    path.write_bytes(kept)  # from a copy
    assert one.level(ANNA) is Level.KILLED
    assert {STORAGE} != {each.by for each in one.causes}


def test_damage_is_ended_like_a_kill(tmp_path: Path) -> None:
    ladder(tmp_path)
    (tmp_path / "safety.json").write_bytes(b"?")
    one = ladder(tmp_path)
    one.clear(EVERYBODY, full(EVERYBODY))

    assert [Level.LIVE, Level.LIVE] == [one.level(ANNA), ladder(tmp_path).level(ANNA)]


def test_what_another_process_wrote_is_taken_in(tmp_path: Path) -> None:
    one, other = ladder(tmp_path), ladder(tmp_path)
    other.engage(cause(Level.STOPPED))

    assert one.level(ANNA) is Level.STOPPED


class FullDisk(SafetyFiles):
    """Refuses every write while it is full."""

    is_full = False

    def save(self, causes: object, note: str) -> None:
        if self.is_full:
            raise StorageError("no space left")
        super().save(causes, note)  # type: ignore[arg-type]


def test_a_full_disk_hinders_no_kill_and_it_is_written_when_there_is_room(tmp_path: Path) -> None:
    clock = ManualClock(NOW_MS)
    disk = FullDisk(tmp_path, clock)
    one = KillLadder(disk, [ANNA], clock)
    disk.is_full = True
    one.engage(cause(Level.KILLED, "last_hop"))

    assert one.level(ANNA) is Level.KILLED
    assert sentinel_path(tmp_path, ANNA).exists()  # a file needs no room
    assert ladder(tmp_path).level(ANNA) is Level.KILLED

    disk.is_full = False
    one.look()
    sentinel_path(tmp_path, ANNA).unlink()
    assert ladder(tmp_path).level(ANNA) is Level.KILLED
    assert STORAGE not in {each.by for each in one.causes}


def test_a_pause_on_a_full_disk_pauses_all(tmp_path: Path) -> None:
    clock = ManualClock(NOW_MS)
    disk = FullDisk(tmp_path, clock)
    one = KillLadder(disk, [ANNA, BERT], clock)
    disk.is_full = True
    one.engage(cause(Level.PAUSED))

    assert [Level.PAUSED, Level.PAUSED] == [one.level(ANNA), one.level(BERT)]


def test_every_change_is_on_record(tmp_path: Path) -> None:
    one = ladder(tmp_path)
    one.engage(cause(Level.STOPPED, "gate", reason="500.0 USDC lost today"))
    one.clear(ANNA, PERSON)

    lines = [
        msgspec.json.decode(line)
        for line in (tmp_path / "safety.log").read_bytes().split(b"\n")
        if line
    ]
    assert [
        "began",
        "set STOPPED for anna by gate (500.0 USDC lost today)",
        "operator cleared STOPPED for anna by gate (500.0 USDC lost today)",
    ] == [line["what"] for line in lines]


def test_people_who_clear_are_told_of_and_components_are_not(tmp_path: Path) -> None:
    one = ladder(tmp_path)
    cleared: list[Cause] = []
    one.on_clear.append(cleared.append)
    one.engage(cause(Level.PAUSED, "watchdog"))
    one.release(ANNA, "watchdog")
    one.engage(cause(Level.STOPPED, "gate"))
    one.clear(ANNA, PERSON)

    assert ["gate"] == [each.by for each in cleared]


@pytest.mark.parametrize(
    ("content", "is_good"),
    [
        (b'{"green": true, "at_ms": 1789999999999}', True),
        (b'{"green": true, "at_ms": 1789999100001}', True),
        (b'{"green": true, "at_ms": 1789999100000}', False),
        (b'{"green": true, "at_ms": 1790000000001}', False),
        (b'{"green": false, "at_ms": 1789999999999}', False),
        (b'{"green": 1, "at_ms": 1789999999999}', False),
        (b'{"green": true}', False),
        (b"[]", False),
        (b"", False),
        (None, False),
    ],
)
def test_a_preflight_is_green_and_recent(
    tmp_path: Path, content: bytes | None, is_good: bool
) -> None:
    path = tmp_path / "preflight.json"
    if content is not None:
        path.write_bytes(content)

    assert is_good is not bool(PreflightFile(path).trouble(NOW_MS))


def test_marks_are_kept_and_damage_is_no_new_beginning(tmp_path: Path) -> None:
    marks: dict[str, Marks] = {}
    marks[ANNA] = Marks(day=1, start_usd=Usd(2), peak_usd=Usd(3), worth_usd=Usd(1), executions=7)
    assert MarksFile(tmp_path).load() == {}
    MarksFile(tmp_path).save(marks)
    assert MarksFile(tmp_path).load() == marks

    (tmp_path / "gate.json").write_bytes(b"{")
    with pytest.raises(StorageError, match="damaged"):
        MarksFile(tmp_path).load()
