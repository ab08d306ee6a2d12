"""The folder of a backtest: `report.json`, `arena.json` and `journals/`, and the page of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from suite.errors import BadRequest, StorageError
from trader_manager.application.report.from_backtest import ArenaNotes, view_of_backtest
from trader_manager.application.report.page import render_page
from trader_manager.application.report.view import ArenaView, DecisionView

PAGE: Final = "report.html"


class _Line(msgspec.Struct):
    type: str = ""
    decision: dict[str, Any] = {}


def write_page(folder: Path) -> Path:
    """Write the page of a backtest beside its report.

    Args:
        folder: with `report.json`; `journals/<trader>.jsonl` where there are any.

    Raises:
        BadRequest: there is no report that can be read.
        StorageError: the page cannot be written.
    """
    page = folder / PAGE
    text = render_page(read_backtest(folder))
    try:
        page.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot write {page}: {error.strerror}") from error
    return page


def read_backtest(folder: Path) -> ArenaView:
    """Read a backtest.

    Raises:
        BadRequest: there is no report that can be read.
    """
    report = _json(folder / "report.json", dict[str, Any])
    arena = folder / "arena.json"
    notes = _json(arena, ArenaNotes) if arena.exists() else None
    journals = folder / "journals"

    def journal(trader_id: str) -> Iterator[DecisionView] | None:
        name = f"{trader_id}.jsonl"
        parts = _parts(journals / name) if Path(name).name == name else []
        return _decisions(parts) if parts else None

    try:
        return view_of_backtest(report, journal, notes=notes)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise BadRequest(f"{folder / 'report.json'} is not as expected: {reason}") from error


def _json(path: Path, kind: Any) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise BadRequest(f"cannot read {path}: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRequest(f"{path} cannot be read: {error}") from None


def _parts(file: Path) -> list[Path]:
    """A journal with the parts that were put aside, oldest first; empty where there is none."""
    parts = [file] if file.exists() else []
    while parts and (older := file.with_suffix(f".{len(parts)}{file.suffix}")).exists():
        parts.insert(0, older)
    return parts


def _decisions(parts: list[Path]) -> Iterator[DecisionView]:
    """Decisions of all runs that follow each other; lines that a crash cut short are passed over.

    Raises:
        BadRequest: a part cannot be read.
    """
    lines = msgspec.json.Decoder(_Line)
    for path in parts:
        try:
            with path.open("rb") as file:
                for raw in file:
                    try:
                        body = lines.decode(raw).decision
                    except (msgspec.MsgspecError, UnicodeDecodeError):
                        continue
                    number, now_ms = body.get("decision"), body.get("now_ms")
                    if isinstance(number, int) and isinstance(now_ms, int):
                        yield DecisionView(number=number, time_ms=now_ms, body=body)
        except OSError as error:
            raise BadRequest(f"cannot read {path}: {error.strerror}") from None
