"""What a file's name and folder say about the market data in it."""

import itertools
import re
from dataclasses import dataclass
from enum import StrEnum

from suite.bars import INTERVAL_MS
from suite.instrument import coin_of
from suite.klines import Source


class Kind(StrEnum):
    """What a file holds."""

    KLINES = "klines"
    FUNDING = "funding"
    BRACKETS = "brackets"
    MARK = "mark"
    TRADES = "trades"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileName:
    """A file as its name describes it.

    Attributes:
        symbol: as the source writes it, `BTCUSDT`; empty when the name has none.
        coin: as we write it, `BTC`; empty when the name has none.
        interval: `1m`, None when the name has none.
    """

    kind: Kind
    symbol: str
    coin: str
    interval: str | None
    source: Source

    @property
    def key(self) -> str:
        """All that decides where the file's rows go."""
        return f"{self.kind} {self.source} {self.coin} {self.interval or ''}"


_ENDINGS = re.compile(r"\.(?:parquet|csv|csv\.gz|zip)$", re.IGNORECASE)
_JSON = re.compile(r"\.json$", re.IGNORECASE)
_BRACKETS = re.compile(r"leverage|bracket|margin.?tier", re.IGNORECASE)
_DATED = re.compile(r"-(?:\d{4}-\d{2}(?:-\d{2})?|\d{8})$")
_INTERVAL = re.compile(rf"[-_ ]({'|'.join(INTERVAL_MS)})(?=[-_ ]|$)")
_SYMBOL = re.compile(r"[A-Za-z0-9]+(?:-PERP|[-_/](?:USDT|USDC|BUSD|USD|BTC|ETH))?")
_SPOT_QUOTE = re.compile(r"([A-Za-z0-9]+)[-_/](?:BTC|ETH)", re.IGNORECASE)

_WORDS = (
    (re.compile(r"[-_ ](?:funding[-_ ]?(?:rate)?)(?=[-_ ]|$)", re.IGNORECASE), Kind.FUNDING),
    (re.compile(r"[-_ ](?:mark)(?=[-_ ]|$)", re.IGNORECASE), Kind.MARK),
    (re.compile(r"[-_ ](?:agg)?trades(?=[-_ ]|$)", re.IGNORECASE), Kind.TRADES),
)

_VENUES = (
    "binance-usdm", "binance-coinm", "binance", "bybit", "okx", "ftx", "hyperliquid", "kraken",
    "coinbase", "bitget", "gate", "kucoin", "mexc", "deribit", "bitmex", "huobi", "htx", "dydx",
)  # fmt: skip
_SAME_VENUE = {"binance-usdm": "binance"}
"""Folders that say the market too; `binance-coinm` is not one: its contracts are worth USD."""

_FOLDER = re.compile(r"[a-z][a-z0-9_.-]{0,39}")
_PLAIN_FOLDERS = {
    "archive", "bars", "candles", "csv", "daily", "data", "desktop", "download", "downloads",
    "funding", "futures", "history", "home", "klines", "market-data", "monthly", "ohlcv",
    "parquet", "perp", "perps", "raw", "spot", "swap", "temp", "tmp", "um", "zip",
}  # fmt: skip
"""Folders whose name says nothing about where data is from."""

_NO_TRADES = {"markpriceklines", "indexpriceklines", "premiumindexklines"}
"""Folders of Binance whose files have the names of klines but hold other prices."""

LOCAL = "local"
"""Venue of files that do not say where they come from."""


def is_market_data(name: str) -> bool:
    """Whether a file of this name may be imported."""
    return not name.startswith(".") and bool(_ENDINGS.search(name) or _JSON.search(name))


def promises_brackets(name: str) -> bool:
    """Whether a JSON file of this name is meant to hold leverage brackets; others only may."""
    return bool(_BRACKETS.search(name))


def describe(
    path: tuple[str, ...],
    *,
    symbol: str | None = None,
    interval: str | None = None,
    venue: str | None = None,
    market: str | None = None,
) -> FileName:
    """Say what a file holds, from its path.

    Args:
        path: folders and the file's name.
        symbol, interval, venue, market: win over what the path says.

    Raises:
        ValueError: no symbol can be told, or one given makes no sense.
    """
    name = path[-1]
    if _JSON.search(name):
        source = _source(path, name, "", venue, market)
        return FileName(kind=Kind.BRACKETS, symbol="", coin="", interval=None, source=source)
    stem = _ENDINGS.sub("", name)
    kind = next((kind for word, kind in _WORDS if word.search(stem)), Kind.KLINES)
    if any(part.lower() in _NO_TRADES for part in path[:-1]):
        kind = Kind.MARK
    told = symbol or _symbol(stem)
    found = _INTERVAL.search(stem)
    chosen = interval or (found[1] if found else None)
    if chosen is not None and chosen not in INTERVAL_MS:
        raise ValueError(f"unknown interval {chosen[:10]!r}; there are {', '.join(INTERVAL_MS)}")
    return FileName(
        kind=kind,
        symbol=told,
        coin=coin_named(told),
        interval=chosen,
        source=_source(path, stem, told, venue, market),
    )


def coin_named(symbol: str) -> str:
    """Name the coin of a symbol, of one quoted in another coin too: `UNITTEST_BTC`.

    Raises:
        ValueError: not a symbol.
    """
    spot = _SPOT_QUOTE.fullmatch(symbol)
    return coin_of(spot[1] if spot else symbol)


def _symbol(stem: str) -> str:
    """The part of a name before its interval, kind and date."""
    text = _DATED.sub("", stem)
    cuts = [found.start() for word, _ in _WORDS if (found := word.search(text))]
    cuts += [found.start()] if (found := _INTERVAL.search(text)) else []
    text = text[: min(cuts, default=len(text))]
    text = re.sub(r"_(USDT|USDC|USD)_(USDT|USDC|USD)$", r"_\1", text)
    match = _SYMBOL.fullmatch(text)
    if match is None:
        raise ValueError(f"no symbol in the name {stem[:60]!r}; name it with --symbol")
    return text


def _source(
    path: tuple[str, ...], stem: str, symbol: str, venue: str | None, market: str | None
) -> Source:
    """The venue and market: as given, else by a folder's name, else by the form of the name."""
    folders = [part.lower() for part in path[:-1]]
    told = next((part for part in reversed(folders) if part in _VENUES), None)
    if told is None:
        told = "binance" if _is_binance(path, stem) else _folder_venue(folders, symbol)
    is_spot = "spot" in folders or bool(_SPOT_QUOTE.fullmatch(symbol))
    chosen = venue or _SAME_VENUE.get(told, told)
    return Source(chosen, market or ("spot" if is_spot else "perp"))


def _folder_venue(folders: list[str], symbol: str) -> str:
    """The venue a folder stands for that is of no venue we know: its own name, if it is one."""
    name = folders[-1] if folders else ""
    says_nothing = name in _PLAIN_FOLDERS or name in INTERVAL_MS or name == symbol.lower()
    return name if _FOLDER.fullmatch(name) and not says_nothing else LOCAL


def _is_binance(path: tuple[str, ...], stem: str) -> bool:
    """Binance's public files: `BTCUSDT-1m-2025-05`, or a path with `futures/um`."""
    folders = [part.lower() for part in path[:-1]]
    pairs = itertools.pairwise(folders)
    if ("futures", "um") in pairs:
        return True
    named = re.fullmatch(r"[A-Z0-9]+-(\w+)-\d{4}-\d{2}(-\d{2})?", stem)
    return bool(named) and named is not None and named[1] in {*INTERVAL_MS, "fundingRate"}
