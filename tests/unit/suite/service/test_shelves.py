"""Models in folders; what all shelves promise is in tests/contract/test_model_shelves.py."""

from pathlib import Path

import pytest

from suite.errors import ConfigError, StorageError
from suite.service.shelves import KEPT, FolderShelf, find_model


def test_folders_of_models_that_are_not_kept_any_more_are_gone(tmp_path: Path) -> None:
    shelf = FolderShelf(tmp_path / "shelf")
    for number in range(7):
        shelf.put(f"m-{number}", {"meta.json": b"%d" % number})
    assert KEPT == len([one for one in (tmp_path / "shelf").iterdir() if one.is_dir()])


def test_line_that_a_crash_cut_short_is_left_out_and_a_damaged_one_is_told(tmp_path: Path) -> None:
    shelf = FolderShelf(tmp_path)
    shelf.add_rows(b"whole")
    path = tmp_path / "trades.jsonl"
    path.write_bytes(path.read_bytes() + b"aGFsZ")
    assert (b"whole",) == shelf.rows()
    path.write_bytes(b"!!\n")
    with pytest.raises(StorageError, match="damaged"):
        shelf.rows()


def test_name_that_leads_elsewhere_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "champion").write_text("../../etc\nm-1\n")
    assert [("m-1", {})] == list(FolderShelf(tmp_path).models())


def test_model_is_found_by_name_or_by_folder(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "m-1"
    folder.mkdir(parents=True)
    (folder / "meta.json").write_bytes(b"{}")
    assert {"meta.json": b"{}"} == find_model(tmp_path / "models", "m-1")
    assert {"meta.json": b"{}"} == find_model(tmp_path / "elsewhere", str(folder))
    with pytest.raises(ConfigError, match="there is no model m-2"):
        find_model(tmp_path / "models", "m-2")
