"""A market that never was, with what real ones have.

Returns of a minute are normal draws, half of them shared by all coins, times a volatility that is
itself random and slow (a fast and a slow autoregression of its logarithm, so calm and wild hours
cluster and tails are fat), that follows the hour of the day and the weekend, and that jumps where
prices jump. High and low are drawn from the law of a Brownian bridge between open and close. Volume
follows the same hours and the size of the move. Funding leans with the trend of the last day.

The series of a coin depends on the seed, the coin and the range, never on which other coins are
asked for: what coins share is drawn from a stream of its own. Everything is sequential float
arithmetic on one thread: the same machine always makes the same bytes.
"""

import itertools
import math
import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np

from data_collector.domain.coin_profiles import Profile, profile_of
from suite.bars import DAY_MS, F64, HOUR_MS, I64, MINUTE_MS, Bars

GENERATOR: Final = "stochastic-volatility 1"
"""Name and version: a change of any byte it makes is a new version."""

FUNDING_INTERVAL_MS: Final = 8 * HOUR_MS

_MINUTES_A_YEAR: Final = 365 * 24 * 60
_BASE_FUNDING: Final = 0.0001
_FUNDING_LIMIT: Final = 0.003
_SHARED_JUMPS_A_DAY: Final = 0.25
_OWN_JUMPS_A_DAY: Final = 0.35
_DIFFUSION_SHARE: Final = 0.97
"""Part of the yearly volatility that is left to the diffusion; the rest is jumps."""

# Logarithm of volatility: (minutes after which a deviation has halved, its standard deviation).
_SLOW: Final = (2 * 24 * 60.0, 0.35)
_FAST: Final = (45.0, 0.40)
_SHARED_OF_LOG_VOLATILITY: Final = 0.7

# Hour of the day, UTC: liquidity is thin before Asia's morning and thick at the US opening.
_HOURS: Final = (
    0.95, 0.90, 0.85, 0.80, 0.75, 0.72, 0.75, 0.85, 0.95, 0.98, 0.98, 1.00,
    1.10, 1.35, 1.55, 1.50, 1.35, 1.20, 1.10, 1.05, 1.05, 0.95, 0.90, 0.95,
)  # fmt: skip
_WEEKEND: Final = 0.65


@dataclass(frozen=True, slots=True)
class SyntheticCoin:
    """The generated market of one coin.

    Attributes:
        bars: 1m bars.
        funding_time_ms, funding_rate: 8-hourly, fraction of the interval.
    """

    profile: Profile
    bars: Bars
    funding_time_ms: I64
    funding_rate: F64


@dataclass(frozen=True, slots=True)
class Shared:
    """What all coins of a seed and range have in common, shape (n,) each."""

    open_time_ms: I64
    activity: F64
    shock: F64
    log_volatility: F64
    jump: F64


def draw_shared(seed: int, *, start_ms: int, end_ms: int) -> Shared:
    """Draw what coins share.

    Args:
        seed: any non-negative number.
        start_ms, end_ms: range of open times, multiples of a minute.
    """
    random = _stream(seed, "")
    times = np.arange(start_ms, end_ms, MINUTE_MS, dtype=np.int64)
    activity = _activity(times)
    jump = _jumps(random, len(times), a_day=_SHARED_JUMPS_A_DAY)
    return Shared(times, activity, random.standard_normal(len(times)), _log_vol(random, jump), jump)


def generate(coin: str, seed: int, shared: Shared) -> SyntheticCoin:
    """Make the market of one coin.

    Args:
        coin: `BTC`; coins that are not known get a profile derived from their name.
        seed: the one `shared` was drawn with.
        shared: of the range.
    """
    profile, random = profile_of(coin), _stream(seed, coin)
    count = len(shared.open_time_ms)
    own_jump = _jumps(random, count, a_day=_OWN_JUMPS_A_DAY)
    volatility = _volatility(random, profile, shared, own_jump)
    beta = profile.beta
    shock = beta * shared.shock + math.sqrt(1 - beta * beta) * random.standard_normal(count)
    jump_unit = profile.volatility / math.sqrt(365)
    jump = jump_unit * (beta * shared.jump + own_jump)
    log_close = np.cumsum(volatility * shock + jump)
    bars, move = _prices(random, profile, shared.open_time_ms, log_close, volatility)
    volume = _volume(random, profile, shared, move, bars.close)
    whole = Bars(MINUTE_MS, shared.open_time_ms, bars.open, bars.high, bars.low, bars.close, volume)
    return SyntheticCoin(profile, whole, *_funding(random, shared.open_time_ms, log_close))


def _stream(seed: int, name: str) -> np.random.Generator:
    """A stream of random numbers of its own for each seed and name."""
    return np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode()), len(name)]))


def _activity(times: I64) -> F64:
    """How lively each minute is, mean about 1: the hours as a smooth curve, weekends lower."""
    hour = (times % DAY_MS) / HOUR_MS
    curve = np.interp(hour, np.arange(25), [*_HOURS, _HOURS[0]])
    weekend = (times // DAY_MS + 3) % 7 >= 5
    lively: F64 = np.where(weekend, curve * _WEEKEND, curve) / 0.93
    return lively


def _autoregression(noise: F64, half_life: float) -> F64:
    """First-order autoregression of unit variance, started in equilibrium."""
    keep = 0.5 ** (1 / half_life)
    scaled = noise * math.sqrt(1 - keep * keep)
    scaled[0] = noise[0]
    steps = itertools.accumulate(scaled.tolist(), lambda state, step: keep * state + step)
    return np.fromiter(steps, np.float64, len(noise))


def _decay(impulses: F64, half_life: float) -> F64:
    """Impulses that fade by half every so many minutes."""
    keep = 0.5 ** (1 / half_life)
    faded = itertools.accumulate(impulses.tolist(), lambda state, step: keep * state + step)
    return np.fromiter(faded, np.float64, len(impulses))


def _log_vol(random: np.random.Generator, jump: F64) -> F64:
    """Logarithm of volatility: two autoregressions, and what jumps leave behind."""
    slow, fast = (
        deviation * _autoregression(random.standard_normal(len(jump)), half_life)
        for half_life, deviation in (_SLOW, _FAST)
    )
    return slow + fast + _decay(np.minimum(1.5 * np.abs(jump), 1.2), 60.0)


def _jumps(random: np.random.Generator, count: int, *, a_day: float) -> F64:
    """Jumps in daily standard deviations: rare, of either sign, heavy-tailed."""
    jump = np.zeros(count)
    hits = random.random(count) < a_day / (24 * 60)
    found = int(hits.sum())
    sizes = np.minimum(0.15 * random.standard_exponential(found) + 0.08, 1.2)
    jump[hits] = sizes * np.where(random.random(found) < 0.5, 1.0, -1.0)
    return jump


def _volatility(random: np.random.Generator, profile: Profile, shared: Shared, jump: F64) -> F64:
    """Standard deviation of each minute's log return."""
    weight = _SHARED_OF_LOG_VOLATILITY
    mixed = weight * shared.log_volatility + math.sqrt(1 - weight**2) * _log_vol(random, jump)
    variance = _SLOW[1] ** 2 + _FAST[1] ** 2
    level = profile.volatility * _DIFFUSION_SHARE / math.sqrt(_MINUTES_A_YEAR)
    minute: F64 = level * np.sqrt(shared.activity) * np.exp(mixed - variance)
    return minute


def _prices(
    random: np.random.Generator, profile: Profile, times: I64, log_close: F64, volatility: F64
) -> tuple[Bars, F64]:
    """Bars on the coin's price lattice, and the size of each move in standard deviations.

    Bars open where the last one closed. Between open and close a minute is a Brownian bridge, whose
    highest point above the straight line has a closed form (the reflection principle).
    """
    log_open = np.concatenate([[0.0], log_close[:-1]])
    move = log_close - log_open
    spread = 2 * volatility**2
    reach = [np.sqrt(move**2 - spread * np.log1p(-random.random(len(times)))) for _ in range(2)]
    middle = (log_open + log_close) / 2
    logs = (log_open, middle + reach[0] / 2, middle - reach[1] / 2, log_close)
    unit = 10.0**profile.price_decimals
    units = [np.maximum(np.rint(profile.price * np.exp(log) * unit), 1) for log in logs]
    opened, high, low, close = (value / unit for value in units)
    high = np.maximum(high, np.maximum(opened, close))
    low = np.minimum(low, np.minimum(opened, close))
    nothing = np.zeros(len(times))
    return Bars(MINUTE_MS, times, opened, high, low, close, nothing), np.abs(move) / volatility


def _volume(
    random: np.random.Generator, profile: Profile, shared: Shared, move: F64, close: F64
) -> F64:
    """Volume in coins: the hour, a slow mood, chance, and more of it where prices move."""
    count = len(close)
    mood = (
        0.45 * _autoregression(random.standard_normal(count), 30.0) + 0.35 * shared.log_volatility
    )
    chance = 0.45 * random.standard_normal(count)
    usd = profile.minute_volume_usd * shared.activity**1.5 * np.exp(mood + chance - 0.3)
    coins = usd * (0.5 + 0.6 * np.minimum(move, 8.0)) / close
    lot = 10.0**profile.sz_decimals
    return np.maximum(np.rint(coins * lot), 1) / lot


def _funding(random: np.random.Generator, times: I64, log_close: F64) -> tuple[I64, F64]:
    """Settled rates at 00:00, 08:00 and 16:00 UTC; each knows only prices before its stamp."""
    first = -(-int(times[0]) // FUNDING_INTERVAL_MS) * FUNDING_INTERVAL_MS
    stamps = np.arange(first, int(times[-1]) + 1, FUNDING_INTERVAL_MS, dtype=np.int64)
    now = (stamps - times[0]) // MINUTE_MS - 1
    before = np.maximum(now - DAY_MS // MINUTE_MS, 0)
    trend = np.where(now > 0, log_close[np.maximum(now, 0)] - log_close[before], 0.0)
    rate = _BASE_FUNDING + 0.004 * trend + 0.00003 * random.standard_normal(len(stamps))
    clipped: F64 = np.minimum(np.maximum(rate, -_FUNDING_LIMIT), _FUNDING_LIMIT)
    return stamps, clipped.round(8)
