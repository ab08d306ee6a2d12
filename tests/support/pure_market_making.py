"""The rule of a well-known maker, restated for perpetuals, to compare with.

What hummingbot's documentation says of pure market making, with its inventory skew on: orders at a
fixed distance from the mid, replaced when `order_refresh_time` is over; a pause of
`filled_order_delay` after a fill; sizes that go linearly from twice the order to nothing as the
inventory goes from one end of its range to the other. Prices do not follow the inventory, both
sides are rounded down, fees are not looked at. A share of base and quote is put as a signed
position: half of either is flat. None of its code is here.
"""

from decimal import Decimal
from typing import Annotated

import msgspec

from strategy_core import building
from strategy_core.building import Setup
from strategy_core.lattice import round_price_down
from strategy_core.port import ZERO, Decision, Needs, Observation
from strategy_core.quoting.maker import Amount
from strategy_core.quoting.prices import clip
from strategy_core.quoting.refreshing import POST_ONLY
from strategy_core.sizing.targets import MIN_NOTIONAL, size_for
from suite.contracts.clock import WakeOn
from suite.contracts.venue import Action, CancelOrder, PlaceOrder


class PureMarketMaking:
    """Replace both orders of each coin at every refresh."""

    class Params(building.Params, frozen=True, kw_only=True):
        """Names and defaults are its own where it has them.

        Attributes:
            spread: full width, a fraction; a side stands at half of it.
            order_notional, max_inventory: as of `fixed_spread`.
            order_refresh_time_ms, filled_order_delay_ms: how often; how long it waits.
        """

        spread: Annotated[float, msgspec.Meta(gt=0)] = 0.001
        order_notional: float | str = "1%"
        max_inventory: float | str = "5%"
        order_refresh_time_ms: int = 30_000
        filled_order_delay_ms: int = 60_000

    needs = Needs()

    def __init__(self, setup: Setup, params: "PureMarketMaking.Params") -> None:
        self._setup = setup
        self._params = params
        self._half = Decimal(repr(params.spread)) / 2
        self._order = Amount.parse(params.order_notional)
        self._inventory = Amount.parse(params.max_inventory)
        self._placed_ms: dict[str, int] = {}
        self._waits_ms: dict[str, int] = {}

    def decide(self, observation: Observation) -> Decision:
        """Replace what is due."""
        now_ms, params = observation.now_ms, self._params
        for fill in observation.fills:
            self._waits_ms[fill.coin] = fill.time + params.filled_order_delay_ms
        actions: list[Action] = []
        for coin in self._setup.symbols:
            due_ms = self._placed_ms.get(coin, 0) + params.order_refresh_time_ms
            if now_ms < max(due_ms, self._waits_ms.get(coin, 0)):
                continue
            actions.extend(
                CancelOrder(coin=coin, oid=order.oid)
                for order in observation.open_orders
                if order.coin == coin
            )
            actions.extend(self._orders(coin, observation))
            self._placed_ms[coin] = now_ms
        return Decision(actions=tuple(actions), wake_on=WakeOn(fill=True))

    def _orders(self, coin: str, seen: Observation) -> list[Action]:
        mid, limit = seen.mids.get(coin, ZERO), self._inventory.usd(seen.equity)
        if mid <= 0 or limit <= 0:
            return []
        instrument = self._setup.instruments[coin]
        filled = seen.size_of(coin) * mid / limit
        orders: list[Action] = []
        for sign in (1, -1):
            share = clip(1 - sign * filled, ZERO, Decimal(2))
            price = round_price_down(instrument, mid * (1 - sign * self._half))
            if price <= 0 or sign * (mid - price) <= 0:
                continue
            notional = self._order.usd(seen.equity) * share
            size = size_for(instrument, notional=notional, price=mid)
            if size * price >= MIN_NOTIONAL:
                orders.append(
                    PlaceOrder(
                        coin=coin,
                        is_buy=sign > 0,
                        sz=size,
                        limit_px=price,
                        order_type=POST_ONLY,
                    )
                )
        return orders
