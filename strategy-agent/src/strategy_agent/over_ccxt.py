"""The settings of a trader whose exchange is reached through ccxt, put together."""

from pydantic import SecretStr

from strategy_agent.adapters.ccxt_exchange.access import CcxtAccess
from strategy_agent.adapters.ccxt_exchange.calls import CcxtCalls
from strategy_agent.adapters.ccxt_exchange.connection import CcxtExchange, open_connection
from strategy_agent.settings import Settings
from suite.clock import Clock
from suite.contracts.clock import ClockState
from suite.contracts.trader import TraderSpec
from suite.errors import ConfigError


def access_of(settings: Settings) -> CcxtAccess:
    """Say who trades where, as the settings have it."""
    given: dict[str, SecretStr] = {
        "apiKey": settings.ccxt_api_key,
        "secret": settings.ccxt_secret,
        "password": settings.ccxt_password,
        "walletAddress": settings.ccxt_wallet_address,
        "privateKey": settings.ccxt_private_key,
    }
    keys = {name: value.get_secret_value() for name, value in given.items()}
    return CcxtAccess(
        exchange=settings.ccxt_exchange,
        keys={name: value for name, value in keys.items() if value},
        sandbox=settings.ccxt_sandbox,
        allow_live=settings.allow_direct_ccxt_live,
        url=settings.ccxt_url,
    )


def name_of(access: CcxtAccess) -> str:
    """Name an exchange as it is remembered: its play money is another place than the real one."""
    kind = access.url or ("sandbox" if access.sandbox else "live")
    return f"ccxt:{access.exchange}:{kind}"


async def connect(settings: Settings, spec: TraderSpec, wall: Clock) -> CcxtExchange:
    """Connect a trader to its exchange.

    Raises:
        ConfigError: the settings do not allow it, or ccxt cannot do it.
        SuiteError: the exchange does not answer.
    """
    if settings.trading_url:
        raise ConfigError("TRADING_URL and CCXT_EXCHANGE name two places to trade: set one of them")
    if not settings.data_service_url:
        raise ConfigError(
            "DATA_SERVICE_URL is not set: a trader over ccxt has its market data from there, "
            "http://127.0.0.1:8200"
        )
    calls = CcxtCalls(access_of(settings), wall)
    try:
        return await open_connection(calls, wall, coins=spec.symbols)
    except BaseException:
        await calls.close()
        raise


def clock_of(wall: Clock) -> ClockState:
    """Say how time moves at a real exchange: as everywhere, and it wakes nobody."""
    return ClockState(mode="wall", now_ms=wall.now_ms(), speed=1.0, wakes=False)
