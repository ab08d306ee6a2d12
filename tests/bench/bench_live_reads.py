"""What the live proxy adds to a read: `python -m tests.bench.bench_live_reads`.

The same reads, 200 a second, of the venue itself and through the proxy of the same venue, in pairs
of rounds. Nothing but `meta` is kept by the proxy, so each but that one goes to the venue.
"""

import statistics
import sys
import tempfile
from pathlib import Path

import msgspec
from tests.bench import load
from tests.support.live_stack import LiveTrader, running_stack

ROUNDS = 5
SECONDS = 5
PER_SECOND = 200.0
CONNECTIONS = 16
KINDS = ("clearinghouseState", "openOrders", "allMids", "l2Book", "meta")


def bodies(kind: str, user: str) -> list[bytes]:
    """One second of reads more than each other's by a key that the venue ignores."""
    number = int(SECONDS * PER_SECOND)
    return [
        msgspec.json.encode({"type": kind, "user": user, "coin": "BTC", "place": place})
        for place in range(number)
    ]


def main() -> int:
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stack(Path(folder), LiveTrader("alice"), speed=60.0) as stack,
    ):
        token, user = stack.token("alice"), stack.traders["alice"].address
        print("| read | direct p50 ms | p99 ms | proxy p50 ms | p99 ms | added p50 | added p99 |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for kind in KINDS:
            rows = []
            for round_ in range(ROUNDS + 1):
                row = []
                for url, bearer in ((stack.venue.url, ""), (stack.url, token)):
                    requests = [load.request("/info", b, bearer) for b in bodies(kind, user)]
                    port = int(url.rpartition(":")[2])
                    result = load.run(
                        port, iter(requests), connections=CONNECTIONS, per_second=PER_SECOND
                    )
                    assert not result.refused, result
                    row += [result.percentile_ms(0.5), result.percentile_ms(0.99)]
                if round_:
                    rows.append((*row, row[2] - row[0], row[3] - row[1]))
            told = [statistics.median(row[place] for row in rows) for place in range(6)]
            print(
                f"| `{kind}` | " + " | ".join(f"{value:.2f}" for value in told) + " |", flush=True
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
