"""What a run shows while it is driven."""

from decimal import Decimal

import msgspec
from tests.unit.strategy_core.fake_venue import FakeVenue

from strategy_agent.application.alerts import Alerts
from strategy_agent.application.status import Status
from strategy_agent.application.watched_run import WatchedRun
from suite.clock import ManualClock
from suite.contracts.clock import JoinRequest
from suite.contracts.venue import PlaceOrder


def test_a_fill_that_a_join_tells_again_is_counted_once() -> None:
    """However many runs there are; another one of the same order is another fill."""
    status = Status(trader_id="a", kind="flat")
    run = WatchedRun(status, Alerts(status, ManualClock(7), lambda _: None))
    venue = FakeVenue(steps=9)
    fill = venue._act(PlaceOrder(coin="BTC", is_buy=True, sz=Decimal(1)))[1]
    assert fill is not None
    reply = msgspec.structs.replace(venue.join(JoinRequest()), fills=(fill,))
    for _ in range(3):
        run.shown(reply)
    assert 1 == status.fills
    run.shown(msgspec.structs.replace(reply, fills=(msgspec.structs.replace(fill, tid=99),)))
    assert 2 == status.fills
