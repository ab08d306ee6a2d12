"""An example of every answer, for the API description."""

from typing import Any, Final

_NOW_MS: Final = 1746403200000
_COLLECTED: Final = {
    "coin": "BTC",
    "interval": "1m",
    "source": "hyperliquid/perp",
    "state": "live",
    "reason": "",
    "last_bar_ms": _NOW_MS - 60000,
    "lag_ms": 850,
    "gaps": 0,
    "clock_offset_ms": -12,
}

EXAMPLES: Final[dict[tuple[str, str], Any]] = {
    ("GET", "/coverage"): [
        {
            "coin": "BTC",
            "interval": "1m",
            "venue": "binance-usdm",
            "market": "perp",
            "preferred": True,
            "first_open_ms": _NOW_MS - 86400000,
            "end_ms": _NOW_MS,
            "bars": 1438,
            "missing_bars": 2,
            "gaps": [[_NOW_MS - 7200000, _NOW_MS - 7080000]],
            "source": "BTCUSDT-1m-2025-05.zip",
            "synthetic": False,
        }
    ],
    ("GET", "/coverage/{symbol}"): [
        {
            "interval": "1m",
            "venue": "binance-usdm",
            "market": "perp",
            "days": {"2025-05-03": 1.0, "2025-05-04": 0.998611},
        }
    ],
    ("GET", "/symbols"): [
        {
            "coin": "BTC",
            "intervals": ["1m"],
            "venue": "binance-usdm",
            "market": "perp",
            "synthetic": False,
            "source_symbol": "BTCUSDT",
            "price_decimals": 1,
            "sz_decimals": 5,
            "max_leverage": 40,
        }
    ],
    ("GET", "/klines/{symbol}"): [
        {
            "open_time_ms": _NOW_MS,
            "open": 94000.5,
            "high": 94020.0,
            "low": 93990.0,
            "close": 94010.5,
            "volume": 12.345,
            "complete": True,
        }
    ],
    ("GET", "/funding/{symbol}"): [{"time_ms": _NOW_MS, "rate": 0.0001}],
    ("GET", "/open-interest/{symbol}"): [{"time_ms": _NOW_MS, "open_interest": 31250.75}],
    ("GET", "/gpt-latest/{symbol}"): {
        "symbol": "BTC",
        "as_of_ms": _NOW_MS,
        "common_info": {
            "ticker": {
                "last_price": 94000.5,
                "best_ask_price": None,
                "best_bid_price": None,
                "volume_24h": 18000.5,
                "high_24h": 95000.0,
                "low_24h": 93000.0,
            },
            "order_book": None,
            "recent_trades": None,
        },
        "funding": {"rate_hourly": 0.0000125, "settled_at_ms": _NOW_MS},
        "open_interest": 31250.75,
        "intervals_data": {"15": {"close": 94010.5, "ema_20": 93950.25, "bars": []}},
    },
    ("GET", "/collection"): [_COLLECTED],
    ("POST", "/collection/{symbol}"): [_COLLECTED],
    ("DELETE", "/collection/{symbol}"): [],
    ("GET", "/start-collection/{symbol}"): {
        "message": "collecting BTC",
        "intervals": [15, 60, 240, 1440],
        "task_id": "BTC-15m-1h-4h-1d",
    },
    ("GET", "/task-result/{task_id}"): {"state": "SUCCESS", "result": [_COLLECTED]},
}
