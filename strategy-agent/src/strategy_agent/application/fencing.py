"""Until when a trader that was claimed surely is ours.

The lease ends by the clock of who gave it; counted from before it was asked for, it ends here no
later than there. What has not left by then stays: a process that slept over the end of its lease
finds the fence closed when it wakes, however far it had come.
"""

from collections.abc import Callable
from typing import Final

from strategy_agent.application.ports import Steps
from suite.clock import Clock
from suite.contracts.clock import JoinRequest, WaitReply, WaitRequest
from suite.errors import UpstreamUnavailable

TROUBLE: Final = "lease"
"""Why no new risk is taken while the lease may run out."""
_SAFE: Final = 2 / 3
"""Part of a lease after which one that is not renewed may run out."""


class LeaseOver(UpstreamUnavailable):
    """Somebody else may trade for the trader by now; nothing was sent."""


class Fence:
    """The lease of one trader, as far as it surely lasts.

    Args:
        now_s: a clock that goes on while the process, or the machine, stands still.
        wall: the machine's clock.
    """

    def __init__(self, *, now_s: Callable[[], float], wall: Clock) -> None:
        self._now_s = now_s
        self._wall = wall
        self._safe_s = self._end_s = float("-inf")
        self._end_ms = 0

    def renewed(self, *, asked_s: float, ttl_s: float) -> None:
        """Note that it lasts on.

        Args:
            asked_s: when that was asked for, by `now_s`.
            ttl_s: how long it lasts from then on.
        """
        self._safe_s, self._end_s = asked_s + _SAFE * ttl_s, asked_s + ttl_s
        self._end_ms = self._wall.now_ms() + int(1000 * (self._end_s - self._now_s()))

    @property
    def is_safe(self) -> bool:
        """Whether there is time to end in order."""
        return self._now_s() < self._safe_s

    @property
    def is_over(self) -> bool:
        """Whether nothing may leave any more."""
        return self._now_s() >= self._end_s

    @property
    def end_ms(self) -> int:
        """When it ends, wall time, epoch ms."""
        return self._end_ms

    def check(self) -> None:
        """Let something leave.

        Raises:
            LeaseOver: it may not.
        """
        if self.is_over:
            raise LeaseOver("the lease on the trader has not been renewed: another may have it")


class FencedSteps:
    """Steps of a trader that takes no new risk while its lease may run out; a `Steps`.

    Args:
        inner: its steps.
        fence: of its lease.
    """

    def __init__(self, inner: Steps, fence: Fence) -> None:
        self._inner = inner
        self._fence = fence

    async def join(self, request: JoinRequest) -> WaitReply:
        """Take part from now on."""
        return await self._inner.join(request)

    async def wait(self, request: WaitRequest) -> WaitReply:
        """Carry out orders and sleep until woken.

        Raises:
            LeaseOver: the orders may be somebody else's business by now.
        """
        if request.orders:
            self._fence.check()
        return await self._inner.wait(request)

    async def heartbeat(self) -> None:
        """Say that a decision is still being made."""
        await self._inner.heartbeat()

    def wake(self) -> None:
        """End the present `wait` at once."""
        self._inner.wake()

    @property
    def trouble(self) -> tuple[str, ...]:
        """Why no new risk may be taken at present."""
        return self._inner.trouble if self._fence.is_safe else (*self._inner.trouble, TROUBLE)

    @property
    def account_age_ms(self) -> int:
        """Since the account's stream was last alive."""
        return self._inner.account_age_ms

    @property
    def market_age_ms(self) -> int:
        """Since prices last came."""
        return self._inner.market_age_ms
