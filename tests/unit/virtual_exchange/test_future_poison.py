"""Nothing that is served at world time t depends on a bar that closes later."""

import random
from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.support.worlds import START_MS, MemorySource, open_memory_world, random_source

from suite.bars import HOUR_MS, MINUTE_MS, Bars
from suite.clock import ManualClock
from suite.contracts.clock import WaitRequest, WakeOn, Want
from suite.contracts.venue import Leg, PlaceOrder
from virtual_exchange.application.info.request import InfoBody
from virtual_exchange.application.session import Session

BARS = 400
COINS = ("BTC", "ETH")


def poisoned(bars: Bars, cut: int, seed: int) -> Bars:
    """Replace every bar from `cut` on by garbage, all but the opening print of the first."""
    generator = np.random.default_rng(seed)
    columns = {}
    for name in ("open", "high", "low", "close", "volume"):
        values = getattr(bars, name).copy()
        first = cut + 1 if name == "open" else cut
        values[first:] = np.round(generator.uniform(1.0, 5.0, len(values) - first) * 1000)
        columns[name] = values
    prices = [columns[name] for name in ("open", "high", "low", "close")]
    columns["high"], columns["low"] = np.max(prices, axis=0), np.min(prices, axis=0)
    for name in ("high", "low"):
        columns[name][:cut] = getattr(bars, name)[:cut]
    return replace(bars, **columns)


def _asked(session: Session) -> list[tuple[str, dict[str, Any]]]:
    """Every type that `/info` answers, for all that it may be asked of."""
    ahead_ms = session.world.to_ms + 10 * HOUR_MS
    fields: dict[str, Any] = {
        "startTime": 0,
        "endTime": ahead_ms,
        "oid": max(session.world.books[0].orders, default=1),
        "id": 50,
        "builder": "0x" + "b" * 40,
        "tokenId": "0x",
        "vaultAddress": "0x",
    }
    asked: list[tuple[str, dict[str, Any]]] = []
    for kind, read in session.queries._reads.items():
        own = {name: fields[name] for name in read.needs if name != "coin"}
        if "coin" in read.needs:
            asked += [(kind, own | {"coin": coin}) for coin in COINS]
        elif kind != "candleSnapshot":
            asked.append((kind, own))
    for interval in ("1m", "5m", "1h", "1d", "3d", "1w", "1M"):
        req = {"coin": "BTC", "interval": interval, "startTime": 0, "endTime": ahead_ms}
        asked.append(("candleSnapshot", {"req": req}))
    asked += [("l2Book", {"coin": "BTC", "nSigFigs": figures}) for figures in (2, 3, 4, 5)]
    return asked


def answers(session: Session) -> list[bytes]:
    """The bytes of every endpoint that reads the market or the account."""
    queries, data = session.queries, session.data
    now_ms = session.world.now_ms
    bodies = [InfoBody(type=kind, **fields) for kind, fields in _asked(session)]
    found: list[Any] = [queries.info(body, 0) for body in bodies]
    found.append(queries.market.trades_between(0, 0, BARS))
    for coin in COINS:
        found += [data.snapshot(coin), data.snapshot(coin, now_ms - 7 * MINUTE_MS)]
        bars, _ = data.klines(coin, "15m", None, None)
        found.append([bars.open_time_ms.tolist(), bars.close.tolist(), bars.volume.tolist()])
    clock = msgspec.structs.replace(session.clock_state(), world="")  # no two have one name
    found += [queries.accounts.orders.order_rows(0), clock]
    return [msgspec.json.encode(answer) for answer in found]


def played(source: MemorySource, cut: int, seed: int, **rules: Any) -> list[list[bytes]]:
    """Trade at random until the cut, and note all answers on the way and at it."""
    choices = random.Random(seed)
    session = open_memory_world(source, clock=ManualClock(0), **rules)
    session.barrier.join(0, Want())
    noted: list[list[bytes]] = []
    step = 0
    while session.world.engine.bar < cut:
        noted.append(answers(session))
        step += 1
        until = min(session.world.engine.bar + choices.randint(1, 40), cut)
        coin, side = choices.choice(COINS), choices.random() < 0.5
        mid = Decimal(session.queries.market.mids()[coin])
        order = PlaceOrder(
            coin=coin,
            is_buy=side,
            sz=Decimal("0.05"),
            limit_px=Decimal(0) if choices.random() < 0.5 else Decimal(round(mid)),
            stop_loss=Leg(price=Decimal(round(mid * Decimal("0.995" if side else "1.005")))),
        )
        request = WaitRequest(
            step_seq=step,
            until_ms=START_MS + until * MINUTE_MS,
            orders=(order,),
            wake_on=WakeOn(fill=choices.random() < 0.5),
            want=Want(mids=True, snapshots=COINS),
        )
        ticket = session.barrier.wait(0, request)
        while not ticket.done:
            session.barrier.move()
        noted.append([msgspec.json.encode(ticket.result())])
    noted.append(answers(session))
    return noted


@pytest.mark.parametrize("seed", range(8))
def test_future_replaced_by_garbage_changes_no_byte_before_the_cut(seed: int) -> None:
    """Every endpoint's bytes are equal at and before a random cut, funding to come included."""
    cut = random.Random(seed).randint(5, BARS - 5)
    source = random_source(*COINS, count=BARS, seed=seed)
    times = START_MS + MINUTE_MS * np.arange(-100, BARS, 50, dtype=np.int64)
    rates = np.arange(len(times)) * 1e-5
    source.funding["BTC"] = (times, rates)
    source.open_interest["BTC"] = (times, 1e4 + np.arange(len(times)))
    settled = times <= START_MS + cut * MINUTE_MS
    garbage = MemorySource(
        {coin: poisoned(bars, cut, seed) for coin, bars in source.bars.items()},
        {"BTC": (times + np.where(settled, 0, 7 * MINUTE_MS), np.where(settled, rates, 0.01))},
        {"BTC": (times, np.where(settled, 1e4 + np.arange(len(times)), 7.0))},
    )
    rules = {"fill_at": "close"} if seed % 4 == 3 else {}
    assert played(source, cut, seed, **rules) == played(garbage, cut, seed, **rules)
