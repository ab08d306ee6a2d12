"""Days, drawdowns, streaks and restarts: what the gate remembers."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import count
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.unit.strategy_core.fake_venue import INSTRUMENTS, spec_of
from tests.unit.strategy_core.risk.test_gate import order, resting, see

from strategy_core.port import Observation
from strategy_core.registry import limits_of
from strategy_core.risk.commands import Command, Flatten, Pause, Resume, Stop
from strategy_core.risk.gate import RiskGate
from strategy_core.risk.limits import RiskLimits
from strategy_core.risk.memory import RiskMemory
from suite.contracts.hyperliquid_info import UserFill
from suite.contracts.venue import CancelOrder, PlaceOrder
from suite.enums import TraderStatus

DAY_MS = 86_400_000
MIDNIGHT_MS = 1_746_403_200_000
TIDS = count(1)
LIVE, PAUSED, STOPPED = TraderStatus.LIVE, TraderStatus.PAUSED, TraderStatus.STOPPED


class Account:
    """A gate that is built anew from its memory at every look."""

    def __init__(self, limits: RiskLimits | None = None) -> None:
        self.limits = limits or RiskLimits()
        self.memory = RiskMemory()
        self.now_ms = MIDNIGHT_MS

    @property
    def gate(self) -> RiskGate:
        kept = msgspec.json.encode(self.memory)
        self.memory = msgspec.json.decode(kept, type=RiskMemory)
        return RiskGate(
            self.limits, symbols=("BTC", "ETH"), instruments=INSTRUMENTS, memory=self.memory
        )

    def seen(self, equity: str, **changes: Any) -> Observation:
        return replace(see({"BTC": "1"}, equity=equity), now_ms=self.now_ms, **changes)

    def look(
        self, equity: str, *, after_ms: int = 60_000, deposits: str | None = None, **changes: Any
    ) -> list[str]:
        """The next look, and what changed by it."""
        moved = None if deposits is None else Decimal(deposits)
        changed = self.gate.begin(self.seen(equity, **changes), net_deposits=moved)
        self.now_ms += after_ms
        return [f"{change.event} -> {change.after}" for change in changed]

    def tell(self, command: Command, *, preflight_passed: bool = False) -> str:
        gate = self.gate
        return gate.command(command, now_ms=self.now_ms, preflight_passed=preflight_passed).refused


RESUME = Resume(actor="anna", reason="looked at it")


def test_a_lost_day_ends_at_midnight_and_the_next_is_counted_from_its_own_start() -> None:
    """3 % of the day's first equity; positions are closed, and no person can end it."""
    account = Account()
    assert account.look("1000") == []
    assert account.look("1020") == []
    assert account.look("970.01") == []  # less than 3 % of 1000, more than that of 1020
    assert ["day_loss -> PAUSED"] == account.look("970")
    assert [PlaceOrder] == [type(action) for action in account.gate.duties(account.seen("970"))]
    assert "day_loss" in account.tell(RESUME)
    account.now_ms = MIDNIGHT_MS + DAY_MS - 1
    assert ["flat -> PAUSED"] == account.look("960", after_ms=1, positions={})
    assert ["new_day -> LIVE"] == account.look("960")
    assert account.look("940") == []
    assert ["day_loss -> PAUSED"] == account.look("931.2")


def test_closing_goes_on_while_an_entry_could_still_fill() -> None:
    """Flat, with an order not canceled yet: what it fills is closed too."""
    account = Account()
    account.look("1000")
    account.look("970")
    flat = replace(see(equity="970"), now_ms=account.now_ms)
    assert account.gate.begin(replace(flat, open_orders=(resting("1"),))) == ()
    assert [PlaceOrder] == [type(action) for action in account.gate.duties(account.seen("970"))]
    account.gate.begin(flat)
    assert account.gate.duties(account.seen("970")) == ()


def test_closing_does_not_wait_for_an_order_of_somebody_else() -> None:
    """It is not canceled, so it would never be over."""
    account = Account()
    account.look("1000")
    account.look("970")
    flat = replace(see(equity="970"), now_ms=account.now_ms)
    account.gate.begin(replace(flat, open_orders=(resting("1", oid=8),)), foreign={8})
    assert not account.memory.state.closing


def test_a_lost_day_that_ends_before_it_is_flat_opens_nothing() -> None:
    """Lost a second before midnight: it is closed in the new day, and only then goes on."""
    account = Account()
    account.look("1000")
    account.now_ms = MIDNIGHT_MS + DAY_MS - 1_000
    assert ["day_loss -> PAUSED"] == account.look("970")
    assert ["new_day -> PAUSED"] == account.look("970", after_ms=2_000)
    seen = account.seen("970")
    assert ["rejected(paused)"] == [str(v) for v in account.gate.judge([order("2")], seen).verdicts]
    assert [PlaceOrder] == [type(action) for action in account.gate.duties(seen)]
    flat = replace(see(equity="970"), now_ms=account.now_ms)
    assert [LIVE] == [change.after for change in account.gate.begin(flat)]
    assert account.gate.duties(flat) == ()


def test_a_lost_day_may_leave_the_positions() -> None:
    """With `hold` it is only new risk that ends."""
    account = Account(RiskLimits(at_day_loss="hold"))
    account.look("1000")
    assert ["day_loss -> PAUSED"] == account.look("970")
    assert account.gate.duties(account.seen("970")) == ()


def test_a_drawdown_pauses_until_a_person_resumes_and_is_then_counted_anew() -> None:
    """The stop is still counted from the highest equity of all."""
    account = Account()
    account.look("1000", after_ms=DAY_MS)
    account.look("1100", after_ms=DAY_MS)
    assert ["new_day -> LIVE", "drawdown_pause -> PAUSED"] == [
        "new_day -> LIVE", *account.look("990", after_ms=DAY_MS)
    ]  # fmt: skip
    assert account.look("1050", after_ms=60_000) == []
    assert "drawdown" in account.tell(Resume(actor="anna"))
    assert account.tell(RESUME) == ""
    assert account.gate.status is LIVE
    account.now_ms += DAY_MS
    assert account.look("1045.1", after_ms=DAY_MS) == []
    assert ["drawdown_pause -> PAUSED"] == account.look("945", after_ms=DAY_MS)
    assert ["drawdown_stop -> STOPPED"] == account.look("880")
    assert account.memory.state.closing


def test_a_stopped_trader_starts_after_a_preflight_from_a_new_height() -> None:
    """Neither a reason alone nor a preflight alone is enough."""
    account = Account()
    account.look("1000", after_ms=DAY_MS)
    assert "drawdown_stop -> STOPPED" in account.look("700", after_ms=DAY_MS)
    assert "preflight" in account.tell(RESUME)
    assert "reason" in account.tell(Resume(actor="anna", reason=" "), preflight_passed=True)
    account.look("700", after_ms=DAY_MS)
    assert account.tell(RESUME, preflight_passed=True) == ""
    assert (LIVE, Decimal(700)) == (account.gate.status, account.memory.high_water)
    assert account.look("690") == []


def test_an_account_that_was_never_seen_has_lost_nothing() -> None:
    """Equity 0 before the first real one is no drawdown; afterwards it is."""
    account = Account()
    assert account.look("0") == []
    assert account.look("1000") == []
    assert "drawdown_stop -> STOPPED" in account.look("0")


def test_a_clock_that_steps_back_begins_no_day() -> None:
    """The day's first equity stays, and nothing that was counted is forgotten."""
    account = Account()
    account.look("1000")
    gate = account.gate
    gate.judge([order("1")], account.seen("1000"))
    account.now_ms = MIDNIGHT_MS - DAY_MS
    account.look("990")
    assert (Decimal(1000), MIDNIGHT_MS // DAY_MS) == (
        account.memory.day_start, account.memory.day
    )  # fmt: skip
    account.gate.judge([order("2")], account.seen("1000"))
    assert len(account.memory.order_times) == 2


# ---- money moved --------------------------------------------------------------------------------


def marks(account: Account) -> tuple[Decimal, Decimal, Decimal]:
    memory = account.memory
    return memory.day_start, memory.high_water, memory.pause_high_water


def test_money_taken_out_is_no_loss() -> None:
    """A quarter of the account goes: neither the day nor the height is lost by it."""
    account = Account()
    account.look("1000", deposits="1000.0")
    assert account.look("750", deposits="750.0") == []
    assert (Decimal(750),) * 3 == marks(account)
    assert account.look("727.51", deposits="750.0") == []
    assert ["day_loss -> PAUSED"] == account.look("727.5", deposits="750.0")


def test_money_put_in_hides_no_loss() -> None:
    """2 % lost and the account doubled: 1 % more, of what there is now, ends the day."""
    account = Account()
    account.look("1000", deposits="0.0")
    account.look("980", deposits="0.0")
    assert account.look("1960", deposits="980.0") == []
    assert Decimal(2000) == account.memory.day_start
    assert account.look("1940.01", deposits="980.0") == []
    assert ["day_loss -> PAUSED"] == account.look("1940", deposits="980.0")


def test_what_was_moved_before_the_first_look_changes_nothing() -> None:
    """Nor does it where a trader that was told nothing is told for the first time."""
    account = Account()
    account.look("1000")
    account.look("990", deposits="123456.0")
    assert (Decimal(1000),) * 3 == marks(account)
    account.look("495", deposits="122961.0")
    assert (Decimal(500),) * 3 == marks(account)


def test_money_moved_while_the_equity_is_unreadable_or_nobody_tells_counts_once() -> None:
    """At the next equity that can be read and that says what was moved."""
    account = Account()
    account.look("1000", deposits="0.0")
    bad = msgspec.structs.replace(resting("1"), sz="many")
    unreadable = replace(account.seen("700"), open_orders=(bad,))
    account.gate.begin(unreadable, net_deposits=Decimal("-300.0"))
    account.gate.begin(unreadable)
    account.look("600", deposits="-400.0")
    assert Decimal(600) == account.memory.high_water
    account.look("599", deposits="-400.0")
    assert Decimal(600) == account.memory.high_water


def test_an_account_that_was_emptied_begins_anew() -> None:
    """What it is given next is its first equity."""
    account = Account()
    account.look("1000", deposits="1000.0")
    assert account.look("0", deposits="0.0") == []
    assert account.look("500", deposits="500.0") == []
    assert (Decimal(500),) * 3 == marks(account)


@pytest.mark.parametrize("odd", ["NaN", "sNaN", "Infinity", "1e400"])
def test_net_deposits_that_are_no_number_pause_the_trader(odd: str) -> None:
    """They move nothing."""
    account = Account()
    account.look("1000", deposits="1000.0")
    assert ["trouble -> PAUSED"] == account.look("1000", deposits=odd)
    assert Decimal(1000) == account.memory.high_water


# ---- numbers that cannot be ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "odd",
    [
        {"open_orders": (msgspec.structs.replace(resting("1"), sz="many"),)},
        {"open_orders": (msgspec.structs.replace(resting("1"), limitPx="1e999"),)},
    ],
)
def test_a_venue_whose_numbers_are_none_pauses_the_trader(odd: dict[str, Any]) -> None:
    """With the cause `venue`; what reduces still passes, and the equity is not believed."""
    account = Account()
    account.look("1000")
    seen = replace(account.seen("1000"), **odd)
    gate = account.gate
    changes = gate.begin(seen)
    assert [(PAUSED, ("venue",))] == [(change.after, change.causes) for change in changes]
    assert Decimal(1000) == account.memory.equity
    close = order("-1", reduce=True)
    verdicts = [str(verdict) for verdict in gate.judge([order("2"), close], seen).verdicts]
    assert ["rejected(paused)", "accepted"] == verdicts
    assert gate.duties(seen) is not None


def test_a_fill_that_cannot_be_read_pauses_the_trader() -> None:
    """The others still count."""
    account = Account()
    fills = (fill("B", "0"), fill("B", "0", sz="?"), fill("B", "0"))
    assert ["trouble -> PAUSED"] == account.look("1000", fills=fills)
    assert account.memory.executions == 2


# ---- trades -------------------------------------------------------------------------------------


def fill(side: str, start: str, *, pnl: str = "0", sz: str = "1", fee: str = "0.1") -> UserFill:
    return UserFill(
        coin="BTC", px="100", sz=sz, side=side, time=MIDNIGHT_MS, startPosition=start,  # type: ignore[arg-type]
        dir="", closedPnl=pnl, hash="", oid=1, crossed=True, fee=fee, tid=next(TIDS),
    )  # fmt: skip


def again(one: UserFill) -> UserFill:
    """Another fill that says the same."""
    return msgspec.structs.replace(one, tid=next(TIDS))


def rested(fills: Sequence[UserFill], streak: int) -> bool:
    memory = RiskMemory()
    memory.learn(fills, RiskLimits(loss_streak=streak))
    return bool(memory.cool_downs)


def test_a_trade_lasts_from_flat_to_flat_and_counts_after_fees() -> None:
    """Partial closes belong together, a flip ends one trade, and fees can make a loss."""
    opened, rise, fall = fill("B", "0", sz="2"), fill("A", "2", pnl="5"), fill("A", "1", pnl="-9")
    assert rested([opened, rise, fall], 1)
    assert not rested([opened, rise], 1)
    assert not rested([opened, fill("A", "2", pnl="5"), fill("A", "1", pnl="-3")], 1)
    assert rested([fill("B", "0"), fill("A", "1", pnl="0.1")], 1)
    flip = fill("A", "1", pnl="-1", sz="3")
    assert rested([fill("B", "0"), flip, fill("B", "-2", pnl="-1", sz="2")], 2)


def test_a_gain_ends_a_streak() -> None:
    """Two losses, a gain, two losses: never three in a row."""
    loss, gain = fill("A", "1", pnl="-1"), fill("A", "1", pnl="2")
    more = [again(loss) for _ in range(3)]
    assert rested([loss, *more[:2]], 3)
    assert not rested([loss, more[0], gain, *more[1:]], 3)


def test_a_fill_that_is_told_again_counts_once() -> None:
    """At once, after a restart, and beside others; of two traders' trades one id may be both."""
    account = Account(RiskLimits(loss_streak=2))
    opened, loss = fill("B", "0"), fill("A", "1", pnl="-1")
    account.look("1000", fills=(opened, loss, loss))
    account.look("1000", fills=(loss, opened))
    assert (1, {"BTC": 1}) == (account.memory.executions, account.memory.losses)
    other = msgspec.structs.replace(loss, time=loss.time + 1)
    account.look("1000", fills=(other,))
    assert account.memory.cool_downs
    account.look("1000", fills=tuple(fill("B", "0") for _ in range(600)))
    assert len(account.memory.fills) == 512


def test_the_other_coins_do_not_rest() -> None:
    """A streak belongs to its coin."""
    account = Account(RiskLimits(loss_streak=1))
    account.look("1000", fills=(fill("A", "1", pnl="-1"),))
    verdicts = account.gate.judge([order("2"), order("2", "ETH")], account.seen("1000")).verdicts
    assert ["rejected(cool_down)", "accepted"] == [str(verdict) for verdict in verdicts]


# ---- commands -----------------------------------------------------------------------------------


def test_commands_are_obeyed_and_say_who_and_why() -> None:
    """Pause, resume, close, stop."""
    account = Account()
    account.look("1000")
    entry = replace(account.seen("1000"), open_orders=(resting("1", oid=4),))
    gate = account.gate
    change = gate.command(Pause(actor="anna", reason="news"), now_ms=1)
    assert ("anna", "news", PAUSED, ("user",)) == (
        change.actor, change.reason, change.after, change.causes
    )  # fmt: skip
    assert (CancelOrder(coin="BTC", oid=4),) == gate.duties(entry)
    assert account.tell(RESUME) == ""
    assert account.tell(Flatten(actor="anna")) == ""
    assert [CancelOrder, PlaceOrder] == [type(action) for action in account.gate.duties(entry)]
    flat = replace(see(equity="1000"), now_ms=account.now_ms)
    account.gate.begin(flat)
    assert account.gate.duties(flat) == ()
    assert account.gate.status is PAUSED
    assert account.tell(Stop(actor="anna", flatten=True)) == ""
    assert account.gate.status is STOPPED
    assert account.memory.state.closing


def test_a_person_who_resumes_has_the_executions_counted_anew() -> None:
    """The throttle is on what happens without a person."""
    account = Account(RiskLimits(max_executions=1))
    assert ["executions -> PAUSED"] == account.look("1000", fills=(fill("B", "0"),))
    account.tell(RESUME)
    assert account.look("1000") == []
    assert account.gate.status is LIVE


# ---- the baselines ------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "ends"), [("hodl", LIVE), ("sma_cross", STOPPED)])
def test_a_market_that_falls_by_thirty_percent(kind: str, ends: TraderStatus) -> None:
    """The yardstick holds on; a trader with the usual limits is closed and stopped."""
    account = Account(limits_of(spec_of(kind)))
    for hour in range(24 * 10):
        account.look(str(1000 - Decimal(300) * hour / 240), after_ms=3_600_000)
    assert account.gate.status is ends
    assert account.memory.state.closing == (ends is STOPPED)
