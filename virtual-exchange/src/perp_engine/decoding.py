"""Rows of the kernel's buffer, read into named values."""

from collections.abc import Callable

from perp_engine import events
from perp_engine.kernel import layout
from perp_engine.tape import Tape
from perp_engine.views import OrderState
from suite.enums import FillCause, MarginMode, OrderStatus, Side, Tif, Tpsl
from suite.errors import RejectReason
from suite.fixed import Price, Rate, Size, Usd
from suite.ids import Cloid, Oid

STATUSES = {
    layout.RESTING: OrderStatus.OPEN,
    layout.WAITING_FOR_FILL: OrderStatus.WAITING_FOR_FILL,
    layout.WAITING_FOR_TRIGGER: OrderStatus.WAITING_FOR_TRIGGER,
    layout.FILLED: OrderStatus.FILLED,
    layout.CANCELED: OrderStatus.CANCELED,
    layout.MARGIN_CANCELED: OrderStatus.MARGIN_CANCELED,
    layout.REDUCE_ONLY_CANCELED: OrderStatus.REDUCE_ONLY_CANCELED,
    layout.SIBLING_CANCELED: OrderStatus.SIBLING_FILLED_CANCELED,
    layout.LIQUIDATED_CANCELED: OrderStatus.LIQUIDATED_CANCELED,
    layout.SCHEDULED: OrderStatus.SCHEDULED_CANCEL,
    layout.EXPIRED: OrderStatus.EXPIRED,
    layout.DELISTED_CANCELED: OrderStatus.DELISTED_CANCELED,
}

REASONS = {
    layout.HALTED: RejectReason.HALTED,
    layout.UNKNOWN_COIN: RejectReason.UNKNOWN_COIN,
    layout.DUPLICATE_CLOID: RejectReason.DUPLICATE_CLOID,
    layout.POSITION_LIMIT: RejectReason.POSITION_LIMIT,
    layout.ISOLATED_NEEDS_MARGIN: RejectReason.ISOLATED_LEVERAGE_NEEDS_MARGIN,
    layout.MODE_IN_USE: RejectReason.MARGIN_MODE_WITH_POSITION,
    layout.NOT_ISOLATED: RejectReason.NOT_ISOLATED,
    layout.MARGIN_IN_USE: RejectReason.MARGIN_IN_USE,
    layout.TOO_SOON: RejectReason.SCHEDULE_TOO_SOON,
    layout.TOO_OFTEN: RejectReason.SCHEDULE_LIMIT,
    layout.TOO_LATE: RejectReason.EXPIRED,
    layout.ZERO_SIZE: RejectReason.ZERO_SIZE,
    layout.INVALID_SIZE: RejectReason.INVALID_SIZE,
    layout.INVALID_PRICE: RejectReason.INVALID_PRICE,
    layout.PRICE_TOO_FAR: RejectReason.PRICE_TOO_FAR,
    layout.VALUE_TOO_LARGE: RejectReason.VALUE_TOO_LARGE,
    layout.TOO_MANY_ORDERS: RejectReason.TOO_MANY_OPEN_ORDERS,
    layout.BAD_TRIGGER: RejectReason.BAD_TRIGGER_PRICE,
    layout.TRIGGER_NOT_REDUCE: RejectReason.TRIGGER_NOT_REDUCE_ONLY,
    layout.REDUCE_INCREASES: RejectReason.REDUCE_ONLY_INCREASES,
    layout.TOO_SMALL: RejectReason.MIN_NOTIONAL,
    layout.NO_MARGIN: RejectReason.INSUFFICIENT_MARGIN,
    layout.WOULD_MATCH: RejectReason.POST_ONLY_WOULD_MATCH,
    layout.NO_MATCH: RejectReason.IOC_NO_MATCH,
    layout.UNKNOWN_ORDER: RejectReason.UNKNOWN_ORDER,
    layout.CANNOT_MODIFY: RejectReason.CANNOT_MODIFY,
    layout.BAD_LEVERAGE: RejectReason.INVALID_LEVERAGE,
    layout.LEVERAGE_NEEDS_MARGIN: RejectReason.LEVERAGE_NEEDS_MARGIN,
}

CAUSES = {
    layout.BY_ORDER: FillCause.ORDER,
    layout.BY_LIQUIDATION: FillCause.LIQUIDATION,
    layout.BY_BACKSTOP: FillCause.BACKSTOP,
    layout.BY_SETTLEMENT: FillCause.SETTLEMENT,
}
MODES = (MarginMode.CROSS, MarginMode.ISOLATED)

Row = list[int]


def _opened(row: Row) -> events.Event:
    return events.OrderOpened(
        time_ms=row[1],
        account=row[2],
        symbol=row[3],
        oid=Oid(row[4]),
        status=STATUSES[row[5]],
        held_usd=Usd(row[6]),
    )


def _rejected(row: Row) -> events.Event:
    return events.OrderRejected(
        time_ms=row[1], account=row[2], symbol=row[3], index=row[5], reason=REASONS[row[6]]
    )


def _closed(row: Row) -> events.Event:
    return events.OrderClosed(
        time_ms=row[1],
        account=row[2],
        symbol=row[3],
        oid=Oid(row[4]),
        status=STATUSES[row[5]],
        remaining=Size(row[6]),
        refunded_usd=Usd(row[7]),
    )


def _changed(row: Row) -> events.Event:
    return events.OrderChanged(
        time_ms=row[1],
        account=row[2],
        symbol=row[3],
        oid=Oid(row[4]),
        status=STATUSES[row[5]],
        size=Size(row[6]),
    )


def _fill(row: Row) -> events.Event:
    return events.Fill(
        time_ms=row[1],
        account=row[2],
        symbol=row[3],
        oid=Oid(row[4]),
        tid=row[5],
        side=Side(row[6]),
        size=Size(row[7]),
        price=Price(row[8]),
        reference_price=Price(row[9]),
        start_position=Size(row[10]),
        realized_pnl_usd=Usd(row[11]),
        fee_usd=Usd(row[12]),
        is_taker=bool(row[13]),
        order_size_left=Size(row[14]),
        cause=CAUSES[row[15]],
    )


def _funding(row: Row) -> events.Event:
    return events.FundingPaid(
        time_ms=row[1],
        account=row[2],
        symbol=row[3],
        size=Size(row[5]),
        rate=Rate(row[6]),
        usd=Usd(row[7]),
    )


def _leverage(row: Row) -> events.Event:
    return events.LeverageSet(
        time_ms=row[1], account=row[2], symbol=row[3], leverage=row[5], mode=MODES[row[6]]
    )


def _margin_moved(row: Row) -> events.Event:
    return events.MarginMoved(time_ms=row[1], account=row[2], symbol=row[3], usd=Usd(row[5]))


def _liquidated(row: Row) -> events.Event:
    return events.Liquidated(
        time_ms=row[1],
        account=row[2],
        symbol=row[3],
        mode=MODES[row[5]],
        mark=Price(row[6]),
        equity_usd=Usd(row[7]),
        maintenance_usd=Usd(row[8]),
    )


def _insurance(row: Row) -> events.Event:
    return events.InsuranceMoved(time_ms=row[1], account=row[2], symbol=row[3], usd=Usd(row[5]))


def _scheduled(row: Row) -> events.Event:
    return events.CancelScheduled(time_ms=row[1], account=row[2], cancel_ms=row[5] or None)


def _fees(row: Row) -> events.Event:
    return events.FeesSet(time_ms=row[1], account=row[2], taker=Rate(row[5]), maker=Rate(row[6]))


def _sent(row: Row) -> events.Event:
    return events.ActionSent(time_ms=row[1], account=row[2], arrives_ms=row[5])


def _deposited(row: Row) -> events.Event:
    return events.Deposited(time_ms=row[1], account=row[2], usd=Usd(row[5]))


def _refused(row: Row) -> events.Event:
    return events.ActionRejected(time_ms=row[1], account=row[2], reason=REASONS[row[5]])


_DECODERS: dict[int, Callable[[Row], events.Event]] = {
    layout.EVENT_OPENED: _opened,
    layout.EVENT_REJECTED: _rejected,
    layout.EVENT_CLOSED: _closed,
    layout.EVENT_CHANGED: _changed,
    layout.EVENT_FILL: _fill,
    layout.EVENT_FUNDING: _funding,
    layout.EVENT_LEVERAGE: _leverage,
    layout.EVENT_MARGIN: _margin_moved,
    layout.EVENT_LIQUIDATED: _liquidated,
    layout.EVENT_INSURANCE: _insurance,
    layout.EVENT_SCHEDULED: _scheduled,
    layout.EVENT_FEES: _fees,
    layout.EVENT_SENT: _sent,
    layout.EVENT_DEPOSIT: _deposited,
    layout.EVENT_REFUSED: _refused,
}


def decode(row: Row) -> events.Event:
    """Read one row of the event table."""
    return _DECODERS[row[0]](row)


def order_state(row: Row, tape: Tape) -> OrderState:
    """Read one row of the order table."""
    kind = row[layout.ORDER_KIND]
    tpsl = {layout.STOP: Tpsl.STOP_LOSS, layout.TAKE: Tpsl.TAKE_PROFIT}.get(kind)
    return OrderState(
        oid=Oid(row[layout.ORDER_ID]),
        symbol=row[layout.ORDER_SYMBOL],
        side=Side(row[layout.ORDER_SIDE]),
        size=Size(row[layout.ORDER_SIZE]),
        original_size=Size(row[layout.ORDER_ORIGINAL]),
        limit_price=Price(row[layout.ORDER_PRICE]),
        trigger_price=Price(row[layout.ORDER_TRIGGER]),
        tpsl=tpsl,
        is_market=bool(row[layout.ORDER_MARKET]),
        tif=(Tif.GTC, Tif.IOC, Tif.ALO)[row[layout.ORDER_TIF]],
        reduce_only=bool(row[layout.ORDER_REDUCE]),
        status=STATUSES[row[layout.ORDER_STATE]],
        placed_ms=tape.time_ms(row[layout.ORDER_PLACED_BAR]),
        held_usd=Usd(row[layout.ORDER_HELD]),
        parent_oid=Oid(row[layout.ORDER_GROUP]),
        follows_position=row[layout.ORDER_WHOLE] == layout.FOLLOWS,
        expires_ms=row[layout.ORDER_EXPIRES],
        cloid=decode_cloid(row) if row[layout.ORDER_NAMED] else None,
    )


def decode_cloid(row: Row) -> Cloid:
    """A client order id from the two signed words of an order."""
    word = (1 << 64) - 1
    high, low = row[layout.ORDER_CLOID], row[layout.ORDER_CLOID_LOW]
    return Cloid(f"0x{(high & word) << 64 | low & word:032x}")
