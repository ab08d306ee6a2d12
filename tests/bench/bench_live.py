"""What the live proxy adds to an order: `python -m tests.bench.bench_live`.

The same signed orders, 200 a second, to the venue itself and through the proxy to the same venue,
in pairs of rounds. Budgets: 3 ms at the median and 8 ms at p99 more than directly, with a durable
intent, gate and signature in between. Where the cores are shared, the processor time of the proxy
for one order says more than the clock.
"""

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
from hyperliquid.utils import signing  # noqa: TID253 - signs as a client does
from tests.bench import load
from tests.support.live_stack import LiveStack, LiveTrader, fetch, nonce, running_stack
from tests.support.venue_process import eventually

ROUNDS = 5
SECONDS = 8
PER_SECOND = 200.0
CONNECTIONS = 16
P50_MS, P99_MS = 3.0, 8.0


def unmatched(place: int) -> dict[str, Any]:
    """An order that finds nothing to match, and is another each time."""
    price = 500 + place % 400
    return {
        "a": 1,
        "b": True,
        "p": str(price),
        "s": "0.05",
        "r": False,
        "t": {"limit": {"tif": "Ioc"}},
    }


def signed_orders(trader: LiveTrader, number: int) -> Iterator[bytes]:
    """Signed by the trader's own wallet for mainnet: both ways take it."""
    begin = nonce()
    for place in range(number):
        action = {"type": "order", "orders": [unmatched(place)], "grouping": "na"}
        stamp = begin + place
        signature = signing.sign_l1_action(trader.master, action, None, stamp, None, True)
        body = {
            "action": action,
            "nonce": stamp,
            "signature": signature,
            "vaultAddress": None,
            "expiresAfter": None,
        }
        yield msgspec.json.encode(body)


def simple_orders(number: int, keys: Iterator[int]) -> Iterator[bytes]:
    """The same by the simple REST: translated and signed by the proxy."""
    for _ in range(number):
        yield msgspec.json.encode(
            {
                "coin": "ETH",
                "is_buy": True,
                "sz": "0.05",
                "limit_px": str(500 + (next(keys) % 400)),
                "order_type": {"limit": {"tif": "Ioc"}},
            }
        )


def decided(stack: LiveStack) -> int:
    """How many actions were written down, and left."""
    return int(json.loads(fetch(f"{stack.url}/health")[1])["decided"])


def all_known(stack: LiveStack) -> bool:
    """Whether every account and the market are known: an order finds nothing to match."""
    (body,) = simple_orders(1, count())
    return all(
        "error" in fetch(f"{stack.url}/exchange/order", json.loads(body), stack.headers(name))[1]
        for name in stack.traders
    )


def processor_ms(pid: int) -> float:
    """Processor time of a process since its start, user and system together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def measured(url: str, path: str, bodies: list[bytes], token: str) -> load.Result:
    requests = [load.request(path, body, token) for body in bodies]
    port = int(url.rpartition(":")[2])
    return load.run(port, iter(requests), connections=CONNECTIONS, per_second=PER_SECOND)


def main() -> int:
    number, keys = int(SECONDS * PER_SECOND), count()
    added: dict[str, list[tuple[float, float]]] = {"forward": [], "simple REST": []}
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stack(
            Path(folder), *(LiveTrader(f"trader{n}") for n in range(ROUNDS + 1)), speed=60.0
        ) as stack,
    ):
        eventually(lambda: all_known(stack))
        assert stack.process is not None
        print("| round | way | p50 ms | p99 ms | a second | processor ms | refused |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for round_ in range(ROUNDS + 1):
            told = {}
            trader = stack.traders[f"trader{round_}"]  # each has a budget of actions of its own
            token, before = stack.token(trader.trader_id), decided(stack)
            for way, url, path, bodies, bearer in (
                ("direct", stack.venue.url, "/exchange", signed_orders(trader, number), ""),
                ("forward", stack.url, "/exchange", signed_orders(trader, number), token),
                ("simple REST", stack.url, "/exchange/order", simple_orders(number, keys), token),
            ):
                ready, begun_ms = list(bodies), processor_ms(stack.process.pid)
                result = measured(url, path, ready, bearer)
                spent_ms = (processor_ms(stack.process.pid) - begun_ms) / number
                told[way] = result.percentile_ms(0.5), result.percentile_ms(0.99)
                print(
                    f"| {round_ or 'warm-up'} | {way} | {told[way][0]:.2f} | {told[way][1]:.2f} | "
                    f"{result.rate:.0f} | {spent_ms:.2f} | {result.refused} |",
                    flush=True,
                )
            left = decided(stack) - before
            assert 2 * number == left, f"{left} of {2 * number} orders left"
            if round_:
                for way, found in added.items():
                    found.append(
                        (told[way][0] - told["direct"][0], told[way][1] - told["direct"][1])
                    )
    worst = 0.0
    for way, pairs in added.items():
        p50, p99 = (statistics.median(pair[place] for pair in pairs) for place in (0, 1))
        print(f"added by {way}: p50 {p50:.2f} ms of {P50_MS:g}, p99 {p99:.2f} ms of {P99_MS:g}")
        worst = max(worst, p50 / P50_MS, p99 / P99_MS)
    return int(worst > 1)


if __name__ == "__main__":
    sys.exit(main())
