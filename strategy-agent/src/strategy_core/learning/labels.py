"""How a proposed trade would have ended: target, stop or time, whichever comes first.

At the bar `t` that proposes side `s`, with entry `e = open[t + 1]` and the bracket that the trader
itself would place there (`plan_bracket`):

1. Bars `t + 1` to `t + H` are walked. A bar that spans stop and target counts as the stop.
2. A bar that opens beyond the stop ends the trade at its open.
3. With neither hit, the trade ends at the close of bar `t + H`.
4. `gross = s * (exit - e) / e`; `net = gross - 2 * fee - slippage - funding paid while open`.

Trades whose bars are not all there yet, or have a hole between them, have no label; nor have those
that the trader would leave out because the target is too near to pay.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

import numpy as np

from strategy_core.ict.schema import NAMES
from strategy_core.learning.events import I8, Events, no_events
from strategy_core.learning.rules import LabelRules
from strategy_core.learning.signals import mirrored_rows, proposals
from strategy_core.port import ZERO
from strategy_core.sizing.bracket import Bracket, BracketRules, BracketState, plan_bracket
from strategy_core.sizing.stop_distance import Costs
from suite.bars import F64, I64, Bars
from suite.enums import Side
from suite.instrument import Instrument

CHUNK = 2048
"""Trades walked at once; each takes `H` rows of bars."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One coin's past.

    Attributes:
        instrument: lattice of the coin.
        bars: closed ones, oldest first.
        values: shape (n, 12), features of each bar.
        atr: shape (n,), USD.
        funding_ms, funding_rate: shape (m,), stamps and rates; positive when longs paid.
    """

    instrument: Instrument
    bars: Bars
    values: F64
    atr: F64
    funding_ms: I64
    funding_rate: F64


def bracket_at(
    side: int, entry: float, atr: float, instrument: Instrument, rules: LabelRules
) -> Bracket:
    """Place stop and target as the trader does."""
    placing, costs = _placing(rules)
    state = BracketState(
        atr=_decimal(atr) if np.isfinite(atr) else None, costs=costs, maintenance_rate=ZERO
    )
    return plan_bracket(
        state,
        Side.BUY if side > 0 else Side.SELL,
        _decimal(entry),
        rules=placing,
        instrument=instrument,
    )


def label(market: Market, row: I64, side: I8, rules: LabelRules) -> Events:
    """Label trades proposed at given bars.

    Args:
        market: of the coin.
        row: shape (k,), rising, the bars that proposed.
        side: shape (k,), 1 or -1.
        rules: of the label.
    """
    bars, horizon = market.bars, rules.horizon
    inside = row + horizon < len(bars)
    row, side = row[inside], side[inside]
    span = bars.open_time_ms[row + horizon] - bars.open_time_ms[row]
    whole = span == horizon * bars.interval_ms
    row, side = row[whole], side[whole]
    coin = market.instrument.coin
    if not len(row):
        return no_events((coin,), len(NAMES))
    entry = bars.open[row + 1]
    plans = [
        bracket_at(int(one), float(price), float(atr), market.instrument, rules)
        for one, price, atr in zip(side, entry, market.atr[row], strict=True)
    ]
    kept = np.array([plan.skip is None for plan in plans])
    row, side, entry = row[kept], side[kept], entry[kept]
    stop = np.array([float(plan.stop) for plan in plans if plan.skip is None])
    target = np.array([float(plan.target) for plan in plans if plan.skip is None])
    last, price = walked(bars, row, side, stop=stop, target=target, horizon=horizon)
    end_ms = bars.open_time_ms[last] + bars.interval_ms
    start_ms = bars.open_time_ms[row]
    opened_ms = start_ms + bars.interval_ms
    gross = side * (price - entry) / entry
    paid = side * (funding_until(market, end_ms) - funding_until(market, opened_ms))
    return Events(
        coins=(coin,),
        start_ms=start_ms,
        end_ms=end_ms,
        coin=np.zeros(len(row), np.int8),
        side=side,
        gross=gross,
        net=gross - rules.cost - paid,
        features=mirrored_rows(market.values[row], side).astype(np.float32),
    )


def walked(
    bars: Bars, row: I64, side: I8, *, stop: F64, target: F64, horizon: int
) -> tuple[I64, F64]:
    """Walk trades from the bar after each proposal.

    Args:
        bars: with at least `horizon` bars after each proposal.
        row, side: shape (k,), of the proposals.
        stop, target: shape (k,), USD.
        horizon: bars until the trade is closed.

    Returns:
        Shape (k,) each: the bar that the trade ended in, and at what price, USD.
    """
    last, price = np.empty(len(row), np.int64), np.empty(len(row))
    step = np.arange(1, horizon + 1)
    for first in range(0, len(row), CHUNK):
        part = slice(first, first + CHUNK)
        ahead = row[part, None] + step
        long = side[part, None] > 0
        low, high, opened = bars.low[ahead], bars.high[ahead], bars.open[ahead]
        stops, targets = stop[part, None], target[part, None]
        stopped = np.where(long, low <= stops, high >= stops)
        reached = np.where(long, high >= targets, low <= targets)
        ended = stopped | reached
        some = ended.any(axis=1)
        at = np.where(some, ended.argmax(axis=1), horizon - 1)
        line = np.arange(len(at))
        is_stop = stopped[line, at]
        opens = opened[line, at]
        beyond = np.where(long[:, 0], opens <= stop[part], opens >= stop[part])
        at_stop = np.where(beyond, opens, stop[part])
        closes = bars.close[ahead[line, at]]
        last[part] = ahead[line, at]
        price[part] = np.where(some, np.where(is_stop, at_stop, target[part]), closes)
    return last, price


def events_of(market: Market, rules: LabelRules) -> Events:
    """Find and label all trades that a coin's past proposes."""
    side = proposals(market.values, rules.mode)
    row = np.flatnonzero(side).astype(np.int64)
    return label(market, row, side[row], rules)


def shifted(market: Market, bars: int) -> Market:
    """See a market whose features know the bars to come: a leak, made to be found.

    Args:
        market: of the coin.
        bars: how far ahead each row sees.
    """
    if not bars:
        return market
    kept = len(market.bars) - bars
    return Market(
        instrument=market.instrument,
        bars=market.bars.rows(0, kept),
        values=market.values[bars:],
        atr=market.atr[:kept],
        funding_ms=market.funding_ms,
        funding_rate=market.funding_rate,
    )


def funding_until(market: Market, time_ms: I64) -> F64:
    """Sum of all rates settled by each of some times, ms, any shape."""
    total = np.concatenate([[0.0], np.cumsum(market.funding_rate)])
    return total[np.searchsorted(market.funding_ms, time_ms, side="right")]


def _decimal(number: float) -> Decimal:
    return Decimal(repr(float(number)))


@lru_cache(maxsize=16)
def _placing(rules: LabelRules) -> tuple[BracketRules, Costs]:
    return rules.bracket, rules.costs
