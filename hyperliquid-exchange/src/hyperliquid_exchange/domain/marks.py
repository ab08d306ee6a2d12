"""What losses and fills are measured from: kept over restarts, moved on by facts."""

from dataclasses import dataclass, replace
from typing import Final

from hyperliquid_exchange.domain.accounts import TraderLimits
from suite.fixed import USD_DECIMALS, Usd, format_fixed

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Where a trader stands.

    Worth is its account value less the money that was moved in: neither a deposit is a gain nor a
    withdrawal a loss.

    Attributes:
        day: days since the epoch, UTC.
        start_usd: worth when the day began, or when it was first seen on it, micro-USD.
        peak_usd: the highest worth, micro-USD.
        worth_usd: as last told, micro-USD.
        executions: fills since a person allowed more.
        told: what the facts counted last; their count begins anew with the process.
    """

    day: int
    start_usd: Usd
    peak_usd: Usd
    worth_usd: Usd
    executions: int = 0
    told: int = 0


def moved_on(marks: Marks | None, *, worth_usd: Usd, told: int, now_ms: int) -> Marks:
    """Take facts in.

    Args:
        marks: before; None for a trader that is seen for the first time.
        worth_usd: account value less money moved in, micro-USD.
        told: fills that the facts count.
        now_ms: wall time.
    """
    day = now_ms // DAY_MS
    if marks is None:
        return Marks(
            day=day,
            start_usd=worth_usd,
            peak_usd=worth_usd,
            worth_usd=worth_usd,
            executions=told,
            told=told,
        )
    new = told - marks.told if told >= marks.told else told
    return replace(
        marks,
        day=max(day, marks.day),  # a clock that goes back begins no day
        start_usd=worth_usd if day > marks.day else marks.start_usd,
        peak_usd=max(marks.peak_usd, worth_usd),
        worth_usd=worth_usd,
        executions=marks.executions + new,
        told=told,
    )


def restarted(marks: Marks) -> Marks:
    """Measure losses from now on, since a person allows it."""
    return replace(marks, start_usd=marks.worth_usd, peak_usd=marks.worth_usd)


def day_loss_usd(marks: Marks) -> Usd:
    """Loss since the day began, micro-USD; negative for a gain."""
    return Usd(marks.start_usd - marks.worth_usd)


def loss_of(marks: Marks, limits: TraderLimits) -> str:
    """Tell which limit a loss has reached; empty where none."""
    lost, below = day_loss_usd(marks), marks.peak_usd - marks.worth_usd
    if lost >= limits.max_day_loss_usd:
        return f"{_usd(lost)} lost today, limit {_usd(limits.max_day_loss_usd)}"
    if below >= limits.max_drawdown_usd:
        return f"{_usd(below)} below the highest value, limit {_usd(limits.max_drawdown_usd)}"
    return ""


def _usd(value: int) -> str:
    return f"{format_fixed(value, USD_DECIMALS)} USDC"
