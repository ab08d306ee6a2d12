"""Hostile streams against the live gate, at a venue that answers when it likes: no breach, ever."""

import os
from collections import Counter

import pytest
from tests.support.gate_streams import Stream

from hyperliquid_exchange.domain.gate import RULES

IS_CHAOS = os.environ.get("HYPOTHESIS_PROFILE") == "chaos"
STREAMS = 10_000 if IS_CHAOS else 400
CHUNK = 1_000 if IS_CHAOS else 100
NEVER_HERE = {"price", "budget"}
"""Rules that these streams give no occasion for."""


@pytest.mark.slow
@pytest.mark.timeout(3_600 if IS_CHAOS else 120)
@pytest.mark.parametrize("first", range(0, STREAMS, CHUNK))
def test_nothing_that_is_let_through_breaks_a_limit(first: int) -> None:
    seen: Counter[str] = Counter()
    for seed in range(first, first + CHUNK):
        stream = Stream(seed).play()
        assert [] == stream.checker.breaches, f"seed {seed}"
        seen += stream.seen

    assert seen["passed, adding"] > 10 * CHUNK
    assert not {name for name, _ in RULES if not seen[name]} - NEVER_HERE, seen
