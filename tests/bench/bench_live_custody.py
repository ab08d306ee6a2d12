"""What each order of the live venue waits for before it leaves: nonce, signature, durable intent.

    python tests/bench/bench_live_custody.py [--orders 2000] [--rate 200]

Orders come at a rate, whether the one before is through or not. Ownership is looked at twice.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import msgspec
from tests.support.live_intents import intent, settled
from tests.support.signer_races import ANNA, KEY, account

from hyperliquid_exchange.adapters.intent_journal import IntentJournal
from hyperliquid_exchange.adapters.keystore import AgentKey
from hyperliquid_exchange.adapters.nonce_file import NonceFiles
from hyperliquid_exchange.adapters.signer_ownership import SignerOwnership, this_process
from hyperliquid_exchange.adapters.signing import AgentSigner
from suite.contracts.hyperliquid_exchange import decode_action
from suite.service.clock import SystemClock

ORDER = (
    b'{"type":"order","orders":[{"a":1,"b":true,"p":"2950.5","s":"0.25","r":false,"t":{"limit":'
    b'{"tif":"Gtc"}},"c":"0x000000000000000000000000000000ab"}],"grouping":"na"}'
)


def told(name: str, seconds: list[float]) -> None:
    """Print one row, microseconds."""
    found = sorted(seconds)
    at = {share: found[int(len(found) * share)] * 1e6 for share in (0.5, 0.99, 0.999)}
    print(f"{name:<34} p50 {at[0.5]:8.0f}  p99 {at[0.99]:8.0f}  p99.9 {at[0.999]:8.0f}")


async def measure(folder: Path, orders: int, rate: float) -> None:
    clock, key, action = SystemClock(), AgentKey(KEY), decode_action(msgspec.Raw(ORDER))
    own = SignerOwnership(folder / "signers", this_process(clock))
    own.take([key.address])
    nonces = NonceFiles(folder / "nonces", clock)
    signer = AgentSigner(
        {ANNA: account(key.address)}, {key.address: key}, network="testnet", ownership=own
    )
    journal = IntentJournal(folder / "intents", clock)
    signing, begun, whole = list[float](), list[float](), list[float]()

    async def order(number: int) -> None:
        await asyncio.sleep(number / rate)
        start = time.perf_counter()
        nonce = nonces.next(key.address)
        payload = signer.sign(ANNA, action, nonce=nonce, expires_ms=nonce + 15_000)
        signed = time.perf_counter()
        await journal.begin(intent(number, payload=payload))
        own.check(key.address)
        end = time.perf_counter()
        signing.append(signed - start)
        begun.append(end - signed)
        whole.append(end - start)
        await journal.settle(settled(number))

    await asyncio.gather(*(order(number) for number in range(orders)))
    told("nonce and signature, us", signing)
    told(f"durable intent at {rate:g}/s, us", begun)
    told("both, us", whole)
    await journal.close()
    own.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=200.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), options.orders, options.rate))


if __name__ == "__main__":
    main()
