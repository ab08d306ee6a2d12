"""Putting the parts of the service together."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from suite.errors import ConfigError
from suite.service.clock import SystemClock
from trader_manager.adapters.agent_http import AgentHttp
from trader_manager.adapters.local_processes import LocalProcesses
from trader_manager.adapters.postgres import PostgresStore
from trader_manager.adapters.venue_access import VenueAccess
from trader_manager.adapters.venue_reads import VenueReadsHttp
from trader_manager.application.config_loader import ConfigLoader
from trader_manager.application.fleet import TraderManager
from trader_manager.application.supervisor import Condition, Supervisor
from trader_manager.settings import Settings

PROCESSES = "process"
"""Name of the runtime of this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What the routes work with."""

    store: PostgresStore
    agents: AgentHttp
    venue: VenueReadsHttp
    supervisor: Supervisor
    manager: TraderManager


def build(
    settings: Settings,
    *,
    on_change: Callable[[Condition], None],
    on_trouble: Callable[[str], None],
) -> Container:
    """Put the service together; opens nothing.

    Args:
        settings: of the process.
        on_change: told of each trader whose condition is another than before.
        on_trouble: told why nobody is looked after; empty once they are again.

    Raises:
        ConfigError: no venue is named, or the address of the database is wrong.
    """
    if settings.trading_url is None:
        raise ConfigError("TRADING_URL is not set: the venue's address, http://127.0.0.1:8100")
    clock, fleet = SystemClock(), settings.state_dir / "fleet"
    store = PostgresStore(
        settings.database_url.get_secret_value(),
        connections=settings.database_connections,
        timeout_s=settings.database_timeout_s,
    )
    agents, venue = AgentHttp(), VenueReadsHttp(settings.trading_url)
    supervisor = Supervisor(
        store=store,
        runtimes={PROCESSES: LocalProcesses(fleet, clock)},
        access=VenueAccess(
            venue_url=settings.trading_url,
            data_url=settings.data_service_url or settings.trading_url,
            tokens=settings.trader_tokens,
            operator_token=settings.venue_operator_token,
            folder=settings.state_dir / "tokens" / "venue",
            env=os.environ,
            seed=settings.seed,
        ),
        agents=agents,
        wall=clock,
        on_change=on_change,
        on_trouble=on_trouble,
    )
    manager = TraderManager(
        store=store,
        supervisor=supervisor,
        agents=agents,
        loader=ConfigLoader(os.environ),
        venue=venue,
        runtime=PROCESSES,
    )
    return Container(
        store=store, agents=agents, venue=venue, supervisor=supervisor, manager=manager
    )
