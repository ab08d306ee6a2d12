"""Models on a shelf: the one in use is replaced whole or not at all, and the last five are kept."""

from pathlib import Path

import pytest

from suite.errors import ConfigError, StorageError
from suite.service.shelves import KEPT, FolderShelf, MemoryShelf, find_model


@pytest.mark.parametrize("on_disk", [True, False])
def test_the_last_five_models_are_kept_the_newest_first(tmp_path: Path, on_disk: bool) -> None:
    shelf = FolderShelf(tmp_path / "shelf") if on_disk else MemoryShelf()
    assert () == shelf.models()
    for number in range(7):
        shelf.put(f"m-{number}", {"meta.json": b"%d" % number})
    assert [f"m-{number}" for number in (6, 5, 4, 3, 2)] == [name for name, _ in shelf.models()]
    assert {"meta.json": b"6"} == shelf.models()[0][1]
    if on_disk:
        assert KEPT == len([one for one in (tmp_path / "shelf").iterdir() if one.is_dir()])
    shelf.put("m-4", {"meta.json": b"4"})
    assert ["m-4", "m-6", "m-5"] == [name for name, _ in shelf.models()][:3]


@pytest.mark.parametrize("on_disk", [True, False])
def test_rows_come_back_as_they_were(tmp_path: Path, on_disk: bool) -> None:
    shelf = FolderShelf(tmp_path / "shelf") if on_disk else MemoryShelf()
    assert () == shelf.rows()
    parts = (b"\n\x00one", b"", b"two")
    for part in parts:
        shelf.add_rows(part)
    assert parts == shelf.rows()


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
