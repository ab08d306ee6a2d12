"""The sync: sums that agree, and one trader that fails fails alone."""

import asyncio
from decimal import Decimal

import pytest
from tests.support.followed_portfolio import Follower, MemoryPlans, following
from tests.support.scripted_manager import MICRO, ScriptedManager

from portfolio_service.application import portfolio as portfolio_module
from portfolio_service.application.answers import AgedTrader


def row(follower: Follower, name: str) -> AgedTrader:
    return next(one for one in follower.sync.answer().strategies if one.id == name)


async def test_sums_agree_after_each_look() -> None:
    follower = await following("anna", "bert", "carl")
    for _ in range(60):
        await follower.look()
        told = follower.sync.answer()
        assert told.sums.ok
        assert 3 == told.sums.compared
        net = sum((one.pnl for one in told.strategies if one.pnl is not None), Decimal(0))
        assert net == told.net_pnl == told.sums.accounts_usd
        assert {True} == {one.exact for one in told.strategies}
    assert any(one.fills for one in told.strategies)


async def test_no_traders_at_all() -> None:
    follower = await following()
    told = follower.sync.answer()
    assert (0, 0, None, "unknown") == (
        *(told.total_count, told.active_count),
        *(told.net_pnl, told.risk_level),
    )
    assert told.sums.ok


async def test_five_hundred() -> None:
    names = [f"t{number:03}" for number in range(500)]
    follower = await following(*names)
    await follower.look(ticks=5)
    told = follower.sync.answer()
    assert (500, 500, True) == (told.total_count, told.sums.compared, told.sums.ok)


async def test_a_trader_that_is_silent_is_unknown_and_its_money_is_not() -> None:
    """The venue tells of its account, whatever becomes of its process."""
    follower = await following("anna", "bert")
    follower.manager.traders["anna"].silent = True
    await follower.look()
    assert ("unknown", "its process does not answer") == (
        row(follower, "anna").status,
        row(follower, "anna").reason,
    )
    assert "fills" == row(follower, "anna").source
    assert "LIVE" == row(follower, "bert").status
    assert 0.0 == row(follower, "anna").health


async def test_one_that_vanishes_is_in_no_sum_and_brings_no_profit() -> None:
    follower = await following("anna", "bert")
    await follower.look(ticks=5)
    before = follower.portfolio.curve.growth
    gone = follower.manager.traders.pop("bert")
    await follower.look(ticks=0)
    await follower.sync.look_at_fleet()
    await follower.sync.look_at_records()
    told = follower.sync.answer()
    assert (1, True) == (told.total_count, row(follower, "bert").removed)
    assert told.equity_usd == row(follower, "anna").equity_usd
    assert before == pytest.approx(follower.portfolio.curve.growth)
    follower.manager.traders["bert"] = gone
    await follower.look()
    assert (2, False) == (follower.sync.answer().total_count, row(follower, "bert").removed)
    assert follower.sync.answer().sums.ok


async def test_fills_that_an_account_does_not_bear_out_are_told() -> None:
    """The account is believed, the difference is shown, and others are as they were."""
    follower = await following("anna", "bert")
    follower.manager.traders["anna"].trade(follower.manager.now_ms + 1, Decimal(1))
    follower.manager.tick()
    anna = follower.manager.traders["anna"]
    last = list(anna.samples[-1])
    last[1] -= 7
    anna.samples[-1] = tuple(last)
    await follower.sync.look_at_records()
    told = follower.sync.answer()
    assert (False, Decimal("0.000007")) == (told.sums.ok, told.sums.difference_usd)
    assert ("account", False, Decimal("0.000007")) == (
        row(follower, "anna").source,
        row(follower, "anna").exact,
        row(follower, "anna").difference_usd,
    )
    assert "fills" == row(follower, "bert").source
    (alert,) = [one for one in follower.sync.alerts() if one.source == "portfolio"]
    assert "the sum over traders is 0.000007 USD away" in alert.text


async def test_rows_that_came_in_two_parts_heal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fill that comes after the sample it is in is found when all is read again."""
    monkeypatch.setattr(portfolio_module, "REREAD_S", 0.0)
    follower = await following("anna")
    anna = follower.manager.traders["anna"]
    follower.manager.now_ms += 60_000
    anna.trade(follower.manager.now_ms, Decimal(1))
    anna.mark += 1
    anna.trade(follower.manager.now_ms + 1, Decimal(1))
    anna.sample(follower.manager.now_ms + 1)
    late = anna.fills.pop(-2)
    await follower.sync.look_at_records()
    assert "account" == row(follower, "anna").source
    anna.fills.insert(-1, late)
    for _ in range(3):
        await asyncio.sleep(0)
        await follower.sync.look_at_records()
    assert ("fills", True) == (row(follower, "anna").source, row(follower, "anna").exact)


async def test_a_manager_that_is_away_leaves_what_was_last_known() -> None:
    follower = await following("anna", stale_after_s=0.0)
    follower.manager.away = "nobody is there"
    await follower.sync.look_at_fleet()
    await follower.sync.look_at_records()
    told = follower.sync.answer()
    assert "nobody is there" in told.trouble
    assert ("unknown", "last_known") == (row(follower, "anna").status, row(follower, "anna").source)
    assert row(follower, "anna").pnl is not None
    assert ("anna",) == told.sums.not_compared


async def test_what_was_known_is_recalled_and_said_to_be_of_before() -> None:
    first = await following("anna")
    await first.look(ticks=3)
    plans = first.plans
    await plans.remember(first.portfolio.known())
    manager = ScriptedManager(away="not there yet")
    again = Follower(manager, plans)
    await again.sync.begin()
    await again.sync.look_at_fleet()
    await again.sync.look_at_records()
    told = row(again, "anna")
    assert ("unknown", "last_known", row(first, "anna").pnl) == (
        *(told.status, told.source),
        told.pnl,
    )
    manager.away, manager.traders = "", first.manager.traders
    manager.now_ms = first.manager.now_ms
    await again.look()
    assert ("LIVE", "fills") == (row(again, "anna").status, row(again, "anna").source)


async def test_a_pause_is_kept_over_a_crash_until_it_is_resumed() -> None:
    follower = await following("anna")
    anna = follower.manager.traders["anna"]
    anna.status, anna.reason = "PAUSED", "a look"
    await follower.look()
    assert ("PAUSED", "a look") == (row(follower, "anna").status, row(follower, "anna").reason)
    anna.actual = "crashed"
    await follower.look()
    assert "PAUSED" == row(follower, "anna").status
    anna.actual, anna.status = "running", "LIVE"
    await follower.look()
    assert "LIVE" == row(follower, "anna").status


async def test_clocks_that_differ_and_gaps_and_debts() -> None:
    """The venue's clock goes back, jumps days, and an account is in debt."""
    follower = await following("anna", "bert")
    await follower.look(ticks=3)
    known = row(follower, "anna").sampled_ms
    follower.manager.now_ms -= 10 * 60_000
    await follower.look()
    assert known == row(follower, "anna").sampled_ms, "an older sample is none"
    follower.manager.now_ms += 3 * 86_400_000 + 600_000
    follower.manager.traders["bert"].realized -= Decimal(10_500)
    await follower.look()
    told = follower.sync.answer()
    assert 2 == follower.portfolio.traders["anna"].curve.gaps
    bert = row(follower, "bert")
    assert (-1.0, 1.0) == (bert.roi, bert.drawdown)
    assert bert.equity_usd is not None
    assert bert.equity_usd < 0
    assert told.total_capital == row(follower, "anna").equity_usd, "debts count as nothing"
    assert not told.sums.ok, "its fills do not say that"


@pytest.mark.parametrize("what", ["NaN", "Infinity", "1E+400"])
@pytest.mark.parametrize("place", ["closed_pnl_usd", "fee_usd", "unrealized_pnl_usd", "mark_price"])
async def test_figures_that_are_none_are_of_one_trader_alone(what: str, place: str) -> None:
    """Its money is as last known, and says why; the others go on, and so does the service."""
    follower = await following("anna", "bert")
    for one in follower.manager.traders.values():
        one.trade(follower.manager.now_ms + 1, Decimal(1))
    await follower.look()
    known = row(follower, "anna").pnl
    anna = follower.manager.traders["anna"]
    anna.spoils = {place: Decimal(what)}
    anna.trade(follower.manager.now_ms + 1, Decimal(1))
    await follower.look(ticks=2)
    assert ("last_known", known) == (row(follower, "anna").source, row(follower, "anna").pnl)
    assert "fills" == row(follower, "bert").source
    (told,) = [one.text for one in follower.sync.alerts() if one.source == "anna"]
    assert told.startswith(f"its records cannot be read: {place} is ")
    anna.spoils = {}
    await follower.look()
    assert ("fills", True) == (row(follower, "anna").source, follower.sync.answer().sums.ok)
    anna.tells = what
    await follower.look()
    assert row(follower, "anna").told_allocation is None


async def test_another_world_begins_anew() -> None:
    follower = await following("anna")
    await follower.look(ticks=5)
    follower.manager.world, follower.manager.now_ms = "another", 60_000
    follower.manager.traders["anna"].samples.clear()
    follower.manager.traders["anna"].fills.clear()
    await follower.look()
    told = follower.sync.answer()
    assert ("another", 120_000) == (told.world, told.session_start_time)
    assert [120_000] == follower.portfolio.traders["anna"].curve.time_ms


@pytest.mark.parametrize("others", [(), ("anna",)])
async def test_who_joins_is_in_the_curve_of_all_from_its_first_sample(
    others: tuple[str, ...],
) -> None:
    """Several samples may come at once; what was made between them is a profit of all."""
    follower = await following(*others)
    follower.manager.add("late")
    late = follower.manager.traders["late"]
    follower.manager.tick()
    late.realized -= 500  # of 10,000 USD, before anybody looked
    follower.manager.tick()
    await follower.look()
    made = late.samples[-1][1] / late.samples[0][1] - 1
    assert made < -0.04
    share = 1 / (1 + len(others))
    told = follower.portfolio.curve.total_return
    assert made * share == pytest.approx(told, abs=2e-3)


async def test_the_curve_of_all_is_the_same_whether_followed_or_rebuilt() -> None:
    """A service that begins later tells the same fall and the same growth."""
    follower = await following("anna", "bert")
    await follower.look(ticks=200)
    later = Follower(follower.manager)
    await later.sync.look_at_fleet()
    await later.sync.look_at_records()
    assert follower.portfolio.curve.growth == pytest.approx(later.portfolio.curve.growth)
    assert follower.portfolio.curve.deepest == pytest.approx(later.portfolio.curve.deepest)
    assert later.portfolio.capital_usd > 19_000 * MICRO


async def test_a_picture_and_then_what_changed() -> None:
    follower = await following("anna", "bert")
    stream = follower.broadcast.listen(quiet_s=5)
    first = await anext(stream)
    assert first.startswith(b"id: 1\nevent: snapshot\n")
    await follower.look()
    second = await anext(stream)
    assert b"event: changes" in second
    assert b'"points":{"anna":[' in second
    follower.broadcast.end()
    assert [] == [one async for one in stream]
    assert 0 == follower.broadcast.listeners


async def test_who_does_not_keep_up_begins_anew() -> None:
    follower = await following("anna")
    stream = follower.broadcast.listen(quiet_s=5)
    await anext(stream)
    await follower.look(ticks=70)
    assert b"event: snapshot" in await anext(stream)
    await follower.look()
    assert b"event: changes" in await anext(stream)
    follower.broadcast.end()


async def test_a_database_that_is_away_hinders_no_sync() -> None:
    plans = MemoryPlans(dies_after=0)
    manager = ScriptedManager()
    manager.add("anna")
    follower = Follower(manager, plans)
    await follower.sync.begin()
    await follower.look()
    await follower.sync.remember()
    assert "fills" == row(follower, "anna").source
