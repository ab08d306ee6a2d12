"""Random and adversarial decisions against the gate, judged by a second implementation."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

import msgspec
import pytest
from tests.support.limit_checker import DayChecker, LimitChecker
from tests.support.risk_market import BAR_MS, INSTRUMENTS, RiskMarket
from tests.support.wild_intents import wild_decision

from strategy_core.intents import Intent, ParentOrder
from strategy_core.port import Observation
from strategy_core.risk.commands import Flatten, Pause, Resume, Stop
from strategy_core.risk.gate import RiskGate
from strategy_core.risk.limits import RiskLimits
from strategy_core.risk.memory import RiskMemory
from suite.contracts.venue import Action, PlaceOrder
from suite.enums import TraderStatus

IS_CHAOS = os.environ.get("HYPOTHESIS_PROFILE") == "chaos"
STREAMS = 10_000 if IS_CHAOS else 300
CHUNK = 1000 if IS_CHAOS else 75
BARS = 60
TROUBLES = ("stale_market", "stale_account", "unknown_order:BTC", "reconciling")


@dataclass
class Stream:
    """One trader from its first bar to its last, with what the checkers found."""

    seed: int
    seen: Counter[str] = field(default_factory=Counter)
    breaches: list[str] = field(default_factory=list)
    largest_loss: Decimal = Decimal(0)

    def play(self) -> "Stream":
        random = Random(f"{self.seed}")
        limits = _limits(random)
        market, memory = RiskMarket(random), RiskMemory()
        checker = LimitChecker(limits)
        days = DayChecker(Decimal(str(limits.max_day_loss)))
        for _ in range(BARS):
            gate = RiskGate(limits, symbols=("BTC", "ETH", "DOGE"), instruments=INSTRUMENTS,
                            memory=memory)  # fmt: skip
            days.look(market)
            seen = market.observe()
            trouble = tuple(name for name in TROUBLES if random.random() < 0.01)
            for change in gate.begin(seen, trouble=trouble):
                self.seen[f"{change.event}: {change.before} -> {change.after}"] += 1
            self._command(random, gate, seen.now_ms)
            market.send(gate.duties(seen))
            intents = wild_decision(random, market)
            guarded = gate.judge(intents, seen)
            assert len(intents) == len(guarded.verdicts)
            for verdict in guarded.verdicts:
                self.seen[verdict.rule or verdict.outcome] += 1
            checker.look(seen, guarded.actions, gate.status)
            self._reduces(gate, seen)
            market.send(tuple(_whole(item) for item in guarded.actions))
            memory = msgspec.json.decode(msgspec.json.encode(memory), type=RiskMemory)
            market.move()
        self.seen["checked"] += checker.checked
        self.breaches += checker.breaches + days.breaches
        self.largest_loss = days.largest
        return self

    def _command(self, random: Random, gate: RiskGate, now_ms: int) -> None:
        """Someone pauses, resumes, stops or closes now and then."""
        resumes = gate.status is not TraderStatus.LIVE and random.random() < 0.15
        if resumes or random.random() < 0.01:
            command = Resume(actor="a", reason="on") if resumes else random.choice(
                (
                    Pause(actor="a"), Stop(actor="a"), Flatten(actor="a"),
                )
            )  # fmt: skip
            gate.command(command, now_ms=now_ms, preflight_passed=random.random() < 0.5)

    def _reduces(self, gate: RiskGate, seen: Observation) -> None:
        """A reduce-only order of the whole position passes at any time."""
        for coin, held in seen.positions.items():
            order = PlaceOrder(coin=coin, is_buy=held.size < 0, sz=abs(held.size), reduce_only=True)
            (verdict,) = gate.judge([order], seen).verdicts
            if verdict.outcome != "accepted":
                self.breaches.append(f"{verdict}: {order}")


def _limits(random: Random) -> RiskLimits:
    if random.random() < 0.5:
        return RiskLimits()
    return RiskLimits(
        max_leverage=random.choice((0.5, 1.0, 10.0)),
        max_coin_exposure=random.choice((0.3, 1.0, 8.0)),
        max_order_notional=random.choice((0.2, 1.0, 20.0)),
        max_actions=random.choice((1, 3, 50)),
        max_open_orders=random.choice((2, 10, 100)),
        max_orders_per_minute=random.choice((2, 10, 300)),
        max_executions=random.choice((5, 100_000)),
        loss_streak=random.choice((1, 2, 8)),
        max_day_loss=random.choice((0.01, 0.03, 0.2)),
        drawdown_pause=random.choice((0.05, 0.3)),
        drawdown_stop=random.choice((0.35, 0.5)),
        duplicate_window_s=random.choice((0.1, 60.0)),
    )


def _whole(item: Intent) -> Action:
    """A parent order is sent at once here: the worst that working it can come to."""
    if isinstance(item, ParentOrder):
        return PlaceOrder(
            coin=item.coin, is_buy=item.is_buy, sz=item.sz, reduce_only=item.reduce_only
        )
    return item


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("first", range(0, STREAMS, CHUNK))
def test_no_decision_breaks_a_limit_nor_loses_more_than_a_day_may(
    first: int, testrun_uid: str, record_property: Callable[[str, object], None]
) -> None:
    """Every order that passed, every limit; a lost day ends with its positions closed."""
    base = int(hashlib.sha256(testrun_uid.encode()).hexdigest()[:8], 16) if IS_CHAOS else 0
    checked = 0
    for seed in range(base + first, base + first + CHUNK):
        stream = Stream(seed).play()
        assert stream.breaches == [], f"seed {seed}: {stream.breaches[:3]}"
        checked += stream.seen["checked"]
    record_property("streams", CHUNK)
    record_property("actions", checked)
    print(f"{CHUNK} streams, {checked} actions let through, 0 limit breaches")


def test_the_streams_reach_every_rule_and_every_status() -> None:
    """Agreement says little about what never happens: count what a few streams reach."""
    seen: Counter[str] = Counter()
    for seed in range(40):
        seen += Stream(seed).play().seen
    print(seen)
    rules = {
        "bad_form", "unknown_coin", "bad_number", "too_many_actions", "stopped", "paused",
        "coin_paused", "cool_down", "lot", "tick", "min_notional", "collar", "trigger_side",
        "reduce_only", "max_coin_exposure", "max_leverage", "max_order_notional", "margin",
        "margin_removal", "max_open_orders", "max_orders_per_minute", "duplicate",
    }  # fmt: skip
    assert set() == rules - set(seen)
    assert any(key.startswith("day_loss: LIVE -> PAUSED") for key in seen)
    assert any(key.startswith("drawdown_stop") for key in seen)
    assert any(key.startswith("healed") for key in seen)


def test_a_status_that_allows_nothing_new_lets_nothing_new_through() -> None:
    """The checker itself sees a breach when there is one."""
    market = RiskMarket(Random(1))
    checker = LimitChecker(RiskLimits())
    order = PlaceOrder(coin="BTC", is_buy=True, sz=Decimal("0.01"))
    checker.look(market.observe(), (order,), TraderStatus.PAUSED)
    huge = msgspec.structs.replace(order, sz=Decimal(50))
    checker.look(market.observe(), (huge,), TraderStatus.LIVE)
    assert len(checker.breaches) >= 3
    assert market.now_ms % BAR_MS == 0
