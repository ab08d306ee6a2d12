"""Requests to others: each failure has its name, what may pass is asked again, weight is kept."""

from collections.abc import AsyncIterator, Iterator

import httpx
import msgspec
import pytest
import respx
import stamina

from suite.errors import (
    NotFound,
    RateLimited,
    SuiteError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from suite.service.upstream import ATTEMPTS, Upstream, WeightLimit, retried

URL = "http://venue.test"
NUMBERS = msgspec.json.Decoder(list[int])


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    with stamina.set_testing(True, attempts=ATTEMPTS, cap=True):
        yield


@pytest.fixture
async def venue() -> AsyncIterator[Upstream]:
    upstream = Upstream("the venue", URL)
    yield upstream
    await upstream.close()


PASSING: dict[str, tuple[httpx.Response | Exception, type[SuiteError], str]] = {
    "too many": (httpx.Response(429), RateLimited, "the venue answered 429"),
    "banned": (httpx.Response(418), RateLimited, "the venue answered 418"),
    "broken": (httpx.Response(500, text="oops"), UpstreamUnavailable, "answered 500: oops"),
    "cut short": (httpx.Response(200, text="[1, 2"), UpstreamUnavailable, "broken JSON"),
    "slow": (httpx.ReadTimeout("slow"), UpstreamTimeout, "did not answer within 20 s"),
    "away": (httpx.ConnectError("refused"), UpstreamUnavailable, "cannot be reached at"),
}


@pytest.mark.parametrize("case", PASSING)
@respx.mock
async def test_what_may_pass_is_asked_again(venue: Upstream, case: str) -> None:
    """Once more is enough here; where it is not, the last failure is told in one line."""
    answer, fault, text = PASSING[case]
    route = respx.post(f"{URL}/info").mock(side_effect=[answer, httpx.Response(200, text="[3]")])
    assert [3] == await venue.read(NUMBERS, "/info", body={})
    assert 2 == route.call_count == venue.requests

    route = respx.post(f"{URL}/info").mock(side_effect=[answer] * ATTEMPTS)
    with pytest.raises(fault, match=text):
        await venue.read(NUMBERS, "/info", body={})


FINAL = {
    "not there": (httpx.Response(404), NotFound, "answered 404"),
    "refused": (httpx.Response(451, text="not here"), UpstreamRefused, "answered 451: not here"),
    "another shape": (httpx.Response(200, text='{"a": 1}'), UpstreamRefused, "another shape"),
    "come back tomorrow": (
        httpx.Response(429, headers={"retry-after": "86400"}),
        RateLimited,
        "answered 429",
    ),
}


@pytest.mark.parametrize("case", FINAL)
@respx.mock
async def test_what_will_not_pass_is_asked_once(venue: Upstream, case: str) -> None:
    """A refusal is an answer; a ban is not waited out."""
    answer, fault, text = FINAL[case]
    route = respx.get(f"{URL}/klines").mock(return_value=answer)
    with pytest.raises(fault, match=text):
        await venue.read(NUMBERS, "/klines", params={"limit": 5})
    assert 1 == route.call_count


@respx.mock
async def test_wait_that_is_asked_for_is_heeded(
    venue: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the second, and instead of our own."""
    stamina.set_testing(False)
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("asyncio.sleep", sleep)
    limited = httpx.Response(429, headers={"retry-after": "7"})
    respx.get(f"{URL}/a").mock(side_effect=[limited, limited, httpx.Response(200, text="[]")])
    assert [] == await venue.read(NUMBERS, "/a")
    assert [7.0, 7.0] == waits


async def test_bugs_are_not_retried() -> None:
    """Only faults of the environment are."""
    calls: list[int] = []

    async def call() -> None:
        calls.append(1)
        raise KeyError("bug")

    with pytest.raises(KeyError):
        await retried(call)
    assert 1 == len(calls)
    assert not SuiteError("x").retryable


class Time:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


async def test_weight_of_any_minute_stays_below_the_limit() -> None:
    """Bursts pass, then each waits until enough is a minute old."""
    time = Time()
    limit = WeightLimit(100, now_s=lambda: time.now_s, sleep=time.sleep)
    taken: list[tuple[float, int]] = []
    for weight in [60, 40, 20, 50, 100, 1, 99, 30]:
        await limit.take(weight)
        taken.append((time.now_s, weight))
        time.now_s += 1.0
    for at, _ in taken:
        assert 100 >= sum(weight for when, weight in taken if at <= when < at + 60.0)
    assert [0.0, 1.0, 60.0, 61.0] == [at for at, _ in taken[:4]]
