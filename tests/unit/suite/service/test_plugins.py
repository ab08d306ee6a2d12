"""Classes of others, found by `package.module:Class`."""

import json
import sys
from pathlib import Path

import pytest

from suite.errors import ConfigError
from suite.service.plugins import load_class, look_in


def test_class_of_an_installed_module_is_found() -> None:
    assert json.JSONDecoder is load_class("json:JSONDecoder")


def test_module_in_the_working_directory_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["elsewhere"])
    (tmp_path / "found_here.py").write_text("class Mine: pass")
    assert "Mine" == load_class("found_here:Mine").__name__


def test_module_in_a_named_folder_is_found_behind_all_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hides nothing that Python has."""
    monkeypatch.setattr("sys.path", [*sys.path])
    (tmp_path / "found_there.py").write_text("class Mine: pass")
    look_in(tmp_path)
    look_in(tmp_path)
    assert "Mine" == load_class("found_there:Mine").__name__
    assert (str(tmp_path), 1) == (sys.path[-1], sys.path.count(str(tmp_path)))


@pytest.mark.parametrize("name", ["json", ":Mine", "json:", ""])
def test_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"write package.module:Class, such as .*, not"):
        load_class(name)


@pytest.mark.parametrize("text", ["import absent_module", "1 / 0", "def", "raise SystemExit(0)"])
def test_module_that_fails_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken_module.py").write_text(text)
    with pytest.raises(ConfigError, match=r"^cannot load broken_module:Mine: [A-Za-z]+: "):
        load_class("broken_module:Mine")
