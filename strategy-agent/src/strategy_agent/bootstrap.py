"""Putting the parts of one trader together."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from strategy_agent.adapters.journal_file import JournalFile, NoJournal
from strategy_agent.adapters.plugins import load_plugins
from strategy_agent.adapters.venue_http import VenueHttp
from strategy_agent.application.status import Status
from strategy_agent.settings import Settings
from strategy_core.building import StrategyKind
from suite.contracts.trader import TraderSpec
from suite.errors import ConfigError
from suite.service.calls import ServiceCalls
from suite.service.http import step_session

_TOKEN_HINT = "is TRADER_TOKEN the token of this trader?"  # noqa: S105 - a question
_HINTS = {
    401: _TOKEN_HINT,
    403: _TOKEN_HINT,
    404: "does TRADING_URL name the right world?",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What one trader runs with; nothing of it is shared with another."""

    spec: TraderSpec
    venue: VenueHttp
    journal: JournalFile | NoJournal
    status: Status
    plugins: Mapping[str, StrategyKind]

    async def close(self) -> None:
        """Let go of connections and files."""
        await self.venue.close()
        self.journal.close()


def venue_calls(
    settings: Settings, spec: TraderSpec, *, timeout_s: float | None = None
) -> ServiceCalls:
    """Make the way to the venue of a trader; to be called inside a running event loop.

    Args:
        settings: of the process.
        spec: the trader.
        timeout_s: of one request; none for steps, whose answer comes when the trader wakes.
    """
    url = settings.trading_url
    return ServiceCalls(
        step_session(url, token=settings.token_of(spec.trader_id), timeout_s=timeout_s),
        url,
        name="the venue",
        hints=_HINTS,
        connect_window_s=settings.connect_window_s,
        retry_window_s=settings.retry_window_s,
        jitter=random.Random(f"{settings.seed} {spec.trader_id}"),  # noqa: S311 - pauses only
    )


def build(
    settings: Settings, spec: TraderSpec, *, status: Status, journal_dir: Path | None
) -> Container:
    """Put one trader together; to be called inside a running event loop.

    Args:
        settings: of the process.
        spec: the trader.
        status: where it reports to.
        journal_dir: None for no journal.

    Raises:
        ConfigError: no venue is named, or a plugin cannot be loaded.
        StorageError: the journal cannot be written.
    """
    if not settings.trading_url:
        raise ConfigError("TRADING_URL is not set: the venue's address, http://127.0.0.1:8100")
    plugins = load_plugins(spec)
    journal = JournalFile(journal_dir, spec.trader_id) if journal_dir else NoJournal()
    venue = VenueHttp(venue_calls(settings, spec))
    return Container(spec=spec, venue=venue, journal=journal, status=status, plugins=plugins)
