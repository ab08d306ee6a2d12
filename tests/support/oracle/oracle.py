"""The second implementation of docs/engine.md: commands in, events out, slow and exact."""

from collections.abc import Sequence

from tests.support.oracle import margin, orders, path, placing, transfers
from tests.support.oracle.account import Account
from tests.support.oracle.boundary import reach
from tests.support.oracle.world import World

from perp_engine.commands import (
    AdjustMargin,
    Advance,
    CancelAll,
    CancelByCloid,
    CancelOrder,
    Command,
    Deposit,
    ModifyOrder,
    PlaceOrders,
    ScheduleCancel,
    SetLeverage,
)
from perp_engine.events import (
    ActionRejected,
    ActionSent,
    Advanced,
    Event,
    Fill,
    OrderChanged,
    OrderClosed,
    OrderOpened,
    OrderRejected,
)
from perp_engine.rules import Rules
from perp_engine.tape import HIGH, LOW, Tape
from suite.enums import OrderStatus
from suite.errors import RejectReason
from suite.instrument import Instrument

OrderAction = PlaceOrders | CancelOrder | CancelByCloid | CancelAll | ModifyOrder
OF_AN_ORDER = (OrderOpened, OrderRejected, OrderClosed, OrderChanged, Fill)
Row = tuple[int, int, int, int, int, int, str]
"""An open order: oid, symbol, side, size, limit, trigger, status."""


class Oracle:
    """A world played by the text of its specification."""

    def __init__(
        self, instruments: Sequence[Instrument], tape: Tape, accounts: int, rules: Rules
    ) -> None:
        self.world = World.start(instruments, tape, accounts, rules)
        self._on_the_way: list[tuple[int, int, OrderAction]] = []
        reach(self.world, 0)
        self.world.events.clear()

    @property
    def bar(self) -> int:
        return self.world.bar

    @property
    def finished(self) -> bool:
        return self.world.finished

    def mark(self, symbol: int) -> int:
        return self.world.market.marks[symbol]

    def cash(self, account: int) -> int:
        return self.world.accounts[account].cash

    def equity(self, account: int) -> int:
        return margin.equity(self.world, self.world.accounts[account])

    def available(self, account: int) -> int:
        return margin.available(self.world, self.world.accounts[account])

    def position(self, account: int, symbol: int) -> tuple[int, int, int]:
        """Size, cost, bucket."""
        position = self.world.accounts[account].positions[symbol]
        return position.size, position.cost, position.bucket

    def open_orders(self, account: int) -> list[Row]:
        return [
            (o.oid, o.symbol, o.side, o.size, o.limit, o.trigger, str(o.status))
            for o in sorted(self.world.accounts[account].orders.values(), key=lambda o: o.oid)
        ]

    def apply(self, command: Command) -> tuple[Event, ...]:
        """Carry out a command. Returns what happened."""
        match command:
            case Advance():
                self._advance(command)
            case Deposit():
                transfers.deposit(self.world, self._account(command.account), command)
            case SetLeverage():
                transfers.set_leverage(self.world, self._account(command.account), command)
            case AdjustMargin():
                transfers.adjust_margin(self.world, self._account(command.account), command)
            case ScheduleCancel():
                transfers.schedule_cancel(self.world, self._account(command.account), command)
            case _:
                self._send(command)
        events = tuple(self.world.events)
        self.world.events.clear()
        return events

    def _account(self, index: int) -> Account:
        return self.world.accounts[index]

    def _send(self, action: OrderAction) -> None:
        latency = self.world.rules.decision_latency_ms
        arrives = self.world.boundary_ms + latency
        if latency == 0 or self.finished:
            self._carry_out(action, arrives)
            return
        tape = self.world.tape
        bar = -(-(arrives - tape.start_ms) // tape.interval_ms)
        self._on_the_way.append((bar, arrives, action))
        self.world.events.append(
            ActionSent(
                time_ms=self.world.now_ms, account=action.account, arrives_ms=tape.time_ms(bar)
            )
        )

    def _carry_out(self, action: OrderAction, arrived_ms: int) -> None:
        world, account = self.world, self._account(action.account)
        world.arrived_ms = arrived_ms
        match action:
            case PlaceOrders():
                placing.place(world, account, action)
            case ModifyOrder():
                placing.modify(world, account, action)
            case _ if self.finished:
                self._refuse(account, RejectReason.HALTED)
            case CancelAll():
                orders.end_all(world, account, [*account.orders.values()], OrderStatus.CANCELED)
            case CancelOrder() | CancelByCloid():
                self._cancel(account, action)

    def _cancel(self, account: Account, action: CancelOrder | CancelByCloid) -> None:
        for order in account.orders_in(action.symbol):
            named = (
                order.oid == action.oid
                if isinstance(action, CancelOrder)
                else (order.cloid == action.cloid)
            )
            if named:
                orders.end(self.world, account, order, OrderStatus.CANCELED)
                return
        self._refuse(account, RejectReason.UNKNOWN_ORDER)

    def _refuse(self, account: Account, reason: RejectReason) -> None:
        self.world.events.append(
            ActionRejected(time_ms=self.world.now_ms, account=account.index, reason=reason)
        )

    def _advance(self, command: Advance) -> None:
        world = self.world
        watches_met: tuple[int, ...] = ()
        until = min(command.until_bar, world.tape.length)
        while world.bar < until:
            played, seen = world.bar, len(world.events)
            path.play_bar(world)
            reach(world, played + 1)
            if not self.finished:
                due = [item for item in self._on_the_way if item[0] <= world.bar]
                self._on_the_way = [item for item in self._on_the_way if item[0] > world.bar]
                for _, arrived_ms, action in due:
                    self._carry_out(action, arrived_ms)
            watches_met = self._watches_met(command, played)
            if watches_met or _is_awaited(command, world.events[seen:]):
                break
        world.events.append(Advanced(time_ms=world.now_ms, bar=world.bar, watches_met=watches_met))

    def _watches_met(self, command: Advance, bar: int) -> tuple[int, ...]:
        market = self.world.market
        met = []
        for index, watch in enumerate(command.watches):
            if not market.has_bar(watch.symbol, bar):
                continue
            extreme = market.value(watch.symbol, HIGH if watch.above else LOW, bar)
            if extreme >= watch.price if watch.above else extreme <= watch.price:
                met.append(index)
        return tuple(met)


def _is_awaited(command: Advance, events: list[Event]) -> bool:
    for event in events:
        if isinstance(event, Fill) and event.account in command.stop_on_fill:
            return True
        if isinstance(event, OF_AN_ORDER) and event.account in command.stop_on_order:
            return True
    return False
