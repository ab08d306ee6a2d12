"""Reads of the market in the venue's own shapes: what is known at the present moment, no more."""

from typing import Any, Final

from suite.bars import HOUR_MS
from suite.fixed import RATE_DECIMALS, USD_DECIMALS, format_fixed, mul_div_half_even
from virtual_exchange.application.info.candles import CandleReads
from virtual_exchange.application.info.history import DayWindow
from virtual_exchange.application.info.modelled_book import ModelledBook
from virtual_exchange.application.info.public_trades import PublicTrades
from virtual_exchange.application.info.request import InfoBody, in_range
from virtual_exchange.application.info.values import plain
from virtual_exchange.application.world import World, mid_price, symbol_of
from virtual_exchange.domain.price_grid import nearest

_FIRST_OWN_TABLE: Final = 50
"""Margin tables below are those of one leverage, which is their id; others are a coin's own."""
_MOST_ROWS: Final = 500
_LARGEST_ORDER: Final = "1000000000.0"
"""Notional of the largest order the engine takes, USD (docs/engine.md, section 5)."""


class MarketReads:
    """The market of one world.

    Attributes:
        candles, books, trades: what is told of it bar by bar.
        days: what the last 24 hours of each coin add up to.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._instruments = world.market.instruments
        self._contexts: tuple[int, list[dict[str, Any]]] = (-1, [])
        self._mids: tuple[int, dict[str, str]] = (-1, {})
        self._meta = self._make_meta()
        self.candles = CandleReads(world)
        self.books = ModelledBook(world)
        self.trades = PublicTrades(world)
        self.days = [DayWindow(bars) for bars in world.market.history]

    def meta(self) -> dict[str, Any]:
        """The universe: coins in the order of their asset ids."""
        return self._meta

    def _make_meta(self) -> dict[str, Any]:
        universe, tables = [], {}
        for index, instrument in enumerate(self._instruments):
            flat = len(instrument.tiers) == 1
            named_by_leverage = flat and instrument.max_leverage < _FIRST_OWN_TABLE
            table_id = instrument.max_leverage if named_by_leverage else _FIRST_OWN_TABLE + index
            universe.append(
                {
                    "szDecimals": instrument.sz_decimals,
                    "name": instrument.coin,
                    "maxLeverage": instrument.max_leverage,
                    "marginTableId": table_id,
                }
            )
            tiers = [
                {
                    "lowerBound": format_fixed(tier.lower_bound_usd, USD_DECIMALS),
                    "maxLeverage": tier.max_leverage,
                }
                for tier in instrument.tiers
            ]
            description = "" if flat else f"tiered {instrument.max_leverage}x"
            tables[table_id] = {"description": description, "marginTiers": tiers}
        rows = [[table_id, table] for table_id, table in tables.items()]
        return {"universe": universe, "marginTables": rows, "collateralToken": 0}

    def margin_table(self, table_id: int | None) -> dict[str, Any] | None:
        """One margin table, None when there is none of this id."""
        tables: dict[int, dict[str, Any]] = dict(self._meta["marginTables"])
        return None if table_id is None else tables.get(table_id)

    def largest_orders(self) -> list[list[Any]]:
        """The largest market order of each leverage that coins have."""
        leverages = {instrument.max_leverage for instrument in self._instruments}
        return [[leverage, _LARGEST_ORDER] for leverage in sorted(leverages, reverse=True)]

    def contexts(self) -> list[dict[str, Any]]:
        """State of each coin's market, aligned with the universe; shared, not to be changed."""
        bar = self._world.engine.bar
        if self._contexts[0] != bar:
            rows = [self._context(symbol) for symbol in range(len(self._instruments))]
            self._contexts = (bar, rows)
        return self._contexts[1]

    def _context(self, symbol: int) -> dict[str, Any]:
        world, instrument = self._world, self._instruments[symbol]
        engine, print_ = world.engine, world.engine.book(symbol).print
        day, mark = self.days[symbol].at(world.now_ms), engine.mark(symbol)
        impact = [instrument.format_price(price) for price in self.books.touch(symbol)]
        return {
            "funding": self._funding(symbol),
            "openInterest": "0.0",
            "prevDayPx": self.mark(symbol) if day.first_price is None else plain(day.first_price),
            "dayNtlVlm": plain(day.notional or 0.0),
            # the oracle is the mark, and so between the impact prices: no premium
            "premium": "0.0" if print_ else None,
            "oraclePx": instrument.format_price(mark),
            "markPx": self.mark(symbol),
            "midPx": instrument.format_price(print_) if print_ else None,
            "impactPxs": impact if print_ else None,
            "dayBaseVlm": plain(day.volume or 0.0),
        }

    def mark(self, symbol: int) -> str:
        """Mark price on the grid of orders, with a fraction.

        Recorded prints have more figures than an order may have (BTC 94321.07, ETH 1800.12). Live
        marks of such coins are on the grid, and clients rely on it: hummingbot takes its price
        increment from the digits after the point, and would send prices that are refused. Money is
        reckoned at the exact mark, which is shown as `oraclePx`; both differ by half a tick at
        most.
        """
        instrument, mark = self._instruments[symbol], self._world.engine.mark(symbol)
        return instrument.format_price(nearest(instrument, mark) if mark else 0)

    def _funding(self, symbol: int) -> str:
        """The last settled rate by the hour."""
        last = self._world.engine.last_funding(symbol)
        if last is None:
            return "0.0"
        hourly = mul_div_half_even(10 * last.rate, HOUR_MS, last.interval_ms)
        return format_fixed(hourly, RATE_DECIMALS + 1)

    def predicted_fundings(self) -> list[Any]:
        """The last settled rate of each coin, at the stamp that its interval leads to expect."""
        return [
            [instrument.coin, [["HlPerp", self._predicted(symbol)]]]
            for symbol, instrument in enumerate(self._instruments)
        ]

    def _predicted(self, symbol: int) -> dict[str, Any]:
        now_ms, last = self._world.now_ms, self._world.engine.last_funding(symbol)
        step = HOUR_MS if last is None else last.interval_ms
        since = now_ms // HOUR_MS * HOUR_MS if last is None else last.time_ms
        return {
            "fundingRate": self._funding(symbol),
            "nextFundingTime": since + ((now_ms - since) // step + 1) * step,
            "fundingIntervalHours": max(1, step // HOUR_MS),
        }

    def funding_history(self, request: InfoBody) -> list[dict[str, Any]]:
        """Settled rates in a range of time, oldest first; each of its whole interval, as paid."""
        symbol = symbol_of(self._world, request.coin or "")
        if symbol is None:
            return []
        coin = self._instruments[symbol].coin
        stamps = self._settled(symbol)
        rows = in_range(stamps, request, lambda stamp: stamp[0], most=_MOST_ROWS)
        return [
            {
                "coin": coin,
                "fundingRate": format_fixed(rate, RATE_DECIMALS),
                "premium": "0.0",
                "time": time_ms,
            }
            for time_ms, rate in rows
        ]

    def _settled(self, symbol: int) -> list[list[int]]:
        """Time and rate of each stamp up to now: as recorded, else one every hour of the world."""
        tape, now_ms = self._world.market.tape, self._world.now_ms
        recorded = tape.funding[symbol]
        if len(recorded):
            stamps: list[list[int]] = recorded[recorded[:, 0] <= now_ms].tolist()
            return stamps
        first_ms = -(-tape.start_ms // HOUR_MS) * HOUR_MS
        rate = self._world.rules.funding_rate
        return [[stamp_ms, rate] for stamp_ms in range(first_ms, now_ms + 1, HOUR_MS)]

    def mids(self) -> dict[str, str]:
        """Mid price of every coin that has a book, else its mark; shared, not to be changed."""
        bar = self._world.engine.bar
        if self._mids[0] != bar:
            mids = {
                instrument.coin: instrument.format_price(mid_price(self._world, symbol))
                for symbol, instrument in enumerate(self._instruments)
            }
            self._mids = (bar, mids)
        return self._mids[1]

    def book(
        self, coin: str, n_sig_figs: int | None = None, mantissa: int | None = None
    ) -> dict[str, Any] | None:
        """The modelled book of a coin, None where there is no such coin.

        Raises:
            Unsupported: levels are asked for that the venue does not put together.
        """
        symbol = symbol_of(self._world, coin)
        return None if symbol is None else self.books.l2(symbol, n_sig_figs, mantissa)

    def recent_trades(self, coin: str) -> list[dict[str, Any]]:
        """The latest public trades of a coin, newest first."""
        symbol = symbol_of(self._world, coin)
        return [] if symbol is None else self.trades.recent(symbol)

    def trades_between(self, symbol: int, first_bar: int, end_bar: int) -> list[dict[str, Any]]:
        """Public trades of the bars from one to before another, oldest first."""
        return self.trades.between(symbol, first_bar, end_bar)
