"""What the venue shows to Prometheus."""

from prometheus_client import CollectorRegistry

from suite.service.metrics import Figure, Figures
from virtual_exchange.entrypoint.services import Services


def show_figures(registry: CollectorRegistry, services: Services) -> None:
    """Show worlds and backtests; none is named."""

    def degraded() -> float:
        papers = [session.paper for session in services.worlds.all()]
        return sum(paper is not None and paper.status.degraded for paper in papers)

    Figures(
        registry,
        (
            Figure(
                name="virtual_exchange_worlds",
                text="Worlds in memory.",
                read=lambda: len(services.worlds.all()),
            ),
            Figure(
                name="virtual_exchange_worlds_stopped",
                text="1 where the task that moves the worlds has ended by a fault.",
                read=lambda: float(services.scheduler.failure is not None),
            ),
            Figure(
                name="virtual_exchange_paper_worlds_degraded",
                text="Paper worlds whose live market is lost.",
                read=degraded,
            ),
            Figure(
                name="virtual_exchange_backtests_running",
                text="Backtests that run.",
                read=lambda: services.jobs.running,
            ),
        ),
    )
