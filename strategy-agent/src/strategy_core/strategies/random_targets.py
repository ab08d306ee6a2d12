"""`random`: a coin thrower with a turnover that can be matched to another trader's.

Rule. At each decision and for each coin, with probability `probability`, the position is moved to
a new target `side * size * exposure * equity / coins`, side +1 or -1 with equal chance and size
uniform in (0, 1). Otherwise nothing is done. Targets are therefore uniform in (-1, 1) times the
coin's share `exposure * equity / coins`, and the mean distance of two of them is 2/3 of it, so
that the expected turnover of a decision is

    probability * (2 / 3) * exposure * equity.

`probability_for` turns that around: to be compared with a trader at its own turnover, `random` gets
the probability that trades as much as that trader did.

Three numbers are drawn for each coin at each decision, whether they are used or not, so what is
drawn later never depends on what happened before.
"""

from ast import literal_eval
from decimal import Decimal
from typing import Annotated

import msgspec

from strategy_core import building
from strategy_core.building import Setup
from strategy_core.port import ZERO, Decision, Needs, Observation
from strategy_core.sizing.targets import plan_target
from suite.contracts.venue import Action

MEAN_DISTANCE = 2.0 / 3.0
"""Mean distance of two independent numbers that are uniform in (-1, 1)."""


def probability_for(turnover: float, *, exposure: float) -> float:
    """Probability at which `random` trades as much as another trader, at most 1.

    Args:
        turnover: of the other one: traded notional of a decision over equity, on average.
        exposure: the parameter of the same name.
    """
    return min(1.0, turnover / (MEAN_DISTANCE * exposure))


class RandomTargets:
    """Random sides and sizes at random decisions."""

    class Params(building.Params, frozen=True, kw_only=True):
        """How often and how much.

        Attributes:
            probability: of a new target, for each decision and coin.
            exposure: largest gross exposure of all coins together, over equity.
        """

        probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.05
        exposure: Annotated[float, msgspec.Meta(gt=0, le=20)] = 1.0

    needs = Needs()

    def __init__(self, setup: Setup, params: "RandomTargets.Params") -> None:
        self._setup = setup
        self._probability = params.probability
        self._share = Decimal(str(params.exposure)) / len(setup.symbols)

    def remember(self) -> str:
        """Tell how far the stream of random numbers was read."""
        return repr(self._setup.generator.bit_generator.state)

    def recall(self, state: str) -> None:
        """Go on in the stream from there."""
        self._setup.generator.bit_generator.state = literal_eval(state)

    def decide(self, observation: Observation) -> Decision:
        """Throw the coins."""
        actions: list[Action] = []
        notes: list[str] = []
        for coin in self._setup.symbols:
            chance, side, size = self._setup.generator.random(3).tolist()
            price = observation.mids.get(coin, ZERO)
            if chance >= self._probability or price <= 0:
                continue
            # Six digits: enough for any size, and no float reaches the order.
            wish = Decimal(round(1_000_000 * size) * (1 if side < 0.5 else -1)).scaleb(-6)
            target = wish * self._share * observation.capital / price
            held = observation.size_of(coin)
            instrument = self._setup.instruments[coin]
            plan = plan_target(instrument, held=held, target=target, price=price)
            actions.extend(plan.orders)
            notes.append(plan.note)
        return Decision(actions=tuple(actions), reasoning=", ".join(notes) or "no new target")
