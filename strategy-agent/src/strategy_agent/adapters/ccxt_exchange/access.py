"""Who trades where through ccxt, and whether that may be real money."""

from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from suite.contracts.trader import near
from suite.errors import ConfigError
from suite.hosts import is_loopback

NEEDED: Final = (
    *("createOrder", "cancelOrder", "fetchOrder", "fetchOpenOrders", "fetchMyTrades"),
    *("fetchBalance", "fetchPositions"),
    *("watchOrders", "watchMyTrades", "watchBalance", "watchPositions"),
)
"""What a trader cannot do without: orders, proof of their fate, and pushes about the account."""
_SETTINGS: Final = {
    "apiKey": "CCXT_API_KEY",
    "secret": "CCXT_SECRET",
    "password": "CCXT_PASSWORD",
    "walletAddress": "CCXT_WALLET_ADDRESS",
    "privateKey": "CCXT_PRIVATE_KEY",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CcxtAccess:
    """One account at one exchange.

    Attributes:
        exchange: as ccxt names it.
        keys: by ccxt's names, those that are set: `apiKey`, `secret`, `password`,
            `walletAddress`, `privateKey`.
        sandbox: the exchange's own flag: its play money instead of the real account.
        allow_live: the suite's flag.
        url: another address for all its services; empty for its own.
    """

    exchange: str
    keys: dict[str, str] = field(default_factory=dict, repr=False)
    sandbox: bool = True
    allow_live: bool = False
    url: str = ""

    @property
    def is_local(self) -> bool:
        """Everything goes to this machine."""
        return bool(self.url) and is_loopback(urlsplit(self.url).hostname or "")

    @property
    def real(self) -> bool:
        """It is real money, or cannot be told from it."""
        return not self.is_local and not self.sandbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How an exchange does what ccxt leaves open.

    Attributes:
        id_prefix: before the 32 hex digits of a client order id.
        expiry: how a request says from when on it must be refused; without, an order that is not
            found may still come.
        triggers_apart: trigger orders are listed, found and canceled apart from the others.
        modifies_triggers: a trigger order can be modified; else it is canceled and placed anew.
        whole_size: the size of a modification counts what was filled already.
        whole_positions: the stream of positions tells all that are open, each time.
        equity_pushed: the balance of the stream has unrealized profit in it.
        market_price: a market order needs a price from which the worst one is made.
    """

    id_prefix: str = ""
    expiry: Literal["recvWindow", "expiresAfter"] | None = None
    triggers_apart: bool = True
    modifies_triggers: bool = False
    whole_size: bool = True
    whole_positions: bool = False
    equity_pushed: bool = False
    market_price: bool = False


HABITS: Final = {
    "binanceusdm": Habits(expiry="recvWindow"),
    "hyperliquid": Habits(
        id_prefix="0x",
        expiry="expiresAfter",
        triggers_apart=False,
        modifies_triggers=True,
        whole_size=False,
        whole_positions=True,
        equity_pushed=True,
        market_price=True,
    ),
}


def habits_of(exchange: str) -> Habits:
    """Say how an exchange does things; with the careful assumption where it is not known."""
    return HABITS.get(exchange, Habits())


def check_access(access: CcxtAccess, exchanges: list[str]) -> None:
    """Refuse what must not start.

    Args:
        access: see there.
        exchanges: that ccxt has streams of.

    Raises:
        ConfigError: in one line, with the settings to change.
    """
    name = access.exchange
    if name not in exchanges:
        raise ConfigError(f"CCXT_EXCHANGE: ccxt has no {name[:40]!r}{near(name, exchanges)}")
    if access.is_local:
        return
    if access.url and access.sandbox:
        raise ConfigError(
            "CCXT_URL is not on this machine, so it may be real money: "
            "set CCXT_SANDBOX=false and ALLOW_DIRECT_CCXT_LIVE=true if that is meant"
        )
    if access.real != access.allow_live:
        meant = "real money" if access.real else "play money"
        raise ConfigError(
            f"CCXT_SANDBOX={str(access.sandbox).lower()} ({meant}) and "
            f"ALLOW_DIRECT_CCXT_LIVE={str(access.allow_live).lower()} do not agree: "
            "real money needs false and true, play money true and false"
        )


def check_abilities(access: CcxtAccess, api: Any) -> None:
    """Refuse an exchange that cannot do what is needed, or whose keys are missing.

    Args:
        access: see there.
        api: exchange object of ccxt.

    Raises:
        ConfigError: in one line.
    """
    lacking = [name for name in NEEDED if api.has.get(name) is not True]
    if lacking:
        raise ConfigError(f"ccxt cannot trade at {access.exchange}: it has no {', '.join(lacking)}")
    wanted = {name for name, needed in api.requiredCredentials.items() if needed}
    if others := wanted - _SETTINGS.keys():
        names = ", ".join(sorted(others))
        raise ConfigError(f"{access.exchange} wants {names}, for which there is no setting")
    missing = [_SETTINGS[name] for name in _SETTINGS if name in wanted - access.keys.keys()]
    if missing:
        raise ConfigError(f"{', '.join(missing)} not set: {access.exchange} wants it of a trader")


def redirected(urls: Any, base: str) -> Any:
    """Put another host into all addresses of an exchange; paths stay.

    Args:
        urls: text, or mappings of it as deep as they are.
        base: `http://127.0.0.1:8100`; of sockets the scheme becomes `ws`, or `wss`.
    """
    if isinstance(urls, dict):
        return {name: redirected(value, base) for name, value in urls.items()}
    if not isinstance(urls, str) or "://" not in urls:
        return urls
    scheme, _, rest = urls.partition("://")
    _, slash, path = rest.partition("/")
    host = f"ws{base.removeprefix('http')}" if scheme.startswith("ws") else base
    return f"{host}{slash}{path}"
