"""Every promise names tests that exist, and the page is what the figures make of it."""

import ast
from pathlib import Path

import pytest
from tests.support.promises import DEGRADED, FIGURES, INCIDENTS, PAGE, PLANTED, PROMISES, kept, page

ROOT = Path(__file__).parents[3]
LISTS = (PROMISES, DEGRADED, INCIDENTS, PLANTED)
NAMED = sorted({test for one in LISTS for promise in one.values() for test in promise.tests})


def test_every_figure_is_of_a_promise() -> None:
    assert kept().keys() <= PROMISES.keys()


@pytest.mark.parametrize("named", NAMED)
def test_named_test_exists(named: str) -> None:
    path, _, name = named.partition("::")
    assert (ROOT / path).is_file()
    if name:
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        tree = ast.parse((ROOT / path).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, kinds)}


def test_the_page_is_made_of_the_figures() -> None:
    assert PAGE.read_text() == page(kept()), "run: python -m tests.support.promises"
    assert FIGURES.exists()


def test_a_figure_is_of_a_test_that_exists() -> None:
    for shown in kept().values():
        for test in shown:
            path, _, name = test.partition("::")
            assert f"def {name.partition('[')[0]}(" in (ROOT / path).read_text(), test


def test_every_incident_of_the_catalog_is_listed() -> None:
    assert [f"IC-{number:02}" for number in range(1, 22)] == list(INCIDENTS)


def test_what_no_test_shows_says_what_is_missing() -> None:
    for one in LISTS:
        assert [] == [key for key, promise in one.items() if not (promise.tests or promise.missing)]
