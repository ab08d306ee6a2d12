"""An example of every route's bodies, for the API description."""

from typing import Final

from suite.service.raw_openapi import Example

_NOW_MS: Final = 1746403200000
_ADDRESS: Final = "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a"
_SUMMARY: Final = {
    "accountValue": "10000.0",
    "totalNtlPos": "0.0",
    "totalRawUsd": "10000.0",
    "totalMarginUsed": "0.0",
}
_STATE: Final = {
    "marginSummary": _SUMMARY,
    "crossMarginSummary": _SUMMARY,
    "crossMaintenanceMarginUsed": "0.0",
    "withdrawable": "10000.0",
    "assetPositions": [],
    "time": _NOW_MS,
}
_FILL: Final = {
    "coin": "BTC",
    "px": "94010.0",
    "sz": "0.01",
    "side": "B",
    "time": _NOW_MS,
    "startPosition": "0.0",
    "dir": "Open Long",
    "closedPnl": "0.0",
    "hash": "0x" + "5d" * 32,
    "oid": 16385,
    "crossed": True,
    "fee": "0.423045",
    "tid": 16385,
    "feeToken": "USDC",
    "twapId": None,
    "cloid": None,
}
_FILLED: Final = {
    "status": "ok",
    "response": {
        "type": "order",
        "data": {"statuses": [{"filled": {"totalSz": "0.01", "avgPx": "94010.0", "oid": 16385}}]},
    },
}
_RESTING: Final = {
    "status": "ok",
    "response": {"type": "order", "data": {"statuses": [{"resting": {"oid": 16386}}]}},
}
_DONE: Final = {"status": "ok", "response": {"type": "default"}}
_CLOCK: Final = {
    "mode": "lockstep",
    "now_ms": _NOW_MS,
    "speed": 0.0,
    "finished": False,
    "wakes": True,
    "world": "5f1d7a9c33e04b62",
    "waits_for": [],
}
_WAIT: Final = {
    "now_ms": _NOW_MS + 60000,
    "step_seq": 1,
    "woke_by": ["bar"],
    "ended": False,
    "results": [_FILLED],
    "fills": [_FILL],
    "account": {
        "equity": "10000.0",
        "cross_equity": "10000.0",
        "margin_used": "0.0",
        "positions": [],
        "open_orders": [],
        "net_deposits": "10000.0",
    },
    "mids": {"BTC": "94000.5"},
    "snapshots": None,
}
_KLINE: Final = {
    "open_time_ms": _NOW_MS,
    "open": 94000.5,
    "high": 94020.0,
    "low": 93990.0,
    "close": 94010.5,
    "volume": 12.345,
}
_WORLD: Final = {
    "world_id": "default",
    "base_url": "http://127.0.0.1:8100",
    "symbols": ["BTC", "ETH"],
    "accounts": ["alice"],
    "clock": "lockstep",
    "from_ms": _NOW_MS,
    "to_ms": _NOW_MS + 86400000,
    "now_ms": _NOW_MS,
    "finished": False,
    "speed": 0.0,
    "interval": "1m",
    "supervised": False,
    "participants": {"alice": "waiting", "bob": "deciding"},
    "degraded": [],
    "rules": {"taker_fee": "0.00045", "maker_fee": "0.00015", "bar_path": "pessimistic"},
    "seed": 0,
    "mask": None,
    "time_shift_weeks": None,
    "percent": 0.0,
    "late": {},
}
_JOB: Final = {
    "job_id": "5f3a",
    "status": "running",
    "percent": 41.5,
    "eta_s": 3.2,
    "error": None,
    "report_sha256": None,
}
_SIGNED: Final = {
    "action": {
        "type": "order",
        "orders": [
            {
                "a": 0,
                "b": True,
                "p": "90000",
                "s": "0.01",
                "r": False,
                "t": {"limit": {"tif": "Gtc"}},
            }
        ],
        "grouping": "na",
    },
    "nonce": 1763700000000,
    "signature": {"r": "0x" + "7e" * 32, "s": "0x" + "7f" * 32, "v": 27},
    "vaultAddress": None,
    "expiresAfter": None,
}

EXAMPLES: Final[dict[tuple[str, str], Example]] = {
    ("POST", "/clock/wait"): Example(
        request={
            "step_seq": 1,
            "wake_on": {"bar": "1m", "fill": True},
            "orders": [
                {"type": "order", "coin": "BTC", "is_buy": True, "sz": "0.01", "limit_px": "0"}
            ],
            "want": {"account": True, "fills": True, "mids": True},
        },
        response=_WAIT,
    ),
    ("GET", "/clock"): Example(response=_CLOCK),
    ("POST", "/clock/join"): Example(
        request={"want": {"mids": True}},
        response=_WAIT | {"step_seq": 0, "woke_by": [], "results": [], "fills": []},
    ),
    ("POST", "/clock/heartbeat"): Example(response=_CLOCK),
    ("POST", "/clock/wake"): Example(request={"step_seq": 1}, response=_CLOCK),
    ("POST", "/clock/leave"): Example(
        request={"guards": {"decisions": 96, "accepted": 12, "exits": {"stop_loss": 3}}},
        response=_CLOCK,
    ),
    ("POST", "/clock/give-up"): Example(request={"account": "alice"}, response=_CLOCK),
    ("POST", "/clock/advance"): Example(
        request={"until_ms": _NOW_MS + 3600000},
        response=_CLOCK | {"now_ms": _NOW_MS + 3600000},
    ),
    ("POST", "/exchange/order"): Example(
        request={
            "coin": "BTC",
            "is_buy": True,
            "sz": "0.01",
            "limit_px": "0",
            "stop_loss": {"price": "90000"},
            "take_profit": {"price": "99000"},
        },
        response={
            "status": "ok",
            "response": {
                "type": "order",
                "data": {
                    "statuses": [
                        {"filled": {"totalSz": "0.01", "avgPx": "94010.0", "oid": 16385}},
                        "waitingForTrigger",
                        "waitingForTrigger",
                    ]
                },
            },
        },
    ),
    ("POST", "/exchange/cancel"): Example(
        request={"coin": "BTC", "oid": 16386},
        response={
            "status": "ok",
            "response": {"type": "cancel", "data": {"statuses": ["success"]}},
        },
    ),
    ("POST", "/exchange/modify"): Example(
        request={"coin": "BTC", "oid": 16386, "is_buy": True, "sz": "0.02", "limit_px": "90000"},
        response=_RESTING,
    ),
    ("POST", "/exchange/leverage"): Example(
        request={"coin": "BTC", "leverage": 5, "is_cross": True}, response=_DONE
    ),
    ("POST", "/exchange/isolated-margin"): Example(
        request={"coin": "BTC", "margin": "25"}, response=_DONE
    ),
    ("POST", "/exchange/noop"): Example(response=_DONE),
    ("GET", "/exchange/orders"): Example(
        response=[
            {
                "oid": 16386,
                "cloid": None,
                "coin": "BTC",
                "kind": "limit",
                "side": "B",
                "sz": "0.02",
                "remaining": "0.02",
                "limit_px": "90000.0",
                "trigger_px": "0.0",
                "reduce_only": False,
                "status": "open",
                "placed_ms": _NOW_MS,
                "closed_ms": None,
                "held_usd": "45.0",
                "refunded_usd": "0.0",
                "parent_oid": None,
            }
        ]
    ),
    ("POST", "/exchange"): Example(request=_SIGNED, response=_RESTING),
    ("POST", "/info"): Example(
        request={"type": "clearinghouseState", "user": _ADDRESS}, response=_STATE
    ),
    ("GET", "/gpt-latest/{symbol}"): Example(
        response={
            "symbol": "BTC",
            "as_of_ms": _NOW_MS,
            "common_info": {
                "ticker": {
                    "last_price": 94000.5,
                    "best_ask_price": 94005.0,
                    "best_bid_price": 93996.0,
                    "volume_24h": 18000.5,
                    "high_24h": 95000.0,
                    "low_24h": 93000.0,
                },
                "order_book": None,
                "recent_trades": None,
            },
            "funding": {"rate_hourly": 0.0000125, "settled_at_ms": _NOW_MS},
            "open_interest": None,
            "intervals_data": {"15": {"close": 94010.5, "ema_20": 93950.25, "bars": []}},
        }
    ),
    ("GET", "/klines/{symbol}"): Example(response=[_KLINE]),
    ("POST", "/worlds"): Example(
        request={
            "symbols": ["BTC", "ETH"],
            "from": "2025-05-05",
            "to": "2025-06-04",
            "accounts": [{"id": "alice", "initial_balance": "10000"}],
        },
        response={
            "world_id": "a1b2c3d4e5f6",
            "base_url": "http://127.0.0.1:8100/w/a1b2c3d4e5f6",
            "tokens": {"alice": "act_..."},
        },
    ),
    ("GET", "/worlds"): Example(response=[_WORLD]),
    ("GET", "/worlds/{id}"): Example(response=_WORLD),
    ("POST", "/worlds/{id}/accounts"): Example(
        request={"accounts": [{"id": "bob", "initial_balance": "10000"}]},
        response={
            "world_id": "a1b2c3d4e5f6",
            "base_url": "http://127.0.0.1:8100/w/a1b2c3d4e5f6",
            "tokens": {"bob": "act_..."},
        },
    ),
    ("DELETE", "/worlds/{id}"): Example(response={"deleted": "a1b2c3d4e5f6"}),
    ("GET", "/worlds/{id}/report"): Example(
        response={"result": {}, "sha256": "5d" * 32, "manifest": {}, "charts": {}}
    ),
    ("POST", "/faucet"): Example(request={"address": _ADDRESS}, response={"address": _ADDRESS}),
    ("POST", "/transfers"): Example(
        request={
            "from": "alice",
            "to": "bob",
            "usd_micro": 250000000,
            "idempotency_key": "rebalance-7/1",
        },
        response={"from": "alice", "to": "bob", "usd_micro": 250000000, "time_ms": _NOW_MS},
    ),
    ("POST", "/backtest/run"): Example(
        request={
            "symbol": "BTC",
            "from": "2025-05-05",
            "to": "2025-05-08",
            "orders": [
                {
                    "type": "order",
                    "coin": "BTC",
                    "is_buy": True,
                    "sz": "0.1",
                    "limit_px": "94000",
                    "at": "2025-05-05T12:00",
                }
            ],
        },
        response=_JOB,
    ),
    ("GET", "/backtest/jobs/{id}"): Example(response=_JOB),
    ("GET", "/backtest/jobs/{id}/events"): Example(),
    ("GET", "/backtest/jobs/{id}/report"): Example(
        response={"result": {}, "sha256": "5d" * 32, "manifest": {}, "charts": {}}
    ),
    ("DELETE", "/backtest/jobs/{id}"): Example(response=_JOB | {"status": "canceled"}),
}
