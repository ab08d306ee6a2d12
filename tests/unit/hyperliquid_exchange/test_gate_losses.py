"""Losses and fills: what stops a trader, and what only a person takes back."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from tests.support.gate_setting import (
    ANNA,
    BERT,
    NOW_MS,
    OVERALL,
    USD,
    Memory,
    Setting,
    account,
    item,
    order,
)
from tests.support.waiting import until

from hyperliquid_exchange import bootstrap
from hyperliquid_exchange.domain.marks import Marks
from hyperliquid_exchange.domain.safety import EVERYBODY, Level
from suite.fixed import Usd

AROUND = pytest.mark.parametrize("beyond", [-1, 0, 1], ids=["below", "at", "above"])


def setting(**limits: Any) -> Setting:
    return Setting(accounts=[account(**limits)])


@AROUND
def test_executions_until_a_person_allows_more(beyond: int) -> None:
    one = setting(max_executions=7)
    one.tell(executions=7 + beyond)

    assert ("executions" if beyond >= 0 else None) == one.rule(order(item("0.001")))

    one.gate.allow_executions(ANNA)
    assert one.rule(order(item("0.001", "40001"))) is None


def test_executions_are_counted_over_restarts_of_whoever_counts() -> None:
    one = setting(max_executions=7)
    for told in (3, 5, 0, 1, 2):  # 5, and 2 more by another process
        one.tell(executions=told)
        one.gate.observe(ANNA)
    one.gate.save()

    again = Setting(accounts=[account(max_executions=7)], memory=one.memory)
    assert again.rule(order(item("0.001"))) == "executions"


@AROUND
@pytest.mark.parametrize("limit", ["max_day_loss_usd", "max_drawdown_usd"])
def test_losses_stop_the_trader(beyond: int, limit: str) -> None:
    limits = {"max_day_loss_usd": Usd(10**12), "max_drawdown_usd": Usd(10**12)}
    one = setting(**{**limits, limit: Usd(100 * USD)})
    one.gate.observe(ANNA)
    one.tell(equity_usd=Usd(9_900 * USD - beyond))

    assert ("loss" if beyond >= 0 else None) == one.rule(order(item("0.001")))
    assert (Level.STOPPED if beyond >= 0 else Level.LIVE) is one.ladder.level(ANNA)
    assert ["gate"] * (beyond >= 0) == [cause.by for cause in one.ladder.causes]


@AROUND
def test_losses_of_all_stop_all(beyond: int) -> None:
    one = Setting(
        accounts=[account(), account(BERT)],
        overall=replace(OVERALL, max_day_loss_usd=Usd(600 * USD)),
    )
    for name, equity in ((ANNA, 9_700 * USD), (BERT, 9_700 * USD - beyond)):
        one.gate.observe(name)
        one.tell(name, equity_usd=Usd(equity))
        one.gate.observe(name)

    assert ([EVERYBODY] if beyond >= 0 else []) == [cause.scope for cause in one.ladder.causes]
    assert ("loss" if beyond >= 0 else None) == one.rule(order(item("0.001")))


def test_a_withdrawal_is_no_loss_and_a_deposit_no_gain() -> None:
    one = setting()
    one.gate.observe(ANNA)
    one.tell(equity_usd=Usd(1_000 * USD), net_deposits_usd=Usd(1_000 * USD))
    assert one.rule(order(item("0.001"))) is None

    one.tell(equity_usd=Usd(51_000 * USD), net_deposits_usd=Usd(51_000 * USD))
    one.gate.observe(ANNA)
    one.tell(equity_usd=Usd(50_500 * USD))
    assert one.rule(order(item("0.001"))) == "loss"


def test_a_loss_is_forgotten_by_nobody_but_a_person() -> None:
    one = setting()
    one.gate.observe(ANNA)
    one.tell(equity_usd=Usd(9_000 * USD))
    one.gate.observe(ANNA)
    one.gate.save()

    again = Setting(accounts=[account()], memory=one.memory)
    again.tell(equity_usd=Usd(9_000 * USD))
    assert again.rule(order(item("0.001"))) == "loss"

    again.ladder.causes.clear()
    again.gate.forgive(ANNA)
    assert again.rule(order(item("0.001", "40001"))) is None


def test_a_day_begins_with_what_is_there_and_keeps_the_highest_value() -> None:
    one = setting(max_drawdown_usd=Usd(800 * USD))
    one.gate.observe(ANNA)
    one.tell(equity_usd=Usd(9_600 * USD))
    one.gate.observe(ANNA)
    one.clock.advance_to(NOW_MS + 86_400_000)
    one.gate.observe(ANNA)
    one.tell(equity_usd=Usd(9_201 * USD))
    assert one.rule(order(item("0.001"))) is None

    one.tell(equity_usd=Usd(9_200 * USD))
    assert one.rule(order(item("0.001"))) == "loss"


def test_marks_of_a_clock_that_goes_back_begin_no_day() -> None:
    before = Marks(day=99_999, start_usd=Usd(0), peak_usd=Usd(0), worth_usd=Usd(0))
    one = Setting(accounts=[account()], memory=Memory({ANNA: before}))
    one.tell(equity_usd=Usd(9_400 * USD))

    assert one.rule(order(item("0.001"))) == "loss"


def test_fills_before_the_first_look_after_a_restart_are_counted_all() -> None:
    one = setting(max_executions=12)
    one.tell(executions=5)
    one.gate.observe(ANNA)
    one.gate.save()

    again = Setting(accounts=[account(max_executions=12)], memory=one.memory)
    again.tell(executions=7)  # by another process, which has counted from 0
    assert again.rule(order(item("0.001"))) == "executions"


async def test_a_loss_stops_who_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day begins at midnight, not with its first order, and what rests is canceled at a loss."""
    monkeypatch.setattr(bootstrap, "_SAVE_S", 0.0)
    one = Setting(accounts=[account(), account(BERT)])
    keeping = asyncio.create_task(bootstrap._keep_marks(one.gate))
    try:
        await until(lambda: {ANNA, BERT} == set(one.memory.marks))
        one.tell(BERT, equity_usd=Usd(9_500 * USD))
        await until(lambda: one.ladder.level(BERT) is Level.STOPPED)
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
    assert one.ladder.level(ANNA) is Level.LIVE
