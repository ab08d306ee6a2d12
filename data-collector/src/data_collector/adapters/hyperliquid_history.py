"""The past of Hyperliquid, from its `POST /info`; any virtual-exchange answers the same."""

import math
import re
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, Final, TypeVar

import msgspec
import numpy as np

from data_collector.domain.cleaning import clean_funding, true_bars
from suite.bars import F64, I64, INTERVAL_MS, Bars
from suite.errors import UpstreamRefused
from suite.fixed import USD_DECIMALS, Usd, is_decimal, parse_fixed
from suite.instrument import MarginTier
from suite.klines import Source, brackets_of
from suite.service.upstream import Upstream, WeightLimit

SOURCE: Final = Source("hyperliquid")
MAINNET: Final = "https://api.hyperliquid.xyz"

WEIGHT_PER_MINUTE: Final = 1200
MOST_CANDLES: Final = 5000
"""Older candles of an interval are not there any more."""
MOST_FUNDING: Final = 500
LACKS: Final = (
    f"Hyperliquid keeps only the newest {MOST_CANDLES:,} candles of an interval; fill older ones "
    "with --venue binance, and keep the collector running from now on"
)

_STATUS_WEIGHT, _READ_WEIGHT = 2, 20
_CANDLES_A_WEIGHT, _ROWS_A_WEIGHT = 60, 20
_COIN = re.compile(r"[A-Za-z0-9]{1,24}")

T = TypeVar("T")


_Ms = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]


class _Candle(msgspec.Struct, frozen=True):
    t: _Ms
    o: str
    h: str
    l: str  # noqa: E741 - the wire's own name
    c: str
    v: str


class _Funding(msgspec.Struct, frozen=True):
    time: _Ms
    fundingRate: str  # noqa: N815 - the wire's own name


class _Status(msgspec.Struct, frozen=True):
    time: _Ms


class _Listed(msgspec.Struct, frozen=True):
    name: str
    szDecimals: int  # noqa: N815
    maxLeverage: int  # noqa: N815
    marginTableId: int | None = None  # noqa: N815


class _Tier(msgspec.Struct, frozen=True):
    lowerBound: str  # noqa: N815
    maxLeverage: int  # noqa: N815


class _Table(msgspec.Struct, frozen=True):
    marginTiers: list[_Tier]  # noqa: N815


class _Meta(msgspec.Struct, frozen=True):
    universe: list[_Listed]
    marginTables: list[tuple[int, _Table]] = []  # noqa: N815


_CANDLES = msgspec.json.Decoder(list[_Candle])
_FUNDINGS = msgspec.json.Decoder(list[_Funding])
_STATUSES = msgspec.json.Decoder(_Status)
_METAS = msgspec.json.Decoder(tuple[_Meta, list[Any]])


class HyperliquidHistory:
    """Asks for what Hyperliquid still has.

    Args:
        url: of the venue.
        timeout_s: how long an answer may take.
        limit: of weight; the venue's own when not given.
    """

    source = SOURCE

    def __init__(
        self, url: str = MAINNET, *, timeout_s: float = 20.0, limit: WeightLimit | None = None
    ) -> None:
        limit = limit or WeightLimit(WEIGHT_PER_MINUTE)
        self.upstream = Upstream("Hyperliquid", url, limit=limit, timeout_s=timeout_s)

    async def klines(
        self, coin: str, interval: str, from_ms: int, to_ms: int
    ) -> AsyncIterator[Bars]:
        """Ask for the closed bars that open in [from_ms, to_ms), page by page, rising.

        The first request is for the whole range: the venue answers with all that it still has, and
        costs by what it answers.
        """
        step = INTERVAL_MS[interval]
        status = await self._read(_STATUSES, {"type": "exchangeStatus"}, _STATUS_WEIGHT)
        end_ms = min(to_ms, status.time)
        while from_ms + step <= end_ms:
            expected = min(MOST_CANDLES, (end_ms - from_ms) // step)
            request = {"coin": coin, "interval": interval, "startTime": from_ms, "endTime": end_ms}
            candles = await self._read(
                _CANDLES,
                {"type": "candleSnapshot", "req": request},
                _READ_WEIGHT + math.ceil(expected / _CANDLES_A_WEIGHT),
            )
            candles = [candle for candle in candles if candle.t >= from_ms]
            if not candles:
                return
            bars = true_bars(
                _columns(candles),
                interval=interval,
                from_ms=from_ms,
                to_ms=to_ms,
                now_ms=status.time,
            )
            if len(bars):
                yield bars
            from_ms = max(candle.t for candle in candles) + step

    async def funding(self, coin: str, from_ms: int, to_ms: int) -> AsyncIterator[tuple[I64, F64]]:
        """Ask for the settled funding with stamps in [from_ms, to_ms), page by page, rising."""
        while from_ms < to_ms:
            request = {"coin": coin, "startTime": from_ms, "endTime": to_ms - 1}
            rows = await self._read(
                _FUNDINGS,
                {"type": "fundingHistory", **request},
                _READ_WEIGHT + MOST_FUNDING // _ROWS_A_WEIGHT,
            )
            rows = [row for row in rows if row.time >= from_ms]
            if rows:
                columns = {
                    "time": np.array([row.time for row in rows], np.int64),
                    "rate": np.array([_number(row.fundingRate) for row in rows]),
                }
                times, rates, _ = clean_funding(columns)
                if len(times):
                    yield times, rates
            if len(rows) < MOST_FUNDING:
                return
            from_ms = max(row.time for row in rows) + 1

    async def instruments(self) -> Mapping[str, Mapping[str, Any]]:
        """Ask what is traded: lattice, leverage and margin tiers of every perpetual."""
        meta, _ = await self._read(_METAS, {"type": "metaAndAssetCtxs"}, _READ_WEIGHT)
        tables = dict(meta.marginTables)
        try:
            return {
                listed.name: _record(listed, tables.get(listed.marginTableId or 0))
                for listed in meta.universe
                if _COIN.fullmatch(listed.name)
            }
        except ValueError as error:
            raise UpstreamRefused(
                f"Hyperliquid told of margin tiers that are none: {error}"
            ) from None

    async def close(self) -> None:
        """Close the connections."""
        await self.upstream.close()

    async def _read(self, decoder: msgspec.json.Decoder[T], body: Any, weight: int) -> T:
        return await self.upstream.read(decoder, "/info", body=body, weight=weight)


def _columns(candles: list[_Candle]) -> dict[str, Any]:
    texts = {
        "open": [candle.o for candle in candles],
        "high": [candle.h for candle in candles],
        "low": [candle.l for candle in candles],
        "close": [candle.c for candle in candles],
        "volume": [candle.v for candle in candles],
    }
    columns = {name: np.array([_number(text) for text in column]) for name, column in texts.items()}
    return {"time": np.array([candle.t for candle in candles], np.int64), **columns}


def _number(text: str) -> float:
    return float(text) if is_decimal(text) else float("nan")


def _record(listed: _Listed, table: _Table | None) -> dict[str, Any]:
    """Write what a coin's record holds; a flat table need not be among those that are told."""
    tiers = [
        MarginTier(
            lower_bound_usd=Usd(parse_fixed(tier.lowerBound, USD_DECIMALS)),
            max_leverage=tier.maxLeverage,
        )
        for tier in (table.marginTiers if table else [])
    ] or [MarginTier(lower_bound_usd=Usd(0), max_leverage=listed.maxLeverage)]
    return {
        "source_symbol": listed.name,
        "sz_decimals": listed.szDecimals,
        "max_leverage": listed.maxLeverage,
        "leverage_brackets": brackets_of(tiers),
    }
