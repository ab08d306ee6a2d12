"""Fills as a manager tells them of its traders."""

from decimal import Decimal

import msgspec


class TradeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One fill; numbers as text, with the venue's decimals, USD and coin."""

    tid: int
    oid: int
    time_ms: int
    coin: str
    side: str
    price: Decimal
    size: Decimal
    start_position: Decimal
    closed_pnl_usd: Decimal
    fee_usd: Decimal
    is_taker: bool
    direction: str
    cloid: str | None
