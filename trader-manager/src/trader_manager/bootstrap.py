"""Putting the parts of the service together."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from suite.errors import ConfigError
from suite.notices import Notices
from suite.service.channels import channels_of
from suite.service.clock import SystemClock
from trader_manager.adapters.agent_http import AgentHttp
from trader_manager.adapters.exports import Exports
from trader_manager.adapters.postgres import PostgresStore
from trader_manager.adapters.traders_file import written_traders
from trader_manager.adapters.venue_access import VenueAccess
from trader_manager.adapters.venue_reads import VenueReadsHttp
from trader_manager.application.announcing import Announcer
from trader_manager.application.board import Board
from trader_manager.application.claims import Claims
from trader_manager.application.collecting import CollectingRules, Collector
from trader_manager.application.comparing import Comparison
from trader_manager.application.config_loader import ConfigLoader
from trader_manager.application.file_fleet import FileFleet
from trader_manager.application.fleet import TraderManager
from trader_manager.application.report.from_store import StoredReport
from trader_manager.application.schedulers import HighFreqScheduler
from trader_manager.application.supervisor import Condition, Supervisor
from trader_manager.application.venue_reads import VenueReads
from trader_manager.places import Places, open_places
from trader_manager.settings import Settings

_OPERATOR: Final = "VENUE_OPERATOR_TOKEN"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What the routes work with."""

    store: PostgresStore
    agents: AgentHttp
    venue: VenueReadsHttp
    supervisor: Supervisor
    collector: Collector
    manager: TraderManager
    claims: Claims
    scheduler: HighFreqScheduler
    files: Exports
    report: StoredReport
    places: Places
    file_fleet: FileFleet | None
    notices: Notices


def build(
    settings: Settings,
    *,
    on_change: Callable[[Condition], None],
    on_trouble: Callable[[str], None],
    on_collecting: Callable[[str, str], None],
    on_file: Callable[[str], None],
    on_ending: Callable[[str], None],
) -> Container:
    """Put the service together; opens nothing.

    Args:
        settings: of the process.
        on_change: told of each trader whose condition is another than before.
        on_trouble: told why nobody is looked after; empty once they are again.
        on_collecting: told of whose records something is in trouble, and why; the same.
        on_file: told of what is wrong with the traders file, or cannot be done.
        on_ending: told of who is in that file no more, and is being ended.

    Raises:
        ConfigError: no venue is named, its operator's token is empty, the address of the database
            or of a channel is wrong, or there is no such runtime.
    """
    trading_url = _trading_url(settings)
    clock = SystemClock()
    notices = Notices(channels_of(settings.notify_urls.get_secret_value(), "trader-manager"), clock)
    announcer = Announcer(notices, clock)
    store = _store(settings)
    agents = AgentHttp()
    venue = VenueReadsHttp(trading_url, token=settings.reader_token(), token_of=settings.token_of)
    access = _access(settings, trading_url, venue)
    claims = Claims(store=store, access=access, wall=clock, ttl_s=settings.lease_ttl_s)
    places = open_places(settings, agents, clock, claims)
    supervisor = Supervisor(
        store=store,
        runtimes=places.runtimes,
        access=access,
        agents=agents,
        wall=clock,
        on_change=_both(on_change, announcer.condition),
        on_trouble=_both(on_trouble, announcer.supervision),
    )
    collector = Collector(
        store=store,
        venue=venue,
        agents=agents,
        look=supervisor.sighting,
        supervises=store.claim_supervision,
        on_trouble=on_collecting,
        on_news=announcer.news,
        rules=_collecting_rules(settings),
    )
    claims.settled, claims.decided = supervisor.has_settled, collector.decided
    loader = ConfigLoader(os.environ)
    board = Board(store=store, venue=venue, comparison=Comparison(store))
    manager = TraderManager(
        store=store,
        supervisor=supervisor,
        agents=agents,
        loader=loader,
        venue=venue,
        board=board,
        runtime=settings.runtime,
        runtimes=places.runtimes,
    )
    return Container(
        store=store,
        agents=agents,
        venue=venue,
        supervisor=supervisor,
        collector=collector,
        manager=manager,
        claims=claims,
        scheduler=HighFreqScheduler(fleet=manager, traders=store, market=venue, wall=clock),
        files=Exports(store),
        report=StoredReport(store=store, board=board, candles=venue, look=supervisor.sighting),
        places=places,
        file_fleet=_file_fleet(settings, manager, store, loader, on_file, on_ending),
        notices=notices,
    )


def _trading_url(settings: Settings) -> str:
    if settings.trading_url is None:
        raise ConfigError("TRADING_URL is not set: the venue's address, http://127.0.0.1:8100")
    if os.environ.get(_OPERATOR) == "":
        raise ConfigError(
            f"{_OPERATOR} is set and empty: is the venue's token file there yet? start the venue "
            "first, or unset it where tokens are in TRADER_TOKENS"
        )
    return settings.trading_url


def _both(first: Callable[[T], None], second: Callable[[T], None]) -> Callable[[T], None]:
    """Tell two of the same."""

    def tell(news: T) -> None:
        first(news)
        second(news)

    return tell


def _file_fleet(
    settings: Settings,
    manager: TraderManager,
    store: PostgresStore,
    loader: ConfigLoader,
    on_trouble: Callable[[str], None],
    on_ending: Callable[[str], None],
) -> FileFleet | None:
    """Keep the traders as a file says, where one is named."""
    written = written_traders(settings.traders, settings.traders_config)
    if written is None:
        return None
    fleet = FileFleet(
        file=written,
        manager=manager,
        store=store,
        loader=loader,
        supervises=store.claim_supervision,
        on_trouble=on_trouble,
        on_ending=on_ending,
    )
    manager.written_in = fleet.says_of
    return fleet


def _store(settings: Settings) -> PostgresStore:
    return PostgresStore(
        settings.database_url.get_secret_value(),
        connections=settings.database_connections,
        timeout_s=settings.database_timeout_s,
    )


def _access(settings: Settings, venue_url: str, venue: VenueReads) -> VenueAccess:
    return VenueAccess(
        venue_url=venue_url,
        venue=venue,
        data_url=settings.data_service_url or venue_url,
        token_of=settings.token_of,
        operator_token=settings.venue_operator_token,
        folder=settings.state_dir / "tokens" / "venue",
        env=os.environ,
        seed=settings.seed,
    )


def _collecting_rules(settings: Settings) -> CollectingRules:
    return CollectingRules(
        cadence_ms=round(settings.collecting_cadence_s * 1000),
        pause_s=settings.collecting_pause_s,
        rows_max=settings.collecting_rows_max,
        decisions_s=settings.collecting_decisions_s,
    )
