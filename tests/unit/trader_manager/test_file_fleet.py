"""A fleet follows its file: what is added, changed and taken out, and what is wrong in it."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.unit.trader_manager.test_fleet import HoldingVenue, MemoryStore, fleet
from tests.unit.trader_manager.test_supervisor import Bench

from suite.errors import ConfigError, Conflict, UpstreamUnavailable
from suite.ids import TraderId
from trader_manager.adapters.traders_file import TradersFileOnDisk
from trader_manager.application.config_loader import ConfigLoader
from trader_manager.application.file_fleet import FileFleet
from trader_manager.application.runtime import Sighting
from trader_manager.application.supervisor import Condition
from trader_manager.domain.traders import DesiredState

ANNA = "  - {trader_id: anna, strategy: {kind: hodl}, symbols: [BTC]}\n"
BERT = "  - {trader_id: bert, strategy: {kind: hodl}, symbols: [ETH]}\n"


class Room:
    """A fleet, and the file that it follows."""

    def __init__(self, folder: Path, *entries: str) -> None:
        self.path = folder / "traders.yaml"
        self.write(*entries)
        self.store, self.venue, self.bench = MemoryStore(), HoldingVenue(), Bench()
        self.manager = fleet(self.venue, self.store, self.bench)
        self.told: list[str] = []
        self.ending: list[str] = []
        self.ours = True
        self.fleet = self.anew()

    def anew(self) -> FileFleet:
        """Follow the file as another process does."""
        return FileFleet(
            file=TradersFileOnDisk(self.path), manager=self.manager, store=self.store,
            loader=ConfigLoader({}), supervises=self._supervises, on_trouble=self.told.append,
            on_ending=self.ending.append,
        )  # fmt: skip

    async def _supervises(self) -> bool:
        return self.ours

    def write(self, *entries: str) -> None:
        self.path.write_text("traders:\n" + "".join(entries) if entries else "traders: []\n")

    async def looks(self, times: int = 8) -> None:
        for _ in range(times):
            await self.fleet.look()

    def end(self, name: str) -> None:
        """What the supervisor sees once a process has ended."""
        trader = self.store.traders[TraderId(name)]
        sighting = Sighting(actual="absent")
        self.bench.supervisor.conditions[trader.trader_id] = Condition(
            trader=trader, sighting=sighting
        )

    def of(self, name: str) -> Any:
        return self.store.traders[TraderId(name)]

    @property
    def names(self) -> set[str]:
        return set(self.store.traders)


async def test_traders_come_and_change_with_their_entries(tmp_path: Path) -> None:
    room = Room(tmp_path, ANNA)
    await room.fleet.begin()
    assert ({"anna"}, str(room.path), 1) == (
        room.names, room.of("anna").origin, room.of("anna").generation,
    )  # fmt: skip
    room.write(ANNA, BERT.replace("ETH", "SOL"))
    await room.fleet.look()
    assert {"anna"} == room.names, "somebody may be writing yet"
    await room.fleet.look()
    assert {"anna", "bert"} == room.names
    room.write(ANNA, BERT)
    await room.looks()
    assert (["ETH"], 2, 1) == (
        room.of("bert").spec["symbols"], room.of("bert").generation, room.of("anna").generation,
    )  # fmt: skip
    assert DesiredState.RUNNING == room.of("bert").desired
    assert [] == room.told


async def test_a_trader_moves_to_the_runtime_that_its_entry_says(tmp_path: Path) -> None:
    room = Room(tmp_path, ANNA)
    await room.fleet.begin()
    room.write(ANNA.replace("{trader_id", "{runtime: other, trader_id"))
    await room.looks()
    assert ("other", 2) == (room.of("anna").runtime, room.of("anna").generation)


async def test_who_is_in_the_file_no_more_ends_and_goes_once_it_is_flat(tmp_path: Path) -> None:
    room = Room(tmp_path, ANNA, BERT)
    await room.fleet.begin()
    await room.manager.add_trader(
        {"trader_id": "dora", "strategy": "hodl", "symbol": "BTC"}, start=False
    )
    room.venue.hold("bert", ETH="0.5")
    room.write(ANNA)
    await room.looks()
    assert (DesiredState.STOPPED, True) == (room.of("bert").desired, room.of("bert").leaving)
    assert ["bert is in the file no more: it is being stopped"] == room.ending
    assert [] == room.told, "an orderly end is no trouble"
    room.end("bert")
    room.fleet = room.anew()
    await room.fleet.begin()
    holds = (
        "bert is in the file no more and is stopped; bert holds ETH: flatten it first; "
        "it is stopped: POST /traders/bert/start before"
    )
    await room.looks(20)
    assert ([holds], {"anna", "bert", "dora"}) == (room.told, room.names)
    room.venue.hold("bert")
    await room.looks()
    assert {"anna", "dora"} == room.names, "who was added otherwise stays"
    assert () == room.fleet.troubles


async def test_who_is_in_the_file_again_runs_again(tmp_path: Path) -> None:
    """Unless it was its operator who stopped it."""
    room = Room(tmp_path, ANNA, BERT)
    await room.fleet.begin()
    await room.manager.stop("anna")
    room.venue.hold("bert", ETH="0.5")
    room.write(ANNA)
    await room.looks()
    room.write(ANNA, BERT)
    await room.looks()
    assert (DesiredState.RUNNING, False) == (room.of("bert").desired, room.of("bert").leaving)
    assert DesiredState.STOPPED == room.of("anna").desired


@pytest.mark.parametrize("half", ["traders:\n  - {trader_id: anna, str", "", "# nothing", "{}"])
async def test_a_file_that_is_half_written_is_told_once_and_changes_nothing(
    tmp_path: Path, half: str
) -> None:
    room = Room(tmp_path, ANNA, BERT)
    await room.fleet.begin()
    room.path.write_text(half)
    await room.looks()
    assert 1 == len(room.told)
    assert "what it said before stays in force" in room.told[0]
    assert all(one.generation == 1 for one in room.store.traders.values())
    room.path.unlink()
    await room.looks()
    assert "cannot read" in room.told[1]
    room.write(ANNA, BERT)
    await room.looks()
    assert (2, ()) == (len(room.told), room.fleet.troubles)


async def test_what_is_wrong_is_told_with_its_line_and_all_others_go_on(tmp_path: Path) -> None:
    room = Room(tmp_path, ANNA, BERT)
    await room.fleet.begin()
    room.write(
        ANNA,
        "  - trader_id: bert\n    symbols: [ETH]\n    strategy: {kind: holdl}\n",
        "  - {trader_id: carl, strategy: {kind: hodl}, symbols: [SOL], account: anna}\n",
        "  - {trader_id: dora, strategy: {kind: hodl}, symbols: [SOL]}\n",
    )
    await room.looks()
    assert ["line 5", "line 6"] == [text.partition(":")[0] for text in room.told]
    assert {"anna", "bert", "dora"} == room.names, "one that is wrong is not taken out"
    assert 1 == room.of("bert").generation


async def test_nobody_goes_while_an_entry_does_not_say_whom_it_means(tmp_path: Path) -> None:
    room = Room(tmp_path, ANNA, BERT)
    await room.fleet.begin()
    room.write(ANNA, BERT.replace("trader_id", "trader_di"))
    await room.looks()
    assert ({"anna", "bert"}, False) == (room.names, room.of("bert").leaving)
    room.write()
    await room.looks()
    assert all(one.leaving for one in room.store.traders.values()), "an empty list is meant so"


async def test_what_cannot_be_done_yet_is_tried_again(tmp_path: Path) -> None:
    room = Room(tmp_path, ANNA)
    await room.fleet.begin()
    room.venue.hold("anna", BTC="1")
    room.write(ANNA.replace("BTC", "ETH"))
    await room.looks()
    assert ["anna holds BTC: flatten it first"] == room.told
    room.venue.hold("anna")
    await room.looks()
    assert ["ETH"] == room.of("anna").spec["symbols"]


async def test_the_manager_that_does_not_supervise_leaves_the_fleet_alone(tmp_path: Path) -> None:
    room = Room(tmp_path, ANNA)
    room.ours = False
    await room.fleet.begin()
    await room.looks()
    assert set() == room.names
    room.ours = True
    await room.looks()
    assert {"anna"} == room.names


async def test_a_database_that_is_away_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Room(tmp_path, ANNA)
    await room.fleet.begin()
    room.write(ANNA, BERT)

    async def away() -> Any:
        raise UpstreamUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(room.store, "list_traders", away)
        await room.looks()
    await room.looks()
    assert {"anna", "bert"} == room.names


async def test_a_file_that_cannot_be_read_at_the_start_is_refused(tmp_path: Path) -> None:
    room = Room(tmp_path, ANNA)
    room.path.write_text("traders: [")
    with pytest.raises(ConfigError, match="is not YAML"):
        await room.fleet.begin()


async def test_what_the_file_says_is_changed_there_only(tmp_path: Path) -> None:
    """A change from elsewhere would be undone with the next reading, whenever that is."""
    room = Room(tmp_path, ANNA)
    for name in ("dora", "bert"):
        entry = {"trader_id": name, "strategy": "hodl", "symbol": "ETH"}
        await room.manager.add_trader(entry, start=False)
    await room.fleet.begin()
    room.write(ANNA, BERT)
    await room.looks()
    room.manager.written_in = room.fleet.says_of
    for name in ("anna", "bert"):
        entry = {"trader_id": name, "strategy": "hodl", "symbol": "SOL"}
        said = f"{name} is as {room.path} says: change its entry there"
        with pytest.raises(Conflict, match=re.escape(said)):
            await room.manager.change_trader(entry, generation=room.of(name).generation)
    changed = {"trader_id": "dora", "strategy": "hodl", "symbol": "SOL"}
    await room.manager.change_trader(changed, generation=1)
    assert ["SOL"] == room.of("dora").spec["symbols"]
    room.write(ANNA.replace("BTC", "SOL"), BERT)
    await room.looks()
    assert ["SOL"] == room.of("anna").spec["symbols"]
    assert [] == room.told
