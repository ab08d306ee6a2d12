"""A quiet review changes nothing: the same lives with it, and with a full review at every turn."""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any, TypedDict

import msgspec
import pytest

from strategy_core.exits.manager import ExitManager, Review
from strategy_core.exits.memory import ExitMemory
from strategy_core.exits.quiet import EQUITY_MOVE, FAR, MARK_MOVE
from strategy_core.exits.rules import ExitRules
from strategy_core.exits.standing import maintenance_rate
from strategy_core.intents import ExitPlan
from strategy_core.port import Observation, observe
from suite.bars import HOUR_MS, MINUTE_MS
from suite.contracts.clock import AccountView, PositionView, PriceCross, WaitReply
from suite.contracts.hyperliquid_info import (
    UserFill,
)
from suite.contracts.venue import PlaceOrder
from suite.fixed import Usd
from suite.instrument import Instrument, MarginTier

START_MS = 1_746_403_200_000
PRICES = {"AAA": Decimal(100_000), "BBB": Decimal(2000), "CCC": Decimal(3)}
ONE_TIER = (MarginTier(lower_bound_usd=Usd(0), max_leverage=25),)
TWO_TIERS = (*ONE_TIER, MarginTier(lower_bound_usd=Usd(10**10), max_leverage=1))
TURNS = 60


@dataclass(kw_only=True)
class World:
    """An account on its own margin whose marks, money and orders go as chance has it."""

    chance: Random
    instruments: dict[str, Instrument]
    cash: Decimal = Decimal(10_000)
    now_ms: int = START_MS
    marks: dict[str, Decimal] = field(default_factory=lambda: dict(PRICES))
    sizes: dict[str, Decimal] = field(default_factory=dict)
    entries: dict[str, Decimal] = field(default_factory=dict)
    funding: dict[str, Decimal] = field(default_factory=dict)
    fills: list[UserFill] = field(default_factory=list)
    isolated: bool = False
    tids: int = 0

    def trade(self, coin: str, signed: Decimal, cloid: str | None = None) -> None:
        """Buy or sell at the mark; the fill is told, or sometimes not."""
        held, mark = self.sizes.get(coin, Decimal(0)), self.marks[coin]
        gain = Decimal(0)
        if held * signed < 0:
            gain = min(abs(signed), abs(held)) * (mark - self.entries[coin]).copy_sign(1)
            gain = gain if (mark > self.entries[coin]) == (held > 0) else -gain
        after = held + signed
        if held * after <= 0:
            self.entries[coin], self.funding[coin] = mark, Decimal(0)
        elif abs(after) > abs(held):
            worth = held * self.entries[coin] + signed * mark
            self.entries[coin] = round(worth / after, 8)
        self.cash += gain
        self.sizes[coin] = after
        self.tids += 1
        fill = UserFill(
            coin=coin, px=str(mark), sz=str(abs(signed)), side="B" if signed > 0 else "A",
            time=self.now_ms, startPosition=str(held), dir="", closedPnl=str(gain), hash="",
            oid=self.tids, crossed=True, fee="0", tid=self.tids,
            cloid=cloid if cloid is not None else msgspec.UNSET,
        )  # fmt: skip
        if self.chance.random() < 0.8:
            self.fills.append(fill)

    def go_on(self) -> None:
        """Let an hour pass: small moves mostly, at times a jump, a payment, or an order."""
        chance = self.chance
        self.now_ms += chance.choice([MINUTE_MS, HOUR_MS])
        for coin, mark in self.marks.items():
            width = 0.25 if chance.random() < 0.02 else 0.004
            self.marks[coin] = round(mark * Decimal(repr(1 + chance.gauss(0, width))), 4)
            self.marks[coin] = max(self.marks[coin], PRICES[coin] / 50)
        if chance.random() < 0.03:
            self.cash -= round(self.equity * Decimal(repr(chance.uniform(-0.5, 0.95))), 6)
        for coin, size in self.sizes.items():
            self.funding[coin] += size * self.marks[coin] * Decimal("0.00001")
        self.isolated = chance.random() < 0.02
        if chance.random() < 0.06:
            self.enter(chance.choice(list(self.marks)))
        if chance.random() < 0.02:
            self.there_and_back()

    def enter(self, coin: str) -> None:
        """Take a position of any leverage, small ones mostly; or turn the one there is."""
        share = self.chance.choice([0.1, 0.5, 1.0, 1.0, 3.0, 12.0]) * self.chance.choice([1, -1])
        worth = max(self.equity, Decimal(100)) * Decimal(repr(share))
        if signed := round(worth / self.marks[coin], 2):
            self.trade(coin, signed)

    def there_and_back(self) -> None:
        """Add to a position and take it off again: the size is as before, the entry is not."""
        coin = self.chance.choice(list(self.marks))
        part = round(self.sizes.get(coin, Decimal(0)) / 10, 2)
        if part:
            self.trade(coin, part)
            self.trade(coin, -part)

    @property
    def gains(self) -> dict[str, Decimal]:
        """Of every open position, USD."""
        return {c: q * (self.marks[c] - self.entries[c]) for c, q in self.sizes.items() if q}

    @property
    def equity(self) -> Decimal:
        """Account value, USD."""
        return self.cash + sum(self.gains.values(), Decimal(0))

    def account(self) -> AccountView:
        """What the venue reports of it; now and then a liquidation price out of nowhere."""
        needed = sum((self._needed(coin) for coin in self.gains), Decimal(0))
        rows = []
        for coin, gain in self.gains.items():
            size, mark = self.sizes[coin], self.marks[coin]
            rate = self._needed(coin) / (abs(size) * mark)
            price = mark + (self.equity - needed) / (abs(size) * rate - size)
            if self.chance.random() < 0.01:
                price = mark * (1 - Decimal("0.0005").copy_sign(size))
            position = PositionView(
                coin=coin,
                size=size,
                entry_px=self.entries[coin],
                unrealized_pnl=gain,
                leverage=25,
                isolated=self.isolated,
                margin_used=self._needed(coin),
                liquidation_px=round(price, 12) if price > 0 else None,
                funding=self.funding[coin],
            )
            rows.append(position)
        return AccountView(
            equity=self.equity,
            cross_equity=self.equity,
            margin_used=Decimal(0),
            positions=tuple(rows),
        )

    def _needed(self, coin: str) -> Decimal:
        notional = abs(self.sizes[coin]) * self.marks[coin]
        return notional * maintenance_rate(self.instruments[coin], notional)

    def seen(self) -> tuple[Observation, AccountView | None]:
        """What a trader sees of it; the ranges are there or not."""
        account = self.account()
        snapshots = {}
        for coin, mark in self.marks.items():
            share = self.chance.uniform(0.002, 0.1)
            share = 5.0 if self.chance.random() < 0.01 else share
            block = {"open_time_ms": self.now_ms - HOUR_MS, "atr_14": float(mark) * share}
            block["close"] = float(mark) * self.chance.uniform(0.9, 1.1)
            if self.chance.random() < 0.7:
                snapshots[coin] = {"intervals_data": {"60": block}}
        reply = WaitReply(
            now_ms=self.now_ms, step_seq=1, woke_by=("time",), fills=tuple(self.fills),
            account=account, snapshots=snapshots,
            mids={coin: f"{mark:f}" for coin, mark in self.marks.items()},
        )  # fmt: skip
        self.fills = []
        seen = observe(reply, account=account, verdicts=())
        if self.chance.random() < 0.02:
            return seen, None
        return seen, account


def rules_by(chance: Random) -> ExitRules:
    """Rules as most traders have them; some ask for more, or for less."""
    said: dict[str, Any] = {"liquidation_buffer": chance.choice([0.25, 0.25, 2.0])}
    if chance.random() < 0.3:
        said |= {"margin_guard": False}
    if chance.random() < 0.2:
        said |= {"margin_usage_max": 0.3, "margin_usage_safe": 0.29}
    if chance.random() < 0.15:
        said |= chance.choice([{"smart": True}, {"time_stop": True}, {"structure_trail": True}])
    return msgspec.convert(said, ExitRules)


class Ages(TypedDict):
    """How old what is known is."""

    mark_age_ms: int
    account_age_ms: int


def manager_of(world: World, rules: ExitRules, memory: ExitMemory) -> ExitManager:
    return ExitManager(
        rules, trader_id="t", interval_ms=HOUR_MS, instruments=world.instruments, memory=memory
    )


def remembered(memory: ExitMemory) -> dict[str, Any]:
    """All that both lives must have in common."""
    whole: dict[str, Any] = msgspec.to_builtins(memory)
    del whole["quiet"]
    return whole


def off(quiet: Review, full: Review, marks: dict[str, Decimal]) -> Decimal:
    """By how much the prices waited for differ, as the largest share of their distance.

    The liquidation buffer may have grown beside. A price near 0 or at many times the mark is waited
    for by one and not by the other.
    """
    worst = Decimal(0)
    asked = [{_name(c): c for c in r.watch.wake_on.price} for r in (quiet, full)]
    for coin, way in asked[0].keys() | asked[1].keys():
        pair = [_prices(review, coin, way) for review in (quiet, full)]
        mark = marks[coin]
        if len(pair[0]) != len(pair[1]):
            lone = pair[0] or pair[1]
            assert all(abs(price - mark) > Decimal("0.8") * mark for price in lone[:1] + lone[-1:])
            continue
        buffer = (FAR / 2 - MARK_MOVE) * mark / (1 - MARK_MOVE)
        for old, new in zip(*pair, strict=True):
            beyond = max(Decimal(0), abs(old - new) - buffer)
            worst = max(worst, beyond / abs(new - mark))
    return worst


def _name(cross: PriceCross) -> tuple[str, str]:
    return cross.coin, "above" if cross.above is not None else "below"


def _prices(review: Review, coin: str, way: str) -> list[Decimal]:
    crosses = [cross for cross in review.watch.wake_on.price if _name(cross) == (coin, way)]
    return sorted((cross.above or cross.below or Decimal(0)) for cross in crosses)


def live(seed: int, counts: Counter[str]) -> None:
    """One life, reviewed quietly where that may be and, beside it, in full at every turn."""
    chance = Random(seed)
    tiers = chance.choice([ONE_TIER, TWO_TIERS])
    coins = {coin: Instrument(coin=coin, sz_decimals=2, tiers=tiers) for coin in PRICES}
    world, rules = World(chance=chance, instruments=coins), rules_by(chance)
    quietly, unkilled, always = (ExitMemory() for _ in range(3))
    manager, twin, judge = (manager_of(world, rules, m) for m in (quietly, unkilled, always))
    for coin in chance.sample(list(PRICES), chance.choice([1, 2, 3])):
        world.enter(coin)
    for _ in range(TURNS):
        if chance.random() < 0.3:  # the trader was killed, and goes on from what was written
            raw = msgspec.json.encode(quietly)
            quietly = msgspec.json.decode(raw, type=ExitMemory)
            manager = manager_of(world, rules, quietly)
        seen, account = world.seen()
        mark_ms, account_ms = (60_000 if chance.random() < 0.03 else 0 for _ in range(2))
        ages = Ages(mark_age_ms=mark_ms, account_age_ms=account_ms)
        before, always.quiet = quietly.quiet, None
        review = manager.review(seen, account, **ages)
        assert twin.review(seen, account, **ages) == review
        full = judge.review(seen, account, **ages)
        assert (full.actions, full.notes, full.closed) == (
            review.actions, review.notes, review.closed,
        )  # fmt: skip
        was_quiet = before is not None and quietly.quiet is before
        counts["quiet"] += was_quiet
        if was_quiet and tiers is ONE_TIER:
            assert off(review, full, dict(seen.mids)) < 2 * EQUITY_MOVE
        elif not was_quiet:
            assert full.watch == review.watch
        plans: list[ExitPlan] = []
        if chance.random() < 0.01:
            coin = chance.choice(list(PRICES))
            level = world.marks[coin] * Decimal("1.005")
            rule = chance.choice([f"price < {level:f}", f"close(1h) > {level:f}"])
            plans = [ExitPlan(coin=coin, invalidation=rule)]
        adopted, judged, _ = (one.adopt(plans, seen) for one in (manager, judge, twin))
        assert judged.actions == adopted.actions
        assert remembered(always) == remembered(quietly)
        counts.update(record.kind for record in review.closed)
        counts["turns"] += 1
        world.go_on()
        for action in (*review.actions, *adopted.actions):
            if isinstance(action, PlaceOrder) and action.order_type.trigger is None:
                counts["exits"] += 1
                world.trade(
                    action.coin, action.sz if action.is_buy else -action.sz, action.cloid or None
                )


@pytest.mark.parametrize("part", range(4))
def test_a_life_with_quiet_reviews_is_the_one_without(part: int) -> None:
    """Jumps, withdrawals, fills untold, ranges and reports out of nowhere, restarts: equal."""
    counts: Counter[str] = Counter()
    for seed in range(part * 50, part * 50 + 50):
        live(seed, counts)
    print(sorted(counts.items()))
    assert counts["quiet"] > 200
    assert min(counts["forced_liquidation"], counts["margin_guard"]) > 5
    assert min(counts["structure_invalidation"], counts["time_stop"]) > 0
