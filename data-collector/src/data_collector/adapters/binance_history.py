"""The past of Binance's USD-M perpetuals: its public files, and its REST for what is newer.

Source: the README of Binance's public data, and "USD-M futures, market data endpoints" of its
documentation, read 2026-11.
"""

import hashlib
import re
from collections.abc import AsyncIterator, Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import numpy as np

from data_collector.domain.archives import Piece, Shelf, days, months, plan
from data_collector.domain.cleaning import Rows, clean_funding, true_bars
from data_collector.domain.epochs import to_epoch_ms
from data_collector.domain.file_names import Kind
from suite.bars import F64, I64, INTERVAL_MS, Bars
from suite.errors import (
    NotFound,
    StorageError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from suite.fixed import is_decimal
from suite.instrument import coin_of
from suite.klines import Gap, Source
from suite.service.upstream import Upstream, WeightLimit

SOURCE: Final = Source("binance")
BULK: Final = "https://data.binance.vision"
REST: Final = "https://fapi.binance.com"
LACKS: Final = "Binance publishes none: before the coin was listed, or while trading stood still"

WEIGHT_PER_MINUTE: Final = 2400
MOST_KLINES, _KLINES_WEIGHT = 1500, 10
MOST_FUNDING, _FUNDING_WEIGHT = 1000, 24  # 500 requests in five minutes are allowed

_SYMBOL = re.compile(r"[A-Z0-9]{1,20}USDT")
"""Contracts against USDT whose coin has a name that we can write; some are in other scripts."""
_CHECKSUM = re.compile(r"\s*([0-9a-fA-F]{64})\s")

_Ms = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
_Kline = tuple[_Ms, str, str, str, str, str, int, str, int, str, str, str]


class _Funding(msgspec.Struct, frozen=True):
    fundingTime: _Ms  # noqa: N815 - the wire's own name
    fundingRate: str  # noqa: N815


class _Time(msgspec.Struct, frozen=True):
    serverTime: _Ms  # noqa: N815


class _Filter(msgspec.Struct, frozen=True):
    filterType: str  # noqa: N815
    tickSize: str = ""  # noqa: N815
    stepSize: str = ""  # noqa: N815


class _Listed(msgspec.Struct, frozen=True):
    symbol: str
    contractType: str  # noqa: N815
    filters: list[_Filter]


class _ExchangeInfo(msgspec.Struct, frozen=True):
    symbols: list[_Listed]


_KLINES = msgspec.json.Decoder(list[_Kline])
_FUNDINGS = msgspec.json.Decoder(list[_Funding])
_TIMES = msgspec.json.Decoder(_Time)
_INFOS = msgspec.json.Decoder(_ExchangeInfo)


class BinanceHistory:
    """Reads whole months and days from files, and asks for the rest.

    Args:
        rows: reads the columns of a file of a kind.
        folder: where files are kept until they are read; a part of one is completed, not repeated.
        now_ms: our clock; it decides only which files may be there.
        bulk_url, rest_url: of the two services.
        timeout_s: how long an answer may pause.
    """

    source = SOURCE

    def __init__(
        self,
        rows: Callable[[Path, Kind], Rows],
        folder: Path,
        now_ms: Callable[[], int],
        *,
        bulk_url: str = BULK,
        rest_url: str = REST,
        timeout_s: float = 20.0,
    ) -> None:
        self._rows = rows
        self._folder = folder
        self._now_ms = now_ms
        self._bulk = Upstream("Binance's public data", bulk_url, timeout_s=timeout_s)
        limit = WeightLimit(WEIGHT_PER_MINUTE)
        self._rest = Upstream("Binance", rest_url, limit=limit, timeout_s=timeout_s)

    async def klines(
        self, coin: str, interval: str, from_ms: int, to_ms: int
    ) -> AsyncIterator[Bars]:
        """Read the closed bars that open in [from_ms, to_ms), file by file, rising."""
        for piece in plan(Gap(from_ms, to_ms), self._now_ms()):
            async for bars in self._bars(coin, interval, piece):
                if len(bars):
                    yield bars

    async def funding(self, coin: str, from_ms: int, to_ms: int) -> AsyncIterator[tuple[I64, F64]]:
        """Read the settled funding with stamps in [from_ms, to_ms), file by file, rising."""
        symbol = symbol_of(coin)
        for piece in months(Gap(from_ms, to_ms), self._now_ms()):
            if piece.shelf == Shelf.MONTHLY:
                name = f"{symbol}-fundingRate-{piece.stamp}"
                rows = await self._file(f"monthly/fundingRate/{symbol}/{name}.zip", Kind.FUNDING)
                if rows is not None:
                    page = _stamps(rows, piece.span)
                    if len(page[0]):
                        yield page
                if rows is not None or piece.is_final:
                    continue
            async for page in self._asked_funding(symbol, piece.span):
                yield page

    async def instruments(self) -> Mapping[str, Mapping[str, Any]]:
        """Ask what is traded against USDT: symbol, price decimals, step of sizes.

        Raises:
            UpstreamRefused: also where only the files can be reached.
        """
        try:
            info = await self._rest.read(_INFOS, "/fapi/v1/exchangeInfo")
        except (UpstreamUnavailable, UpstreamTimeout) as error:
            raise UpstreamRefused(str(error)) from None
        return {
            coin_of(listed.symbol): _record(listed)
            for listed in info.symbols
            if listed.contractType == "PERPETUAL" and _SYMBOL.fullmatch(listed.symbol)
        }

    async def close(self) -> None:
        """Close the connections."""
        await self._bulk.close()
        await self._rest.close()

    # ---- files ----------------------------------------------------------------------------------

    async def _bars(self, coin: str, interval: str, piece: Piece) -> AsyncIterator[Bars]:
        """Read one piece; where its file is not there yet, the pieces that it is made of."""
        symbol = symbol_of(coin)
        if piece.shelf == Shelf.ASKED:
            async for bars in self._asked_bars(symbol, interval, piece.span):
                yield bars
            return
        name = f"{symbol}-{interval}-{piece.stamp}"
        path = f"{piece.shelf}/klines/{symbol}/{interval}/{name}.zip"
        rows = await self._file(path, Kind.KLINES)
        if rows is not None:
            yield true_bars(
                {**rows, "time": to_epoch_ms(rows["time"])},
                interval=interval,
                from_ms=piece.span.start_ms,
                to_ms=piece.span.end_ms,
                now_ms=self._now_ms(),
            )
        elif piece.is_final:
            return
        elif piece.shelf == Shelf.MONTHLY:
            for day in days(piece.span, self._now_ms()):
                async for bars in self._bars(coin, interval, day):
                    yield bars
        else:
            async for bars in self._asked_bars(symbol, interval, piece.span):
                yield bars

    async def _file(self, path: str, kind: Kind) -> Rows | None:
        """Read one public file; None where there is none."""
        path = f"/data/futures/um/{path}"
        try:
            checksum = _CHECKSUM.match(await self._bulk.text(f"{path}.CHECKSUM") + " ")
        except NotFound:
            return None
        if checksum is None:
            raise UpstreamRefused(f"{path}.CHECKSUM at Binance's public data holds no checksum")
        file = await self._download(path, checksum[1].lower())
        try:
            return self._rows(file, kind)
        except ValueError as error:
            raise UpstreamRefused(f"{path} of Binance's public data: {error}") from None
        finally:
            file.unlink(missing_ok=True)

    async def _download(self, path: str, checksum: str) -> Path:
        """Bring a file here; one whose checksum is wrong is brought once more, whole."""
        whole = self._folder / path.rpartition("/")[2]
        draft = whole.with_name(f"{whole.name}.part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for _ in range(2):
                await self._bulk.download(path, draft)
                with draft.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                if digest == checksum:
                    return draft.replace(whole)
                draft.unlink()
        except OSError as error:
            raise StorageError(f"cannot keep files in {self._folder}: {error.strerror}") from None
        raise UpstreamRefused(f"{path} does not have the checksum that Binance publishes")

    # ---- REST -----------------------------------------------------------------------------------

    async def _asked_bars(self, symbol: str, interval: str, span: Gap) -> AsyncIterator[Bars]:
        step, from_ms = INTERVAL_MS[interval], span.start_ms
        now_ms = (await self._rest.read(_TIMES, "/fapi/v1/time")).serverTime
        end_ms = min(span.end_ms, now_ms)
        while from_ms + step <= end_ms:
            klines = await self._rest.read(
                _KLINES,
                "/fapi/v1/klines",
                params={
                    "symbol": symbol,
                    "interval": interval,
                    "startTime": from_ms,
                    "endTime": end_ms - 1,
                    "limit": MOST_KLINES,
                },
                weight=_KLINES_WEIGHT,
            )
            klines = [kline for kline in klines if kline[0] >= from_ms]
            if not klines:
                return
            names = ("open", "high", "low", "close", "volume")
            numbers = np.array([[_number(text) for text in kline[1:6]] for kline in klines])
            columns = dict(zip(names, numbers.T, strict=True))
            times = np.array([kline[0] for kline in klines], np.int64)
            yield true_bars(
                {"time": times, **columns},
                interval=interval,
                from_ms=from_ms,
                to_ms=end_ms,
                now_ms=now_ms,
            )
            from_ms = int(times.max()) + step

    async def _asked_funding(self, symbol: str, span: Gap) -> AsyncIterator[tuple[I64, F64]]:
        from_ms = span.start_ms
        while from_ms < span.end_ms:
            rows = await self._rest.read(
                _FUNDINGS,
                "/fapi/v1/fundingRate",
                params={
                    "symbol": symbol,
                    "startTime": from_ms,
                    "endTime": span.end_ms - 1,
                    "limit": MOST_FUNDING,
                },
                weight=_FUNDING_WEIGHT,
            )
            rows = [row for row in rows if row.fundingTime >= from_ms]
            page = _stamps(
                {
                    "time": np.array([row.fundingTime for row in rows], np.int64),
                    "rate": np.array([_number(row.fundingRate) for row in rows], np.float64),
                },
                span,
            )
            if len(page[0]):
                yield page
            if len(rows) < MOST_FUNDING:
                return
            from_ms = max(row.fundingTime for row in rows) + 1


def symbol_of(coin: str) -> str:
    """Name a coin's contract: `BTCUSDT`, and `1000PEPEUSDT` for `kPEPE`."""
    is_thousand = coin.startswith("k") and coin[1:].isupper()
    return f"1000{coin[1:]}USDT" if is_thousand else f"{coin}USDT"


def _stamps(rows: Rows, span: Gap) -> tuple[I64, F64]:
    times, rates, _ = clean_funding(rows)
    inside = (times >= span.start_ms) & (times < span.end_ms)
    return times[inside], rates[inside]


def _number(text: str) -> float:
    return float(text) if is_decimal(text) else float("nan")


def _record(listed: _Listed) -> dict[str, Any]:
    """Write what a coin's record holds.

    The step of sizes is kept for people. It makes no `sz_decimals`: the simulated venue is
    Hyperliquid, whose lattice of prices follows from those.
    """
    record: dict[str, Any] = {"source_symbol": listed.symbol}
    for item in listed.filters:
        if item.filterType == "PRICE_FILTER" and is_decimal(item.tickSize):
            exponent = Decimal(item.tickSize).normalize().as_tuple().exponent
            record["price_decimals"] = max(0, -exponent) if isinstance(exponent, int) else 0
        elif item.filterType == "LOT_SIZE" and is_decimal(item.stepSize):
            record["size_step"] = item.stepSize
    return record
