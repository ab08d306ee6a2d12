"""The gate of this process: what left, and when, beside the facts.

What was let through counts as an order that may fill from that moment on. It stops counting once
its fate is known and the venue has told the whole account some time after that: until then the
account may hold it although nothing shows it.
"""

import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from hyperliquid_exchange.application.budgets import Budgets
from hyperliquid_exchange.application.ports import FactsSource, Safety
from hyperliquid_exchange.domain.accounts import GlobalLimits, LiveAccount
from hyperliquid_exchange.domain.actions import is_allowed
from hyperliquid_exchange.domain.exposure import exposures, total_usd
from hyperliquid_exchange.domain.facts import AccountFacts
from hyperliquid_exchange.domain.gate import (
    Judgement,
    Situation,
    is_stale,
    judge,
    weighing_unseen,
)
from hyperliquid_exchange.domain.marks import (
    Marks,
    day_loss_usd,
    loss_of,
    moved_on,
    restarted,
)
from hyperliquid_exchange.domain.safety import EVERYBODY, Cause, Level
from hyperliquid_exchange.domain.verdicts import Verdict
from hyperliquid_exchange.domain.wanted import WantedOrder, wanted_orders
from suite.clock import Clock
from suite.contracts.hyperliquid_exchange import L1Action, batch_of
from suite.errors import StorageError
from suite.fixed import USD_DECIMALS, Usd, format_fixed
from suite.ids import TraderId

GATE: Final = "gate"
SURE_S: Final = 1.0
"""By how much a full state must be younger than an answer to have what was answered."""
MOST_LEFT: Final = 1_000
"""Actions whose effect is not seen yet, from which on settled exits are not waited for."""
_SAME_S: Final = 0.001
"""States that are nearer than this to each other are one."""
_SECOND_S, _MINUTE_S = 1.0, 60.0


class MarksStore(Protocol):
    """Where a trader stands, over restarts."""

    def load(self) -> Mapping[str, Marks]:
        """Read all.

        Raises:
            StorageError: they are there, and cannot be read.
        """
        ...

    def save(self, marks: Mapping[str, Marks]) -> None:
        """Write all, whole or not at all.

        Raises:
            StorageError: they could not be written.
        """
        ...


@dataclass(slots=True)
class _Left:
    """An action that was let through."""

    orders: tuple[WantedOrder, ...]
    settled_s: float | None = None


class _Window:
    """How many orders left within a time."""

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._departures: deque[tuple[float, int]] = deque()
        self._sum = 0

    def add(self, now_s: float, count: int) -> None:
        self._departures.append((now_s, count))
        self._sum += count

    def count(self, now_s: float) -> int:
        while self._departures and self._departures[0][0] <= now_s - self._within_s:
            self._sum -= self._departures.popleft()[1]
        return self._sum


@dataclass(slots=True)
class _Trader:
    """What is remembered of one trader; times of a clock that never goes back.

    Attributes:
        left: by number of the verdict.
        second, minute: orders that left within them.
        contents: of orders that may add, with their time.
        known: the last facts.
        loss: why a loss forbids more risk.
        shown_s: until when the venue had told all, as far as `left` was looked through.
    """

    account: LiveAccount
    left: dict[int, _Left] = field(default_factory=dict)
    second: _Window = field(default_factory=lambda: _Window(_SECOND_S))
    minute: _Window = field(default_factory=lambda: _Window(_MINUTE_S))
    contents: deque[tuple[float, tuple[object, ...]]] = field(default_factory=deque)
    known: AccountFacts | None = None
    loss: str = ""
    shown_s: float = -math.inf

    @property
    def orders(self) -> tuple[WantedOrder, ...]:
        return tuple(order for one in self.left.values() for order in one.orders)


class RiskGate:
    """Holds actions against the limits.

    Args:
        accounts: the traders.
        overall: limits over all of them.
        facts: what is known of them.
        safety: told when a loss stops a trader, or all.
        marks: where they stand.
        clock: wall time.
        budgets: what the venue still takes.
        now_s: seconds of a clock that never goes back.

    Raises:
        StorageError: where they stand cannot be read; it is never begun anew by itself.
    """

    def __init__(
        self,
        *,
        accounts: Sequence[LiveAccount],
        overall: GlobalLimits,
        facts: FactsSource,
        safety: Safety,
        marks: MarksStore,
        clock: Clock,
        budgets: Budgets | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._traders = {one.trader_id: _Trader(one) for one in accounts}
        self._overall = overall
        self._facts = facts
        self._safety = safety
        self._store = marks
        self._clock = clock
        self._budgets = budgets or Budgets(now_s=now_s)
        self._now_s = now_s
        # what counts fills begins anew with the process
        self._marks = {name: replace(one, told=0) for name, one in marks.load().items()}
        self._is_dirty = False
        self._number = 0
        self._unread: list[tuple[_Left, L1Action]] = []
        """Orders of an earlier process whose size is not known before what is listed is."""
        self._all_loss = ""

    def judge(self, trader_id: TraderId, action: L1Action) -> Verdict:
        """Say whether an action may leave; one that may counts from now on."""
        self.observe(trader_id)
        trader, now_s = self._traders[trader_id], self._now_s()
        found = judge(action, self._situation(trader, action, now_s))
        level = self._safety.level(trader_id)
        if found.adds_risk and found.refusal is None and level is not Level.LIVE:
            # also what adds risk by what it replaces, which its form alone does not tell
            found = replace(found, refusal=f"safety: {level.name}")
        self._number += 1
        number = 0
        if found.refusal is None:
            number = self._number
            self._let_through(trader, number, found, now_s)
            self._budgets.action_left(trader.account.address, batch_of(action))
        return Verdict(
            coins=found.coins, adds_risk=found.adds_risk, refusal=found.refusal, number=number
        )

    def settled(self, trader_id: TraderId, verdict: Verdict) -> None:
        """Take note that the fate of an action that was let through is known."""
        left = self._traders[trader_id].left.get(verdict.number)
        if left is not None and left.settled_s is None:
            left.settled_s = self._now_s()

    def restore(self, trader_id: TraderId, action: L1Action) -> Verdict:
        """Count an action whose fate an earlier process did not learn, without judging it."""
        trader, now_s = self._traders[trader_id], self._now_s()
        found = judge(action, self._situation(trader, action, now_s))
        self._number += 1
        self._let_through(trader, self._number, found, now_s)
        if found.orders and not self._facts.universe():
            self._unread.append((trader.left[self._number], action))
        return Verdict(
            coins=found.coins, adds_risk=found.adds_risk, refusal=None, number=self._number
        )

    def look(self) -> None:
        """Take in the facts of everybody: losses do not wait for an order."""
        for trader_id in self._traders:
            self.observe(trader_id)

    def observe(self, trader_id: TraderId) -> None:
        """Take facts in; at a loss limit the trader, or all, are STOPPED."""
        trader, facts = self._traders[trader_id], self._facts.facts(trader_id)
        if facts is None:
            return
        self._read_restored()
        trader.known = facts
        self._forget_what_shows(trader, facts)
        limits = trader.account.limits
        if is_stale(facts, limits.facts_age_s):
            return  # money that is half told is no loss
        before = self._marks.get(trader_id)
        marks = moved_on(
            before,
            worth_usd=Usd(facts.equity_usd - facts.net_deposits_usd),
            told=facts.executions,
            now_ms=self._clock.now_ms(),
        )
        self._marks[trader_id] = marks
        self._is_dirty |= marks != before
        loss = loss_of(marks, limits)
        if loss and not trader.loss:
            self._stop(trader_id, loss)
        trader.loss = loss
        self._observe_all()

    def forgive(self, scope: TraderId | str) -> None:
        """Measure losses of a trader, or of all, from now on: a person has allowed it."""
        for name in self._names(scope):
            if name in self._marks:
                self._marks[name] = restarted(self._marks[name])
            self._traders[name].loss = ""
        if scope == EVERYBODY:
            self._all_loss = ""
        self._is_dirty = True
        self.save()

    def allow_executions(self, scope: TraderId | str) -> None:
        """Count fills from now on: a person allows more.

        Raises:
            StorageError: it could not be written down.
        """
        for name in self._names(scope):
            if name in self._marks:
                marks = self._marks[name]
                self._marks[name] = Marks(
                    day=marks.day,
                    start_usd=marks.start_usd,
                    peak_usd=marks.peak_usd,
                    worth_usd=marks.worth_usd,
                    told=marks.told,
                )
        self._is_dirty = True
        self.save()

    def save(self) -> None:
        """Write down where everybody stands, if it has changed.

        Raises:
            StorageError: it could not be written.
        """
        if self._is_dirty:
            self._store.save(dict(self._marks))
            self._is_dirty = False

    # how

    def _situation(self, trader: _Trader, action: L1Action, now_s: float) -> Situation:
        limits, name = trader.account.limits, trader.account.trader_id
        while trader.contents and trader.contents[0][0] <= now_s - limits.duplicate_s:
            trader.contents.popleft()
        marks = self._marks.get(name)
        return Situation(
            account=trader.account,
            overall=self._overall,
            facts=self._facts.facts(name),
            universe=self._facts.universe(),
            left=trader.orders,
            others_usd=self._others_usd(name),
            second=trader.second.count(now_s),
            minute=trader.minute.count(now_s),
            all_second=sum(one.second.count(now_s) for one in self._traders.values()),
            recent=[content for _, content in trader.contents],
            executions=0 if marks is None else marks.executions,
            loss=trader.loss or self._all_loss,
            budget=self._budgets.action_refusal(trader.account.address, batch_of(action)),
        )

    def _let_through(self, trader: _Trader, number: int, found: Judgement, now_s: float) -> None:
        count = len(found.orders) or int(found.adds_risk)
        if count:
            trader.second.add(now_s, count)
            trader.minute.add(now_s, count)
        if found.orders:
            trader.left[number] = _Left(found.orders)
        if found.adds_risk:
            trader.contents.extend((now_s, one.content) for one in found.orders)

    def _others_usd(self, name: TraderId) -> Usd:
        """Exposure of the other traders; of one that is not known, all that it may have."""
        total = 0
        for other, trader in self._traders.items():
            if other != name:
                facts = self._facts.facts(other) or trader.known
                limit = trader.account.limits.max_account_usd
                found = None
                if facts is not None:
                    found = total_usd(exposures(facts, weighing_unseen(trader.orders, facts)))
                total += limit if found is None else found
        return Usd(total)

    def _read_restored(self) -> None:
        """Give orders that were restored their sizes, once what is listed is known."""
        universe = self._facts.universe()
        if self._unread and universe:
            for left, action in self._unread:
                if is_allowed(action):
                    left.orders = wanted_orders(action, universe)
            self._unread.clear()

    def _forget_what_shows(self, trader: _Trader, facts: AccountFacts) -> None:
        if len(trader.left) > MOST_LEFT:  # a flood of exits while nothing can be seen of them
            for number, left in list(trader.left.items()):
                if left.settled_s is not None and all(one.reduce_only for one in left.orders):
                    del trader.left[number]
        if facts.trouble or not trader.left:
            return
        told_s = self._now_s() - facts.state_age_s
        if told_s < trader.shown_s + _SAME_S:
            return  # what was settled since then came after that state
        trader.shown_s = told_s
        for number, left in list(trader.left.items()):
            if left.settled_s is not None and told_s >= left.settled_s + SURE_S:
                del trader.left[number]

    def _observe_all(self) -> None:
        most = self._overall.max_day_loss_usd
        lost = sum(day_loss_usd(self._marks[one]) for one in self._traders if one in self._marks)
        text = ""
        if lost >= most:
            text = f"all traders lost {_usd(lost)} today, limit {_usd(most)}"
            if not self._all_loss:
                self._stop(EVERYBODY, text)
        self._all_loss = text

    def _stop(self, scope: TraderId | str, reason: str) -> None:
        self._is_dirty = True
        cause = Cause(
            scope=scope,
            level=Level.STOPPED,
            by=GATE,
            reason=reason,
            since_ms=self._clock.now_ms(),
        )
        self._safety.engage(cause)
        with contextlib.suppress(StorageError):  # the ladder has it; this is where it stood
            self.save()

    def _names(self, scope: TraderId | str) -> list[TraderId]:
        return [name for name in self._traders if scope in {EVERYBODY, name}]


def _usd(value: int) -> str:
    return f"{format_fixed(value, USD_DECIMALS)} USDC"
