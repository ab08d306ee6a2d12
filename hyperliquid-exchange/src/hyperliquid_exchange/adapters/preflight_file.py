"""The last result of the checklist, in the state folder."""

import os
from pathlib import Path
from typing import Final

import msgspec

from hyperliquid_exchange.application.preflight.lines import Result
from suite.errors import StorageError

NAME: Final = "preflight.json"
LATCH: Final = 37
"""The one line that may be red where a kill is to be ended: that something is stopped."""

_result = msgspec.json.Decoder(Result)


def keep_result(result: Result, folder: Path) -> Path:
    """Write a result, whole or not at all.

    The file also has `green` and `at_ms`: whether a kill may be ended with it.

    Raises:
        StorageError: it could not be written.
    """
    told = msgspec.to_builtins(result)
    told["at_ms"] = result.as_of_ms
    told["green"] = result.mode == "live" and all(
        line.status != "FAIL" or line.number == LATCH for line in result.lines
    )
    path, draft = folder / NAME, folder / f".{NAME}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=1) + b"\n")
        draft.replace(path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from None
    return path


def kept_result(folder: Path) -> Result | None:
    """Read the last result; None where there is none, or none that can be read."""
    try:
        return _result.decode((folder / NAME).read_bytes())
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
