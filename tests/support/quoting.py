"""Markets and observations for tests of market makers."""

from decimal import Decimal
from typing import Any

from strategy_core.port import Observation
from strategy_core.quoting.prices import Market, Terms
from suite.contracts.clock import PositionView
from suite.contracts.hyperliquid_info import OpenOrder, UserFill
from suite.fixed import Usd
from suite.instrument import Instrument, MarginTier

TIER = (MarginTier(lower_bound_usd=Usd(0), max_leverage=40),)
ETH = Instrument(coin="ETH", sz_decimals=4, tiers=TIER)
D = Decimal
START_MS = 1_746_403_200_000  # 2025-05-05, a UTC midnight


def terms(**changes: Any) -> Terms:
    """10 bp wide; a maker fee of 1.5 bp, 1 bp of adverse move."""
    values: dict[str, Any] = {
        "spread": D("0.001"),
        "maker_fee": D("0.00015"),
        "adverse": D("0.0001"),
        **changes,
    }
    return Terms(**values)


def market(mid: str = "2000", *, instrument: Instrument = ETH, **changes: Any) -> Market:
    price = D(mid)
    values: dict[str, Any] = {"mid": price, "bid": price, "ask": price, **changes}
    return Market(instrument=instrument, **values)


def snapshot(
    mid: float = 2000.0,
    *,
    half: float = 0.1,
    as_of_ms: int = START_MS,
    rate_hourly: float | None = None,
    settled_at_ms: int = START_MS,
    volumes: tuple[float, float] = (1.0, 1.0),
    atr: float | None = None,
) -> dict[str, Any]:
    """What a maker reads of a snapshot."""
    book = {
        "top_bid_price": mid - half,
        "top_ask_price": mid + half,
        "top_bid_volume": volumes[0],
        "top_ask_volume": volumes[1],
    }
    funding = {"rate_hourly": rate_hourly, "settled_at_ms": settled_at_ms}
    return {
        "as_of_ms": as_of_ms,
        "common_info": {"order_book": book},
        "funding": None if rate_hourly is None else funding,
        "intervals_data": {"1": {"atr_14": atr}},
    }


def seen(
    mid: str = "2000",
    *,
    now_ms: int = START_MS,
    held: str = "0",
    orders: tuple[OpenOrder, ...] = (),
    fills: tuple[UserFill, ...] = (),
    shown: dict[str, Any] | None = None,
    equity: str = "10000",
) -> Observation:
    """An observation of one account that trades ETH only."""
    size = D(held)
    position = PositionView(
        coin="ETH", size=size, entry_px=D(mid), unrealized_pnl=D(0), leverage=20
    )
    return Observation(
        now_ms=now_ms,
        equity=D(equity),
        available=D(equity),
        positions={"ETH": position} if size else {},
        open_orders=orders,
        mids={"ETH": D(mid)},
        snapshots={"ETH": shown} if shown else {},
        fills=fills,
    )


def resting(
    price: str, size: str, *, is_buy: bool, oid: int = 1, placed_ms: int = START_MS, **more: Any
) -> OpenOrder:
    return OpenOrder(
        coin="ETH",
        side="B" if is_buy else "A",
        limitPx=price,
        sz=size,
        oid=oid,
        timestamp=placed_ms,
        origSz=size,
        **more,
    )


def filled(*, is_buy: bool, time_ms: int, crossed: bool = False) -> UserFill:
    return UserFill(
        coin="ETH",
        px="2000.0",
        sz="0.05",
        side="B" if is_buy else "A",
        time=time_ms,
        startPosition="0.0",
        dir="Open Long" if is_buy else "Open Short",
        closedPnl="0.0",
        hash="0x" + "0" * 64,
        oid=1,
        crossed=crossed,
        fee="0.0",
        tid=1,
    )
