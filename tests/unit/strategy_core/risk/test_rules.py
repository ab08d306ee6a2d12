"""The guard table of docs/risk.md is the code's own."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import msgspec

from strategy_core.risk.limits import RiskLimits
from strategy_core.risk.rules import RULES

DOCUMENT = Path(__file__).parents[4] / "docs" / "risk.md"
SOURCES = Path(__file__).parents[4] / "strategy-agent" / "src" / "strategy_core" / "risk"
ONLY_SET = {"at_day_loss", "heal_s"}
"""Settings that choose what happens, and set no rule."""


def bound_of(name: str) -> str:
    """Range that a limit may be set to, as text."""
    kind = get_type_hints(RiskLimits, include_extras=True)[name]
    for meta in get_args(kind)[1:]:
        if isinstance(meta, msgspec.Meta):
            lowest = f"above {meta.gt:g}" if meta.gt is not None else f"{meta.ge:,}"
            return f"{lowest} to {meta.le:,}"
    return " or ".join(f"`{choice}`" for choice in get_args(kind))


def rows() -> Iterator[str]:
    """Rows of the limits, then those of the guard table."""
    for field in msgspec.structs.fields(RiskLimits):
        default = field.default if isinstance(field.default, str) else f"{field.default:,}"
        yield f"| `{field.name}` | {default} | {bound_of(field.name)} |"
    for name, rule in RULES.items():
        limits = ", ".join(f"`{limit}`" for limit in rule.limits)
        yield f"| `{name}` | {rule.meaning} | {limits} | {rule.outcome} | {rule.reducing} |"


def test_the_documented_tables_are_the_code() -> None:
    """Every rule with its meaning, every limit with default and bound, in the code's order."""
    table = list(rows())
    print("\n" + "\n".join(table))
    lines = DOCUMENT.read_text().splitlines()
    assert table == [line for line in lines if line in table]


def test_every_limit_belongs_to_a_rule_and_every_rule_is_given() -> None:
    """No limit without effect, no verdict without a meaning."""
    limits = {field.name for field in msgspec.structs.fields(RiskLimits)}
    used = {limit for rule in RULES.values() for limit in rule.limits}
    assert limits - ONLY_SET == used
    text = "".join(path.read_text() for path in SOURCES.glob("*.py") if path.name != "rules.py")
    given = set(re.findall(r'"([a-z_]+)"', text))
    assert set(RULES) - given == set()
