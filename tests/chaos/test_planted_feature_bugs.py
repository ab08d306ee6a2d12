"""Deliberate bugs in the features, each in a copy of them: the test that is named must notice it.

What is planted is text; a bug whose text no longer occurs fails by itself. The copy runs
interpreted, since compiling it for each would take minutes.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "strategy-agent" / "src" / "strategy_core"
FEATURES = "tests/unit/strategy_core/ict/test_features.py::"
STRUCTURES = "tests/unit/strategy_core/ict/test_structures.py::"
ORACLE = "tests/property/test_ict_features.py::"
FEW = f"{ORACLE}test_a_few_bars_of_few_prices_are_as_defined"
EVERY = f"{ORACLE}test_every_change_is_at_the_bar_of_the_definition"
ANY = f"{ORACLE}test_any_bar_is_as_defined_from_the_bars_before_it"
EXAMPLE = f"{FEATURES}test_the_worked_example_is_what_the_step_says"

BUGS = {
    "a swing is known a bar early": (
        "structure.py",
        "    pivot = t - WING\n",
        "    pivot = t - WING + 1\n",
        FEW,
    ),
    "of equal highs none is a swing": (
        "structure.py",
        "if not level >= sign * f[column",
        "if not level > sign * f[column",
        FEW,
    ),
    "a continuation counts as a change of character": (
        "structure.py",
        "1.0 if side == i[DIRECTION] else 0.5",
        "0.5 if side == i[DIRECTION] else 1.0",
        EXAMPLE,
    ),
    "a swing dies a bar early": (
        "structure.py",
        "t - i[HIGH_AT] <= SWING_EXPIRY",
        "t - i[HIGH_AT] < SWING_EXPIRY",
        EVERY,
    ),
    "structure counts a bar too long": (
        "structure.py",
        "t - i[BREAK_AT] > STRUCTURE_EXPIRY",
        "t - i[BREAK_AT] > STRUCTURE_EXPIRY + 1",
        EVERY,
    ),
    "an order block lives a bar too long": (
        "zones.py",
        "_keep(f, i, BULL_BLOCKS, BLOCK_EXPIRY,",
        "_keep(f, i, BULL_BLOCKS, BLOCK_EXPIRY + 1,",
        EVERY,
    ),
    "a gap dies a bar early": (
        "zones.py",
        "_keep(f, i, BULL_GAPS, GAP_EXPIRY,",
        "_keep(f, i, BULL_GAPS, GAP_EXPIRY - 1,",
        EVERY,
    ),
    "a block is looked for one bar too far": (
        "zones.py",
        "max(t - BLOCK_SEARCH, 0) - 1",
        "max(t - BLOCK_SEARCH - 1, 0) - 1",
        EVERY,
    ),
    "a gap of exactly the smallest size counts by its last bit": (
        "zones.py",
        "> TIE * atr and body > 0.0",
        ">= 0.0 and body > 0.0",
        f"{FEATURES}test_a_gap_of_exactly_the_smallest_size_is_none",
    ),
    "a bar's volume is part of its own mean": (
        "feed.py",
        "for j in range(first, t):\n        total += f[VOLUME",
        "for j in range(first + 1, t + 1):\n        total += f[VOLUME",
        EXAMPLE,
    ),
    "a hole of sixty bars is not filled": (
        "feed.py",
        "missing > MOST_FILLED",
        "missing >= MOST_FILLED",
        f"{FEATURES}test_a_short_hole_is_filled_with_flat_bars",
    ),
    "the state is warm a bar early": (
        "feed.py",
        "i[BARS] <= WARM_UP",
        "i[BARS] < WARM_UP",
        f"{FEATURES}test_nothing_is_said_before_the_state_is_warm",
    ),
    "a reset keeps the last break": (
        "feed.py",
        "    f[:] = 0.0\n",
        "    f[: ATR + 1] = 0.0\n",
        f"{FEATURES}test_a_long_hole_forgets_the_last_break_where_none_follows",
    ),
    "a higher time frame ends with the first bar of the next": (
        "feed.py",
        "if (ts + interval_ms) % (FRAMES[k]",
        "if ts % (FRAMES[k]",
        ANY,
    ),
    "there is no floor below the range": (
        "feed.py",
        "ATR_FLOOR * f[CLOSE + (t & MASK)])",
        "0.0 * f[CLOSE + (t & MASK)])",
        FEW,
    ),
    "a swing is swept again and again": (
        "structure.py",
        "not i[HIGH_BROKEN] and not i[HIGH_SWEPT]",
        "not i[HIGH_BROKEN]",
        f"{STRUCTURES}test_a_swing_is_swept_once",
    ),
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("bug", BUGS)
def test_planted_bug_is_caught_by_the_test_that_is_named(bug: str, tmp_path: Path) -> None:
    name, right, wrong, watcher = BUGS[bug]
    copy = tmp_path / "strategy_core"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    path = copy / "ict" / "kernel" / name
    text = path.read_text()
    assert right in text, f"{name} no longer says {right!r}"
    path.write_text(text.replace(right, wrong))
    sources = os.pathsep.join([str(tmp_path), str(ROOT), *filter(None, sys.path)])
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", watcher],
        cwd=ROOT,
        env=os.environ
        | {"PYTHONPATH": sources, "NUMBA_DISABLE_JIT": "1", "HYPOTHESIS_PROFILE": "default"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1, f"nobody noticed that {bug}\n{result.stdout[-2000:]}"
    assert "1 failed" in result.stdout, result.stdout[-2000:]
