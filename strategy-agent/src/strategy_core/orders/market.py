"""What an observation tells of one coin's market, and prices on its lattice."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from strategy_core.lattice import exact, round_price_down, round_price_up, tick_at
from strategy_core.orders.memory import ZERO
from strategy_core.orders.rules import ExecutionRules
from strategy_core.port import Observation
from suite.bars import MINUTE_MS
from suite.instrument import Instrument

VOLUME_BARS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """Best prices of one coin, USD.

    Attributes:
        bid, ask: on the lattice; around the mid where no snapshot tells them.
        half_spread: half the distance of the two, a fraction of the mid.
    """

    mid: Decimal
    bid: Decimal
    ask: Decimal
    half_spread: Decimal

    def near(self, *, is_buy: bool) -> Decimal:
        """Price at which an order of a side rests at the touch."""
        return self.bid if is_buy else self.ask

    def far(self, *, is_buy: bool) -> Decimal:
        """Price at which an order of a side trades at once."""
        return self.ask if is_buy else self.bid


def touch_of(observation: Observation, instrument: Instrument, rules: ExecutionRules) -> Touch:
    """Read the touch of a coin; all 0 when it has no price.

    Without a snapshot a resting price is the last one on the lattice before the mid, which never
    crosses.
    """
    mid = observation.mids.get(instrument.coin, ZERO)
    if mid <= 0:
        return Touch(mid=ZERO, bid=ZERO, ask=ZERO, half_spread=ZERO)
    ticker = _ticker(observation.snapshots.get(instrument.coin))
    best = [ticker.get(name) for name in ("best_bid_price", "best_ask_price")]
    if all(isinstance(price, int | float) and price > 0 for price in best):
        bid, ask = (exact(float(price)) for price in best if price is not None)
        bid, ask = round_price_down(instrument, bid), round_price_up(instrument, ask)
        if bid < ask:
            return Touch(mid=mid, bid=bid, ask=ask, half_spread=(ask - bid) / 2 / mid)
    step = tick_at(instrument, mid)
    bid, ask = round_price_down(instrument, mid), round_price_up(instrument, mid)
    return Touch(
        mid=mid,
        bid=bid if bid < mid else round_price_down(instrument, mid - step),
        ask=ask if ask > mid else round_price_up(instrument, mid + step),
        half_spread=exact(rules.half_spread),
    )


def atr_of(observation: Observation, coin: str) -> Decimal | None:
    """Average true range of the shortest interval that the snapshot shows, USD; None unknown."""
    for block in _blocks(observation, coin):
        value = block.get("atr_14")
        if isinstance(value, int | float) and value > 0:
            return exact(float(value))
    return None


def minute_volume(observation: Observation, coin: str) -> Decimal | None:
    """Mean volume of a minute over the last 60 bars shown, units of the coin; None unknown."""
    for block in _blocks(observation, coin):
        volumes = [float(row[5]) for row in (block.get("bars") or ())[-VOLUME_BARS:]]
        if volumes:
            return exact(sum(volumes) / len(volumes) / block["timeframe"])
    return None


def volume_since(observation: Observation, coin: str, since_ms: int) -> Decimal | None:
    """Volume of the shortest bars closed since a time; None when none is known to have closed."""
    for block in _blocks(observation, coin):
        length_ms = block["timeframe"] * MINUTE_MS
        closed = [
            float(row[5])
            for row in block.get("bars") or ()
            if since_ms < row[0] + length_ms <= observation.now_ms
        ]
        return exact(sum(closed)) if closed else None
    return None


def capped(instrument: Instrument, touch: Touch, *, is_buy: bool, cap: Decimal) -> Decimal:
    """Limit of an order that may go a fraction through the touch, and no further than a tick."""
    if is_buy:
        return round_price_up(instrument, touch.ask * (1 + cap))
    return round_price_down(instrument, touch.bid * (1 - cap))


def _ticker(snapshot: Mapping[str, Any] | None) -> Mapping[str, Any]:
    common = (snapshot or {}).get("common_info")
    ticker = common.get("ticker") if isinstance(common, Mapping) else None
    return ticker if isinstance(ticker, Mapping) else {}


def _blocks(observation: Observation, coin: str) -> list[Mapping[str, Any]]:
    """Blocks of a coin's snapshot, the shortest interval first."""
    blocks = (observation.snapshots.get(coin) or {}).get("intervals_data")
    if not isinstance(blocks, Mapping):
        return []
    return sorted(blocks.values(), key=lambda block: int(block["timeframe"]))
