"""An account's state with the fills that it does not have yet, and what a trader reads of it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from suite.account.events import signed_size
from suite.account.picture import ZERO
from suite.contracts.clock import AccountView, PositionView
from suite.contracts.hyperliquid_info import (
    AssetPosition,
    ClearinghouseState,
    CumFunding,
    Leverage,
    MarginSummary,
    OpenOrder,
    Position,
    UserFill,
)
from suite.fixed import parse_decimal

_PLACES: Final = Decimal("0.000001")
_NO_FUNDING: Final = CumFunding(allTime="0.0", sinceOpen="0.0", sinceChange="0.0")


def view_of(
    state: ClearinghouseState,
    open_orders: tuple[OpenOrder, ...],
    net_deposits: Decimal | None = None,
) -> AccountView:
    """Read a state as a trader does: the same numbers, to their digits after the point.

    Args:
        state: as a venue writes it.
        open_orders: of the same moment.
        net_deposits: as far as they are in it, USD; None where nobody tells.

    Raises:
        ValueError: something in it is no number.
    """
    summary = state.marginSummary
    held = [_read(row.position) for row in state.assetPositions]
    return AccountView(
        equity=parse_decimal(summary.accountValue),
        cross_equity=parse_decimal(state.crossMarginSummary.accountValue),
        margin_used=parse_decimal(summary.totalMarginUsed),
        positions=tuple(position for position in held if position.size),
        open_orders=open_orders,
        net_deposits=net_deposits,
    )


def _read(row: Position) -> PositionView:
    liquidation = row.liquidationPx
    return PositionView(
        coin=row.coin,
        size=parse_decimal(row.szi),
        entry_px=parse_decimal(row.entryPx),
        unrealized_pnl=parse_decimal(row.unrealizedPnl),
        leverage=row.leverage.value,
        isolated=row.leverage.type == "isolated",
        margin_used=parse_decimal(row.marginUsed),
        liquidation_px=None if liquidation is None else parse_decimal(liquidation),
        funding=parse_decimal(row.cumFunding.sinceOpen),
    )


def state_with(state: ClearinghouseState, fills: Sequence[UserFill]) -> ClearinghouseState:
    """Show a state as it will be with fills that it does not have.

    Positions and cash are exact. The mark is the state's, the fill's where the state has none of
    the coin; a coin without a position counts with leverage 1, which holds more margin than less.
    What depends on the venue's own margin rules (liquidation price, maintenance) is left as it is:
    the next state, seconds away, has it.

    Args:
        state: as the venue told it.
        fills: after it, oldest first.
    """
    if not fills:
        return state
    rows = {row.position.coin: row.position for row in state.assetPositions}
    cash = parse_decimal(state.marginSummary.totalRawUsd)
    margin = parse_decimal(state.marginSummary.totalMarginUsed)
    value = parse_decimal(state.marginSummary.accountValue)
    for fill in fills:
        before = rows.get(fill.coin)
        after = _filled(before, fill)
        paid = signed_size(fill) * parse_decimal(fill.px) + parse_decimal(fill.fee)
        cash -= paid
        value += _worth(after) - _worth(before) - paid
        margin += _margin(after) - _margin(before)
        if after is None:
            rows.pop(fill.coin, None)
        else:
            rows[fill.coin] = after
    notional = sum((parse_decimal(row.positionValue) for row in rows.values()), ZERO)
    summary = MarginSummary(
        accountValue=_text(value),
        totalNtlPos=_text(notional),
        totalRawUsd=_text(cash),
        totalMarginUsed=_text(margin),
    )
    return msgspec.structs.replace(
        state,
        marginSummary=summary,
        withdrawable=_text(max(ZERO, value - margin)),
        assetPositions=tuple(AssetPosition(position=row) for row in rows.values()),
    )


def _filled(before: Position | None, fill: UserFill) -> Position | None:
    """Apply a fill to a position; None when it is flat then."""
    price, signed = parse_decimal(fill.px), signed_size(fill)
    held = ZERO if before is None else parse_decimal(before.szi)
    size = held + signed
    if size == 0:
        return None
    entry = price
    mark = price
    if before is not None and held:
        mark = parse_decimal(before.positionValue) / abs(held)
        old = parse_decimal(before.entryPx)
        if held * signed > 0:
            entry = (old * abs(held) + price * abs(signed)) / abs(size)
        elif held * size > 0:
            entry = old
    value = abs(size) * mark
    leverage = Leverage(type="cross", value=1) if before is None else before.leverage
    pnl = size * (mark - entry)
    margin = value / leverage.value
    return Position(
        coin=fill.coin,
        szi=_plain(size),
        leverage=leverage,
        entryPx=_text(entry),
        positionValue=_text(value),
        unrealizedPnl=_text(pnl),
        returnOnEquity=_text(pnl * leverage.value / (abs(size) * entry)) if entry else "0.0",
        liquidationPx=None if before is None else before.liquidationPx,
        marginUsed=_text(margin),
        maxLeverage=leverage.value if before is None else before.maxLeverage,
        cumFunding=_NO_FUNDING if before is None else before.cumFunding,
    )


def _worth(row: Position | None) -> Decimal:
    """Signed notional, USD."""
    if row is None:
        return ZERO
    value = parse_decimal(row.positionValue)
    return value if parse_decimal(row.szi) > 0 else -value


def _margin(row: Position | None) -> Decimal:
    return ZERO if row is None else parse_decimal(row.marginUsed)


def _text(value: Decimal) -> str:
    return _plain(value.quantize(_PLACES))


def _plain(value: Decimal) -> str:
    """Write a number as the venue does: no exponent, a digit after the point."""
    text = f"{value:f}"
    if "." not in text:
        return f"{text}.0"
    text = text.rstrip("0")
    return f"{text}0" if text.endswith(".") else text
