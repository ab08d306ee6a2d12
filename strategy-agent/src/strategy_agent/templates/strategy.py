"""A strategy of your own: follow each coin's trend, with a stop loss that stands at the venue."""

from decimal import Decimal

from strategy_core import building, lattice
from strategy_core.port import Decision, Needs, Observation
from strategy_core.sizing.targets import Protection, market_order, size_for
from suite.contracts.venue import Action, Leg


class Momentum:
    """Long while the last close is above that of `hours` before, else flat."""

    class Params(building.Params, frozen=True, kw_only=True):
        """Share of equity for all coins together, and how far below the entry the stop is."""

        hours: int = 24
        exposure: Decimal = Decimal("0.5")
        stop_loss: Decimal = Decimal("0.05")

    def __init__(self, setup: building.Setup, params: Params) -> None:
        self.coins, self.hours = setup.instruments, params.hours
        self.share, self.stop = params.exposure / len(setup.symbols), 1 - params.stop_loss
        self.needs = Needs(snapshots=setup.symbols, intervals=("60",))

    def decide(self, observation: Observation) -> Decision:
        actions: list[Action] = []
        for coin, snapshot in observation.snapshots.items():
            bars, price = snapshot["intervals_data"]["60"]["bars"], observation.mids.get(coin)
            if price is None or len(bars) <= self.hours:
                continue  # too little is known; column 4 of a bar is its close
            rises, held = bars[-1][4] > bars[-1 - self.hours][4], observation.size_of(coin)
            size = size_for(self.coins[coin], notional=self.share * observation.equity, price=price)
            if held and not rises:
                actions.append(market_order(coin, -held, reduce_only=True))
            elif rises and not held and size * price >= 10:  # USD, the venue's smallest order
                stop = Leg(price=lattice.round_price_down(self.coins[coin], price * self.stop))
                actions.append(market_order(coin, size, protection=Protection(stop, None)))
        return Decision(actions=tuple(actions), reasoning=f"{len(actions)} orders")
