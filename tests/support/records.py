"""Records of runs written by hand: one trader in ETH, whose every fill is chosen."""

import numpy as np

from perp_engine.events import Fill, FundingPaid
from suite.bars import HOUR_MS
from suite.enums import OrderStatus, Side
from suite.fixed import Price, Rate, Size, Usd, parse_fixed
from suite.ids import Oid
from suite.instrument import default_instrument
from virtual_exchange.domain.record import AccountRecord, MarketRecord, OrderRecord, RunRecord

ETH = default_instrument("ETH", 2)
DEPOSIT = 10_000_000_000


def usd(text: str) -> Usd:
    return Usd(parse_fixed(text, 6))


def fills_of(*rows: tuple[int, int, str, str, str, str]) -> list[Fill]:
    """Fills of ETH, one a row: hour, oid, signed size, price, fee, realized PnL.

    The position before each follows from the rows; the print lies at the price.
    """
    fills: list[Fill] = []
    position = 0
    for number, (hour, oid, signed, price, fee, realized) in enumerate(rows, start=1):
        size = ETH.parse_size(signed)
        fill = Fill(
            time_ms=hour * HOUR_MS,
            account=0,
            symbol=0,
            oid=Oid(oid),
            tid=number,
            side=Side.BUY if size > 0 else Side.SELL,
            size=Size(abs(size)),
            price=ETH.parse_price(price),
            reference_price=ETH.parse_price(price),
            start_position=Size(position),
            realized_pnl_usd=usd(realized),
            fee_usd=usd(fee),
            is_taker=True,
            order_size_left=Size(0),
        )
        fills.append(fill)
        position += size
    return fills


def funding_of(hour: int, size: str, amount: str) -> FundingPaid:
    return FundingPaid(
        time_ms=hour * HOUR_MS,
        account=0,
        symbol=0,
        size=ETH.parse_size(size),
        rate=Rate(10_000),
        usd=usd(amount),
    )


def stop_of(oid: int, parent_oid: int, trigger: str, hour: int = 0) -> OrderRecord:
    return OrderRecord(
        oid=oid,
        cloid=None,
        symbol=0,
        kind="stop",
        side=Side.SELL,
        size=Size(1),
        remaining=Size(0),
        limit_price=Price(0),
        trigger_price=ETH.parse_price(trigger),
        reduce_only=True,
        status=OrderStatus.CANCELED,
        placed_ms=hour * HOUR_MS,
        closed_ms=None,
        held_usd=Usd(0),
        refunded_usd=Usd(0),
        decision_price=ETH.parse_price(trigger),
        parent_oid=parent_oid,
    )


def run_of(
    fills: list[Fill],
    funding: list[FundingPaid] | None = None,
    orders: list[OrderRecord] | None = None,
    *,
    hours: int = 24,
) -> RunRecord:
    """A run whose equity is the deposit plus what was booked, sampled every hour."""
    paid = funding or []
    times = np.arange(hours + 1) * HOUR_MS
    booked = [(f.time_ms, f.realized_pnl_usd - f.fee_usd) for f in fills]
    booked += [(p.time_ms, p.usd) for p in paid]
    equity = [DEPOSIT + sum(value for at, value in booked if at <= time) for time in times]
    prices = np.full(hours, 200_000, np.int64)
    account = AccountRecord(
        account_id="trader",
        strategy={"kind": "example", "params": {}},
        initial_balance_usd=Usd(DEPOSIT),
        equity_usd=np.array(equity, np.int64),
        exposure_usd=np.zeros(hours + 1, np.int64),
        fills=fills,
        mids=[fill.reference_price for fill in fills],
        funding=paid,
        orders=orders or [],
        decisions_sha256="0" * 64,
        rejected_orders=0,
    )
    market = MarketRecord(
        instrument=ETH,
        source="example",
        synthetic=True,
        mark=Price(200_000),
        open_time_ms=times[:-1],
        open=prices,
        high=prices,
        low=prices,
        close=prices,
        volume=prices,
    )
    return RunRecord(
        run_id="example",
        from_ms=0,
        to_ms=hours * HOUR_MS,
        interval_ms=HOUR_MS,
        finished=True,
        markets=[market],
        accounts=[account],
        equity_time_ms=times,
        rules={"taker_fee": 0.00045, "maker_fee": 0.00015, "slippage": 0.0001},
        manifest={"data": {"ETH": {"content_sha256": "1" * 64, "store_files": 2}}, "seed": 7},
    )
