"""Ten thousand actions of the live proxy in virtual time, with the real pauses and expiries."""

from collections.abc import Callable

import pytest
from tests.support.simulated_live import simulate

INTENTS, SEEDS = 500, 24


@pytest.mark.timeout(1200)
def test_twelve_thousand_intents_are_executed_once_or_known_not_to_be(
    capsys: pytest.CaptureFixture[str], figure: Callable[[str, str], None]
) -> None:
    runs = [simulate(1000 + seed, INTENTS) for seed in range(SEEDS)]
    known_s = sorted(at_s for found in runs for at_s in found.known_s)
    fates = {name: sum(f.fates.get(name, 0) for f in runs) for name in ("answered", "never")}
    problems = [problem for found in runs for problem in found.problems]
    with capsys.disabled():
        print(
            f"\n{sum(f.intents for f in runs)} intents, {sum(f.crashes for f in runs)} crashes, "
            f"{fates}, problems: {len(problems)}; fate known after p50 "
            f"{known_s[len(known_s) // 2]:.1f} s, p90 {known_s[len(known_s) * 9 // 10]:.1f} s, max "
            f"{known_s[-1]:.0f} s; all known {max(f.healed_s for f in runs):.1f} s after healing"
        )
    figure(
        "D1",
        f"{sum(f.intents for f in runs):,} intents through the live proxy in virtual time: "
        f"{len(problems)} lost, doubled or believed wrongly",
    )
    assert [] == problems
    assert max(found.healed_s for found in runs) < 60
