"""Channels of the market: prices, books, trades, candles, contexts."""

from collections.abc import Callable
from typing import Any, Final

from suite.contracts import hyperliquid_ws as ws
from virtual_exchange.application.info_request import UnknownRequest
from virtual_exchange.application.market_reads import MarketReads
from virtual_exchange.application.stream_feeds import Feed, Log, LogFeed, StateFeed
from virtual_exchange.application.stream_reads import Ask
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
        self._spot: frozenset[str] | None = None
        self._contexts: tuple[int, list[Any]] = (-1, [])

    def maker(self, wanted: ws.Named) -> Callable[[], Feed] | None:
        """Find what makes the feed of a subscription, None where there is nothing such here."""
        match wanted:
            case ws.AllMids():
                return lambda: StateFeed("allMids", lambda: {"mids": self._ask("allMids")})
            case ws.AssetCtxs():
                return lambda: StateFeed(
                    "assetCtxs", lambda: {"dex": "", "ctxs": self._all_contexts()}
                )
            case ws.AllDexsAssetCtxs():
                return lambda: StateFeed(
                    "allDexsAssetCtxs", lambda: {"ctxs": [["", self._all_contexts()]]}
                )
            case ws.SpotAssetCtxs():
                return lambda: StateFeed("spotAssetCtxs", self._spot_contexts)
            case ws.L2Book() | ws.Bbo() | ws.Trades() | ws.Candle() | ws.ActiveAssetCtx():
                known = wanted.coin in self._world.symbols or wanted.coin in self._spot_coins()
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
                return self._candles(coin, wanted.interval)
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
            read = getattr(self._reads, "trades_between", None)
            rows = [] if symbol is None or read is None else read(symbol, first, end)
            return [rows] if rows else []

        def recent() -> list[Any]:
            try:
                rows = [] if symbol is None else self._ask("recentTrades", coin=coin)
            except UnknownRequest:
                rows = []
            return [rows] if rows else []

        bars = Log(length=self._bar, between=between, step=_BARS)
        return LogFeed("trades", bars, opening=recent)

    def _candles(self, coin: str, interval: str) -> Callable[[], Feed] | None:
        tape = self._world.market.tape

        def rows(start_ms: int, end_ms: int) -> list[dict[str, Any]]:
            req = {"coin": coin, "interval": interval, "startTime": start_ms, "endTime": end_ms}
            found: list[dict[str, Any]] = self._ask("candleSnapshot", req=req)
            return found

        def between(first: int, end: int) -> list[Any]:
            """Candles closed since a boundary by another, and the open one when that is now."""
            start_ms, end_ms = tape.time_ms(first), tape.time_ms(end)
            latest = end == self._bar()
            return [row for row in rows(start_ms, end_ms) if latest or row["T"] < end_ms]

        def present() -> list[Any]:
            now_ms = self._world.now_ms
            return rows(now_ms, now_ms)[-1:]

        try:
            present()
        except UnknownRequest:
            return None
        bars = Log(length=self._bar, between=between, step=_BARS)
        return lambda: LogFeed("candle", bars, opening=present)

    def _context(self, coin: str) -> Feed:
        symbol = self._world.symbols.get(coin)
        if symbol is None:
            return StateFeed("activeSpotAssetCtx", lambda: self._spot_context(coin))
        return StateFeed(
            "activeAssetCtx", lambda: {"coin": coin, "ctx": self._all_contexts()[symbol]}
        )

    def _all_contexts(self) -> list[Any]:
        """Contexts of all coins, read once a bar for all who show them."""
        if self._contexts[0] != self._bar():
            self._contexts = (self._bar(), self._reads.contexts())
        return self._contexts[1]

    def _spot_contexts(self) -> list[dict[str, Any]]:
        contexts: list[dict[str, Any]] = self._ask("spotMetaAndAssetCtxs")[1]
        return contexts

    def _spot_context(self, coin: str) -> dict[str, Any] | None:
        context = next((c for c in self._spot_contexts() if c["coin"] == coin), None)
        return None if context is None else {"coin": coin, "ctx": context}

    def _spot_coins(self) -> frozenset[str]:
        if self._spot is None:
            try:
                pairs = self._ask("spotMeta")["universe"]
            except UnknownRequest:
                pairs = []
            self._spot = frozenset(pair["name"] for pair in pairs)
        return self._spot

    def _bar(self) -> int:
        return self._world.engine.bar
