"""The two tables: how fast, and whether it is the same work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common import SWEEP, Outcome, Series
from reference import CONVENTIONS, RULES, WORKS, same

TITLES = {
    "a": "(a) SMA 20/100 cross, market orders",
    "b": "(b) two fresh quotes a bar",
    "c": "(c) brackets, take-profit and stop",
    "d": "(d) a strategy that does nothing",
    "e": "(e) 100 pairs of (a); bars x runs",
}
EQUAL = "equal"
LABEL, WIDTHS = 28, (8, 8, 7, 8, 7, 6, 6)
REMARKS = {
    ("raptorbt", "a"): "long half only",
    ("raptorbt", "e"): "long half only",
    ("vectorbt", "b"): "the order function does the matching",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """One engine at one work, medians of the rounds.

    Attributes:
        rate: bars a second.
        ours: rate of each driver of ours in the same rounds.
        ratios: how many times faster ours was, round by round, then the median.
        rounds: how many there were; 0 if it was not run, and `remark` says why.
    """

    name: str
    work: str
    version: str = ""
    rate: float = 0.0
    ours: Mapping[str, float] | None = None
    ratios: Mapping[str, float] | None = None
    memory_mb: int | None = None
    rounds: int = 0
    outcome: Outcome | None = None
    remark: str = ""


def rate(value: float) -> str:
    """Three figures and a unit."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            shown = value / size
            return f"{shown:.0f}{unit}" if shown >= 100 else f"{shown:.3g}{unit}"
    return f"{value:.0f}"


def times(value: float | None) -> str:
    """A ratio with two figures."""
    if value is None:
        return "-"
    return f"{value:,.0f}x" if value >= 10 else f"{value:.2g}x"


def cells(measured: Measured) -> list[str]:
    """A row of the speed table."""
    label = f"{measured.name} {measured.version}"
    if not measured.rounds:
        return [f"{label:<{LABEL}}", measured.remark]
    row = [f"{label:<{LABEL}}", f"{rate(measured.rate):>8}"]
    for driver in ("jitted", "callback"):
        mine = (measured.ours or {}).get(driver)
        row.append(f"{rate(mine) if mine else '-':>8}")
        row.append(f"{times((measured.ratios or {}).get(driver)):>7}")
    return [*row, f"{measured.memory_mb or '-':>6}", f"{measured.rounds:>6}", remark_of(measured)]


def remark_of(measured: Measured) -> str:
    """What must be known of a figure."""
    remarks = [REMARKS.get((measured.name, measured.work), "")]
    share = measured.outcome.share if measured.outcome else 1.0
    if share < 1:
        remarks.append(f"scaled from {round(share * len(SWEEP))} runs")
    return "; ".join(remark for remark in remarks if remark)


def print_speed(rows: Sequence[Measured], series: str) -> None:
    """Bars a second and ratios, work by work."""
    print(f"\nSpeed, {series}: bars a second, ours in the same rounds, and how many times faster")
    heads = ("bars/s", "jitted", "ratio", "callback", "ratio", "MB", "rounds")
    head = " ".join(f"{text:>{width}}" for text, width in zip(heads, WIDTHS, strict=True))
    for work, title in TITLES.items():
        mine = [row for row in rows if row.work == work]
        if mine:
            print(f"\n  {title}\n    {'':<{LABEL}} {head}")
        for row in mine:
            print("    " + " ".join(cells(row)).rstrip())


def print_agreement(
    rows: Sequence[Measured], ours: Mapping[tuple[str, str], Outcome], series: Series
) -> None:
    """Orders, fills and profit of everybody, beside those of the work in plain Python."""
    print(f"\nAgreement, {series.bars:,} bars: what was done, beside the work in plain Python")
    used: set[str] = set()
    for work, play in WORKS.items():
        done = {f"ours, {driver}": did for (driver, mine), did in ours.items() if mine == work}
        done |= {row.name: row.outcome for row in rows if row.work == work and row.outcome}
        if not done:
            continue
        print(
            f"\n  {TITLES[work]}\n    {'':<{LABEL}} {'orders':>9} {'fills':>8} {'profit USD':>14}"
        )
        print("    " + agreement_line("plain Python", play(series, ()), ""))
        for name, outcome in done.items():
            rules = CONVENTIONS.get((name, work), ())
            verdict = judge(work, outcome, rules, series)
            used |= set(rules) if verdict != EQUAL else set()
            print("    " + agreement_line(name, outcome, verdict))
    told = [f"    {rule}: {text}" for rule, text in RULES.items() if rule in used]
    print(
        "\n".join(["\n  Rules by which an engine reads the work otherwise", *told]) if told else ""
    )


def judge(work: str, outcome: Outcome, rules: Sequence[str], series: Series) -> str:
    """Equal, equal to the plain text under the engine's rules, or neither."""
    if same(outcome, WORKS[work](series, ())):
        return EQUAL
    expected = WORKS[work](series, rules)
    if same(outcome, expected):
        return f"equal under {', '.join(rules)}"
    return f"DIFFERS from {expected.orders:,} {expected.fills:,} {expected.profit:,.2f}"


def agreement_line(name: str, outcome: Outcome, verdict: str) -> str:
    """A row of the table of agreement."""
    numbers = [
        f"{value:,}" if value is not None else "-" for value in (outcome.orders, outcome.fills)
    ]
    profit = "-" if outcome.profit is None else f"{outcome.profit:,.2f}"
    return f"{name:<{LABEL}} {numbers[0]:>9} {numbers[1]:>8} {profit:>14}  {verdict}".rstrip()
