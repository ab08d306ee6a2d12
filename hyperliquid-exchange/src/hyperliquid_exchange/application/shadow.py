"""The drift report: every order that was sent live, played again over the bars that came after."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import msgspec

from hyperliquid_exchange.application.drift_ports import (
    CollectedBars,
    OrderJournal,
    VenueHistory,
)
from hyperliquid_exchange.domain.drift import DriftRow, compared, summaries
from hyperliquid_exchange.domain.live_orders import Joined, LiveOrder, SentOrder, join
from hyperliquid_exchange.domain.shadow import horizon_ms, simulate
from perp_engine.rules import Rules
from suite.bars import MINUTE_MS, Bars
from suite.contracts.drift import DriftSummary
from suite.instrument import Instrument

SAME_STREAM_MS: Final = 6 * 3_600_000
"""Orders of a coin that are no further apart than this are played on one reading of its bars."""

WORLDS_RULES: Final = Rules()
"""What a world has where nobody says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """How far live trading was from the model.

    Attributes:
        as_of_ms, since_ms: wall time of the report, and from when on orders are in it.
        rows: one an order, oldest decision first.
        summaries: by trader.
        absent: orders that were sent and that the venue does not show, by trader.
        foreign: rows of the venue's that nobody here has sent, by trader.
        rules: of the model, for the reader.
    """

    as_of_ms: int
    since_ms: int
    rows: tuple[DriftRow, ...]
    summaries: tuple[DriftSummary, ...]
    absent: Mapping[str, int]
    foreign: Mapping[str, int]
    rules: Mapping[str, str]

    def told(self) -> dict[str, Any]:
        """Write it as plain values."""
        return asdict(self) | {
            "rows": [asdict(row) for row in self.rows],
            "summaries": msgspec.to_builtins(self.summaries),
            "absent": dict(self.absent),
            "foreign": dict(self.foreign),
            "rules": dict(self.rules),
        }


class ShadowFills:
    """Plays live orders again.

    Args:
        journal: of what was sent.
        venue: that says what became of it.
        bars: to play it on.
        addresses: of accounts, by trader.
        rules: of the model: a world's own defaults.
    """

    def __init__(
        self,
        journal: OrderJournal,
        venue: VenueHistory,
        bars: CollectedBars,
        addresses: Mapping[str, str],
        rules: Rules = WORLDS_RULES,
    ) -> None:
        self._journal = journal
        self._venue = venue
        self._bars = bars
        self._addresses = addresses
        self._rules = rules

    async def report(self, since_ms: int, now_ms: int) -> DriftReport:
        """Compare every order that was decided since.

        Raises:
            SuiteError: the journal, the venue or the collector cannot be read.
        """
        universe = await self._venue.universe()
        instruments = {instrument.coin: instrument for instrument in universe}
        by_trader: dict[str, list[SentOrder]] = {name: [] for name in self._addresses}
        for order in self._journal.sent(since_ms):
            by_trader.setdefault(order.trader_id, []).append(order)
        found: list[LiveOrder] = []
        absent: dict[str, int] = {}
        foreign: dict[str, int] = {}
        for name, sent in by_trader.items():
            if name not in self._addresses:
                absent[name] = len(sent)
                continue
            joined = await self._joined(self._addresses[name], sent, since_ms, universe)
            found += joined.orders
            absent[name] = len(joined.absent)
            foreign[name] = sum(row.placed_ms >= since_ms for row in joined.foreign)
        found.sort(key=lambda order: (order.decided_ms, order.trader_id, order.oid))
        rows = await self._rows(found, instruments, now_ms)
        return DriftReport(
            as_of_ms=now_ms,
            since_ms=since_ms,
            rows=rows,
            summaries=summaries(rows),
            absent=absent,
            foreign=foreign,
            rules={name: str(value) for name, value in asdict(self._rules).items()},
        )

    async def _joined(
        self,
        address: str,
        sent: Sequence[SentOrder],
        since_ms: int,
        universe: Sequence[Instrument],
    ) -> Joined:
        orders = await self._venue.orders(address)
        # a stand-in's clock may be far behind the wall's, so its fills are asked for from the start
        placed = [row.placed_ms for row in orders]
        from_ms = min([since_ms, *placed])
        return join(sent, orders, await self._venue.fills(address, from_ms), universe)

    async def _rows(
        self, orders: Sequence[LiveOrder], instruments: Mapping[str, Instrument], now_ms: int
    ) -> tuple[DriftRow, ...]:
        rows: dict[int, DriftRow] = {}
        for stretch in _stretches(orders):
            coin = orders[stretch[0]].coin
            bars = await self._read(coin, [orders[place] for place in stretch], now_ms)
            for place in stretch:
                order, instrument = orders[place], instruments[coin]
                model = simulate(order, instrument, bars, self._rules)
                rows[place] = compared(order, model, instrument)
        return tuple(rows[place] for place in range(len(orders)))

    async def _read(self, coin: str, orders: Sequence[LiveOrder], now_ms: int) -> Bars:
        """Read the bars on which orders are played; those to come are not there yet."""
        from_ms = min(order.begins_ms for order in orders) // MINUTE_MS * MINUTE_MS
        to_ms = min(max(map(horizon_ms, orders)) + MINUTE_MS, now_ms // MINUTE_MS * MINUTE_MS)
        return await self._bars.minutes(coin, from_ms, to_ms)


def _stretches(orders: Sequence[LiveOrder]) -> list[list[int]]:
    """Put together the orders of a coin that are near each other; places into `orders`."""
    by_coin: dict[str, list[int]] = {}
    for place, order in enumerate(orders):
        by_coin.setdefault(order.coin, []).append(place)
    found: list[list[int]] = []
    for places in by_coin.values():
        places.sort(key=lambda place: orders[place].begins_ms)
        open_ms = -SAME_STREAM_MS
        for place in places:
            begins_ms = orders[place].begins_ms
            if begins_ms - open_ms >= SAME_STREAM_MS:
                found.append([])
                open_ms = begins_ms
            found[-1].append(place)
    return found
