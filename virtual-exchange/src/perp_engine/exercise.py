"""Calls every entry point of the kernel once, which compiles what is not compiled yet."""

import numpy as np

from perp_engine.callback import Callback
from perp_engine.commands import (
    AdjustMargin,
    Advance,
    CancelOrder,
    Deposit,
    ModifyOrder,
    NewOrder,
    PlaceOrders,
    ScheduleCancel,
    SetLeverage,
)
from perp_engine.engine import Engine
from perp_engine.jitted import Floats, Words, run_jitted, strategy
from perp_engine.rules import Rules
from perp_engine.tally import Tally
from perp_engine.tape import Tape
from suite.enums import Side, Tif
from suite.fixed import Price, Size, Usd
from suite.instrument import default_instrument


@strategy
def idle(_m: Words, _t: Words, _u: Words, _f: Floats, _bar: int) -> None:
    """A strategy that does nothing."""


def exercise() -> None:
    """Call every entry point of the kernel once."""
    bars = np.full((1, 5, 64), 1_000_000, np.int64)
    stamps = np.array([[60_000, 10_000]], np.int64)
    tape = Tape(0, 60_000, bars, (stamps,))
    engine = Engine([default_instrument("BTC", 1)], tape, 1, Rules())
    engine.apply(Deposit(account=0, usd=Usd(10**12)))
    order = NewOrder(
        symbol=0, side=Side.BUY, size=Size(1000), limit_price=Price(900_000), tif=Tif.ALO
    )
    engine.apply(SetLeverage(account=0, symbol=0, leverage=5))
    engine.apply(PlaceOrders(account=0, orders=(order,)))
    engine.apply(ModifyOrder(account=0, oid=engine.open_orders(0)[0].oid, order=order))
    engine.apply(CancelOrder(account=0, symbol=0, oid=engine.open_orders(0)[0].oid))
    engine.apply(Advance(until_bar=8))
    engine.account(0)
    engine.position(0, 0)
    engine.book(0)
    engine.apply(AdjustMargin(account=0, symbol=0, usd=Usd(1)))
    engine.apply(ScheduleCancel(account=0, time_ms=None))
    run = Callback(engine)
    run.market(1, 1000)
    run.limit(1, 1000, 900_000)
    run.bracket(1, 1000, take=1_010_000, stop=990_000)
    run.quotes(900_000, 1000, 0, 0)
    run.run(lambda _bar, _close: None, until_bar=16)
    run_jitted(engine, idle)
    Tally().add_fills([])
