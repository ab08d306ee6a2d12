"""Every cell of the status table, and what a status asks of the account."""

from decimal import Decimal

import msgspec
import pytest
from tests.unit.strategy_core.risk.test_gate import resting, see

from strategy_core.risk.closing import actions_for, flatten
from strategy_core.risk.status import (
    CauseKind,
    EventKind,
    StatusEvent,
    StatusMachine,
    StatusState,
)
from suite.contracts.venue import CancelOrder, PlaceOrder
from suite.enums import TraderStatus

LIVE, PAUSED, STOPPED = TraderStatus.LIVE, TraderStatus.PAUSED, TraderStatus.STOPPED
HEAL_MS = 60_000


def event(kind: str, **options: object) -> StatusEvent:
    return StatusEvent(kind=EventKind(kind), at_ms=0, **options)  # type: ignore[arg-type]


START = event("resume", reason="looked at it", preflight_passed=True)
RESUME = event("resume", reason="looked at it")
EVENTS = {
    "start": START,
    "resume": RESUME,
    "resume, no reason": event("resume"),
    "pause": event("pause", cause="user"),
    "stop": event("stop"),
    "flatten": event("flatten"),
    "day loss": event("day_loss", closes=True),
    "drawdown pause": event("drawdown_pause"),
    "drawdown stop": event("drawdown_stop", closes=True),
    "executions": event("executions"),
    "trouble": event("trouble", cause="stale_market"),
    "healed": event("healed", cause="stale_market"),
    "new day": event("new_day"),
    "flat": event("flat"),
}
BEFORE = {
    "LIVE": (),
    "PAUSED auto": ("trouble",),
    "PAUSED day": ("day loss",),
    "PAUSED day, over before it was flat": ("day loss", "new day"),
    "PAUSED user": ("pause",),
    "PAUSED risk": ("drawdown pause",),
    "PAUSED user and auto": ("pause", "trouble"),
    "STOPPED": ("stop",),
}
# from: event -> status, causes, "refused" and "closing" where they hold
TABLE: dict[str, dict[str, tuple[TraderStatus, str, str]]] = {
    "LIVE": {
        "resume": (LIVE, "", ""),
        "start": (LIVE, "", ""),
        "pause": (PAUSED, "user", ""),
        "stop": (STOPPED, "", ""),
        "flatten": (PAUSED, "user", "closing"),
        "day loss": (PAUSED, "day_loss", "closing"),
        "drawdown pause": (PAUSED, "drawdown", ""),
        "drawdown stop": (STOPPED, "", "closing"),
        "executions": (PAUSED, "executions", ""),
        "trouble": (PAUSED, "stale_market", ""),
        "healed": (LIVE, "", ""),
        "new day": (LIVE, "", ""),
    },
    "PAUSED auto": {
        "resume": (PAUSED, "stale_market", "refused"),
        "pause": (PAUSED, "stale_market user", ""),
        "stop": (STOPPED, "stale_market", ""),
        "flatten": (PAUSED, "stale_market user", "closing"),
        "day loss": (PAUSED, "day_loss stale_market", "closing"),
        "drawdown pause": (PAUSED, "drawdown stale_market", ""),
        "drawdown stop": (STOPPED, "stale_market", "closing"),
        "trouble": (PAUSED, "stale_market", ""),
        "healed": (LIVE, "", ""),
        "new day": (PAUSED, "stale_market", ""),
    },
    "PAUSED day": {
        "resume": (PAUSED, "day_loss", "refused, closing"),
        "pause": (PAUSED, "day_loss user", "closing"),
        "stop": (STOPPED, "day_loss", "closing"),
        "day loss": (PAUSED, "day_loss", "closing"),
        "drawdown pause": (PAUSED, "day_loss drawdown", "closing"),
        "drawdown stop": (STOPPED, "day_loss", "closing"),
        "trouble": (PAUSED, "day_loss stale_market", "closing"),
        "new day": (PAUSED, "closing", "closing"),
        "flat": (PAUSED, "day_loss", ""),
    },
    "PAUSED day, over before it was flat": {
        "resume": (LIVE, "", ""),
        "resume, no reason": (PAUSED, "closing", "refused, closing"),
        "pause": (PAUSED, "closing user", "closing"),
        "stop": (STOPPED, "closing", "closing"),
        "flatten": (PAUSED, "closing user", "closing"),
        "day loss": (PAUSED, "closing day_loss", "closing"),
        "trouble": (PAUSED, "closing stale_market", "closing"),
        "new day": (PAUSED, "closing", "closing"),
        "flat": (LIVE, "", ""),
    },
    "PAUSED user": {
        "resume": (LIVE, "", ""),
        "resume, no reason": (PAUSED, "user", "refused"),
        "pause": (PAUSED, "user", ""),
        "stop": (STOPPED, "user", ""),
        "flatten": (PAUSED, "user", "closing"),
        "day loss": (PAUSED, "day_loss user", "closing"),
        "drawdown pause": (PAUSED, "drawdown user", ""),
        "drawdown stop": (STOPPED, "user", "closing"),
        "trouble": (PAUSED, "stale_market user", ""),
        "healed": (PAUSED, "user", ""),
        "new day": (PAUSED, "user", ""),
    },
    "PAUSED risk": {
        "resume": (LIVE, "", ""),
        "resume, no reason": (PAUSED, "drawdown", "refused"),
        "pause": (PAUSED, "drawdown user", ""),
        "stop": (STOPPED, "drawdown", ""),
        "drawdown pause": (PAUSED, "drawdown", ""),
        "drawdown stop": (STOPPED, "drawdown", "closing"),
        "trouble": (PAUSED, "drawdown stale_market", ""),
        "healed": (PAUSED, "drawdown", ""),
        "new day": (PAUSED, "drawdown", ""),
    },
    "PAUSED user and auto": {
        "resume": (PAUSED, "stale_market", ""),
        "healed": (PAUSED, "user", ""),
    },
    "STOPPED": {
        "start": (LIVE, "", ""),
        "resume": (STOPPED, "", "refused"),
        "resume, no reason": (STOPPED, "", "refused"),
        "pause": (STOPPED, "", "refused"),
        "stop": (STOPPED, "", ""),
        "flatten": (STOPPED, "", "closing"),
        "day loss": (STOPPED, "day_loss", "closing"),
        "drawdown pause": (STOPPED, "", ""),
        "drawdown stop": (STOPPED, "", "closing"),
        "executions": (STOPPED, "", ""),
        "trouble": (STOPPED, "stale_market", ""),
        "healed": (STOPPED, "", ""),
        "new day": (STOPPED, "", ""),
    },
}  # fmt: skip
CELLS = [(state, name) for state, row in TABLE.items() for name in row]


def machine_in(state: str) -> tuple[StatusMachine, StatusState]:
    memory = StatusState()
    machine = StatusMachine(memory, symbols=("BTC", "ETH"))
    for name in BEFORE[state]:
        machine.apply(EVENTS[name])
    return machine, memory


@pytest.mark.parametrize(("state", "name"), CELLS)
def test_every_cell_of_the_status_table(state: str, name: str) -> None:
    """Status, causes, whether it was allowed, and whether positions are closed."""
    machine, memory = machine_in(state)
    sequence = memory.sequence
    change = machine.apply(EVENTS[name])
    status, causes, note = TABLE[state][name]
    assert (status, tuple(causes.split())) == (machine.status, change.causes)
    assert ("refused" in note) == bool(change.refused)
    assert ("closing" in note) == memory.closing
    assert change.after is machine.status
    assert change.sequence == sequence + change.changed == memory.sequence


@pytest.mark.parametrize(("state", "name"), CELLS)
def test_an_event_that_comes_twice_changes_nothing_the_second_time(state: str, name: str) -> None:
    """Status, causes and sequence stay."""
    machine, memory = machine_in(state)
    machine.apply(EVENTS[name])
    before = msgspec.json.encode(memory)
    assert not machine.apply(EVENTS[name]).changed
    assert before == msgspec.json.encode(memory)


def test_a_trouble_is_over_once_it_was_absent_for_a_minute() -> None:
    """At 59.999 s it still pauses, at 60 s not; a relapse counts anew."""
    memory = StatusState()
    machine = StatusMachine(memory, symbols=("BTC",))

    def look(now_ms: int, *trouble: str) -> TraderStatus:
        machine.look(dict.fromkeys(trouble, ""), now_ms=now_ms, heal_ms=HEAL_MS)
        return machine.status

    assert look(0, "stale_market") is PAUSED
    assert look(59_999) is PAUSED
    assert look(59_999, "stale_market") is PAUSED
    assert look(119_998) is PAUSED
    assert look(119_999) is LIVE


def test_a_person_may_resume_once_the_trouble_is_gone_without_waiting() -> None:
    """Refused while it is there; granted as soon as it is not."""
    machine = StatusMachine(StatusState(), symbols=("BTC",))
    machine.look(dict.fromkeys(("stale_market",), ""), now_ms=0, heal_ms=HEAL_MS)
    assert "stale_market" in machine.apply(RESUME).refused
    machine.look(dict.fromkeys((), ""), now_ms=1, heal_ms=HEAL_MS)
    assert machine.apply(event("resume")).refused == ""
    assert machine.status is LIVE


def test_a_start_does_not_wipe_away_what_no_person_can_end() -> None:
    """Started in the middle of a lost day or a trouble, it waits for the end of those."""
    machine, memory = machine_in("STOPPED")
    machine.apply(EVENTS["day loss"])
    machine.look(dict.fromkeys(("kill_latch",), ""), now_ms=0, heal_ms=HEAL_MS)
    assert ("day_loss", "kill_latch") == machine.apply(START).causes
    assert machine.status is PAUSED
    assert memory.closing


def test_a_trouble_that_a_person_paused_for_too_is_the_persons() -> None:
    """An automatic pause never ends one by a person, even under the same name."""
    memory = StatusState()
    machine = StatusMachine(memory, symbols=("BTC",))
    machine.look(dict.fromkeys(("venue",), ""), now_ms=0, heal_ms=HEAL_MS)
    machine.apply(event("pause", cause="venue"))
    machine.look(dict.fromkeys((), ""), now_ms=10 * HEAL_MS, heal_ms=HEAL_MS)
    assert CauseKind.HUMAN is memory.causes["venue"].kind
    assert machine.status is PAUSED


def test_a_cause_of_one_coin_pauses_only_where_there_is_no_other() -> None:
    """Unknown orders keep their coins back; all coins together are the trader."""
    machine = StatusMachine(StatusState(), symbols=("BTC", "ETH"))
    machine.look(dict.fromkeys(("unknown_order:BTC",), ""), now_ms=0, heal_ms=HEAL_MS)
    assert (LIVE, True, False) == (
        machine.status, machine.holds_back("BTC"), machine.holds_back("ETH"),
    )  # fmt: skip
    machine.look(
        dict.fromkeys(("unknown_order:BTC", "unknown_order:ETH"), ""), now_ms=1, heal_ms=HEAL_MS
    )
    assert machine.status is PAUSED
    assert StatusMachine(StatusState(), symbols=()).status is LIVE


def test_a_state_survives_a_restart() -> None:
    """Status, causes and their times are JSON."""
    machine, memory = machine_in("PAUSED user and auto")
    again = msgspec.json.decode(msgspec.json.encode(memory), type=StatusState)
    assert memory == again
    assert machine.status is StatusMachine(again, symbols=("BTC", "ETH")).status


def test_a_status_takes_down_what_it_does_not_allow() -> None:
    """Entries go when paused; what protects stays, when stopped until its coin is flat."""
    orders = (
        resting("1", oid=1),
        resting("-1", oid=2, reduce=True),
        resting("-1", "ETH", oid=3, reduce=True),
    )
    seen = see({"BTC": "1"}, orders=orders)
    entry, orphan = CancelOrder(coin="BTC", oid=1), CancelOrder(coin="ETH", oid=3)
    assert actions_for(LIVE, seen) == ()
    assert (entry,) == actions_for(PAUSED, seen)
    assert (entry, orphan) == actions_for(STOPPED, seen)


@pytest.mark.parametrize("status", [PAUSED, STOPPED])
def test_orders_of_others_are_never_touched(status: TraderStatus) -> None:
    """Neither an entry nor a stop whose coin is flat; the closing does not wait for them either."""
    orders = (resting("1", oid=1), resting("-1", "ETH", oid=3, reduce=True), resting("1", oid=4))
    seen = see({"BTC": "1"}, orders=orders)
    assert (CancelOrder(coin="BTC", oid=4),) == actions_for(status, seen, foreign={1, 3})


def test_flatten_closes_each_position_with_a_reduce_only_market_order() -> None:
    """Long and short, whole sizes."""
    seen = see({"BTC": "1.5", "ETH": "-2"})
    assert [("BTC", False, Decimal("1.5"), True), ("ETH", True, Decimal(2), True)] == [
        (order.coin, order.is_buy, order.sz, order.reduce_only)
        for order in flatten(seen)
        if isinstance(order, PlaceOrder) and order.limit_px == 0
    ]
