"""Look after open positions between decisions: what ends them, where their stops stand.

The trader's loop calls `review` at every wake-up before the strategy is asked, and `adopt` with
what the strategy decided. Both change the memory, which is written to disk before an order leaves.
Time comes from observations alone, so a backtest, a step venue and live trading do the same, and an
observation seen again after a restart leads to the same orders under the same ids.

One exit of a position is on its way at a time; the first three of the seven take the place of any
other. Exits are reduce-only, so one that comes too late (a stop at the venue was faster) cannot
flip a position: the venue refuses it, and being flat is what was wanted. Nothing here asks whether
the trader is paused or stopped.
"""

from collections.abc import Collection, Container, Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from strategy_core.exits.facts import Sight, position_facts
from strategy_core.exits.invalidation import (
    MINUTES,
    Field,
    Invalidation,
    compile_rule,
    evaluate_rule,
    reader,
)
from strategy_core.exits.kinds import PREEMPTIVE, ExitKind, ExitState
from strategy_core.exits.ledger import follow, is_price, senseless
from strategy_core.exits.memory import CoinMemory, ExitMemory, ExitRecord, PendingExit
from strategy_core.exits.orders import LATE_MS, ExitOrders
from strategy_core.exits.plans import PlanFault, adopt_plans, expire_plans, says_of_exits
from strategy_core.exits.quiet import RANGE, QuietReviews
from strategy_core.exits.rules import ExitRules
from strategy_core.exits.seven import ACCOUNT_AGE_MAX_MS, PositionFacts, evaluate, trailing_begins
from strategy_core.exits.standing import Backing, standing_of
from strategy_core.exits.stops import (
    has_own_stop,
    outdated_stops,
    place_stop,
    stop_is_short,
    trailing_price,
    wanted_stop,
)
from strategy_core.exits.watch import TRAILING_BAR, Watch, crossings, levels, shortest, time_of
from strategy_core.intents import ExitPlan, Intent
from strategy_core.lattice import exact
from strategy_core.port import Instruments, Observation
from suite.bars import MINUTE_MS
from suite.contracts.clock import AccountView, Interval, PriceCross, WakeOn
from suite.contracts.venue import Action

MARK_AGE_MAX_MS: Final = 10_000
"""A mark older than this is replaced by the one in the position's own report."""
GUARD_PAUSE_MS: Final = 10_000
"""Between two positions that are given up: the first may be enough."""


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """What one look at the open positions has led to.

    Attributes:
        actions: to be carried out before the strategy's own: reduce-only orders, stops, and
            cancels of stops that were replaced.
        notes: what was done and why, for the journal.
        closed: positions that have come to their end since the last look.
        wrong: plans that could not be taken over, or not all of them.
        watch: what the next wait shall bring.
    """

    actions: tuple[Action, ...] = ()
    notes: tuple[str, ...] = ()
    closed: tuple[ExitRecord, ...] = ()
    wrong: tuple[PlanFault, ...] = ()
    watch: Watch = Watch()


class ExitManager:
    """Ends the positions of one trader.

    Args:
        rules: of the trader.
        trader_id: whose positions; part of every id.
        interval_ms: of the trader's bars.
        instruments: of the venue.
        memory: of an earlier life, or an empty one; changed in place.
    """

    def __init__(
        self,
        rules: ExitRules,
        *,
        trader_id: str,
        interval_ms: int,
        instruments: Instruments,
        memory: ExitMemory,
    ) -> None:
        self.memory = memory
        self._rules = rules
        self._interval_ms = interval_ms
        self._instruments = instruments
        self._trader_id = trader_id
        self._orders = ExitOrders(trader_id, rules)
        self._range = Field(RANGE, rules.atr_interval or _interval_within(interval_ms))
        self._asked = [kind for kind in ExitKind if rules.asked_for(kind)]
        self._reads_range = rules.structure_trail or any(
            kind in self._asked
            for kind in (ExitKind.FORCED_LIQUIDATION, ExitKind.TRAILING_TAKE_PROFIT)
        )
        self._trails = rules.is_on(ExitKind.TRAILING_TAKE_PROFIT)
        minutes = str(MINUTES[self._range.interval])
        self._quiet = QuietReviews(rules, instruments, minutes)
        self._account: AccountView | None = None
        self._ages = (0, 0)
        self._foreign: Container[int] = ()
        self._reviewed: Watch | None = None
        follows = bool(self._asked)
        self._nothing = Review(watch=Watch(wake_on=WakeOn(fill=follows, liquidation=follows)))

    def review(
        self,
        observation: Observation,
        account: AccountView | None = None,
        *,
        account_age_ms: int = 0,
        mark_age_ms: int = 0,
        foreign: Container[int] = (),
    ) -> Review:
        """Look at every open position.

        Args:
            observation: what is known; its time is the time.
            account: the venue's own report where there is one: isolated margins, liquidation
                prices and funding are read from it.
            account_age_ms, mark_age_ms: how old they are; 0 on a venue that owns time.
            foreign: venue's ids of open orders that are not the trader's; they are never touched.
        """
        self._account, self._ages = account, (account_age_ms, mark_age_ms)
        self._foreign = foreign
        memory = self.memory
        if not (memory.coins or memory.coming or observation.positions or observation.fills):
            self._reviewed = None if memory.guarding else self._nothing.watch
            return self._nothing
        fresh = mark_age_ms <= MARK_AGE_MAX_MS
        if fresh and self._quiet.holds(memory, observation, account) and memory.quiet:
            self._reviewed = Watch(wake_on=memory.quiet.wake_on)
            return Review(watch=self._reviewed)
        memory.quiet = None
        odd = senseless(observation)
        closed, notes = follow(memory, observation, odd)
        notes += [_told(record) for record in closed]
        notes += expire_plans(memory, observation, self._interval_ms)
        backings = self._backings(observation, odd)
        for coin, held in sorted(memory.coins.items()):
            notes += self._orders.settle(held, observation.now_ms)
            if coin in backings:
                held.see(backings[coin].mark)
                held.funding = backings[coin].funding
        sights = self._look(observation, backings)
        goes = self._given_up(sights, observation.now_ms)
        told = len(notes)
        actions = self._act(sights, observation, notes, goes=goes, again=True)
        watch = self._watch(observation, sights)
        self._reviewed = None if actions or len(notes) > told else watch
        if fresh and not actions:
            self._quiet.note(memory, sights, watch.wake_on)
        return Review(actions=actions, notes=tuple(notes), closed=tuple(closed), watch=watch)

    def adopt(
        self,
        plans: Sequence[ExitPlan],
        observation: Observation,
        intents: Sequence[Intent] = (),
    ) -> Review:
        """Take over what a decision says about exits, and end what it says is wrong.

        Args:
            plans: of the decision.
            observation: that it was based on, and that was reviewed.
            intents: its orders: entries whose legs tell where stop and target stand, and which of
                them open a position on the other side of the one there is.

        Returns:
            Exits that follow from the plans, what could not be taken over and why, and what the
            next wait shall bring, in place of the review's: the same where the decision says
            nothing of exits and the review has done nothing.
        """
        if self._reviewed is not None and not says_of_exits(plans, intents):
            return Review(watch=self._reviewed)
        return self._adopt(plans, observation, intents)

    def _adopt(
        self,
        plans: Sequence[ExitPlan],
        observation: Observation,
        intents: Sequence[Intent],
    ) -> Review:
        notes: list[str] = []
        self.memory.quiet = None
        wrong = adopt_plans(
            self.memory,
            plans,
            intents,
            observation,
            rules=self._rules,
            interval_ms=self._interval_ms,
            instruments=self._instruments,
        )
        sights = self._look(observation, self._backings(observation, senseless(observation)))
        actions = self._act(sights, observation, notes)
        return Review(
            actions=actions,
            notes=tuple(notes),
            wrong=tuple(wrong),
            watch=self._watch(observation, sights),
        )

    def _backings(self, observation: Observation, odd: Collection[str]) -> dict[str, Backing]:
        """Where each position stands that has a price; by our own sums if the report has none."""
        old = self._ages[1] > MARK_AGE_MAX_MS
        try:
            standing = standing_of(observation, self._instruments, self._account, marks_are_old=old)
        except (ValueError, ArithmeticError):
            # a venue may report anything; what it said of the positions themselves was read
            standing = standing_of(observation, self._instruments, None, marks_are_old=old)
        return {
            coin: backing
            for coin, backing in standing.backings.items()
            if is_price(backing.mark) and coin not in odd
        }

    def _look(self, observation: Observation, backings: Mapping[str, Backing]) -> list[Sight]:
        """See every open position of a known coin as it is now, by coin."""
        sights: list[Sight] = []
        for coin, held in sorted(self.memory.coins.items()):
            backing = backings.get(coin)
            if backing is None or coin not in self._instruments:
                continue
            value_of = reader(observation.snapshots.get(coin), backing.mark, observation.now_ms)
            rule = self._rule(held)
            atr = value_of(self._range)
            atr = atr if atr is not None and is_price(atr) else None
            facts = position_facts(
                held,
                backing,
                self._rules,
                now_ms=observation.now_ms,
                interval_ms=self._interval_ms,
                account_age_ms=self._ages[0],
                atr=atr,
                invalidated=evaluate_rule(rule.rule, value_of) if rule else None,
            )
            if held.trailing or (self._trails and trailing_begins(facts, self._rules)):
                facts = replace(facts, trailing_price=trailing_price(held, atr))
            sights.append(Sight(held, backing, facts, rule, value_of))
        return sights

    def _rule(self, held: CoinMemory) -> Invalidation | None:
        """Rule of the strategy's own that is to be watched."""
        text = held.plan.invalidation if held.plan else ""
        if not text or not self._rules.is_on(ExitKind.STRUCTURE_INVALIDATION):
            return None
        return compile_rule(text)

    def _given_up(self, sights: Sequence[Sight], now_ms: int) -> str:
        """Choose the position that goes for the account's sake; empty for none."""
        known = (sight.facts.margin_usage for sight in sights)
        usages = [usage for usage in known if usage is not None]
        if self._ages[0] > ACCOUNT_AGE_MAX_MS or not usages:
            return ""
        memory, safe = self.memory, exact(self._rules.margin_usage_safe)
        if max(usages) >= exact(self._rules.margin_usage_max):
            memory.guarding = True
        elif max(usages) < safe:
            memory.guarding = False
        paused = memory.guarded_ms is not None and now_ms - memory.guarded_ms < GUARD_PAUSE_MS
        if not memory.guarding or paused:
            return ""
        in_trouble = [
            (sight.facts.roe, sight.held.coin)
            for sight in sights
            if sight.facts.roe is not None
            and (sight.facts.margin_usage or 0) >= safe
            and (sight.held.pending is None or sight.held.pending.kind not in PREEMPTIVE)
        ]
        return min(in_trouble)[1] if in_trouble else ""

    def _act(
        self,
        sights: Sequence[Sight],
        observation: Observation,
        notes: list[str],
        *,
        goes: str = "",
        again: bool = False,
    ) -> tuple[Action, ...]:
        """Send what each position needs: an exit, or a better stop.

        Args:
            sights: of all positions.
            observation: what is known.
            notes: what is done is added.
            goes: coin that is given up for the account's sake.
            again: what is on its way already may be sent again.
        """
        actions: list[Action] = []
        for sight in sights:
            facts = sight.facts
            if sight.held.coin == goes:
                facts = replace(facts, gives_up=True)
            actions += self._end(sight.held, facts, observation, notes, again=again)
            if sight.held.pending is None and has_own_stop(sight.held, self._rules):
                if again:
                    orders = observation.open_orders
                    actions += outdated_stops(sight.held, orders, foreign=self._foreign)
                actions += self._move_stop(sight.held, facts, observation, notes)
        return tuple(actions)

    def _end(
        self,
        held: CoinMemory,
        facts: PositionFacts,
        observation: Observation,
        notes: list[str],
        *,
        again: bool,
    ) -> list[Action]:
        """Send the exit of one position, if one of the seven fires or one is on its way."""
        instrument = self._instruments[held.coin]
        held.trailing = held.trailing or facts.trailing_price is not None
        found = evaluate(facts, self._rules)
        if (
            found.fired is ExitKind.PARTIAL_TAKE_PROFIT
            and held.pending is None
            and not self._orders.partial_size(held, instrument, facts.mark)
        ):
            held.partial_done = True
            notes.append(f"{held.coin} is too small to be closed in parts")
            found = evaluate(replace(facts, partial_done=True), self._rules)
        if found.fired is not None and self._orders.may_start(held, found.fired):
            if found.fired is ExitKind.MARGIN_GUARD:
                self.memory.guarded_ms = observation.now_ms
            sent = self._orders.start(held, found, facts.mark, instrument, observation)
        elif again:
            sent = self._orders.go_on(held, facts.mark, instrument, observation)
        else:
            return []
        if sent and held.pending is not None:
            notes.append(_why(held, held.pending))
        return sent

    def _move_stop(
        self,
        held: CoinMemory,
        facts: PositionFacts,
        observation: Observation,
        notes: list[str],
    ) -> list[Action]:
        """Bring the stop of one position to where it belongs."""
        now_ms, orders = observation.now_ms, observation.open_orders
        instrument = self._instruments[held.coin]
        price = wanted_stop(held, self._rules, instrument, mark=facts.mark, atr=facts.atr)
        if price is None and held.stop is not None and stop_is_short(held, orders, now_ms):
            price = held.stop.price
        if price is None:
            return []
        notes.append(f"{held.coin} stop moves to {price.normalize():f}")
        return [place_stop(held, self._trader_id, price, now_ms)]

    def _watch(self, observation: Observation, sights: Sequence[Sight]) -> Watch:
        """Say when to look again, and at what."""
        now_ms, rules = observation.now_ms, self._rules
        conditions: list[PriceCross] = []
        bars: list[Interval] = []
        times: list[int] = []
        for sight in sights:
            held = sight.held
            if held.pending is not None:
                times.append(held.pending.sent_ms + LATE_MS)
            if (due_ms := time_of(held, rules, now_ms)) is not None:
                times.append(due_ms)
            found = crossings(
                self._instruments[held.coin],
                sight.facts.mark,
                levels(held, sight.facts, sight.backing, rules),
                sight.rule,
                sight.value_of,
            )
            conditions += found
            if held.trailing:
                bars.append(TRAILING_BAR)
            if sight.rule is not None and sight.rule.bar is not None:
                bars.append(sight.rule.bar)
        if self.memory.guarding and self.memory.guarded_ms is not None:
            times.append(self.memory.guarded_ms + GUARD_PAUSE_MS)
        records = [*self.memory.coins.values(), *self.memory.coming.values()]
        follows = bool(self._asked) or any(record.plan or record.pending for record in records)
        wake_on = WakeOn(
            fill=follows,
            liquidation=follows,
            bar=shortest(bars),
            price=tuple(dict.fromkeys(conditions)),
        )
        snapshots, intervals = self._needs(records)
        ahead = [time for time in times if time > now_ms]
        return Watch(
            wake_on=wake_on,
            until_ms=min(ahead, default=None),
            snapshots=snapshots,
            intervals=intervals,
        )

    def _needs(self, records: Sequence[CoinMemory]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Name the coins and blocks whose market data the exits read."""
        if not (self._reads_range or any(record.plan for record in records)):
            return (), ()
        coins: set[str] = set()
        minutes: set[str] = set()
        for record in records:
            rule = self._rule(record)
            if rule is not None and rule.intervals:
                coins.add(record.coin)
                minutes.update(rule.minutes)
            if self._reads_range:
                coins.add(record.coin)
                minutes.add(str(MINUTES[self._range.interval]))
        return tuple(sorted(coins)), tuple(sorted(minutes, key=int))


def _interval_within(interval_ms: int) -> str:
    """Longest interval of a snapshot that an interval covers."""
    fitting = [name for name, minutes in MINUTES.items() if minutes * MINUTE_MS <= interval_ms]
    return fitting[-1] if fitting else next(iter(MINUTES))


def _why(held: CoinMemory, pending: PendingExit) -> str:
    """Tell of an exit that was sent, with what it was judged by."""
    values = next(item.values for item in pending.readings if item.kind is pending.kind)
    shown = ", ".join(f"{name} {text}" for name, text in values.items())
    again = f", order {pending.attempts}" if pending.attempts > 1 else ""
    what = "closes a part" if held.state is ExitState.REDUCING else "closes"
    return f"{held.coin} {what}: {pending.kind} ({shown}){again}"


def _told(record: ExitRecord) -> str:
    """Tell of a position that has ended."""
    risks = "" if record.gain_in_risks is None else f", {record.gain_in_risks:.2f} R"
    return f"{record.coin} closed by {record.kind}: net {record.net:.2f} USD{risks}"
