"""What the suite promises, what proves it in every run, and what its long form showed last.

The promises are in `promises.yaml`. A test records what it measured by the fixture `figure`;
`make chaos` writes all figures to `docs/promises.json` and makes `docs/promises.md` of them. A
promise whose long form did not run keeps its earlier figure, with the day it is of.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec

ROOT: Final = Path(__file__).parents[2]
FIGURES: Final = ROOT / "docs" / "promises.json"
PAGE: Final = ROOT / "docs" / "promises.md"
PROPERTY: Final = "promise"


class Promise(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A promise.

    Attributes:
        says: what is promised.
        tests: what proves it in every run of `make test`, as `path::name` or `path`.
        missing: what of it is not proved yet; empty where all is.
    """

    says: str
    tests: tuple[str, ...]
    missing: str = ""


def _listed(name: str) -> dict[str, Promise]:
    return msgspec.yaml.decode(Path(__file__).with_name(name).read_bytes(), type=dict[str, Promise])


PROMISES: Final = _listed("promises.yaml")
"""By their stable keys."""
DEGRADED: Final = _listed("degraded.yaml")
"""What goes on and what stops, by what is lost."""
INCIDENTS: Final = _listed("incidents.yaml")
"""What has happened to others, by the keys of the catalog."""
PLANTED: Final = _listed("planted.yaml")
"""Bugs that are put in on purpose, beside those in the engine."""

Figures: TypeAlias = dict[str, dict[str, dict[str, str]]]
"""By promise, then by test: `figure` and `day`."""


def recorded(reports: Iterable[Any], day: str) -> Figures:
    """Collect what passing tests recorded.

    Args:
        reports: of a run, from whichever worker.
        day: of the run, as `2026-11-22`.
    """
    found: Figures = {}
    for report in reports:
        if getattr(report, "when", "") == "call" and report.outcome == "passed":
            for name, value in report.user_properties:
                if name == PROPERTY:
                    key, figure = value
                    found.setdefault(key, {})[report.nodeid] = {"figure": figure, "day": day}
    return found


def kept() -> Figures:
    """Read the figures of earlier runs."""
    found: Figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    return found


def keep(new: Figures) -> None:
    """Write new figures over those of the same tests, and the page."""
    old = kept()
    merged = {
        key: dict(sorted({**old.get(key, {}), **new.get(key, {})}.items()))
        for key in sorted(old.keys() | new.keys())
    }
    FIGURES.write_text(json.dumps(merged, indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(page(merged))


def page(figures: Mapping[str, Mapping[str, Mapping[str, str]]]) -> str:
    """Make the page of all promises."""
    rows = [_row(key, promise, figures.get(key, {})) for key, promise in PROMISES.items()]
    degraded = [_short_row(key, one) for key, one in DEGRADED.items()]
    incidents = [_short_row(key, one) for key, one in INCIDENTS.items()]
    planted = [_short_row(key, one) for key, one in PLANTED.items()]
    tables = [_DEGRADED, *degraded, _INCIDENTS, *incidents, _PLANTED, *_in_engine(), *planted]
    return "\n".join([_HEAD, *rows, *tables, ""])


def _in_engine() -> list[str]:
    from tests.chaos.test_planted_bugs import BUGS

    found = "`tests/chaos/test_planted_bugs.py::test_planted_bug_is_caught`"
    return [f"| {bug} | in `{BUGS[bug][0]}` of the engine | {found} |" for bug in BUGS]


_HEAD: Final = """\
# Promises

What this software promises, and what shows it. This page is made by `make chaos`, which runs the
long forms; the tests of the third column run in every `make test`. A figure says what its long form
counted the last time that it ran, on two shared cores. "Open" names what no test proves yet.

| | Promise | Proved in every run by | Long form, last shown |
| --- | --- | --- | --- |"""


_DEGRADED: Final = """
## When something is lost

| Lost | What happens | Shown by |
| --- | --- | --- |"""
_INCIDENTS: Final = """
## What has happened to others

| | What happened | Does not happen here by |
| --- | --- | --- |"""

_PLANTED: Final = """
## Bugs that are put in on purpose

| Bug | What it is | Found by |
| --- | --- | --- |"""


def lines(figures: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Tell the figures of a promise, one line for all that are equal."""
    counts = Counter(
        (test.partition("::")[0], one["figure"], one["day"]) for test, one in figures.items()
    )
    return [
        f"{f'{count} ' if count > 1 else ''}{figure} (`{path}`, {day})"
        for (path, figure, day), count in counts.items()
    ]


def _row(key: str, promise: Promise, figures: Mapping[str, Mapping[str, str]]) -> str:
    shown = "<br>".join(lines(figures))
    return f"{_short_row(key, promise)} {shown or '–'} |"


def _short_row(key: str, promise: Promise) -> str:
    says = promise.says + (f" *Open: {promise.missing}.*" if promise.missing else "")
    tests = ", ".join(f"`{test}`" for test in promise.tests)
    return f"| {key} | {says} | {tests or '–'} |"


if __name__ == "__main__":
    keep({})
