"""The tables of docs/risk.md on sizing and exits are the code's own."""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from strategy_core.exits.kinds import ExitKind
from strategy_core.exits.rules import ExitRules
from strategy_core.sizing.bracket import BracketRules
from strategy_core.sizing.kelly import KellyRules
from strategy_core.sizing.leverage import LeverageRules
from strategy_core.sizing.stop_distance import RiskSizing

DOCUMENT = Path(__file__).parents[3] / "docs" / "risk.md"
STRUCTS = [KellyRules, LeverageRules, RiskSizing, BracketRules, ExitRules]


def bounds(kind: Any) -> str:
    """What a setting may be, as text."""
    for meta in get_args(kind)[1:]:
        if isinstance(meta, msgspec.Meta):
            lowest = f"above {meta.gt:g}" if meta.gt is not None else f"{meta.ge:g}"
            highest = f"below {meta.lt:g}" if meta.lt is not None else f"{meta.le:g}"
            return f"{lowest} to {highest}"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " or ".join(f"`{choice.value}`" for choice in kind)
    choices = get_args(kind) if kind is not bool else (False, True)
    return " or ".join(f"`{str(choice).lower()}`" for choice in choices if choice != "")


def rows(struct: type[msgspec.Struct]) -> Iterator[str]:
    hints = get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        if NoneType in get_args(hints[field.name]):
            continue  # one of the seven: on, off or left open
        default = field.default
        shown = str(default) if isinstance(default, float) else f"`{str(default).lower()}`"
        bound = bounds(hints[field.name])
        yield f"| `{field.name}` | {shown if default != '' else 'by interval'} | {bound} |"


@pytest.mark.parametrize("struct", STRUCTS)
def test_the_documented_settings_are_the_code(struct: type[msgspec.Struct]) -> None:
    """Every setting with default and bounds, in the code's order."""
    table = list(rows(struct))
    print("\n" + "\n".join(table))
    lines = DOCUMENT.read_text().splitlines()
    assert table == [line for line in lines if line in table]


def test_the_seven_are_documented_in_their_order() -> None:
    lines = DOCUMENT.read_text().splitlines()
    found = [line.split("`")[1] for line in lines if line[:3] in {f"| {n}" for n in range(1, 8)}]
    assert [kind.value for kind in ExitKind] == found
