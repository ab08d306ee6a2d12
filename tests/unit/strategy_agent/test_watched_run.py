"""What a run shows while it is driven."""

from decimal import Decimal

import msgspec
from tests.unit.strategy_core.fake_venue import FakeVenue

from strategy_agent.application.alerts import Alerts
from strategy_agent.application.status import Status
from strategy_agent.application.watched_run import WatchedRun
from strategy_core.llm.thought import Thought
from strategy_core.port import Decision, Observation
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


def test_a_model_that_gives_no_answer_is_told_once() -> None:
    """Until it answers again, or for another reason; the state shows it meanwhile."""
    status, told = Status(trader_id="t", kind="llm"), list[str]()
    alerts = Alerts(status, ManualClock(7), lambda alert: told.append(f"{alert.kind} {alert.text}"))
    run = WatchedRun(status, alerts)
    shown = []
    for fault in ("", "timeout: slow", "timeout: slow", "", "timeout: slow", "quota: pay"):
        run.decided(Observation(now_ms=1), Decision(thought=Thought(fault=fault)))
        shown.append(status.model_fault)
    run.decided(Observation(now_ms=1), Decision())
    assert ["", "timeout: slow", "timeout: slow", "", "timeout: slow", "quota: pay"] == shown
    assert ["model timeout: slow", "model timeout: slow", "model quota: pay"] == told
    assert "quota: pay" == status.model_fault
