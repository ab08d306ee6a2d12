"""Random but reproducible tapes and traders, for properties of the engine."""

from dataclasses import dataclass

import numpy as np

from perp_engine.commands import (
    Advance,
    CancelOrder,
    Command,
    Deposit,
    ModifyOrder,
    NewOrder,
    PlaceOrders,
    SetLeverage,
    Trigger,
)
from perp_engine.engine import Engine
from perp_engine.events import Event
from perp_engine.rules import Rules
from perp_engine.tape import NO_BAR, Tape
from suite.enums import Grouping, Side, Tif, Tpsl
from suite.fixed import Price, Size, Usd
from suite.instrument import Instrument, default_instrument

MINUTE = 60_000
COINS: tuple[Instrument, ...] = (
    default_instrument("BTC", 1),
    default_instrument("ETH", 2),
    default_instrument("XRP", 4),
)
START_PRICES = (600_000, 250_000, 2_300_000)
DEPOSITS = (Usd(50_000_000_000), Usd(1_500_000_000))
"""One account has room for everything, the next runs out of margin."""


def random_tape(seed: int, bars: int, symbols: int = 2) -> Tape:
    """Bars that wander, jump, gap and sometimes lack; funding every 30 bars."""
    rng = np.random.default_rng(seed)
    table = np.empty((symbols, 5, bars), np.int64)
    for symbol in range(symbols):
        steps = rng.normal(0, 2e-3, bars) + (rng.random(bars) < 0.03) * rng.normal(0, 2e-2, bars)
        close = (START_PRICES[symbol] * np.exp(np.cumsum(steps))).astype(np.int64)
        opened = np.concatenate([[START_PRICES[symbol]], close[:-1]])
        opened += (rng.random(bars) < 0.2) * rng.integers(-900, 900, bars)
        wick = rng.integers(0, 1500, (2, bars))
        table[symbol, 0], table[symbol, 3] = opened, close
        table[symbol, 1] = np.maximum(opened, close) + wick[0]
        table[symbol, 2] = np.minimum(opened, close) - wick[1]
        table[symbol, 4] = rng.integers(0, 4_000_000, bars)
        table[symbol, 4, rng.random(bars) < 0.03] = NO_BAR
    table[:, 4, [0, -1]] = 1_000_000
    times = np.arange(0, bars, 30) * MINUTE
    rates = [rng.integers(-300_000, 300_000, len(times)) for _ in range(symbols)]
    funding = tuple(np.column_stack([times, rate]).astype(np.int64) for rate in rates)
    return Tape(0, MINUTE, table, funding)


@dataclass
class Driver:
    """Sends random commands of every kind, each account from a generator of its own.

    Attributes:
        idle: an account whose commands are drawn but never sent.
    """

    engine: Engine
    generators: list[np.random.Generator]
    idle: int | None = None

    @classmethod
    def start(
        cls, seed: int, tape: Tape, accounts: int, rules: Rules, *, idle: int | None = None
    ) -> "Driver":
        """A funded engine before its first step."""
        engine = Engine(COINS[: tape.symbols], tape, accounts, rules)
        for account in range(accounts):
            engine.apply(Deposit(account=account, usd=DEPOSITS[account % 2]))
        generators = [np.random.default_rng([seed, account]) for account in range(accounts)]
        return cls(engine, generators, idle)

    def step(self) -> list[Event]:
        """Let every account act, then play some bars."""
        events: list[Event] = []
        for account, rng in enumerate(self.generators):
            for _ in range(int(rng.integers(0, 3))):
                command = self.command(account, rng)
                if account != self.idle:
                    events.extend(self.engine.apply(command))
        events.extend(self.engine.apply(Advance(until_bar=self.engine.bar + 3)))
        return events

    def command(self, account: int, rng: np.random.Generator) -> Command:
        """One random command; drawn alike whether or not it is sent."""
        kind, pick = rng.random(), int(rng.integers(0, 1 << 30))
        order = self.order(rng)
        is_open = self.engine.open_orders(account)
        if kind < 0.6 or not is_open:
            children = self.protection(order) if pick % 3 == 0 else ()
            grouping = Grouping.NORMAL_TPSL if children else Grouping.NONE
            return PlaceOrders(account=account, orders=(order, *children), grouping=grouping)
        target = is_open[pick % len(is_open)]
        if kind < 0.75:
            return CancelOrder(account=account, symbol=target.symbol, oid=target.oid)
        if kind < 0.9:
            return ModifyOrder(account=account, oid=target.oid, order=order)
        return SetLeverage(account=account, symbol=order.symbol, leverage=1 + pick % 22)

    def order(self, rng: np.random.Generator) -> NewOrder:
        """A market, limit, stop or take-profit order around the present mark."""
        symbol = int(rng.integers(0, self.engine.tape.symbols))
        side = Side.BUY if rng.random() < 0.5 else Side.SELL
        size = Size(int(rng.integers(1, 40_000)))
        kind, offset = rng.random(), 1 + rng.normal(0, 4e-3)
        reduce_only = bool(rng.random() < 0.25)
        price = self.on_grid(symbol, offset)
        if kind < 0.7:
            tif = (Tif.GTC, Tif.ALO, Tif.IOC)[int(kind * 100) % 3]
            return NewOrder(
                symbol=symbol,
                side=side,
                size=size,
                limit_price=price if kind > 0.3 else Price(0),
                tif=tif if kind > 0.3 else Tif.IOC,
                reduce_only=reduce_only,
            )
        tpsl = Tpsl.STOP_LOSS if kind < 0.85 else Tpsl.TAKE_PROFIT
        is_market = bool(int(kind * 1000) % 2)
        return NewOrder(
            symbol=symbol,
            side=side,
            size=size,
            trigger=Trigger(price=price, tpsl=tpsl, is_market=is_market),
            limit_price=Price(0) if is_market else price,
            reduce_only=reduce_only,
        )

    def protection(self, entry: NewOrder) -> tuple[NewOrder, ...]:
        """A stop and a take-profit on the right sides of an entry."""
        if entry.trigger is not None:
            return ()
        legs = ((Tpsl.STOP_LOSS, -1), (Tpsl.TAKE_PROFIT, 1))
        return tuple(
            NewOrder(
                symbol=entry.symbol,
                side=Side(-entry.side),
                size=entry.size,
                reduce_only=True,
                trigger=Trigger(
                    price=self.on_grid(entry.symbol, 1 + 0.006 * sign * entry.side),
                    tpsl=tpsl,
                    is_market=True,
                ),
            )
            for tpsl, sign in legs
        )

    def on_grid(self, symbol: int, factor: float) -> Price:
        """A valid order price near the mark."""
        price = int(self.engine.mark(symbol) * factor)
        return Price(price - price % self.engine.instruments[symbol].tick(price))
