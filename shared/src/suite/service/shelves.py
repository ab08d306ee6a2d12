"""Models of one trader as files: the one in use, those before it, and the record of all attempts.

    <folder>/champion            names of models, the one in use first; replaced in one step
    <folder>/<name>/             files of a model
    <folder>/attempts.jsonl      one line for each training that came to its end
    <folder>/trades.jsonl        labelled trades, a line for each time some became known

What the files hold is nothing to this module.
"""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from suite.errors import ConfigError, NotFound, StorageError
from suite.service.appended_lines import AppendedLines
from suite.service.store_files import LocalFiles

KEPT: Final = 5
"""Models that are kept, the one in use among them."""
CHAMPION: Final = "champion"
Files = Mapping[str, bytes]


class MemoryShelf:
    """A shelf that is gone with its process: for simulated worlds that begin anew."""

    def __init__(self) -> None:
        self._models: list[tuple[str, Files]] = []
        self.lines: list[bytes] = []
        self._rows: list[bytes] = []

    def models(self) -> tuple[tuple[str, Files], ...]:
        """Tell the model in use, and those before it."""
        return tuple(self._models)

    def put(self, name: str, files: Files) -> None:
        """Put a model in use."""
        others = [one for one in self._models if one[0] != name]
        self._models = [(name, files), *others][:KEPT]

    def choose(self, name: str) -> None:
        """Put a model in use that is kept.

        Raises:
            NotFound: it is not kept.
        """
        self.put(name, _kept(self._models, name))

    def attach(self, name: str, file: str, content: bytes) -> None:
        """Add a file to a model that is kept, or replace one.

        Raises:
            NotFound: it is not kept.
        """
        files = {**_kept(self._models, name), file: content}
        self._models = [(name, files) if one == name else (one, old) for one, old in self._models]

    def attempts(self) -> tuple[bytes, ...]:
        """Tell the record, oldest first."""
        return tuple(line.rstrip(b"\n") for line in self.lines)

    def note(self, line: bytes) -> None:
        """Add a line to the record."""
        self.lines.append(line)

    def rows(self) -> tuple[bytes, ...]:
        """Tell what was kept."""
        return tuple(self._rows)

    def add_rows(self, content: bytes) -> None:
        """Keep labelled trades."""
        self._rows.append(content)


class FolderShelf:
    """A shelf on disk; a crash leaves the old model or the new one in use.

    Args:
        folder: made when something is put there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = LocalFiles(folder)

    def models(self) -> tuple[tuple[str, Files], ...]:
        """Tell the model in use, and those before it; one that is missing is without files."""
        return tuple((name, read_folder(self._folder / name)) for name in self._names())

    def put(self, name: str, files: Files) -> None:
        """Write a model, and then put it in use.

        Raises:
            StorageError: the disk refuses; the old one stays in use.
        """
        for file, content in files.items():
            self._files.write(f"{name}/{file}", content)
        for file in read_folder(self._folder / name).keys() - files.keys():
            self._files.remove(f"{name}/{file}")
        before = [one for one in self._names() if one != name]
        self._order([name, *before][:KEPT])
        for gone in before[KEPT - 1 :]:
            self._files.remove(gone)

    def choose(self, name: str) -> None:
        """Put a model in use that is kept.

        Raises:
            NotFound: it is not kept.
            StorageError: the disk refuses; the old one stays in use.
        """
        _kept(self.models(), name)
        self._order([name, *(one for one in self._names() if one != name)])

    def attach(self, name: str, file: str, content: bytes) -> None:
        """Add a file to a model that is kept, or replace one.

        Raises:
            NotFound: it is not kept.
            StorageError: the disk refuses.
        """
        _kept(self.models(), name)
        self._files.write(f"{name}/{file}", content)

    def attempts(self) -> tuple[bytes, ...]:
        """Tell the record, oldest first."""
        path = self._folder / "attempts.jsonl"
        if not path.exists():
            return ()
        with AppendedLines(path) as file:
            return tuple(file.lines)

    def note(self, line: bytes) -> None:
        """Add a line to the record."""
        with AppendedLines(self._folder / "attempts.jsonl") as file:
            file.append(line.rstrip(b"\n"))

    def rows(self) -> tuple[bytes, ...]:
        """Tell what was kept.

        Raises:
            StorageError: it is damaged.
        """
        path = self._folder / "trades.jsonl"
        if not path.exists():
            return ()
        with AppendedLines(path) as file:
            try:
                return tuple(base64.b64decode(line, validate=True) for line in file.lines)
            except ValueError as error:
                raise StorageError(f"{path} is damaged ({error}); move it away") from None

    def add_rows(self, content: bytes) -> None:
        """Keep labelled trades."""
        with AppendedLines(self._folder / "trades.jsonl") as file:
            file.append(base64.b64encode(content))

    def _order(self, names: list[str]) -> None:
        self._files.write(CHAMPION, "".join(f"{one}\n" for one in names).encode())

    def _names(self) -> list[str]:
        content = self._files.read(CHAMPION) or b""
        return [name for name in content.decode("utf-8", "replace").split() if _is_name(name)]


def _kept(models: Sequence[tuple[str, Files]], name: str) -> Files:
    """Find a model that is kept, with its files.

    Raises:
        NotFound: it is not.
    """
    found = dict(models).get(name)
    if not found:
        known = ", ".join(one for one, _ in models) or "none"
        raise NotFound(f"{name} is not kept; kept are: {known}")
    return found


def read_folder(folder: Path) -> dict[str, bytes]:
    """Read all files of a folder; none where it is not there."""
    try:
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    except OSError:
        return {}


def find_model(folder: Path, name: str) -> dict[str, bytes]:
    """Read a model by its folder, or by its name below another one.

    Args:
        folder: of all models.
        name: a path, or a name.

    Raises:
        ConfigError: there is none.
    """
    for place in (Path(name), folder / name):
        if files := read_folder(place):
            return files
    raise ConfigError(f"there is no model {name}: neither a folder nor in {folder}")


def _is_name(name: str) -> bool:
    """Whether a name stays within its folder."""
    return name.replace("-", "").replace("_", "").isalnum()
