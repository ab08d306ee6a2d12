"""The agents' part of the checklist before live trading, put together for one trader.

Nothing is traded and no state is written, but that a language model is asked one question, which is
paid from the trader's budget.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

from strategy_agent.adapters.data_http import DataHttp
from strategy_agent.adapters.plugins import build_of, load_plugins
from strategy_agent.adapters.venue_orders import VenueOrders
from strategy_agent.application.preflight import backtest, cadence, models, paper_run, warm_up
from strategy_agent.application.preflight.backtest import Report
from strategy_agent.application.preflight.models import Answered
from strategy_agent.application.preflight.paper_run import Stretch
from strategy_agent.application.preflight.warm_up import Found, Span
from strategy_agent.asking import question_of
from strategy_agent.bootstrap import Connector
from strategy_agent.journal_summary import stretches_of
from strategy_agent.over_ccxt import clock_of
from strategy_agent.schooling import MODELS, learning_of
from strategy_agent.settings import Settings
from strategy_core.building import StrategyKind
from strategy_core.learning.port import LearningSource
from strategy_core.llm.port import (
    FaultKind,
    Model,
    ModelChoice,
    ModelFault,
    ModelReply,
    ModelRequest,
    ModelSource,
)
from strategy_core.port import Strategy
from strategy_core.registry import KINDS, build, read_params
from strategy_core.remembering import Describes, configuration_of, digest_of_trader
from strategy_core.testkit.rehearsal import instruments_for
from strategy_models.opening import open_models
from suite.checklist import Line
from suite.contracts.trader import TraderSpec
from suite.errors import BadRequest, ConfigError, SuiteError

_REQUEST_S: Final = 10.0


class Preflight:
    """Looks at traders, one after the other.

    Args:
        settings: of `run`.
        config: the traders file.
        report: folder of a backtest or an arena, or its `report.json`; None for none.
        journal: of a paper run, or the folder of journals; None for none.
    """

    def __init__(
        self, settings: Settings, *, config: Path, report: Path | None, journal: Path | None
    ) -> None:
        self._settings = settings
        self._connector = Connector(settings, journal_dir=None)
        self._config = str(config)
        self._report = None if report is None else _read(report)
        self._journal = journal

    async def lines_of(self, spec: TraderSpec) -> list[Line]:
        """Look at a trader.

        Raises:
            ConfigError: no venue is named, or its strategy cannot be loaded or built at all.
        """
        plugins = load_plugins(spec)
        kind = {**KINDS, **plugins}[spec.strategy.kind]
        source = _Listed()
        strategy = _built(spec, plugins, source=source)
        return [
            await self._warm_up(spec, strategy),
            backtest.check_backtest(
                spec.trader_id,
                spec.account_id,
                configuration_of(spec),
                self._report,
                config=self._config,
            ),
            paper_run.check_paper_run(
                spec.trader_id,
                self._stretches(spec),
                configuration=digest_of_trader(spec),
                build=build_of(plugins),
                config=self._config,
            ),
            await self._models(spec, kind, plugins, source),
            cadence.check_cadence(spec, strategy.needs, read_params(kind, spec.strategy.params)[0]),
        ]

    async def _warm_up(self, spec: TraderSpec, strategy: Strategy) -> Line:
        needs, trader_id = strategy.needs, spec.trader_id
        try:
            now_ms = await self._now_ms(spec)
        except ConfigError:
            raise
        except SuiteError as error:
            return warm_up.check_warm_up(trader_id, needs, (), str(error))
        url = self._settings.data_service_url
        data = DataHttp(self._connector.calls(spec, url, timeout_s=_REQUEST_S))
        try:
            found = [await _found(data, span) for span in warm_up.spans_of(needs, now_ms)]
        finally:
            await data.close()
        return warm_up.check_warm_up(trader_id, needs, found)

    async def _now_ms(self, spec: TraderSpec) -> int:
        """Ask the venue what time it is: bars of a simulated world are of its own time.

        Raises:
            SuiteError: no venue is named, or it does not answer.
        """
        wall = self._connector.clock
        if self._settings.ccxt_exchange:
            return clock_of(wall).now_ms
        if not self._settings.trading_url:
            raise ConfigError("TRADING_URL is not set: where the trader shall trade")
        venue = VenueOrders(self._connector.calls(spec, timeout_s=_REQUEST_S))
        try:
            return (await venue.clock()).now_ms
        finally:
            await venue.close()

    def _stretches(self, spec: TraderSpec) -> list[Stretch] | str | None:
        if self._journal is None:
            return None
        file = self._journal
        if file.is_dir():
            file /= f"{spec.trader_id}.jsonl"
            if not file.exists():
                return None
        try:
            return stretches_of(file)
        except BadRequest as error:
            return str(error)

    async def _models(
        self,
        spec: TraderSpec,
        kind: StrategyKind,
        plugins: Mapping[str, StrategyKind],
        source: "_Listed",
    ) -> Line:
        trader_id = spec.trader_id
        try:
            if kind.asks_models:
                answers = await asyncio.to_thread(self._asked, spec, source)
                return models.check_asked(trader_id, spec.symbols, answers)
            if kind.learns:
                return await self._learned(spec, plugins)
        except SuiteError as error:
            return models.check_refused(trader_id, str(error))
        return models.check_rules(trader_id)

    async def _learned(self, spec: TraderSpec, plugins: Mapping[str, StrategyKind]) -> Line:
        """Build it with its models, as if the money was real, and let it tell of them."""
        settings = self._settings
        live = clock_of(self._connector.clock)
        async with AsyncExitStack() as stack:
            folder = settings.state_dir / MODELS
            learning = await learning_of(spec, live, settings, folder, stack)
            strategy = _built(spec, plugins, learning=learning)
            told = strategy.describe() if isinstance(strategy, Describes) else None
            return models.check_learned(spec.trader_id, told)

    def _asked(self, spec: TraderSpec, source: "_Listed") -> list[Answered]:
        """Ask each model of a trader the canned question, the cheaper ones too.

        Raises:
            SuiteError: a model is not known, has no key or no price; or money cannot be kept.
        """
        now_ms = self._connector.clock.now_ms()
        question = models.canned(question_of(spec), spec.symbols, now_ms)
        providers = open_models(remembers=True)
        try:
            return [
                Answered(
                    name=name,
                    is_first=is_first,
                    outcome=_outcome(providers.open(choice), question),
                )
                for name, is_first, choice in source.alone()
            ]
        finally:
            providers.close()


class _Listed:
    """A source of models that notes which are wanted; nothing is asked of them."""

    def __init__(self) -> None:
        self.choices: list[ModelChoice] = []

    def open(self, choice: ModelChoice) -> Model:
        """Note it."""
        self.choices.append(choice)
        return self

    def complete(self, _: ModelRequest) -> ModelReply:
        """Refuse: a strategy is only built here."""
        raise ModelFault(FaultKind.REFUSED, "this trader was built to be looked at only")

    def alone(self) -> list[tuple[str, bool, ModelChoice]]:
        """Name each model once, whether it is asked before others, and how it is asked alone."""
        found: dict[tuple[str, str], tuple[str, bool, ModelChoice]] = {}
        for is_first in (True, False):
            for choice in self.choices:
                for name in choice.names[:1] if is_first else choice.names[1:]:
                    alone = replace(choice, names=(name,))
                    found.setdefault((name, choice.base_url), (name, is_first, alone))
        return list(found.values())


def _built(
    spec: TraderSpec,
    plugins: Mapping[str, StrategyKind],
    *,
    source: ModelSource | None = None,
    learning: LearningSource | None = None,
) -> Strategy:
    """Build a strategy for coins as they mostly are.

    Raises:
        ConfigError: it cannot be built.
    """
    instruments = instruments_for(spec.symbols)
    return build(
        spec, instruments=instruments, seed=0, plugins=plugins, models=source, learning=learning
    )


def _outcome(model: Model, question: ModelRequest) -> ModelReply | ModelFault:
    try:
        return model.complete(question)
    except ModelFault as fault:
        return fault


async def _found(data: DataHttp, span: Span) -> Found:
    try:
        bars = await data.whole_bars(span.coin, span.interval, span.from_ms, span.to_ms)
    except SuiteError as error:
        return Found(span=span, fault=str(error))
    return Found(span=span, open_ms=bars)


def _read(place: Path) -> Report | str:
    file = place / "report.json" if place.is_dir() else place
    try:
        return backtest.read_report(file.read_bytes())
    except OSError as error:
        return f"cannot read {file}: {error.strerror}"
    except ValueError as error:
        return f"{file} is no report of a backtest: {error}"
