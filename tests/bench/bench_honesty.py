"""How often luck is taken for skill, and skill is seen: `python -m tests.bench.bench_honesty`.

Sweeps of worthless strategies of many kinds, and the share of them whose winner is called real;
then sweeps with one strategy of a known edge, and the share of them in which it is found. Prints
tables, and draws the second one with `--picture FILE.svg`. `--share` makes all counts smaller.
"""

import argparse
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from scipy import stats
from tests.support.noise_sweeps import NOISES, judged, noise, with_edge

DAYS: Final = 365
SIZES: Final = {1: 10_000, 10: 2_000, 100: 1_000, 1000: 200, 10_000: 40}
"""Sweeps by number of trials."""
EDGES: Final = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
POWERS: Final = ((1, DAYS), (10, DAYS), (100, DAYS), (1000, DAYS), (100, 3 * DAYS))
"""Trials and days of the sweeps with an edge."""
COLORS: Final = ("#2563eb", "#d97706", "#0d9488", "#9333ea", "#db2777")


def interval(hits: int, of: int) -> tuple[float, float]:
    """95 % interval of a share (Clopper, Pearson)."""
    found = stats.binomtest(hits, of).proportion_ci(0.95, method="exact")
    return float(found.low), float(found.high)


def counted(many: int, is_hit: Callable[[int], bool]) -> tuple[int, int]:
    """Count hits among seeds."""
    return sum(is_hit(seed) for seed in range(many)), many


def false_alarms(share: float, kinds: Collection[str]) -> None:
    """Print how often the best of worthless strategies of some kinds is called real."""
    print(f"\nWorthless strategies, {DAYS} days: share of sweeps whose winner is called real")
    print(f"{'kind':28}{'trials':>8}{'sweeps':>8}{'real':>7}{'share':>9}   95 % interval")
    whole, sweeps = 0, 0
    for place, kind in enumerate(NOISES):
        for trials, many in SIZES.items() if kind in kinds else ():
            begin = time.perf_counter()

            def is_real(seed: int, kind: str = kind, place: int = place, n: int = trials) -> bool:
                dice = np.random.default_rng([place, n, seed])
                return judged(noise(kind, dice, days=DAYS, trials=n)).real

            hits, of = counted(max(10, round(many * share)), is_real)
            whole, sweeps = whole + hits, sweeps + of
            low, high = interval(hits, of)
            print(
                f"{kind:28}{trials:8,}{of:8,}{hits:7}{hits / of:9.2%}   {low:.2%} to {high:.2%}"
                f"   {time.perf_counter() - begin:6.1f} s",
                flush=True,
            )
    low, high = interval(whole, sweeps)
    print(
        f"all: {whole} of {sweeps:,}, {whole / sweeps:.2%} ({low:.2%} to {high:.2%}); at most 5 %"
    )


def power(share: float) -> list[tuple[str, list[float]]]:
    """Print how often one strategy with an edge is found among worthless ones."""
    many = max(10, round(300 * share))
    print(f"\nOne strategy with a true Sharpe ratio a year, the others worthless: share of {many}")
    print("sweeps in which it is the winner and called real (in brackets: another one is)")
    print(f"{'trials':>8}{'days':>7}" + "".join(f"{edge:>15.0f}" for edge in EDGES))
    table = []
    for trials, days in POWERS:
        found, cells = [], ""
        for edge in EDGES:
            hits = wrong = 0
            for seed in range(many):
                dice = np.random.default_rng([trials, days, seed])
                daily = with_edge(noise("normal", dice, days=days, trials=trials), edge, [0])
                told = judged(daily)
                hits += told.real and told.winner == 0
                wrong += told.real and told.winner != 0
            found.append(hits / many)
            cells += f"{hits / many:8.0%} ({wrong / many:4.1%})"
        print(f"{trials:8,}{days:7}{cells}", flush=True)
        table.append((f"best of {trials:,}, {days} days", found))
    return table


def draw(table: Sequence[tuple[str, list[float]]], path: Path) -> None:
    """Draw power over edge."""
    wide, high, left, top = 560, 300, 60, 60

    def at(edge: float, found: float) -> str:
        x = left + wide * (edge - EDGES[0]) / (EDGES[-1] - EDGES[0])
        return f"{x:.0f} {top + high * (1 - found):.0f}"

    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 860 430">',
        "<title>How often an edge is found</title><style>",
        "svg { background: #fff; font: 13px ui-sans-serif, system-ui, sans-serif }",
        "text { fill: #1d2530 } .soft { fill: #5c6773 }",
        ".title { font-size: 16px; font-weight: 600 }",
        "path { fill: none; stroke-width: 2.2 } .grid { stroke: #dfe4ea; stroke-width: 1 }",
        "@media (prefers-color-scheme: dark) { svg { background: #12161c } text { fill: #e6ebf1 }",
        ".soft { fill: #98a4b2 } .grid { stroke: #2a323d } }</style>",
        '<text class="title" x="16" y="28">How often one strategy with an edge is found</text>',
    ]
    for step in range(0, 101, 25):
        y = top + high * (1 - step / 100)
        parts.append(f'<path class="grid" d="M{left} {y:.0f}h{wide}"/>')
        parts.append(f'<text class="soft" x="52" y="{y + 4:.0f}" text-anchor="end">{step} %</text>')
    for edge in EDGES:
        x = at(edge, 0).split()[0]
        parts.append(f'<text class="soft" x="{x}" y="382" text-anchor="middle">{edge:.0f}</text>')
    parts.append(
        f'<text class="soft" x="{left + wide / 2:.0f}" y="410" text-anchor="middle">'
        "true Sharpe ratio a year</text>"
    )
    for place, (name, found) in enumerate(table):
        line = "L".join(at(edge, share) for edge, share in zip(EDGES, found, strict=True))
        parts.append(f'<path stroke="{COLORS[place]}" d="M{line}"/>')
        y = top + 14 + 24 * place
        parts.append(f'<path stroke="{COLORS[place]}" d="M640 {y - 4}h22"/>')
        parts.append(f'<text x="670" y="{y}">{name}</text>')
    path.write_text("\n".join([*parts, "</svg>\n"]), "utf-8")
    print(f"\n{path} written")


def main() -> None:
    """Run both experiments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the number of sweeps")
    parser.add_argument("--picture", type=Path, help="SVG of the power")
    parser.add_argument("--kind", choices=NOISES, action="append", help="of noise alone; many")
    arguments = parser.parse_args()
    false_alarms(arguments.share, arguments.kind or NOISES)
    if arguments.kind:
        return
    table = power(arguments.share)
    if arguments.picture:
        draw(table, arguments.picture)


if __name__ == "__main__":
    main()
