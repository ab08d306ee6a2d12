"""What the portfolio shows to Prometheus: no amount of money."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry

from suite.service.metrics import Figure, Figures


def show_figures(
    registry: CollectorRegistry,
    *,
    follows: Callable[[], bool],
    rebalances: Callable[[], bool],
    traders: Callable[[], int],
    listeners: Callable[[], int],
) -> None:
    """Show whether the manager is followed, and how many are watched and watch."""
    Figures(
        registry,
        (
            Figure(
                name="portfolio_service_follows_manager",
                text="1 where the manager is followed, 0 while what is shown is as last known.",
                read=lambda: float(follows()),
            ),
            Figure(
                name="portfolio_service_rebalances",
                text="1 where rebalances can be carried out, 0 while one is held up.",
                read=lambda: float(rebalances()),
            ),
            Figure(
                name="portfolio_service_traders", text="Traders that are followed.", read=traders
            ),
            Figure(
                name="portfolio_service_stream_listeners",
                text="Pages that watch the stream.",
                read=listeners,
            ),
        ),
    )
