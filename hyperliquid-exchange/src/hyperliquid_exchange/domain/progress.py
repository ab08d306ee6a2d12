"""Proof of progress: what a process shows that it is not only alive but gets on."""

from dataclasses import dataclass

import msgspec


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """What a process tells of itself, about once a second.

    Attributes:
        number: grows with every beat; of a new process it begins anew.
        at_ms: wall time.
        lag_ms: how much later than it should its event loop came round.
        facts_age_ms: since the venue last told any account as a whole; None while it never has.
        signers: addresses that the process signs with.
    """

    number: int
    at_ms: int
    lag_ms: int = 0
    facts_age_ms: int | None = None
    signers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressRules:
    """What counts as progress.

    Attributes:
        limit_s: without progress, after which it is over.
        lag_ms: of an event loop that does not count as running.
    """

    limit_s: float = 60.0
    lag_ms: int = 5_000


class Progress:
    """Whether a peer gets on, as seen from here.

    Times are those of a clock of this process: a peer whose clock is wrong cannot look alive.

    Args:
        rules: see there.
        now_s: when it begins to be watched.
    """

    def __init__(self, rules: ProgressRules, now_s: float) -> None:
        self.was_seen = False
        """It has got on at least once."""
        self.trouble = "it was never seen"
        """Why it does not get on, in one line; empty where it does."""
        self._rules = rules
        self._last_s = self._looked_s = now_s
        self._number: int | None = None

    def look(self, beat: Beat | None, now_s: float, trouble: str = "") -> None:
        """Take note of a beat, or that there is none.

        A watcher that was frozen itself has seen nothing meanwhile, so it begins anew.

        Args:
            beat: the newest that could be had; None for none.
            now_s: of a clock that never goes back.
            trouble: why there is none.
        """
        if now_s - self._looked_s > self._rules.limit_s / 2:
            self._last_s = now_s
        self._looked_s = now_s
        self.trouble = trouble or self._trouble(beat)
        if beat is not None and not self.trouble:
            self.was_seen = True
            self._last_s = now_s
        if beat is not None:
            self._number = beat.number

    def silent_s(self, now_s: float) -> float:
        """Seconds since it got on."""
        return now_s - self._last_s

    def is_over(self, now_s: float) -> bool:
        """Whether it has not got on for too long."""
        return self.silent_s(now_s) >= self._rules.limit_s

    def _trouble(self, beat: Beat | None) -> str:
        if beat is None:
            return "it does not answer"
        if self._number is None:
            return "it has been seen once"  # a file may be what a process has left
        if beat.number == self._number:
            return "it does not move"
        if beat.lag_ms >= self._rules.lag_ms:
            return f"its event loop lags by {beat.lag_ms} ms"
        age_ms = beat.facts_age_ms
        if age_ms is not None and age_ms >= self._rules.limit_s * 1000:
            return f"the venue has told it nothing for {age_ms // 1000} s"
        return ""
