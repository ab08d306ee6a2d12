"""The cache of an account: what it shows, what it doubts, what it never does."""

from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from tests.support.account_wire import (
    change,
    fill,
    fills,
    funding,
    ledger,
    order,
    position,
    push,
    push_of,
    state,
)

from suite.account.events import AccountChange, AccountEvent, FillsPush
from suite.account.state import AccountStateCache, StateLimits
from suite.clock import ManualClock

ME = "0xme"


@dataclass
class Told:
    """A cache and its time."""

    now_s: float = 100.0
    busy: bool = False
    changes: list[AccountChange] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cache = AccountStateCache(
            clock=ManualClock(5),
            user=ME,
            limits=StateLimits(cash_tolerance=Decimal(0)),
            now_s=lambda: self.now_s,
        )
        self.cache.in_flight = lambda: self.busy
        self.cache.listeners.append(self.changes.append)
        self.cache.connected()

    def tell(self, *events: AccountEvent) -> None:
        for event in events:
            self.cache.heard()
            self.cache.received(event)

    def begin(self, *events: AccountEvent) -> "Told":
        """Connect to an account with what was before, and reconcile."""
        self.tell(*(events or (fills(snapshot=True), push(at=10))))
        assert self.cache.reconciled(push_of(state(time=0)), ())
        return self

    def twice(self, event: AccountEvent) -> None:
        """Tell it, and again more than a second later."""
        self.tell(event)
        self.now_s += 1.5
        self.tell(event)

    def trouble(self) -> tuple[str, ...]:
        return self.cache.trouble

    @property
    def money(self) -> tuple[str | None, str]:
        """Net deposits, and the value that they are in."""
        view = self.cache.state.view
        assert view is not None
        moved = view.net_deposits
        return None if moved is None else str(moved), str(view.equity)

    @property
    def sizes(self) -> dict[str, str]:
        view = self.cache.state.view
        assert view is not None
        return {held.coin: str(held.size) for held in view.positions}

    @property
    def oids(self) -> list[int]:
        view = self.cache.state.view
        assert view is not None
        return [one.oid for one in view.open_orders]


BOUGHT = fill(1, at=20)
AFTER = position("ETH", "1.0")


def test_nothing_is_assumed_before_the_venue_has_told_something() -> None:
    told = Told()
    assert told.cache.state.view is None
    assert ("reconciling",) == told.trouble()
    assert not told.cache.ready


def test_a_fill_shows_at_once_and_the_state_before_it_does_not_undo_it() -> None:
    told = Told().begin()
    told.tell(fills(BOUGHT))
    assert {"ETH": "1.0"} == told.sizes
    told.tell(push(at=19), push(at=20))
    assert {"ETH": "1.0"} == told.sizes
    told.tell(push(AFTER, at=21, cash="900.0"))
    assert {"ETH": "1.0"} == told.sizes
    assert () == told.trouble()
    assert (21, 21) == (told.cache.state.as_of_ms, told.cache.agreed_ms)


def test_a_late_state_is_counted_and_nothing_else() -> None:
    told = Told().begin()
    told.tell(push(AFTER, at=30, cash="900.0"), fills(fill(1, at=25)))
    version, late = told.cache.state.version, told.cache.counts["late_pushes"]
    told.tell(push(at=20))
    assert ({"ETH": "1.0"}, version) == (told.sizes, told.cache.state.version)
    assert late + 1 == told.cache.counts["late_pushes"]


def test_a_fill_told_by_stream_snapshot_and_read_counts_once() -> None:
    told = Told().begin()
    told.tell(fills(BOUGHT), fills(BOUGHT, snapshot=True))
    view = push_of(state(AFTER, cash="900.0", time=21))
    assert told.cache.reconciled(view, (BOUGHT,))
    assert ({"ETH": "1.0"}, 1) == (told.sizes, len(told.cache.state.fills))
    assert [(BOUGHT,)] == [one.fills for one in told.changes if one.fills]


def test_what_was_before_the_first_connection_is_history_and_no_news() -> None:
    old = fill(1, at=5)
    told = Told().begin(fills(old, snapshot=True), push(AFTER, at=10))
    assert ((old,), []) == (told.cache.state.fills, [one for one in told.changes if one.fills])
    told.tell(push(AFTER, at=11))
    assert () == told.trouble()


def test_a_state_before_the_snapshot_of_fills_begins_nothing() -> None:
    told = Told()
    told.tell(push(AFTER, at=10))
    ready = [told.cache.ready]
    told.tell(fills(fill(1, at=5), snapshot=True))
    assert [False, True] == [*ready, told.cache.ready]
    assert {"ETH": "1.0"} == told.sizes


def test_a_position_that_its_fills_do_not_explain_is_not_believed_at_the_start() -> None:
    """Cold start: the newest fill left 1.0, the venue reports 3.0."""
    told = Told()
    told.tell(fills(fill(1, at=5), snapshot=True), push(position("ETH", "3.0"), at=10))
    view = push_of(state(position("ETH", "3.0"), time=11))
    assert not told.cache.reconciled(view, ())
    assert ("reconciling",) == told.trouble()
    told.cache.give_in()
    assert ("account_differs",) == told.trouble()


@pytest.mark.parametrize(
    ("lost", "seen", "healed_by"),
    [
        ("position ETH: 1", push(AFTER, at=30, cash="900.0"), fills(BOUGHT, snapshot=True)),
        ("cash: -0.5", push(at=30, cash="999.5"), funding("-0.5", at=25)),
    ],
)
def test_a_lost_message_is_found_at_the_second_state_and_heals_when_it_comes(
    lost: str, seen: AccountEvent, healed_by: AccountEvent
) -> None:
    told = Told().begin()
    told.tell(push(at=11))  # cash is sure from here
    told.tell(seen)
    assert () == told.trouble()
    told.now_s += 1.5
    told.tell(seen)
    assert ("account_differs",) == told.trouble()
    assert lost in told.cache.state.differences
    told.tell(healed_by, seen)
    assert () == told.trouble()


def test_the_venues_position_shows_where_the_picture_has_nothing_newer() -> None:
    told = Told().begin()
    told.tell(push(AFTER, at=30, cash="900.0"))
    assert {"ETH": "1.0"} == told.sizes


def test_a_difference_with_an_action_in_flight_waits() -> None:
    told = Told().begin()
    told.busy = True
    told.twice(push(AFTER, at=30, cash="900.0"))
    assert () == told.trouble()
    told.busy = False
    told.tell(push(AFTER, at=31, cash="900.0"))
    told.busy = True
    assert ("account_differs",) == told.trouble()


def test_orders_follow_their_updates_and_an_end_is_final() -> None:
    told = Told().begin()
    told.tell(change(order(7)), change(order(7, "0.4"), at=11))
    assert [7] == told.oids
    told.tell(change(order(7, "0.0"), "filled", at=12), change(order(7), at=12))
    assert [] == told.oids
    waited_for = [one.status for change_ in told.changes for one in change_.orders]
    assert ["open", "filled"] == waited_for  # resting it was no news


def test_a_lost_update_of_an_order_is_found_told_and_healed_by_the_state_itself() -> None:
    told = Told().begin()
    told.tell(push(at=30, orders=(order(7),)))
    assert [] == told.oids
    told.now_s += 1.5
    told.tell(push(at=31, orders=(order(7),)))
    assert ("account_differs",) == told.trouble()
    assert [7] == told.oids
    told.tell(push(at=32, orders=(order(7),)))
    assert () == told.trouble()
    assert 1 == told.cache.differences


def test_a_state_older_than_an_order_neither_removes_nor_revives_it() -> None:
    told = Told().begin()
    told.tell(change(order(7), at=40))
    told.twice(push(at=35))
    assert ([7], ()) == (told.oids, told.trouble())
    told.tell(change(order(7), "canceled", at=45))
    told.twice(push(at=44, orders=(order(7),)))
    assert ([], ()) == (told.oids, told.trouble())


def test_money_that_moved_otherwise_is_taken_over_without_a_word() -> None:
    told = Told().begin()
    told.tell(push(at=11), ledger(25))
    told.twice(push(at=30, cash="1500.0"))
    assert () == told.trouble()
    told.twice(push(at=31, cash="1600.0"))
    assert ("account_differs",) == told.trouble()


@pytest.mark.parametrize(
    ("event", "word"),
    [
        (fills(fill(2, at=30, fee="nan")), "malformed"),
        (push(at=30, cash="much"), "malformed"),
        (change(order(3, "1e"), at=30), "malformed"),
        (funding("", at=30), "malformed"),
        (fills(fill(1, at=20, size="9.0")), "two ways"),
    ],
)
def test_a_venue_that_lies_is_doubted_with_a_reason_and_crashes_nothing(
    event: AccountEvent, word: str
) -> None:
    told = Told().begin()
    told.tell(fills(BOUGHT), event)
    assert ("account_differs",) == told.trouble()
    assert word in told.cache.state.differences[-1]
    assert {"ETH": "1.0"} == told.sizes
    told.tell(push(AFTER, at=31, cash="900.0"))
    assert (word == "two ways") == bool(told.trouble())
    told.cache.adopt()
    assert () == told.trouble()


def test_one_trade_told_under_two_ids_is_a_difference_until_an_operator_looks() -> None:
    told = Told().begin()
    told.tell(fills(BOUGHT, fill(2, at=20)))
    told.twice(push(AFTER, at=30, cash="900.0"))
    assert ("account_differs",) == told.trouble()
    told.cache.adopt()
    told.twice(push(AFTER, at=31, cash="900.0"))
    assert ({"ETH": "1.0"}, ()) == (told.sizes, told.trouble())


def test_ages_make_it_stale_and_pongs_alone_keep_it_alive_only_for_so_long() -> None:
    told = Told().begin()
    told.now_s += 20.5
    assert ("stale_account",) == told.trouble()
    told.cache.heard()
    assert () == told.trouble()
    told.now_s += 40
    told.cache.heard()
    assert ("stale_account",) == told.trouble()
    told.tell(push(at=11))
    assert () == told.trouble()


def test_a_lost_connection_reconciles_before_it_is_trusted_again() -> None:
    told = Told().begin()
    told.cache.lost()
    assert not told.cache.state.live
    assert ("reconciling",) == told.trouble()
    told.cache.connected()
    told.tell(fills(BOUGHT, snapshot=True), push(AFTER, at=30, cash="900.0"))
    assert ("reconciling",) == told.trouble()
    view = push_of(state(AFTER, cash="900.0", time=30))
    assert told.cache.reconciled(view, ())
    assert () == told.trouble()


def test_a_read_that_lags_behind_its_own_fills_does_not_count() -> None:
    told = Told().begin()
    told.cache.connected()
    told.tell(push(AFTER, at=30, cash="900.0"))
    view = push_of(state(AFTER, cash="900.0", time=30))
    assert not told.cache.reconciled(view, ())
    assert told.cache.reconciled(view, (BOUGHT,))


def test_the_wallet_of_spot_does_not_touch_perpetuals() -> None:
    told = Told().begin()
    told.tell(FillsPush(fills=(fill(9, "@1", at=20), fill(10, "PURR/USDC", at=20))))
    told.twice(push(at=30))
    assert ({}, ()) == (told.sizes, told.trouble())
    assert () == told.cache.state.fills
    assert [] == [change for change in told.changes if change.fills]


def test_what_somebody_holds_never_changes() -> None:
    told = Told().begin()
    before = told.cache.state
    told.tell(fills(BOUGHT))
    assert () == before.fills
    assert before.version < told.cache.state.version


def test_a_state_in_the_middle_of_a_burst_of_fills_takes_nothing_back() -> None:
    told = Told().begin()
    burst = [fill(tid, at=20 + tid, start=f"{tid}.0") for tid in range(30)]
    for one in burst:
        told.tell(fills(one))
    assert {"ETH": "30.0"} == told.sizes
    told.tell(push(position("ETH", "10.0"), at=60, cash="0.0"))
    assert {"ETH": "30.0"} == told.sizes
    told.tell(fills(*burst), fills(fill(30, at=61, side="A", start="30.0")))
    assert {"ETH": "29.0"} == told.sizes
    told.tell(push(position("ETH", "29.0"), at=62, cash="-1900.0"))
    assert ({"ETH": "29.0"}, ()) == (told.sizes, told.trouble())


# ---- money moved --------------------------------------------------------------------------------

OUT = ledger(25, "withdraw", usdc="249.0", fee="1.0")
DEPOSIT = ledger(3, "deposit", usdc="1000.0", snapshot=True)


def funded() -> Told:
    """An account of 1,000 USD that were deposited once."""
    told = Told()
    told.tell(DEPOSIT, fills(snapshot=True), push(at=10))
    view = push_of(state(time=11))
    assert told.cache.reconciled(view, (), DEPOSIT.rows)
    return told


def test_net_deposits_are_unknown_until_the_ledger_was_read() -> None:
    told = Told().begin(DEPOSIT, fills(snapshot=True), push(at=10))
    assert (None, "1000.0") == told.money
    assert ("1000.0", "1000.0") == funded().money


@pytest.mark.parametrize("entry_first", [True, False])
def test_money_is_told_as_moved_with_the_state_that_has_it(*, entry_first: bool) -> None:
    """Entry and state come in any order: what is told together belongs together."""
    told, after = funded(), push(at=26, cash="750.0")
    if entry_first:
        told.tell(OUT)
        assert ("1000.0", "1000.0") == told.money
        told.tell(push(at=24), push(at=26, cash="750.0"))
    else:
        told.tell(after)
        assert ("750.0", "750.0") == told.money
        told.tell(OUT)
    assert ("750.0", "750.0") == told.money
    told.twice(push(at=27, cash="750.0"))
    told.tell(OUT)
    assert (("750.0", "750.0"), ()) == (told.money, told.trouble())


def test_money_that_moves_while_time_stands_is_told_with_the_state_that_has_it() -> None:
    """The entry is as old as the state the account was first seen in, which lacks it."""
    told = Told()
    told.tell(DEPOSIT, fills(snapshot=True), push(at=10))
    assert told.cache.reconciled(push_of(state(time=10)), (), DEPOSIT.rows)
    told.tell(ledger(10, "withdraw", number=2, usdc="250.0"))
    assert ("1000.0", "1000.0") == told.money
    told.tell(push(at=10, cash="750.0"))
    assert (("750.0", "750.0"), ()) == (told.money, told.trouble())


def test_fills_and_funding_are_no_money_moved() -> None:
    told = funded()
    told.tell(fills(BOUGHT), funding("-5.0", at=21))
    assert "1000.0" == told.money[0]
    told.tell(push(AFTER, at=22, cash="895.0"))
    assert ("1000.0", "995.00") == told.money


def test_cash_that_nothing_explains_pauses_and_is_no_loss_until_an_operator_says_so() -> None:
    """Of a fill that was lost the position tells; money alone may be an entry that is late."""
    told = funded()
    told.twice(push(at=26, cash="750.0"))
    assert (("750.0", "750.0"), ("account_differs",)) == (told.money, told.trouble())
    told.cache.adopt()
    assert (("1000.0", "750.0"), ()) == (told.money, told.trouble())


def test_a_position_that_nothing_explains_is_no_money_moved() -> None:
    told = funded()
    told.twice(push(AFTER, at=26, cash="900.0"))
    assert ("1000.0", ("account_differs",)) == (told.money[0], told.trouble())


def test_money_that_moves_in_an_unknown_way_is_told_until_an_operator_has_looked() -> None:
    """What it moved counts as earned or lost; one of before is history."""
    told = Told().begin(ledger(3, "gift", amount="7"), fills(snapshot=True), push(at=10))
    assert () == told.trouble()
    told = funded()
    told.tell(ledger(25, "gift", amount="250.0"))
    told.twice(push(at=26, cash="1250.0"))
    assert (("1000.0", "1250.0"), ("account_differs",)) == (told.money, told.trouble())
    assert "money moved by gift: not known how much" in told.cache.state.differences
    told.cache.adopt()
    assert () == told.trouble()


def test_what_was_moved_while_there_was_no_connection_is_known_after_it() -> None:
    told = funded()
    told.cache.lost()
    told.cache.connected()
    told.tell(fills(snapshot=True), push(at=40, cash="750.0"))
    view = push_of(state(cash="750.0", time=41))
    assert told.cache.reconciled(view, (), OUT.rows)
    assert (("750.0", "750.0"), ()) == (told.money, told.trouble())
    assert 25 == told.cache.ledger_ms
