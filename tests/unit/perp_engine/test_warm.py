"""Compiling ahead: told, once, and marked by the place of the sources."""

from pathlib import Path

import pytest

from perp_engine import exercise, warm


def test_compiling_is_told_and_done_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(warm, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(warm, "INTERPRETED", False)
    monkeypatch.setattr(exercise, "exercise", lambda: done.append("compiled"))
    said: list[str] = []
    assert warm.warm_up(said.append)
    assert ["compiled"] == done
    assert "compiling the engine (once, about 40 s) ..." == said[0]
    assert said[1].startswith("the engine is ready after ")
    assert not warm.warm_up(said.append)
    assert 2 == len(said)
    monkeypatch.setattr(warm, "__file__", str(tmp_path / "elsewhere" / "warm.py"))
    assert warm.warm_up(said.append), "sources elsewhere have a cache of their own"


def test_a_kernel_that_is_interpreted_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "INTERPRETED", True)
    assert not warm.warm_up(print)
