"""Reads of the market in the venue's own shapes: what is known at the present moment, no more."""

from typing import Any

from suite.bars import HOUR_MS, INTERVAL_MS
from suite.fixed import RATE_DECIMALS, USD_DECIMALS, format_fixed, mul_div_half_even
from virtual_exchange.application.history import DayWindow
from virtual_exchange.application.info_request import UnknownRequest
from virtual_exchange.application.world import World, closed_bars, mid_price, symbol_of

_MAX_CANDLES = 5000
_FIRST_OWN_TABLE = 50
"""Margin tables below are those of one leverage, which is their id; others are a coin's own."""


class MarketReads:
    """The market of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._instruments = world.market.instruments
        self._days = [DayWindow(bars) for bars in world.market.history]

    def meta(self) -> dict[str, Any]:
        """The universe: coins in the order of their asset ids."""
        universe, tables = [], []
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
            tables.append([table_id, {"description": description, "marginTiers": tiers}])
        unique = {table[0]: table for table in tables}
        return {"universe": universe, "marginTables": list(unique.values()), "collateralToken": 0}

    def contexts(self) -> list[dict[str, Any]]:
        """State of each coin's market, aligned with the universe."""
        return [self._context(symbol) for symbol in range(len(self._instruments))]

    def _context(self, symbol: int) -> dict[str, Any]:
        world, instrument = self._world, self._instruments[symbol]
        engine, book = world.engine, world.engine.book(symbol)
        mark = instrument.format_price(engine.mark(symbol))
        day = self._days[symbol].at(world.now_ms)
        impact = [instrument.format_price(book.bid), instrument.format_price(book.ask)]
        return {
            "funding": self._funding(symbol),
            "openInterest": "0.0",
            "prevDayPx": _plain(day.first_price, mark),
            "dayNtlVlm": _plain(day.notional, "0.0"),
            "premium": None,
            "oraclePx": mark,
            "markPx": mark,
            "midPx": instrument.format_price(book.print) if book.print else None,
            "impactPxs": impact if book.print else None,
            "dayBaseVlm": _plain(day.volume, "0.0"),
        }

    def _funding(self, symbol: int) -> str:
        """The last settled rate by the hour."""
        last = self._world.engine.last_funding(symbol)
        if last is None:
            return "0.0"
        hourly = mul_div_half_even(10 * last.rate, HOUR_MS, last.interval_ms)
        return format_fixed(hourly, RATE_DECIMALS + 1)

    def mids(self) -> dict[str, str]:
        """Mid price of every coin that has a book, else its mark."""
        return {
            instrument.coin: instrument.format_price(mid_price(self._world, symbol))
            for symbol, instrument in enumerate(self._instruments)
        }

    def book(self, coin: str | None) -> Any:
        """The modelled book: one level a side, as deep as a fill may be."""
        if coin is None:
            raise UnknownRequest("missing field `coin`")
        symbol = symbol_of(self._world, coin)
        if symbol is None:
            return None
        instrument, book = self._instruments[symbol], self._world.engine.book(symbol)
        size = instrument.format_size(10 ** (instrument.sz_decimals + 3))
        levels = [
            [{"px": instrument.format_price(price), "sz": size, "n": 1}] if book.print else []
            for price in (book.bid, book.ask)
        ]
        return {"coin": instrument.coin, "time": self._world.now_ms, "levels": levels}

    def candles(self, req: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Closed candles; the one still open is not shown, its future is in the store already."""
        req = req or {}
        coin, interval = req.get("coin"), req.get("interval")
        now_ms = self._world.now_ms
        start, end = req.get("startTime", 0), req.get("endTime")
        end = now_ms if end is None else end
        if not isinstance(coin, str) or interval not in INTERVAL_MS:
            raise UnknownRequest("missing or wrong field `req`")
        if not isinstance(start, int) or not isinstance(end, int):
            raise UnknownRequest("missing or wrong field `startTime`")
        symbol = symbol_of(self._world, coin)
        if symbol is None:
            return []
        step, end = INTERVAL_MS[interval], min(end, now_ms)  # the client's clock may be ahead
        first = min(now_ms, max(0, start // step * step, end - _MAX_CANDLES * step))
        bars = closed_bars(self._world, symbol, interval, from_ms=first, end_ms=end + 1)
        return [
            {
                "t": int(t),
                "T": int(t) + step - 1,
                "s": self._instruments[symbol].coin,
                "i": interval,
                "o": _plain(float(bars.open[row]), "0.0"),
                "c": _plain(float(bars.close[row]), "0.0"),
                "h": _plain(float(bars.high[row]), "0.0"),
                "l": _plain(float(bars.low[row]), "0.0"),
                "v": _plain(float(bars.volume[row]), "0.0"),
                "n": 0,
            }
            for row, t in enumerate(bars.open_time_ms)
        ]


def _plain(value: float | None, otherwise: str) -> str:
    """Write a published number without an exponent, always with a fraction."""
    if value is None:
        return otherwise
    text = f"{value:.10f}".rstrip("0")
    return f"{text}0" if text.endswith(".") else text
