"""Putting the parts of the service together."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from portfolio_service.adapters.exports import PortfolioExports
from portfolio_service.adapters.manager_http import ManagerHttp
from portfolio_service.adapters.postgres_store import PostgresStore
from portfolio_service.adapters.services_http import ServicesHttp
from portfolio_service.adapters.skfolio_weights import is_installed, library_weights
from portfolio_service.adapters.venue_http import VenueHttp
from portfolio_service.application.answers import TraderRow
from portfolio_service.application.automatic import AutomaticRebalance
from portfolio_service.application.backtests import Backtests
from portfolio_service.application.broadcasting import Broadcast
from portfolio_service.application.capital import Capital
from portfolio_service.application.portfolio import Age, Portfolio
from portfolio_service.application.rebalancing import Rebalancer
from portfolio_service.application.records import TradersRecords
from portfolio_service.application.services import Services
from portfolio_service.application.showing import shown_trader
from portfolio_service.application.syncing import Sync
from portfolio_service.settings import Settings
from suite.clock import Clock
from suite.errors import ConfigError
from suite.service.caching import Cache
from suite.service.clock import SystemClock


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What the routes work with.

    Attributes:
        cache: of what screens show of reports.
    """

    wall: Clock
    store: PostgresStore
    manager: ManagerHttp
    reads: ServicesHttp
    portfolio: Portfolio
    capital: Capital
    rebalancer: Rebalancer
    automatic: AutomaticRebalance
    services: Services
    broadcast: Broadcast
    sync: Sync
    records: TradersRecords
    venue: VenueHttp
    backtests: Backtests
    cache: Cache = field(default_factory=Cache)


def build(settings: Settings) -> Container:
    """Put the service together; opens nothing.

    Raises:
        ConfigError: no manager is named, its token is missing, or the database's address is wrong.
    """
    if settings.manager_url is None:
        raise ConfigError(
            "MANAGER_URL is not set: the trader-manager's address, http://127.0.0.1:8400"
        )
    wall = SystemClock()
    manager = ManagerHttp(settings.manager_url, settings.manager_secret())
    store = PostgresStore(
        settings.database_url.get_secret_value(),
        connections=settings.database_connections,
        timeout_s=settings.database_timeout_s,
    )
    reads = _services(settings, settings.manager_url)
    venue = VenueHttp(settings.trading_url, settings.venue_secret())
    portfolio = Portfolio(stale_after_s=settings.stale_after_s, rounds=settings.live)
    optimize = library_weights if is_installed() else None
    capital = Capital(portfolio, store, wall, optimize)
    services, broadcast = Services(reads, wall), Broadcast()

    def age() -> Age:
        return sync.age()

    rebalancer = Rebalancer(
        portfolio=portfolio,
        capital=capital,
        plans=store,
        progress=store,
        commands=manager,
        age=age,
    )
    sync = Sync(
        reads=manager,
        portfolio=portfolio,
        rebalancer=rebalancer,
        services=services,
        broadcast=broadcast,
        memory=store,
        wall=wall,
        every_s=settings.sync_s,
    )

    def rows(names: Sequence[str]) -> Sequence[TraderRow]:
        return [
            shown_trader(portfolio, portfolio.traders[name], sync.age(), capital.allotments)
            for name in names
        ]

    return Container(
        wall=wall,
        store=store,
        manager=manager,
        reads=reads,
        portfolio=portfolio,
        capital=capital,
        rebalancer=rebalancer,
        automatic=AutomaticRebalance(
            portfolio, rebalancer, store, wall, age=age, settle_s=settings.settle_s
        ),
        services=services,
        broadcast=broadcast,
        sync=sync,
        venue=venue,
        backtests=Backtests(venue, store, wall),
        records=TradersRecords(manager, portfolio, PortfolioExports(), rows),
    )


def _services(settings: Settings, manager_url: str) -> ServicesHttp:
    urls = {"manager": manager_url}
    if settings.trading_url is not None:
        urls["venue"] = settings.trading_url
    data_url = settings.data_service_url or settings.trading_url
    if data_url is not None:
        urls["data"] = data_url
    return ServicesHttp(urls, safety=settings.live, venue_token=settings.venue_secret())
