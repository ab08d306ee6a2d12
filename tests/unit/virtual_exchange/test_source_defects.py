"""Known mistakes of simulated exchanges, each shown not to be made here."""

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.support.worlds import START_MS, open_memory_world, path_bars, random_source

from suite.bars import MINUTE_MS
from suite.contracts.venue import Leg, PlaceOrder
from virtual_exchange.application.session import Session
from virtual_exchange.application.world import Stops

ROOT = Path(__file__).parents[3]
Row = tuple[float, float, float, float]


def market(*rows: Row) -> Session:
    source = random_source("SOL", count=2)
    source.bars["SOL"] = path_bars(list(rows))
    return open_memory_world(source, profile="plain")


def entry(*, is_buy: bool, stop: str, target: str) -> PlaceOrder:
    return PlaceOrder(
        coin="SOL",
        is_buy=is_buy,
        sz=Decimal(1),
        stop_loss=Leg(price=Decimal(stop)),
        take_profit=Leg(price=Decimal(target)),
    )


def play(session: Session) -> list[str]:
    while not session.world.finished:
        session.world.advance(session.world.end_bar, Stops())
    instrument = session.world.market.instruments[0]
    return [instrument.format_price(fill.price) for fill in session.world.books[0].fills]


def test_defect_1_stop_of_a_long_fires_below_it_and_not_above() -> None:
    """A bar above the stop leaves a long alone; one that falls through closes it at the stop."""
    calm: Row = (100.0, 104.0, 99.0, 103.0)
    falling: Row = (103.0, 103.0, 94.0, 96.0)
    session = market(calm, calm, calm)
    session.venue.submit(0, entry(is_buy=True, stop="95", target="110"))
    assert ["100.0"] == play(session)
    session = market(calm, falling, calm)
    session.venue.submit(0, entry(is_buy=True, stop="95", target="110"))
    assert ["100.0", "95.0"] == play(session)


def test_defect_1_target_of_a_short_fires_below_it_and_not_above() -> None:
    """The same for a short, whose target lies below the market."""
    rising: Row = (100.0, 104.0, 99.0, 103.0)
    falling: Row = (103.0, 103.0, 89.0, 91.0)
    session = market(rising, falling, rising)
    session.venue.submit(0, entry(is_buy=False, stop="106", target="90"))
    assert ["100.0", "90.0"] == play(session)


def test_defect_2_forming_bar_of_a_long_interval_is_not_visible() -> None:
    """At 05:17 the hour that began at 05:00 shows in no block, nor does any later bar."""
    session = open_memory_world(random_source("BTC", count=600))
    session.barrier.advance(START_MS + 317 * MINUTE_MS)
    blocks = session.data.snapshot("BTC")["intervals_data"]
    for minutes, block in blocks.items():
        if block["open_time_ms"] is not None:
            end_ms = block["open_time_ms"] + int(minutes) * MINUTE_MS
            assert end_ms <= session.world.now_ms
    assert START_MS + 4 * 60 * MINUTE_MS == blocks["60"]["open_time_ms"]
    assert blocks["1440"]["open_time_ms"] is None


def test_defect_3_order_decided_on_bar_n_fills_at_the_next_opening_print() -> None:
    """Known is bar N with its close; the fill is at the open of bar N + 1."""
    session = market(
        (100.0, 101.0, 99.0, 100.0), (102.0, 103.0, 101.0, 102.0), (104.0, 105.0, 103.0, 104.0)
    )
    session.barrier.advance(START_MS + MINUTE_MS)
    order = PlaceOrder(coin="SOL", is_buy=True, sz=Decimal(1))
    reply: Any = session.venue.submit(0, order).response
    assert reply["data"]["statuses"][0]["filled"]["avgPx"] == "102.0"
    assert START_MS + MINUTE_MS == session.world.books[0].fills[0].time_ms


def test_defect_3_stop_and_target_in_one_bar_have_a_rule() -> None:
    """A bar that reaches both closes the position at the stop, the worse of the two."""
    both: Row = (100.0, 112.0, 94.0, 100.0)
    session = market((100.0, 101.0, 99.0, 100.0), both, both)
    session.venue.submit(0, entry(is_buy=True, stop="95", target="110"))
    assert ["100.0", "95.0"] == play(session)


SCRIPT = """
import sys
from decimal import Decimal
from suite.contracts.venue import PlaceOrder
from tests.support.worlds import open_memory_world, random_source
session = open_memory_world(random_source("BTC"))
session.barrier.advance(session.world.now_ms + 600_000)
for price in ("0", "90000"):
    order = PlaceOrder(coin="BTC", is_buy=True, sz=Decimal("0.1"), limit_px=Decimal(price))
    session.venue.submit(0, order)
print(session.queries.accounts.orders.order_rows(0), session.queries.accounts.fills.rows(0))
"""


def test_defect_5_oid_and_timestamps_are_deterministic() -> None:
    """Two processes with other hash seeds give the same ids, and times are the world's."""
    outputs = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert str(START_MS + 600_000) in outputs[0]
    assert str((10 << 26) + 1) in outputs[0]
