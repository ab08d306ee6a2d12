"""`sma_cross`: long while the fast mean of closes is above the slow one, else short or flat."""

import math
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from strategy_core import building
from strategy_core.building import Setup
from strategy_core.lattice import round_price_down
from strategy_core.port import ZERO, Decision, Needs, Observation
from strategy_core.sizing.targets import MIN_NOTIONAL, Protection, market_order, size_for
from strategy_core.snapshot import INTERVALS, SHOWN_BARS
from suite.bars import MINUTE_MS
from suite.contracts.venue import Action, CancelOrder, Leg
from suite.instrument import Instrument

CLOSE = 4
"""Column of the close in a row of a snapshot's `bars`."""

Fraction = Annotated[float, msgspec.Meta(gt=0, lt=1)]


class SmaCross:
    """Follow the sign of fast mean - slow mean, on the bars of the trader's interval.

    It trades when the side changes, and on its first decision. A position that its stop or target
    has closed is not opened again before the side changes; one that was never filled is tried
    again.
    """

    class Params(building.Params, frozen=True, kw_only=True):
        """Which means, and how much.

        Attributes:
            fast, slow: closes in each mean; slow at most as many as a snapshot shows.
            minutes: interval of the bars; 0 for the trader's own.
            exposure: gross exposure of all coins together, over equity.
            short: whether to be short, and not flat, while the fast mean is below.
            stop_loss, take_profit: distance from the mid at the entry, as a fraction of it; with
                either, entry and protection are one group at the venue.
        """

        fast: Annotated[int, msgspec.Meta(ge=1, le=SHOWN_BARS)] = 10
        slow: Annotated[int, msgspec.Meta(ge=2, le=SHOWN_BARS)] = 30
        minutes: Annotated[int, msgspec.Meta(ge=0)] = 0
        exposure: Annotated[float, msgspec.Meta(gt=0, le=20)] = 1.0
        short: bool = True
        stop_loss: Fraction | None = None
        take_profit: Fraction | None = None

        def __post_init__(self) -> None:
            if self.fast >= self.slow:
                raise ValueError(f"fast ({self.fast}) must be below slow ({self.slow})")

    def __init__(self, setup: Setup, params: "SmaCross.Params") -> None:
        minutes = params.minutes or setup.interval_ms // MINUTE_MS
        if minutes not in INTERVALS:
            known = ", ".join(map(str, INTERVALS))
            said = f"there are no bars of {minutes} minutes"
            if not params.minutes:
                raise ValueError(f"{said}, the trader's interval: set minutes to one of {known}")
            raise ValueError(f"{said}; minutes is one of {known}")
        self._setup = setup
        self._params = params
        self._block = str(minutes)
        self._share = Decimal(str(params.exposure)) / len(setup.symbols)
        self._done: dict[str, int] = dict.fromkeys(setup.symbols, 0)
        self.needs = Needs(snapshots=setup.symbols, intervals=(self._block,), bars=params.slow)

    def remember(self) -> dict[str, int]:
        """Tell which side of each coin has come true: after a stop it is not taken again."""
        return self._done

    def recall(self, state: dict[str, int]) -> None:
        """Take it back."""
        self._done = dict(state)

    def decide(self, observation: Observation) -> Decision:
        """Compare the means of each coin."""
        actions: list[Action] = []
        notes: list[str] = []
        for coin in self._setup.symbols:
            side = self._side(observation.snapshots.get(coin))
            price = observation.mids.get(coin, ZERO)
            if side is None or price <= 0:
                notes.append(f"{coin} has too little history")
                continue
            self._learn(coin, side, observation)
            if self._done[coin] == side and observation.size_of(coin) * side >= 0:
                continue
            actions.extend(self._turn(coin, side, price, observation))
            notes.append(f"{coin} fast mean {'above' if side > 0 else 'below'} slow")
        return Decision(actions=tuple(actions), reasoning=", ".join(notes) or "no cross")

    def _side(self, snapshot: Any) -> int | None:
        """Sign of fast - slow: 1 or -1, None without enough bars."""
        rows = snapshot["intervals_data"][self._block]["bars"] if snapshot else ()
        if len(rows) < self._params.slow:
            return None
        closes = [row[CLOSE] for row in rows[-self._params.slow :]]
        fast = math.fsum(closes[-self._params.fast :]) / self._params.fast
        return 1 if fast > math.fsum(closes) / self._params.slow else -1

    def _learn(self, coin: str, side: int, observation: Observation) -> None:
        """Note that the wish of this side has come true, by position or by fill."""
        held = observation.size_of(coin)
        if side < 0 and not self._params.short:
            came_true = not held
        else:
            opening = "Open Long" if side > 0 else "Open Short"
            came_true = held * side > 0 or any(
                fill.coin == coin and fill.dir == opening for fill in observation.fills
            )
        if came_true:
            self._done[coin] = side

    def _turn(self, coin: str, side: int, price: Decimal, seen: Observation) -> list[Action]:
        """Take down what protects the old side, close it, open the new one."""
        held = seen.size_of(coin)
        actions: list[Action] = [
            CancelOrder(coin=coin, oid=order.oid)
            for order in seen.open_orders
            if order.coin == coin
        ]
        if held:
            actions.append(market_order(coin, -held, reduce_only=True))
        if side < 0 and not self._params.short:
            return actions
        instrument = self._setup.instruments[coin]
        notional = self._share * seen.capital
        size = size_for(instrument, notional=notional * side, price=price)
        if abs(size) * price >= MIN_NOTIONAL:
            protection = self._protection(instrument, side, price)
            actions.append(market_order(coin, size, protection=protection))
        return actions

    def _protection(self, instrument: Instrument, side: int, price: Decimal) -> Protection:
        stop, target = self._params.stop_loss, self._params.take_profit
        return Protection(
            stop_loss=_leg(instrument, price, -side * stop) if stop else None,
            take_profit=_leg(instrument, price, side * target) if target else None,
        )


def _leg(instrument: Instrument, price: Decimal, fraction: float) -> Leg:
    """A price at a distance, on the lattice of valid order prices."""
    return Leg(price=round_price_down(instrument, price * (1 + Decimal(str(fraction)))))
