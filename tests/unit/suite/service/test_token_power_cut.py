"""A token that was told to somebody is the same after a power cut."""

import os
from pathlib import Path
from typing import Any

import pytest

from suite.service.tokens import Grant, TokenStore, rotate_file

READER = Grant(name="reader", scopes=frozenset({"read:market"}))


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was synced and named, in order."""
    found: list[str] = []
    sync, name_it = os.fsync, os.link

    def note(handle: int) -> None:
        where = Path(f"/proc/self/fd/{handle}").readlink()
        found.append("folder" if where.is_dir() else f"file of {len(where.read_text())}")
        sync(handle)

    def named(*args: Any) -> None:
        found.append("named")
        name_it(*args)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(os, "link", named)
    return found


def test_a_token_is_synced_before_it_has_its_name(tmp_path: Path, done: list[str]) -> None:
    """An empty file in its place would keep the service from starting for ever."""
    made = TokenStore().ensure_file(tmp_path / "tokens", READER)
    assert [f"file of {len(made.read_text())}", "named", "folder"] == done


def test_so_is_one_that_takes_the_place_of_another(tmp_path: Path, done: list[str]) -> None:
    made = TokenStore().ensure_file(tmp_path / "tokens", READER)
    done.clear()
    rotate_file(made)
    assert [f"file of {len(made.read_text())}", "folder"] == done
