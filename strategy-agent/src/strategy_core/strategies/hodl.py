"""`hodl`: buys equal amounts of its coins once, without borrowing, and keeps them."""

from decimal import Decimal
from typing import Annotated, Any

import msgspec

from strategy_core import building
from strategy_core.building import Setup
from strategy_core.port import ZERO, Decision, Needs, Observation
from strategy_core.sizing.targets import plan_target
from suite.contracts.venue import Action, SetLeverage


class Hodl:
    """Buy and hold at leverage 1.

    A coin counts as bought once a fill of it was seen; until then each decision tries again, so a
    gap in the data or a refused order only delays the purchase.
    """

    class Params(building.Params, frozen=True, kw_only=True):
        """How much to buy.

        Attributes:
            invested: share of the first equity to spend, all coins together; the rest pays fees
                and slippage, which at leverage 1 nothing else could.
        """

        invested: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.99

    needs = Needs()

    def __init__(self, setup: Setup, params: "Hodl.Params") -> None:
        self._setup = setup
        self._share = Decimal(str(params.invested)) / len(setup.symbols)
        self._budget: Decimal | None = None
        self._waiting = list(setup.symbols)

    def remember(self) -> dict[str, Any]:
        """Tell what is not bought yet, and what for."""
        return {"budget": self._budget, "waiting": self._waiting}

    def recall(self, state: dict[str, Any]) -> None:
        """Take it back."""
        budget = state["budget"]
        self._budget = None if budget is None else Decimal(budget)
        self._waiting = list(state["waiting"])

    def decide(self, observation: Observation) -> Decision:
        """Buy what is not bought yet."""
        filled = {fill.coin for fill in observation.fills} | set(observation.positions)
        self._waiting = [coin for coin in self._waiting if coin not in filled]
        if not self._waiting:
            return Decision(reasoning="holding")
        if self._budget is None:
            self._budget = observation.capital * self._share
        actions: list[Action] = []
        notes: list[str] = []
        for coin in self._waiting:
            price = observation.mids.get(coin, ZERO)
            if price <= 0:
                notes.append(f"{coin} has no price yet")
                continue
            instrument = self._setup.instruments[coin]
            plan = plan_target(instrument, held=ZERO, target=self._budget / price, price=price)
            if plan.orders:
                actions.append(SetLeverage(coin=coin, leverage=1))
            actions.extend(plan.orders)
            notes.append(plan.note)
        return Decision(actions=tuple(actions), reasoning="buy and hold: " + ", ".join(notes))
