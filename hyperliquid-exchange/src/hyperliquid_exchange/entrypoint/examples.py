"""An example of every route's bodies, for the API description."""

from typing import Any, Final

from suite.service.raw_openapi import Example

_NOW_MS: Final = 1793433600000
_ADDRESS: Final = "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a"
_CLOID: Final = "0x77532884f68c6cc289a865e859ad98ea"
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
_DONE: Final = {"status": "ok", "response": {"type": "default"}}
_CLOCK: Final = {
    "mode": "wall",
    "now_ms": _NOW_MS,
    "speed": 1.0,
    "finished": False,
    "wakes": False,
    "world": "",
    "account": "anna",
    "address": _ADDRESS,
    "waits_for": [],
}


def _statuses(kind: str, *statuses: Any) -> dict[str, Any]:
    return {"status": "ok", "response": {"type": kind, "data": {"statuses": list(statuses)}}}


_RESTING: Final = _statuses("order", {"resting": {"oid": 16386, "cloid": _CLOID}})
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
                "c": _CLOID,
            }
        ],
        "grouping": "na",
    },
    "nonce": _NOW_MS,
    "signature": {"r": "0x" + "7e" * 32, "s": "0x" + "7f" * 32, "v": 27},
    "vaultAddress": None,
    "expiresAfter": _NOW_MS + 15_000,
}

EXAMPLES: Final[dict[tuple[str, str], Example]] = {
    ("POST", "/exchange/order"): Example(
        request={
            "type": "order",
            "coin": "BTC",
            "is_buy": True,
            "sz": "0.01",
            "stop_loss": {"price": "90000"},
        },
        response=_statuses(
            "order",
            {"filled": {"totalSz": "0.01", "avgPx": "94010.0", "oid": 16385, "cloid": _CLOID}},
            "waitingForTrigger",
        ),
    ),
    ("POST", "/exchange/cancel"): Example(
        request={"type": "cancel", "coin": "BTC", "oid": 16386},
        response=_statuses("cancel", "success"),
    ),
    ("POST", "/exchange/modify"): Example(
        request={
            "type": "modify",
            "coin": "BTC",
            "oid": 16386,
            "is_buy": True,
            "sz": "0.02",
            "limit_px": "90000",
        },
        response=_RESTING,
    ),
    ("POST", "/exchange/leverage"): Example(
        request={"type": "leverage", "coin": "BTC", "leverage": 5, "is_cross": True}, response=_DONE
    ),
    ("POST", "/exchange/isolated-margin"): Example(
        request={"type": "isolated-margin", "coin": "BTC", "margin": "25"}, response=_DONE
    ),
    ("POST", "/exchange/noop"): Example(response=_DONE),
    ("POST", "/exchange"): Example(request=_SIGNED, response=_RESTING),
    ("POST", "/info"): Example(request={"type": "clearinghouseState"}, response=_STATE),
    ("GET", "/clock"): Example(response=_CLOCK),
    ("POST", "/clock/join"): Example(
        request={"want": {"mids": True}},
        response={"now_ms": _NOW_MS, "step_seq": 0, "mids": {"BTC": "94005.0", "ETH": "1810.2"}},
    ),
    ("POST", "/clock/wait"): Example(),
    ("POST", "/clock/heartbeat"): Example(response=_CLOCK),
    ("POST", "/clock/wake"): Example(response=_CLOCK),
    ("POST", "/clock/leave"): Example(response=_CLOCK),
}
