"""A trader of a plugin that leaves one order of each kind at its venue."""

TRADERS = """
traders:
  - {trader_id: alice, strategy: {kind: "plugin:mine:Rests"}, symbols: [BTC], interval: 1m}
"""
PLUGIN = '''
from decimal import Decimal
from strategy_core import building
from strategy_core.port import Decision, Needs
from suite.contracts.venue import Leg, PlaceOrder


class Rests:
    """Buys a little once, with a stop, and leaves a bid far below the market."""

    class Params(building.Params, frozen=True, kw_only=True):
        pass

    def __init__(self, setup, params):
        self.needs = Needs(snapshots=("BTC",), intervals=("1",))

    def decide(self, observation):
        if observation.open_orders or observation.positions:
            return Decision(reasoning="waits")
        mid = observation.mids["BTC"]
        low = Decimal(int(mid * Decimal("0.99")))
        stop = Leg(price=Decimal(int(mid * Decimal("0.9"))))
        size = Decimal("0.01")
        return Decision(actions=(
            PlaceOrder(coin="BTC", is_buy=True, sz=size, stop_loss=stop),
            PlaceOrder(coin="BTC", is_buy=True, sz=size, limit_px=low),
        ))
'''
