"""46: what is decided does not outlive the time until the next decision."""

from collections.abc import Iterator
from typing import Final

from strategy_core.exits.invalidation import MINUTES
from strategy_core.llm.params import LlmParams
from strategy_core.port import Needs
from strategy_core.snapshot import SHOWN_BARS
from suite.bars import INTERVAL_MS, MINUTE_MS
from suite.checklist import Line, failed, passed, warned
from suite.contracts.trader import TraderSpec

NUMBER: Final = 46
NAME: Final = "cadence"
_FIX: Final = "correct them in the traders file (docs/llm.md, docs/strategies.md)"


def check_cadence(spec: TraderSpec, needs: Needs, params: object) -> Line:
    """Decide.

    Args:
        spec: the trader.
        needs: of its strategy.
        params: of its strategy, read.
    """
    asks = params if isinstance(params, LlmParams) else None
    faults = list(_faults(spec, asks)) if asks else []
    odd = [*_oddities(spec, needs), *(_odd_questions(spec, asks) if asks else ())]
    if faults or odd:
        line = failed if faults else warned
        return line(NUMBER, NAME, f"{spec.trader_id}: {'; '.join((*faults, *odd))}", _FIX)
    told = f"{spec.trader_id}: decides every {spec.interval}"
    if needs.snapshots and needs.bars > 1:
        told += f" on bars of {', '.join(f'{name} min' for name in needs.intervals) or 'any'}"
    if asks:
        told += (
            f", asks every {asks.heartbeat} at least, an answer opens something for "
            f"{asks.late_s:g} s, an entry rests for {_minutes_of(asks):g} min"
        )
    return passed(NUMBER, NAME, told)


def _faults(spec: TraderSpec, asks: LlmParams) -> Iterator[str]:
    """Tell decisions that may be carried out when the next one is due already."""
    if asks.late_s * 1000 >= INTERVAL_MS[spec.interval]:
        yield (
            f"late_s: an answer may open something {asks.late_s:g} s after its question, and the "
            f"next bar of {spec.interval} has closed by then"
        )


def _oddities(spec: TraderSpec, needs: Needs) -> Iterator[str]:
    """Tell bars that are gone before anybody looks."""
    if not (needs.snapshots and needs.intervals and needs.bars > 1):
        return
    shortest = min(map(int, needs.intervals))
    if SHOWN_BARS * shortest * MINUTE_MS < INTERVAL_MS[spec.interval]:
        yield (
            f"interval: it decides every {spec.interval}, and only the last {SHOWN_BARS} bars of "
            f"{shortest} min are shown: those before are never seen"
        )


def _odd_questions(spec: TraderSpec, asks: LlmParams) -> Iterator[str]:
    """Tell settings of a trader that asks models which cannot be kept, or contradict others."""
    heartbeat, short = asks.heartbeat, asks.short or spec.interval
    beat_ms = INTERVAL_MS[heartbeat]
    if beat_ms < INTERVAL_MS[spec.interval]:
        yield f"heartbeat: {heartbeat} cannot be kept, it decides every {spec.interval}"
    if asks.quiet_minutes * MINUTE_MS >= beat_ms:
        yield f"quiet_minutes: {asks.quiet_minutes} leave no room for a heartbeat of {heartbeat}"
    if MINUTES[short] * MINUTE_MS > beat_ms:
        yield f"short: no bar of {short} closes between two questions, {heartbeat} apart"
    if _minutes_of(asks) * MINUTE_MS > beat_ms:
        yield (
            f"valid_minutes: an entry rests for {asks.valid_minutes} min, longer than the "
            f"{heartbeat} between two questions"
        )
    if asks.timeout_s > asks.late_s:
        yield (
            f"timeout_s: an answer that takes {asks.timeout_s:g} s opens nothing any more, as "
            f"late_s is {asks.late_s:g}"
        )


def _minutes_of(asks: LlmParams) -> float:
    return asks.valid_minutes or INTERVAL_MS[asks.heartbeat] / MINUTE_MS
