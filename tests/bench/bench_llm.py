"""What a decision of a language model's trader costs beside the model.

    python -m tests.bench.bench_llm [--coins 10] [--decisions 300] [--model-s 4]

First the model answers at once: what is measured is learning, looking for causes, putting the
prompt together, checking that nothing of it is of the future, reading the answer and making orders
of it, in processor time. Then a server on this machine answers after `--model-s` seconds: what is
measured is the time on the clock from the observation to the decision, through the thread that
strategies think in, the official client library, HTTP, the ledger of money on disk, and back.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from tests.support.model_server import serving
from tests.support.scripted_model import ScriptedModel, decisions

from strategy_agent.application.thinking import Thinking
from strategy_core.deciding import DecideRequest
from strategy_core.llm.port import ModelRequest
from strategy_core.port import Decision, Observation
from strategy_core.registry import build
from strategy_core.testkit.rehearsal import YOUNG, Rehearsal, instruments_for
from strategy_models.exchange import Surroundings
from strategy_models.opening import Models
from strategy_models.settings import Settings
from suite.bars import INTERVAL_MS
from suite.contracts.trader import StrategySpec, TraderSpec
from suite.service.clock import SystemClock

BUDGET_MS = 20.0
LATE_DECISIONS = 5
"""Measured with a model that takes its time."""
NAMES = ("BTC", "ETH", "SOL", "BNB", "DOGE", "ADA", "AVAX", "LINK", "LTC", "DOT")


def answer(request: ModelRequest) -> dict[str, Any]:
    """An entry for each coin; all of them are read and tried."""
    return entries(request.messages[1].content)


def entries(prompt: str) -> dict[str, Any]:
    items = []
    for part in prompt.split("### ")[1:]:
        coin = part.partition("\n")[0]
        price = part.partition("price ")[2].partition(",")[0]
        if price != "unknown":
            stop = float(price) * 0.97
            items.append(
                {"coin": coin, "signal": "buy_to_enter", "risk_usd": 20, "stop_loss": stop,
                 "invalidation": "close(4h) < 1 and rsi_14(15m) > 90", "reasoning": "a " * 100}
            )  # fmt: skip
    return decisions(*items, notes=["a note of some length " * 8] * 10)


def observed(coins: tuple[str, ...], count: int) -> Iterator[Observation]:
    """Ordinary observations of a generated market."""
    model = ScriptedModel(answer)
    mind = build(spec_of(coins), instruments=instruments_for(coins), seed=1, models=model)
    world = Rehearsal(
        coins, mind.needs, interval_ms=INTERVAL_MS["15m"], steps=2 * count + YOUNG, seed=1
    )
    for what, seen in world.observations():
        if what == "ordinary":
            yield seen


def spec_of(coins: tuple[str, ...]) -> TraderSpec:
    """A trader that asks at each of its bars."""
    params = {"model": "scripted/one", "heartbeat": "15m"}
    strategy = StrategySpec(kind="llm", params=params)
    return TraderSpec(trader_id="bench", strategy=strategy, symbols=coins)


def overhead(coins: tuple[str, ...], count: int) -> None:
    """Print what a decision takes with a model that answers at once."""
    model = ScriptedModel(answer)
    mind = build(spec_of(coins), instruments=instruments_for(coins), seed=1, models=model)
    seconds = []
    for seen in observed(coins, count):
        began = time.thread_time()  # of this thread alone, whatever else the machine does
        mind.decide(seen)
        seconds.append(time.thread_time() - began)
    asked = len(model.requests)
    characters = statistics.mean(len(prompt) for prompt in model.prompts)
    ranked = sorted(1000 * second for second in seconds)
    print(f"{len(coins)} coins, {len(ranked)} decisions, {asked} calls")
    print(f"  prompt   {characters:8,.0f} characters")
    for name, share in (("median", 0.5), ("p99", 0.99)):
        value = ranked[int(share * (len(ranked) - 1))]
        print(f"  {name:8s} {value:8.2f} ms   budget {BUDGET_MS:g} ms   {BUDGET_MS / value:5.1f}x")


async def latency(coins: tuple[str, ...], model_s: float, url: str, folder: Path) -> list[float]:
    """Measure decisions with a model that takes its time; the first one imports the library.

    Returns:
        Seconds on the clock, of each decision after the first.
    """
    settings = Settings.load(ledger=folder / "spent.sqlite", usd_per_day="100")
    around = Surroundings(wall=SystemClock())
    models = Models(settings, remembers=True, secrets={}, around=around)
    params = {"model": "any", "base_url": url, "heartbeat": "15m", "timeout_s": 10 * model_s}
    spec = replace(spec_of(coins), strategy=StrategySpec(kind="llm", params=params))
    mind = build(spec, instruments=instruments_for(coins), seed=1, models=models)
    thinking = Thinking(mind, quick_s=5, slow_s=20 * model_s, name="bench")
    seconds = []
    for seen in itertools.islice(observed(coins, LATE_DECISIONS + 1), LATE_DECISIONS + 1):
        began = time.perf_counter()
        decided = await thinking.decide(DecideRequest(observation=seen))
        seconds.append(time.perf_counter() - began)
        assert isinstance(decided, Decision), decided
        assert decided.thought is not None, decided
        assert not decided.thought.fault, decided.thought.fault
    models.close()
    return seconds[1:]


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--coins", type=int, default=10)
    parser.add_argument("--decisions", type=int, default=300)
    parser.add_argument("--model-s", type=float, default=4.0)
    options = parser.parse_args()
    coins = NAMES[: options.coins]
    overhead(coins, options.decisions)

    def slowly(body: Mapping[str, Any]) -> str:
        time.sleep(options.model_s)
        return json.dumps(entries(body["messages"][1]["content"]))

    with tempfile.TemporaryDirectory() as name, serving() as server:
        server.answers = slowly
        taken = asyncio.run(latency(coins, options.model_s, server.url, Path(name)))
        asked = len(server.bodies)
    print(f"{len(coins)} coins, a model that answers in {options.model_s:g} s, {asked} requests")
    for name, value in (("median", statistics.median(taken)), ("longest", max(taken))):
        beside_ms = 1000 * (value - options.model_s)
        print(f"  {name:8s} {value:8.3f} s    beside the model {beside_ms:.0f} ms")


if __name__ == "__main__":
    main()
