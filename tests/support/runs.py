"""Runs of the engine, recorded as a world would."""

from dataclasses import replace

import numpy as np
from tests.support.random_traders import COINS, DEPOSITS, MINUTE, Driver, random_tape

from perp_engine.commands import Advance
from perp_engine.events import Event, Fill, FundingPaid, InsuranceMoved, Liquidated, OrderOpened
from perp_engine.past import print_at
from perp_engine.rules import Rules
from suite.enums import FillCause, OrderStatus, Side
from suite.fixed import Price, Size, Usd
from virtual_exchange.domain.record import AccountRecord, MarketRecord, OrderRecord, RunRecord


def random_run(seed: int, bars: int = 120) -> RunRecord:
    """Two random traders over a random market, equity sampled at every step."""
    tape = random_tape(seed, bars)
    driver = Driver.start(seed, tape, 2, Rules())
    engine, events = driver.engine, list[Event]()
    times, equity, exposure = [0], [engine.equities()], [engine.exposures()]
    while not engine.finished:
        events.extend(driver.step())
        times.append(engine.now_ms)
        equity.append(engine.equities())
        exposure.append(engine.exposures())
    assert engine.apply(Advance(until_bar=bars))
    accounts = [
        AccountRecord(
            account_id=f"trader-{index}",
            strategy={"kind": "random", "params": {"share": 0.5}},
            initial_balance_usd=DEPOSITS[index],
            equity_usd=np.array([row[index] for row in equity], np.int64),
            exposure_usd=np.array([row[index] for row in exposure], np.int64),
            fills=[e for e in events if isinstance(e, Fill) and e.account == index],
            mids=[
                e.reference_price
                if e.is_taker or e.cause is not FillCause.ORDER
                else print_at(tape, Rules(), e.symbol, e.time_ms)
                for e in events
                if isinstance(e, Fill) and e.account == index
            ],
            funding=[e for e in events if isinstance(e, FundingPaid) and e.account == index],
            liquidations=[e for e in events if isinstance(e, Liquidated) and e.account == index],
            insurance=[e for e in events if isinstance(e, InsuranceMoved) and e.account == index],
            orders=[_order(e) for e in events if isinstance(e, OrderOpened) and e.account == index],
            decisions_sha256="0" * 64,
            rejected_orders=0,
        )
        for index in range(2)
    ]
    markets = [
        MarketRecord(
            instrument=COINS[symbol],
            source="random",
            synthetic=True,
            mark=engine.mark(symbol),
            open_time_ms=np.arange(bars) * MINUTE,
            open=tape.bars[symbol, 0],
            high=tape.bars[symbol, 1],
            low=tape.bars[symbol, 2],
            close=tape.bars[symbol, 3],
            volume=np.maximum(tape.bars[symbol, 4], 0),
        )
        for symbol in range(2)
    ]
    return RunRecord(
        run_id="run",
        from_ms=0,
        to_ms=bars * MINUTE,
        interval_ms=MINUTE,
        finished=True,
        markets=markets,
        accounts=accounts,
        equity_time_ms=np.array(times, np.int64),
        rules={"taker_fee": 0.00045},
        manifest={"data": {"BTC": {"content_sha256": "1" * 64}}, "seed": seed},
    )


def _order(event: OrderOpened) -> OrderRecord:
    return OrderRecord(
        oid=event.oid,
        cloid=None,
        symbol=event.symbol,
        kind="limit",
        side=Side.BUY,
        size=Size(1),
        remaining=Size(0),
        limit_price=Price(1),
        trigger_price=Price(0),
        reduce_only=False,
        status=OrderStatus.FILLED,
        placed_ms=event.time_ms,
        closed_ms=event.time_ms,
        held_usd=event.held_usd,
        refunded_usd=Usd(0),
        decision_price=Price(1),
    )


def renamed(record: RunRecord, **changes: object) -> RunRecord:
    """A record with other metadata."""
    return replace(record, **changes)  # type: ignore[arg-type]
