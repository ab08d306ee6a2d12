"""How long a killed world takes to be what it was: `python -m tests.bench.bench_replay`.

A paced world of a thousand accounts; each of them sends an order a bar, in and out in turn. Its
process ends without a word, and the next one plays the journal again.
"""

import argparse
import asyncio
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from tests.support.worlds import MemorySource, random_source

from suite.clock import ManualClock
from suite.contracts.venue import PlaceOrder
from suite.contracts.world import AccountRequest, WorldRequest
from virtual_exchange.adapters.world_journals import WorldFiles, verified
from virtual_exchange.application.inputs import Send, Tick
from virtual_exchange.application.report.results import canonical_report
from virtual_exchange.application.session import Session
from virtual_exchange.application.worlds import Keeping, Worlds

ACCOUNTS = 1000
NOW_MS = 1_746_500_000_000


def opened(folder: Path, source: MemorySource) -> Worlds:
    """A process that keeps worlds."""
    keeping = Keeping(journals=WorldFiles(folder))
    return Worlds(source=source, clock=ManualClock(NOW_MS), keeping=keeping)


def play(session: Session, inputs: int) -> None:
    """Let every account send an order a bar."""
    for number in range(inputs):
        bar, account = divmod(number, ACCOUNTS)
        if account == 0:
            session.take(Tick())
        order = PlaceOrder(coin="BTC", is_buy=bar % 2 == 0, sz=Decimal("0.01"))
        session.take(Send(account=account, action=order))


def looked_through(folder: Path) -> str:
    """Verify the journal; what there is of it."""
    (journal,) = folder.glob("*.world")
    return f"{verified(journal).partition(',')[0]}, {journal.stat().st_size / 2**20:.0f} MB"


async def measure(inputs: int) -> None:
    """Write so many inputs, end, play them again, and tell the processor seconds of both."""
    source = random_source("BTC", count=inputs // ACCOUNTS + 10)
    accounts = tuple(AccountRequest(id=f"t{number}") for number in range(ACCOUNTS))
    request = WorldRequest(symbols=("BTC",), accounts=accounts, supervised=True, clock="paced")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        worlds = opened(folder, source)
        session = await worlds.create(request)
        begin = time.process_time()
        play(session, inputs)
        written_s = time.process_time() - begin
        report = canonical_report(session.record())[1]
        worlds.close()
        begin = time.process_time()
        print(looked_through(folder))
        verified_s = time.process_time() - begin
        worlds = opened(folder, source)
        begin = time.process_time()
        (session,) = await worlds.restore()
        again_s = time.process_time() - begin
        assert report == canonical_report(session.record())[1]
        worlds.close()
    print(
        f"{inputs:,} orders: written in {written_s:.1f} s, verified in {verified_s:.1f} s, "
        f"played again in {again_s:.1f} s, {inputs / again_s:,.0f} orders/s; the report is the same"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    asyncio.run(measure(parser.parse_args().inputs))
