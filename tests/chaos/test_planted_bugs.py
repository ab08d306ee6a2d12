"""Deliberate bugs in the kernel, each in a copy of it: the tests must notice every one.

What is planted is text; a bug whose text no longer occurs fails by itself, so that the list stays
true when the kernel changes. The copy runs interpreted: compiling it 20 times would take minutes.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "virtual-exchange" / "src" / "perp_engine"
WATCHERS = (
    "tests/unit/perp_engine/test_scenarios.py",
    "tests/unit/perp_engine/test_golden.py",
    "tests/property/test_oracle.py",
)

BUGS = {
    "a fee is rounded down": (
        "ledger.py",
        "    return mul_div_ceil(price * size, rate, RATE_ONE)",
        "    return mul_div_floor(price * size, rate, RATE_ONE)",
    ),
    "a partial close releases its basis rounded down": (
        "ledger.py",
        "mul_div_half_even(cost, closed, abs(held))",
        "mul_div_floor(cost, closed, abs(held))",
    ),
    "funding pays in the wrong direction": (
        "ledger.py",
        "        if rate < 0:\n            payment = -payment",
        "        if rate > 0:\n            payment = -payment",
    ),
    "an isolated loss is taken from cash": (
        "ledger.py",
        "        m[a + CASH] += max(value, 0)",
        "        m[a + CASH] += value",
    ),
    "a tier begins above its bound": (
        "margin.py",
        "m[tier + TIER_WORDS + TIER_FLOOR] <= notional",
        "m[tier + TIER_WORDS + TIER_FLOOR] < notional - 1_000_000",
    ),
    "maintenance forgets the deduction": (
        "margin.py",
        "RATE_ONE) - m[tier + TIER_DEDUCTION]",
        "RATE_ONE)",
    ),
    "a guard lies beyond the price that liquidates": (
        "margin.py",
        "    return max(half, lethal) if size > 0 else min(half, lethal, 4 * mark)",
        "    return max(2 * lethal - mark, 1) if size > 0 else min(2 * lethal - mark, 4 * mark)",
    ),
    "a through limit is met at its price": (
        "orders.py",
        "if m[THROUGH] else 0",
        "if False else 0",
    ),
    "a stop looks the other way": (
        "orders.py",
        "(m[o + ORDER_KIND] == STOP) != buys",
        "(m[o + ORDER_KIND] == STOP) == buys",
    ),
    "a sibling keeps its size": (
        "orders.py",
        "                m[o + ORDER_SIZE] -= size\n",
        "                m[o + ORDER_SIZE] -= 0\n",
    ),
    "reduce-only orders do not follow the position": (
        "orders.py",
        "            elif m[o + ORDER_SIZE] > room or (",
        "            elif False and m[o + ORDER_SIZE] > room or (",
    ),
    "a buyer slips in his favour": (
        "filling.py",
        "quote = touch + side * mul_div_ceil(touch, rate, RATE_ONE)",
        "quote = touch - side * mul_div_ceil(touch, rate, RATE_ONE)",
    ),
    "a taker pays beyond his limit": (
        "filling.py",
        "quote = min(quote, limit) if side > 0 else max(quote, limit)",
        "quote = max(quote, limit) if side > 0 else min(quote, limit)",
    ),
    "a fill at once is not charged in the margin check": (
        "filling.py",
        "need = fee_of(price, size, fee_rate) + max(0, side * (price - mark)) * size",
        "need = 0",
    ),
    "the kinder extreme comes first": (
        "path.py",
        "        return m[p + SIZE] < 0\n",
        "        return m[p + SIZE] > 0\n",
    ),
    "the volume cap is not used up": (
        "path.py",
        "    m[p + MAKER_BUDGET] -= size\n",
        "    m[p + MAKER_BUDGET] -= 0\n",
    ),
    "the backstop leaves the money behind": (
        "liquidation.py",
        "    insure(m, account, symbol, -value, time_ms)",
        "    insure(m, account, symbol, -value // 2, time_ms)",
    ),
    "a large position is sold whole": (
        "liquidation.py",
        "        size = (size + 4) // 5",
        "        size = (size + 4) // 1",
    ),
    "post-only orders take": (
        "admission.py",
        "if m[o + ORDER_TIF] == ALO and crossing:",
        "if m[o + ORDER_TIF] == ALO and not crossing and False:",
    ),
    "a modified order keeps its margin": (
        "orders.py",
        "    m[a + ORDER_MARGIN] -= m[o + ORDER_HELD]\n",
        "    m[a + ORDER_MARGIN] -= 0\n",
    ),
    "an expired order lives on for a bar": (
        "timers.py",
        "if 0 < m[o + ORDER_EXPIRES] <= time_ms:",
        "if 0 < m[o + ORDER_EXPIRES] < time_ms:",
    ),
    "the day that begins counts for its own tier": (
        "timers.py",
        "            m[volumes + day % VOLUME_DAYS] = 0\n",
        "            m[volumes + day % VOLUME_DAYS] += 0\n",
    ),
    "a delisted coin keeps its positions": (
        "timers.py",
        "        settle(m, account, symbol, time_ms)\n",
        "        pass\n",
    ),
}


@pytest.mark.parametrize("bug", BUGS)
def test_planted_bug_is_caught(
    bug: str, tmp_path: Path, figure: Callable[[str, str], None]
) -> None:
    """Some test of the engine fails on the copy."""
    name, right, wrong = BUGS[bug]
    copy = tmp_path / "perp_engine"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    path = copy / "kernel" / name
    text = path.read_text()
    assert right in text, f"{name} no longer says {right!r}"
    path.write_text(text.replace(right, wrong))
    watching = [watcher for watcher in WATCHERS if (ROOT / watcher).exists()]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *watching],
        cwd=ROOT,
        env=os.environ
        | {"PYTHONPATH": f"{tmp_path}:{ROOT}", "NUMBA_DISABLE_JIT": "1"}
        | {"HYPOTHESIS_PROFILE": "default"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1, f"nobody noticed that {bug}\n{result.stdout[-2000:]}"
    figure("B1", f"of {len(BUGS)} planted in the engine caught")
