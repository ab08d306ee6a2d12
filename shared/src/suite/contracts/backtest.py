"""Backtests as jobs: `POST /backtest/run`, `GET /backtest/jobs/{id}` and its events and report."""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from suite.contracts.clock import Interval
from suite.contracts.trader import TraderSpec
from suite.contracts.venue import Name, PlaceOrder
from suite.contracts.world import AccountName, MarketModel, MaskRequest, Moment

JobStatus = Literal["running", "done", "failed", "canceled"]


class PlannedOrder(
    PlaceOrder, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="order", tag_field="type"
):
    """An order of a plain list.

    Attributes:
        at: when it is placed, rounded up to a bar; the start of the range when not given.
        account: whose it is; `orders` when not given.
    """

    at: Moment | None = None
    account: AccountName = "orders"


class BacktestRequest(MarketModel, frozen=True, kw_only=True):
    """Body of `POST /backtest/run`: either `traders` or `orders`.

    Attributes:
        symbol, symbols: coins; with traders, theirs when not given.
        from_: first moment, on the wire `from`.
        to: last moment, exclusive.
        traders: as in `traders.yaml`.
        orders: to simulate forward.
        initial_balance: USD of the account of a plain order list.
        interval: length of the engine's bars.
        mask: as of a world; for traders only, an order list names what it means.
    """

    symbol: Name | None = None
    symbols: tuple[Name, ...] = ()
    from_: Moment | None = msgspec.field(default=None, name="from")
    to: Moment | None = None
    traders: Annotated[tuple[TraderSpec, ...], msgspec.Meta(max_length=256)] = ()
    orders: Annotated[tuple[PlannedOrder, ...], msgspec.Meta(max_length=10_000)] = ()
    initial_balance: Decimal = Decimal(10000)
    seed: int = 0
    allow_partial: bool = False
    interval: Interval = "1m"
    mask: MaskRequest | bool | None = None

    def __post_init__(self) -> None:
        if bool(self.traders) == bool(self.orders):
            raise ValueError("a backtest has either traders or orders")
        if self.orders and self.mask:
            raise ValueError("mask is for traders: a list of orders names its coins and prices")

    @property
    def coins(self) -> tuple[str, ...]:
        """Symbols named anywhere in the request, each once."""
        named = (*((self.symbol,) if self.symbol else ()), *self.symbols)
        if not named:
            named = tuple(s for trader in self.traders for s in trader.symbols)
            named += tuple(order.coin for order in self.orders)
        return tuple(dict.fromkeys(named))


class JobState(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of `POST /backtest/run` and `GET /backtest/jobs/{id}`, and each progress event.

    Attributes:
        percent: 0 to 100.
        eta_s: expected seconds to the end, None while unknown.
        error: why it failed, one line.
        report_sha256: of the finished report.
    """

    job_id: str
    status: JobStatus
    percent: float = 0.0
    eta_s: float | None = None
    error: str | None = None
    report_sha256: str | None = None
