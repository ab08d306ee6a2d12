"""What one account did and what happened to it: the memory behind its reads and its report."""

import hashlib
import re
from typing import Final

import msgspec

from perp_engine.events import (
    Event,
    Fill,
    FundingPaid,
    InsuranceMoved,
    Liquidated,
    OrderChanged,
    OrderClosed,
    OrderOpened,
)
from suite.enums import FillCause, OrderStatus
from suite.fixed import Price, Usd
from suite.ids import Cloid, Oid
from virtual_exchange.application.market.recorded_terms import in_recorded_terms
from virtual_exchange.domain.accounts import Account
from virtual_exchange.domain.masking import Mask
from virtual_exchange.domain.record import (
    LedgerUpdate,
    OrderRecord,
    OrderUpdate,
    TwapRecord,
    TwapUpdate,
)

_ODD_NUMBER: Final = re.compile(rb'\.\d*0"|\d[eE][+-]?\d+"')
"""Found in every action with a number in another notation than the plain one, seldom elsewhere."""
_encode = msgspec.json.Encoder(order="sorted").encode


class AccountBook:
    """One account's orders, fills, funding and liquidations, in the order they happened.

    Args:
        account: whose it is.
        mask: of the market.

    Attributes:
        orders: every order that got an id, by id.
        updates: every change of an order's status, as its owner is told of it.
        changed_ms: when the status or the size of each order was last told.
        children: what protects an entry, by the id of that entry.
        latest: newest order of each client order id.
        mids: the mid that each fill is measured by, price units.
        ledger: money that moved otherwise than by trading.
        moved_usd: sum of what its entries moved into the perp wallet.
        spot_usd: USDC of its spot wallet, micro-USD, outside the engine's ledger.
        twaps: orders in slices that are not at their end, by id.
        twap_updates: every status of any order in slices.
        rejected: how many orders the venue refused.
    """

    def __init__(self, account: Account, mask: Mask | None = None) -> None:
        self.account = account
        self._mask = mask if mask is not None and mask.keeps_units else None
        self.orders: dict[Oid, OrderRecord] = {}
        self.updates: list[OrderUpdate] = []
        self.changed_ms: dict[Oid, int] = {}
        self.children: dict[Oid, list[OrderRecord]] = {}
        self.latest: dict[Cloid, Oid] = {}
        self.fills: list[Fill] = []
        self.mids: list[Price] = []
        self.funding: list[FundingPaid] = []
        self.liquidations: list[Liquidated] = []
        self.insurance: list[InsuranceMoved] = []
        self.ledger: list[LedgerUpdate] = []
        self.moved_usd = Usd(0)
        self.spot_usd = Usd(0)
        self.twaps: dict[int, TwapRecord] = {}
        self.twap_updates: list[TwapUpdate] = []
        self.rejected = 0
        self._decisions = hashlib.sha256()
        self._ids_bar = self._ids_accepted = self._ids_refused = 0

    @property
    def decisions_sha256(self) -> str:
        """Hash of every action sent so far, each with its world time."""
        return self._decisions.hexdigest()

    def log_decision(self, now_ms: int, action: object) -> None:
        """Add an action to the decision log, whatever became of it."""
        mask, told = self._mask, _encode(action)
        if mask is not None or _ODD_NUMBER.search(told):
            told = _encode(in_recorded_terms(action, mask))
        self._decisions.update(b"%d %s\n" % (mask.true_ms(now_ms) if mask else now_ms, told))

    def accepted_in(self, bar: int) -> int:
        """How many orders the engine has accepted in a bar."""
        return self._ids_accepted if self._ids_bar == bar else 0

    def count_accepted(self, bar: int) -> None:
        """Count one more accepted order of a bar."""
        self._turn_ids(bar)
        self._ids_accepted += 1

    def refused_in(self, bar: int) -> int:
        """Count one more refused order of a bar; return how many there were before."""
        self._turn_ids(bar)
        self._ids_refused += 1
        return self._ids_refused - 1

    def _turn_ids(self, bar: int) -> None:
        """Begin to count anew with each bar."""
        if self._ids_bar != bar:
            self._ids_bar, self._ids_accepted, self._ids_refused = bar, 0, 0

    def register(self, record: OrderRecord) -> None:
        """Remember a new order; the events that follow concern it."""
        oid = Oid(record.oid)
        self.orders[oid] = record
        if record.parent_oid:
            self.children.setdefault(Oid(record.parent_oid), []).append(record)
        if record.cloid is not None:
            self.latest[Cloid(record.cloid)] = oid
        if record.status.terminal:
            self._note(record, record.placed_ms)

    def adopt(self, *, children_of: Oid, parent: Oid) -> None:
        """Hand what waits for the fill of a modified entry over to the order that replaced it."""
        for record in self.children.get(children_of, ()):
            if record.status is OrderStatus.WAITING_FOR_FILL:
                record.parent_oid = parent
                self.children.setdefault(parent, []).append(record)

    def live_oid(self, cloid: Cloid) -> Oid | None:
        """Newest order of a client order id, if it still lives."""
        oid = self.latest.get(cloid)
        return None if oid is None or self.orders[oid].status.terminal else oid

    def take(self, event: Event) -> None:
        """Note an event of this account."""
        match event:
            case Fill():
                self.fills.append(event)
                # the venue's own fills have an id, and no order of the account
                if event.cause is FillCause.ORDER:
                    record = self.orders[event.oid]
                    record.remaining = event.order_size_left
                    if event.order_size_left:
                        self._note(record, event.time_ms)
            case Liquidated():
                self.liquidations.append(event)
            case InsuranceMoved():
                self.insurance.append(event)
            case FundingPaid():
                self.funding.append(event)
            case OrderOpened():
                record = self.orders[event.oid]
                record.status, record.held_usd = event.status, event.held_usd
                self._note(record, event.time_ms)
            case OrderChanged():
                self._change(event)
            case OrderClosed():
                self._close(event)
            case _:
                pass

    def _change(self, event: OrderChanged) -> None:
        record = self.orders[event.oid]
        fired = (
            record.status is OrderStatus.WAITING_FOR_TRIGGER and event.status is OrderStatus.OPEN
        )
        record.status, record.remaining = event.status, event.size
        if fired:
            self._note(record, event.time_ms, OrderStatus.TRIGGERED)
        self._note(record, event.time_ms)

    def _close(self, event: OrderClosed) -> None:
        record = self.orders[event.oid]
        record.status, record.closed_ms = event.status, event.time_ms
        record.remaining = event.remaining
        record.refunded_usd = Usd(record.refunded_usd + event.refunded_usd)
        self._note(record, event.time_ms)

    def _note(self, record: OrderRecord, time_ms: int, status: OrderStatus | None = None) -> None:
        """Remember where an order is now; while it lives it is open, whatever it waits for."""
        status = status or (record.status if record.status.terminal else OrderStatus.OPEN)
        update = OrderUpdate(
            time_ms=time_ms, oid=record.oid, status=status, remaining=record.remaining
        )
        self.updates.append(update)
        self.changed_ms[Oid(record.oid)] = time_ms
