"""Traders as the text of a setting, instead of a file."""

from pathlib import Path

import pytest
from tests.unit.trader_manager.test_file_fleet import Room

from suite.errors import ConfigError
from trader_manager.adapters.traders_file import TradersInSetting, written_traders
from trader_manager.application.config_loader import ConfigLoader
from trader_manager.application.file_fleet import FileFleet

TWO = (
    '{"anna": {"strategy": "hodl", "symbol": "BTC"},\n'
    ' "bert": {"strategy": "holdl", "symbol": "ETH"}}'
)


def following(room: Room, text: str) -> FileFleet:
    return FileFleet(
        file=TradersInSetting(text), manager=room.manager, store=room.store,
        loader=ConfigLoader({}), supervises=room._supervises, on_trouble=room.told.append,
    )  # fmt: skip


async def test_the_traders_of_a_setting_come_and_go_with_it(tmp_path: Path) -> None:
    """What is wrong is told as in a file: with its line, and it keeps nobody else out."""
    room = Room(tmp_path)
    room.fleet = following(room, TWO)
    await room.fleet.begin()
    await room.looks()
    assert ({"anna"}, "TRADERS_CONFIG") == (room.names, room.of("anna").origin)
    (told,) = room.told
    assert told.startswith("line 2: traders[bert].strategy.kind: "), told
    assert "TRADERS_CONFIG" == room.fleet.says_of(room.of("anna"))
    room.fleet = following(room, '{"bert": {"strategy": "hodl", "symbol": "ETH"}}')
    await room.fleet.begin()
    room.end("anna")
    await room.looks()
    assert {"bert"} == room.names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "TRADERS_CONFIG is not YAML"),
        ("[]", "TRADERS_CONFIG is empty"),
        ("[1]", "TRADERS_CONFIG holds no traders"),
    ],
)
async def test_a_setting_that_is_no_document_is_told_in_a_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        await TradersInSetting(text).read()


def test_traders_are_written_down_in_one_place() -> None:
    with pytest.raises(
        ConfigError, match=r"TRADERS_CONFIG and the traders file fleet\.yaml are both"
    ):
        written_traders(Path("fleet.yaml"), TWO)
    assert None is written_traders(None, "")
