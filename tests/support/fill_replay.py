"""Fills that are told again and again."""

import random

from tests.support.account_wire import fill

from suite.account.fill_book import FillBook
from suite.contracts.hyperliquid_info import UserFill


def replay(count: int, *, seed: int) -> tuple[int, int]:
    """Tell each fill one to three times: by the stream, by snapshots, by reads."""
    chance = random.Random(seed)
    book = FillBook()
    size, total, at = 1000, 0, 0
    every: list[UserFill] = []
    for begin in range(0, count, size):
        batch = []
        for _ in range(begin, min(begin + size, count)):
            at += chance.randint(0, 2)  # many at one time
            batch.append(fill(chance.getrandbits(50), chance.choice(("ETH", "BTC")), at=at))
        every = [*every[-size:], *batch]
        told = batch * chance.randint(1, 2)
        chance.shuffle(told)
        while told:
            cut = chance.randint(1, 200)
            total += len(book.add(tuple(told[:cut])))
            told = told[cut:]
        snapshot = sorted(every, key=lambda one: one.time, reverse=chance.random() < 0.5)
        total += len(book.add(tuple(snapshot[: chance.randint(0, 2 * size)])))
    return total, book.repeated
