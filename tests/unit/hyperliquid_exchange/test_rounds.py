"""One call for many, and no answer older than its question."""

import asyncio

import pytest

from hyperliquid_exchange.application.rounds import Rounds


class Source:
    """Says how often it was asked; answers when it is let."""

    def __init__(self) -> None:
        self.calls = 0
        self.gate = asyncio.Event()

    async def __call__(self) -> int:
        self.calls += 1
        number = self.calls
        await self.gate.wait()
        return number


async def test_those_who_ask_at_once_share_a_call() -> None:
    """However many; another key is another call."""
    rounds, source = Rounds[str, int](), Source()
    source.gate.set()
    same = [rounds.ask("a", source) for _ in range(50)]
    assert [1] * 50 == await asyncio.gather(*same)
    assert 2 == await rounds.ask("b", source)


async def test_who_asks_while_it_is_under_way_gets_the_next() -> None:
    """The first may have been answered before the question was asked."""
    rounds, source = Rounds[str, int](), Source()
    first = asyncio.create_task(rounds.ask("a", source))
    while not source.calls:  # noqa: ASYNC110 - it begins within a turn
        await asyncio.sleep(0)
    rest = [asyncio.create_task(rounds.ask("a", source)) for _ in range(20)]
    await asyncio.sleep(0)
    source.gate.set()
    assert 1 == await first
    assert [2] * 20 == await asyncio.gather(*rest)


async def test_who_goes_away_takes_nothing_from_the_others() -> None:
    """And a failure is everybody's, once; the next question is asked anew."""
    rounds, source = Rounds[str, int](), Source()
    asked = [asyncio.create_task(rounds.ask("a", source)) for _ in range(3)]
    while not source.calls:  # noqa: ASYNC110 - it begins within a turn
        await asyncio.sleep(0)
    asked[0].cancel()
    source.gate.set()
    assert [1, 1] == await asyncio.gather(*asked[1:])

    async def fail() -> int:
        raise ValueError("no")

    failures = await asyncio.gather(
        *(rounds.ask("a", fail) for _ in range(3)), return_exceptions=True
    )
    assert ["no"] * 3 == [str(failure) for failure in failures]
    assert 2 == await rounds.ask("a", source)
    with pytest.raises(ValueError, match="no"):
        await rounds.ask("a", fail)
