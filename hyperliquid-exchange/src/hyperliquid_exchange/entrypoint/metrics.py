"""What the live venue shows to Prometheus: no trader and no amount of money."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry

from hyperliquid_exchange.application.requests import Counts
from hyperliquid_exchange.domain.safety import Level
from suite.service.metrics import Figure, Figures


def show_figures(
    registry: CollectorRegistry,
    *,
    levels: Callable[[], Iterable[Level]],
    counts: Callable[[], Counts | None],
    watchdog_silent_s: Callable[[], float | None],
    clock_skew_s: Callable[[], float | None],
) -> None:
    """Show what is forbidden, what left, whether the watchdog is heard and the clock right.

    Args:
        registry: of the application.
        levels: of the kill ladder, of each trader.
        counts: what went out; None before the service is open.
        watchdog_silent_s: since the watchdog got on; None while it never did.
        clock_skew_s: what is certain of the venue's time less ours; None where it is not known.
    """

    def by_level() -> Mapping[str, float]:
        found = Counter(levels())
        return {level.name: found[level] for level in Level}

    def intents() -> Mapping[str, float]:
        made = counts()
        if made is None:
            return {}
        names = ("decided", "left", "again", "refused", "unknown", "resolved", "never")
        return {name: getattr(made, name) for name in names}

    def unknown() -> float | None:
        made = counts()
        return None if made is None else made.unknown - made.resolved - made.never

    Figures(
        registry,
        (
            Figure(
                name="hyperliquid_exchange_traders",
                text="Traders by what is forbidden to them: LIVE is nothing.",
                label="level",
                read=by_level,
            ),
            Figure(
                name="hyperliquid_exchange_intents",
                text="Actions by what became of them; one counts in several.",
                label="fate",
                kind="counter",
                read=intents,
            ),
            Figure(
                name="hyperliquid_exchange_unknown_fates",
                text="Actions of which nobody knows yet whether the venue took them.",
                read=unknown,
            ),
            Figure(
                name="hyperliquid_exchange_watchdog_silence_seconds",
                text="Since the watchdog got on; missing while it never did.",
                read=watchdog_silent_s,
            ),
            Figure(
                name="hyperliquid_exchange_clock_skew_seconds",
                text="The venue's time less ours, as far as it is certain.",
                read=clock_skew_s,
            ),
        ),
    )
