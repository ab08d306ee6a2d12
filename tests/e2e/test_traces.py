"""One trace from the question to the fill, over all processes in between."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from tests.support.agent_process import running_agent
from tests.support.model_process import QUIET
from tests.support.model_server import ModelServer, serving
from tests.support.present_market import (
    PresentMarket,
    present_market,
    present_stack,
    present_venue,
)
from tests.support.trace_collector import Seen, TraceCollector, collecting_traces
from tests.support.venue_process import VenueUnderTest, eventually

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

SECRET = "buy because the prompt says so"
BUY = {
    "coin": "BTC",
    "signal": "buy_to_enter",
    "size_usd": 500,
    "entry": "market",
    "reasoning": SECRET,
}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[TraceCollector]:
    with collecting_traces() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
        yield found


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with serving() as server:
        yield server


@pytest.fixture
def market(tmp_path: Path) -> PresentMarket:
    return present_market(tmp_path / "present")


def traders(model: ModelServer) -> str:
    params = {
        "model": "vllm/any",
        "base_url": model.url,
        "template": "short",
        "triggers": QUIET,
    }
    entry = {
        "trader_id": "alice",
        "strategy": {"kind": "llm", "params": params},
        "symbols": ["BTC"],
        "interval": "1m",
    }
    return json.dumps({"traders": [entry]})


def traced(
    folder: Path, url: str, token: str, data_url: str, model: ModelServer, seen: TraceCollector
) -> list[Seen]:
    """Have a trader buy once; the trace of its fill."""
    mids = httpx.post(f"{data_url}/info", json={"type": "allMids"}, trust_env=False).json()
    mid = round(float(mids["BTC"]))
    bounds = {"stop_loss": mid * 97 // 100, "take_profit": mid * 106 // 100}
    model.text = json.dumps({"decisions": [BUY | bounds], "notes": []})
    folder.mkdir()
    place = replace(VenueUnderTest("venue", url), folder=folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATA_SERVICE_URL", data_url)
        with running_agent(folder, place, traders(model), "alice", tokens={"alice": token}) as one:
            eventually(lambda: one.status("alice")["positions"], limit_s=120)
            eventually(lambda: seen.trace_of("fill"), limit_s=120)
            code, _, errors = one.stop()
            assert (0, "") == (code, errors)
    eventually(lambda: any(s.name == "decision" for s in seen.trace_of("fill")), limit_s=60)
    return seen.trace_of("fill")


def steps(found: list[Seen]) -> list[Seen]:
    return [one for one in found if one.name.endswith("/clock/wait")]


def above(found: list[Seen], one: Seen) -> list[str]:
    """Names of what a span belongs to, from the nearest."""
    names, by_id = [], {span.span: span for span in found}
    while one.parent:
        one = by_id[one.parent]
        names.append(one.name)
    return names


def test_a_trace_goes_from_the_question_to_the_fill_through_the_live_venue(
    tmp_path: Path, market: PresentMarket, model: ModelServer, collector: TraceCollector
) -> None:
    with present_stack(tmp_path / "stack", market, "alice") as stack:
        token = stack.token("alice")
        found = traced(tmp_path / "a", stack.url, token, stack.venue.url, model, collector)
        eventually(lambda: any(s.name == "venue" for s in collector.trace_of("fill")), limit_s=60)
        found = collector.trace_of("fill")
    names = {(one.service, one.name) for one in found}
    assert {
        ("strategy-agent", "decision"),
        ("strategy-agent", "model"),
        ("strategy-agent", "order"),
        ("hyperliquid-exchange", "POST /exchange/order"),
        ("hyperliquid-exchange", "venue"),
        ("strategy-agent", "fill"),
    } <= names
    sent = next(one for one in found if one.name == "venue")
    assert ["POST /exchange/order", "order", "decision"] == above(found, sent)
    for name in ("model", "fill", "order"):
        assert ["decision"] == above(found, next(one for one in found if one.name == name))
    everything = b"".join(collector.raw)
    for hidden in (token, SECRET, model.url):
        assert hidden.encode() not in everything


def test_a_trace_goes_on_in_the_simulated_venue(
    tmp_path: Path, market: PresentMarket, model: ModelServer, collector: TraceCollector
) -> None:
    with present_venue(tmp_path / "simulated", market, "alice") as venue:
        token = venue.token("alice")
        traced(tmp_path / "a", venue.url, token, venue.url, model, collector)
        eventually(lambda: steps(collector.trace_of("fill")), limit_s=60)
    found = collector.trace_of("fill")
    answered = steps(found)[0]
    assert "virtual-exchange" == answered.service
    assert ["order", "decision"] == above(found, answered)
