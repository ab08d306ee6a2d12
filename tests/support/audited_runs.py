"""Runs written by hand, for the auditor to look at."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from tests.support.audited_orders import AuditReport
from tests.support.auditor import audit

from perp_engine.commands import (
    Advance,
    Command,
    Deposit,
    NewOrder,
    PlaceOrders,
    Trigger,
)
from perp_engine.events import (
    Advanced,
    Deposited,
    Event,
    Fill,
    FundingPaid,
    OrderChanged,
    OrderClosed,
    OrderOpened,
)
from perp_engine.rules import Rules
from perp_engine.tape import Tape
from suite.enums import OrderStatus, Side, Tif, Tpsl
from suite.fixed import Price, Rate, Size, Usd
from suite.ids import Oid
from suite.instrument import Instrument, MarginTier

MINUTE = 60_000
BTC = Instrument(
    coin="BTC",
    sz_decimals=5,
    tiers=(
        MarginTier(lower_bound_usd=Usd(0), max_leverage=40),
        MarginTier(lower_bound_usd=Usd(10**9), max_leverage=20, maintenance_rate=Rate(30_000_000)),
    ),
)
ROWS = (
    (1_000_000, 1_002_000, 998_990, 999_500, 10_000),
    (999_600, 1_000_000, 989_000, 990_500, 10_000),
    (990_600, 991_000, 990_000, 990_700, 10_000),
)
Log = list[tuple[Command, list[Event]]]


def make_tape(rows: Sequence[tuple[int, ...]] = ROWS) -> Tape:
    """Bars of one coin; a stamp of 0.01 % after the first one."""
    bars = np.ascontiguousarray(np.array(rows, np.int64).T[None])
    return Tape(0, MINUTE, bars, (np.array([(MINUTE, 100_000)], np.int64),))


def opened(oid: int, time_ms: int, status: OrderStatus = OrderStatus.OPEN, **fields: Any) -> Event:
    account = fields.pop("account", 0)
    return OrderOpened(
        time_ms=time_ms, account=account, symbol=0, oid=Oid(oid), status=status, held_usd=Usd(0)
    )


def closed(
    oid: int, time_ms: int, status: OrderStatus = OrderStatus.FILLED, remaining: int = 0
) -> Event:
    return OrderClosed(
        time_ms=time_ms,
        account=0,
        symbol=0,
        oid=Oid(oid),
        status=status,
        remaining=Size(remaining),
        refunded_usd=Usd(0),
    )


def fill(oid: int, tid: int, time_ms: int, side: Side, **fields: Any) -> Fill:
    """A fill; `trade` is size, price, reference and start, `booked` is profit and fee."""
    size, price, reference, start = fields.pop("trade")
    profit, fee = fields.pop("booked")
    named: dict[str, Any] = {"account": 0, "is_taker": True, "order_size_left": Size(0), **fields}
    return Fill(
        time_ms=time_ms,
        symbol=0,
        oid=Oid(oid),
        tid=tid,
        side=side,
        size=Size(size),
        price=Price(price),
        reference_price=Price(reference),
        start_position=Size(start),
        realized_pnl_usd=Usd(profit),
        fee_usd=Usd(fee),
        **named,
    )


def advanced(bar: int) -> Event:
    return Advanced(time_ms=bar * MINUTE, bar=bar, watches_met=())


def deposit(usd: int) -> tuple[Command, list[Event]]:
    return Deposit(account=0, usd=Usd(usd)), [Deposited(time_ms=0, account=0, usd=Usd(usd))]


MARKET = NewOrder(symbol=0, side=Side.BUY, size=Size(1000), tif=Tif.IOC)
LIMIT = NewOrder(symbol=0, side=Side.BUY, size=Size(500), limit_price=Price(999_000))
STOP = NewOrder(
    symbol=0,
    side=Side.SELL,
    size=Size(1500),
    reduce_only=True,
    trigger=Trigger(price=Price(990_000), tpsl=Tpsl.STOP_LOSS, is_market=True),
)
BAR_1, BAR_2 = 2**26, 2 * 2**26
PATH_0, PATH_1 = MINUTE - 1, 2 * MINUTE - 1

# 1,000,000: half spread 50, then slippage 1,000,050 * 0.0001 rounded up; fees 0.045 % rounded up.
TAKEN = fill(
    1, 1, 0, Side.BUY, trade=(1000, 1_000_151, 1_000_000, 0), booked=(0, 450_068)
)  # fmt: skip
# The low of bar 0 is a tick, one dollar, below the limit: 0.015 % as a maker.
MADE = fill(
    2, 2, PATH_0, Side.BUY,
    trade=(500, 999_000, 999_000, 1000), booked=(0, 74_925), is_taker=False,
)  # fmt: skip
# 990,000 less 50 (49.5 rounded up), less 99 (98.995 rounded up).
STOPPED = fill(
    BAR_1 + 1, BAR_1 + 1, PATH_1, Side.SELL,
    trade=(1500, 989_851, 990_000, 1500),
    booked=(1500 * 989_851 - 1_000_151_000 - 499_500_000, 668_150),
)  # fmt: skip
# 1,500 * 999,600 * 0.0001, the mark being the open of bar 1.
FUNDING = FundingPaid(
    time_ms=MINUTE,
    account=0,
    symbol=0,
    size=Size(1500),
    rate=Rate(100_000),
    usd=Usd(-149_940),
)
CASH = 10**10 - 450_068 - 74_925 - 149_940 + STOPPED.realized_pnl_usd - 668_150


def clean_log() -> Log:
    """A market order, a limit that fills in a path, funding, a stop that closes all of it."""
    return [
        deposit(10**10),
        (
            PlaceOrders(account=0, orders=(MARKET, LIMIT)),
            [opened(1, 0), TAKEN, closed(1, 0), opened(2, 0)],
        ),
        (Advance(until_bar=1), [MADE, closed(2, PATH_0), FUNDING, advanced(1)]),
        (
            PlaceOrders(account=0, orders=(STOP,)),
            [opened(BAR_1 + 1, MINUTE, OrderStatus.WAITING_FOR_TRIGGER)],
        ),
        (
            Advance(until_bar=3),
            [
                OrderChanged(
                    time_ms=PATH_1,
                    account=0,
                    symbol=0,
                    oid=Oid(BAR_1 + 1),
                    status=OrderStatus.OPEN,
                    size=Size(1500),
                ),
                STOPPED,
                closed(BAR_1 + 1, PATH_1),
                advanced(3),
            ],
        ),
    ]


def check(
    log: Log, tape: Tape | None = None, rules: Rules | None = None, cash: int | None = None
) -> AuditReport:
    money = None if cash is None else [cash]
    return audit([BTC], tape or make_tape(), rules or Rules(), log, money=money)


def planted(log: Log, old: Event, *new: Event) -> Log:
    """A log with one event replaced, dropped or repeated."""
    found = [
        (command, [other for event in events for other in (new if event == old else (event,))])
        for command, events in log
    ]
    assert found != log
    return found
