"""The engine against its second implementation: random worlds, equal to the last unit."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
from tests.support.oracle import Oracle
from tests.support.oracle.duel import play, shrink
from tests.support.oracle.traders import Trader
from tests.support.oracle.worlds import random_setting

from perp_engine.commands import Advance
from perp_engine.events import (
    ActionRejected,
    Event,
    Fill,
    InsuranceMoved,
    Liquidated,
    OrderClosed,
    OrderRejected,
)
from suite.enums import FillCause, MarginMode, OrderStatus
from suite.errors import RejectReason

IS_CHAOS = os.environ.get("HYPOTHESIS_PROFILE") == "chaos"
SEQUENCES = 10_000 if IS_CHAOS else 500
CHUNK = 500 if IS_CHAOS else 50

BY_HAND_ONLY = {RejectReason.TOO_MANY_OPEN_ORDERS, RejectReason.SCHEDULE_LIMIT}
"""Refusals that take a thousand orders or ten timers: the golden cases have them."""


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("first", range(0, SEQUENCES, CHUNK))
def test_engine_and_oracle_agree_after_every_command(
    first: int, testrun_uid: str, record_property: Callable[[str, object], None]
) -> None:
    """Every event and every account is the same; the long form draws new sequences each time."""
    base = int(hashlib.sha256(testrun_uid.encode()).hexdigest()[:8], 16) if IS_CHAOS else 0
    for seed in range(base + first, base + first + CHUNK):
        found = play(seed)
        assert found is None, f"seed {seed}\n{shrink(found)}"
    record_property("sequences", CHUNK)


def test_the_sequences_reach_every_refusal_and_every_kind_of_fill() -> None:
    """Agreement says little about what never happens: count what a hundred sequences reach."""
    reached: Counter[object] = Counter()
    for seed in range(100):
        for event in _events(seed):
            if isinstance(event, OrderRejected | ActionRejected):
                reached[event.reason] += 1
            elif isinstance(event, Fill):
                reached[event.cause, event.is_taker] += 1
            elif isinstance(event, Liquidated):
                reached[event.mode] += 1
            elif isinstance(event, InsuranceMoved):
                reached["insurance", event.usd > 0] += 1
            elif isinstance(event, OrderClosed):
                reached[event.status] += 1
    wanted = {
        *(set(RejectReason) - BY_HAND_ONLY),
        *((cause, True) for cause in FillCause),
        (FillCause.ORDER, False),
        *MarginMode,
        ("insurance", True),
        ("insurance", False),
        *(s for s in OrderStatus if s.terminal and not s.lower().endswith("rejected")),
    }
    assert wanted <= set(reached)


def _events(seed: int) -> list[Event]:
    random = Random(seed)
    setting = random_setting(random)
    oracle = Oracle(setting.instruments, setting.tape, setting.accounts, setting.rules)
    trader = Trader(random, oracle)
    events: list[Event] = []
    for command in trader.deposits():
        events.extend(oracle.apply(command))
    for _ in range(60):
        events.extend(oracle.apply(trader.command()))
    events.extend(oracle.apply(Advance(until_bar=setting.tape.length)))
    return events
