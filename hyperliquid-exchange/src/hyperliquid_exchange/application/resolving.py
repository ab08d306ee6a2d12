"""What became of an action whose answer cannot be believed: found out by evidence alone.

In this order: what the venue shows of the action; the same bytes once more, where the action
reduces risk and is young; a noop with the same nonce, which ends the action or says that the nonce
is used; the end of its time, and another look after it. A pause never ends it, and it is never
signed anew.

What counts as proof
- A noop that was accepted: the action never ran, and never can.
- A nonce that is used, told to the very first noop: the action has used it. After a noop of unknown
  fate "used" may speak of that noop, and proves no more than that the action cannot run any more;
  the count of noops is durable for that reason. What the venue shows then is the end of it.
- A nonce below the venue's window, or the action's end and some seconds: it cannot run any more.
  What the venue shows then is the end of it.
- "Not among the open orders" is none, and "unknown order" only after one of the above.

Source: reliability reference D1.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from hyperliquid_exchange.application import answers
from hyperliquid_exchange.application.evidence import (
    LOST,
    USED,
    Evidence,
    Seen,
    action_of,
    is_to,
    names_itself,
)
from hyperliquid_exchange.application.ports import FactsSource
from hyperliquid_exchange.domain.accounts import LiveAccount
from hyperliquid_exchange.domain.actions import Allowed, legs_of
from hyperliquid_exchange.domain.intents import Intent, Settled
from suite.clock import Clock
from suite.errors import SuiteError

About = Literal["answer", "used", "too_old", "copy"]
"""`answer`: it is about the action. `used`: its nonce was consumed. `too_old`: its nonce cannot be
consumed any more. `copy`: it is only about these bytes; others may have come before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveTimes:
    """How long what takes.

    Attributes:
        first_pause_s, longest_pause_s: between two tries, doubling, with jitter.
        window_ms: after its nonce, until when the venue takes an action at all.
        margin_ms: after its end, until an action counts as refused by the venue's clock too.
        absent_s: how long nothing must be seen of an action that cannot run any more.
        again_ms: before its end, until when the bytes of an exit are sent again.
    """

    first_pause_s: float = 0.25
    longest_pause_s: float = 5.0
    window_ms: int = 172_800_000
    margin_ms: int = 3_000
    absent_s: float = 5.0
    again_ms: int = 3_000


class Ways(Protocol):
    """How a resolution reaches the venue; the last hop counts what leaves."""

    async def again(self, account: LiveAccount, intent: Intent) -> Mapping[str, Any]:
        """Send the bytes of an intent once more.

        Raises:
            SuiteError: nobody can say what became of them.
        """
        ...

    async def end(self, account: LiveAccount, intent: Intent) -> tuple[int, Mapping[str, Any]]:
        """Send a noop with the nonce of an intent.

        Returns:
            How many noops left before it, and the venue's answer.

        Raises:
            SuiteError: it did not leave, or nobody can say what became of it.
        """
        ...


@dataclass(slots=True)
class _Case:
    """One action, and what is known so far.

    Attributes:
        consumed: its nonce was used by it.
        dead: it cannot run any more.
        absent_since_s: the loop's time since which nothing was seen of it though it should be.
        tries: how often was asked.
        contradicted: proofs of it contradict each other.
    """

    intent: Intent
    action: Allowed
    consumed: bool = False
    dead: bool = False
    absent_since_s: float | None = None
    tries: int = 0
    contradicted: bool = False


class Resolver:
    """Finds out what became of actions.

    Args:
        evidence: asks the venue.
        ways: to it.
        facts: what the venue pushes; an order of a dead action in there is a contradiction.
        clock: wall time.
        jitter: of the pauses.
        times: how long what takes.
        contradicted: told of an account whose proofs contradict each other.
    """

    def __init__(
        self,
        evidence: Evidence,
        ways: Ways,
        *,
        facts: FactsSource,
        clock: Clock,
        jitter: random.Random,
        contradicted: Callable[[LiveAccount, Intent], None],
        times: ResolveTimes | None = None,
    ) -> None:
        self._evidence = evidence
        self._ways = ways
        self._facts = facts
        self._clock = clock
        self._jitter = jitter
        self._contradicted = contradicted
        self._times = times or ResolveTimes()

    async def resolve(
        self, account: LiveAccount, intent: Intent, told: Mapping[str, Any] | None = None
    ) -> Settled:
        """Find out; comes back only with a proof.

        Args:
            account: whose action it is.
            intent: as it left.
            told: an answer that is about one copy of it only; None without any.
        """
        case = _Case(intent, action_of(intent))
        if told is not None:
            self._learn(case, told)
        while True:
            settled = await self._try(account, case)
            if settled is not None:
                return settled
            await asyncio.sleep(self._pause_s(case))
            case.tries += 1

    async def _try(self, account: LiveAccount, case: _Case) -> Settled | None:
        if self._clock.now_ms() > self._end_ms(case.intent):
            case.dead = True
        ended = case.consumed or case.dead
        if ended or names_itself(case.intent, case.action):
            seen = await self._evidence.look(account, case.intent, case.action)
            settled = self._judged(account, case, seen, ended=ended)
            if settled is not None or ended:
                return settled
        if self._may_go_again(case):
            return await self._again(account, case)
        if case.intent.signer == account.signer:
            return await self._noop(account, case)
        return None

    def _judged(
        self, account: LiveAccount, case: _Case, seen: Seen, *, ended: bool
    ) -> Settled | None:
        if seen.reply is not None:
            return _settled(case.intent, seen.reply)
        if not ended:
            return None
        if seen.mute:
            return _settled(case.intent, answers.err(USED if case.consumed else LOST))
        if not seen.absent:
            return None
        now_s = asyncio.get_running_loop().time()
        if case.absent_since_s is None:
            case.absent_since_s = now_s
        if now_s - case.absent_since_s < self._times.absent_s:
            return None
        return self._never(account, case)

    def _never(self, account: LiveAccount, case: _Case) -> Settled | None:
        """Nothing of it is there, and it cannot come any more."""
        facts = self._facts.facts(account.trader_id)
        resting = {order.cloid for order in facts.orders} if facts is not None else set()
        own = {leg.cloid for leg in legs_of(case.action)} - {None}
        if own & resting and names_itself(case.intent, case.action):
            if not case.contradicted:
                case.contradicted = True
                self._contradicted(account, case.intent)
            return None
        return Settled(
            trader_id=case.intent.trader_id,
            key=case.intent.key,
            fingerprint=case.intent.fingerprint,
            outcome="never",
        )

    def _may_go_again(self, case: _Case) -> bool:
        """Whether the same bytes may be tried: of what reduces risk, while it is young."""
        intent = case.intent
        if intent.adds_risk or intent.expires_ms is None or case.tries % 2:
            return False
        return self._clock.now_ms() < intent.expires_ms - self._times.again_ms

    async def _again(self, account: LiveAccount, case: _Case) -> Settled | None:
        try:
            reply = await self._ways.again(account, case.intent)
        except SuiteError:
            return None
        if about(reply) == "answer" and is_to(case.action, reply):
            return _settled(case.intent, dict(reply))
        self._learn(case, reply)
        return None

    async def _noop(self, account: LiveAccount, case: _Case) -> Settled | None:
        try:
            before, reply = await self._ways.end(account, case.intent)
        except SuiteError:
            return None
        if reply.get("status") == "ok":
            return self._never(account, case)
        found = about(reply)
        case.dead = case.dead or found in {"used", "too_old"}
        case.consumed = case.consumed or (found == "used" and before == 0)
        return None

    def _learn(self, case: _Case, reply: Mapping[str, Any]) -> None:
        """Take in what was said of one copy."""
        found = about(reply)
        case.consumed = case.consumed or found == "used"
        case.dead = case.dead or found == "too_old"

    def _end_ms(self, intent: Intent) -> float:
        times = self._times
        if intent.expires_ms is None:
            return intent.nonce + times.window_ms + times.margin_ms
        return min(intent.expires_ms, intent.nonce + times.window_ms) + times.margin_ms

    def _pause_s(self, case: _Case) -> float:
        times = self._times
        pause_s = min(times.longest_pause_s, times.first_pause_s * 2.0 ** min(case.tries, 10))
        if case.absent_since_s is not None:
            pause_s = min(pause_s, 1.0)
        return pause_s * (0.5 + self._jitter.random() / 2)


def about(reply: Mapping[str, Any]) -> About:
    """Tell what an answer of the venue is about."""
    text = reply.get("response")
    if reply.get("status") != "err" or not isinstance(text, str):
        return "answer"
    if "duplicate nonce" in text:
        return "used"
    if "nonce too low" in text:
        return "too_old"
    if "Invalid nonce" in text or text == answers.EXPIRED:
        return "copy"
    return "answer"


def _settled(intent: Intent, reply: dict[str, Any]) -> Settled:
    return Settled(
        trader_id=intent.trader_id,
        key=intent.key,
        fingerprint=intent.fingerprint,
        outcome="answered",
        reply=reply,
    )
