"""NautilusTrader: its backtest engine on bars, with strategies in Python."""

from decimal import Decimal
from typing import Any

from common import (
    BRACKET_SIZE,
    CASH,
    CROSS_SIZE,
    DISTANCE,
    FAST,
    HALF_SPREAD,
    MAKER,
    MINUTE_MS,
    QUOTE_CAP,
    QUOTE_SIZE,
    SLOW,
    SWEEP,
    TAKER,
    TREND,
    Outcome,
    Prepare,
    Run,
    RunningMean,
    Series,
    around,
    serve,
)
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, RiskEngineConfig
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide, OrderType
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TraderId, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

SWEEP_RUNS = 2
VENUE = Venue("BINANCE")
INSTRUMENT = CryptoPerpetual(
    instrument_id=InstrumentId(Symbol("BTCUSDT-PERP"), VENUE),
    raw_symbol=Symbol("BTCUSDT"),
    base_currency=BTC,
    quote_currency=USDT,
    settlement_currency=USDT,
    is_inverse=False,
    price_precision=1,
    price_increment=Price.from_str("0.1"),
    size_precision=5,
    size_increment=Quantity.from_str("0.00001"),
    max_quantity=None,
    min_quantity=None,
    max_notional=None,
    min_notional=None,
    max_price=None,
    min_price=None,
    margin_init=Decimal("0.05"),
    margin_maint=Decimal("0.005"),
    maker_fee=Decimal(str(MAKER)),
    taker_fee=Decimal(str(TAKER)),
    ts_event=0,
    ts_init=0,
)
MINUTES = BarType.from_str("BTCUSDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL")


class Base(Strategy):
    """Counts what it sends and what fills."""

    def __init__(self, **parameters: int) -> None:
        super().__init__()
        self.parameters = parameters
        self.sent = self.filled = 0

    def on_start(self) -> None:
        self.subscribe_bars(MINUTES)

    def on_order_filled(self, event: Any) -> None:
        self.filled += 1

    def held(self) -> float:
        return float(self.portfolio.net_position(INSTRUMENT.id))


class Cross(Base):
    def on_start(self) -> None:
        super().on_start()
        self.quick = RunningMean(self.parameters.get("fast", FAST))
        self.steady = RunningMean(self.parameters.get("slow", SLOW))
        self.before = 0

    def on_bar(self, bar: Bar) -> None:
        close = bar.close.as_double()
        quick, steady = self.quick.add(close), self.steady.add(close)
        if steady is None:
            return
        side = 1 if quick > steady else -1
        if self.before and side != self.before:
            change = side * CROSS_SIZE - self.held()
            way = OrderSide.BUY if change > 0 else OrderSide.SELL
            size = Quantity(abs(change), INSTRUMENT.size_precision)
            self.submit_order(self.order_factory.market(INSTRUMENT.id, way, size))
            self.sent += 1
        self.before = side


class Quotes(Base):
    def on_bar(self, bar: Bar) -> None:
        self.cancel_all_orders(INSTRUMENT.id)
        close, held = bar.close.as_double(), self.held()
        if held < QUOTE_CAP - 1e-9:
            self.quote(OrderSide.BUY, around(close, -HALF_SPREAD))
        if held > -QUOTE_CAP + 1e-9:
            self.quote(OrderSide.SELL, around(close, HALF_SPREAD))

    def quote(self, side: OrderSide, price: float) -> None:
        size = Quantity(QUOTE_SIZE, INSTRUMENT.size_precision)
        self.submit_order(self.order_factory.limit(INSTRUMENT.id, side, size, Price(price, 1)))
        self.sent += 1


class Bracket(Base):
    def on_start(self) -> None:
        super().on_start()
        self.trend = RunningMean(TREND)

    def on_bar(self, bar: Bar) -> None:
        close = bar.close.as_double()
        trend = self.trend.add(close)
        if trend is None or not self.portfolio.is_flat(INSTRUMENT.id):
            return
        if self.cache.orders_open_count(instrument_id=INSTRUMENT.id):
            return
        side = 1 if close > trend else -1
        orders = self.order_factory.bracket(
            instrument_id=INSTRUMENT.id,
            order_side=OrderSide.BUY if side > 0 else OrderSide.SELL,
            quantity=Quantity(BRACKET_SIZE, INSTRUMENT.size_precision),
            tp_order_type=OrderType.MARKET_IF_TOUCHED,
            tp_trigger_price=Price(around(close, side * DISTANCE), 1),
            sl_trigger_price=Price(around(close, -side * DISTANCE), 1),
        )
        self.submit_order_list(orders)
        self.sent += 3


class Idle(Base):
    def on_bar(self, bar: Bar) -> None:
        pass


def bars_of(series: Series) -> list[Bar]:
    columns = (series.open, series.high, series.low, series.close, series.volume)
    closed_ns = (series.time_ms + MINUTE_MS) * 1_000_000
    return [
        Bar(MINUTES, *(Price(price, 1) for price in row[:4]), Quantity(row[4], 5), stamp, stamp)
        for *row, stamp in zip(*(c.tolist() for c in columns), closed_ns.tolist(), strict=True)
    ]


def play(bars: list[Bar], strategy: Base) -> Outcome:
    engine = BacktestEngine(
        BacktestEngineConfig(
            trader_id=TraderId("PEER-001"),
            logging=LoggingConfig(bypass_logging=True),
            risk_engine=RiskEngineConfig(bypass=True),
            run_analysis=False,
        )
    )
    engine.add_venue(
        VENUE,
        OmsType.NETTING,
        AccountType.MARGIN,
        base_currency=None,
        starting_balances=[Money(CASH, USDT)],
        default_leverage=Decimal(20),
        bar_execution=True,
    )
    engine.add_instrument(INSTRUMENT)
    engine.add_data(bars)
    engine.add_strategy(strategy)
    engine.run()
    balance = float(engine.portfolio.account(VENUE).balance_total(USDT))
    unrealized = engine.portfolio.unrealized_pnl(INSTRUMENT.id)
    profit = balance - CASH + (float(unrealized) if unrealized else 0.0)
    engine.dispose()
    return Outcome(orders=strategy.sent, fills=strategy.filled, profit=profit)


def single(strategy: type[Base]) -> Prepare:
    def prepare(series: Series) -> Run:
        bars = bars_of(series)
        return lambda: play(bars, strategy())

    return prepare


def sweep(series: Series) -> Run:
    bars = bars_of(series)

    def run() -> Outcome:
        for fast, slow in SWEEP[:SWEEP_RUNS]:
            play(bars, Cross(fast=fast, slow=slow))
        return Outcome(share=SWEEP_RUNS / len(SWEEP))

    return run


if __name__ == "__main__":
    serve(
        "nautilus_trader",
        {
            "a": single(Cross),
            "b": single(Quotes),
            "c": single(Bracket),
            "d": single(Idle),
            "e": sweep,
        },
    )
