"""What language models cost besides the model: `python tests/bench/bench_models.py`.

Four traders over 30 days in one process, each asking every hour with the template `arena` (2,880
questions). First a scripted server on this machine answers and all of it is recorded; then the
cassette is packed and replayed. Printed: seconds of both, those of three rule traders over the same
bars, and the size of the cassette.

    python tests/bench/bench_models.py --days 30 --traders 4 --heartbeat 1h
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from tests.support.model_process import asking, backtest, plain
from tests.support.model_server import serving
from tests.support.stores import make_store

from perp_engine.warm import warm_up
from strategy_models.cassette import pack
from suite.contracts.trader import TraderSpec
from virtual_exchange.application.report.results import canonical_report

HOLD = {"coin": "BTC", "signal": "hold", "reasoning": "nothing to do"}
PATIENT = {"LLM_PATIENCE_S": "110"}


def measured(name: str, folder: Path, *traders: TraderSpec) -> str:
    """Print seconds of a run, and of its processor; returns the hash of its report."""
    began, worked = time.perf_counter(), time.process_time()
    record = backtest(folder, *traders)
    taken, used = time.perf_counter() - began, time.process_time() - worked
    print(f"{name:10s} {taken:6.1f} s, of the processor {used:6.1f} s", flush=True)
    return canonical_report(record)[1]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--traders", type=int, default=4)
    parser.add_argument("--heartbeat", default="1h")
    options = parser.parse_args()
    warm_up(lambda _: None)
    with tempfile.TemporaryDirectory() as name, serving() as server:
        folder = Path(name)
        os.chdir(folder)
        make_store(folder / "store", "BTC", minutes=1440 * options.days)
        server.text = json.dumps({"decisions": [HOLD], "notes": []})
        who = [
            asking(
                f"llm-{number}",
                "vllm/any",
                base_url=server.url,
                heartbeat=options.heartbeat,
                template="arena",
                seed=number,
            )
            for number in range(options.traders)
        ]
        measured("rules", folder, *(plain(kind) for kind in ("hodl", "random", "flat")))
        os.environ |= {"LLM_MODE": "record", "LLM_CASSETTE": str(folder / "c.jsonl"), **PATIENT}
        recorded = measured("recorded", folder, *who)
        asked = len(server.bodies)
        pack(folder / "c.jsonl", folder / "c.jsonl.gz")
        os.environ |= {"LLM_MODE": "replay", "LLM_CASSETTE": str(folder / "c.jsonl.gz")}
        replayed = measured("replayed", folder, *who)
        size_kb = (folder / "c.jsonl.gz").stat().st_size / 1000
    print(f"questions {asked}, equal reports: {recorded == replayed}")
    print(f"cassette {size_kb:,.0f} kB")


if __name__ == "__main__":
    main()
