"""The one place that sees every part: settings in, container out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import structlog

from suite.contracts.trader import TraderSpec
from suite.contracts.world import AccountRequest, WorldRequest
from suite.errors import ConfigError
from suite.service.clock import SystemClock
from suite.service.health import Health
from suite.service.tokens import ADMIN, Grant, TokenStore, account_grant
from virtual_exchange.adapters.processes.jobs import JobProcesses
from virtual_exchange.adapters.store_market import StoreMarkets
from virtual_exchange.adapters.traders_file import load_traders
from virtual_exchange.adapters.world_file import world_fields
from virtual_exchange.application.clock.mover import Mover
from virtual_exchange.application.jobs import Jobs
from virtual_exchange.application.ports import MarketSource
from virtual_exchange.application.session import strategies_of, world_request
from virtual_exchange.application.worlds import DEFAULT, WorldLimits, Worlds
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
        if request is not None:
            await self._open_default(request, traders)
        if self.after_open is not None:
            self.after_open()

    async def _open_default(self, request: WorldRequest, traders: tuple[TraderSpec, ...]) -> None:
        settings, tokens = self.settings, self.services.tokens
        folder = settings.state_dir / "tokens"
        session = await self.services.worlds.create(request, world_id=DEFAULT)
        session.strategies = strategies_of(traders)
        for account in session.world.accounts:
            grant = account_grant(account.account_id)
            path = tokens.ensure_file(folder / Path(account.account_id).parent, grant)
            self.token_files[account.account_id] = path
        self.services.mover.watch(session)

    async def close(self) -> None:
        """Stop jobs and worlds."""
        await self.services.jobs.close()
        await self.services.mover.close()
        if self.after_close is not None:
            self.after_close()

    def health(self) -> Health:
        """Whether all worlds are looked after."""
        failure = self.services.mover.failure
        worlds = len(self.services.worlds.all())
        if failure is None:
            return Health(detail={"worlds": worlds})
        return Health(ok=False, detail={"worlds": worlds, "reason": type(failure).__name__})


def build(settings: Settings, source: MarketSource | None = None) -> Container:
    """Wire the service; opens nothing.

    Args:
        settings: of the service.
        source: of markets, instead of the kline store.
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
            clock=clock,
            limits=limits,
            warn=_log.warning,
            rate_limited=settings.rate_limits,
        ),
        jobs=Jobs(
            runner=JobProcesses(settings.data), clock=clock, running_max=settings.backtests_max
        ),
        mover=Mover(reclaim),
        tokens=TokenStore(clock),
        clock=clock,
        weights=WeightLimits() if settings.rate_limits else None,
    )
    return Container(settings, services, after_close=stored.close)


def default_world(settings: Settings) -> tuple[WorldRequest | None, tuple[TraderSpec, ...]]:
    """Read the settings into the world at the root, None where no symbols are named.

    Settings of their own are stronger than the same option in the world's file.

    Raises:
        ConfigError: live bars are asked for, or the traders file or an option is wrong.
    """
    if settings.clock == "paper":
        raise ConfigError(
            "clock paper needs live bars, and there is no live feed yet; use paced or lockstep"
        )
    fields = world_fields(settings.world, settings.options)
    for name, setting in _SETTINGS.items():
        if name not in fields or setting in settings.model_fields_set:
            fields[name] = getattr(settings, setting)
    if not fields["symbols"]:
        return None, ()
    if fields["faucet"] is None:
        fields["faucet"] = _FAUCET if fields["clock"] == "paced" else Decimal(0)
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
    return request, traders
