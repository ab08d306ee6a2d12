"""Nothing that is served at world time t depends on a bar that closes later."""

import random
from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.support.worlds import START_MS, MemorySource, open_memory_world, random_source

from suite.bars import MINUTE_MS, Bars
from suite.clock import ManualClock
from suite.contracts.clock import WaitRequest, WakeOn, Want
from suite.contracts.venue import Leg, PlaceOrder
from virtual_exchange.application.info_request import InfoBody
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


def answers(session: Session) -> list[bytes]:
    """The bytes of every endpoint that reads the market or the account."""
    queries, data = session.queries, session.data
    now_ms = session.world.now_ms
    candles = {"coin": "BTC", "interval": "5m", "startTime": START_MS, "endTime": now_ms}
    bodies = [
        InfoBody(type=kind)
        for kind in (
            "meta",
            "metaAndAssetCtxs",
            "allMids",
            "clearinghouseState",
            "openOrders",
            "frontendOpenOrders",
            "userFills",
            "userFunding",
        )
    ]
    bodies += [InfoBody(type="candleSnapshot", req=candles), InfoBody(type="l2Book", coin="BTC")]
    found: list[Any] = [queries.info(body, 0) for body in bodies]
    for coin in COINS:
        found += [data.snapshot(coin), data.snapshot(coin, now_ms - 7 * MINUTE_MS)]
        bars = data.klines(coin, "15m", None, None)
        found.append([bars.open_time_ms.tolist(), bars.close.tolist(), bars.volume.tolist()])
    found += [queries.accounts.order_rows(0), session.clock_state()]
    return [msgspec.json.encode(answer) for answer in found]


def played(source: MemorySource, cut: int, seed: int) -> list[list[bytes]]:
    """Trade at random until the cut, and note all answers on the way and at it."""
    choices = random.Random(seed)
    session = open_memory_world(source, clock=ManualClock(0))
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
    """Every endpoint's bytes are equal at and before a random cut."""
    cut = random.Random(seed).randint(5, BARS - 5)
    source = random_source(*COINS, count=BARS, seed=seed)
    garbage = MemorySource({coin: poisoned(bars, cut, seed) for coin, bars in source.bars.items()})
    assert played(source, cut, seed) == played(garbage, cut, seed)
