"""Backtests in process, order lists, and jobs."""

import asyncio
import gc
import subprocess
import sys
from collections.abc import Callable, Generator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.stores import make_store
from tests.support.worlds import START_MS, random_source

from strategy_core.asking import BUDGETS, DecisionBudgets
from strategy_core.building import Setup, kind_of
from strategy_core.port import Decision, Observation, Worthless
from strategy_core.strategies.hodl import Hodl
from strategy_core.turns import Turn
from suite.bars import HOUR_MS
from suite.checks import InvariantViolated
from suite.clock import ManualClock
from suite.contracts.backtest import BacktestRequest, JobState, PlannedOrder
from suite.contracts.clock import JoinRequest
from suite.contracts.trader import StrategySpec, TraderSpec
from suite.contracts.venue import Leg
from suite.enums import TraderStatus
from suite.errors import (
    BadRequest,
    ConfigError,
    Conflict,
    NotFound,
    RateLimited,
    UpstreamRefused,
)
from virtual_exchange.adapters.processes.jobs import JobProcesses
from virtual_exchange.application import backtest
from virtual_exchange.application.backtest import Means, run_backtest, run_orders, run_request
from virtual_exchange.application.jobs import Jobs
from virtual_exchange.application.session import world_request
from virtual_exchange.domain.record import RunRecord

KINDS = ("hodl", "random", "flat", "sma_cross")


def traders(*kinds: str) -> tuple[TraderSpec, ...]:
    return tuple(
        TraderSpec(trader_id=kind, strategy=StrategySpec(kind=kind), symbols=("BTC", "ETH"))
        for kind in kinds
    )


def run(*kinds: str, seed: int = 0, budgets: DecisionBudgets = BUDGETS) -> RunRecord:
    who = traders(*kinds)
    return run_backtest(
        world_request(who, seed=seed),
        who,
        source=random_source("BTC", "ETH", count=3000),
        clock=ManualClock(0),
        progress=lambda _done: None,
        means=Means(budgets=budgets),
    )


def test_same_backtest_twice_is_the_same() -> None:
    """Orders, fills, equity and decision hashes are equal."""
    one, two = run(*KINDS), run(*KINDS)
    for a, b in zip(one.accounts, two.accounts, strict=True):
        assert (a.fills, a.orders, a.decisions_sha256) == (b.fills, b.orders, b.decisions_sha256)
        assert a.equity_usd.tolist() == b.equity_usd.tolist()
    assert one.manifest == two.manifest


def test_the_search_for_cycles_is_seldom_in_a_run_and_as_it_was_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The setting is the process's, and a run may be one of many things in it."""
    before, seen = gc.get_threshold(), []

    def decide(_self: object, _observation: Observation) -> Decision:
        seen.append(gc.get_threshold())
        return Decision()

    monkeypatch.setattr(Hodl, "decide", decide)
    run("hodl")
    assert before == gc.get_threshold()
    assert seen[-1][0] > before[0]


def test_traders_do_not_meet() -> None:
    """Alone or among others, a trader's run is the same."""
    together = {account.account_id: account for account in run(*KINDS).accounts}
    (alone,) = run("sma_cross").accounts
    fills = [(f.time_ms, f.side, f.size, f.price) for f in together["sma_cross"].fills]
    assert fills == [(f.time_ms, f.side, f.size, f.price) for f in alone.fills]
    assert alone.equity_usd.tolist() == together["sma_cross"].equity_usd.tolist()


def test_equity_is_sampled_at_start_end_and_every_hour() -> None:
    """The hours hold the midnights; the flat account never changes."""
    record = run("flat")
    times = record.equity_time_ms.tolist()
    assert (record.from_ms, record.to_ms) == (times[0], times[-1])
    assert set(range(START_MS, record.to_ms, HOUR_MS)) <= set(times)
    assert {10_000_000_000} == set(record.accounts[0].equity_usd.tolist())


def test_trader_that_cannot_be_is_refused_before_anything_runs() -> None:
    """An unknown strategy, or a coin the world lacks."""
    with pytest.raises(ConfigError, match="not one of"):
        run("nonsense")
    with pytest.raises(BadRequest, match="trades BTC, which is not in"):
        world_request(traders("hodl"), symbols=("SOL",))


def test_strategy_that_fails_pauses_its_trader_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As everywhere; the record says when, why and how often."""
    (alone,) = run("sma_cross").accounts

    def decide(_strategy: Hodl, _observation: Observation) -> Decision:
        raise ValueError("no price")

    monkeypatch.setattr(Hodl, "decide", decide)
    failed, other = run("hodl", "sma_cross").accounts
    assert failed.guards is not None
    assert failed.guards.faults == failed.guards.decisions > 100
    first = (failed.guards.first_fault, failed.guards.first_fault_ms)
    assert ("ValueError: no price", START_MS) == first
    (pause,) = failed.guards.stood
    assert (TraderStatus.PAUSED, START_MS, None) == (pause.status, pause.from_ms, pause.until_ms)
    assert (("strategy",), "ValueError: no price") == (pause.causes, pause.reason)
    assert other.guards is not None
    assert 0 == other.guards.faults
    assert other.equity_usd.tolist() == alone.equity_usd.tolist()


@pytest.mark.timeout(30)
def test_endless_decision_is_ended_and_asked_three_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a backtest comes to its end, and says so."""
    asked = 0

    def decide(_strategy: Hodl, _observation: Observation) -> Decision:
        nonlocal asked
        asked += 1
        while asked:
            pass
        return Decision()

    monkeypatch.setattr(Hodl, "decide", decide)
    (account,) = run("hodl", budgets=DecisionBudgets(quick_s=0.05)).accounts
    assert 3 == asked
    assert account.guards is not None
    assert "decide took longer than its 0.05 s" == account.guards.first_fault
    assert account.guards.faults == account.guards.decisions > 100


@pytest.mark.timeout(30)
def test_strategy_whose_building_never_ends_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(_strategy: Hodl, _setup: Setup, _params: Any) -> None:
        while True:
            pass

    monkeypatch.setattr(Hodl, "__init__", build)
    with pytest.raises(ConfigError, match=r"^trader hodl: building its strategy takes longer"):
        run("hodl", budgets=DecisionBudgets(slow_s=0.05))


def test_broken_promise_goes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stops the program; no trader is to blame."""

    def loop(*_: Any, **__: Any) -> Generator[JoinRequest, Turn, None]:
        yield JoinRequest()
        raise InvariantViolated("money was lost")

    monkeypatch.setattr(backtest, "trade", loop)
    with pytest.raises(InvariantViolated, match=r"^money was lost$"):
        run("hodl")


def order_list(*orders: PlannedOrder) -> RunRecord:
    request = BacktestRequest(orders=orders)
    return run_orders(
        request, source=random_source("BTC"), clock=ManualClock(0), progress=lambda _done: None
    )


def test_order_list_is_simulated_forward_to_the_end() -> None:
    """Orders are placed at their times, whatever their order in the list."""
    late = PlannedOrder(coin="BTC", is_buy=False, sz=Decimal("0.01"), at=START_MS + HOUR_MS)
    early = PlannedOrder(
        coin="BTC", is_buy=True, sz=Decimal("0.02"), stop_loss=Leg(price=Decimal(80000))
    )
    (account,) = order_list(late, early).accounts
    assert [START_MS, START_MS + HOUR_MS] == [fill.time_ms for fill in account.fills]
    assert ["filled", "filled"] == [str(o.status) for o in account.orders if o.kind == "market"]


def test_order_list_may_name_a_coin_in_two_ways() -> None:
    """It is one market."""
    names = ("BTC", "BTCUSDT")
    record = order_list(
        *(PlannedOrder(coin=name, is_buy=True, sz=Decimal("0.01")) for name in names)
    )
    assert ["BTC"] == [market.instrument.coin for market in record.markets]
    assert 2 == len(record.accounts[0].fills)


def test_order_outside_the_range_is_refused() -> None:
    """Its time must be one of the world."""
    with pytest.raises(BadRequest, match="is outside"):
        order_list(PlannedOrder(coin="BTC", is_buy=True, sz=Decimal(1), at=START_MS - 1))


def test_request_has_either_traders_or_orders() -> None:
    """Neither and both make no sense."""
    with pytest.raises(ValueError, match="either traders or orders"):
        BacktestRequest(symbol="BTC")


def test_request_with_traders_runs_them() -> None:
    """The same function serves both kinds of request."""
    record = run_request(
        BacktestRequest(traders=traders("hodl")),
        source=random_source("BTC", "ETH"),
        clock=ManualClock(0),
        progress=lambda _done: None,
    )
    assert ["hodl"] == [account.account_id for account in record.accounts]


class _Runner:
    """A job runner that does what it is told."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.error: Exception | None = None

    async def run(
        self, job_id: str, request: BacktestRequest, on_progress: Callable[[float], None]
    ) -> tuple[bytes, str]:
        on_progress(0.5)
        await self.go_on.wait()
        if self.error:
            raise self.error
        return b"{}", "ab"


REQUEST = BacktestRequest(
    orders=(PlannedOrder(coin="BTC", is_buy=True, sz=Decimal(1)),), symbol="BTC"
)


async def test_job_tells_its_progress_and_keeps_its_report() -> None:
    """Percent and expected time first, then the hash; the report is there when it is done."""
    runner, clock = _Runner(), ManualClock(0)
    jobs = Jobs(runner=runner, clock=clock, running_max=2)
    job_id = jobs.start(REQUEST).job_id
    clock.advance_to(4000)
    seen: list[JobState] = []
    async for state in jobs.watch(job_id):
        seen.append(state)
        if state.percent == 50.0:
            with pytest.raises(Conflict, match="is running"):
                jobs.report(job_id)
            runner.go_on.set()
    assert ["running", "running", "done"] == [state.status for state in seen]
    assert [None, 4.0, 0.0] == [state.eta_s for state in seen]
    assert ("ab", b"{}") == (seen[-1].report_sha256, jobs.report(job_id))


async def test_jobs_are_bounded_canceled_and_fail_with_a_reason() -> None:
    """Too many are refused with a time to wait; a canceled one makes room."""
    runner = _Runner()
    jobs = Jobs(runner=runner, clock=ManualClock(0), running_max=1)
    first = jobs.start(REQUEST).job_id
    await asyncio.sleep(0)
    with pytest.raises(RateLimited):
        jobs.start(REQUEST)
    assert (await jobs.cancel(first)).status == "canceled"
    runner.error = UpstreamRefused("no data")
    runner.go_on.set()
    second = jobs.start(REQUEST).job_id
    last = [state async for state in jobs.watch(second)][-1]
    assert ("failed", "no data") == (last.status, last.error)
    with pytest.raises(NotFound):
        jobs.state("nothing")


async def test_job_that_ends_by_a_bug_has_ended_for_all_who_watch() -> None:
    """It makes room, and nobody waits for it for ever."""
    runner = _Runner()
    runner.error = OSError("no space left")
    runner.go_on.set()
    jobs = Jobs(runner=runner, clock=ManualClock(0), running_max=1)
    last = [state async for state in jobs.watch(jobs.start(REQUEST).job_id)][-1]
    assert ("failed", "internal error") == (last.status, last.error)
    assert "running" == jobs.start(REQUEST).status
    await jobs.close()


@pytest.mark.process
async def test_job_process_gives_the_report_or_the_reason(tmp_path: Path) -> None:
    """A child runs it; what goes wrong there comes back as one line."""
    make_store(tmp_path, "BTC", minutes=300)
    seen: list[float] = []
    processes = JobProcesses(tmp_path)
    report, sha256 = await processes.run("a", REQUEST, seen.append)
    assert sha256 in report.decode()
    assert seen[-1] == 1.0
    other = BacktestRequest(
        symbol="DOGE", orders=(PlannedOrder(coin="DOGE", is_buy=True, sz=Decimal(1)),)
    )
    with pytest.raises(UpstreamRefused, match="DOGE"):
        await processes.run("b", other, seen.append)


def test_command_line_and_package_import_nothing_heavy() -> None:
    """Help and option errors come at once: numba, pyarrow and pandas are not loaded for them."""
    script = (
        "import sys, virtual_exchange.cli, virtual_exchange.demo;"
        "print([m for m in ('numba', 'numpy', 'pyarrow', 'pandas', 'fastapi') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert out.stdout.strip() == "[]"


def test_service_does_not_import_what_it_does_not_need() -> None:
    """pandas, xgboost and ccxt stay out of a serving process, pyarrow until a store is read."""
    script = (
        "import sys, virtual_exchange.main;"
        "heavy = ('pandas', 'pyarrow', 'xgboost', 'ccxt', 'httpx', 'aiohttp', 'rich.progress');"
        "print([m for m in heavy if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert out.stdout.strip() == "[]"


class Untrue(Hodl):
    """Notices that the run would say something untrue."""

    def decide(self, observation: Observation) -> Decision:
        raise Worthless("the future was shown")


def test_a_run_that_would_say_something_untrue_is_ended() -> None:
    """It is no pause: no report is written of it."""
    who = (TraderSpec(trader_id="a", strategy=StrategySpec(kind="plugin:x:Y"), symbols=("BTC",)),)
    with pytest.raises(ConfigError, match="trader a: the future was shown"):
        run_backtest(
            world_request(who),
            who,
            source=random_source("BTC", count=100),
            clock=ManualClock(0),
            progress=lambda _done: None,
            plugins={"plugin:x:Y": kind_of(Untrue)},
        )
