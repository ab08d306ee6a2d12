"""What a process of traders shows to Prometheus: how many, never who."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import get_args

from prometheus_client import CollectorRegistry

from strategy_agent.application.alpha_loop import AlphaLoop
from strategy_agent.application.status import LOST, State, Status
from suite.enums import TraderStatus
from suite.service.metrics import Figure, Figures


def show_figures(
    registry: CollectorRegistry, alpha: AlphaLoop, stalled_s: Callable[[], float]
) -> None:
    """Show what the traders of the process do.

    Args:
        registry: of the application.
        alpha: the traders.
        stalled_s: how long their event loop has stood still.
    """

    def statuses() -> list[Status]:
        return [instance.status for instance in alpha.instances]

    def states() -> Mapping[str, float]:
        found = Counter(one.state for one in statuses())
        return {word: found[word] for word in get_args(State)}

    def allowed() -> Mapping[str, float]:
        found = Counter(one.status for one in statuses())
        return {str(word): found[str(word)] for word in TraderStatus}

    def total(name: str) -> Callable[[], float]:
        return lambda: sum(getattr(one, name) for one in statuses())

    Figures(
        registry,
        (
            Figure(
                name="strategy_agent_traders",
                text="Traders by what their tasks do.",
                label="state",
                read=states,
            ),
            Figure(
                name="strategy_agent_traders_allowed",
                text="Traders by what they may do.",
                label="status",
                read=allowed,
            ),
            Figure(
                name="strategy_agent_traders_lost",
                text="Traders whose venue does not answer.",
                read=lambda: sum(one.connection == LOST for one in statuses()),
            ),
            Figure(
                name="strategy_agent_decisions",
                text="Questions to strategies that came to their end, of the traders of now.",
                read=total("decisions"),
            ),
            Figure(
                name="strategy_agent_faults",
                text="Of these, those without a decision.",
                read=total("faults"),
            ),
            Figure(
                name="strategy_agent_fills",
                text="Fills, of the traders of now.",
                read=total("fills"),
            ),
            Figure(
                name="strategy_agent_missed_heartbeats",
                text="Heartbeats to the venue that did not get through, of the traders of now.",
                read=total("missed_heartbeats"),
            ),
            Figure(
                name="strategy_agent_loop_stalled_seconds",
                text="How long the event loop of the traders has stood still.",
                read=stalled_s,
            ),
        ),
    )
