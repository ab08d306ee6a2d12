"""What a venue says about an account, built by hand."""

from decimal import Decimal
from typing import Any, Literal

from suite.account.events import (
    FillsPush,
    FundingPayment,
    FundingsPush,
    LedgerPush,
    OrderChange,
    OrdersPush,
    StatePush,
)
from suite.contracts.hyperliquid_info import (
    AssetPosition,
    ClearinghouseState,
    CumFunding,
    LedgerRow,
    Leverage,
    MarginSummary,
    OpenOrder,
    Position,
    UserFill,
)
from suite.fixed import is_decimal

NOTHING = CumFunding(allTime="0.0", sinceOpen="0.0", sinceChange="0.0")


def position(coin: str, size: str, entry: str = "100.0", *, leverage: int = 5) -> AssetPosition:
    value = abs(Decimal(size) * Decimal(entry))
    return AssetPosition(
        position=Position(
            coin=coin,
            szi=size,
            leverage=Leverage(type="cross", value=leverage),
            entryPx=entry,
            positionValue=str(value),
            unrealizedPnl="0.0",
            returnOnEquity="0.0",
            liquidationPx=None,
            marginUsed=str(value / leverage),
            maxLeverage=20,
            cumFunding=NOTHING,
        )
    )


def state(*held: AssetPosition, cash: str = "1000.0", time: int = 0) -> ClearinghouseState:
    """An account whose positions are worth what they cost."""
    worth = sum((Decimal(p.position.szi) * Decimal(p.position.entryPx) for p in held), Decimal(0))
    margin = sum((Decimal(p.position.marginUsed) for p in held), Decimal(0))
    summary = MarginSummary(
        accountValue=str(Decimal(cash) + worth) if is_decimal(cash) else cash,
        totalNtlPos=str(sum((Decimal(p.position.positionValue) for p in held), Decimal(0))),
        totalRawUsd=cash,
        totalMarginUsed=str(margin),
    )
    return ClearinghouseState(
        marginSummary=summary,
        crossMarginSummary=summary,
        crossMaintenanceMarginUsed="0.0",
        withdrawable="0.0",
        assetPositions=held,
        time=time,
    )


def push_of(told: ClearinghouseState) -> StatePush:
    """A state as a venue answers it that is asked, without an open order."""
    return StatePush(state=told, open_orders=(), server_ms=told.time)


def push(
    *held: AssetPosition, at: int, cash: str = "1000.0", orders: tuple[OpenOrder, ...] = ()
) -> StatePush:
    return StatePush(state=state(*held, cash=cash, time=at), open_orders=orders, server_ms=at)


def fill(
    tid: int,
    coin: str = "ETH",
    size: str = "1.0",
    px: str = "100.0",
    *,
    at: int = 10,
    side: Literal["B", "A"] = "B",
    start: str = "0.0",
    fee: str = "0.0",
    **more: Any,
) -> UserFill:
    row: dict[str, Any] = {"dir": "Open Long", "closedPnl": "0.0", "hash": "0x0", "oid": 1}
    return UserFill(
        coin=coin,
        px=px,
        sz=size,
        side=side,
        time=at,
        startPosition=start,
        crossed=True,
        fee=fee,
        tid=tid,
        **row | more,
    )


def order(oid: int, size: str = "1.0", *, coin: str = "ETH") -> OpenOrder:
    return OpenOrder(
        coin=coin, side="B", limitPx="90.0", sz=size, oid=oid, timestamp=0, origSz="1.0"
    )


def fills(*told: UserFill, snapshot: bool = False) -> FillsPush:
    return FillsPush(fills=told, snapshot=snapshot)


def change(told: OpenOrder, status: str = "open", *, at: int = 10) -> OrdersPush:
    return OrdersPush(changes=(OrderChange(order=told, status=status, statusTimestamp=at),))


def funding(usdc: str, *, at: int, coin: str = "ETH") -> FundingsPush:
    paid = FundingPayment(time=at, coin=coin, usdc=usdc, szi="1.0", fundingRate="0.0001")
    return FundingsPush(fundings=(paid,))


def ledger(
    at: int, kind: str = "", *, number: int = 1, snapshot: bool = False, **fields: object
) -> LedgerPush:
    """An entry; without a kind one of an exchange that does not say what it was."""
    delta = {"type": kind, **fields} if kind else None
    row = LedgerRow(time=at, hash=f"0x{number}", delta=delta)
    return LedgerPush(rows=(row,), snapshot=snapshot)
