"""What watches over the service from inside: its beat, its watchdog's, and alerts."""

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from hyperliquid_exchange.adapters.beat_file import BeatFile
from hyperliquid_exchange.application.budgets import Budgets
from hyperliquid_exchange.application.clock_watch import ClockWatch
from hyperliquid_exchange.application.ports import FactsSource, Upstream
from hyperliquid_exchange.application.pulse import Pulse, PulseRules
from hyperliquid_exchange.application.safety import KillLadder
from hyperliquid_exchange.application.venue_time import VenueTime
from hyperliquid_exchange.domain.progress import ProgressRules
from hyperliquid_exchange.domain.safety import Cause, Level
from hyperliquid_exchange.places import proxy_beat_of, watchdog_beat_of
from hyperliquid_exchange.settings import Settings
from hyperliquid_exchange.upstreams import is_stand_in
from suite.clock import Clock
from suite.ids import TraderId
from suite.notices import Channel, Notices
from suite.service.channels import Webhook


def alert_channels(settings: Settings, service: str) -> list[Channel]:
    """Where people are told: an address that takes JSON, for a process with keys imports little."""
    url = settings.alert_webhook_url.get_secret_value()
    return [Webhook(url, service)] if url else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """Parts that run beside the way out.

    Attributes:
        pulse: the beat of this process, and an ear for the watchdog's.
        clock: holds the machine's clock against the venue's.
        alerts: to people.
    """

    pulse: Pulse
    clock: ClockWatch
    alerts: Notices

    def parts(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        """What runs, by name."""
        return [
            ("pulse", self.pulse.run()),
            ("clock", self.clock.run()),
            ("alerts", self.alerts.run()),
        ]


def guards_of(
    settings: Settings,
    ladder: KillLadder,
    facts: FactsSource,
    traders: Sequence[TraderId],
    clock: Clock,
    venue: tuple[Upstream, Budgets, VenueTime],
) -> Guards:
    """Make them; people are told of every stop and kill from now on."""
    alerts = Notices(alert_channels(settings, "hyperliquid-exchange"), clock)

    def ages_s() -> list[float]:
        known = [facts.facts(name) for name in traders]
        return [one.state_age_s for one in known if one is not None]

    def engaged(cause: Cause) -> None:
        text = f"{cause.level.name} for {cause.scope or 'all'} by {cause.by}: {cause.reason}"
        alerts.tell("forbidden", text, is_critical=cause.level is Level.KILLED)

    def cleared(cause: Cause) -> None:
        alerts.note("allowed", f"{cause.scope or 'all'}: {cause.level.name} by {cause.by} is over")

    ladder.on_engage.append(engaged)
    ladder.on_clear.append(cleared)
    is_required = settings.watchdog_required
    if is_required is None:
        is_required = settings.network == "mainnet" and not is_stand_in(settings)
    state = settings.state_dir
    pulse = Pulse(
        mine=BeatFile(proxy_beat_of(state)),
        theirs=BeatFile(watchdog_beat_of(state)),
        ladder=ladder,
        ages_s=ages_s,
        clock=clock,
        rules=PulseRules(
            progress=ProgressRules(limit_s=settings.watchdog_limit_s), is_required=is_required
        ),
    )
    upstream, budgets, time = venue
    watch = ClockWatch(
        upstream=upstream,
        budgets=budgets,
        ladder=ladder,
        tell=alerts.tell,
        clock=clock,
        time=time,
    )
    return Guards(pulse=pulse, clock=watch, alerts=alerts)
