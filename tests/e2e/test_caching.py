"""Collectors that share a Redis answer with the bytes of one that has none, whatever it does."""

import itertools
import json
import urllib.request
from pathlib import Path

import pytest
from tests.support.cache_faults import FIRST, WAYS, answer, counted, stack
from tests.support.worlds import START_MS

from suite.contracts.market_data import JSON

pytestmark = pytest.mark.process


@pytest.mark.timeout(240)
def test_answers_are_equal_with_redis_on_off_flapping_flushed_frozen_and_stale(
    tmp_path: Path,
) -> None:
    with stack(tmp_path, seed=1) as running:
        for way in (*WAYS, "on"):
            running.live_through(way, 6)
    assert [] == running.differ
    assert set(WAYS) == set(running.asked)


@pytest.mark.timeout(240)
def test_what_one_collector_has_made_another_does_not_make_again(tmp_path: Path) -> None:
    """And each says whether it shares."""
    with stack(tmp_path, seed=2) as running:
        one, other, alone = running.collectors
        # A call that this machine is too slow for costs five seconds without: so ask until then.
        for number in itertools.count():
            path = f"/klines/BTC?start={START_MS + number}"
            first = answer(one, path, JSON)
            assert first == answer(other, path, JSON) == answer(alone, path, JSON)
            if counted(other)["shared"]:
                break
        assert 0 == counted(alone)["shared"]
        with urllib.request.urlopen(f"{alone}/ready", timeout=60) as reply:
            assert "redis" not in json.load(reply)
        running.redis.kill()
        while (told := readiness(one))["redis"] == "shared":
            pass
        assert "ok" == told["status"]
        assert FIRST <= len(json.loads(answer(one, "/klines/BTC", JSON)[2]))


def readiness(url: str) -> dict[str, str]:
    with urllib.request.urlopen(f"{url}/ready", timeout=60) as reply:
        found: dict[str, str] = json.load(reply)
        return found
