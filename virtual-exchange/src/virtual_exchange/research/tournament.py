"""Tournaments: many traders in many worlds, seeds and masks, as one run on any executor.

Every trader of a file runs alone in each cell (world, seed, mask): accounts never meet, so this is
what it would do beside the others. Results are kept like those of a sweep: a run that is
interrupted goes on, and its tables follow from the cells alone.

    results.parquet   a row a trader, world, seed and mask: metrics and error
    result.json       the traders by their mean return
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from strategy_core.building import StrategyKind
from strategy_core.registry import PLUGIN
from suite.bars import DAY_MS
from suite.checks import InvariantViolated
from suite.contracts.trader import TraderSpec, without_secrets
from suite.contracts.world import AccountRequest, MaskRequest, WorldRequest
from suite.errors import BadRequest, ConfigError, DataGap, trouble_of
from suite.performance import daily_equity, exposure_of
from suite.service.clock import SystemClock
from suite.service.plugins import look_in
from virtual_exchange.adapters.store_market import StoreMarkets
from virtual_exchange.application.backtest import run_backtest
from virtual_exchange.application.market.building import query_of
from virtual_exchange.application.market.masking import masked, plan_of
from virtual_exchange.application.parts.plan import content_of
from virtual_exchange.domain.market import Market
from virtual_exchange.research.executor import Died, open_executor
from virtual_exchange.research.sweep import Engine, Progress
from virtual_exchange.research.sweep_rows import RunRow, failed_row, metrics_of
from virtual_exchange.research.sweep_runs import traded_of
from virtual_exchange.research.sweep_spec import SpecError
from virtual_exchange.research.sweep_store import SweepFolder, metric_columns
from virtual_exchange.research.sweep_strategies import load_strategy
from virtual_exchange.research.sweep_versions import check_code, code_here
from virtual_exchange.research.sweep_windows import window_of

FORM: Final = "autocryptotrader-tournament/1"
RESULTS: Final = "results.parquet"
_TRADERS_A_TASK: Final = 4
_RECORDED: Final = 0
"""Number of the mask that hides nothing."""
_Z: Final = 1.959964


@dataclass(frozen=True, slots=True, kw_only=True)
class Tournament:
    """What is run.

    Attributes:
        traders: all of them.
        world: coins, market model and period; its accounts are of no meaning.
        windows: worlds that the period is cut into, of whole days.
        seeds: of worlds and of strategies that draw: 0 to `seeds` - 1.
        masks: masked copies of each world, besides the recorded one.
    """

    traders: tuple[TraderSpec, ...]
    world: WorldRequest
    windows: int = 1
    seeds: int = 1
    masks: int = 0


@dataclass(frozen=True)
class Cells:
    """What all tasks have alike.

    Attributes:
        tournament: as given.
        markets: one a world.
        code: versions, as of `code_here`.
        folder: where strategies of others are looked for too.
    """

    tournament: Tournament
    markets: tuple[Market, ...]
    code: Mapping[str, str]
    folder: str
    made: OrderedDict[Any, Any] = field(default_factory=OrderedDict, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "made": OrderedDict()}


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """Some traders in one cell.

    Attributes:
        traders: places in the file.
        mask: 0 for the recorded market.
    """

    key: str
    world: int
    seed: int
    mask: int
    traders: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One trader over all cells.

    Attributes:
        mean: of its returns; None where none came to its end.
        low, high: 95 % interval of the mean, as if cells were independent, which worlds of one
            market are not: a bound from below of what chance may do.
        worst: its lowest return.
        cells, failed: how many, and how many with an error.
    """

    trader_id: str
    mean: float | None
    low: float | None
    high: float | None
    worst: float | None
    cells: int
    failed: int


def kinds_of(traders: Sequence[TraderSpec]) -> tuple[str, ...]:
    """Names of the strategies, each once."""
    return tuple(dict.fromkeys(trader.strategy.kind for trader in traders))


def play(cells: Cells, match: Match) -> list[RunRow]:
    """Run the traders of a task, one row each.

    Raises:
        ConfigError: this process has another version of the code than who began.
        InvariantViolated: the books of an engine do not add up: a bug.
    """
    if "kinds" not in cells.made:
        look_in(Path(cells.folder))
        names = kinds_of(cells.tournament.traders)
        check_code(cells.code, *names)
        cells.made["kinds"] = {name: load_strategy(name) for name in names}
    market = _market_of(cells, match)
    rows = []
    for place in match.traders:
        row = failed_row(
            trial=place, fold=match.world, part=f"{match.seed}/{match.mask}", symbol="", error=""
        )
        try:
            metrics = _run(cells, match, cells.tournament.traders[place], market)
            rows.append(msgspec.structs.replace(row, metrics=metrics))
        except InvariantViolated:
            raise
        except Exception as error:  # noqa: BLE001 - a strategy is anybody's code
            rows.append(msgspec.structs.replace(row, error=trouble_of(error)))
    return rows


def _request(cells: Cells, match: Match, trader: TraderSpec) -> WorldRequest:
    tape = cells.markets[match.world].tape
    account = AccountRequest(id=trader.account_id, initial_balance=trader.initial_balance)
    return msgspec.structs.replace(
        cells.tournament.world,
        from_=tape.start_ms,
        to=tape.time_ms(tape.length),
        accounts=(account,),
        participants=(account.id,),
        seed=match.seed,
        mask=None if match.mask == _RECORDED else MaskRequest(seed=match.mask),
        supervised=True,
        capacity=1,
    )


def _market_of(cells: Cells, match: Match) -> Market:
    """The market of a cell; the last masked one is kept, since tasks come cell by cell."""
    recorded = cells.markets[match.world]
    if match.mask == _RECORDED:
        return recorded
    key = (match.world, match.mask)
    if cells.made.get("masked", (None,))[0] != key:
        request = _request(cells, match, cells.tournament.traders[0])
        plan = plan_of(request, start_ms=recorded.tape.start_ms, now_ms=0)
        cells.made["masked"] = (key, recorded if plan is None else masked(recorded, plan))
    market: Market = cells.made["masked"][1]
    return market


def _run(
    cells: Cells, match: Match, trader: TraderSpec, market: Market
) -> dict[str, float | int | None]:
    loaded: dict[str, StrategyKind] = cells.made["kinds"]
    plugins = {name: kind for name, kind in loaded.items() if name.startswith(PLUGIN)}
    record = run_backtest(
        _request(cells, match, trader),
        (trader,),
        source=market,
        clock=SystemClock(),
        progress=lambda _: None,
        plugins=plugins,
    )
    account = record.accounts[0]
    if account.guards is not None and account.guards.faults:
        raise ConfigError(f"failed {account.guards.faults} times: {account.guards.first_fault}")
    equity = np.asarray(daily_equity(record.equity_time_ms, account.equity_usd), np.int64)
    traded = traded_of(account, record.to_ms)
    metrics, _ = metrics_of(traded, equity, from_ms=record.from_ms, to_ms=record.to_ms)
    held = exposure_of(account.equity_usd, account.exposure_usd)
    return metrics | {"exposure": held.time_share}


def open_worlds(tournament: Tournament, data: Path | str) -> tuple[Market, ...]:
    """Load the period once, and cut it into worlds.

    Raises:
        SpecError: it cannot be cut, or is not stored.
    """
    try:
        whole = StoreMarkets(data).load(query_of(tournament.world))
    except (BadRequest, DataGap) as error:
        raise SpecError([str(error)]) from None
    tape = whole.tape
    first = -(-tape.start_ms // DAY_MS) * DAY_MS
    days = (tape.time_ms(tape.length) - first) // DAY_MS
    length = days // tournament.windows
    if length < 1:
        few = f"--windows: {tournament.windows} worlds need as many days, the data has {days}"
        raise SpecError([few])
    starts = [first + place * length * DAY_MS for place in range(tournament.windows)]
    return tuple(window_of(whole, start, start + length * DAY_MS) for start in starts)


def _matches(tournament: Tournament) -> list[Match]:
    count, made = len(tournament.traders), list[Match]()
    for world in range(tournament.windows):
        for mask in range(tournament.masks + 1):
            for seed in range(tournament.seeds):
                for first in range(0, count, _TRADERS_A_TASK):
                    made.append(
                        Match(
                            key=f"{len(made):06}",
                            world=world,
                            seed=seed,
                            mask=mask,
                            traders=tuple(range(first, min(first + _TRADERS_A_TASK, count))),
                        )
                    )
    return made


def _told(tournament: Tournament, markets: Sequence[Market]) -> dict[str, Any]:
    """Everything that the figures follow from."""
    traders = [without_secrets(msgspec.to_builtins(one)) for one in tournament.traders]
    return {
        "form": FORM,
        "traders": traders,
        "world": msgspec.to_builtins(tournament.world),
        "windows": [[one.tape.start_ms, one.tape.time_ms(one.tape.length)] for one in markets],
        "seeds": tournament.seeds,
        "masks": tournament.masks,
        "data_sha256": [content_of(one) for one in markets],
        "code": code_here(*kinds_of(tournament.traders)),
    }


def run_tournament(
    tournament: Tournament,
    *,
    data: Path | str,
    out: Path,
    engine: Engine = Engine(),  # noqa: B008 - frozen
    progress: Progress = lambda _done, _all: None,
    fresh: bool = False,
) -> tuple[Standing, ...]:
    """Run a tournament, or go on with one that was interrupted.

    Args:
        tournament: what is run.
        data: root of the kline store.
        out: its folder.
        engine: where; the figures do not depend on it.
        progress: told of backtests that are done, and of how many.
        fresh: forget what is kept.

    Returns:
        The traders, the highest mean return first, those without one last.

    Raises:
        ConfigError: it cannot be, or the folder holds another one.
        StorageError: the disk refuses, or a file is damaged; what is kept stays.
    """
    markets = open_worlds(tournament, data)
    folder = SweepFolder(out)
    folder.begin(_told(tournament, markets), fresh=fresh)
    if (result := folder.result()) is not None:
        return tuple(Standing(**one) for one in result["standings"])
    code = code_here(*kinds_of(tournament.traders))
    cells = Cells(tournament, markets, code, str(Path.cwd()))
    rows = _played(cells, folder, engine, progress)
    folder.write(RESULTS, _table(tournament, rows))
    standings = tuple(
        sorted(
            (
                _standing(trader.trader_id, [row for row in rows if row.trial == place])
                for place, trader in enumerate(tournament.traders)
            ),
            key=lambda one: -math.inf if one.mean is None else one.mean,
            reverse=True,
        )
    )
    folder.close({"standings": msgspec.to_builtins(standings)})
    return standings


def _played(cells: Cells, folder: SweepFolder, engine: Engine, progress: Progress) -> list[RunRow]:
    matches, kept = _matches(cells.tournament), folder.kept()
    total = sum(len(match.traders) for match in matches)
    found = {match.key: folder.part(match.key) for match in matches if match.key in kept}
    missing = [match for match in matches if match.key not in found]

    def tell() -> None:
        progress(sum(map(len, found.values())), total)

    with open_executor(
        engine.name, play, cells, workers=engine.workers, address=engine.address
    ) as executor:
        for match, result in executor.run(missing):
            found[match.key] = _alone(executor.run, match) if isinstance(result, Died) else result
            folder.keep(match.key, found[match.key])
            tell()
    return [row for match in matches for row in found[match.key]]


def _alone(run: Callable[[Any], Any], match: Match) -> list[RunRow]:
    """Find which trader of a task ends its process."""
    found: dict[int, list[RunRow]] = {}
    single = [msgspec.structs.replace(match, traders=(place,)) for place in match.traders]
    for one, result in run(single):
        place = one.traders[0]
        if isinstance(result, Died):
            part = f"{match.seed}/{match.mask}"
            failed = failed_row(
                trial=place, fold=match.world, part=part, symbol="", error=result.reason
            )
            found[place] = [failed]
        else:
            found[place] = result
    return [row for place in match.traders for row in found[place]]


def _table(tournament: Tournament, rows: Sequence[RunRow]) -> Any:
    cells = [row.part.split("/") for row in rows]
    return pa.table(
        {
            "trader": [tournament.traders[row.trial].trader_id for row in rows],
            "world": pa.array([row.fold for row in rows], pa.int64()),
            "seed": pa.array([int(seed) for seed, _ in cells], pa.int64()),
            "mask": pa.array([int(mask) for _, mask in cells], pa.int64()),
            **metric_columns([row.metrics for row in rows]),
            "error": pa.array([row.error or None for row in rows], pa.string()),
        }
    )


def _standing(name: str, rows: Sequence[RunRow]) -> Standing:
    returns = [float(one) for row in rows if (one := row.metrics["return"]) is not None]
    mean = float(np.mean(returns)) if returns else None
    half = None
    if mean is not None and len(returns) > 1:
        half = _Z * float(np.std(returns, ddof=1)) / math.sqrt(len(returns))
    return Standing(
        trader_id=name,
        mean=mean,
        low=None if mean is None or half is None else mean - half,
        high=None if mean is None or half is None else mean + half,
        worst=min(returns, default=None),
        cells=len(rows),
        failed=sum(bool(row.error) for row in rows),
    )
