"""Every row of the threat model names tests that exist, or says why there is none."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ROWS = {
    cells[0]: cells[1:]
    for line in (ROOT / "docs" / "threat-model.md").read_text().splitlines()
    if (cells := [cell.strip() for cell in line.strip("|").split("|")])[0].startswith("TM")
}


@cache
def names_in(path: str) -> frozenset[str]:
    """Names of the tests of a file; none where there is no such file."""
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    tree = ast.parse(file.read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, kinds))


def test_all_rows_are_there() -> None:
    assert [f"TM{number}" for number in range(1, 23)] == list(ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_row_says_what_stands_in_the_way_and_what_proves_it(row: str) -> None:
    way, control, proof = ROWS[row]
    assert way
    assert control
    assert NAMED.search(proof) or re.search(r"\b[Nn]o test\b.*\bsince\b", proof)


@pytest.mark.parametrize(
    ("path", "name"),
    sorted({found for cells in ROWS.values() for found in NAMED.findall(cells[2])}),
)
def test_named_test_exists(path: str, name: str) -> None:
    assert name in names_in(path), f"{path} has no {name}"
