"""Does a trader do better where it can recognize the market? The difference, with its interval.

A trader runs in the recorded world and in K masked ones, which have the same moves under other
names, prices and dates. Its score is its return in the first less its mean return in the others. A
trader that only reads the market has a score around zero; a model that remembers the past has not.
What quantized prices and other lots do to any trader is the noise floor: the score of a rule trader
in the same worlds, shown beside it.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# Two-sided 95 % quantiles of Student's t for 1 to 30 degrees of freedom. Source: NIST/SEMATECH
# e-Handbook of Statistical Methods, table 1.3.6.7.2, read 2026-11.
_T: Final = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
_NORMAL: Final = 1.960
SEEDS_MIN: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryScore:
    """What one trader's runs say.

    Attributes:
        unmasked, masked: mean returns, fractions.
        score: their difference.
        low, high: 95 % interval of the score, Student's t over the seeds.
        seeds: how many pairs there are.
    """

    unmasked: float
    masked: float
    score: float
    low: float
    high: float
    seeds: int

    @property
    def tells(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


def memory_score(unmasked: Sequence[float], masked: Sequence[float]) -> MemoryScore:
    """Compare returns, pair by pair.

    Args:
        unmasked: returns in the recorded world, one for each seed; where nothing is drawn they are
            the same.
        masked: returns in the masked world of each seed.

    Raises:
        ValueError: they are not pairs, or fewer than two.
    """
    count = len(unmasked)
    if count != len(masked) or count < SEEDS_MIN:
        raise ValueError(f"a memory score needs {SEEDS_MIN} pairs of runs, better more")
    differences = [one - other for one, other in zip(unmasked, masked, strict=True)]
    score = statistics.fmean(differences)
    quantile = _T[count - 2] if count - 2 < len(_T) else _NORMAL
    half = quantile * statistics.stdev(differences) / math.sqrt(count)
    return MemoryScore(
        unmasked=statistics.fmean(unmasked),
        masked=statistics.fmean(masked),
        score=score,
        low=score - half,
        high=score + half,
        seeds=count,
    )
