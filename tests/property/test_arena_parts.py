"""However a run is cut into parts, together they are the one run."""

import random
from pathlib import Path

import pytest
from tests.support.parts import (
    RULES,
    planned,
    put_together,
    run_jointly,
    work,
    world,
    write_traders,
)
from tests.support.stores import make_store

from virtual_exchange.application.report.results import canonical_report

WORLDS = (
    ("fees.tiers=hyperliquid",),
    ("mask=true", "latency=60000"),
    ("interval=5m", "capacity=200", "bar_path=ohlc"),
)


def split(seed: int) -> list[list[str]]:
    """Cut the traders into parts, and mix them."""
    generator = random.Random(seed)
    groups: dict[int, list[str]] = {}
    for name in generator.sample(sorted(RULES), len(RULES)):
        groups.setdefault(generator.randrange(3), []).append(name)
    return list(groups.values())


@pytest.mark.timeout(400)
@pytest.mark.parametrize("number", range(len(WORLDS)))
def test_parts_are_the_joint_run(tmp_path: Path, number: int) -> None:
    """The whole report is equal, byte for byte, its manifest included; so it is of other parts."""
    data = make_store(tmp_path / "data", "BTC", "ETH", minutes=400)
    traders = write_traders(tmp_path / "traders.yaml", RULES)
    request = world(traders, WORLDS[number], seed=7)
    joint, sha256 = canonical_report(run_jointly(traders, data, request))
    plan = planned(traders, data, request)
    for seed in (2 * number, 2 * number + 1):
        groups, kept = split(seed), tmp_path / f"kept-{seed}"
        assert [{"type": "done"}] * len(groups) == work(plan, kept, groups)
        report, same = canonical_report(put_together(plan, kept))
        assert sha256 == same, groups
        assert joint == report, groups
