"""Bugs that are put into the keeping of worlds, and what sees each."""

import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.world_tails import RECORDS, flips, read, write
from tests.unit.virtual_exchange.test_kept_worlds import (
    test_input_that_cannot_be_written_has_changed_nothing as refused_inputs,
)
from tests.unit.virtual_exchange.test_kept_worlds import (
    test_lockstep_world_goes_on_where_it_was as worlds_go_on,
)
from tests.unit.virtual_exchange.test_kept_worlds import (
    test_signed_actions_and_refused_ones_are_played_again as signed_actions,
)

from suite.errors import StorageError, SuiteError
from virtual_exchange.adapters import world_journals
from virtual_exchange.application.inputs import InputClock, Recorder

Plant = Callable[[pytest.MonkeyPatch], None]


def no_chain(patch: pytest.MonkeyPatch) -> None:
    """A record is not held against what it was."""
    patch.setattr(world_journals, "_next", lambda *_: bytes(16))


def no_head_sum(patch: pytest.MonkeyPatch) -> None:
    """A length is believed."""
    patch.setattr(zlib, "crc32", lambda _: 0)


def acts_before(patch: pytest.MonkeyPatch) -> None:
    """An input acts before it is written down."""
    real = Recorder.take

    def take(self: Recorder, session: Any, it: Any) -> Any:
        found = it.act(session)
        real(self, session, it)
        return found

    patch.setattr(Recorder, "take", take)


def not_written(patch: pytest.MonkeyPatch) -> None:
    """An input is not written down at all."""
    patch.setattr(Recorder, "note", lambda _: None)


def moving_clock(patch: pytest.MonkeyPatch) -> None:
    """Played again, an input sees the time of today."""
    patch.setattr(InputClock, "now_ms", lambda self: self._clock.now_ms())


@pytest.mark.parametrize("plant", [no_chain, no_head_sum])
def test_planted_bug_is_found(
    plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the damage of every byte."""
    plant(monkeypatch)
    flipped, found = flips(tmp_path / "a.world", 4)
    assert found < flipped


def test_skipped_cut_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was left of a torn record stands before the next one."""
    path = tmp_path / "a.world"
    write(path, [*RECORDS[:2], b"x" * 5000])
    os.truncate(path, path.stat().st_size - 1000)
    file = world_journals.WorldFile(path, sync=False)
    assert RECORDS[:2] == list(file.read())
    monkeypatch.setattr(os, "ftruncate", lambda *_: None)
    file.append(b"short")
    file.close()
    with pytest.raises(StorageError, match="is damaged in record 4"):
        read(path)


@pytest.mark.parametrize(
    ("plant", "watcher"),
    [
        (acts_before, refused_inputs),
        (not_written, worlds_go_on),
        (moving_clock, signed_actions),
    ],
)
async def test_bug_in_the_replay_is_found(
    plant: Plant, watcher: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    more = (monkeypatch,) if watcher is refused_inputs else ()
    with pytest.raises((AssertionError, SuiteError)):
        await watcher(tmp_path, *more)
