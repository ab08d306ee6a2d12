"""Fill the compile cache: `python -m perp_engine.warm`, run once by an installation.

Every entry point is called on a few made-up bars with the argument types the engine uses. The
finished cache is marked with its hash, so that a second call only looks.
"""

import time

import numpy as np

from perp_engine.commands import (
    Advance,
    CancelOrder,
    Deposit,
    ModifyOrder,
    NewOrder,
    PlaceOrders,
    SetLeverage,
)
from perp_engine.engine import Engine
from perp_engine.kernel.jit import CACHE
from perp_engine.rules import Rules
from perp_engine.tape import Tape
from suite.enums import Side, Tif
from suite.fixed import Price, Size, Usd
from suite.instrument import default_instrument


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
    engine.book(0)


def main() -> None:
    """Compile the kernel unless its cache is complete."""
    mark = CACHE / "complete"
    if mark.exists():
        print("engine: compile cache is warm")
        return
    print("engine: compiling (about 20 s, once) ...", flush=True)
    begin = time.perf_counter()
    exercise()
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text("complete\n")
    print(f"engine: ready in {time.perf_counter() - begin:.1f} s")


if __name__ == "__main__":
    main()
