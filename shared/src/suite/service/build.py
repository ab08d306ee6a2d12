"""Which code runs: a hash over it, so that two processes can be told to be of the same build."""

import hashlib
from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

_CODE: Final = (".py", ".html", ".js", ".yaml", ".json")


def build_hash(*packages: str, modules: Iterable[Path] = ()) -> str:
    """Hash code as it is installed here.

    Args:
        packages: whose code counts.
        modules: files of code besides, as those of plugins.
    """
    digest = hashlib.sha256()
    for package in packages:
        for name, content in sorted(_contents(files(package), package)):
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
    for path in modules:
        digest.update(f"{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _contents(folder: Traversable, name: str) -> Iterable[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _contents(entry, f"{name}/{entry.name}")
        elif entry.name.endswith(_CODE):
            yield f"{name}/{entry.name}", entry.read_bytes()
