"""Intents of the live venue, and what became of them."""

import hashlib
from typing import Any

from hyperliquid_exchange.domain.intents import Intent, Outcome, Settled


def intent(
    number: int, *, trader: str = "anna", adds_risk: bool = True, payload: bytes = b""
) -> Intent:
    key = f"key-{number}"
    return Intent(
        trader_id=trader,
        key=key,
        fingerprint=hashlib.sha256(key.encode()).hexdigest(),
        kind="order",
        coins=("BTC",),
        adds_risk=adds_risk,
        signer="0x" + "ab" * 20,
        nonce=1_700_000_000_000 + number,
        expires_ms=1_700_000_015_000 + number,
        payload=payload or f'{{"nonce":{number}}}'.encode() * 8,
    )


def settled(number: int, *, trader: str = "anna", outcome: Outcome = "answered") -> Settled:
    own = intent(number, trader=trader)
    reply: dict[str, Any] = {"status": "ok", "response": {"type": "default"}}
    return Settled(
        trader_id=trader,
        key=own.key,
        fingerprint=own.fingerprint,
        outcome=outcome,
        reply=reply if outcome == "answered" else None,
    )
