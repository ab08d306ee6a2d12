"""Accounts files that somebody got wrong: refused, or read as a person reads them."""

from pathlib import Path

import pytest
from tests.support.accounts_mutations import (
    TEXT,
    as_a_person_reads,
    as_the_service_does,
    with_one_thing_wrong,
    with_random_slips,
)

from hyperliquid_exchange.adapters.accounts_file import AccountsFileError, parse_accounts

OPTIONAL = ("watchdog_key_file", "master:")


def meaning(text: str) -> dict[str, object] | None:
    """What the service reads; None where it refuses, with a line for everything."""
    try:
        return as_the_service_does(parse_accounts(text, folder=Path(), network="testnet"))
    except AccountsFileError as error:
        unplaced = [told for told in error.problems if not told.startswith("line ")]
    assert unplaced == []
    return None


def test_file_is_read_as_it_stands() -> None:
    assert meaning(TEXT) == as_a_person_reads(TEXT)


def test_one_wrong_thing_is_enough_to_be_refused() -> None:
    """Every line left out, every key misspelt or twice, every number odd, every digit of an
    address another: none of them is accepted.
    """
    mutations = list(with_one_thing_wrong())
    accepted = [
        what
        for what, text in mutations
        if meaning(text) is not None
        and not (what.startswith("without line") and text == without_an_optional_line(what))
    ]
    print(f"{len(mutations)} mutations")
    assert len(mutations) >= 500
    assert accepted == []


def without_an_optional_line(what: str) -> str:
    """The text where the line left out is one that may be."""
    lines = TEXT.splitlines(keepends=True)
    line = lines[int(what.rsplit(maxsplit=1)[-1]) - 1]
    return TEXT.replace(line, "") if any(word in line for word in OPTIONAL) else ""


@pytest.mark.parametrize("seed", range(4))
def test_slips_are_refused_or_read_as_a_person_reads_them(seed: int) -> None:
    """None is accepted whose meaning differs from what stands there."""
    refused = 0
    for text in with_random_slips(250, seed):
        found = meaning(text)
        refused += found is None
        assert found is None or as_a_person_reads(text) == found, text
    assert 100 < refused < 250
