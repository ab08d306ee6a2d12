"""Calls that triggers save: one trader asked at each bar, one each four hours, one by triggers.

    python -m tests.bench.bench_triggers [--days 30] [--coins BTC,ETH] [--ranges 6]

On recorded bars and funding rates where the folder of AUTOCRYPTOTRADER_DATA has them, else on a
generated market, which is said. A server of few lines takes the place of the model and follows a
rule of trend with resting entries, stops, targets and invalidation rules, so that all that can
happen to a position does; `--ranges` says how far its stops are, in average true ranges of 15
minutes: near ones end positions often, and each end is a reason to ask. Everything else is what
traders are: HTTP, journal, engine, `thoughts`.
"""

import argparse
import json
import os
import re
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.model_process import QUIET
from tests.support.model_server import serving
from tests.support.real_data import PERPS, real_markets
from tests.support.stores import make_store

from perp_engine.warm import warm_up
from strategy_agent.journal_summary import records_of
from strategy_agent.thoughts import report
from strategy_core.journal import DecisionRecord
from suite.bars import DAY_MS, HOUR_MS, MINUTE_MS
from suite.contracts.trader import StrategySpec, TraderSpec
from suite.moments import format_moment, parse_moment
from virtual_exchange.application.session import world_request
from virtual_exchange.running import TraderRun, run_traders

FIRST_MS = parse_moment("2025-05-12")
EVENTS = {"rule": "rsi_14(1h) > 70 or rsi_14(1h) < 30"}
"""Beside the triggers that are on by themselves."""
CADENCE_MS = 4 * HOUR_MS
"""Of the trader that is asked by the clock alone; the range begins on a boundary of it."""
BY_CLOCK = {"start", "heartbeat"}
WAYS: Mapping[str, dict[str, Any]] = {
    "each_bar": {"heartbeat": "15m", "triggers": QUIET},
    "four_hours": {"heartbeat": "4h", "triggers": QUIET},
    "triggers": {"heartbeat": "4h", "triggers": EVENTS},
}
_NUMBERS = re.compile(
    r"### (?P<coin>\w+)\nprice (?P<price>[\d.]+), ema20 (?P<ema>[\d.]+).*\natr14 (?P<atr>[\d.]+)"
)


def answer(prompt: str, ranges: float) -> str:
    """Follow the trend: wait for a small step back, risk so many ranges for half as many more."""
    items = []
    for found in _NUMBERS.finditer(prompt):
        coin = found["coin"]
        if re.search(rf"^- {coin} (long|short)", prompt, re.MULTILINE):
            continue
        price, ema, span = (float(found[name]) for name in ("price", "ema", "atr"))
        up = 1 if price > ema else -1
        items.append(
            {
                "coin": coin, "signal": "buy_to_enter" if up > 0 else "sell_to_enter",
                "risk_usd": 10, "entry": price - up * 0.3 * span,
                "stop_loss": price - up * ranges * span,
                "take_profit": price + up * 1.5 * ranges * span,
                "invalidation": f"close(1h) {'<' if up > 0 else '>'} ema_50(1h)",
                "valid_for": "2h", "reasoning": "the trend",
            }
        )  # fmt: skip
    return json.dumps({"decisions": items, "notes": []})


def trader(name: str, coins: tuple[str, ...], url: str) -> TraderSpec:
    params = {"model": "vllm/any", "base_url": url, **WAYS[name]}
    return TraderSpec(
        trader_id=name, strategy=StrategySpec(kind="llm", params=params), symbols=coins
    )


def questions(journal: Path) -> list[DecisionRecord]:
    """Records of decisions that a model was asked for."""
    return [record for record in records_of(journal) if record.llm is not None]


def cause_of(record: DecisionRecord) -> str:
    return "" if record.llm is None else record.llm.cause


def main() -> None:
    """Run the three, and print what `thoughts` says of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--coins", default="BTC,ETH")
    parser.add_argument("--ranges", type=float, default=6.0)
    options = parser.parse_args()
    coins = tuple(options.coins.split(","))
    warm_up(lambda _: None)
    with tempfile.TemporaryDirectory() as name, serving() as server:
        folder = Path(name)
        os.chdir(folder)
        span: dict[str, Any] = {}
        if (PERPS / "leverage_tiers.json").is_file():
            real_markets(folder / "store")
            last = format_moment(FIRST_MS + options.days * DAY_MS)
            span = {"from_": format_moment(FIRST_MS), "to": last}
            print(f"recorded market of {options.coins}, {options.days} days")
        else:
            make_store(folder / "store", *coins, minutes=1440 * options.days)
            print(f"GENERATED market of {options.coins}, {options.days} days")
        server.answers = lambda body: answer(body["messages"][1]["content"], options.ranges)
        traders = tuple(trader(name, coins, server.url) for name in WAYS)
        run = TraderRun(
            request=world_request(traders, symbols=coins, supervised=True, **span),
            traders=traders,
            traders_file=folder / "unused.yaml",
            data=folder / "store",
            journal=folder / "journal",
        )
        run_traders(run, transport="inprocess", progress=lambda _: None)
        for one in WAYS:
            print(*report(folder / "journal" / f"{one}.jsonl"), sep="\n", end="\n\n")
        asked = {one: questions(folder / "journal" / f"{one}.jsonl") for one in WAYS}
    share = 100 * (1 - len(asked["triggers"]) / len(asked["each_bar"]))
    events = [record for record in asked["triggers"] if cause_of(record) not in BY_CLOCK]
    wait_min = statistics.mean(-(one.now_ms - FIRST_MS) % CADENCE_MS for one in events) / MINUTE_MS
    counts = ", ".join(f"{name} {len(records):,}" for name, records in asked.items())
    print(f"questions: {counts}; triggers save {share:.1f} % of those of each bar")
    print(f"{len(events)} were of events, which a question each 4 h meets {wait_min:.0f} min later")


if __name__ == "__main__":
    main()
