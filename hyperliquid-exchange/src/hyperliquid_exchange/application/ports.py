"""What the live venue needs from outside."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from hyperliquid_exchange.domain.facts import AccountFacts
from hyperliquid_exchange.domain.intents import Intent, Settled
from hyperliquid_exchange.domain.safety import Cause, Level
from hyperliquid_exchange.domain.verdicts import Verdict
from suite.contracts.hyperliquid_exchange import L1Action
from suite.ids import TraderId
from suite.instrument import Instrument


class Upstream(Protocol):
    """The venue behind this one, over HTTP. Nothing is repeated and nothing remembered here."""

    async def exchange(self, payload: bytes) -> Mapping[str, Any]:
        """`POST /exchange`.

        Args:
            payload: a whole signed request.

        Returns:
            The venue's own answer, which has a `status`.

        Raises:
            UpstreamTimeout: there is none that can be believed: what became of the action is
                unknown. A timeout, a reset, any status but 200, a body of another shape.
        """
        ...

    async def info(self, body: bytes) -> tuple[int, bytes]:
        """`POST /info`; status and body as they came.

        Raises:
            UpstreamUnavailable, UpstreamTimeout: nobody answers.
        """
        ...


class Signer(Protocol):
    """Holds the agent keys; the only place that signs.

    No method returns a key, and only the actions of the allow-list are signed.
    """

    def sign(
        self,
        trader_id: TraderId,
        action: L1Action,
        *,
        nonce: int,
        expires_ms: int | None,
    ) -> bytes:
        """Sign an action for a trader's account, and write the whole request.

        Raises:
            Forbidden: the action is none that is signed here.
            NotOwner: this process does not own the signer (any more).
        """
        ...


class Ownership(Protocol):
    """One signer, one process."""

    def check(self, signer: str) -> None:
        """Make sure, right before a signature and right before a send.

        Raises:
            NotOwner: another process has the signer, or nobody can say.
        """
        ...


class Nonces(Protocol):
    """Numbers of signed actions, a sequence a signer; none twice, whatever the clock does."""

    def next(self, signer: str) -> int:
        """Take the next one: `max(now, last + 1)`, below a durable high-water mark.

        Raises:
            StorageError: the mark cannot be moved.
        """
        ...


class IntentLog(Protocol):
    """Keys and what became of them, durable."""

    async def begin(self, intent: Intent) -> None:
        """Write an intent down; on return it survives a power cut. Several at once share a sync.

        Raises:
            StorageError: it could not be written, and must not leave.
        """
        ...

    async def count_noop(self, intent: Intent) -> int:
        """Note that a noop with the nonce of an open intent is about to leave.

        On return it survives a power cut; several at once share a sync.

        Returns:
            How many were noted before, in whatever life of this process: what became of those may
            be unknown, and then a nonce that is used proves nothing any more.

        Raises:
            StorageError: it could not be written, and must not leave.
        """
        ...

    async def settle(self, settled: Settled, *, durable: bool = False) -> None:
        """Note what became of a key; of one without an intent too (a refusal, a noop).

        Args:
            settled: what became of it.
            durable: return only once it survives a power cut: a key that a noop ended.
        """
        ...

    def find(self, trader_id: str, key: str) -> Intent | Settled | None:
        """Tell what is known of a key: open, settled, or never seen."""
        ...

    def has_room(self, trader_id: str) -> bool:
        """Whether a key that needs no intent can still be kept: a flood of refusals cannot."""
        ...

    def holds(self, intent: Intent) -> bool:
        """Whether this very intent was written down and is open: what leaves was decided."""
        ...

    def open_intents(self) -> Sequence[Intent]:
        """Tell those whose fate is not known, oldest first."""
        ...


class FactsSource(Protocol):
    """What is known of accounts and the market, from the venue's own pushes."""

    def facts(self, trader_id: TraderId) -> AccountFacts | None:
        """Tell the newest; None while nothing is known yet. A local lookup."""
        ...

    def universe(self) -> Sequence[Instrument]:
        """Tell what is listed: an asset id is an index into it; empty while nothing is known."""
        ...


class Gate(Protocol):
    """Hard limits, as the last thing before a signature. Local lookups only."""

    def judge(self, trader_id: TraderId, action: L1Action) -> Verdict:
        """Say whether an action may leave; one that may counts from now on.

        What may leave is held against the limits together with what left before it and shows
        nowhere yet.
        """
        ...

    def settled(self, trader_id: TraderId, verdict: Verdict) -> None:
        """Take note that the fate of an action that was let through is known."""
        ...

    def restore(self, trader_id: TraderId, action: L1Action) -> Verdict:
        """Count an action whose fate an earlier process did not learn, without judging it."""
        ...


class Safety(Protocol):
    """The kill ladder."""

    def level(self, trader_id: TraderId) -> Level:
        """Tell what is forbidden to a trader now; what cannot be read counts as PAUSED."""
        ...

    def engage(self, cause: Cause) -> None:
        """Forbid, from this moment on; durable before this returns, as far as the disk allows."""
        ...

    def release(self, scope: TraderId | str, by: str) -> None:
        """Let a component take back its own PAUSED; nothing where it has set none.

        Raises:
            Conflict: it has set more than that.
            StorageError: it could not be written down.
        """
        ...

    @property
    def causes(self) -> Sequence[Cause]:
        """Everything that is set."""
        ...


OnChange = Callable[[TraderId], None]
"""Told of a trader whose account has changed."""
