"""What a decision of a language model's trader costs beside the model, in milliseconds.

    python -m tests.bench.bench_llm [--coins 10] [--decisions 300]

The model answers at once: what is measured is learning, looking for causes, putting the prompt
together, checking that nothing of it is of the future, reading the answer and making orders of it.
"""

import argparse
import statistics
import time
from collections.abc import Iterator
from typing import Any

from tests.support.scripted_model import ScriptedModel, decisions

from strategy_core.llm.port import ModelRequest
from strategy_core.port import Observation
from strategy_core.registry import build
from strategy_core.testkit.rehearsal import YOUNG, Rehearsal, instruments_for
from suite.bars import INTERVAL_MS
from suite.contracts.trader import StrategySpec, TraderSpec

BUDGET_MS = 20.0
NAMES = ("BTC", "ETH", "SOL", "BNB", "DOGE", "ADA", "AVAX", "LINK", "LTC", "DOT")


def answer(request: ModelRequest) -> dict[str, Any]:
    """An entry for each coin; all of them are read and tried."""
    prompt = request.messages[1].content
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


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--coins", type=int, default=10)
    parser.add_argument("--decisions", type=int, default=300)
    options = parser.parse_args()
    coins = NAMES[: options.coins]
    model = ScriptedModel(answer)
    mind = build(spec_of(coins), instruments=instruments_for(coins), seed=1, models=model)
    seconds = []
    for seen in observed(coins, options.decisions):
        began = time.thread_time()  # of this thread alone, whatever else the machine does
        mind.decide(seen)
        seconds.append(time.thread_time() - began)
    asked = len(model.requests)
    characters = statistics.mean(len(prompt) for prompt in model.prompts)
    ranked = sorted(1000 * second for second in seconds)
    print(f"{options.coins} coins, {len(ranked)} decisions, {asked} calls")
    print(f"  prompt   {characters:8,.0f} characters")
    for name, share in (("median", 0.5), ("p99", 0.99)):
        value = ranked[int(share * (len(ranked) - 1))]
        print(f"  {name:8s} {value:8.2f} ms   budget {BUDGET_MS:g} ms   {BUDGET_MS / value:5.1f}x")


if __name__ == "__main__":
    main()
