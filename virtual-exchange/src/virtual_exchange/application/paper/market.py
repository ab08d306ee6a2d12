"""The market of a paper world: a tape that is written as time goes, minutes that grow."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from perp_engine.live_tape import HIGHEST_PRICE, LiveTape
from perp_engine.rules import Rules
from suite.bars import DAY_MS, HOUR_MS, I64
from suite.errors import UpstreamRefused
from suite.fixed import RATE_DECIMALS, quantize_half_even
from virtual_exchange.application.paper.memory import LazyWords
from virtual_exchange.application.ports import FeedCoin, FeedTime
from virtual_exchange.domain.growing import GrowingBars
from virtual_exchange.domain.market import Market

SECOND_MS: Final = 1000
LIFE_MS: Final = 366 * DAY_MS
"""How long a paper world may last, on its own clock."""
_KEPT_BARS: Final = 86_400
_FIELDS: Final = 5
_STAMPS_BEFORE: Final = 2
"""Funding stamps from before the start: the last one, and one to tell its interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveMarket:
    """A market with the parts by which it is written.

    Attributes:
        tape, history: those of the market, as what they are.
    """

    market: Market
    tape: LiveTape
    history: tuple[GrowingBars, ...]
    memory: LazyWords

    def forget_before(self, bar: int) -> None:
        """Give back the memory of bars that nobody asks for any more."""
        end, length = bar - _KEPT_BARS, self.tape.length
        if end <= 0:
            return
        for row in range(self.tape.symbols * _FIELDS):
            self.memory.give_back(row * length + max(0, end - _KEPT_BARS), row * length + end)


def live_market(
    coins: tuple[FeedCoin, ...], time: FeedTime, *, rules: Rules, source: str
) -> LiveMarket:
    """Make a market of what a feed tells at the start.

    A bar is what a second of wall time is on the feed's clock. The first one has the last known
    close as its print: it gives positions a mark, and nobody can trade at it, for orders meet the
    market at the boundary after they came.

    Args:
        coins: one a symbol.
        time: the feed's clock, where the world begins.
        rules: of the world; they name the funding rate until the feed tells one.
        source: the feed, for people.

    Raises:
        UpstreamRefused: the feed's clock runs too slowly, or a price is too high to be counted.
    """
    step = round(SECOND_MS * time.speed)
    if step < 1:
        raise UpstreamRefused(f"the feed's clock runs at speed {time.speed:g}, which is too slow")
    start_ms = time.now_ms // step * step
    length = LIFE_MS // step
    memory = LazyWords(len(coins) * _FIELDS * length)
    tape = LiveTape(
        start_ms,
        step,
        memory.words.reshape(len(coins), _FIELDS, length),
        tuple(_stamps(coin, start_ms, rules) for coin in coins),
    )
    history = tuple(GrowingBars(coin.bars) for coin in coins)
    for symbol, coin in enumerate(coins):
        price = 0
        if len(coin.bars):
            decimals = coin.instrument.price_decimals
            price = quantize_half_even(float(coin.bars.close[-1]), decimals)
        if price > HIGHEST_PRICE:
            raise UpstreamRefused(f"{coin.instrument.coin}: prices are too high to be counted")
        if price > 0:
            tape.open(symbol, 0, price)
        else:
            tape.lack(symbol, 0, 0)
    market = Market(
        instruments=tuple(coin.instrument for coin in coins),
        tape=tape,
        history=history,
        sources=(source,) * len(coins),
        synthetic=(False,) * len(coins),
        manifest={"feed": source},
    )
    return LiveMarket(market=market, tape=tape, history=history, memory=memory)


def _stamps(coin: FeedCoin, start_ms: int, rules: Rules) -> I64:
    """Every hour of the world's life, and the last settled ones, shape (stamps, 2).

    What is to come has the last known rate until another is told.
    """
    rates = [quantize_half_even(rate, RATE_DECIMALS) for rate in coin.hourly_rates]
    rate = rates[-1] if rates else int(rules.funding_rate)
    first = start_ms // HOUR_MS + 1
    hours = np.arange(first - _STAMPS_BEFORE, first + LIFE_MS // HOUR_MS, dtype=np.int64)
    stamps = np.empty((len(hours), 2), np.int64)
    stamps[:, 0], stamps[:, 1] = hours * HOUR_MS, rate
    known = rates[-_STAMPS_BEFORE:]
    stamps[_STAMPS_BEFORE - len(known) : _STAMPS_BEFORE, 1] = known
    return stamps
