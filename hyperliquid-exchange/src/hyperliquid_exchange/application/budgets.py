"""The request limits of the venue, known from its own word and from what leaves here."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import structlog

from hyperliquid_exchange.application.ports import Upstream
from hyperliquid_exchange.domain.budgets import (
    AddressBudget,
    WeightBudget,
    action_weight,
)
from suite.errors import SuiteError
from suite.info_weights import weight

ASK_S: Final = 60.0
"""Between two questions for what an account may still send."""
_KIND: Final = "userRateLimit"
_OK: Final = 200


class _RateLimit(msgspec.Struct):
    nRequestsUsed: int  # noqa: N815 - the wire's own names
    nRequestsCap: int  # noqa: N815


_rate_limit: Final = msgspec.json.Decoder(_RateLimit)
_log = structlog.get_logger(__name__)


class Budgets:
    """What all traders of this process may still send.

    Args:
        now_s: seconds of a clock that never goes back.

    Attributes:
        weight: of the IP address.
    """

    def __init__(self, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self.weight = WeightBudget()
        self._addresses: dict[str, AddressBudget] = defaultdict(AddressBudget)
        self._now_s = now_s

    def address(self, address: str) -> AddressBudget:
        """Requests of one account."""
        return self._addresses[address]

    def told(self, address: str, *, used: int, cap: int) -> None:
        """Take what `userRateLimit` says of an account: `nRequestsUsed`, `nRequestsCap`."""
        self._addresses[address].told(used=used, cap=cap)

    def traded(self, address: str, usd: int) -> None:
        """Take note of a fill, whole USDC: an account may send one more for each."""
        self._addresses[address].cap += usd

    def action_refusal(self, address: str, items: int) -> str:
        """Tell why an action that may add risk does not fit; empty where it does."""
        return self._addresses[address].refusal(items) or self.weight.refusal(
            action_weight(items), self._now_s()
        )

    def action_left(self, address: str, items: int) -> None:
        """Count an action that leaves."""
        self._addresses[address].spend(items)
        self.weight.spend(action_weight(items), self._now_s())

    def read_refusal(self, kind: str) -> str:
        """Tell why a read does not fit; empty where it does. Not for what a resolver must know."""
        return self.weight.refusal(weight(kind), self._now_s())

    def read_wait_s(self, kind: str) -> float:
        """Tell in how many seconds a read fits; 0 for now."""
        return self.weight.wait_s(weight(kind), self._now_s())

    def read_left(self, kind: str) -> None:
        """Count a read that leaves."""
        self.weight.spend(weight(kind), self._now_s())

    def read_answered(self, kind: str, items: int) -> None:
        """Count what the rows of an answer cost beyond the read itself."""
        beyond = weight(kind, items) - weight(kind)
        if beyond:
            self.weight.spend(beyond, self._now_s())


async def keep_told(budgets: Budgets, upstream: Upstream, addresses: Sequence[str]) -> None:
    """Ask the venue for each account's own numbers now and then, until canceled.

    What left from here alone says neither what left before this process began, nor what trading
    has earned since. Where nobody answers, or reads have no weight left, the old numbers stay.
    """
    while True:
        for address in addresses:
            try:
                await _ask(budgets, upstream, address)
            except (SuiteError, msgspec.DecodeError, UnicodeDecodeError) as fault:
                _log.warning("budget_not_told", address=address, reason=type(fault).__name__)
        await asyncio.sleep(ASK_S)


async def _ask(budgets: Budgets, upstream: Upstream, address: str) -> None:
    if budgets.read_refusal(_KIND):
        return
    budgets.read_left(_KIND)
    before = budgets.address(address).used
    status, body = await upstream.info(msgspec.json.encode({"type": _KIND, "user": address}))
    if status == _OK:
        told = _rate_limit.decode(body)
        # the venue may not have counted yet what left while it was asked
        meanwhile = budgets.address(address).used - before
        budgets.told(address, used=told.nRequestsUsed + meanwhile, cap=told.nRequestsCap)
