"""Replays at an exchange that refuses, hangs, fails or answers nonsense: skipped, and told."""

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest
import respx
from pydantic import SecretStr

from strategy_agent.adapters.backtest_http import BacktestHttp
from strategy_core.llm.rehearsing import Skipped, Trial
from suite.contracts.venue import PlaceOrder

URL = "http://venue.test"
HOUR_MS = 3_600_000
ORDER = PlaceOrder(coin="BTC", is_buy=True, sz=Decimal("0.01"))
TRIAL = Trial(10 * HOUR_MS, 14 * HOUR_MS, Decimal(100_000), ORDER)
FILL = {"time": 10 * HOUR_MS, "price": "100010", "realized_pnl": "0", "fee": "0.45"}
EXIT = {"time": 14 * HOUR_MS - 60_000, "price": "101010", "realized_pnl": "10", "fee": "0.45"}
LATE = {"time": 14 * HOUR_MS, "price": "1", "realized_pnl": "-99", "fee": "0.45"}


def report(*fills: dict[str, Any]) -> dict[str, Any]:
    funding = [{"time": 11 * HOUR_MS, "usd": "-0.1"}, {"time": 15 * HOUR_MS, "usd": "-50"}]
    return {"result": {"traders": {"window-1": {"trades": list(fills), "funding": funding}}}}


def replayed(
    *states: dict[str, Any], told: Any = None, started: httpx.Response | None = None
) -> list[float | None]:
    """One trial at an exchange that goes through some states of a job."""
    clock = {"s": 0.0}

    def sleep(seconds: float) -> None:
        clock["s"] += 10 * seconds

    running = {"job_id": "j", "status": "running"}
    with respx.mock(base_url=URL, assert_all_called=False) as mock:
        mock.post("/backtest/run").mock(return_value=started or httpx.Response(202, json=running))
        answers = iter(states)
        mock.get("/backtest/jobs/j").mock(
            side_effect=lambda _: httpx.Response(200, json=next(answers, running))
        )
        mock.get("/backtest/jobs/j/report").mock(return_value=httpx.Response(200, json=told))
        canceled = mock.delete("/backtest/jobs/j").mock(return_value=httpx.Response(200, json={}))
        access = BacktestHttp(URL, SecretStr("token-canary"), now_s=lambda: clock["s"], sleep=sleep)
        try:
            return access.replay([TRIAL])
        finally:
            assert canceled.called == (not states and started is None)
            sent = mock.calls[0].request
            assert "Bearer token-canary" == sent.headers["authorization"]
            body = json.loads(sent.content)
            assert body["to"] == TRIAL.to_ms
            assert {"window-1"} == {one["account"] for one in body["orders"]}


DONE = {"job_id": "j", "status": "done"}


def test_what_happens_after_a_window_does_not_count() -> None:
    told = replayed({"job_id": "j", "status": "running"}, DONE, told=report(FILL, EXIT, LATE))
    assert [pytest.approx((10 - 0.9 - 0.1) / 1000)] == told
    assert [None] == replayed(DONE, told=report(LATE))
    assert [None] == replayed(DONE, told=report())


@pytest.mark.parametrize(
    ("states", "told", "said"),
    [
        ((), None, "took more than 40 s"),
        (({"status": "failed", "error": "no bars"},), None, "the replay failed: no bars"),
        ((DONE,), {}, "answers another form: KeyError"),
        ((DONE,), [], "answers another form: TypeError"),
        ((DONE,), report({**FILL, "price": "odd"}), "another form: InvalidOperation"),
        ((DONE,), report({**FILL, "price": "50000"}), "has another market: 50000"),
    ],
)
def test_an_exchange_that_does_not_replay_is_told(
    states: tuple[dict[str, Any], ...], told: Any, said: str
) -> None:
    with pytest.raises(Skipped, match=said) as skipped:
        replayed(*states, told=told)
    assert "canary" not in str(skipped.value)


@pytest.mark.parametrize(
    ("started", "said"),
    [
        (httpx.Response(401, json={"error": "token"}), r"refused it \(401\): .*token"),
        (httpx.Response(422, text="no\ncoin X"), r"\(422\): no coin X"),
        (httpx.Response(429, json={"error": "2 run"}), r"\(429\): .*2 run"),
        (httpx.Response(503), r"\(503\): Service Unavailable"),
        (httpx.Response(200, text="<html>"), "another form: DecodeError"),
    ],
)
def test_a_refusal_is_told_with_its_reason(started: httpx.Response, said: str) -> None:
    with pytest.raises(Skipped, match=said):
        replayed(DONE, started=started)


def test_an_exchange_that_is_away_is_told() -> None:
    with pytest.raises(Skipped, match="cannot be reached: ConnectError"):
        BacktestHttp("http://127.0.0.1:1", SecretStr("x")).replay([TRIAL])
