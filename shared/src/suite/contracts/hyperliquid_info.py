"""What an account sees of itself, with the venue's own field names and decimal strings."""

# ruff: noqa: N815 - the names are the wire's

from typing import Any, Literal

import msgspec


class MarginSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Totals of an account, USD."""

    accountValue: str
    totalNtlPos: str
    totalRawUsd: str
    totalMarginUsed: str


class Leverage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Leverage of a position."""

    type: Literal["cross", "isolated"]
    value: int
    rawUsd: str | None = None


class CumFunding(msgspec.Struct, frozen=True, kw_only=True):
    """Funding paid by a position, USD; positive is cost."""

    allTime: str
    sinceOpen: str
    sinceChange: str


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """An open position; `szi` is signed."""

    coin: str
    szi: str
    leverage: Leverage
    entryPx: str
    positionValue: str
    unrealizedPnl: str
    returnOnEquity: str
    liquidationPx: str | None
    marginUsed: str
    maxLeverage: int
    cumFunding: CumFunding


class AssetPosition(msgspec.Struct, frozen=True, kw_only=True):
    """A position with its kind."""

    type: Literal["oneWay"] = "oneWay"
    position: Position


class ClearinghouseState(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of `clearinghouseState`."""

    marginSummary: MarginSummary
    crossMarginSummary: MarginSummary
    crossMaintenanceMarginUsed: str
    withdrawable: str
    assetPositions: tuple[AssetPosition, ...]
    time: int


class OpenOrder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row of `openOrders`; trigger orders show their limit price only."""

    coin: str
    side: Literal["B", "A"]
    limitPx: str
    sz: str
    oid: int
    timestamp: int
    origSz: str
    cloid: str | None = None
    reduceOnly: bool = False


class UpdatedOrder(OpenOrder, frozen=True, kw_only=True, omit_defaults=True):
    """An order as `orderUpdates` tells it; strict readers want its client id there, or `null`."""

    cloid: str | None


class FillLiquidation(msgspec.Struct, frozen=True, kw_only=True):
    """What a fill of the venue acting on an account says of that."""

    liquidatedUser: str
    markPx: str
    method: Literal["market", "backstop"]


class UserFill(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `userFills`; `closedPnl` excludes the fee, `fee` is positive when charged."""

    coin: str
    px: str
    sz: str
    side: Literal["B", "A"]
    time: int
    startPosition: str
    dir: str
    closedPnl: str
    hash: str
    oid: int
    crossed: bool
    fee: str
    tid: int
    feeToken: str = "USDC"
    twapId: int | None = None
    cloid: str | msgspec.UnsetType | None = msgspec.UNSET
    liquidation: FillLiquidation | msgspec.UnsetType = msgspec.UNSET


class LedgerRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `userNonFundingLedgerUpdates`: money moved otherwise than by trading.

    Attributes:
        delta: how, in the venue's own words; None where an exchange does not say.
    """

    time: int
    hash: str
    delta: dict[str, object] | None = None


class InfoRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Body of `POST /info`; keys a type does not use are ignored, as the venue does."""

    type: str
    user: str | None = None
    dex: str | None = None
    coin: str | None = None
    req: dict[str, Any] | None = None
