"""Random commands of every kind, wise and foolish, drawn with the state of an oracle in view."""

from dataclasses import replace
from random import Random

from tests.support.oracle.oracle import Oracle
from tests.support.oracle.worlds import USD

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
    PriceWatch,
    ScheduleCancel,
    SetLeverage,
    Trigger,
)
from suite.enums import Grouping, MarginMode, Side, Tif, Tpsl
from suite.fixed import Price, Size, Usd
from suite.ids import Cloid, Oid


class Trader:
    """Draws commands for the accounts of an oracle."""

    def __init__(self, random: Random, oracle: Oracle) -> None:
        self.random = random
        self.oracle = oracle
        self.market = oracle.world.market
        self.accounts = len(oracle.world.accounts)
        self.symbols = self.market.tape.symbols

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def command(self) -> Command:
        """The next command."""
        random = self.random
        account = random.randrange(self.accounts)
        has_bucket = any(p.bucket for p in self.oracle.world.accounts[account].positions)
        kinds = {
            self.place: 40,
            self.group: 14,
            self.position_legs: 6,
            self.advance: 30,
            self.modify: 10 if self.oracle.open_orders(account) else 2,
            self.cancel: 6 if self.oracle.open_orders(account) else 2,
            self.leverage: 8,
            self.margin: 12 if has_bucket else 2,
            self.deposit: 3,
            self.schedule: 3,
        }
        draw = random.choices(list(kinds), weights=list(kinds.values()))[0]
        return draw(account)

    def deposits(self) -> list[Command]:
        """What the accounts start with."""
        return [
            Deposit(account=a, usd=Usd(self.random.choice((50, 500, 3_000, 50_000)) * USD + a))
            for a in range(self.accounts)
        ]

    def advance(self, account: int) -> Command:
        until = self.oracle.bar + self.random.choice((1, 1, 1, 2, 5))
        one = frozenset({account})
        watches = tuple(
            PriceWatch(symbol=s, price=Price(self.price(s)), above=self.chance(0.5))
            for s in range(self.symbols)
            if self.chance(0.1)
        )
        return Advance(
            until_bar=until,
            stop_on_fill=one if self.chance(0.1) else frozenset(),
            stop_on_order=one if self.chance(0.1) else frozenset(),
            watches=watches,
        )

    def place(self, account: int) -> Command:
        count = 1 if self.chance(0.85) else 3
        orders = tuple(self.order(account) for _ in range(count))
        late = self.market.tape.time_ms(self.oracle.bar) + self.random.choice((-1, 0, 1, 10**8))
        expires = late if self.chance(0.1) else 0
        return PlaceOrders(account=account, orders=orders, expires_after_ms=expires)

    def group(self, account: int) -> Command:
        entry = self.order(account)
        reference = entry.limit_price or self.mark(entry.symbol)
        legs = [
            self.leg(entry.symbol, entry.side, reference, tpsl)
            for tpsl in (Tpsl.TAKE_PROFIT, Tpsl.STOP_LOSS)
            if self.chance(0.85)
        ]
        legs = [replace(leg, size=entry.size) if self.chance(0.8) else leg for leg in legs]
        # Which of an entry and its leg expires first at one boundary is nobody's rule.
        orders = (entry, *(self.spoiled_leg(leg, may_expire=not entry.expires_ms) for leg in legs))
        return PlaceOrders(account=account, orders=orders, grouping=Grouping.NORMAL_TPSL)

    def position_legs(self, account: int) -> Command:
        symbol = self.symbol_of_interest(account)
        size, _, _ = self.oracle.position(account, symbol)
        side = Side.BUY if size > 0 or (size == 0 and self.chance(0.5)) else Side.SELL
        legs = [
            self.leg(symbol, side, self.mark(symbol), tpsl)
            for tpsl in (Tpsl.TAKE_PROFIT, Tpsl.STOP_LOSS)
            if self.chance(0.85)
        ] or [self.leg(symbol, side, self.mark(symbol), Tpsl.STOP_LOSS)]
        legs = [
            replace(leg, size=Size(0 if self.chance(0.6) else self.size(account, symbol)))
            for leg in legs
        ]
        orders = tuple(self.spoiled_leg(leg, may_expire=True) for leg in legs)
        return PlaceOrders(account=account, orders=orders, grouping=Grouping.POSITION_TPSL)

    def leg(self, symbol: int, entry: Side, reference: int, tpsl: Tpsl) -> NewOrder:
        """Protection of a position that an entry of this side opens, mostly on the right side."""
        away = abs(self.random.gauss(0, 0.03)) + 0.0005
        up = (entry > 0) == (tpsl is Tpsl.TAKE_PROFIT)
        trigger = self.on_grid(symbol, reference * (1 + away if up else 1 - away))
        is_market = self.chance(0.6)
        limit = 0
        if not is_market:
            limit = self.on_grid(symbol, trigger * (1 + self.random.gauss(0, 0.01)))
        elif self.chance(0.2):
            slack = abs(self.random.gauss(0, 0.01)) - 0.0005
            limit = self.on_grid(symbol, trigger * (1 - entry * slack))
        return NewOrder(
            symbol=symbol,
            side=Side(-entry),
            size=Size(max(1, self.random.randint(1, 1000) * 10_000_000 // max(1, reference))),
            limit_price=Price(limit),
            trigger=Trigger(price=Price(trigger), tpsl=tpsl, is_market=is_market),
            reduce_only=True,
        )

    def spoiled_leg(self, leg: NewOrder, *, may_expire: bool) -> NewOrder:
        if self.chance(0.02):
            return replace(leg, reduce_only=False)
        if self.chance(0.02):
            return replace(leg, trigger=None)
        if self.chance(0.02):
            return replace(leg, side=Side(-leg.side))
        if self.chance(0.01):
            return replace(leg, symbol=(leg.symbol + 1) % self.symbols)
        if may_expire and self.chance(0.05):
            return replace(leg, expires_ms=self.soon())
        return leg

    def modify(self, account: int) -> Command:
        is_open = self.oracle.open_orders(account)
        if not is_open or self.chance(0.05):
            return ModifyOrder(account=account, oid=Oid(12345), order=self.order(account))
        oid = self.random.choice(is_open)[0]
        old = self.oracle.world.accounts[account].orders[oid]
        if self.chance(0.15) and not old.family:
            order = replace(self.order(account), symbol=old.symbol, expires_ms=0)
            return ModifyOrder(account=account, oid=Oid(oid), order=order)
        trigger = None
        if old.tpsl is not None:
            trigger = Trigger(
                price=Price(self.near(old.symbol, old.trigger)),
                tpsl=old.tpsl,
                is_market=old.is_market,
            )
        size = self.random.choice((old.size, old.size, old.size // 2, old.size * 3 // 2, 0))
        order = NewOrder(
            symbol=old.symbol,
            side=Side(old.side),
            size=Size(size),
            limit_price=Price(self.near(old.symbol, old.limit) if old.limit else 0),
            tif=self.random.choice((Tif.GTC, Tif.GTC, Tif.ALO, Tif.IOC)),
            trigger=trigger,
            reduce_only=old.reduce_only,
            cloid=Cloid(old.cloid) if old.cloid else None,
        )
        return ModifyOrder(account=account, oid=Oid(oid), order=order)

    def cancel(self, account: int) -> Command:
        if self.chance(0.1):
            return CancelAll(account=account)
        if self.chance(0.3):
            symbol = self.random.randrange(self.symbols)
            return CancelByCloid(account=account, symbol=symbol, cloid=self.cloid())
        is_open = self.oracle.open_orders(account)
        if not is_open or self.chance(0.1):
            return CancelOrder(account=account, symbol=0, oid=Oid(self.random.choice((0, 1, 99))))
        oid, symbol, *_ = self.random.choice(is_open)
        symbol = symbol if self.chance(0.95) else (symbol + 1) % self.symbols
        return CancelOrder(account=account, symbol=symbol, oid=Oid(oid))

    def leverage(self, account: int) -> Command:
        symbol = self.symbol_of_interest(account)
        highest = self.market.instruments[symbol].max_leverage
        mode = self.oracle.world.accounts[account].positions[symbol].mode
        if self.chance(0.25 if self.oracle.position(account, symbol)[0] else 0.6):
            mode = self.random.choice(list(MarginMode))
        leverage = self.random.randint(1, highest)
        if self.chance(0.08):
            leverage = self.random.choice((0, -3, highest + 1, 10**6))
        if self.chance(0.03):
            symbol = self.random.choice((-1, 7))
        return SetLeverage(account=account, symbol=symbol, leverage=leverage, mode=mode)

    def margin(self, account: int) -> Command:
        isolated = [
            s
            for s, p in enumerate(self.oracle.world.accounts[account].positions)
            if p.size and not p.is_cross
        ]
        symbol = self.random.choice(isolated) if isolated else self.symbol_of_interest(account)
        bucket = self.oracle.world.accounts[account].positions[symbol].bucket
        scale = max(USD, self.random.choice((bucket, self.oracle.available(account) // 2)))
        usd = round(scale * self.random.uniform(-1, 1))
        return AdjustMargin(account=account, symbol=symbol, usd=Usd(usd or 1))

    def deposit(self, account: int) -> Command:
        usd = self.random.randint(1, 2_000 * USD)
        if self.chance(0.6):
            free = max(2, self.oracle.available(account))
            usd = -round(free * self.random.choice((0.3, 0.9, 1.0, 1.1)))
        return Deposit(account=account, usd=Usd(usd or 1))

    def schedule(self, account: int) -> Command:
        time = None if self.chance(0.1) else self.soon()
        return ScheduleCancel(account=account, time_ms=time)

    def order(self, account: int) -> NewOrder:
        """An order of any kind, mostly well-formed."""
        symbol = self.symbol_of_interest(account)
        held, _, _ = self.oracle.position(account, symbol)
        side = self.random.choice((Side.BUY, Side.SELL))
        reduce_only = self.chance(0.5 if held else 0.03)
        if reduce_only and held and self.chance(0.9):
            side = Side.SELL if held > 0 else Side.BUY
        size = self.size(account, symbol)
        if held and self.chance(0.4):
            size = max(1, round(abs(held) * self.random.choice((0.3, 0.5, 1, 1, 2))))
        tif, limit, trigger = Tif.GTC, 0, None
        kind = self.random.random()
        if kind < 0.35:
            tif = self.random.choice((Tif.IOC, Tif.IOC, Tif.GTC, Tif.ALO))
        elif kind < 0.75:
            limit = self.price(symbol)
            tif = self.random.choice((Tif.GTC, Tif.GTC, Tif.GTC, Tif.ALO, Tif.IOC))
        else:
            trigger, limit = self.trigger(symbol, side)
        return self.spoiled(
            NewOrder(
                symbol=symbol,
                side=side,
                size=Size(size),
                limit_price=Price(limit),
                tif=tif,
                trigger=trigger,
                reduce_only=reduce_only,
                cloid=self.cloid() if self.chance(0.1) else None,
                expires_ms=self.soon() if self.chance(0.08) else 0,
            )
        )

    def trigger(self, symbol: int, side: Side) -> tuple[Trigger, int]:
        tpsl = self.random.choice(list(Tpsl))
        price = self.price(symbol)
        mark = self.mark(symbol)
        is_right = (price > mark) == ((side > 0) == (tpsl is Tpsl.STOP_LOSS))
        if not is_right and self.chance(0.8):
            price = self.on_grid(symbol, 2 * mark - price)
        is_market = self.chance(0.5)
        limit = 0
        if not is_market or self.chance(0.3):
            limit = self.on_grid(symbol, price * (1 + side * abs(self.random.gauss(0, 0.01))))
            if self.chance(0.3):
                limit = self.near(symbol, price)
        return Trigger(price=Price(price), tpsl=tpsl, is_market=is_market), limit

    def spoiled(self, order: NewOrder) -> NewOrder:
        """Now and then an order as it must not be."""
        if not self.chance(0.06):
            return order
        faults = (
            {"symbol": -1},
            {"symbol": self.symbols},
            {"size": Size(0)},
            {"size": Size(-5)},
            {"size": Size(3 * 10**9)},
            {"size": Size(3 * 10**9 - 1)},
            {"limit_price": Price(-7)},
            {"limit_price": Price(1_000_001)},
            {"limit_price": Price(self.on_grid(order.symbol, self.mark(order.symbol) * 5.2))},
            {"limit_price": Price(self.on_grid(order.symbol, self.mark(order.symbol) * 0.19))},
            {"limit_price": Price(self.mark(order.symbol) * 5)},
            {"trigger": Trigger(price=Price(0), tpsl=Tpsl.STOP_LOSS, is_market=True)},
            {
                "trigger": Trigger(
                    price=Price(self.price(order.symbol)), tpsl=Tpsl.TAKE_PROFIT, is_market=False
                ),
                "limit_price": Price(0),
            },
        )
        fault: dict[str, object] = dict(self.random.choice(faults))
        return replace(order, **fault)  # type: ignore[arg-type]

    def symbol_of_interest(self, account: int) -> int:
        """Any coin, but rather one with a position."""
        held = [s for s in range(self.symbols) if self.oracle.position(account, s)[0]]
        if held and self.chance(0.5):
            return self.random.choice(held)
        return self.random.randrange(self.symbols)

    def size(self, account: int, symbol: int) -> int:
        """A size by what the account can afford, at times a little more."""
        leverage = self.oracle.world.accounts[account].positions[symbol].leverage
        free = max(20 * USD, self.oracle.available(account))
        share = self.random.choice((0.05, 0.1, 0.2, 0.3, 0.5, 0.9, 0.97, 1.05))
        return max(1, min(2 * 10**9, round(free * leverage * share / max(1, self.mark(symbol)))))

    def mark(self, symbol: int) -> int:
        return self.oracle.mark(symbol) if 0 <= symbol < self.symbols else 1000

    def price(self, symbol: int) -> int:
        return self.near(symbol, self.mark(symbol))

    def near(self, symbol: int, price: int) -> int:
        width = self.random.choice((0, 0.001, 0.01, 0.03))
        moved = self.on_grid(symbol, price * (1 + self.random.gauss(0, width)))
        return moved if self.chance(0.98) else moved + 1

    def on_grid(self, symbol: int, price: float) -> int:
        whole = max(1, round(price))
        if not 0 <= symbol < self.symbols:
            return whole
        return max(1, whole - whole % self.market.tick(symbol, whole))

    def soon(self) -> int:
        tape = self.market.tape
        now = tape.time_ms(self.oracle.bar)
        return max(1, now + round(tape.interval_ms * self.random.choice((-1, 0, 0.5, 1, 2, 3.3))))

    def cloid(self) -> Cloid:
        return Cloid(f"0x{self.random.randrange(1, 4):032x}")
