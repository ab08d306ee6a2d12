"""One trader's account as the venue pushes it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

import msgspec

from hyperliquid_exchange.application.streams import Seat
from hyperliquid_exchange.application.universe import Mids, Universe, nearest, units
from hyperliquid_exchange.domain.accounts import LiveAccount
from hyperliquid_exchange.domain.facts import AccountFacts, RestingOrder
from suite.account.events import AccountChange, AccountEvent, FillsPush, LedgerPush, StatePush
from suite.account.pushes import read_message
from suite.account.state import AccountStateCache
from suite.account.view import view_of
from suite.contracts import hyperliquid_ws as ws
from suite.contracts.clock import PositionView
from suite.errors import one_line
from suite.fixed import USD_DECIMALS, Price, Size, Usd
from suite.instrument import Instrument, is_perp

_STATE: Final = b'{"channel":"webData2"'
_TARGET: Final = "Take Profit"


class _ShownOrder(msgspec.Struct):
    coin: str
    side: Literal["B", "A"]
    limitPx: str  # noqa: N815 - the wire's own names
    sz: str
    oid: int
    cloid: str | None = None
    reduceOnly: bool = False  # noqa: N815
    orderType: str = ""  # noqa: N815
    isTrigger: bool = False  # noqa: N815
    triggerPx: str = ""  # noqa: N815


class _Page(msgspec.Struct):
    openOrders: tuple[_ShownOrder, ...]  # noqa: N815


class _PageMessage(msgspec.Struct):
    data: _Page


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """What one full state says, read once."""

    equity_usd: Usd
    positions: dict[int, Size]
    orders: tuple[RestingOrder, ...]
    trouble: tuple[str, ...]


_page: Final = msgspec.json.Decoder(_PageMessage)


class WatchedAccount:
    """One trader's account; a `Member` of the streams.

    What the gate is told is the venue's last full state alone: positions and orders of one moment.
    The messages of fills and orders are what it is held against.

    Args:
        account: whose.
        universe, mids: of the venue, kept by somebody.
        cache: of the account.
        on_change: told when anything of it has changed.

    Attributes:
        seats: where it listens, by what it listens to.
        executions: fills since the account was first seen; those of before it do not count.
        flaw: what could not be read; empty once fresh snapshots have been asked for.
    """

    def __init__(
        self,
        account: LiveAccount,
        *,
        universe: Universe,
        mids: Mids,
        cache: AccountStateCache,
        on_change: Callable[[], None],
    ) -> None:
        self.account = account
        self.cache = cache
        self.seats: dict[ws.Named, Seat] = {}
        self.executions = 0
        self.flaw = ""
        self._universe = universe
        self._mids = mids
        self._on_change = on_change
        self._page: tuple[_ShownOrder, ...] = ()
        self._shown: tuple[_ShownOrder, ...] = ()
        self._state: StatePush | None = None
        self._moment: tuple[StatePush, tuple[Instrument, ...], _Moment] | None = None
        self._fills_told = self._ledger_told = False
        self._looks = 0
        cache.listeners.append(self._count)

    @property
    def wanted(self) -> Sequence[ws.Named]:
        """What is followed; first what decides on which connection the rest is."""
        user = self.account.address
        return (
            ws.OrderUpdates(user=user),
            ws.UserFills(user=user),
            ws.UserFundings(user=user),
            ws.UserLedger(user=user),
            ws.WebData2(user=user),
        )

    def facts(self) -> AccountFacts | None:
        """Tell what is known; None before the first full state."""
        moment, cache = self._read(), self.cache
        if moment is None:
            return None
        view = cache.state.view
        net = None if view is None else view.net_deposits
        return AccountFacts(
            equity_usd=moment.equity_usd,
            positions=moment.positions,
            orders=moment.orders,
            mids=self._mids.by_asset(self._universe),
            instruments=self._universe.instruments,
            age_s=max(cache.age_ms / 1000, self._mids.age_s),
            trouble=(*cache.trouble, *moment.trouble, *filter(None, (self.flaw,))),
            executions=self.executions,
            net_deposits_usd=Usd(units(net or Decimal(0), USD_DECIMALS)),
            state_age_s=cache.push_age_ms / 1000,
        )

    def _read(self) -> _Moment | None:
        """Read the last full state in the units of what is listed."""
        state, universe = self._state, self._universe
        if state is None or not universe.instruments:
            return None
        known = self._moment
        if known is None or known[0] is not state or known[1] is not universe.instruments:
            known = self._moment = (state, universe.instruments, self._moment_of(state))
        return known[2]

    def _moment_of(self, state: StatePush) -> _Moment:
        trouble, positions, orders = list[str](), dict[int, Size](), list[RestingOrder]()
        view = view_of(state.state, ())
        for held in view.positions:
            if not self._take_position(held, positions):
                trouble.append(one_line(f"unknown position: {held.coin}"))
        for row in self._shown:
            order = self._resting(row)
            if order is not None:
                orders.append(order)
            elif is_perp(row.coin):
                trouble.append(one_line(f"unknown order: {row.coin} {row.oid}"))
        return _Moment(
            equity_usd=Usd(units(view.equity, USD_DECIMALS)),
            positions=positions,
            orders=tuple(orders),
            trouble=tuple(trouble),
        )

    def _take_position(self, held: PositionView, positions: dict[int, Size]) -> bool:
        asset = self._universe.index.get(held.coin)
        if asset is None:
            return False
        decimals = self._universe.instruments[asset].sz_decimals
        size = units(held.size, decimals)
        positions[asset] = Size(size)
        return Decimal(size).scaleb(-decimals) == held.size

    def _resting(self, row: _ShownOrder) -> RestingOrder | None:
        asset = self._universe.index.get(row.coin)
        if asset is None:
            return None
        one = self._universe.instruments[asset]
        price, size = nearest(row.limitPx, one.price_decimals), nearest(row.sz, one.sz_decimals)
        at = nearest(row.triggerPx, one.price_decimals) if row.isTrigger else None
        if price is None or size is None or (row.isTrigger and at is None):
            return None
        kind: Literal["tp", "sl"] = "tp" if row.orderType.startswith(_TARGET) else "sl"
        return RestingOrder(
            oid=row.oid,
            cloid=None if row.cloid is None else row.cloid.lower(),
            asset=asset,
            is_buy=row.side == "B",
            price=Price(price),
            size=Size(size),
            reduce_only=row.reduceOnly,
            trigger=kind if row.isTrigger else None,
            trigger_price=None if at is None else Price(at),
        )

    def _count(self, change: AccountChange) -> None:
        self.executions += len(change.fills)

    # what the streams tell

    def acknowledged(self, seat: Seat, message: bytes) -> None:
        """Begin anew with a connection: all snapshots come again."""
        del message
        if isinstance(seat.wanted, ws.OrderUpdates) or not self.cache.state.live:
            self._fills_told = self._ledger_told = False
            self._looks = 0
            self.cache.connected()

    def told(self, message: bytes) -> None:
        """Take in what the venue has pushed."""
        self.cache.heard()
        try:
            if message.startswith(_STATE):
                self._page = _page.decode(message).data.openOrders
            for event in read_message(message):
                self._take(event)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self.flaw = one_line(f"unreadable: {error}")
        self._on_change()

    def refused(self, seat: Seat, text: str) -> None:
        """Lose what the venue does not tell; it is asked for again."""
        self.seats.pop(seat.wanted, None)
        self.lost(text)

    def lost(self, reason: str) -> None:
        """Be in trouble until all is told again; what was known last stays."""
        del reason
        self.cache.lost()
        self._on_change()

    def _take(self, event: AccountEvent) -> None:
        cache, before = self.cache, self._unusable
        cache.received(event)
        if self._unusable > before:
            return
        if isinstance(event, StatePush):
            self._state, self._shown = event, self._page
            self._looks += 1
        elif isinstance(event, FillsPush):
            self._fills_told |= event.snapshot
        elif isinstance(event, LedgerPush):
            self._ledger_told |= event.snapshot
        self._reconcile()

    @property
    def _unusable(self) -> int:
        return self.cache.counts["malformed"] + self.cache.counts["late_pushes"]

    def _reconcile(self) -> None:
        """Leave the trouble of a new connection once all snapshots are merged and agree."""
        cache, state = self.cache, self._state
        if state is None or not (self._fills_told and self._ledger_told and cache.ready):
            return
        if not (cache.state.live and cache.state.reconciling):
            return
        is_explained = cache.reconciled(state, (), ())
        if not is_explained and self._looks > cache.limits.looks:
            cache.give_in()
