"""The services on simulated machines: a venue, the live proxy, and agents."""

import functools
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from coincurve import PrivateKey
from pydantic import SecretStr
from starlette.exceptions import HTTPException
from starlette.requests import Request
from tests.support.simulation.disk import Disk
from tests.support.simulation.machine import START_MS, Process
from tests.support.simulation.network import App
from tests.support.worlds import MemorySource, random_bars

from hyperliquid_exchange import bootstrap as live_wiring
from hyperliquid_exchange.custody import Custody
from hyperliquid_exchange.domain.accounts import GlobalLimits, LiveAccount, TraderLimits
from hyperliquid_exchange.entrypoint import routes as live_routes
from hyperliquid_exchange.entrypoint.asgi import Call as LiveCall
from hyperliquid_exchange.entrypoint.ws import SocketEndpoint as LiveSockets
from hyperliquid_exchange.settings import Settings as LiveSettings
from strategy_agent.application.instance import StrategyInstance
from strategy_agent.bootstrap import Connector
from strategy_agent.settings import Settings as AgentSettings
from suite.addresses import derived_address
from suite.bars import DAY_MS, MINUTE_MS
from suite.contracts.trader import StrategySpec, TraderSpec
from suite.contracts.world import AccountRequest, WorldRequest
from suite.errors import NotFound, SuiteError
from suite.fixed import Rate, Usd
from suite.ids import TraderId
from suite.service import faults
from suite.service.clock import SystemClock
from suite.service.raw_routes import Endpoint, Route
from suite.service.tokens import TokenStore
from virtual_exchange.application.exchange.gateway import Strictness
from virtual_exchange.application.market.building import query_of
from virtual_exchange.application.session import Session, open_session
from virtual_exchange.application.world_scheduler import WorldScheduler
from virtual_exchange.application.worlds import DEFAULT, Worlds
from virtual_exchange.domain.market import Market
from virtual_exchange.entrypoint import routes as venue_routes
from virtual_exchange.entrypoint.asgi import Endpoint as VenueEndpoint
from virtual_exchange.entrypoint.services import Services as VenueServices
from virtual_exchange.entrypoint.ws import SocketEndpoint as VenueSockets

COINS: Final = ("BTC", "ETH")
SPEED: Final = 10.0
"""Of the venue's time: a minute in six seconds."""
BARS: Final = 180
FIRST_BAR: Final = 60
"""Bars before the world begins, for indicators."""
TRADERS: Final[Mapping[str, StrategySpec]] = {
    "dice": StrategySpec(kind="random", params={"probability": 0.7}),
    "cross": StrategySpec(kind="sma_cross", params={"fast": 2, "slow": 4, "stop_loss": 0.002}),
    "maker": StrategySpec(kind="fixed_spread"),
}
_DOLLARS: Final = 10**6
LIMITS: Final = TraderLimits(
    max_order_usd=Usd(100_000 * _DOLLARS),
    max_position_usd=Usd(500_000 * _DOLLARS),
    max_account_usd=Usd(1_000_000 * _DOLLARS),
    max_leverage=40,
    max_open_orders=200,
    max_orders_per_s=100,
    max_orders_per_minute=6000,
    max_day_loss_usd=Usd(500_000 * _DOLLARS),
    max_drawdown_usd=Usd(500_000 * _DOLLARS),
    max_executions=100_000,
    price_collar=Rate(500_000_000),
    duplicate_s=0.001,
    facts_age_s=20.0,
)
OVERALL: Final = GlobalLimits(
    max_gross_usd=Usd(5_000_000 * _DOLLARS),
    max_orders_per_s=500,
    max_day_loss_usd=Usd(900_000 * _DOLLARS),
)


class Face:
    """An application that has nothing but routes, as the chassis would answer for them."""

    def __init__(
        self, table: Iterable[tuple[Route[Any], Endpoint[Any]]], sockets: App | None = None
    ) -> None:
        self._fixed: dict[tuple[str, str], Endpoint[Any]] = {}
        self._named: dict[tuple[str, str], tuple[str, Endpoint[Any]]] = {}
        self._sockets = sockets
        for route, endpoint in table:
            start, brace, rest = route.path.partition("{")
            if not brace:
                self._fixed[route.method, route.path] = endpoint
            elif rest.endswith("}"):
                self._named[route.method, start] = rest[:-1], endpoint

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            assert self._sockets is not None
            scope["path_params"] = {}
            await self._sockets(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        endpoint, scope["path_params"] = self._fixed.get((method, path)), {}
        if endpoint is None:
            start, slash, value = path.rpartition("/")
            name, endpoint = self._named.get((method, start + slash), ("", None))
            scope["path_params"] = {name: value}
        if endpoint is None:
            await faults.fault_response(NotFound(f"no such route: {path}"))(scope, receive, send)
            return
        try:
            await endpoint(scope, receive, send)
        except SuiteError as fault:
            await faults.fault_response(fault)(scope, receive, send)
        except HTTPException as error:
            response = await faults.on_http_error(Request(scope), error)
            await response(scope, receive, send)


# the venue


@functools.cache
def _key(name: str) -> PrivateKey:
    return PrivateKey(f"key of {name}".encode().ljust(32, b"."))


class Wallet:
    """What signs for an address, and what the proxy holds."""

    def __init__(self, name: str) -> None:
        self._key = _key(name)
        self.address = derived_address(self._key.public_key.format(compressed=False)[1:])

    def sign_digest(self, digest: bytes) -> bytes:
        return self._key.sign_recoverable(digest, hasher=None)


@functools.cache
def wallet(name: str) -> Wallet:
    return Wallet(name)


def _request(names: tuple[str, ...]) -> WorldRequest:
    return WorldRequest(
        symbols=COINS,
        clock="paced",
        speed=SPEED,
        from_=START_MS,
        participants=(),
        supervised=True,
        accounts=tuple(
            AccountRequest(
                id=name,
                address=wallet(f"master of {name}").address,
                agents=(wallet(f"agent of {name}").address,),
                initial_balance=Decimal(100_000),
            )
            for name in names
        ),
        latency=0,
    )


@functools.cache
def _market(names: tuple[str, ...], kind: int) -> Market:
    """One of a few markets, made once."""
    start_ms = START_MS - FIRST_BAR * MINUTE_MS
    count = FIRST_BAR + BARS
    bars = {coin: random_bars(coin, count, seed=kind + 1, start_ms=start_ms) for coin in COINS}
    return MemorySource(bars).load(query_of(_request(names)))


class Venue:
    """The exchange: it has its own machine, and does not fail."""

    def __init__(self, process: Process, names: tuple[str, ...], kind: int) -> None:
        clock = SystemClock()
        self.session: Session = open_session(
            _request(names),
            source=_market(names, kind),
            clock=clock,
            encoded=True,
            strictness=Strictness(signatures="mainnet"),
        )
        self.session.unique_id = ""  # what agents keep of it shall last, as with real money
        worlds = Worlds(source=MemorySource({}), clock=clock)
        worlds._sessions[DEFAULT] = self.session
        self.services = VenueServices(
            worlds=worlds,
            jobs=None,  # type: ignore[arg-type]
            scheduler=WorldScheduler(),
            tokens=TokenStore(clock),
            clock=clock,
        )
        table = [(route, VenueEndpoint(route, self.services)) for route in venue_routes.ROUTES]
        self.app = Face(table, VenueSockets(self.services))
        self._process = process

    async def open(self) -> None:
        """Let time begin."""
        self.services.scheduler.watch(self.session)


# the live proxy


@functools.cache
def custody(names: tuple[str, ...]) -> Custody:
    accounts, wallets = {}, {}
    for name in names:
        master, agent = wallet(f"master of {name}"), wallet(f"agent of {name}")
        wallets[agent.address] = agent
        accounts[TraderId(name)] = LiveAccount(
            trader_id=TraderId(name),
            address=master.address,
            master=master.address,
            signer=agent.address,
            native="forward",
            client_signers=(),
            symbols=COINS,
            limits=LIMITS,
        )
    return Custody(network="mainnet", limits=OVERALL, accounts=accounts, wallets=wallets)  # type: ignore[arg-type]


class Proxy:
    """One life of the live proxy, on its machine's disk."""

    def __init__(self, disk: Disk) -> None:
        written = disk.root / "accounts.yaml"
        if not written.exists():
            written.write_text("simulated\n")
        settings = LiveSettings(
            state_dir=disk.root / "var",
            accounts=written,
            network="mainnet",
            upstream_url="http://venue",
            trusted_network=True,
            weight_per_minute=10_000_000,
            journal_reserve_mb=1,
        )
        self.container = live_wiring.Container(settings, TokenStore(SystemClock()))
        table = [
            (
                route,
                Endpoint(
                    route,
                    self.container.tokens,
                    lambda scope, body, grant, receive: LiveCall(
                        scope, self.container.services(), body, grant, receive
                    ),
                ),
            )
            for route in live_routes.ROUTES
        ]
        self.app = Face(table, LiveSockets(self.container.services, self.container.tokens))

    def token(self, name: str) -> str:
        """The token of a trader, as the proxy has written it."""
        return self.container.token_files[name].read_text().strip()


# agents


def spec_of(name: str) -> TraderSpec:
    return TraderSpec(
        trader_id=name,
        strategy=TRADERS[name],
        symbols=COINS,
        interval="1m",
        initial_balance=Decimal(100_000),
    )


class Agent:
    """One life of an agent's process, on its machine's disk."""

    def __init__(self, name: str, disk: Disk, token: str, paused: str = "") -> None:
        settings = AgentSettings(
            trading_url="http://proxy",
            data_service_url="http://venue",
            trader_token=SecretStr(token),
            state_dir=disk.root / "state",
            quick_decision_s=3600.0,
        )
        self.connector = Connector(settings, journal_dir=disk.root / "journal")
        self.instance = StrategyInstance(spec_of(name), self.connector.context(stays=True))
        if paused:
            self.instance.begin_paused(paused)

    async def run(self) -> None:
        """Trade until it has ended."""
        self.instance.start()
        await self.instance.finished()


__all__ = ["DAY_MS", "Agent", "Face", "Proxy", "Venue"]
