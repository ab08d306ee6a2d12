"""Traders that send everything an account may send, over any market; the log of it all."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from perp_engine.commands import (
    AdjustMargin,
    Advance,
    CancelAll,
    CancelByCloid,
    CancelOrder,
    Command,
    Deposit,
    ModifyOrder,
    NewOrder,
    PlaceOrders,
    ScheduleCancel,
    SetLeverage,
    Trigger,
)
from perp_engine.engine import Engine
from perp_engine.events import ActionSent, Event
from perp_engine.rules import Rules
from perp_engine.tape import Tape
from perp_engine.views import OrderState
from suite.enums import Grouping, MarginMode, Side, Tif, Tpsl
from suite.fixed import Price, Size, Usd
from suite.ids import Cloid
from suite.instrument import Instrument

HABITS = {
    "order": 0.38,
    "entry": 0.12,
    "protect": 0.08,
    "reduce": 0.08,
    "cancel": 0.09,
    "modify": 0.10,
    "leverage": 0.06,
    "margin": 0.04,
    "transfer": 0.02,
    "schedule": 0.03,
}


@dataclass
class WildTraders:
    """Random accounts of one engine, each with a generator of its own.

    Attributes:
        start_usd: first deposit; an account that has lost most of it gets another.
        spread: how far from the mark their prices lie, as a fraction.
        log: every command and its events.
        busy_ms: until when something of an account is on its way; meanwhile it changes no order.
    """

    engine: Engine
    generators: list[np.random.Generator]
    start_usd: int
    spread: float
    log: list[tuple[Command, tuple[Event, ...]]] = field(default_factory=list)
    busy_ms: dict[int, int] = field(default_factory=dict)

    @classmethod
    def start(
        cls,
        seed: int,
        instruments: Sequence[Instrument],
        tape: Tape,
        rules: Rules,
        *,
        accounts: int,
        start_usd: int = 20_000_000_000,
        spread: float = 3e-3,
    ) -> "WildTraders":
        """Funded traders before their first step."""
        engine = Engine(instruments, tape, accounts, rules)
        generators = [np.random.default_rng([seed, account]) for account in range(accounts)]
        traders = cls(engine, generators, start_usd, spread)
        for account in range(accounts):
            traders.send(Deposit(account=account, usd=Usd(start_usd)))
        return traders

    def run(self, every: int) -> None:
        """Let everybody act about every so many bars, to the end of the tape."""
        pauses = np.random.default_rng([len(self.generators), every])
        while not self.engine.finished:
            for account in range(len(self.generators)):
                self.act(account)
            pause = int(pauses.integers(1, 2 * every))
            self.send(Advance(until_bar=self.engine.bar + pause))

    def send(self, command: Command) -> None:
        """Apply a command and note what came of it."""
        events = self.engine.apply(command)
        self.log.append((command, events))
        for event in events:
            if isinstance(event, ActionSent):
                self.busy_ms[event.account] = event.arrives_ms

    def money(self) -> list[int]:
        """Cash and isolated margin of every account."""
        states = (self.engine.account(account) for account in range(len(self.generators)))
        return [state.cash_usd + state.isolated_usd for state in states]

    def act(self, account: int) -> None:
        """Send a few commands of one account."""
        rng = self.generators[account]
        if self.engine.account(account).equity_usd < self.start_usd // 20:
            self.send(Deposit(account=account, usd=Usd(self.start_usd)))
        kinds = rng.choice(list(HABITS), size=int(rng.integers(0, 4)), p=list(HABITS.values()))
        for kind in kinds:
            symbol = int(rng.integers(0, self.engine.tape.symbols))
            if self.engine.mark(symbol):
                self.send(self.command(kind, account, symbol, rng))

    def command(self, kind: str, account: int, symbol: int, rng: np.random.Generator) -> Command:
        """One random command of a kind; a change of nothing becomes a new order."""
        if kind in {"protect", "reduce", "margin"}:
            symbol = self.held(account, rng) or symbol
        held = self.engine.position(account, symbol)
        living = self.engine.open_orders(account)
        if self.busy_ms.get(account, 0) > self.engine.now_ms:
            living = ()
        command: Command | None = None
        if kind in {"cancel", "modify"} and living:
            target = living[int(rng.integers(len(living)))]
            change = self.cancel if kind == "cancel" else self.modify
            command = change(account, target, rng)
        elif kind in {"protect", "reduce"} and held.size:
            place = self.protection if kind == "protect" else self.reduction
            command = place(account, symbol, held.size, rng)
        elif kind in {"leverage", "margin", "transfer", "schedule"}:
            command = self.terms(kind, account, symbol, rng)
        elif kind == "entry":
            command = self.entry(account, symbol, rng)
        if command is None:
            command = PlaceOrders(account=account, orders=(self.order(account, symbol, rng),))
        return command

    def held(self, account: int, rng: np.random.Generator) -> int:
        """A coin that an account holds; 0 when it holds none."""
        symbols = range(self.engine.tape.symbols)
        found = [symbol for symbol in symbols if self.engine.position(account, symbol).size]
        return int(rng.choice(found)) if found else 0

    def terms(self, kind: str, account: int, symbol: int, rng: np.random.Generator) -> Command:
        """What is not about orders: leverage, margin, money, the timer."""
        if kind == "leverage":
            highest = self.engine.instruments[symbol].max_leverage
            mode = MarginMode.ISOLATED if rng.random() < 0.4 else MarginMode.CROSS
            leverage = int(rng.integers(1, highest + 2))
            return SetLeverage(account=account, symbol=symbol, leverage=leverage, mode=mode)
        if kind == "margin":
            bucket = self.engine.position(account, symbol).bucket_usd
            usd = Usd(int((bucket or self.start_usd) * rng.normal(0, 0.3)))
            return AdjustMargin(account=account, symbol=symbol, usd=usd)
        if kind == "transfer":
            return Deposit(account=account, usd=Usd(int(self.start_usd * rng.normal(0, 0.1))))
        ahead = int(rng.integers(0, 90)) * self.engine.tape.interval_ms
        time_ms = self.engine.now_ms + ahead if ahead else None
        return ScheduleCancel(account=account, time_ms=time_ms)

    def modify(self, account: int, target: OrderState, rng: np.random.Generator) -> Command:
        order = self.order(account, target.symbol, rng)
        if target.parent_oid:
            order = self.leg(target.symbol, target.side, target.size, rng)
        return ModifyOrder(account=account, oid=target.oid, order=order)

    def cancel(self, account: int, target: OrderState, rng: np.random.Generator) -> Command:
        if rng.random() < 0.1:
            return CancelAll(account=account)
        if target.cloid is not None:
            return CancelByCloid(account=account, symbol=target.symbol, cloid=target.cloid)
        return CancelOrder(account=account, symbol=target.symbol, oid=target.oid)

    def size(self, account: int, symbol: int, rng: np.random.Generator) -> Size:
        """From a tenth of what leverage allows to a little more than it."""
        leverage = self.engine.position(account, symbol).leverage
        notional = self.engine.account(account).equity_usd * leverage * rng.uniform(0.02, 0.7)
        return Size(max(1, min(3 * 10**9 - 1, int(notional / self.engine.mark(symbol)))))

    def order(self, account: int, symbol: int, rng: np.random.Generator) -> NewOrder:
        """A market, limit or trigger order."""
        side = Side.BUY if rng.random() < 0.5 else Side.SELL
        size = self.size(account, symbol, rng)
        kind, reduce_only = rng.random(), bool(rng.random() < 0.1)
        expires_ms = 0
        if rng.random() < 0.1:
            expires_ms = self.engine.now_ms + int(rng.integers(1, 40)) * 60_000 + 7
        if kind < 0.2:
            return NewOrder(
                symbol=symbol, side=side, size=size, tif=Tif.IOC, reduce_only=reduce_only
            )
        price = self.price(symbol, 1 + rng.normal(0, self.spread))
        if kind < 0.75:
            cloid = None
            if rng.random() < 0.2:
                cloid = Cloid(f"0x{int(rng.integers(1, 50)):032x}")
            tif = (Tif.GTC, Tif.GTC, Tif.ALO, Tif.IOC)[int(rng.integers(4))]
            return NewOrder(
                symbol=symbol,
                side=side,
                size=size,
                limit_price=price,
                tif=tif,
                reduce_only=reduce_only,
                cloid=cloid,
                expires_ms=expires_ms,
            )
        limit = self.price(symbol, 1 + rng.normal(0, self.spread)) if rng.random() < 0.6 else 0
        is_market = bool(limit == 0 or rng.random() < 0.4)
        tpsl = Tpsl.STOP_LOSS if rng.random() < 0.6 else Tpsl.TAKE_PROFIT
        return NewOrder(
            symbol=symbol,
            side=side,
            size=size,
            limit_price=Price(limit),
            trigger=Trigger(price=price, tpsl=tpsl, is_market=is_market),
            reduce_only=reduce_only,
            expires_ms=expires_ms,
        )

    def leg(self, symbol: int, side: Side, size: int, rng: np.random.Generator) -> NewOrder:
        """A stop or take-profit that closes something, on its right side of the mark."""
        tpsl = Tpsl.STOP_LOSS if rng.random() < 0.5 else Tpsl.TAKE_PROFIT
        away = abs(rng.normal(0, 2 * self.spread)) + self.spread / 4
        direction = side if tpsl is Tpsl.STOP_LOSS else -side
        price = self.price(symbol, 1 + direction * away)
        is_market = bool(rng.random() < 0.7)
        limit = 0 if is_market else self.price(symbol, 1 + direction * away + side * away / 2)
        return NewOrder(
            symbol=symbol,
            side=side,
            size=Size(size),
            limit_price=Price(limit),
            trigger=Trigger(price=price, tpsl=tpsl, is_market=is_market),
            reduce_only=True,
        )

    def entry(self, account: int, symbol: int, rng: np.random.Generator) -> PlaceOrders:
        """An order with legs that wait for it."""
        entry = self.order(account, symbol, rng)
        side = Side(-entry.side)
        legs = [self.leg(symbol, side, entry.size, rng) for _ in range(int(rng.integers(1, 4)))]
        return PlaceOrders(account=account, orders=(entry, *legs), grouping=Grouping.NORMAL_TPSL)

    def protection(
        self, account: int, symbol: int, held: int, rng: np.random.Generator
    ) -> PlaceOrders:
        """Legs of a position as it is; most follow it."""
        side = Side.SELL if held > 0 else Side.BUY
        size = 0 if rng.random() < 0.7 else abs(held)
        legs = tuple(self.leg(symbol, side, size, rng) for _ in range(2))
        return PlaceOrders(account=account, orders=legs, grouping=Grouping.POSITION_TPSL)

    def reduction(
        self, account: int, symbol: int, held: int, rng: np.random.Generator
    ) -> PlaceOrders:
        """A reduce-only order of a part of a position, or of more than it."""
        side = Side.SELL if held > 0 else Side.BUY
        size = Size(max(1, int(abs(held) * rng.uniform(0.2, 1.3))))
        limit = Price(0)
        if rng.random() < 0.6:
            limit = self.price(symbol, 1 - side * abs(rng.normal(0, self.spread)))
        order = NewOrder(
            symbol=symbol,
            side=side,
            size=size,
            limit_price=limit,
            tif=Tif.GTC if limit else Tif.IOC,
            reduce_only=True,
        )
        return PlaceOrders(account=account, orders=(order,))

    def price(self, symbol: int, factor: float) -> Price:
        """A valid order price near the mark."""
        price = max(1, int(self.engine.mark(symbol) * factor))
        return Price(price - price % self.engine.instruments[symbol].tick(price) or price)
