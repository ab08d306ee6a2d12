"""What an evaluation has walked so far, beside where its result will be."""

import hashlib
from pathlib import Path
from typing import Final

import strategy_core
from suite.service.store_files import LocalFiles

FOLDER: Final = "walked"


class WalkedFiles:
    """`strategy_core.learning.walkforward.Keeper`; what another program has walked is not found.

    Args:
        folder: of the result.
    """

    def __init__(self, folder: Path) -> None:
        self._files = LocalFiles(folder)
        self._code = _code()

    def load(self, key: str) -> bytes | None:
        """Read what was kept; None where it is not whole."""
        content = self._files.read(self._name(key)) or b""
        digest, kept = content[:32], content[32:]
        return kept if digest == hashlib.sha256(kept).digest() else None

    def keep(self, key: str, content: bytes) -> None:
        """Keep a configuration."""
        self._files.write(self._name(key), hashlib.sha256(content).digest() + content)

    def forget(self) -> None:
        """Remove all of it: the result is there."""
        self._files.remove(FOLDER)

    def _name(self, key: str) -> str:
        return f"{FOLDER}/{hashlib.sha256(f'{self._code} {key}'.encode()).hexdigest()[:24]}"


def _code() -> str:
    """Hash the text of what walks."""
    digest = hashlib.sha256()
    for path in sorted(Path(strategy_core.__path__[0]).rglob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
