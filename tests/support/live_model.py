"""A venue as its documentation tells it, as far as delivery is concerned, in memory.

Nonces of a signer are a set of the hundred highest; an action that has expired uses its nonce; a
noop uses one up. What becomes of an order is decided by its client id, so two venues agree on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from suite.contracts import hyperliquid_exchange as wire

NONCES_KEPT = 100
DONE = {"status": "ok", "response": {"type": "default"}}
_envelope = msgspec.json.Decoder(wire.Envelope)


def signed(action: wire.L1Action, nonce: int, expires_ms: int | None, signer: str) -> bytes:
    """Write a request whose signature is the name of its signer."""
    return msgspec.json.encode(
        {
            "action": action,
            "nonce": nonce,
            "signature": {"r": signer, "s": "0x1", "v": 27},
            "vaultAddress": None,
            "expiresAfter": expires_ms,
        }
    )


@dataclass
class ModelVenue:
    """Orders by client id, and what became of every nonce.

    Attributes:
        orders: rows as `orderStatus` tells them, by cloid: the newest of each.
        history: all of them, the newest first.
        executed: how often each order came to the book.
        done: the answer to the one action, not noop, that used a nonce and had not expired.
        arrived: every payload that came, in order.
        leverage, mids: by coin.
    """

    coins: tuple[str, ...] = ("BTC", "ETH")
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    executed: dict[str, int] = field(default_factory=dict)
    done: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    arrived: list[bytes] = field(default_factory=list)
    fills: list[dict[str, Any]] = field(default_factory=list)
    leverage: dict[str, int] = field(default_factory=dict)
    mids: dict[str, str] = field(default_factory=dict)
    _nonces: dict[str, set[int]] = field(default_factory=dict)
    _oid: int = 0

    def arrive(self, payload: bytes, now_ms: int) -> dict[str, Any]:
        """Take a request in."""
        self.arrived.append(payload)
        envelope = _envelope.decode(payload)
        nonces = self._nonces.setdefault(envelope.signature.r, set())
        kept = sorted(nonces)[-NONCES_KEPT:]
        if envelope.nonce in nonces:
            return _err(f"Invalid nonce: duplicate nonce {envelope.nonce}")
        if len(kept) == NONCES_KEPT and envelope.nonce < kept[0]:
            return _err(f"Invalid nonce: nonce too low {envelope.nonce} < {kept[0]}")
        nonces.add(envelope.nonce)
        if envelope.expiresAfter is not None and envelope.expiresAfter < now_ms:
            return _err("Action already expired")
        action = wire.decode_action(envelope.action)
        if isinstance(action, wire.Noop):
            return DONE
        reply = self._act(action)
        self.done[envelope.nonce] = reply
        return reply

    def info(self, body: bytes) -> tuple[int, bytes]:
        """Answer a read."""
        asked = msgspec.json.decode(body)
        match asked["type"]:
            case "orderStatus":
                row = self._row(asked["oid"])
                told: Any = {"status": "unknownOid"}
                if row is not None:
                    told = {"status": "order", "order": row}
            case "historicalOrders":
                told = self.history
            case "userFills":
                told = self.fills
            case "allMids":
                told = self.mids
            case "activeAssetData":
                value = self.leverage.get(asked["coin"], 20)
                told = {"leverage": {"type": "cross", "value": value}}
            case _:
                return 422, b"unknown"
        return 200, msgspec.json.encode(told)

    def _row(self, name: int | str) -> dict[str, Any] | None:
        if isinstance(name, str):
            return self.orders.get(name.lower())
        rows = (row for row in self.orders.values() if row["order"]["oid"] == name)
        return next(rows, None)

    def _act(self, action: wire.L1Action) -> dict[str, Any]:
        match action:
            case wire.Order():
                return _statuses("order", [self._place(item) for item in action.orders])
            case wire.BatchModify():
                return _statuses("order", [self._place(one.order) for one in action.modifies])
            case wire.Cancel():
                return _statuses("cancel", [self._cancel(one.o, one.a) for one in action.cancels])
            case wire.CancelByCloid():
                found = [self._cancel(one.cloid, one.asset) for one in action.cancels]
                return _statuses("cancel", found)
            case wire.UpdateLeverage():
                self.leverage[self.coins[action.asset]] = action.leverage
        return DONE

    def _place(self, item: wire.OrderItem) -> Any:
        cloid = str(item.c)
        kind = int(cloid[-1], 16) % 5
        self.executed[cloid] = self.executed.get(cloid, 0) + 1
        if kind == 4:
            return {"error": "Order has invalid price."}
        self._oid += 1
        state, left = "open", item.s
        if kind == 3:
            state = "perpMarginRejected"
        if kind in {0, 1}:
            state, left = "filled", "0.0"
            fill = {"oid": self._oid, "px": item.p, "sz": item.s}
            self.fills.insert(0, fill)
        self.orders[cloid] = {
            "order": {
                "coin": self.coins[item.a],
                "side": "B" if item.b else "A",
                "limitPx": item.p,
                "sz": left,
                "oid": self._oid,
                "origSz": item.s,
                "cloid": cloid,
                "triggerPx": "0.0",
            },
            "status": state,
        }
        self.history.insert(0, self.orders[cloid])
        if state == "perpMarginRejected":
            return {"error": f"Insufficient margin to place order. asset={item.a}"}
        ids = {"oid": self._oid, "cloid": cloid}
        if state == "filled":
            return {"filled": {"totalSz": item.s, "avgPx": item.p, **ids}}
        return {"resting": ids}

    def _cancel(self, name: int | str, asset: int) -> Any:
        row = self._row(name)
        if row is None or row["status"] != "open":
            text = "Order was never placed, already canceled, or filled."
            return {"error": f"{text} asset={asset}"}
        row["status"] = "canceled"
        return "success"


def _err(text: str) -> dict[str, Any]:
    return {"status": "err", "response": text}


def _statuses(kind: str, found: list[Any]) -> dict[str, Any]:
    return {"status": "ok", "response": {"type": kind, "data": {"statuses": found}}}
