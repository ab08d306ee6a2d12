"""What is kept is an answer while nothing has changed; only speed depends on it."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.waiting import until

from suite.bodies import Encoded
from suite.errors import DataGap
from suite.service.caching import ITEMS, TTL_S, Cache, Version


class Origin:
    """What answers are made of; its state is set by hand."""

    def __init__(self) -> None:
        self.at_ms = 1
        self.made = 0
        self.fault: Exception | None = None
        self.on_make: Callable[[], None] = lambda: None
        self.open = asyncio.Event()
        self.open.set()

    @property
    def answer(self) -> Encoded:
        return Encoded.of(b"as of %d" % self.at_ms)

    async def version(self) -> Version:
        return Version(self.at_ms, f"state-{self.at_ms}")

    async def make(self) -> Encoded:
        self.made += 1
        await self.open.wait()
        if self.fault is not None:
            raise self.fault
        answer = self.answer
        self.on_make()
        return answer


class Shared:
    """Another process's values, which are whatever a test puts there."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[Version, Encoded]] = {}
        self.on_newer: Callable[[str, int], None] = lambda _key, _at_ms: None

    async def find(self, key: str, version: Version) -> Encoded | None:
        kept = self.held.get(key)
        return kept[1] if kept is not None and kept[0] == version else None

    def offer(self, key: str, version: Version, value: Encoded) -> None:
        self.held[key] = version, value


async def ask(cache: Cache, origin: Origin, key: str = "key") -> Encoded:
    return await cache.get(key, origin.version, origin.make)


async def test_what_has_not_changed_is_made_once() -> None:
    cache, origin = Cache(), Origin()
    assert [origin.answer] * 3 == [await ask(cache, origin) for _ in range(3)]
    assert 1 == origin.made
    assert {"memory": 2, "shared": 0, "made": 1} == dict(cache.counts)


async def test_what_has_changed_is_made_anew_at_once() -> None:
    cache, origin = Cache(), Origin()
    await ask(cache, origin)
    origin.at_ms = 2
    assert origin.answer == await ask(cache, origin)


async def test_what_changes_while_it_is_made_is_not_kept() -> None:
    """It may be of either state: the next who asks has it made again."""
    shared = Shared()
    cache, origin = Cache(shared), Origin()
    origin.on_make = lambda: setattr(origin, "at_ms", 2)
    await ask(cache, origin)
    assert {} == shared.held
    origin.on_make = lambda: None
    assert Encoded.of(b"as of 2") == await ask(cache, origin)
    assert 2 == origin.made


async def test_a_crowd_has_it_made_once_though_the_first_goes_away() -> None:
    cache, origin = Cache(), Origin()
    origin.open.clear()
    first, *others = [asyncio.create_task(ask(cache, origin)) for _ in range(50)]
    await until(lambda: origin.made)
    first.cancel()
    origin.open.set()
    assert [origin.answer] * 49 == await asyncio.gather(*others)
    assert first.cancelled()
    assert 1 == origin.made


async def test_a_fault_is_told_to_all_and_kept_from_nobody_later() -> None:
    cache, origin = Cache(), Origin()
    origin.fault = DataGap("nothing there")
    origin.open.clear()
    asked = [asyncio.create_task(ask(cache, origin)) for _ in range(3)]
    await until(lambda: origin.made)
    origin.open.set()
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert ["nothing there"] * 3 == list(map(str, told))
    origin.fault = None
    assert origin.answer == await ask(cache, origin)


async def test_memory_forgets_after_its_time() -> None:
    now_s = [0.0]
    cache, origin = Cache(now_s=lambda: now_s[0]), Origin()
    await ask(cache, origin)
    now_s[0] = TTL_S - 1
    await ask(cache, origin)
    assert 1 == origin.made
    now_s[0] = TTL_S + 1
    await ask(cache, origin)
    assert 2 == origin.made


@pytest.mark.parametrize(
    ("size_bytes", "asked", "left"),
    [(ITEMS * 100, ITEMS + 5, ITEMS), (7 * 20, 50, 20), (6, 5, 0)],
    ids=["a thousand values", "twenty of seven bytes", "larger than all of it"],
)
async def test_memory_is_bounded(size_bytes: int, asked: int, left: int) -> None:
    """By number and by size; the ones asked for last stay."""
    cache, origin = Cache(size_bytes=size_bytes), Origin()
    for number in range(asked):
        await ask(cache, origin, f"key-{number}")
    for number in reversed(range(asked - left, asked)):
        await ask(cache, origin, f"key-{number}")
    assert asked == origin.made
    await ask(cache, origin, "key-0")
    assert asked + 1 == origin.made


async def test_a_lower_version_never_replaces_a_higher_one() -> None:
    """A clock that goes back, a file that is taken away: answers are right, and made each time."""
    shared = Shared()
    cache, origin = Cache(shared), Origin()
    origin.at_ms = 5
    await ask(cache, origin)
    origin.at_ms = 3
    assert [origin.answer] * 2 == [await ask(cache, origin), await ask(cache, origin)]
    assert Version(5, "state-5") == shared.held["key"][0]
    origin.at_ms = 5
    made = origin.made
    assert origin.answer == await ask(cache, origin)
    assert made == origin.made


async def test_what_another_process_has_made_is_not_made_again() -> None:
    shared = Shared()
    origin = Origin()
    await ask(Cache(shared), origin)
    cache = Cache(shared)
    assert [origin.answer] * 2 == [await ask(cache, origin), await ask(cache, origin)]
    assert {"memory": 1, "shared": 1, "made": 0} == dict(cache.counts)
    assert 1 == origin.made


async def test_an_older_value_is_let_go_when_another_process_has_a_newer() -> None:
    shared = Shared()
    cache, origin = Cache(shared), Origin()
    await ask(cache, origin)
    shared.held.clear()
    for at_ms, made in ((0, 1), (1, 1), (2, 2)):
        shared.on_newer("key", at_ms)
        shared.on_newer("another", at_ms)
        shared.held.clear()
        assert origin.answer == await ask(cache, origin)
        assert made == origin.made


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("now"), st.integers(1, 4)),
            st.tuples(st.just("newer"), st.integers(1, 4)),
            st.tuples(st.just("lose"), st.just(0)),
            st.tuples(st.just("older"), st.integers(1, 4)),
            st.tuples(st.just("ask"), st.integers(0, 1)),
        ),
        max_size=40,
    )
)
async def test_whatever_others_keep_the_answer_is_that_of_now(steps: list[tuple[str, int]]) -> None:
    """Two processes, one shared tier that loses, brings back and tells what it likes."""
    shared, origin = Shared(), Origin()
    caches = [Cache(shared), Cache(shared)]
    for step, value in steps:
        if step == "now":
            origin.at_ms = value
        elif step == "newer":
            shared.on_newer("key", value)
        elif step == "lose":
            shared.held.clear()
        elif step == "older":
            body = Encoded.of(b"as of %d" % value)
            shared.held["key"] = Version(value, f"state-{value}"), body
        else:
            assert origin.answer == await ask(caches[value], origin)
