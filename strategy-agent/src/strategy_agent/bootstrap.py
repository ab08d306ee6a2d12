"""Putting the parts of one trader together."""

import random
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
from pydantic import SecretStr

from strategy_agent import over_ccxt
from strategy_agent.adapters.account_feed import AccountFeed, ws_url
from strategy_agent.adapters.ccxt_exchange.connection import CcxtExchange
from strategy_agent.adapters.ccxt_exchange.stream import CcxtAccountStream
from strategy_agent.adapters.data_http import DataHttp
from strategy_agent.adapters.decision_file import DecisionFile
from strategy_agent.adapters.journal_file import JournalFile, NoJournal
from strategy_agent.adapters.memory_file import MemoryFile, NoMemory
from strategy_agent.adapters.plugins import build_of, load_plugins
from strategy_agent.adapters.state_lock import holding
from strategy_agent.adapters.venue_http import VenueHttp
from strategy_agent.adapters.venue_orders import VenueOrders, cancel_with
from strategy_agent.application.parts import Parts, ProcessContext, nothing_under_way
from strategy_agent.application.ports import Steps
from strategy_agent.application.presence import Presence
from strategy_agent.local import LocalTrader
from strategy_agent.schooling import MODELS, learning_of
from strategy_agent.settings import Settings
from strategy_core.building import StrategyKind
from strategy_core.llm.port import ModelSource
from strategy_core.port import instruments_of
from strategy_core.registry import KINDS, problems
from strategy_models.opening import Models, open_models
from suite.addresses import account_address
from suite.contracts.clock import ClockState
from suite.contracts.trader import TraderSpec, near
from suite.errors import ConfigError, Conflict, SuiteError, UpstreamRefused
from suite.service.calls import ServiceCalls
from suite.service.clock import SystemClock
from suite.service.http import step_session

_WORLD_HINT = "does TRADING_URL name the right world?"
_GIVEN_HINT = "is the given token that of the trader?"
_NO_VENUE = (
    "TRADING_URL is not set: where to trade, such as http://127.0.0.1:8100 for the venue that "
    "`virtual-exchange serve` starts"
)
_REQUEST_S = 10.0
_ORDER_CONNECTIONS = 32
"""An exit must not wait for a connection that an answer keeps which does not come."""


class Connector:
    """Connects the traders of a process, each with a token and connections of its own.

    Args:
        settings: of the process.
        journal_dir: of the journals; None keeps neither journal nor memory.
        remembers: keep a memory beside the journal.
        homes: folder of the traders' own folders, each with a `var` for journal and memory; instead
            of a common one.
        decisions_dir: of what slow strategies decide in backtests; None keeps none of it.

    Attributes:
        clock: the machine's.
        calls_type: of the ways to venue and data.
    """

    calls_type: type[ServiceCalls] = ServiceCalls

    def __init__(
        self,
        settings: Settings,
        *,
        journal_dir: Path | None,
        remembers: bool = True,
        homes: Path | None = None,
        decisions_dir: Path | None = None,
    ) -> None:
        self._settings = settings
        self._journal_dir = journal_dir
        self._homes = homes
        self._decisions_dir = decisions_dir
        self._remembers = homes is not None or (remembers and journal_dir is not None)
        self._tokens: dict[str, SecretStr] = {}
        self._in_use: dict[str, str] = {}
        self._models: dict[bool, Models] = {}
        self.clock = SystemClock()
        self._ccxt_trader = ""

    def context(self, *, stays: bool = False) -> ProcessContext:
        """Say what all traders of the process have alike.

        Args:
            stays: the process is kept by somebody, be it while its traders cannot trade.
        """
        settings = self._settings
        return ProcessContext(
            connect=self.connect,
            wall=self.clock,
            seed=settings.seed,
            heartbeat_s=settings.heartbeat_s,
            quick_s=settings.quick_decision_s,
            slow_s=settings.slow_decision_s,
            retry_pauses_s=settings.retry_pauses_s,
            patient=stays and self._remembers,
            objections=self.objections,
        )

    def use_token(self, trader_id: str, token: SecretStr) -> None:
        """Take the token of a trader that the settings do not know."""
        self._tokens[trader_id] = token

    async def connect(self, spec: TraderSpec) -> Parts:
        """Put one trader together; to be called inside a running event loop.

        Raises:
            ConfigError: no venue is named, or a plugin cannot be loaded.
            StorageError: the journal cannot be written.
            SuiteError: the venue cannot be reached.
        """
        settings = self._settings
        if settings.ccxt_exchange:
            return await self._connect_ccxt(spec)
        if not settings.trading_url:
            raise ConfigError(_NO_VENUE)
        plugins = load_plugins(spec)
        async with AsyncExitStack() as stack:
            self._claim_token(spec, stack)
            self._hold_state(spec, stack)
            presence = Presence(self.clock)
            venue = VenueHttp(
                self.calls(spec), presence=presence, lost_limit_s=settings.retry_window_s
            )
            stack.push_async_callback(venue.close)
            world, meta = await venue.connect(), await venue.meta()
            clock = world.began
            self._check_account(spec, clock.account)
            calls = self.calls(spec, timeout_s=_REQUEST_S, connections=_ORDER_CONNECTIONS)
            orders = VenueOrders(calls)
            stack.push_async_callback(orders.close)
            market = self._market(spec, stack)
            memory = self._memory(spec, durable=not clock.world)
            steps: Steps = venue
            local: LocalTrader | None = None
            cancel = cancel_with(orders, self.clock, spec.trader_id)
            if settings.local_steps or not clock.wakes:
                local = LocalTrader(
                    spec=spec,
                    clock=clock,
                    orders=orders,
                    market=market,
                    wall=self.clock,
                    presence=presence,
                )
                steps = local.open(
                    stack,
                    follow=lambda keeper, chance: AccountFeed(
                        ws_url(settings.trading_url),
                        clock.address or account_address(spec.account_id),
                        keeper,
                        coins=spec.symbols,
                        chance=chance,
                        token=self._token_of(spec.trader_id) or None,
                    ),
                    folder=self._state_dir(spec),
                    kept=memory.load(),
                    world=world,
                    take_place=venue.take_place,
                )
                cancel = local.cancel
            return Parts(
                venue=settings.trading_url,
                clock=clock,
                meta=meta,
                steps=steps,
                account=orders,
                cancel=cancel,
                settle=local.settle if local is not None else nothing_under_way,
                market=market,
                journal=self._journal(spec, stack),
                memory=memory,
                plugins=plugins,
                **await self._means(spec, plugins, clock, stack, lasting=not clock.world),
                decisions=self._decisions(spec, stack),
                leave=venue.leave if steps is venue else _nobody_waits,
                close=stack.pop_all().aclose,
                adopt=local.adopt if local is not None else None,
                presence=presence,
            )

    async def _connect_ccxt(self, spec: TraderSpec) -> Parts:
        """Put one trader together whose exchange ccxt reaches; it sleeps by its own clock."""
        settings, wall = self._settings, self.clock
        plugins = load_plugins(spec)
        async with AsyncExitStack() as stack:
            self._claim_ccxt(spec.trader_id, stack)
            self._hold_state(spec, stack)
            journal = self._journal(spec, stack)
            exchange = await over_ccxt.connect(settings, spec, wall)
            stack.push_async_callback(exchange.close)
            market = self._market(spec, stack)
            memory = self._memory(spec, durable=True)
            clock = over_ccxt.clock_of(wall)
            presence = Presence(wall)
            local = LocalTrader(
                spec=spec,
                clock=clock,
                orders=exchange,
                market=market,
                wall=wall,
                presence=presence,
            )
            steps = local.open(
                stack,
                follow=lambda keeper, chance: CcxtAccountStream(
                    exchange, keeper, coins=spec.symbols, wall=wall, chance=chance
                ),
                folder=self._state_dir(spec),
                kept=memory.load(),
            )
            return Parts(
                venue=over_ccxt.name_of(exchange.calls.access),
                clock=clock,
                meta=await exchange.meta(),
                steps=steps,
                account=exchange,
                cancel=local.cancel,
                settle=local.settle,
                market=market,
                journal=journal,
                memory=memory,
                plugins=plugins,
                **await self._means(spec, plugins, clock, stack, lasting=True),
                leave=_nobody_waits,
                close=stack.pop_all().aclose,
                adopt=local.adopt,
                presence=presence,
            )

    def _claim_ccxt(self, trader_id: str, stack: AsyncExitStack) -> None:
        """Let one trader only trade the one account that the settings name.

        Raises:
            ConfigError: another one does.
        """
        if self._ccxt_trader not in {"", trader_id}:
            raise ConfigError(
                f"the account of CCXT_EXCHANGE is traded by {self._ccxt_trader}: "
                "run each trader over ccxt in a process of its own, with keys of its own"
            )
        self._ccxt_trader = trader_id
        stack.callback(setattr, self, "_ccxt_trader", "")

    async def objections(self, spec: TraderSpec, token: str | None = None) -> list[str]:
        """Ask the venue what stands in the way of a trader; nothing is changed there.

        Args:
            spec: the trader.
            token: of its account, where it is not one that the settings know.

        Returns:
            Coins that it does not trade, as `symbols: reason`; none where no venue is named.

        Raises:
            ConfigError: there is no token, or ccxt cannot do it.
            Conflict: another trader of the process has its account.
            Unauthorized: the token is not accepted.
            SuiteError: the venue cannot be reached, or refuses.
        """
        orders: VenueOrders | CcxtExchange
        name = spec.trader_id
        if self._settings.ccxt_exchange:
            if self._ccxt_trader not in {"", name}:
                raise Conflict(f"the account of CCXT_EXCHANGE is traded by {self._ccxt_trader}")
            orders = await over_ccxt.connect(self._settings, spec, self.clock)
        elif self._settings.trading_url:
            used = token or self._token_of(name)
            if not used:
                raise ConfigError(f"no token: {self._token_hint(name)}")
            if self._in_use.get(used, name) != name:
                raise Conflict(f"the token of {name} is that of {self._in_use[used]} already")
            orders = VenueOrders(
                self.calls(spec, timeout_s=_REQUEST_S, connections=_ORDER_CONNECTIONS, token=token)
            )
        else:
            return []
        try:
            if isinstance(orders, VenueOrders):
                self._check_account(spec, (await orders.clock()).account)
            traded = instruments_of(await orders.meta())
            await orders.fetch_account()
        except msgspec.ValidationError as error:
            raise UpstreamRefused(f"the venue cannot be read: {error}") from None
        finally:
            await orders.close()
        return [
            f"symbols: the venue does not trade {coin}{near(coin, traded)}"
            for coin in spec.symbols
            if coin not in traded
        ]

    async def problems(self, spec: TraderSpec) -> list[str]:
        """Ask the venue about a trader as `objections` does; each problem with its place."""
        place = f"traders[{spec.trader_id}]"
        try:
            return [f"{place}.{objection}" for objection in await self.objections(spec)]
        except SuiteError as error:
            return [f"{place}: {error}"]

    def calls(
        self,
        spec: TraderSpec,
        url: str = "",
        *,
        timeout_s: float | None = None,
        connections: int = 4,
        token: str | None = None,
    ) -> ServiceCalls:
        """Make a trader's way to its venue, or to its market data.

        Args:
            spec: the trader.
            url: of the service; the venue's when not given.
            timeout_s: of one request; none for steps, whose answer comes when the trader wakes.
            connections: at a time.
            token: for the venue; the one that is known of the trader when not given.
        """
        settings, trader_id = self._settings, spec.trader_id
        at_venue = url in {"", settings.trading_url}
        url = url or settings.trading_url
        hint = self._token_hint(trader_id) if token is None else _GIVEN_HINT
        if at_venue:
            token = token or self._token_of(trader_id)
        return self.calls_type(
            step_session(url, token=token, timeout_s=timeout_s, connections=connections),
            url,
            name="the venue" if at_venue else "the data service",
            hints={401: hint, 403: hint, 404: _WORLD_HINT} if at_venue else {},
            connect_window_s=settings.connect_window_s,
            retry_window_s=settings.retry_window_s,
            jitter=random.Random(f"{settings.seed} {trader_id}"),  # noqa: S311 - pauses only
        )

    def _claim_token(self, spec: TraderSpec, stack: AsyncExitStack) -> None:
        """Hold a token for one trader until the stack is closed: a token is an account.

        Raises:
            ConfigError: there is none, or another trader of this process trades with it.
        """
        token, trader_id = self._token_of(spec.trader_id), spec.trader_id
        if not token:
            raise ConfigError(f"trader {trader_id} has no token: {self._token_hint(trader_id)}")
        other = self._in_use.get(token)
        if other is not None and other != trader_id:
            raise ConfigError(
                f"trader {trader_id} has no token of its own: {self._token_source(trader_id)} is "
                f"that of {other}; each trader needs one, in TRADER_TOKENS where there are several"
            )
        self._in_use[token] = trader_id
        stack.callback(self._in_use.pop, token, None)

    def _check_account(self, spec: TraderSpec, account: str) -> None:
        """Refuse the token of somebody else: the trader would trade, or close, what is not its own.

        Raises:
            ConfigError: it is of another account.
        """
        if account not in {"", spec.account_id}:
            source = self._token_source(spec.trader_id) or "the token given"
            raise ConfigError(
                f"{source} is the token of account {account}, and "
                f"{spec.trader_id} trades {spec.account_id}: give it its own, or, where it shall "
                f"trade that one, `account: {account}`"
            )

    def _token_of(self, trader_id: str) -> str:
        given = self._tokens.get(trader_id)
        return given.get_secret_value() if given else self._settings.token_of(trader_id)

    def _token_source(self, trader_id: str) -> str:
        """Say where the token of a trader is from; empty for none."""
        if trader_id in self._tokens:
            return "the token it was added with"
        if trader_id in self._settings.trader_tokens:
            return f"the entry {trader_id} of TRADER_TOKENS"
        if self._settings.trader_token.get_secret_value():
            return "TRADER_TOKEN"
        if self._settings.token_of(trader_id):
            return f"{self._settings.trader_tokens_dir}/{trader_id}.token"
        return ""

    def _token_hint(self, trader_id: str) -> str:
        """Say what to look at when the venue does not accept a trader's token, or there is none."""
        if source := self._token_source(trader_id):
            return f"is {source} the token of {trader_id}?"
        return f"set TRADER_TOKEN, or {trader_id} in TRADER_TOKENS for several traders"

    def _hold_state(self, spec: TraderSpec, stack: AsyncExitStack) -> None:
        """Keep other processes from what the trader keeps on disk, until the stack is closed."""
        if self._remembers:
            stack.enter_context(holding(self._state_dir(spec), spec.trader_id))

    def _market(self, spec: TraderSpec, stack: AsyncExitStack) -> DataHttp:
        """Open the way to market data, until the stack is closed."""
        url = self._settings.data_service_url
        market = DataHttp(self.calls(spec, url, timeout_s=_REQUEST_S))
        stack.push_async_callback(market.close)
        return market

    async def _means(
        self,
        spec: TraderSpec,
        plugins: Mapping[str, StrategyKind],
        clock: ClockState,
        stack: AsyncExitStack,
        *,
        lasting: bool,
    ) -> dict[str, Any]:
        """Give a trader what it may use to decide, by the names in `Parts`."""
        folder = self._home(spec) / MODELS if self._remembers else None
        rehearsals = None
        if self._settings.backtest_url:
            from strategy_agent.adapters.backtest_http import rehearsals_of

            rehearsals = rehearsals_of(self._settings)
        return {
            "models": self._models_for(spec, plugins, lasting=lasting),
            "learning": await learning_of(spec, clock, self._settings, folder, stack),
            "rehearsals": rehearsals,
            "build": build_of(plugins),
        }

    def _models_for(
        self, spec: TraderSpec, plugins: Mapping[str, StrategyKind], *, lasting: bool
    ) -> ModelSource | None:
        """Find language models for a trader whose strategy asks some; all traders share a source.

        Args:
            spec: the trader.
            plugins: imported kinds.
            lasting: time is real, so its budget lasts over restarts.

        Raises:
            ConfigError: a setting of models is wrong.
            StorageError: what is spent cannot be kept.
        """
        kind = {**KINDS, **plugins}.get(spec.strategy.kind)
        if kind is None or not kind.asks_models:
            return None
        if lasting not in self._models:
            self._models[lasting] = open_models(remembers=lasting)
        return self._models[lasting]

    def _decisions(self, spec: TraderSpec, stack: AsyncExitStack) -> DecisionFile | None:
        """Open what a slow strategy has decided in a backtest that was stopped."""
        if self._decisions_dir is None:
            return None
        file = DecisionFile(self._decisions_dir / f"{spec.trader_id}.jsonl")
        stack.callback(file.close)
        return file

    def _journal(self, spec: TraderSpec, stack: AsyncExitStack) -> JournalFile | NoJournal:
        if self._homes is None and self._journal_dir is None:
            return NoJournal()
        folder = self._journal_dir or Path()
        if self._homes is not None:
            folder = self._home(spec) / "journal"
        journal = JournalFile(folder, spec.trader_id)
        stack.callback(journal.close)
        return journal

    def _memory(self, spec: TraderSpec, *, durable: bool) -> MemoryFile | NoMemory:
        if not self._remembers:
            return NoMemory()
        return MemoryFile(self._state_dir(spec), spec.trader_id, durable=durable)

    def _home(self, spec: TraderSpec) -> Path:
        """Find the folder of what is a trader's own."""
        if self._homes is None:
            return self._settings.state_dir
        return self._homes / spec.trader_id / "var"

    def _state_dir(self, spec: TraderSpec) -> Path:
        return self._home(spec) / "state"


def problems_with_plugins(spec: TraderSpec) -> list[str]:
    """List what is wrong with a trader, its plugin and the plugin's parameters included."""
    try:
        return problems(spec, load_plugins(spec))
    except ConfigError as error:
        reason = str(error).partition(f"traders[{spec.trader_id}].strategy.kind: ")[2]
        return [f"strategy.kind: {reason}", *problems(spec)]


async def _nobody_waits(_guards: object) -> None:
    """Leave a venue whose time waits for nobody."""
