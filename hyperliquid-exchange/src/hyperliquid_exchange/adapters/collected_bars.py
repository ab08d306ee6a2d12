"""Minutes of a data-collector, over its data contract (`DATA_SERVICE_URL`)."""

from typing import Final

import msgspec

from suite.bars import MINUTE_MS, Bars
from suite.contracts.market_data import Kline
from suite.errors import NotFound
from suite.klines import COLUMNS, bars_of, empty_bars
from suite.service.upstream import Upstream

_PAGE: Final = 5000
_klines = msgspec.json.Decoder(list[Kline])


class CollectorBars:
    """A `CollectedBars` over HTTP.

    Args:
        url: of the collector.
    """

    def __init__(self, url: str) -> None:
        self._upstream = Upstream("the data-collector", url)

    async def minutes(self, coin: str, from_ms: int, to_ms: int) -> Bars:
        """Read minutes; none where none are stored."""
        rows: list[Kline] = []
        end_ms = to_ms
        while end_ms > from_ms:
            params: dict[str, str | int] = {"interval": "1m", "start": from_ms, "end": end_ms}
            try:
                page = await self._upstream.read(_klines, f"/klines/{coin}", params=params)
            except NotFound:
                return empty_bars(MINUTE_MS)
            rows = page + rows
            if len(page) < _PAGE:
                break
            end_ms = page[0].open_time_ms
        columns = {name: [getattr(row, name) for row in rows] for name in COLUMNS}
        return bars_of(MINUTE_MS, columns)

    async def newest_ms(self, coin: str, since_ms: int) -> int | None:
        """Tell when the newest minute of a coin ended; None where there is none since a time."""
        params: dict[str, str | int] = {"interval": "1m", "start": since_ms}
        try:
            rows = await self._upstream.read(_klines, f"/klines/{coin}", params=params)
        except NotFound:
            return None
        return rows[-1].open_time_ms + MINUTE_MS if rows else None

    async def close(self) -> None:
        """Close the connections."""
        await self._upstream.close()
