"""`flat`: never trades, the zero of every comparison."""

from strategy_core import building
from strategy_core.building import Setup
from strategy_core.port import Decision, Needs, Observation


class Flat:
    """Keep the money."""

    class Params(building.Params, frozen=True, kw_only=True):
        """None."""

    needs = Needs()

    def __init__(self, setup: Setup, params: "Flat.Params") -> None:
        """Take no notice of anything."""

    def decide(self, observation: Observation) -> Decision:
        """Do nothing."""
        return Decision(reasoning="flat by definition")
