"""What is shown of live drift: the proxy's last report, or why there is none."""

import msgspec
import pytest
from tests.support.followed_portfolio import NoServices

from portfolio_service.application.services import DriftReport, Services
from suite.clock import ManualClock
from suite.errors import NotFound, SuiteError, UpstreamUnavailable

SUMS = {
    "trader_id": "anna",
    "orders": 4,
    "outcomes": {"both": 3, "neither": 1},
    "price_bps_mean": 2.9996,
    "price_bps_median": 3.0,
    "price_bps_worst": 3.1,
    "fee_bps_mean": 0.0,
    "latency_ms_p50": 7,
    "latency_ms_p99": 9,
    "cost_usd": "0.390078",
}
REPORT = {"as_of_ms": 2, "since_ms": 1, "summaries": [SUMS], "absent": {}, "foreign": {"anna": 0}}


class Proxy(NoServices):
    """A live proxy that answers as it is told to."""

    def __init__(self) -> None:
        self.answer: bytes | SuiteError | None = None

    async def drift(self) -> bytes | None:
        if isinstance(self.answer, SuiteError):
            raise self.answer
        return self.answer


async def seen(*answers: bytes | SuiteError | None) -> DriftReport | None:
    """What is known after some looks."""
    proxy = Proxy()
    services = Services(proxy, ManualClock(5))
    for proxy.answer in answers:
        await services.look()
    return services.drift


async def test_report_is_told_as_the_proxy_tells_it() -> None:
    told = await seen(msgspec.json.encode(REPORT))
    assert told is not None
    assert ("known", 2, 1) == (told.state, told.as_of_ms, told.since_ms)
    assert [SUMS] == [msgspec.to_builtins(one) for one in told.summaries]


async def test_without_a_live_proxy_there_is_none() -> None:
    assert await seen(None) is None


@pytest.mark.parametrize(
    ("answer", "state", "reason"),
    [
        (NotFound("no report was written yet"), "none", "no report"),
        (UpstreamUnavailable("venue cannot be reached"), "unknown", "cannot be reached"),
        (b"<html>busy</html>", "unknown", "malformed"),
        (b'{"as_of_ms": "soon"}', "unknown", "int"),
    ],
)
async def test_figures_of_a_proxy_that_is_silent_are_not_shown(
    answer: bytes | SuiteError, state: str, reason: str
) -> None:
    """Also where it had told some before; they come back with it."""
    good = msgspec.json.encode(REPORT)
    told = await seen(good, answer)
    assert told is not None
    assert (state, ()) == (told.state, told.summaries)
    assert reason in told.reason
    again = await seen(good, answer, good)
    assert again is not None
    assert "known" == again.state
