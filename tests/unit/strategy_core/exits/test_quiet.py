"""Quiet reviews: what they leave as it was, what they bring up, and what ends them."""

from decimal import Decimal

import pytest
from msgspec.structs import replace
from tests.unit.strategy_core.exits.small_venue import ETH, SmallVenue
from tests.unit.strategy_core.exits.test_standing import REPORT, view

from strategy_core.exits.manager import ExitManager, Review
from strategy_core.exits.memory import ExitMemory
from strategy_core.exits.rules import ExitRules
from strategy_core.port import Observation
from suite.bars import MINUTE_MS
from suite.contracts.clock import AccountView


def account(liquidation: str = "1100", equity: str = "900") -> AccountView:
    """The venue's own word on one ETH, on the account's margin."""
    held = view("ETH", "1", "2000", liquidation=liquidation)
    return replace(REPORT, cross_equity=Decimal(equity), positions=(held,))


class Watched:
    """One long ETH at 2,000, reviewed under an account of 900 USD."""

    def __init__(self, told: AccountView | None = None) -> None:
        self.venue = SmallVenue(rules=ExitRules(), leverage=3)
        self.memory = ExitMemory()
        self.venue.open("1", "2000")
        self.first = self.review("2000", told)

    def review(
        self,
        mark: str,
        told: AccountView | None = None,
        rules: ExitRules | None = None,
    ) -> Review:
        return self.manager(rules).review(*self.seen(mark, told or account()))

    def manager(self, rules: ExitRules | None = None) -> ExitManager:
        return ExitManager(
            rules or ExitRules(),
            trader_id="t",
            interval_ms=MINUTE_MS,
            instruments={"ETH": ETH},
            memory=self.memory,
        )

    def seen(self, mark: str, told: AccountView) -> tuple[Observation, AccountView]:
        self.venue.marks["ETH"] = Decimal(mark)
        seen = self.venue.observe()
        (held,), (shown,) = told.positions, seen.positions.values()
        shown = replace(shown, liquidation_px=held.liquidation_px, funding=held.funding)
        now_ms = self.venue.now_ms + MINUTE_MS
        self.venue.fills = []
        return replace(seen, now_ms=now_ms, positions={"ETH": shown}), replace(
            told, positions=(shown,)
        )


def test_small_moves_leave_the_wake_up_as_it_was_and_are_remembered() -> None:
    watched = Watched()
    noted = watched.memory.quiet
    assert noted is not None
    for mark in ("2040", "1960", "2000"):
        assert watched.first == watched.review(mark, account(equity=str(int(mark) - 1100)))
    assert noted is watched.memory.quiet
    held = watched.memory.coins["ETH"]
    assert [Decimal(2040), Decimal(1960)] == [held.best, held.worst]
    assert Decimal("1.5") == held.funding


@pytest.mark.parametrize(
    ("mark", "told"),
    [
        ("2061", account()),
        ("2000", account(equity="854")),
        ("2000", account(equity="NaN")),
        ("2000", account(liquidation="1851")),
        ("2000", account(liquidation="NaN")),
    ],
)
def test_what_lies_beyond_its_bounds_is_reviewed_in_full(mark: str, told: AccountView) -> None:
    watched = Watched()
    noted = watched.memory.quiet
    assert noted is not None
    watched.review(mark, told)
    assert noted is not watched.memory.quiet


def test_other_rules_after_a_restart_are_judged_by_at_once() -> None:
    """The guard is no longer on: its price is not waited for any more."""
    watched = Watched()
    review = watched.review("2000", rules=ExitRules(margin_guard=False))
    assert [2, 1] == [len(one.watch.wake_on.price) for one in (watched.first, review)]


def test_a_price_nearby_is_worked_out_anew_at_each_review() -> None:
    assert Watched(account(liquidation="1710")).memory.quiet is None
    assert Watched(account(liquidation="1690")).memory.quiet is not None


def test_a_decision_that_says_nothing_of_exits_leaves_what_a_review_found() -> None:
    """Also at the turn that tells the end of another position."""
    watched = Watched()
    watched.memory.quiet = None
    watched.memory.coins["BTC"] = replace(watched.memory.coins["ETH"], coin="BTC")
    seen, report = watched.seen("2000", account())
    manager = watched.manager()
    review = manager.review(seen, report)
    assert ["unseen"] == [record.kind for record in review.closed]
    assert review.watch is manager.adopt((), seen).watch
    assert watched.memory.quiet is not None
