"""The data contract over HTTP: snapshots and bars of a collector, or of a venue."""

from typing import Any
from urllib.parse import quote

import msgspec

from suite.contracts.market_data import Kline
from suite.errors import UpstreamRefused
from suite.service.calls import ServiceCalls


class DataHttp:
    """Market data at an address; a `MarketData`.

    Args:
        calls: of the service; a request must have a limit of time.
    """

    def __init__(self, calls: ServiceCalls) -> None:
        self._calls = calls
        self._decoder = msgspec.json.Decoder(dict[str, Any])
        self._klines = msgspec.json.Decoder(list[Kline])

    async def snapshot(self, coin: str, at_ms: int | None) -> dict[str, Any]:
        """`GET /gpt-latest/{symbol}`, of a time or the newest."""
        path = f"gpt-latest/{quote(coin, safe='')}"
        if at_ms is not None:
            path += f"?timestamp={at_ms}"
        found = await self._calls.read("GET", path, None, self._decoder, reason="snapshot")
        if not isinstance(found.get("as_of_ms"), int) or not isinstance(
            found.get("intervals_data"), dict
        ):
            raise UpstreamRefused(f"what {self._calls.name} answered is no snapshot of {coin}")
        return found

    async def whole_bars(
        self, coin: str, interval: str, from_ms: int, to_ms: int
    ) -> tuple[int, ...]:
        """`GET /klines/{symbol}`: open times of the bars of a range in which nothing is missing.

        Raises:
            SuiteError: the service does not answer, or does not know the coin or the interval.
        """
        path = f"klines/{quote(coin, safe='')}?interval={interval}&start={from_ms}&end={to_ms}"
        rows = await self._calls.read("GET", path, None, self._klines, reason="bars")
        return tuple(row.open_time_ms for row in rows if row.complete)

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()
