"""The watchdog: another process, with keys of its own, that ends what does not get on any more.

When the peer has shown no progress for the limit, it places the file that kills, before anything
else; then it cancels at the venue what may add risk, with its own keys, until the venue has none;
and it tells people. It never places an order.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import structlog

from hyperliquid_exchange.application.ports import Nonces, Signer, Upstream
from hyperliquid_exchange.application.pulse import BeatStore
from hyperliquid_exchange.domain.accounts import LiveAccount
from hyperliquid_exchange.domain.actions import is_allowed
from hyperliquid_exchange.domain.progress import Beat, Progress, ProgressRules
from hyperliquid_exchange.domain.safety import EVERYBODY, Cause, Level
from suite.clock import Clock
from suite.contracts.hyperliquid_exchange import Cancel, CancelByCloid, L1Action
from suite.errors import Forbidden, StorageError, SuiteError
from suite.ids import TraderId
from suite.notices import Notices

EXPIRES_MS: Final = 15_000
AGAIN_S: Final = 30.0
"""Between two looks at the venue while the peer is gone: what it had sent may arrive late."""
BY: Final = "watchdog"

_log = structlog.get_logger(__name__)


class Peer(Protocol):
    """The process that is watched."""

    async def beat(self) -> Beat | None:
        """Ask for its beat; None where it does not answer in time.

        Raises:
            Forbidden: it answers, and does not let itself be asked.
        """
        ...


class Fired:
    """What the watchdog itself forbids: everything, from when it fires until it is armed again.

    Attributes:
        on_engage: told when it fires.
        is_set: it has fired.
    """

    def __init__(self) -> None:
        self.on_engage: list[Callable[[Cause], None]] = []
        self.is_set = False

    def level(self, trader_id: TraderId) -> Level:
        """KILLED for everybody while it is set."""
        del trader_id
        return Level.KILLED if self.is_set else Level.LIVE

    @property
    def causes(self) -> Sequence[Cause]:
        """None that was set before."""
        return ()

    def look(self) -> None:
        """Nobody else sets it."""

    def fire(self, cause: Cause) -> None:
        """Set it."""
        self.is_set = True
        for told in self.on_engage:
            told(cause)


class CancelPath:
    """Signs cancels with the watchdog's own keys, and nothing else; a `RiskPath`.

    Args:
        accounts: by trader id; their signers are the watchdog's.
        signer, nonces: of those.
        upstream: the venue.
        clock: wall time.
    """

    def __init__(
        self,
        *,
        accounts: Mapping[TraderId, LiveAccount],
        signer: Signer,
        nonces: Nonces,
        upstream: Upstream,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._signer = signer
        self._nonces = nonces
        self._upstream = upstream
        self._clock = clock

    async def send(self, trader_id: TraderId, action: L1Action) -> Mapping[str, Any]:
        """Sign and send a cancel.

        Raises:
            Forbidden: it is none.
            UpstreamTimeout: what became of it is unknown.
            SuiteError: it did not leave.
        """
        if not is_allowed(action) or not isinstance(action, Cancel | CancelByCloid):
            raise Forbidden("the watchdog cancels, and does nothing else")
        account = self._accounts[trader_id]
        payload = self._signer.sign(
            trader_id,
            action,
            nonce=self._nonces.next(account.signer),
            expires_ms=self._clock.now_ms() + EXPIRES_MS,
        )
        return await self._upstream.exchange(payload)


class Watchdog:
    """Watches one peer.

    Args:
        peer: asked over its port; None where its file has to do.
        files: its file and that of this process: read from the one, written to the other.
        fired: see there.
        place: places the file that kills, for a reason.
        alerts: told of everything.
        clock: wall time.
        rules: what counts as progress.
        now_s: seconds of a clock that never goes back.

    Attributes:
        progress: of the peer.
        beat: the last one of this process.
    """

    def __init__(
        self,
        *,
        peer: Peer | None,
        files: tuple[BeatStore, BeatStore],
        fired: Fired,
        place: Callable[[str], None],
        alerts: Notices,
        clock: Clock,
        rules: ProgressRules,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.progress = Progress(rules, now_s())
        self.beat = Beat(number=0, at_ms=clock.now_ms())
        self._peer = peer
        self._theirs, self._mine = files
        self._fired = fired
        self._place = place
        self._alerts = alerts
        self._clock = clock
        self._now_s = now_s
        self._is_placed = False
        self._fired_s = now_s()
        # a file that it has left says that there is something to watch over
        self.progress.was_seen = self._theirs.read() is not None
        self._was_missed = False

    async def run(
        self, *, every_s: float = 1.0, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """Watch until canceled."""
        while True:
            await self.look()
            await pause(every_s)

    async def look(self) -> None:
        """Look once, and do what has to be done."""
        self._tell_beat()
        beat, trouble = await self._ask()
        progress, now_s = self.progress, self._now_s()
        progress.look(beat, now_s, trouble)
        if not progress.is_over(now_s):
            if not progress.trouble:
                self._is_back()
            return
        if progress.was_seen:
            self._fire()
        elif not self._was_missed:
            self._was_missed = True
            self._alerts.tell("peer_never_seen", f"nothing to watch over yet: {progress.trouble}")

    # how

    async def _ask(self) -> tuple[Beat | None, str]:
        if self._peer is None:
            return self._theirs.read(), ""
        try:
            return await self._peer.beat(), ""
        except Forbidden as error:
            self._alerts.tell("peer_refuses", f"its file is looked at instead: {error}")
            return self._theirs.read(), ""

    def _tell_beat(self) -> None:
        self.beat = Beat(
            number=self.beat.number + 1, at_ms=self._clock.now_ms(), signers=self.beat.signers
        )
        try:
            self._mine.write(self.beat)
        except StorageError as fault:
            _log.warning("beat_not_written", reason=str(fault))

    def _fire(self) -> None:
        silent_s = self.progress.silent_s(self._now_s())
        reason = f"no progress for {silent_s:.0f} s: {self.progress.trouble}"
        if not self._is_placed:
            try:
                self._place(f"{BY}: {reason}")
                self._is_placed = True
            except SuiteError as fault:  # tried again at the next look
                self._alerts.tell("kill_not_placed", str(fault), is_critical=True)
        if self._fired.is_set and self._now_s() - self._fired_s < AGAIN_S:
            return
        if not self._fired.is_set:
            self._alerts.tell("killed", reason, is_critical=True)
        self._fired_s = self._now_s()
        self._fired.fire(
            Cause(
                scope=EVERYBODY,
                level=Level.KILLED,
                by=BY,
                reason=reason,
                since_ms=self._clock.now_ms(),
            )
        )

    def _is_back(self) -> None:
        """Arm again: the peer gets on, and it has seen the file that kills."""
        if self._fired.is_set:
            self._fired.is_set = self._is_placed = False
            self._alerts.tell("peer_back", "it gets on again; what was killed stays so")
        self._was_missed = False
