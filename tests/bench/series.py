"""The bars that benchmarks run on: real ones from a folder, or a seeded random walk."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from perp_engine.rules import PLAIN, Rules
from perp_engine.tape import Tape
from suite.bars import I64
from suite.fixed import Rate, Usd
from suite.instrument import Instrument, MarginTier

YEAR = 525_600
START_MS = 1_746_372_780_000
MINUTE_MS = 60_000
STEP_MS = 8 * 3_600_000
CHAIN = ("BTC", "ETH", "SOL", "BNB", "XRP", "ADA", "LTC", "LINK")
"""Coins whose bars are chained to a year, each block rescaled to start at the previous close."""

INSTRUMENT = Instrument(
    coin="BTC",
    sz_decimals=6,
    tiers=(
        MarginTier(lower_bound_usd=Usd(0), max_leverage=40),
        MarginTier(lower_bound_usd=Usd(150 * 10**12), max_leverage=20),
    ),
)
"""A price unit is 0.1 USD and always a valid price, as it is in the data and at the rivals; the
venue's own grid would be 1 USD. A size unit is 10^-5 BTC: the integers are those of real BTC."""


def real(folder: Path, bars: int) -> I64:
    """Real minutes of a folder of Parquet files, shape (5, bars), volume in size units."""
    blocks: list[I64] = []
    have, last = 0, None
    while have < bars:
        for coin in CHAIN:
            table = pq.read_table(folder / f"{coin}USDT-1m.parquet")
            prices = [table[name].to_numpy() for name in ("open", "high", "low", "close")]
            scale = 1.0 if last is None else last / prices[0][0]
            block = [np.rint(column * scale * 10) for column in prices]
            block.append(np.floor(table["volume"].to_numpy() * 1e5))
            blocks.append(np.stack(block).astype(np.int64))
            last = blocks[-1][3, -1] / 10
            have += blocks[-1].shape[1]
            if have >= bars:
                break
    return np.ascontiguousarray(np.concatenate(blocks, axis=1)[:, :bars])


def synthetic(bars: int) -> I64:
    """A random walk, the same each time, shape (5, bars)."""
    rng = np.random.default_rng(1)
    close = (1_000_000 * np.exp(np.cumsum(rng.normal(0, 5e-4, bars)))).astype(np.int64)
    opened = np.concatenate([[1_000_000], close[:-1]])
    high = np.maximum(opened, close) + rng.integers(0, 500, bars)
    low = np.minimum(opened, close) - rng.integers(0, 500, bars)
    return np.stack([opened, high, low, close, np.full(bars, 10**7)])


def load(folder: Path | None, bars: int) -> I64:
    """Real bars where there is a folder, else synthetic ones."""
    return synthetic(bars) if folder is None else real(folder, bars)


def stamps(bars: int, rate: int = 100_000) -> I64:
    """Funding every 8 hours at one rate, shape (stamps, 2)."""
    first = (START_MS // STEP_MS + 1) * STEP_MS
    times = np.arange(first, START_MS + bars * MINUTE_MS, STEP_MS, dtype=np.int64)
    return np.column_stack([times, np.full(len(times), rate, np.int64)])


def tape_of(bars: I64, funding: I64 | None = None) -> Tape:
    """One coin; without funding a stamp that never comes keeps the hourly rate away."""
    if funding is None:
        funding = np.array([[1 << 50, 0]], np.int64)
    return Tape(START_MS, MINUTE_MS, bars[None].copy(), (funding,))


def peer_rules(taker: int, maker: int) -> Rules:
    """Profile `plain` with the fees of a comparison, rates in 10^-9."""
    return Rules(
        taker_fee=Rate(taker),
        maker_fee=Rate(maker),
        half_spread=PLAIN.half_spread,
        slippage=PLAIN.slippage,
        participation=PLAIN.participation,
        limit_fill=PLAIN.limit_fill,
    )
