"""The whole state, and what every rule needs of it: time, events, the fees of an account."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from tests.support.oracle.account import Account, Order, Position
from tests.support.oracle.exact import RATE, up
from tests.support.oracle.market import Market, Scene

from perp_engine.events import (
    Event,
    Fill,
    InsuranceMoved,
    OrderChanged,
    OrderClosed,
    OrderOpened,
)
from perp_engine.rules import Rules
from perp_engine.tape import Tape
from suite.enums import FillCause, OrderStatus, Side
from suite.fixed import Price, Size, Usd
from suite.ids import Oid
from suite.instrument import Instrument

DAY_MS = 86_400_000
TRADED = (FillCause.ORDER, FillCause.LIQUIDATION)
"""What counts for the fee tiers: what the venue takes over at a mark is not traded."""


@dataclass
class World:
    """State of the oracle.

    Attributes:
        bar: the next bar to play.
        scene: where trades happen now.
        families: how many groups of orders there have been.
        arrived_ms: when the action that is carried out had come.
    """

    market: Market
    rules: Rules
    accounts: list[Account]
    events: list[Event] = field(default_factory=list)
    bar: int = 0
    families: int = 0
    arrived_ms: int = 0
    scene: Scene = field(default_factory=lambda: Scene(0, in_path=False))

    @classmethod
    def start(
        cls, instruments: Sequence[Instrument], tape: Tape, accounts: int, rules: Rules
    ) -> "World":
        market = Market(instruments, tape, rules)
        return cls(
            market,
            rules,
            [
                Account(i, [Position(coin.max_leverage) for coin in market.instruments])
                for i in range(accounts)
            ],
        )

    @property
    def tape(self) -> Tape:
        return self.market.tape

    @property
    def finished(self) -> bool:
        return self.bar >= self.tape.length

    @property
    def boundary_ms(self) -> int:
        return self.tape.time_ms(self.bar)

    @property
    def now_ms(self) -> int:
        """Time of what happens now: the boundary, or just before the end of the bar played."""
        if self.scene.in_path:
            return self.tape.time_ms(self.scene.bar + 1) - 1
        return self.boundary_ms

    def fee(self, account: Account, size: int, price: int, *, taker: bool) -> int:
        """Fee of a trade, micro-USD."""
        rules = self.rules
        rate = rules.taker_fee if taker else rules.maker_fee
        if rules.fee_tiers:
            tier = rules.fee_tiers[account.fee_tier]
            rate = tier.taker if taker else tier.maker
        return up(Fraction(price * size * rate, RATE))

    def opened(self, account: Account, order: Order, held: int) -> None:
        account.orders[order.oid] = order
        self.events.append(
            OrderOpened(
                time_ms=self.now_ms,
                account=account.index,
                symbol=order.symbol,
                oid=Oid(order.oid),
                status=order.status,
                held_usd=Usd(held),
            )
        )

    def changed(self, account: Account, order: Order) -> None:
        self.events.append(
            OrderChanged(
                time_ms=self.now_ms,
                account=account.index,
                symbol=order.symbol,
                oid=Oid(order.oid),
                status=order.status,
                size=Size(order.size),
            )
        )

    def closed(self, account: Account, order: Order, status: OrderStatus, freed: int) -> None:
        del account.orders[order.oid]
        self.events.append(
            OrderClosed(
                time_ms=self.now_ms,
                account=account.index,
                symbol=order.symbol,
                oid=Oid(order.oid),
                status=status,
                remaining=Size(order.size),
                refunded_usd=Usd(freed),
            )
        )

    def insured(self, account: Account, symbol: int, usd: int) -> None:
        if usd:
            self.events.append(
                InsuranceMoved(
                    time_ms=self.now_ms, account=account.index, symbol=symbol, usd=Usd(usd)
                )
            )

    def trade(
        self,
        account: Account,
        symbol: int,
        change: int,
        *,
        price: int,
        fee: int,
        reference: int,
        taker: bool,
        cause: FillCause = FillCause.ORDER,
        oid: int = 0,
        left: int = 0,
    ) -> None:
        """Book a trade and tell of it; a flat position's negative bucket is made good."""
        position = account.positions[symbol]
        before = position.size
        realized = account.trade(symbol, change, price, fee)
        if cause in TRADED:
            day = self.now_ms // DAY_MS
            account.traded[day] = account.traded.get(day, 0) + abs(change) * price
        self.events.append(
            Fill(
                time_ms=self.now_ms,
                account=account.index,
                symbol=symbol,
                oid=Oid(oid or account.next_oid(self.scene.bar)),
                tid=account.next_tid(self.scene.bar),
                side=Side.BUY if change > 0 else Side.SELL,
                size=Size(abs(change)),
                price=Price(price),
                reference_price=Price(reference),
                start_position=Size(before),
                realized_pnl_usd=Usd(realized),
                fee_usd=Usd(fee),
                is_taker=taker,
                order_size_left=Size(left),
                cause=cause,
            )
        )
        if position.size == 0 and position.bucket < 0:
            self.insured(account, symbol, -position.bucket)
            position.bucket = 0

    def make_good(self, account: Account, symbol: int) -> None:
        """Bring the cash of a pool without positions back to 0."""
        if not account.cross() and account.cash < 0:
            self.insured(account, symbol, -account.cash)
            account.cash = 0
