"""What the manager shows to Prometheus: how many, never who."""

from collections import Counter
from collections.abc import Mapping
from typing import get_args

from prometheus_client import CollectorRegistry

from suite.service.metrics import Figure, Figures
from trader_manager.application.collecting import Collector
from trader_manager.application.supervisor import Supervisor
from trader_manager.domain.lifecycle import Actual
from trader_manager.domain.traders import DesiredState


def show_figures(registry: CollectorRegistry, supervisor: Supervisor, collector: Collector) -> None:
    """Show what is wanted, what is seen, and whether both are looked after."""

    def wanted() -> Mapping[str, float]:
        found = Counter(str(one.trader.desired) for one in supervisor.conditions.values())
        return {str(state): found[str(state)] for state in DesiredState}

    def seen() -> Mapping[str, float]:
        found = Counter(one.sighting.actual for one in supervisor.conditions.values())
        return {word: found[word] for word in get_args(Actual)}

    def troubled() -> float:
        conditions = supervisor.conditions.values()
        return sum(bool(one.problem) and not one.ending for one in conditions)

    Figures(
        registry,
        (
            Figure(
                name="trader_manager_supervising",
                text="1 where traders are looked after, 0 while they cannot be.",
                read=lambda: float(not supervisor.trouble),
            ),
            Figure(
                name="trader_manager_traders_wanted",
                text="Traders by what is wanted of them.",
                label="state",
                read=wanted,
            ),
            Figure(
                name="trader_manager_traders",
                text="Traders by what is seen of them.",
                label="actual",
                read=seen,
            ),
            Figure(
                name="trader_manager_traders_troubled",
                text="Traders of which what is wanted cannot be done.",
                read=troubled,
            ),
            Figure(
                name="trader_manager_collecting_round_seconds",
                text="The last round of collecting; missing before one.",
                read=lambda: collector.took_s,
            ),
            Figure(
                name="trader_manager_collecting_troubles",
                text="Of how many traders, or of what, records cannot be collected.",
                read=lambda: len(collector.troubles),
            ),
            Figure(
                name="trader_manager_rows_refused",
                text="Records that the database would not have, and that were let go.",
                kind="counter",
                read=lambda: collector.refused,
            ),
        ),
    )
