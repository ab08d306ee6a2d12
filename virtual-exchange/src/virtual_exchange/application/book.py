"""What one account did and what happened to it: the memory behind its reads and its report."""

import hashlib

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
from suite.contracts.venue import Action
from suite.enums import FillCause, OrderStatus, Tif
from suite.fixed import Usd
from suite.ids import Cloid, Oid
from virtual_exchange.domain.accounts import Account
from virtual_exchange.domain.record import OrderRecord

_encode = msgspec.json.Encoder(order="sorted").encode


class AccountBook:
    """One account's orders, fills, funding and liquidations, in the order they happened.

    Attributes:
        orders: every order that got an id, by id.
        tifs: their time in force, None for triggers.
        children: what protects an entry, by the id of that entry.
        latest: newest order of each client order id.
        rejected: how many orders the venue refused.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self.orders: dict[Oid, OrderRecord] = {}
        self.tifs: dict[Oid, Tif | None] = {}
        self.children: dict[Oid, list[OrderRecord]] = {}
        self.latest: dict[Cloid, Oid] = {}
        self.fills: list[Fill] = []
        self.funding: list[FundingPaid] = []
        self.liquidations: list[Liquidated] = []
        self.insurance: list[InsuranceMoved] = []
        self.rejected = 0
        self._decisions = hashlib.sha256()

    @property
    def decisions_sha256(self) -> str:
        """Hash of every action sent so far, each with its world time."""
        return self._decisions.hexdigest()

    def log_decision(self, now_ms: int, action: Action) -> None:
        """Add an action to the decision log, whatever became of it."""
        self._decisions.update(b"%d %s\n" % (now_ms, _encode(action)))

    def register(self, record: OrderRecord, tif: Tif | None) -> None:
        """Remember a new order; the events that follow concern it."""
        oid = Oid(record.oid)
        self.orders[oid] = record
        self.tifs[oid] = tif
        if record.parent_oid:
            self.children.setdefault(Oid(record.parent_oid), []).append(record)
        if record.cloid is not None:
            self.latest[Cloid(record.cloid)] = oid

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
                    self.orders[event.oid].remaining = event.order_size_left
            case Liquidated():
                self.liquidations.append(event)
            case InsuranceMoved():
                self.insurance.append(event)
            case FundingPaid():
                self.funding.append(event)
            case OrderOpened():
                record = self.orders[event.oid]
                record.status, record.held_usd = event.status, event.held_usd
            case OrderChanged():
                record = self.orders[event.oid]
                record.status, record.remaining = event.status, event.size
            case OrderClosed():
                self._close(event)
            case _:
                pass

    def _close(self, event: OrderClosed) -> None:
        record = self.orders[event.oid]
        record.status, record.closed_ms = event.status, event.time_ms
        record.remaining = event.remaining
        record.refunded_usd = Usd(record.refunded_usd + event.refunded_usd)
