"""The command `memory-score`: the same traders in a recorded world and in masked ones."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack

import msgspec

from strategy_core.llm.cutoff import ASKING
from suite.contracts.trader import TraderSpec
from suite.contracts.world import MaskRequest, WorldRequest
from suite.errors import BadRequest
from suite.service.clock import SystemClock
from virtual_exchange.adapters.plugins import load_plugins
from virtual_exchange.application.backtest import Means, run_backtest
from virtual_exchange.application.market.markets import Markets
from virtual_exchange.application.ports import MarketSource
from virtual_exchange.domain.memory_score import SEEDS_MIN, MemoryScore, memory_score
from virtual_exchange.running import models_for


def score_traders(
    request: WorldRequest,
    traders: tuple[TraderSpec, ...],
    *,
    source: MarketSource | Markets,
    seeds: int,
    tell: Callable[[str], None],
) -> dict[str, MemoryScore]:
    """Run all traders once in the recorded world and once in a masked one, for each seed.

    Args:
        request: the recorded world.
        traders: of a file; one that follows rules shows the noise floor.
        source: of the market.
        seeds: how many pairs of runs.
        tell: told what is run.

    Raises:
        BadRequest: too few seeds, or the world is masked already.
        SuiteError: a run cannot be.
    """
    if seeds < SEEDS_MIN:
        raise BadRequest(f"--seeds: at least {SEEDS_MIN} are needed for an interval")
    if request.mask is not None:
        raise BadRequest("the world has a mask already: leave it out, each seed brings its own")
    plugins = load_plugins(traders)
    found: dict[bool, dict[str, list[float]]] = {False: {}, True: {}}
    with ExitStack() as stack:
        means = Means(models=models_for(traders, plugins, stack))
        for seed in range(seeds):
            seeded = tuple(_with_seed(trader, seed) for trader in traders)
            for is_masked in (False, True):
                tell(f"seed {seed + 1} of {seeds}, {'masked' if is_masked else 'recorded'}")
                mask = MaskRequest(seed=seed) if is_masked else None
                record = run_backtest(
                    msgspec.structs.replace(request, seed=seed, mask=mask),
                    seeded,
                    source=source,
                    clock=SystemClock(),
                    progress=lambda _: None,
                    plugins=plugins,
                    means=means,
                )
                for account in record.accounts:
                    first, last = account.equity_usd[0], account.equity_usd[-1]
                    returns = found[is_masked].setdefault(account.account_id, [])
                    returns.append(float(last - first) / float(first))
    return {
        trader.trader_id: memory_score(
            found[False][trader.account_id], found[True][trader.account_id]
        )
        for trader in traders
    }


def table_of(scores: Mapping[str, MemoryScore], traders: Sequence[TraderSpec]) -> Iterator[str]:
    """Lay scores out in lines, percent."""
    floors = [scores[one.trader_id] for one in traders if one.strategy.kind not in ASKING]
    noise = max((max(abs(one.low), abs(one.high)) for one in floors), default=0.0)
    yield f"{'trader':20}{'kind':16}{'recorded':>10}{'masked':>10}{'score':>10}  95 % interval"
    for trader in traders:
        score, asks = scores[trader.trader_id], trader.strategy.kind in ASKING
        said = "differs" if score.tells else "no difference shown"
        if asks and score.tells and abs(score.score) <= noise:
            said = "differs by no more than the noise of the rules"
        yield (
            f"{trader.trader_id:20}{trader.strategy.kind[:15]:16}{100 * score.unmasked:10.4f}"
            f"{100 * score.masked:10.4f}{100 * score.score:10.4f}  "
            f"[{100 * score.low:.4f}, {100 * score.high:.4f}] {said}, {score.seeds} seeds"
        )


def _with_seed(trader: TraderSpec, seed: int) -> TraderSpec:
    """Let a model draw otherwise with each seed, where it draws."""
    params = trader.strategy.params
    if not float(params.get("temperature", 0) or 0):
        return trader
    strategy = msgspec.structs.replace(trader.strategy, params=params | {"seed": seed})
    return msgspec.structs.replace(trader, strategy=strategy)
