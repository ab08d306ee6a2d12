"""What ccxt tells of an account, in the shapes of the venue contract."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import msgspec

from strategy_agent.adapters.ccxt_exchange.markets import Markets
from suite.account.events import BestPush, Level
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
from suite.contracts.venue import ActionReply
from suite.enums import OrderStatus

ZERO: Final = Decimal(0)
_PLACES: Final = Decimal("0.00000001")
_NO_FUNDING: Final = CumFunding(allTime="0.0", sinceOpen="0.0", sinceChange="0.0")
_STATUSES: Final = {
    "open": OrderStatus.OPEN,
    "closed": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "canceling": OrderStatus.OPEN,
    "expired": OrderStatus.CANCELED,
    "rejected": OrderStatus.REJECTED,
}
_PROFITS: Final = ("closedPnl", "realizedPnl", "rp", "execPnl", "fillPnl")
"""Names of the realized profit of a trade, which ccxt leaves as the exchange writes it."""


def number(value: Any) -> Decimal:
    """Read a number of ccxt; None and an empty text count as 0."""
    return Decimal(str(value)) if value not in {None, ""} else ZERO


def text(value: Decimal) -> str:
    """Write a number as the venue does: no exponent, a digit after the point."""
    written = f"{value.quantize(_PLACES):f}".rstrip("0")
    return f"{written}0" if written.endswith(".") else written


def best_prices(coin: str, ticker: Mapping[str, Any], markets: Markets) -> BestPush:
    """Read the best bid and ask of a coin; one that is told without its size is none."""

    def level(price: str, size: str) -> Level | None:
        px, sz = ticker.get(price), ticker.get(size)
        if px is None or sz is None:
            return None
        return Level(px=text(number(px)), sz=text(markets.size(coin, sz)))

    return BestPush(coin=coin, bid=level("bid", "bidVolume"), ask=level("ask", "askVolume"))


def oid_of(order_id: Any) -> int:
    """Make a number of an exchange's order id: itself, or 63 bits of its hash."""
    written = str(order_id)
    if written.isdecimal() and len(written) < len(str(1 << 63)):
        return int(written)
    return int.from_bytes(hashlib.sha256(written.encode()).digest()[:8]) >> 1


def cloid_of(client_id: Any) -> str | None:
    """Read a client order id as the suite writes it; None for one that is not ours."""
    written = str(client_id or "").removeprefix("0x").lower()
    if len(written) != 32 or not all(sign in "0123456789abcdef" for sign in written):
        return None
    return f"0x{written}"


def status_of(order: Mapping[str, Any]) -> OrderStatus:
    """Read where an order is in its life; an unknown word counts as open."""
    return _STATUSES.get(str(order.get("status")), OrderStatus.OPEN)


def open_order(order: Mapping[str, Any], markets: Markets) -> OpenOrder | None:
    """Read an order; None for one of a market that is not ours."""
    coin = markets.coin(str(order.get("symbol")))
    if coin is None or order.get("id") is None:
        return None
    amount = markets.size(coin, order.get("amount"))
    filled = markets.size(coin, order.get("filled"))
    price = number(order.get("price")) or number(order.get("triggerPrice"))
    return OpenOrder(
        coin=coin,
        side="B" if order.get("side") == "buy" else "A",
        limitPx=text(price),
        sz=text(amount - filled),
        oid=oid_of(order["id"]),
        timestamp=int(order.get("timestamp") or 0),
        origSz=text(amount),
        cloid=cloid_of(order.get("clientOrderId")),
        reduceOnly=bool(order.get("reduceOnly")),
    )


def order_status(order: Mapping[str, Any], size: Decimal, *, at_once: bool) -> dict[str, Any]:
    """Say what became of an order that was just placed.

    Args:
        order: as ccxt tells of it.
        size: of it that was filled, coins.
        at_once: it was not to rest.
    """
    status = order.get("status")
    oid = oid_of(order["id"])
    if status in {"open", None} and not (status is None and size > 0):
        return {"resting": {"oid": oid}}
    if size > 0:
        average = number(order.get("average")) or number(order.get("price"))
        return {"filled": {"totalSz": text(size), "avgPx": text(average), "oid": oid}}
    if at_once:
        return {"error": "Order could not immediately match against any resting orders."}
    if status == "expired":
        return {"error": "Post only order would have immediately matched: expired at once"}
    # it was accepted, and came to its end since without a fill
    return {"resting": {"oid": oid}}


def answered(kind: str, *statuses: object) -> ActionReply:
    """Write the answer to an action."""
    return ActionReply(status="ok", response={"type": kind, "data": {"statuses": list(statuses)}})


class FillWriter:
    """Writes trades as fills; where a position began is told alike each time.

    An exchange does not say what the position was before a trade. It is counted here: backwards
    from the position where trades are first read, forwards from then on.
    """

    def __init__(self, markets: Markets) -> None:
        self.sizes: dict[str, Decimal] | None = None
        self._markets = markets
        self._begun_ms = 0
        self._starts: dict[tuple[str, str], Decimal] = {}

    def begin(self, positions: Mapping[str, Decimal], trades: Iterable[Mapping[str, Any]]) -> None:
        """Begin with positions and the trades that led to them."""
        back = dict(positions)
        for trade in sorted(trades, key=_moment, reverse=True):
            coin = self._markets.coin(str(trade.get("symbol")))
            if coin is not None:
                back[coin] = back.get(coin, ZERO) - self._signed(coin, trade)
                self._starts[coin, str(trade["id"])] = back[coin]
                self._begun_ms = max(self._begun_ms, int(trade["timestamp"]))
        self.sizes = dict(positions)

    def write(self, trades: Iterable[Mapping[str, Any]]) -> tuple[UserFill, ...]:
        """Write trades, oldest first."""
        written = (self._write(trade) for trade in sorted(trades, key=_moment))
        return tuple(fill for fill in written if fill is not None)

    def _signed(self, coin: str, trade: Mapping[str, Any]) -> Decimal:
        size = self._markets.size(coin, trade.get("amount"))
        return size if trade.get("side") == "buy" else -size

    def _write(self, trade: Mapping[str, Any]) -> UserFill | None:
        coin = self._markets.coin(str(trade.get("symbol")))
        if coin is None:
            return None
        signed, name = self._signed(coin, trade), (coin, str(trade["id"]))
        sizes = self.sizes if self.sizes is not None else {}
        if name not in self._starts:
            if int(trade["timestamp"]) < self._begun_ms:
                return None  # older than all that was read at the beginning
            self._starts[name] = sizes.get(coin, ZERO)
            sizes[coin] = self._starts[name] + signed
        fee, info = trade.get("fee") or {}, trade.get("info") or {}
        currency = str(fee.get("currency") or self._markets.settle)
        cost = number(fee.get("cost")) if currency == self._markets.settle else ZERO
        return UserFill(
            coin=coin,
            px=text(number(trade.get("price"))),
            sz=text(abs(signed)),
            side="B" if signed > 0 else "A",
            time=int(trade["timestamp"]),
            startPosition=text(self._starts[name]),
            dir=_direction(self._starts[name], signed),
            closedPnl=text(number(next((info[k] for k in _PROFITS if info.get(k)), 0))),
            hash="0x",
            oid=oid_of(trade.get("order")),
            crossed=trade.get("takerOrMaker") != "maker",
            fee=text(cost),
            tid=oid_of(trade["id"]),
            feeToken=currency,
            cloid=cloid_of(info.get("cloid") or info.get("c")) or msgspec.UNSET,
        )


@dataclass(slots=True)
class Holding:
    """One position.

    Attributes:
        size: signed, coins.
        entry, mark: USD; a mark of 0 is not known.
        leverage: 0 when not known.
    """

    size: Decimal = ZERO
    entry: Decimal = ZERO
    mark: Decimal = ZERO
    leverage: int = 0
    isolated: bool = False
    margin: Decimal = ZERO
    liquidation: Decimal | None = None


@dataclass(slots=True)
class Holdings:
    """Money and positions of an account, put together of what comes piece by piece.

    Attributes:
        wallet: USD without unrealized profit.
        rows: by coin.
        marks: the latest prices by coin, USD.
        max_leverages: by coin.
    """

    wallet: Decimal = ZERO
    rows: dict[str, Holding] = field(default_factory=dict)
    marks: dict[str, Decimal] = field(default_factory=dict)
    max_leverages: Mapping[str, int] = field(default_factory=dict)

    def take_positions(
        self, told: Iterable[Mapping[str, Any]], markets: Markets, *, whole: bool
    ) -> None:
        """Take positions over; those that are not told stay, unless all are told."""
        found: dict[str, Holding] = {}
        for row in told:
            coin = markets.coin(str(row.get("symbol")))
            if coin is not None:
                found[coin] = _holding(
                    row, markets.size(coin, row.get("contracts")), self._old(coin)
                )
        kept = {} if whole else self.rows
        self.rows = {coin: row for coin, row in {**kept, **found}.items() if row.size}

    def take_total(self, total: Any, *, equity: bool) -> None:
        """Take the balance over; with unrealized profit in it or without."""
        profit = sum((self._profit(coin, row) for coin, row in self.rows.items()), ZERO)
        self.wallet = number(total) - (profit if equity else ZERO)

    def state(self, at_ms: int) -> ClearinghouseState:
        """Write it as the venue does."""
        rows = [self._position(coin, row) for coin, row in sorted(self.rows.items())]
        signed = sum((r.size * self._mark(c, r) for c, r in self.rows.items()), ZERO)
        profit = sum((self._profit(c, r) for c, r in self.rows.items()), ZERO)
        margin = sum((number(row.position.marginUsed) for row in rows), ZERO)
        notional = sum((number(row.position.positionValue) for row in rows), ZERO)
        value = self.wallet + profit
        summary = MarginSummary(
            accountValue=text(value),
            totalNtlPos=text(notional),
            totalRawUsd=text(value - signed),
            totalMarginUsed=text(margin),
        )
        return ClearinghouseState(
            marginSummary=summary,
            crossMarginSummary=summary,
            crossMaintenanceMarginUsed="0.0",
            withdrawable=text(max(ZERO, value - margin)),
            assetPositions=tuple(rows),
            time=at_ms,
        )

    def _old(self, coin: str) -> Holding:
        return self.rows.get(coin, Holding())

    def _mark(self, coin: str, row: Holding) -> Decimal:
        return self.marks.get(coin) or row.mark or row.entry

    def _profit(self, coin: str, row: Holding) -> Decimal:
        return row.size * (self._mark(coin, row) - row.entry)

    def _position(self, coin: str, row: Holding) -> AssetPosition:
        value = abs(row.size) * self._mark(coin, row)
        leverage = max(1, row.leverage)
        margin = row.margin if row.isolated and row.margin else value / leverage
        profit = self._profit(coin, row)
        return AssetPosition(
            position=Position(
                coin=coin,
                szi=text(row.size),
                leverage=Leverage(type="isolated" if row.isolated else "cross", value=leverage),
                entryPx=text(row.entry),
                positionValue=text(value),
                unrealizedPnl=text(profit),
                returnOnEquity=text(profit / margin) if margin else "0.0",
                liquidationPx=None if row.liquidation is None else text(row.liquidation),
                marginUsed=text(margin),
                maxLeverage=self.max_leverages.get(coin, leverage),
                cumFunding=_NO_FUNDING,
            )
        )


def _holding(row: Mapping[str, Any], size: Decimal, old: Holding) -> Holding:
    """Read a position; a stream leaves out what does not change."""
    entry, mark = number(row.get("entryPrice")), number(row.get("markPrice"))
    liquidation = row.get("liquidationPrice")
    mode = row.get("marginMode")
    return Holding(
        size=-size if row.get("side") == "short" else size,
        entry=entry,
        mark=mark or old.mark,
        leverage=int(number(row.get("leverage"))) or old.leverage or _leverage_of(row),
        isolated=old.isolated if mode is None else mode == "isolated",
        margin=number(row.get("collateral")) or old.margin,
        liquidation=old.liquidation if liquidation is None else number(liquidation),
    )


def _leverage_of(row: Mapping[str, Any]) -> int:
    """Work the leverage out of margin and notional where it is not told."""
    margin, notional = number(row.get("initialMargin")), number(row.get("notional"))
    return max(1, int((abs(notional) / margin).to_integral_value())) if margin else 0


def _direction(start: Decimal, signed: Decimal) -> str:
    side = "Long" if (start or signed) > 0 else "Short"
    return f"{'Open' if start * signed >= 0 else 'Close'} {side}"


def _moment(trade: Mapping[str, Any]) -> tuple[int, int]:
    return int(trade["timestamp"]), oid_of(trade["id"])
