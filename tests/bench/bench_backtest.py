"""How long a whole backtest takes, in process and over HTTP: `make bench`.

Four traders that decide every 15 minutes on a synthetic market of three coins; both transports in
turn, so that their ratio holds on a machine whose speed drifts.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

BIN = Path(sys.executable).parent
ROUNDS = 3
DAYS = 14
DECISIONS = 4 * DAYS * 96
KINDS = ("hodl", "random", "flat", "sma_cross")


def run(*words: str) -> str:
    """Output of a command of the suite."""
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Print seconds and decisions a second of each transport."""
    seconds: dict[str, list[float]] = {"inprocess": [], "http": []}
    hashes = set()
    with tempfile.TemporaryDirectory() as folder:
        data = ("--data", f"{folder}/data")
        coins = ("--symbols", "BTC,ETH,SOL")
        run(f"{BIN}/data-collector", "generate", *coins, "--days", str(DAYS), "--seed", "7", *data)
        rows = [
            {"trader_id": kind, "strategy": {"kind": kind}, "symbols": ["BTC", "ETH", "SOL"]}
            for kind in KINDS
        ]
        Path(f"{folder}/traders.json").write_text(json.dumps({"traders": rows}))
        for _ in range(ROUNDS):
            for transport, taken in seconds.items():
                traders = ("--traders", f"{folder}/traders.json", "--transport", transport)
                out = ("--out", f"{folder}/{transport}")
                shown = run(f"{BIN}/virtual-exchange", "backtest", *data, *coins, *traders, *out)
                last = dict(word.split("=") for word in shown.splitlines()[-1].split()[1:])
                taken.append(float(last["seconds"]))
                hashes.add(last["sha256"])
    print(f"backtest, {DAYS} days x 3 coins, 4 traders, {DECISIONS} decisions, median of {ROUNDS}")
    for transport, taken in seconds.items():
        median = statistics.median(taken)
        print(f"  {transport:<10} {median:6.2f} s {DECISIONS / median:8.0f} decisions/s")
    print(f"  hashes equal: {len(hashes) == 1}")


if __name__ == "__main__":
    main()
