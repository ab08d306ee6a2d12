"""Where bytes leave: only those of an intent that was written down, and each of them once.

Orders out are orders decided: whatever else is about to leave kills everything first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hyperliquid_exchange.application.flights import Name
from hyperliquid_exchange.application.ports import (
    FactsSource,
    Gate,
    IntentLog,
    Nonces,
    Ownership,
    Safety,
    Signer,
    Upstream,
)
from hyperliquid_exchange.application.requests import Counts, Request
from hyperliquid_exchange.domain.accounts import LiveAccount
from hyperliquid_exchange.domain.actions import Allowed, name_of
from hyperliquid_exchange.domain.intents import Intent
from hyperliquid_exchange.domain.safety import EVERYBODY, Cause, Level
from hyperliquid_exchange.domain.verdicts import Verdict
from suite.clock import Clock
from suite.contracts import hyperliquid_exchange as wire
from suite.errors import Forbidden, UpstreamTimeout

EXPIRES_MS: Final = 15_000
"""How long the venue may take an action whose caller says nothing about it."""
BY: Final = "last_hop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What stands between a decision and the venue; see `ports.py`."""

    upstream: Upstream
    signer: Signer
    ownership: Ownership
    nonces: Nonces
    log: IntentLog
    gate: Gate
    safety: Safety
    facts: FactsSource


class Leaving:
    """Signs intents, and lets their bytes out.

    Args:
        parts: what stands between a decision and the venue.
        clock: wall time.

    Attributes:
        counts: what went out.
    """

    def __init__(self, parts: Parts, clock: Clock) -> None:
        self.counts = Counts()
        self._parts = parts
        self._clock = clock
        self._left: set[Name] = set()

    def prepare(
        self, account: LiveAccount, request: Request, action: Allowed, verdict: Verdict
    ) -> Intent:
        """Make the intent of a request, with the bytes that are to leave.

        Raises:
            NotOwner, StorageError: nothing may be signed.
        """
        parts, signed = self._parts, request.signed
        if signed is not None:
            signer, nonce, payload = signed.signer, signed.nonce, signed.payload
            expires_ms = request.expires_ms
        else:
            expires_ms = request.expires_ms
            if expires_ms is None and not isinstance(action, wire.Noop):
                expires_ms = self._clock.now_ms() + EXPIRES_MS
            signer = account.signer
            nonce = parts.nonces.next(signer)
            payload = parts.signer.sign(
                account.trader_id, action, nonce=nonce, expires_ms=expires_ms
            )
        return Intent(
            trader_id=account.trader_id,
            key=request.key,
            fingerprint=request.fingerprint,
            kind=name_of(action),
            coins=verdict.coins,
            adds_risk=verdict.adds_risk,
            signer=signer,
            nonce=nonce,
            expires_ms=expires_ms,
            payload=payload,
        )

    async def first(self, account: LiveAccount, intent: Intent) -> Mapping[str, Any]:
        """Let an intent leave; the venue's answer.

        Raises:
            Forbidden: it was not decided, or has left before: everything is killed.
            NotOwner: another process has the signer; nothing has left.
            UpstreamTimeout: nobody can say what became of it.
        """
        name = intent.trader_id, intent.key
        if name in self._left:
            raise self._mismatch(intent, "it has left before")
        self._left.add(name)
        self.counts.left += 1
        if self.counts.left > self.counts.decided:
            raise self._mismatch(intent, "more has left than was decided")
        return await self._post(account, intent, intent.payload)

    def over(self, name: Name) -> None:
        """Forget that an intent has left: it is none any more."""
        self._left.discard(name)

    async def again(self, account: LiveAccount, intent: Intent) -> Mapping[str, Any]:
        """Send the bytes of an open intent once more.

        Raises:
            Forbidden: a kill lets nothing out but what an operator asks for.
            UpstreamTimeout: nobody can say what became of them.
        """
        if self._parts.safety.level(account.trader_id) is Level.KILLED:
            raise Forbidden("safety: KILLED")
        self.counts.again += 1
        return await self._post(account, intent, intent.payload)

    async def end(self, account: LiveAccount, intent: Intent) -> tuple[int, Mapping[str, Any]]:
        """Send a noop with the nonce of an open intent; the count of those before, the answer."""
        parts = self._parts
        before = await parts.log.count_noop(intent)
        payload = parts.signer.sign(
            account.trader_id, wire.Noop(), nonce=intent.nonce, expires_ms=None
        )
        self.counts.noops += 1
        return before, await self._post(account, intent, payload)

    async def _post(
        self, account: LiveAccount, intent: Intent, payload: bytes
    ) -> Mapping[str, Any]:
        """Let bytes leave that belong to an open intent; nothing else ever does."""
        if intent.signer == account.signer:
            self._parts.ownership.check(intent.signer)
        if not self._parts.log.holds(intent):
            raise self._mismatch(intent, "it was not written down")
        try:
            return await self._parts.upstream.exchange(payload)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the bytes may have left
            raise UpstreamTimeout(f"{type(fault).__name__}: {fault}") from None

    def _mismatch(self, intent: Intent, why: str) -> Forbidden:
        """Stop everything: something was about to leave that nobody has decided."""
        reason = f"{intent.kind} of {intent.trader_id} was about to leave: {why}"
        now_ms = self._clock.now_ms()
        self._parts.safety.engage(
            Cause(scope=EVERYBODY, level=Level.KILLED, by=BY, reason=reason, since_ms=now_ms)
        )
        return Forbidden(f"safety: KILLED by {BY}: {reason}")
