"""How much may be asked of the venue: weight per IP address, actions per account.

Source: venue documentation, "Rate limits and user limits", read 2026-11.
"""

from dataclasses import dataclass
from typing import Final

from suite.fixed import USD_ONE, format_fixed

WEIGHT_PER_MINUTE: Final = 1200
_MINUTE_MS: Final = 60_000
_MOST_BUCKETS: Final = 10_000
_FREE_ACTIONS: Final = 10_000
_MORE_CANCELS: Final = 100_000
_SLOW_MS: Final = 10_000
"""Beyond its cap an account may send one action in this time."""


def action_weight(batch: int) -> int:
    """Weight of an action on so many orders."""
    return 1 + batch // 40


@dataclass(slots=True)
class _Bucket:
    """What is left, in weight times milliseconds of a minute; negative is owed."""

    left: int
    at_ms: int


class WeightLimits:
    """Weight that each IP address may spend in a minute: a bucket that fills steadily."""

    def __init__(self, per_minute: int = WEIGHT_PER_MINUTE) -> None:
        self._per_minute = per_minute
        self._full = per_minute * _MINUTE_MS
        self._buckets: dict[str, _Bucket] = {}

    def allow(self, ip: str, weight: int, now_ms: int) -> bool:
        """Spend weight if it is there; say whether it was.

        Args:
            ip: who asks.
            weight: of the request.
            now_ms: wall time.
        """
        bucket = self._bucket(ip, now_ms)
        if bucket.left < weight * _MINUTE_MS:
            return False
        bucket.left -= weight * _MINUTE_MS
        return True

    def charge(self, ip: str, weight: int, now_ms: int) -> None:
        """Spend weight that is only known afterwards, owing what is not there."""
        self._bucket(ip, now_ms).left -= weight * _MINUTE_MS

    def _bucket(self, ip: str, now_ms: int) -> _Bucket:
        bucket = self._buckets.get(ip)
        if bucket is None:
            if len(self._buckets) >= _MOST_BUCKETS:
                self._forget(now_ms)
            bucket = self._buckets[ip] = _Bucket(self._full, now_ms)
        passed = max(0, now_ms - bucket.at_ms)
        bucket.left = min(self._full, bucket.left + passed * self._per_minute)
        bucket.at_ms = max(bucket.at_ms, now_ms)
        return bucket

    def _forget(self, now_ms: int) -> None:
        """Drop the buckets that are full by now; all of them where none is."""
        self._buckets = {
            ip: bucket
            for ip, bucket in self._buckets.items()
            if bucket.left + (now_ms - bucket.at_ms) * self._per_minute < self._full
        }
        if len(self._buckets) >= _MOST_BUCKETS:
            self._buckets.clear()


@dataclass(slots=True)
class _Sent:
    """Actions of one account, and when the last one beyond its cap was let in."""

    actions: int = 0
    slow_ms: int = -_SLOW_MS


class ActionBudgets:
    """Actions that each account may send over its life; sub-accounts have their own."""

    def __init__(self) -> None:
        self._sent: dict[int, _Sent] = {}

    @staticmethod
    def cap(volume_usd: int) -> int:
        """Actions an account may send: one more for every USDC it has traded.

        Args:
            volume_usd: ever traded, micro-USD.
        """
        return _FREE_ACTIONS + volume_usd // USD_ONE

    def used(self, account: int) -> int:
        """Actions it has sent."""
        sent = self._sent.get(account)
        return sent.actions if sent is not None else 0

    def count(self, account: int, actions: int) -> None:
        """Note actions that were let in; a batch of n counts n, whatever became of them."""
        self._sent.setdefault(account, _Sent()).actions += actions

    def refusal(self, account: int, *, volume_usd: int, cancels: bool, now_ms: int) -> str | None:
        """Say in the venue's words why an account may send nothing now, None when it may.

        Args:
            account: its index.
            volume_usd: it has ever traded, micro-USD.
            cancels: the action only cancels; for those the cap is higher.
            now_ms: wall time.
        """
        cap = self.cap(volume_usd)
        if cancels:
            cap = min(cap + _MORE_CANCELS, 2 * cap)
        sent = self._sent.setdefault(account, _Sent())
        if sent.actions < cap:
            return None
        if now_ms - sent.slow_ms >= _SLOW_MS:
            sent.slow_ms = now_ms
            return None
        traded = format_fixed(volume_usd * 100 // USD_ONE, 2)
        return (
            f"Too many cumulative requests sent ({sent.actions} > {cap}) for cumulative volume "
            f"traded ${traded}. Place taker orders to free up 1 request per USDC traded."
        )
