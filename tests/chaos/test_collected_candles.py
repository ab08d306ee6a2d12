"""A million candles through a faulty stream, and a day of a venue collected live."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from tests.support.fault_proxy import Faults
from tests.support.faulty_market import Outcome, market, run

ROOT = Path(__file__).parents[2]
COINS, MINUTES = 50, 20_000


@pytest.mark.timeout(1800)
async def test_a_million_candles_lose_nothing_unrecorded_under_faults(
    figure: Callable[[str, str], None],
) -> None:
    faults = Faults(drop=0.05, repeat=0.05, reorder=0.05, garble=0.0005, reach=120)
    outcome = await run(market(COINS, MINUTES), faults)
    print(table(outcome))
    figure(
        "T2",
        f"{outcome.candles:,} candles, 5 % of frames dropped, 5 % repeated, 5 % reordered: "
        f"{outcome.lost} lost, {outcome.duplicated} duplicated, {outcome.wrong} wrong",
    )
    assert COINS * (MINUTES - 2) == outcome.candles
    assert (0, 0, 0) == (outcome.lost, outcome.duplicated, outcome.wrong)


def table(outcome: Outcome) -> str:
    rows = [
        (name.replace("_", " "), ", ".join(f"{kind} {count:,}" for kind, count in value.items()))
        if isinstance(value, dict)
        else (name, f"{value:,}")
        for name, value in asdict(outcome).items()
    ]
    return "\n".join(f"{name:>12}  {value}" for name, value in rows)


@pytest.mark.timeout(900)
def test_a_day_collected_at_a_thousand_times_the_speed_equals_its_source() -> None:
    name = "tests/e2e/test_collect.py::test_what_is_collected_live_equals_its_source"
    command = [sys.executable, "-m", "pytest", "-q", f"{name}_without_a_request"]
    command += ["-p", "no:cacheprovider", "--timeout", "600"]
    environment = os.environ | {"COLLECTED_MINUTES": "1440"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stdout[-3000:]
