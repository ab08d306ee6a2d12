"""The one place that sees every part: settings in, container out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import msgspec
import structlog

from suite.contracts.trader import TraderSpec
from suite.contracts.world import AccountRequest, WorldRequest
from suite.errors import ConfigError, one_line
from suite.service.clock import SystemClock
from suite.service.health import Health
from suite.service.tokens import ADMIN, Grant, TokenStore, account_grant
from virtual_exchange.adapters.processes.jobs import JobProcesses
from virtual_exchange.adapters.store_market import StoreMarkets
from virtual_exchange.adapters.traders_file import load_traders
from virtual_exchange.adapters.world_file import world_fields
from virtual_exchange.adapters.world_journals import DEFAULT_FILE, SUFFIX, WorldFiles
from virtual_exchange.application.jobs import Jobs
from virtual_exchange.application.ports import LiveFeed, MarketSource
from virtual_exchange.application.session import Session, strategies_of, world_request
from virtual_exchange.application.world_scheduler import WorldScheduler
from virtual_exchange.application.worlds import DEFAULT, Keeping, WorldLimits, Worlds
from virtual_exchange.domain.rate_limits import WeightLimits
from virtual_exchange.entrypoint.services import Services
from virtual_exchange.lean import reclaim
from virtual_exchange.settings import Settings

DEFAULT_ACCOUNT = "trader"
_FAUCET = Decimal(10_000)
_SETTINGS = {
    "symbols": "symbols",
    "from_": "range_from",
    "to": "range_to",
    "clock": "clock",
    "speed": "speed",
    "seed": "seed",
    "allow_partial": "allow_partial",
    "faucet": "faucet",
}
"""Fields of the default world that have a setting of their own."""
_log = structlog.get_logger(__name__)
OPERATOR = Grant(name="operator", scopes=frozenset({ADMIN}))


@dataclass(slots=True)
class Container:
    """Everything that lives as long as the service.

    Attributes:
        token_files: where the tokens of the default world were written, by account, and that of
            the operator.
        after_open: called once everything is open.
        after_close: called once everything is closed.
    """

    settings: Settings
    services: Services
    token_files: dict[str, Path] = field(default_factory=dict)
    after_open: Callable[[], None] | None = None
    after_close: Callable[[], None] | None = None

    async def open(self) -> None:
        """Build the default world, and write its tokens.

        Raises:
            SuiteError: it cannot be built.
        """
        settings, tokens = self.settings, self.services.tokens
        request, traders = default_world(settings)
        folder = settings.state_dir / "tokens"
        self.token_files[OPERATOR.name] = tokens.ensure_file(folder, OPERATOR)
        for session in await self.services.worlds.restore():
            self._go_on(session)
        if request is not None:
            await self._open_default(request, traders)
        if self.after_open is not None:
            self.after_open()

    async def _open_default(self, request: WorldRequest, traders: tuple[TraderSpec, ...]) -> None:
        settings, tokens = self.settings, self.services.tokens
        folder = settings.state_dir / "tokens"
        session = self._kept_default(request)
        if session is None:
            session = await self.services.worlds.create(request, world_id=DEFAULT)
            self.services.scheduler.watch(session)
        session.strategies = strategies_of(traders)
        for account in session.world.accounts:
            grant = account_grant(account.account_id)
            path = tokens.ensure_file(folder / Path(account.account_id).parent, grant)
            self.token_files[account.account_id] = path

    def _go_on(self, session: Session) -> None:
        """Let a world of an earlier life be used again."""
        world, tokens = session.world, self.services.tokens
        _log.info("world_goes_on", world=world.name, records=session.recorder.records)
        for digest, account in session.tokens.items():
            grant = account_grant(account, realm=world.world_id)
            tokens.accept_digest(bytes.fromhex(digest), grant)
        self.services.scheduler.watch(session)

    def _kept_default(self, request: WorldRequest) -> Session | None:
        """Find the default world of an earlier life.

        Raises:
            ConfigError: it is another than is asked for now.
        """
        for session in self.services.worlds.all():
            if session.world.world_id != DEFAULT:
                continue
            if msgspec.json.encode(session.request) != msgspec.json.encode(request):
                raise ConfigError(
                    f"the world of an earlier start is kept in {_worlds_of(self.settings)} and is "
                    "another than the options ask for: start with the same ones, or remove "
                    f"{DEFAULT_FILE}{SUFFIX} there"
                )
            return session
        return None

    async def close(self) -> None:
        """Stop jobs and worlds."""
        await self.services.jobs.close()
        await self.services.scheduler.close()
        self.services.worlds.close()
        if self.after_close is not None:
            self.after_close()

    def health(self) -> Health:
        """Whether all worlds are looked after; one that lost its feed is, and goes on after it."""
        failure = self.services.scheduler.failure
        sessions = self.services.worlds.all()
        detail: dict[str, str | int] = {"worlds": len(sessions)}
        if failure is not None:
            return Health(ok=False, detail=detail | {"reason": type(failure).__name__})
        for session in sessions:
            if session.paper is not None and (status := session.paper.status).degraded:
                detail |= {
                    "status": "degraded",
                    "reason": one_line(f"{self.settings.feed}: {status.text}"),
                    "since_ms": status.since_ms,
                }
        return Health(detail=detail)


def build(
    settings: Settings, source: MarketSource | None = None, feed: LiveFeed | None = None
) -> Container:
    """Wire the service; opens nothing.

    Args:
        settings: of the service.
        source: of markets, instead of the kline store.
        feed: the live market, instead of what the settings name.
    """
    clock = SystemClock()
    stored = StoreMarkets(settings.data, isolated=True)
    limits = WorldLimits(
        worlds=settings.worlds_max,
        positions=settings.world_positions_max,
        minutes=settings.world_minutes_max,
    )
    services = Services(
        worlds=Worlds(
            source=source or stored,
            feed=feed or _feed(settings),
            clock=clock,
            limits=limits,
            warn=_log.warning,
            rate_limited=settings.rate_limits,
            signatures=settings.signatures,
            keeping=_keeping(settings),
        ),
        jobs=Jobs(
            runner=JobProcesses(settings.data), clock=clock, running_max=settings.backtests_max
        ),
        scheduler=WorldScheduler(reclaim, tell=_log.info),
        tokens=TokenStore(clock),
        clock=clock,
        weights=WeightLimits() if settings.rate_limits else None,
    )
    return Container(settings, services, after_close=stored.close)


def _keeping(settings: Settings) -> Keeping | None:
    if settings.keep_worlds == "none":
        return None
    files = WorldFiles(_worlds_of(settings), sync=settings.keep_sync)
    return Keeping(journals=files, which=settings.keep_worlds)


def _worlds_of(settings: Settings) -> Path:
    return settings.state_dir / "worlds"


def _feed(settings: Settings) -> LiveFeed | None:
    """The live market; its clients are imported where there is one, for they are large."""
    if settings.feed is None:
        return None
    from virtual_exchange.adapters.live_feed import HttpFeed

    return HttpFeed(settings.feed, silence_s=settings.feed_silence_s, clock=SystemClock())


def default_world(settings: Settings) -> tuple[WorldRequest | None, tuple[TraderSpec, ...]]:
    """Read the settings into the world at the root, None where no symbols are named.

    Settings of their own are stronger than the same option in the world's file.

    Raises:
        ConfigError: a live market is asked for and there is none, or the traders file or an option
            is wrong.
    """
    fields = world_fields(settings.world, settings.options)
    for name, setting in _SETTINGS.items():
        if name not in fields or setting in settings.model_fields_set:
            fields[name] = getattr(settings, setting)
    if fields["clock"] == "paper" and settings.feed is None:
        raise ConfigError("clock paper needs a live market: --feed http://127.0.0.1:8000")
    if not fields["symbols"]:
        return None, ()
    if fields["faucet"] is None:
        fields["faucet"] = Decimal(0) if fields["clock"] == "lockstep" else _FAUCET
    traders = load_traders(settings.traders) if settings.traders else ()
    accounts = fields.pop("accounts", ())
    accounts += tuple(AccountRequest(id=name) for name in settings.accounts)
    expected = tuple(account.id for account in accounts) if fields["clock"] == "lockstep" else ()
    if not traders and not accounts:
        accounts = (AccountRequest(id=DEFAULT_ACCOUNT),)
    participants = fields.pop("participants", None)
    request = world_request(
        traders,
        more_accounts=accounts,
        more_participants=expected if participants is None else participants,
        **fields,
    )
    if request.clock == "paper":  # the market waits for nobody
        request = msgspec.structs.replace(request, participants=None)
    return request, traders
