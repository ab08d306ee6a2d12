"""Fills count once (D2)."""

import pytest
from tests.support.account_wire import fill
from tests.support.fill_replay import replay

from suite.account.fill_book import FillBook

FILLS = 30_000
"""`tests/chaos/test_account.py` has a million."""


def test_a_fill_counts_once_and_only_by_all_three_parts_of_its_name() -> None:
    book = FillBook()
    told = (fill(1), fill(1), fill(2), fill(1, "BTC"), fill(1, at=11))
    assert 4 == len(book.add(told))
    assert [] == book.add(told)
    assert (4, 6) == (book.applied, book.repeated)


def test_what_is_told_newest_first_is_turned_round_and_a_late_one_finds_its_place() -> None:
    book = FillBook()
    news = book.add((fill(3, at=30), fill(2, at=20), fill(1, at=20)))
    assert [1, 2, 3] == [one.tid for one in news]
    book.add((fill(4, at=25),))
    assert [1, 2, 4, 3] == [one.tid for one in book.recent]


def test_an_identity_told_in_two_ways_counts_as_first_told_and_is_noted() -> None:
    book = FillBook()
    book.add((fill(1, px="100.0"),))
    assert [] == book.add((fill(1, px="100.00"),))
    assert [] == list(book.conflicts)
    assert [] == book.add((fill(1, size="2.0"),))
    assert [(10, "ETH", 1)] == list(book.conflicts)


def test_what_is_no_number_takes_nothing_in() -> None:
    book = FillBook()
    with pytest.raises(ValueError, match="not a number"):
        book.add((fill(1), fill(2, px="a lot")))
    assert 0 == book.applied


def test_memory_is_bounded_and_what_is_older_than_it_is_not_new() -> None:
    book = FillBook(kept=100, shown=10)
    for tid in range(1000):
        book.add((fill(tid, at=tid),))
    assert (100, 10) == (len(list(book.identities)), len(book.recent))
    assert [] == book.add((fill(5, at=5),))
    assert (1000, 1) == (book.applied, book.expired)


def test_fills_told_again_and_again_across_connections_in_any_order_count_once() -> None:
    counted, repeated = replay(FILLS, seed=3)
    assert FILLS == counted
    assert repeated > FILLS // 2
