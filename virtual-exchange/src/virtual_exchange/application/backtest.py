"""Backtests in this process: the same traders' loop, the same barrier, no wire between them."""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import msgspec

from strategy_core import registry
from strategy_core.asking import BUDGETS, DecisionBudgets, TimedStrategy
from strategy_core.building import StrategyKind
from strategy_core.deciding import DecideRequest, DecisionFault
from strategy_core.journal import RunStart, TraderResult
from strategy_core.learning.port import LearningSource
from strategy_core.llm.port import ModelSource
from strategy_core.loop import Answer, Trading, trade
from strategy_core.port import instruments_of
from strategy_core.turns import Turn
from suite.clock import Clock
from suite.contracts.backtest import BacktestRequest, PlannedOrder
from suite.contracts.clock import JoinRequest, WaitReply
from suite.contracts.trader import TraderSpec
from suite.contracts.venue import PlaceOrder
from suite.contracts.world import AccountRequest, MarketModel, WorldRequest
from suite.deadline import Deadlines
from suite.errors import BadRequest, ConfigError, Conflict, Overrun
from suite.ids import AccountId
from suite.moments import parse_moment
from virtual_exchange.application.clock.participant import Ticket
from virtual_exchange.application.keeping import KEEP_NOTHING, Ask, Keeper
from virtual_exchange.application.market.disguise import masked_traders
from virtual_exchange.application.market.markets import Markets
from virtual_exchange.application.ports import MarketSource
from virtual_exchange.application.session import (
    Session,
    open_session,
    strategies_of,
    world_request,
)
from virtual_exchange.domain.market import Market
from virtual_exchange.domain.record import RunRecord

Progress = Callable[[float], None]
"""Told the share of the run that is done, 0 to 1."""

_COLLECTED_EVERY = 50_000
"""New objects after which those that refer to each other in a circle are looked for."""
_ORDER_FIELDS = tuple(field.name for field in msgspec.structs.fields(PlaceOrder))


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What strategies may use to decide.

    Attributes:
        budgets: of time, for a decision.
        models: language models; None for no strategy that asks some.
        learning: models of their own and training; traders that learn stay flat without.
    """

    budgets: DecisionBudgets = BUDGETS
    models: ModelSource | None = None
    learning: LearningSource | None = None


MEANS: Final = Means()
"""What is usual."""


@dataclass(slots=True)
class _Runner:
    """One trader's loop and the reply it waits for."""

    spec: TraderSpec
    account: int
    ask: Ask
    loop: Trading
    keeper: Keeper
    ticket: Ticket | None = None


def run_backtest(
    request: WorldRequest,
    traders: tuple[TraderSpec, ...],
    *,
    source: MarketSource | Markets | Market,
    clock: Clock,
    progress: Progress,
    plugins: Mapping[str, StrategyKind] | None = None,
    means: Means = MEANS,
    keeper: Keeper = KEEP_NOTHING,
) -> RunRecord:
    """Run traders against a world of their own until its end.

    A strategy that fails, or overruns its budget on the main thread, pauses its trader as it does
    everywhere; the run goes on, and the report tells.

    Args:
        request: the world; `world_request` makes one.
        traders: with an account each.
        source: of the market; `Markets` where runs share them; the market where it is there.
        clock: wall time.
        progress: told now and then.
        plugins: imported strategies, by their whole name.
        means: what strategies may use.
        keeper: keeps what traders say and decide; by itself nothing is.

    Raises:
        SuiteError: the world cannot be built, a trader's configuration is wrong, or what shall be
            kept cannot be.
    """
    session = open_session(request, source=source, clock=clock)
    session.strategies = strategies_of(traders)
    instruments = instruments_of(session.queries.market.meta())
    with Deadlines() as deadlines:
        runners = []
        for spec in masked_traders(traders, session.mask):
            try:
                with deadlines.limit(means.budgets.slow_s):
                    strategy = registry.build(
                        spec,
                        instruments=instruments,
                        seed=request.seed,
                        plugins=plugins,
                        models=means.models,
                        learning=means.learning,
                    )
            except Overrun:
                raise ConfigError(
                    f"trader {spec.trader_id}: building its strategy takes longer than "
                    f"{means.budgets.slow_s:g} s"
                ) from None
            account = session.world.by_id[AccountId(spec.account_id)].index
            needs = strategy.needs
            start = RunStart(trader_id=spec.trader_id, kind=spec.strategy.kind, venue="backtest")
            keeper.write(spec, "run", start)
            record = partial(keeper.write, spec, "decision")
            loop = trade(spec, needs, instruments=instruments, record=record)
            budget_s = means.budgets.slow_s if needs.slow else means.budgets.quick_s
            timed = TimedStrategy(strategy, budget_s=budget_s, deadline=deadlines.limit)
            ask = keeper.asking(spec, strategy, timed.decide)
            runners.append(_Runner(spec, account, ask, loop, keeper))
        for runner in runners:
            first = next(runner.loop)
            if not isinstance(first, JoinRequest):
                raise Conflict(f"{runner.spec.trader_id} did not begin with a join")
            _turn(session, runner, session.barrier.join(runner.account, first.want))
        with _seldom_collecting():
            _drive(session, runners, progress)
    return session.record()


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Search for cycles seldom: turns leave hardly any, and each makes thousands of objects."""
    usual = gc.get_threshold()
    gc.set_threshold(max(usual[0], _COLLECTED_EVERY), *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _drive(session: Session, runners: list[_Runner], progress: Progress) -> None:
    """Move time, and let everyone who wakes decide, until all have ended."""
    progress(0.0)
    woken: list[int] = []

    def sleep(place: int) -> bool:
        ticket = runners[place].ticket
        if ticket is not None:
            ticket.on_done(partial(woken.append, place))
        return ticket is not None

    asleep = sum(map(sleep, range(len(runners))))
    while asleep:
        while not woken and session.barrier.move():
            pass
        progress(session.world.done)
        due = sorted(woken)
        woken.clear()
        for place in due:
            ticket = runners[place].ticket
            if ticket is not None:
                _turn(session, runners[place], ticket.result())
                asleep -= not sleep(place)
    session.world.play(session.world.end_bar)
    progress(1.0)


def _turn(session: Session, runner: _Runner, reply: WaitReply) -> None:
    """Let a trader decide on a reply, and put it to sleep again."""
    answer: Answer = Turn(reply=reply)
    try:
        while isinstance(request := runner.loop.send(answer), DecideRequest):
            decided = runner.ask(request.observation)
            if isinstance(decided, DecisionFault) and decided.worthless:
                raise ConfigError(f"trader {runner.spec.trader_id}: {decided.reason}")
            answer = decided
    except StopIteration as end:
        result: TraderResult = end.value
        runner.ticket = None
        runner.keeper.write(runner.spec, "result", result)
        session.leave(runner.account, result.guards)
        return
    if isinstance(request, JoinRequest):
        raise Conflict(f"{runner.spec.trader_id} joined twice")
    runner.ticket = session.barrier.wait(runner.account, request)


def run_orders(
    request: BacktestRequest, *, source: MarketSource, clock: Clock, progress: Progress
) -> RunRecord:
    """Simulate a plain order list forward to the end of the range.

    Args:
        request: with `orders`; the accounts are those they name.
        source: of the market.
        clock: wall time.
        progress: told now and then.

    Raises:
        SuiteError: the world cannot be built, or an order's time is no time of it.
    """
    accounts = tuple(dict.fromkeys(order.account for order in request.orders))
    wanted = WorldRequest(
        symbols=request.coins,
        accounts=tuple(
            AccountRequest(id=name, initial_balance=request.initial_balance) for name in accounts
        ),
        participants=(),
        from_=request.from_,
        to=request.to,
        seed=request.seed,
        allow_partial=request.allow_partial,
        interval=request.interval,
        **model_fields(request),
    )
    session = open_session(wanted, source=source, clock=clock)
    session.strategies = {name: {"kind": "orders", "params": {}} for name in accounts}
    world = session.world
    plan = sorted(
        ((_bar_of(session, order), index) for index, order in enumerate(request.orders)),
    )
    for bar, index in plan:
        world.play(bar, progress)
        order = request.orders[index]
        account = world.by_id[AccountId(order.account)].index
        plain = PlaceOrder(**{name: getattr(order, name) for name in _ORDER_FIELDS})
        session.barrier.send(account, plain)
    world.play(world.end_bar, progress)
    return session.record()


def run_request(
    request: BacktestRequest, *, source: MarketSource, clock: Clock, progress: Progress
) -> RunRecord:
    """Run what `POST /backtest/run` asks for.

    Raises:
        SuiteError: it cannot be run.
    """
    if request.orders:
        return run_orders(request, source=source, clock=clock, progress=progress)
    wanted = world_request(
        request.traders,
        symbols=request.coins,
        from_=request.from_,
        to=request.to,
        seed=request.seed,
        allow_partial=request.allow_partial,
        interval=request.interval,
        mask=request.mask,
        **model_fields(request),
    )
    return run_backtest(wanted, request.traders, source=source, clock=clock, progress=progress)


def model_fields(model: MarketModel) -> dict[str, Any]:
    """The part of a request that describes the market model."""
    return {field.name: getattr(model, field.name) for field in msgspec.structs.fields(MarketModel)}


def _bar_of(session: Session, order: PlannedOrder) -> int:
    if order.at is None:
        return 0
    try:
        at_ms = parse_moment(order.at)
    except ValueError as error:
        raise BadRequest(f"orders: {error}") from None
    world = session.world
    if not world.from_ms <= at_ms < world.to_ms:
        raise BadRequest(f"orders: at {at_ms} is outside {world.from_ms} to {world.to_ms}")
    return world.market.tape.bar_at(at_ms)
