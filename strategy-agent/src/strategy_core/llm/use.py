"""Sums up what a trader asked of language models, for its report."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec
import numpy as np

from strategy_core.llm.port import FaultKind
from strategy_core.llm.thought import Thought
from suite.bars import DAY_MS, I64
from suite.contracts.guards import DAYS_MAX, KINDS_MAX, ModelDay, ModelUse
from suite.fixed import USD_ONE

_OTHERS: Final = "others"
_SOURCES: Final = {
    "live": "asked live",
    "record": "asked and recorded",
    "replay": "replayed from a cassette",
}


class ModelTally(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Takes in thoughts, each once and oldest first; see `ModelUse`."""

    questions: int = 0
    answers: dict[str, int] = {}
    faults: dict[str, int] = {}
    flaws: dict[str, int] = {}
    tokens: int = 0
    paid_usd: int = 0
    recorded_usd: int = 0
    days: list[ModelDay] = []

    def add(self, thought: Thought, at_ms: int) -> None:
        """Take in what was thought at a time."""
        self.questions += 1
        if thought.source:
            _count(self.answers, (thought.source,), thought.calls)
        if thought.fault:
            _count(self.faults, (thought.fault.partition(":")[0],))
        _count(self.flaws, map(flaw_kind, thought.flaws))
        self.tokens += thought.tokens
        cost = int(thought.llm_cost_usd * USD_ONE)
        if thought.source == "replay":
            self.recorded_usd += cost
        else:
            self.paid_usd += cost
        if self.days and self.days[-1].from_ms // DAY_MS == at_ms // DAY_MS:
            last = self.days.pop()
            self.days.append(ModelDay(from_ms=last.from_ms, cost_usd=last.cost_usd + cost))
        else:
            self.days.append(ModelDay(from_ms=at_ms, cost_usd=cost))
        if len(self.days) > DAYS_MAX:
            oldest = self.days.pop(0)
            cost = oldest.cost_usd + self.days[0].cost_usd
            self.days[0] = ModelDay(from_ms=oldest.from_ms, cost_usd=cost)

    def summary(self) -> ModelUse:
        """All that was taken in so far."""
        return msgspec.convert(msgspec.to_builtins(self), ModelUse)


def bill_at(use: ModelUse, time_ms: I64) -> I64:
    """What models had cost by each of several times; a day's bill comes at its end, or the run's.

    Args:
        use: of a run.
        time_ms: shape (n,), rising, to the end of the run.

    Returns:
        Shape (n,), micro-USD.
    """
    ends_ms = np.array([one.from_ms // DAY_MS * DAY_MS + DAY_MS for one in use.days], np.int64)
    if len(time_ms):
        ends_ms = np.minimum(ends_ms, time_ms[-1])
    summed = np.cumsum([0, *(one.cost_usd for one in use.days)], dtype=np.int64)
    found: I64 = summed[np.searchsorted(ends_ms, time_ms, side="right")]
    return found


def flaw_kind(flaw: str) -> str:
    """Read the kind of a flaw from its line."""
    return flaw.partition(":")[0].rpartition(" ")[2]


def _count(counts: dict[str, int], kinds: Iterable[str], by: int = 1) -> None:
    """Add to counts; a journal that others wrote may name anything, so kinds have a bound."""
    for told in kinds:
        kind = told[:64]
        if kind not in counts and len(counts) >= KINDS_MAX - 1:
            kind = _OTHERS
        counts[kind] = counts.get(kind, 0) + by


def hit_rate(uses: Iterable[ModelUse], failed: Mapping[str, str]) -> Iterator[str]:
    """Say in a few lines where all answers came from, and what they cost.

    Args:
        uses: of the traders that have come to their end.
        failed: traders that have not come to their end, and why.

    Yields:
        Nothing where no model was asked.
    """
    uses = tuple(uses)
    missed = sum(FaultKind.CASSETTE_MISS in reason for reason in failed.values())
    if not (uses or missed):
        return
    counts = {name: sum(use.answers.get(name, 0) for use in uses) for name in _SOURCES}
    asked = sum(counts.values())
    calls = ", ".join(f"{counts[name]:,} {said}" for name, said in _SOURCES.items() if counts[name])
    without = sum(sum(use.faults.values()) for use in uses)
    yield (
        f"models: {_plural(asked, 'call')} of {_plural(len(uses), 'trader')}"
        f"{f' ({calls})' if calls else ''}, {_plural(without, 'turn')} without an answer, "
        f"{sum(use.tokens for use in uses):,} tokens"
    )
    if counts["replay"] or missed:
        share = 100 * counts["replay"] / (counts["replay"] + missed)
        yield (
            f"cassette: {_plural(counts['replay'], 'hit')}, {_plural(missed, 'miss', 'misses')} "
            f"({share:.1f} % found)"
        )
    paid, recorded = sum(one.paid_usd for one in uses), sum(one.recorded_usd for one in uses)
    told = f"money: {paid / USD_ONE:,.4f} USD paid for this run"
    yield told + (
        f"; {recorded / USD_ONE:,.4f} USD is what replayed answers cost when they were recorded"
        if counts["replay"]
        else ""
    )


def _plural(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
