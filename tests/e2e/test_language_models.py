"""Traders that ask a language model, from question to fill: a real one, and one that dies."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.model_process import LOCAL, asking, backtest, model_process, plain
from tests.support.model_server import ModelServer, serving
from tests.support.stores import make_store

from strategy_core.llm.port import Message, ModelChoice, ModelReply, ModelRequest
from strategy_models.opening import open_models
from virtual_exchange.application.report.results import canonical_report
from virtual_exchange.domain.record import AccountRecord, RunRecord

pytestmark = [pytest.mark.slow, pytest.mark.process]

SIGNAL = {
    "type": "object",
    "additionalProperties": False,
    "required": ["signal"],
    "properties": {"signal": {"enum": ["buy", "sell"]}},
}
BUY = {
    "coin": "BTC",
    "signal": "buy_to_enter",
    "size_usd": 3000,
    "entry": "market",
    "stop_loss": 93_700,
    "take_profit": 94_300,
    "reasoning": "because",
}


@pytest.fixture(scope="module")
def local() -> Iterator[str]:
    with model_process() as (process, url):
        yield url
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(30)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A market of a day, and a working directory without settings."""
    monkeypatch.chdir(tmp_path)
    make_store(tmp_path / "store", "BTC")
    return tmp_path


def account(record: RunRecord, name: str) -> AccountRecord:
    return next(one for one in record.accounts if one.account_id == name)


def ask(text: str) -> ModelReply:
    models = open_models(remembers=False)
    model = models.open(ModelChoice(trader_id="t", names=(LOCAL,), timeout_s=110))
    messages = (Message("system", "You trade. Answer in JSON."), Message("user", text))
    reply = model.complete(ModelRequest(messages=messages, schema=SIGNAL, max_output_tokens=40))
    models.close()
    return reply


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("folder")
def test_a_real_model_answers_in_the_form_that_is_asked_for(
    local: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_LOCAL_URL", local)
    monkeypatch.setenv("LLM_PATIENCE_S", "110")
    one, again = ask("BTC rises."), ask("BTC rises.")
    assert json.loads(one.text)["signal"] in {"buy", "sell"}
    assert one.text == again.text
    assert ("stop", LOCAL, 0, "live") == (one.finish, one.model, one.cost_usd, one.source)
    assert one.input_tokens > 10
    assert one.output_tokens > 3


@pytest.mark.timeout(600)
def test_a_trader_asks_a_real_model_and_replays_it_without_one(
    local: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replay has the result of the recording, and another replay is equal to the byte.

    What the recording has paid, a replay shows as recorded: that alone is not the same.
    """
    cassette = folder / "run.jsonl"
    monkeypatch.setenv("LLM_LOCAL_URL", local)
    monkeypatch.setenv("LLM_PATIENCE_S", "110")
    monkeypatch.setenv("LLM_MODE", "record")
    monkeypatch.setenv("LLM_CASSETTE", str(cassette))
    who = asking("llm", LOCAL, heartbeat="12h", max_output_tokens=60, timeout_s=100)
    _, recorded = canonical_report(backtest(folder, who))
    asked = len(cassette.read_text().splitlines()) - 1
    assert asked >= 2
    monkeypatch.setenv("LLM_MODE", "replay")
    monkeypatch.setenv("LLM_LOCAL_URL", "http://127.0.0.1:1/v1")
    replays = [canonical_report(backtest(folder, who)) for _ in range(2)]
    assert recorded == replays[0][1]
    assert replays[0] == replays[1]
    assert asked == len(cassette.read_text().splitlines()) - 1


def _dying(server: ModelServer) -> None:
    """Answer once, and refuse every connection from then on."""

    def answer_and_die(handler: object) -> None:
        from tests.support.model_server import answer

        answer(handler)  # type: ignore[arg-type]
        server.die()

    server.text = json.dumps({"decisions": [BUY], "notes": []})
    server.does(answer_and_die)


def test_a_model_server_that_dies_takes_nobody_with_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others do as without it to the last byte; its trader holds, and its exits still work."""
    monkeypatch.setenv("LLM_ATTEMPTS", "1")
    others = (plain("hodl"), plain("random"), plain("sma_cross"))
    alone = backtest(folder, *others)
    with serving() as server:
        _dying(server)
        who = asking("llm", "vllm/any", base_url=server.url, heartbeat="1h")
        record = backtest(folder, *others, who, journal=folder / "journal")
        assert 1 == len(server.bodies)
    for other in others:
        one, two = account(alone, other.trader_id), account(record, other.trader_id)
        assert (one.fills, one.orders, one.decisions_sha256) == (
            two.fills,
            two.orders,
            two.decisions_sha256,
        )
        assert one.equity_usd.tolist() == two.equity_usd.tolist()
    _, *exits = account(record, "llm").fills
    assert exits, "its stop or its target was to be reached"
    lines = [
        json.loads(line) for line in (folder / "journal" / "llm.jsonl").read_text().splitlines()
    ]
    told = [one["decision"] for one in lines if one["type"] == "decision"]
    assert [one for one in told if "cannot be reached" in one["reasoning"]]
    assert not [one for one in told if one["fault"]]


def test_a_replay_needs_no_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a network namespace of its own, which has not even loopback."""
    if subprocess.run(["unshare", "-rn", "true"], check=False, capture_output=True).returncode:
        pytest.skip("unshare cannot take the network away here")
    cassette = folder / "run.jsonl"
    with serving() as server:
        server.text = json.dumps({"decisions": [BUY], "notes": []})
        who = asking("llm", "vllm/any", base_url=server.url)
        monkeypatch.setenv("LLM_MODE", "record")
        monkeypatch.setenv("LLM_CASSETTE", str(cassette))
        recorded = canonical_report(backtest(folder, who))[1]
    traders = folder / "traders.yaml"
    params = json.dumps(who.strategy.params)
    traders.write_text(
        f"traders: [{{trader_id: llm, symbols: [BTC], strategy: {{kind: llm, params: {params}}}}}]"
    )
    monkeypatch.setenv("LLM_MODE", "replay")
    words = ["backtest", "--traders", str(traders), "--data", str(folder / "store")]
    code = "from virtual_exchange.cli import main; main()"
    for name in ("one", "two"):
        said = subprocess.run(
            ["unshare", "-rn", sys.executable, "-c", code, *words, "--out", str(folder / name)],
            check=True,
            capture_output=True,
            text=True,
        )
        assert f"sha256={recorded}" in said.stdout
