"""Channels of the market: prices, books, trades, candles, contexts."""

from collections.abc import Callable
from typing import Any, Final

from suite.contracts import hyperliquid_ws as ws
from virtual_exchange.application.info import spot as spot_reads
from virtual_exchange.application.info.market import MarketReads
from virtual_exchange.application.stream.feeds import Feed, Log, LogFeed, StateFeed
from virtual_exchange.application.stream.reads import Ask
from virtual_exchange.application.world import World

_BARS: Final = 64
"""How many bars of trades or candles are told at a time."""
_MANTISSA_FIGURES: Final = 5
"""Significant figures with which a mantissa may be asked for."""

_OfCoin = ws.L2Book | ws.Bbo | ws.Trades | ws.Candle | ws.ActiveAssetCtx


class MarketStreams:
    """Makers of the feeds of one market."""

    def __init__(self, world: World, reads: MarketReads, ask: Ask) -> None:
        self._world = world
        self._reads = reads
        self._ask = ask

    def maker(self, wanted: ws.Named) -> Callable[[], Feed] | None:
        """Find what makes the feed of a subscription, None where there is nothing such here."""
        match wanted:
            case ws.AllMids():
                return lambda: StateFeed("allMids", lambda: {"mids": self._ask("allMids")})
            case ws.AssetCtxs():
                return lambda: StateFeed(
                    "assetCtxs", lambda: {"dex": "", "ctxs": self._reads.contexts()}
                )
            case ws.AllDexsAssetCtxs():
                return lambda: StateFeed(
                    "allDexsAssetCtxs", lambda: {"ctxs": [["", self._reads.contexts()]]}
                )
            case ws.SpotAssetCtxs():
                return lambda: StateFeed("spotAssetCtxs", spot_reads.contexts)
            case ws.L2Book() | ws.Bbo() | ws.Trades() | ws.Candle() | ws.ActiveAssetCtx():
                known = wanted.coin in self._world.symbols or wanted.coin in spot_reads.COINS
                return self._of_coin(wanted) if known else None
        return None

    def _of_coin(self, wanted: _OfCoin) -> Callable[[], Feed] | None:
        coin = wanted.coin
        match wanted:
            case ws.L2Book():
                if wanted.mantissa is not None and wanted.nSigFigs != _MANTISSA_FIGURES:
                    return None
                how = {"nSigFigs": wanted.nSigFigs, "mantissa": wanted.mantissa}
                return lambda: StateFeed("l2Book", lambda: self._ask("l2Book", coin=coin, **how))
            case ws.Bbo():
                return lambda: StateFeed("bbo", lambda: self._best(coin), lambda data: data["bbo"])
            case ws.Trades():
                return lambda: self._trades(coin)
            case ws.Candle():
                return lambda: self._candles(coin, wanted.interval)
            case ws.ActiveAssetCtx():
                return lambda: self._context(coin)

    def _best(self, coin: str) -> dict[str, Any] | None:
        book = self._ask("l2Book", coin=coin)
        if book is None:
            return None
        best = [levels[0] if levels else None for levels in book["levels"]]
        return {"coin": book["coin"], "time": book["time"], "bbo": best}

    def _trades(self, coin: str) -> Feed:
        symbol = self._world.symbols.get(coin)

        def between(first: int, end: int) -> list[Any]:
            rows = [] if symbol is None else self._reads.trades_between(symbol, first, end)
            return [rows] if rows else []

        def recent() -> list[Any]:
            rows = [] if symbol is None else self._reads.recent_trades(coin)
            return [rows] if rows else []

        bars = Log(length=self._bar, between=between, step=_BARS)
        return LogFeed("trades", bars, opening=recent)

    def _candles(self, coin: str, interval: str) -> Feed:
        symbol = self._world.symbols.get(coin)
        tape = self._world.market.tape

        def rows(start_ms: int, end_ms: int) -> list[dict[str, Any]]:
            if symbol is None:
                return []
            return self._reads.candles.candles(symbol, interval, start_ms, end_ms)

        def between(first: int, end: int) -> list[Any]:
            """Candles closed since a boundary by another, and the open one when that is now."""
            start_ms, end_ms = tape.time_ms(first), tape.time_ms(end)
            latest = end == self._bar()
            return [row for row in rows(start_ms, end_ms) if latest or row["T"] < end_ms]

        def present() -> list[Any]:
            now_ms = self._world.now_ms
            return rows(now_ms, now_ms)

        bars = Log(length=self._bar, between=between, step=_BARS)
        return LogFeed("candle", bars, opening=present)

    def _context(self, coin: str) -> Feed:
        symbol = self._world.symbols.get(coin)
        if symbol is None:
            context = next(c for c in spot_reads.contexts() if c["coin"] == coin)
            return StateFeed("activeSpotAssetCtx", lambda: {"coin": coin, "ctx": context})
        return StateFeed(
            "activeAssetCtx", lambda: {"coin": coin, "ctx": self._reads.contexts()[symbol]}
        )

    def _bar(self) -> int:
        return self._world.engine.bar
