"""Notices leave once a second, repeats are counted, what is critical is told until it is seen."""

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

import pytest
from tests.support.virtual_time import VirtualClock, VirtualLoop, run_virtually

from suite.errors import UpstreamRefused
from suite.notices import MOST, Notice, NoticeRules, Notices, harmless

START_MS = 1_760_000_000_000
RULES = NoticeRules()


class Channel:
    """Takes notices, but for the first few."""

    def __init__(self, fails: int = 0, hangs_s: float = 0.0) -> None:
        self.fails = fails
        self.hangs_s = hangs_s
        self.taken: list[tuple[float, Notice]] = []

    async def send(self, notice: Notice) -> None:
        await asyncio.sleep(self.hangs_s)
        if self.fails:
            self.fails -= 1
            raise UpstreamRefused("500")
        self.taken.append((asyncio.get_running_loop().time(), notice))

    @property
    def texts(self) -> list[str]:
        return [notice.text for _, notice in self.taken]


def notices(*channels: Channel) -> Notices:
    loop = asyncio.get_running_loop()
    return Notices(channels, VirtualClock(loop, START_MS))


async def tell(told: Notices, seconds: float) -> None:
    """Let it tell for a while."""
    running = asyncio.create_task(told.run())
    await asyncio.sleep(seconds)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def virtually(case: Coroutine[Any, Any, None]) -> None:
    run_virtually(case, VirtualLoop(random.Random(1)))


def test_one_leaves_a_second() -> None:
    async def case() -> None:
        channel = Channel()
        told = notices(channel)
        for number in range(5):
            told.tell("trade", f"{number}")
        await tell(told, 30)
        at_s = [at for at, _ in channel.taken]
        assert at_s == pytest.approx([0.0, 1.0, 2.0, 3.0, 4.0], abs=0.001)

    virtually(case())


def test_repeats_are_counted_and_told_once() -> None:
    async def case() -> None:
        channel = Channel()
        told = notices(channel)
        running = asyncio.create_task(told.run())
        for _ in range(40):
            told.tell("trader", "alice cannot start")
            await asyncio.sleep(1)
        await asyncio.sleep(60)
        assert [
            "alice cannot start",
            "alice cannot start (39 more within 60 s)",
        ] == channel.texts
        told.tell("trader", "alice cannot start")  # another minute
        await asyncio.sleep(2)
        assert 3 == len(channel.taken)
        running.cancel()

    virtually(case())


def test_what_is_critical_is_told_again_until_it_is_acknowledged() -> None:
    async def case() -> None:
        channel = Channel()
        told = notices(channel)
        running = asyncio.create_task(told.run())
        told.tell("killed", "why", is_critical=True)
        told.tell("killed", "why", is_critical=True)
        await asyncio.sleep(RULES.again_s + 2)
        assert ["why", "why (told 2 of 3 times)"] == channel.texts
        assert ["why"] == [one.text for one in told.unacknowledged]
        assert 1 == told.acknowledge(channel.taken[0][1].number)
        assert 0 == told.acknowledge()
        await asyncio.sleep(RULES.again_s * 5)
        assert 2 == len(channel.taken)
        running.cancel()

    virtually(case())


def test_nobody_is_reminded_for_ever_and_a_reminder_goes_to_every_channel() -> None:
    async def case() -> None:
        first, second = Channel(), Channel()
        told = notices(first, second)
        told.tell("killed", "why", is_critical=True)
        await tell(told, RULES.again_s * 10)
        assert (RULES.times, RULES.times - 1) == (len(first.taken), len(second.taken))
        assert [] == told.unacknowledged

    virtually(case())


def test_what_is_critical_is_tried_until_a_channel_takes_it() -> None:
    async def case() -> None:
        channel = Channel(fails=3)
        told = notices(channel)
        told.tell("killed", "why", is_critical=True)
        told.tell("peer_back", "well")
        await tell(told, 60)
        assert ["killed", "peer_back"] == [notice.kind for _, notice in channel.taken]
        assert (0, False) == (told.dropped, told.failing)

    virtually(case())


def test_the_second_channel_is_for_what_the_first_does_not_take() -> None:
    async def case() -> None:
        first, second = Channel(fails=9), Channel()
        told = notices(first, second)
        told.tell("a", "b")
        await tell(told, 5)
        assert ([], ["b"]) == (first.texts, second.texts)

    virtually(case())


def test_both_channels_failing_is_a_state() -> None:
    async def case() -> None:
        told = notices(Channel(fails=9), Channel(fails=9))
        told.tell("a", "b")
        await tell(told, 5)
        assert (1, True) == (told.dropped, told.failing)

    virtually(case())


def test_what_waits_is_bounded_and_the_critical_stays() -> None:
    async def case() -> None:
        channel = Channel()
        told = notices(channel)
        told.tell("killed", "first of all", is_critical=True)
        for number in range(MOST + 10):
            told.tell("noise", f"{number}")
        await tell(told, 5)
        assert (11, "killed") == (told.dropped, channel.taken[0][1].kind)

    virtually(case())


def test_a_channel_that_hangs_holds_nobody_up() -> None:
    """Telling takes no time of the caller's, however long the channel does."""

    async def case() -> None:
        loop = asyncio.get_running_loop()
        told = notices(Channel(hangs_s=60))
        running = asyncio.create_task(told.run())
        before = loop.time()
        for number in range(100):
            told.tell("trade", f"{number}")
        assert before == loop.time()
        running.cancel()

    virtually(case())


HOSTILE = [
    "@everyone the vault is open",
    "<@1234> <!channel> <b>bold</b> <script>alert(1)</script>",
    "[click](https://evil.example/x) `rm -rf`",
    "two\nlines\r\nand\x00\x1b[31m colors\u202e",
    "x" * 10_000,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_name_is_only_ever_text(text: str) -> None:
    """A trader may be named anything; a chat reads no mark in it, and calls nobody."""
    shown = harmless(text)
    assert len(shown) <= 600
    assert "\n" not in shown
    assert "@everyone" not in shown
    assert "://" not in shown
    assert not set("<>[]`\\\x00\x1b\r\u202e") & set(shown)


def test_harmless_text_stays_as_it_is() -> None:
    text = "trader alice closed BTC long 0.5 at 60,010.5: +12.30 USDC (fees 0.12)"
    assert text == harmless(text)
