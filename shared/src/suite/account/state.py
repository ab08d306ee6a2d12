"""What is known of an account right now: one immutable object, read without waiting.

    cache.state.view            positions, balances, open orders, in the venue's numbers
    cache.state.fills           the latest fills, oldest first
    cache.trouble               why it must not be relied on for new risk

The cache is told what the venue pushes (`received`) and never asks for anything itself. It swaps
`state` whole, so who reads it holds a consistent picture for as long as it likes.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

import msgspec

from suite.account.ahead import FillsAhead
from suite.account.discrepancies import Discrepancies
from suite.account.events import (
    AccountChange,
    AccountEvent,
    FillsPush,
    FundingPayment,
    FundingsPush,
    LedgerPush,
    OrderChange,
    OrdersPush,
    StatePush,
)
from suite.account.fill_book import FillBook
from suite.account.picture import ZERO, AccountPicture, check_numbers
from suite.account.view import view_of
from suite.account_ledger import AccountLedger
from suite.clock import Clock
from suite.contracts.clock import AccountView
from suite.contracts.hyperliquid_info import ClearinghouseState, LedgerRow, UserFill
from suite.errors import one_line
from suite.fixed import parse_decimal
from suite.instrument import is_perp

_FUNDINGS_SHOWN: Final = 500
_NOTES: Final = 100
_NEVER_S: Final = float("-inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """All that is known of an account at one time.

    Attributes:
        version: rises with every change of content.
        view: positions, balances and open orders; None while the venue has told nothing.
        fills: the latest of perpetuals, oldest first; bounded. The spot wallet is another account.
        fundings: the latest payments, oldest first; bounded.
        as_of_ms: the venue's time of the last full state, 0 before it.
        heard_ms: wall time when anything was heard last, pongs included; 0 before.
        live: a connection is open.
        reconciling: the connection has not been held against the venue's own reads yet.
        differences: what the venue has otherwise than its own messages say.
    """

    version: int = 0
    view: AccountView | None = None
    fills: tuple[UserFill, ...] = ()
    fundings: tuple[FundingPayment, ...] = ()
    as_of_ms: int = 0
    heard_ms: int = 0
    live: bool = False
    reconciling: bool = True
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StateLimits:
    """How old and how different what is known may be.

    Attributes:
        silence_s: since any message, pongs included.
        push_s: since the last full state: a connection may answer and tell nothing.
        looks: full states in a row that show the same difference.
        dwell_s: and how long it must last.
        cash_tolerance: USD by which cash may differ without a word; it is taken over then.
    """

    silence_s: float = 20.0
    push_s: float = 60.0
    looks: int = 2
    dwell_s: float = 1.0
    cash_tolerance: Decimal = Decimal("0.01")


class AccountStateCache:
    """The account of one trader.

    Args:
        clock: wall time, for what is shown.
        user: address of the account; the ledger says by it which way money went.
        limits: see there.
        now_s: seconds of a clock that never goes back; ages are measured with it.

    Attributes:
        state: what is known; replaced whole, never changed.
        in_flight: says whether an action is on its way to the venue; a difference may be its
            effect.
        listeners: called with every change; they return at once.
        counts: what has been seen: `pushes`, `late_pushes`, `fills`, `orders`, `malformed`, and
            `adopted` cash.
        book: fills that counted.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        user: str = "",
        limits: StateLimits | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state = AccountState()
        self.in_flight: Callable[[], bool] = lambda: False
        self.listeners: list[Callable[[AccountChange], None]] = []
        self.counts: Counter[str] = Counter()
        self.book = FillBook()
        self.limits = limits or StateLimits()
        self._clock = clock
        self._now_s = now_s
        self._picture = AccountPicture()
        self._push: StatePush | None = None
        self._begun = self._fills_known = False
        self._begun_ms = 0
        self._first_push = False
        self._cash_is_sure = False
        self._agreed_ms = 0
        self._fundings: dict[tuple[int, str], FundingPayment] = {}
        self._moved_ms = 0
        self._ledger = AccountLedger(user)
        self._untold = ZERO
        self._ahead = FillsAhead()
        self._discrepancies = Discrepancies(
            looks=self.limits.looks,
            dwell_s=self.limits.dwell_s,
            now_s=now_s,
        )
        self._read: tuple[ClearinghouseState, AccountView] | None = None
        self._lies: dict[str, None] = {}
        self._flaws: dict[str, None] = {}
        self._heard_s = self._pushed_s = _NEVER_S

    # what is asked of it

    @property
    def age_ms(self) -> float:
        """Since anything was heard; infinite before."""
        return (self._now_s() - self._heard_s) * 1000

    @property
    def push_age_ms(self) -> float:
        """Since the last full state; infinite before."""
        return (self._now_s() - self._pushed_s) * 1000

    @property
    def trouble(self) -> tuple[str, ...]:
        """Why nothing may be risked on it: `reconciling`, `stale_account`, `account_differs`."""
        state, limits, found = self.state, self.limits, []
        if state.reconciling or not state.live:
            found.append("reconciling")
        if self.age_ms > limits.silence_s * 1000 or self.push_age_ms > limits.push_s * 1000:
            found.append("stale_account")
        if state.differences:
            found.append("account_differs")
        return tuple(found)

    @property
    def agreed_ms(self) -> int:
        """The venue's time up to which nothing is missing, 0 before it is known."""
        return self._agreed_ms

    @property
    def ledger_ms(self) -> int:
        """The venue's time up to which the ledger is known from its beginning on; 0 before."""
        return self._ledger.newest_ms if self._ledger.complete else 0

    @property
    def differences(self) -> int:
        """How many differences were ever confirmed."""
        return self._discrepancies.total

    @property
    def ready(self) -> bool:
        """The connection has told what came before it, so it may be held against a read."""
        return self._begun and not self._first_push

    # what it is told

    def connected(self) -> None:
        """A connection is open; all that is told from now on begins with snapshots."""
        self._first_push = True
        self._discrepancies.clear()
        self._pushed_s = self._heard_s = self._now_s()
        self.state = replace(self.state, live=True, reconciling=True)

    def lost(self) -> None:
        """The connection has ended; what happens until the next one is unknown."""
        self.state = replace(self.state, live=False, reconciling=True)

    def heard(self) -> None:
        """Anything came, a pong for example."""
        self._heard_s = self._now_s()
        self.state = replace(self.state, heard_ms=self._clock.now_ms())

    def received(self, event: AccountEvent) -> None:
        """Take in what the venue pushed, whatever it is."""
        try:
            match event:
                case StatePush():
                    self._take_state(event)
                case FillsPush():
                    self._take_fills(event.fills)
                    self._fills_known |= event.snapshot
                    self._begin()
                case OrdersPush(changes=changes):
                    self._take_orders(changes)
                case FundingsPush(fundings=fundings):
                    self._take_fundings(fundings)
                case LedgerPush():
                    self._take_ledger(event)
        except (ValueError, ArithmeticError) as error:
            self.counts["malformed"] += 1
            self._note(self._flaws, one_line(f"malformed {type(event).__name__}: {error}"))

    def reconciled(
        self,
        push: StatePush,
        fills: tuple[UserFill, ...],
        ledger: tuple[LedgerRow, ...] | None = None,
    ) -> bool:
        """Merge what the venue answered when it was asked, after a connection was opened.

        Args:
            push: the account.
            fills: since `agreed_ms`.
            ledger: since `ledger_ms`; None where the exchange does not say.

        Returns:
            Whether positions are explained; when not, ask again: what was asked later may hold
            more. After some tries, `give_in`.
        """
        self.received(FillsPush(fills=fills))
        if ledger is not None:
            self.received(LedgerPush(rows=ledger, snapshot=True))
            self._ledger.complete = True
        self.received(push)
        shown = self._push
        if shown is None or not self._begun:
            return False
        if any(key.startswith("position") for key in self._found(shown)):
            return False
        self._settle()
        return True

    def give_in(self) -> None:
        """Call the connection reconciled although it is not explained, and tell what differs."""
        self._discrepancies.confirm()
        self._settle()

    def adopt(self) -> None:
        """Believe the venue's last full state as it is; for an operator who has looked."""
        if self._push is not None:
            self._picture.take_positions(self._push)
            self._picture.take_cash(self._push)
            self._picture.take_orders(self._push)
        self._untold = ZERO
        self._ahead.clear()
        self._discrepancies.clear()
        self._lies.clear()
        self._flaws.clear()
        self._publish()

    # how

    def _settle(self) -> None:
        self.state = replace(self.state, reconciling=False)
        self._publish()

    def _take_fills(self, fills: tuple[UserFill, ...]) -> None:
        lied = len(self.book.conflicts)
        new = self.book.add([fill for fill in fills if is_perp(fill.coin)])
        if len(self.book.conflicts) > lied:
            time_ms, coin, tid = self.book.conflicts[-1]
            self._note(self._lies, f"fill {coin} {tid} of {time_ms} was told in two ways")
        if not new:
            return
        self.counts["fills"] += len(new)
        news = [fill for fill in new if self._begun and fill.time >= self._begun_ms]
        for fill in news:
            self._picture.fill(fill)
        self._ahead.take_fills(news, self._picture.sizes)
        self._publish(AccountChange(fills=tuple(news)))

    def _take_orders(self, changes: tuple[OrderChange, ...]) -> None:
        self.counts["orders"] += len(changes)
        told = tuple(change for change in changes if self._picture.order(change))
        self._publish(AccountChange(orders=told))

    def _take_fundings(self, fundings: tuple[FundingPayment, ...]) -> None:
        new = [paid for paid in fundings if (paid.time, paid.coin) not in self._fundings]
        if not new:
            return
        for paid in new:
            parse_decimal(paid.usdc)
        for paid in new:
            if self._begun and paid.time > self._begun_ms:
                self._picture.funding(paid)
            self._fundings[(paid.time, paid.coin)] = paid
        while len(self._fundings) > 2 * _FUNDINGS_SHOWN:
            del self._fundings[next(iter(self._fundings))]
        self._publish()

    def _take_ledger(self, event: LedgerPush) -> None:
        """Take in money that moved otherwise.

        Where it is not known how much, the cash of the next state is as good as any. The entry and
        the state that has it come in any order: what was told of no state yet is `_untold`.
        """
        new = self._ledger.add(event.rows)
        for one in new:
            is_news = self._begun and (
                one.time_ms > self._begun_ms
                or (one.time_ms == self._begun_ms and not event.snapshot)
            )
            if is_news and one.usd is not None:
                self._picture.moved(one.usd)
                self._untold -= one.usd
            elif one.time_ms > self._moved_ms:
                self._moved_ms = one.time_ms
                self._cash_is_sure = False
            if is_news and one.odd:
                self._note(self._lies, f"money moved by {one_line(one.kind)}: not known how much")
        if any(one.usd for one in new):
            self._publish()

    def _take_state(self, push: StatePush) -> None:
        self._pushed_s = self._now_s()
        if self._push is not None and push.server_ms < self._push.server_ms:
            self.counts["late_pushes"] += 1
            return
        check_numbers(push)
        self._numbers(push.state)
        self.counts["pushes"] += 1
        self._push = push
        if not self._begun:
            self._begin()
        elif self._first_push:
            self._picture.take_orders(push)
        self._first_push = False
        if self._begun:
            self._judge(push)
        self._ahead.take_state(push, self._picture.sizes)
        self._untold = self._beyond_what_is_told(push)
        self._publish()

    def _begin(self) -> None:
        """Begin the picture once the fills before the connection and a full state are there."""
        push = self._push
        if self._begun or push is None or not self._fills_known:
            return
        self._picture.begin(push, self.book.recent)
        self._begun, self._begun_ms = True, push.server_ms

    def _found(self, push: StatePush) -> dict[str, str]:
        return self._picture.differences(push, cash_tolerance=self.limits.cash_tolerance)

    def _judge(self, push: StatePush) -> None:
        """Tell differences that last from those that are only the order of messages."""
        found = self._found(push)
        if "cash" not in found:
            self._cash_is_sure |= push.server_ms > self._moved_ms
        elif not self._cash_is_sure:
            del found["cash"]
            self.counts["adopted"] += 1
            self._picture.take_cash(push)
        self._discrepancies.look(found, in_flight=self.in_flight())
        if not found:
            self._agreed_ms = push.server_ms
            self._flaws.clear()
        if any(told.startswith("order") for told in self._discrepancies.confirmed):
            self._picture.take_orders(push)

    def _beyond_what_is_told(self, push: StatePush) -> Decimal:
        """Cash of a state beyond what is told: money whose entry is yet to come, USD.

        Negative also where an entry came before the state that has it.
        """
        state, cash = self._ahead.state, self._picture.cash
        if state is None or cash is None:
            return ZERO
        beyond = parse_decimal(state.marginSummary.totalRawUsd) - cash
        is_more = abs(beyond) > self.limits.cash_tolerance
        found = self._found(push) if is_more else {}
        is_explained = not any(key.startswith("position") for key in found)
        return beyond if is_more and is_explained else ZERO

    def _numbers(self, state: ClearinghouseState) -> AccountView:
        """Read a state, once: orders and deposits change more often than it does."""
        if self._read is None or self._read[0] is not state:
            self._read = state, view_of(state, ())
        return self._read[1]

    def _note(self, where: dict[str, None], what: str) -> None:
        if len(where) < _NOTES:
            where[what] = None
        self._publish()

    def _publish(self, change: AccountChange | None = None) -> None:
        """Swap the state for the present one, and tell who listens."""
        push, before = self._push, self.state
        view = None
        if self._ahead.state is not None:
            orders = tuple(self._picture.orders.values())
            moved = self._ledger.net_usd + self._untold
            view = msgspec.structs.replace(
                self._numbers(self._ahead.state),
                open_orders=orders,
                net_deposits=moved if self._ledger.complete else None,
            )
        self.state = replace(
            before,
            version=before.version + 1,
            view=view,
            fills=self.book.recent,
            fundings=tuple(self._fundings.values())[-_FUNDINGS_SHOWN:],
            as_of_ms=0 if push is None else push.server_ms,
            differences=(*self._discrepancies.confirmed, *self._lies, *self._flaws),
        )
        for listener in self.listeners:
            listener(change or AccountChange())
