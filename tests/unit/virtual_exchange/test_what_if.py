"""The same answers under other fees, limits and guards: no model is asked again."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.model_process import QUIET
from tests.support.model_server import serving
from tests.support.stores import make_store

from suite.contracts.trader import StrategySpec, TraderSpec
from suite.errors import BadRequest, ConfigError
from virtual_exchange.adapters.store_market import StoreMarkets
from virtual_exchange.running import world_of
from virtual_exchange.what_if import Other, Outcome, run_what_if, table_of

BUY = {
    "coin": "BTC", "signal": "buy_to_enter", "size_usd": 15_000, "leverage": 4, "entry": "market",
    "stop_loss": 93_700, "take_profit": 94_300, "reasoning": "because",
}  # fmt: skip
NAMED: dict[str, Any] = dict.fromkeys(
    ("symbols", "from_", "to", "seed", "profile", "allow_partial")
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A market of a day, and a cassette that is recorded where a run asks."""
    monkeypatch.chdir(tmp_path)
    make_store(tmp_path / "store", "BTC")
    monkeypatch.setenv("LLM_MODE", "record")
    monkeypatch.setenv("LLM_CASSETTE", str(tmp_path / "run.jsonl"))
    return tmp_path


def asking(url: str, **params: Any) -> TraderSpec:
    """A trader whose questions show equity, positions and verdicts."""
    told = {"model": "vllm/any", "base_url": url, "heartbeat": "1h", "triggers": QUIET, **params}
    strategy = StrategySpec(kind="llm", params=told)
    return TraderSpec(trader_id="llm", strategy=strategy, symbols=("BTC",))


def outcomes(folder: Path, spec: TraderSpec, *texts: str) -> list[Outcome]:
    others = [Other.read(text) for text in texts]
    requests = {
        one.label: world_of((one.applied(spec),), None, list(one.world), NAMED)
        for one in (Other(label=""), *others)
    }
    return run_what_if(
        requests, (spec,), others, source=StoreMarkets(folder / "store"), tell=lambda _: None
    )


def test_other_fees_and_limits_need_no_new_call(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cassette alone, then no source at all: prompts differ, answers do not."""
    with serving() as server:
        server.text = json.dumps({"decisions": [BUY], "notes": []})
        spec = asking(server.url)
        outcomes(folder, spec, "fees.taker=0.001")
        calls, size = len(server.bodies), (folder / "run.jsonl").stat().st_size
        assert calls > 5
    monkeypatch.setenv("LLM_MODE", "replay")
    first, dear, capped = outcomes(
        folder, spec, "fees.taker=0.001", "risk.max_coin_exposure=0.5, risk.max_order_notional=0.5"
    )
    assert (calls, size) == (len(server.bodies), (folder / "run.jsonl").stat().st_size)
    assert (calls, calls, 0) == (first.found, dear.found, dear.unknown)
    one, two, three = (told.accounts["llm"] for told in (first, dear, capped))
    assert len(one.fills) == len(two.fills) > 1
    paid = [sum(fill.fee_usd for fill in account.fills) for account in (one, two, three)]
    assert paid[0] < paid[1]
    assert one.equity_usd[-1] > two.equity_usd[-1]
    assert max(fill.size for fill in three.fills) < max(fill.size for fill in one.fills)
    assert three.guards is not None
    assert three.guards.clamped


def test_the_table_tells_the_difference_and_who_was_not_asked_then(folder: Path) -> None:
    with serving() as server:
        server.text = json.dumps({"decisions": [BUY], "notes": []})
        closed = {**QUIET, "closed": True}
        told = outcomes(
            folder, asking(server.url, triggers=closed, heartbeat="1d"), "risk.max_leverage=1"
        )
    lines = list(table_of(told, (asking("http://127.0.0.1:1/v1"),)))
    assert lines[0].startswith("as it was: ")
    what = next(line for line in lines if line.startswith("what if risk.max_leverage=1"))
    assert "no model was asked" in what
    assert f"{told[1].unknown} questions that nobody had asked" in what
    rows = [line for line in lines if line.startswith("llm ")]
    assert 2 == len(rows)
    assert "+" not in rows[0]


@pytest.mark.parametrize("text", ["", "fees", "risk=2", "risk.a.b=2", ","])
def test_what_is_no_change_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="what-if"):
        Other.read(text)


def test_an_unknown_option_of_the_world_is_refused_by_name(folder: Path) -> None:
    with pytest.raises(ConfigError, match="feez"):
        outcomes(folder, asking("http://127.0.0.1:1/v1"), "feez.taker=1")


def test_without_a_trader_that_asks_there_is_nothing_to_replay(folder: Path) -> None:
    plain = TraderSpec(trader_id="llm", strategy=StrategySpec(kind="hodl"), symbols=("BTC",))
    with pytest.raises(BadRequest, match="no trader asks"):
        outcomes(folder, plain, "fees.taker=0.001")
