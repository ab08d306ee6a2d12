"""The past of any exchange that ccxt knows, from its REST."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import numpy as np

from data_collector.domain.brackets import read_brackets
from data_collector.domain.ccxt_markets import (
    SAME_VENUE,
    brackets_document,
    markets_of,
    record_of,
)
from data_collector.domain.cleaning import clean_funding, true_bars
from data_collector.domain.findings import NotUnderstood
from suite.bars import F64, I64, INTERVAL_MS, Bars
from suite.errors import (
    DataGap,
    RateLimited,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
    one_line,
)
from suite.klines import Source, brackets_of
from suite.service.upstream import retried

LACKS: Final = "the exchange does not give them; keep the collector running from now on"
USUAL_PAGE: Final = 500

T = TypeVar("T")


class CcxtHistory:
    """Asks an exchange through ccxt, which keeps its rate limit.

    Args:
        api: the exchange, of ccxt's asynchronous form; this closes it.
        market: `perp` or `spot`.
        now_ms: our clock, for exchanges that do not tell theirs.
    """

    def __init__(self, api: Any, market: str, now_ms: Callable[[], int]) -> None:
        self.source = Source(SAME_VENUE.get(api.id, api.id), market)
        self._api = api
        self._our_ms = now_ms
        self._markets: dict[str, Mapping[str, Any]] = {}

    async def klines(
        self, coin: str, interval: str, from_ms: int, to_ms: int
    ) -> AsyncIterator[Bars]:
        """Ask for the closed bars that open in [from_ms, to_ms), page by page, rising."""
        symbol, step = await self._symbol(coin), INTERVAL_MS[interval]
        if interval not in (self._api.timeframes or {}):
            raise UpstreamRefused(f"{self._api.id} has no {interval} bars")
        limit = self._page(symbol)
        now_ms = await self._now_ms()
        end_ms = min(to_ms, now_ms)
        while from_ms + step <= end_ms:
            until_ms = min(end_ms, from_ms + limit * step)
            rows = await self._call(
                self._api.fetch_ohlcv, symbol, interval, from_ms, limit, {"until": until_ms - 1}
            )
            rows = [row for row in rows if from_ms <= (row[0] or 0) < end_ms]
            if rows:
                table = np.array(rows, np.float64)
                names = ("open", "high", "low", "close", "volume")
                columns = dict(zip(names, table.T[1:], strict=True))
                bars = true_bars(
                    {"time": table[:, 0].astype(np.int64), **columns},
                    interval=interval,
                    from_ms=from_ms,
                    to_ms=to_ms,
                    now_ms=now_ms,
                )
                if len(bars):
                    yield bars
            # A page may be shorter than was asked for; an empty one says that there is nothing.
            from_ms = max((int(row[0]) + step for row in rows), default=until_ms)

    async def funding(self, coin: str, from_ms: int, to_ms: int) -> AsyncIterator[tuple[I64, F64]]:
        """Ask for the settled funding with stamps in [from_ms, to_ms), page by page, rising."""
        if self.source.market != "perp" or not self._api.has.get("fetchFundingRateHistory"):
            return
        symbol = await self._symbol(coin)
        while from_ms < to_ms:
            rows = await self._call(
                self._api.fetch_funding_rate_history, symbol, from_ms, None, {"until": to_ms - 1}
            )
            rows = [row for row in rows if from_ms <= (row["timestamp"] or 0) < to_ms]
            if not rows:
                return
            columns = {
                "time": np.array([row["timestamp"] for row in rows], np.int64),
                "rate": np.array([row["fundingRate"] for row in rows], np.float64),
            }
            times, rates, _ = clean_funding(columns)
            if len(times):
                yield times, rates
            from_ms = max(row["timestamp"] for row in rows) + 1

    async def instruments(self) -> Mapping[str, Mapping[str, Any]]:
        """Ask what is traded: symbol, price decimals, leverage, tiers where they are public."""
        await self._load()
        records = {
            coin: record_of(market, self._api.precisionMode)
            for coin, market in self._markets.items()
        }
        for coin, brackets in (await self._brackets()).items():
            if coin in records:
                records[coin]["leverage_brackets"] = brackets
        if self._api.id == "hyperliquid":  # the venue that is simulated: its sizes are ours
            for coin, market in self._markets.items():
                records[coin]["sz_decimals"] = int(market["info"]["szDecimals"])
        return records

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def _brackets(self) -> dict[str, Any]:
        """Leverage tiers by coin; none where an exchange tells them to customers only."""
        if self.source.market != "perp" or self._api.has.get("fetchLeverageTiers") is not True:
            return {}
        symbols = [market["symbol"] for market in self._markets.values()]
        try:
            tiers = await self._call(self._api.fetch_leverage_tiers, symbols)
            found = read_brackets(brackets_document(tiers))
        except (UpstreamRefused, NotUnderstood, ValueError):
            return {}
        return {coin: brackets_of(rows) for coin, rows in found.tiers.items()}

    async def _load(self) -> None:
        if not self._markets:
            markets = await self._call(self._api.load_markets)
            self._markets = markets_of(markets, self.source.market)

    async def _symbol(self, coin: str) -> str:
        await self._load()
        if coin not in self._markets:
            raise DataGap(f"{self.source} does not trade {coin}")
        return str(self._markets[coin]["symbol"])

    def _page(self, symbol: str) -> int:
        known = self._api.feature_value(symbol, "fetchOHLCV", "limit")
        return int(known) if known else USUAL_PAGE

    async def _now_ms(self) -> int:
        """The exchange's clock, where it tells it."""
        if self._api.has.get("fetchTime"):
            return int(await self._call(self._api.fetch_time))
        return self._our_ms()

    async def _call(self, method: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """Call ccxt, again while it fails in a way that may pass, and name what it raises."""
        import ccxt

        async def once() -> T:
            name = self._api.id
            try:
                return await method(*arguments)
            except (ccxt.RateLimitExceeded, ccxt.DDoSProtection) as error:
                raise RateLimited(one_line(f"{name}: {error}")) from None
            except ccxt.RequestTimeout as error:
                raise UpstreamTimeout(one_line(f"{name} did not answer: {error}")) from None
            except ccxt.NetworkError as error:
                text = one_line(f"{name} cannot be reached: {error}")
                raise UpstreamUnavailable(text) from None
            except ccxt.BaseError as error:
                raise UpstreamRefused(one_line(f"{name}: {error}")) from None

        return await retried(once)
