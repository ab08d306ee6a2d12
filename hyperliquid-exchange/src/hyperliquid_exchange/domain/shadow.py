"""Shadow fills: what our own model of the market makes of an order that was sent to the real one.

An order is played alone through an engine of one account, over the bars that were collected while
it lived. There is no second model of fills: the rules are those of a simulated world, so the
difference to what the venue did is how far a backtest is from the truth.

The order belongs to the bar in which it was decided, as it would in a world: it meets the print
that opens that bar. A trader that decides when a bar closes loses nothing by that; one that decides
in the middle of a bar is measured from the bar's beginning.
"""

from typing import Final

import numpy as np

from hyperliquid_exchange.domain.live_orders import LiveOrder, ModelFill
from perp_engine.commands import Advance, Deposit, NewOrder, PlaceOrders, Trigger
from perp_engine.engine import Engine
from perp_engine.events import Fill
from perp_engine.rules import Rules
from perp_engine.tape import CLOSE, HIGH, LOW, NO_BAR, OPEN, VOLUME, Tape
from suite.bars import DAY_MS, I64, MINUTE_MS, Bars
from suite.enums import Side, Tif, Tpsl
from suite.fixed import Size, Usd
from suite.instrument import Instrument

PLENTY: Final = Usd(10**15)
"""Money of the account that plays an order: margin is not what is measured."""
LATEST_MS: Final = DAY_MS
"""How long after its last live fill an order may still fill in the model."""


def tape_of(bars: Bars, instrument: Instrument, start_ms: int, end_ms: int) -> Tape | None:
    """Put collected bars onto the engine's grid.

    Args:
        bars: of any range.
        instrument: whose units prices and volumes are brought into, half to even.
        start_ms, end_ms: open times from and to, multiples of the interval.

    Returns:
        One row, bars that are missing marked as such; None where the first is missing: nobody
        knows then what the order met.
    """
    step, count = bars.interval_ms, (end_ms - start_ms) // bars.interval_ms
    shown = bars.between(start_ms, end_ms)
    if count <= 0 or not len(shown) or shown.open_time_ms[0] != start_ms:
        return None
    at = (shown.open_time_ms - start_ms) // step
    rows: I64 = np.zeros((1, 5, count), np.int64)
    rows[0, VOLUME] = NO_BAR
    units = 10.0**instrument.price_decimals
    for place, column in (
        (OPEN, shown.open),
        (HIGH, shown.high),
        (LOW, shown.low),
        (CLOSE, shown.close),
    ):
        rows[0, place, at] = np.rint(column * units).astype(np.int64)
    rows[0, VOLUME, at] = np.rint(shown.volume * 10.0**instrument.sz_decimals).astype(np.int64)
    _carry_closes(rows[0], at)
    return Tape(start_ms, step, rows, (np.zeros((0, 2), np.int64),))


def _carry_closes(rows: I64, at: I64) -> None:
    """Let prices stand still where there is no bar."""
    known = np.zeros(rows.shape[1], np.int64)
    known[at] = at
    last = np.maximum.accumulate(known)
    missing = rows[VOLUME] == NO_BAR
    rows[OPEN : CLOSE + 1, missing] = rows[CLOSE, last[missing]]


def horizon_ms(order: LiveOrder) -> int:
    """Tell until when the model may fill an order: its cancel, or a day after its last fill."""
    if order.ended_ms is not None and not order.fills:
        return max(order.ended_ms, order.begins_ms + 1)
    last = max((fill.time_ms for fill in order.fills), default=order.begins_ms)
    return max(last, order.ended_ms or last) + LATEST_MS


def simulate(
    order: LiveOrder, instrument: Instrument, bars: Bars, rules: Rules
) -> tuple[ModelFill, ...] | None:
    """Play an order alone over collected bars.

    Args:
        order: as it was sent live.
        instrument: of its coin.
        bars: collected while it lived, of one interval.
        rules: of the model.

    Returns:
        What the model would have filled, oldest first; none where nothing, None where the bar in
        which it was decided was not collected.
    """
    step = bars.interval_ms or MINUTE_MS
    start_ms = order.begins_ms // step * step
    last_ms = int(bars.open_time_ms[-1]) + step if len(bars) else start_ms
    end_ms = min(-(-horizon_ms(order) // step) * step, last_ms)
    takes = order.tif in {"Ioc", "FrontendMarket"}
    if takes:
        end_ms = min(end_ms, start_ms + step)
    tape = tape_of(bars, instrument, start_ms, end_ms)
    size = order.effective_size
    if tape is None or size <= 0:
        return None if tape is None else ()
    engine = Engine((instrument,), tape, 1, rules)
    engine.apply(Deposit(account=0, usd=PLENTY))
    happened = list(engine.apply(PlaceOrders(account=0, orders=(_asked(order, size),))))
    if not takes:
        while not engine.finished and engine.open_orders(0):
            stop = frozenset({0})
            happened += engine.apply(
                Advance(until_bar=tape.length, stop_on_fill=stop, stop_on_order=stop)
            )
    return tuple(_told(event) for event in happened if isinstance(event, Fill))


def _asked(order: LiveOrder, size: Size) -> NewOrder:
    """Write it as the engine takes it; its size is cut already, so it need not know a position."""
    trigger = None
    if order.trigger is not None:
        trigger = Trigger(
            price=order.trigger_price,
            tpsl=Tpsl(order.trigger),
            is_market=order.trigger_is_market,
        )
    tif = Tif.IOC if order.tif == "FrontendMarket" else Tif(order.tif or "Gtc")
    return NewOrder(
        symbol=0,
        side=Side.BUY if order.is_buy else Side.SELL,
        size=size,
        limit_price=order.limit_price,
        tif=tif,
        trigger=trigger,
    )


def _told(fill: Fill) -> ModelFill:
    return ModelFill(
        time_ms=fill.time_ms,
        price=fill.price,
        size=fill.size,
        fee_usd=fill.fee_usd,
        is_taker=fill.is_taker,
    )
