"""44: the same configuration and code have run in real time before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from strategy_core.journal import RunStart
from suite.bars import DAY_MS
from suite.checklist import Line, failed, passed, warned

NUMBER: Final = 44
NAME: Final = "paper run"
DAYS: Final = 7.0
"""How long it should have lasted."""
REAL_TIME: Final = 1.0


@dataclass(slots=True, kw_only=True)
class Stretch:
    """From a start of a trader's process to its end, as its journal tells it.

    Attributes:
        start: of it.
        from_ms, to_ms: of its first and last turn, the venue's time.
        turns: in it.
        asked, faults: how often the strategy was asked, and gave no decision.
    """

    start: RunStart
    from_ms: int = 0
    to_ms: int = 0
    turns: int = 0
    asked: int = 0
    faults: int = 0

    def take(self, now_ms: int, *, asked: bool, fault: bool) -> None:
        """Take in a turn."""
        self.from_ms, self.to_ms = self.from_ms or now_ms, now_ms
        self.turns += 1
        self.asked += asked
        self.faults += fault


def check_paper_run(
    trader_id: str,
    stretches: Sequence[Stretch] | str | None,
    *,
    configuration: str,
    build: str,
    config: str,
) -> Line:
    """Decide.

    Args:
        trader_id: whose.
        stretches: of the journal that was given; a text that says why it cannot be read; None for
            none.
        configuration: digest of the trader's configuration.
        build: names the code that runs it.
        config: the traders file, for the command that is told.
    """
    run = f"strategy-agent run --config {config} --trader {trader_id} at a paper world or testnet"
    fix = f"{run}, then --journal var/journal/{trader_id}.jsonl"
    if stretches is None:
        return warned(NUMBER, NAME, f"{trader_id}: no journal was given", fix)
    if isinstance(stretches, str):
        return failed(NUMBER, NAME, f"{trader_id}: {stretches}", fix)
    own = [one for one in stretches if one.start.trader_id == trader_id and one.turns]
    if not own:
        return failed(NUMBER, NAME, f"{trader_id}: the journal has no turn of it", fix)
    same = [one for one in own if one.start.configuration == configuration]
    if not same:
        told = f"{trader_id}: none of the {len(own)} runs was of this configuration"
        return failed(NUMBER, NAME, told, fix)
    real = [one for one in same if one.start.speed == REAL_TIME]
    if not real:
        told = f"{trader_id}: ran with this configuration, but never in real time"
        return warned(NUMBER, NAME, told, fix)
    built = [one for one in real if one.start.build == build]
    if not built:
        told = f"{trader_id}: {_summary(real)}, by other code than is installed"
        return warned(NUMBER, NAME, told, fix)
    told = f"{trader_id}: {_summary(built)}, code {build[:12]}"
    if _days(built) < DAYS:
        return warned(NUMBER, NAME, told, f"let it run for {DAYS:g} days")
    return passed(NUMBER, NAME, told)


def _days(stretches: Sequence[Stretch]) -> float:
    return sum(one.to_ms - one.from_ms for one in stretches) / DAY_MS


def _summary(stretches: Sequence[Stretch]) -> str:
    asked, faults = (sum(getattr(one, name) for one in stretches) for name in ("asked", "faults"))
    venues = ", ".join(dict.fromkeys(one.start.venue for one in stretches))
    many = "run" if len(stretches) == 1 else "runs"
    return (
        f"{_days(stretches):.1f} days in {len(stretches)} {many} at {venues}, "
        f"{asked} decisions, {faults} failed"
    )
