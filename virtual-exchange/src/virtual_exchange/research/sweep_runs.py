"""The task of a sweep: some parameter sets in one window of one coin, in whatever process."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from perp_engine.callback import Callback
from perp_engine.commands import Deposit, SetLeverage
from perp_engine.engine import Engine
from perp_engine.jitted import run_jitted
from perp_engine.tally import Tally, Traded
from strategy_core import registry
from strategy_core.building import StrategyKind
from suite.bars import DAY_MS, I64
from suite.checks import InvariantViolated
from suite.contracts.trader import StrategySpec, TraderSpec
from suite.contracts.world import AccountRequest, MarketModel, WorldRequest
from suite.errors import ConfigError, trouble_of
from suite.fixed import USD_DECIMALS, Usd, parse_fixed
from suite.performance import daily_equity
from suite.service.clock import SystemClock
from suite.service.plugins import look_in
from virtual_exchange.application.backtest import model_fields, run_backtest
from virtual_exchange.application.market.rules import rules_of
from virtual_exchange.domain.market import Market
from virtual_exchange.domain.record import AccountRecord
from virtual_exchange.research.search import Params
from virtual_exchange.research.sweep_folds import Window
from virtual_exchange.research.sweep_rows import RunRow, failed_row, metrics_of
from virtual_exchange.research.sweep_spec import SECTIONS, TOGETHER, SweepSpec, merged
from virtual_exchange.research.sweep_strategies import Called, Compiled, Strategy, load_strategy
from virtual_exchange.research.sweep_versions import check_code
from virtual_exchange.research.sweep_windows import window_of

_TRADER: Final = "sweep"
_KEPT: Final = 4
"""Windows that a process keeps cut."""


@dataclass(frozen=True)
class Shared:
    """What all tasks of a sweep have alike; it is sent to each machine once.

    Attributes:
        spec: of the sweep.
        markets: one a coin, or a group of coins that are traded together; the whole period.
        code: versions of what runs it, as `code_here` of whoever has begun it.
        folder: where that one stands: strategies of others are looked for there too.
    """

    spec: SweepSpec
    markets: tuple[Market, ...]
    code: Mapping[str, str]
    folder: str
    made: OrderedDict[Any, Any] = field(default_factory=OrderedDict, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "made": OrderedDict()}


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """Some parameter sets in one window of one market.

    Attributes:
        key: its place among all; keys sort as tasks were made.
        symbol: place of the market in `Shared.markets`.
        sets: number and values of each.
        model: of the world.
    """

    key: str
    window: Window
    symbol: int
    sets: tuple[tuple[int, Params], ...]
    model: MarketModel


def perform(shared: Shared, task: Task) -> list[RunRow]:
    """Run the sets of a task, one row each, in their order.

    A set whose strategy fails is told in its row; the others go on.

    Raises:
        ConfigError: this process has another version of the code than who began the sweep.
        InvariantViolated: the books of an engine do not add up: a bug.
    """
    strategy = _strategy(shared)
    window = task.window
    market = _kept(
        shared,
        (task.symbol, window.from_ms, window.to_ms),
        lambda: window_of(shared.markets[task.symbol], window.from_ms, window.to_ms),
    )
    runs = (
        _as_trader(shared, task, market, strategy)
        if isinstance(strategy, StrategyKind)
        else _in_core(shared, task, market, strategy)
    )
    return list(runs)


def _kept(shared: Shared, key: Any, make: Callable[[], Any]) -> Any:
    """Make something once for the tasks that follow."""
    if key in shared.made:
        shared.made.move_to_end(key)
        return shared.made[key]
    while len(shared.made) > _KEPT:
        shared.made.popitem(last=False)
    made = shared.made[key] = make()
    return made


def _strategy(shared: Shared) -> Strategy:
    def load() -> Strategy:
        look_in(Path(shared.folder))
        found = load_strategy(shared.spec.strategy)
        check_code(shared.code, shared.spec.strategy)
        return found

    found: Strategy = _kept(shared, "strategy", load)
    return found


def name_of(market: Market) -> str:
    """Name a market by its coins, as `BTC+ETH`."""
    return TOGETHER.join(market.coins)


def _row(task: Task, market: Market, trial: int, measured: Any) -> RunRow:
    window = task.window
    place: dict[str, Any] = {
        "trial": trial,
        "fold": window.fold,
        "part": window.part,
        "symbol": name_of(market),
    }
    if isinstance(measured, str):
        return failed_row(**place, error=measured)
    traded, equity = measured
    metrics, returns = metrics_of(traded, equity, from_ms=window.from_ms, to_ms=window.to_ms)
    return RunRow(**place, metrics=metrics, returns=returns.tolist())


# in the core


def _in_core(
    shared: Shared, task: Task, market: Market, strategy: Compiled | Called
) -> Iterator[RunRow]:
    """Run sets one after the other on one engine, from the same state."""
    balance = parse_fixed(Decimal(str(shared.spec.initial_balance)), USD_DECIMALS)
    tape = market.tape
    each = DAY_MS // tape.interval_ms
    tally = Tally(samples=tape.length // each)
    engine = Engine(
        market.instruments, tape, 1, rules_of(task.model), curve_every=each, tally=tally
    )
    engine.apply(Deposit(account=0, usd=Usd(balance)))
    engine.for_driver(trades_only=False)
    start = engine.snapshot()
    for trial, chosen in task.sets:
        engine.restore(start)
        tally.clear()
        measured: Any
        try:
            _run_one(engine, strategy, merged(shared.spec, chosen))
            equity = np.concatenate([np.array([balance], np.int64), tally.equity()])
            measured = (tally.traded(end_ms=task.window.to_ms), equity)
        except InvariantViolated:
            raise
        except Exception as error:  # noqa: BLE001 - a strategy is anybody's code
            measured = trouble_of(error)
        yield _row(task, market, trial, measured)


def _run_one(engine: Engine, strategy: Compiled | Called, chosen: Params) -> None:
    values = dict(chosen)
    leverage = values.pop("risk.leverage", None)
    if leverage is not None:
        most = min(instrument.max_leverage for instrument in engine.instruments)
        if not isinstance(leverage, int) or not 1 <= leverage <= most:
            raise ConfigError(f"risk.leverage: {leverage} is no integer from 1 to {most}")
        for symbol in range(len(engine.instruments)):
            engine.apply(SetLeverage(account=0, symbol=symbol, leverage=leverage))
    if isinstance(strategy, Called):
        run = Callback(engine)
        run.run(strategy.make(run, {**strategy.params, **values}))
        return
    ints = [values.get(name, default) for name, default in strategy.ints.items()]
    odd = [name for name, value in zip(strategy.ints, ints, strict=True) if type(value) is not int]
    if odd:
        raise ConfigError(f"{odd[0]}: {values[odd[0]]!r} is no integer")
    floats = [float(values.get(name, one) or 0) for name, one in strategy.floats.items()]
    run_jitted(engine, strategy.on_bar, ints=np.array(ints, np.int64), floats=np.array(floats))


# a trader


def _as_trader(shared: Shared, task: Task, market: Market, kind: StrategyKind) -> Iterator[RunRow]:
    """Run each set as a trader with its gate, exits and orders, in a world of its own."""
    name = shared.spec.strategy
    plugins = {name: kind} if name.startswith(registry.PLUGIN) else {}
    for trial, chosen in task.sets:
        spec = trader_of(shared.spec, market.coins, chosen)
        problems = registry.problems(spec, plugins)
        measured: Any = "; ".join(problems)
        if not problems:
            measured = _traded(shared.spec, task, market, spec, plugins)
        yield _row(task, market, trial, measured)


def _traded(
    spec: SweepSpec,
    task: Task,
    market: Market,
    trader: TraderSpec,
    plugins: Mapping[str, StrategyKind],
) -> tuple[Traded, I64] | str:
    window = task.window
    request = WorldRequest(
        symbols=market.coins,
        from_=window.from_ms,
        to=window.to_ms,
        interval=spec.interval,
        accounts=(AccountRequest(id=_TRADER, initial_balance=trader.initial_balance),),
        participants=(_TRADER,),
        seed=spec.seed,
        supervised=True,
        capacity=1,
        **model_fields(task.model),
    )
    try:
        record = run_backtest(
            request,
            (trader,),
            source=market,
            clock=SystemClock(),
            progress=lambda _: None,
            plugins=plugins,
        )
    except InvariantViolated:
        raise
    except Exception as error:  # noqa: BLE001 - a strategy is anybody's code
        return trouble_of(error)
    account = record.accounts[0]
    if account.guards is not None and account.guards.faults:
        return f"failed {account.guards.faults} times, first: {account.guards.first_fault}"
    return traded_of(account, window.to_ms), np.asarray(
        daily_equity(record.equity_time_ms, account.equity_usd)
    )


def trader_of(spec: SweepSpec, coins: tuple[str, ...], chosen: Params) -> TraderSpec:
    """Write a parameter set as a trader."""
    own: dict[str, Any] = {}
    sections: dict[str, Any] = {name: {} for name in SECTIONS}
    for name, value in merged(spec, chosen).items():
        section, dot, inner = name.partition(".")
        if dot and section in sections:
            sections[section][inner] = value
        else:
            own[name] = value
    return TraderSpec(
        trader_id=_TRADER,
        strategy=StrategySpec(kind=spec.strategy, params=own),
        symbols=coins,
        interval=spec.decides,
        initial_balance=Decimal(str(spec.initial_balance)),
        **sections,
    )


def traded_of(account: AccountRecord, to_ms: int) -> Traded:
    """Sum up what an account has traded until a time, all coins together."""
    tally = Tally()
    tally.add_fills(
        (fill.time_ms, fill.start_position, int(fill.side), fill.size, fill.price, fill.fee_usd)
        for fill in account.fills
    )
    return tally.traded(end_ms=to_ms, funding=sum(paid.usd for paid in account.funding))
