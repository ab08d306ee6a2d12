"""Whether a run that failed is tried again, and after how long."""

from collections.abc import Sequence
from typing import Final

from strategy_agent.application.venue_world import WorldChanged
from suite.contracts.clock import ClockMode
from suite.errors import ConfigError, Conflict, SuiteError, Unauthorized

FINAL: Final = (ConfigError, Unauthorized)
"""Failures that stay until a person has changed something."""


def may_be_tried_again(fault: SuiteError, mode: ClockMode | None, *, patient: bool = False) -> bool:
    """Say whether a run that failed may succeed later in a world of that mode.

    A paced world goes on without the trader, so one that has come through an outage, or was dropped
    for its silence, joins again; what is wrong otherwise stays wrong in a simulated one. A lockstep
    world waits for its traders: steps are asked for again instead, and after that only by a patient
    one. A world that is no more is over in any mode, and the next one begins.

    Args:
        fault: why it failed.
        mode: of the world; None before the first connection.
        patient: somebody keeps the process and what it remembers, so a venue that is away is waited
            for, and a step goes on where it was.
    """
    if mode is None or mode == "lockstep":
        return (patient and fault.retryable) or isinstance(fault, WorldChanged)
    if mode == "wall" or isinstance(fault, WorldChanged):
        return True
    return fault.retryable or isinstance(fault, Conflict)


class Retries:
    """The failed runs of one trader, one after the other.

    Args:
        pauses_s: before the first try, the second, ...; the last one before each further try. A run
            that lasted longer than that begins anew with the first.

    Attributes:
        count: failures in all.
    """

    def __init__(self, pauses_s: Sequence[float]) -> None:
        self._pauses_s = tuple(pauses_s)
        self._in_a_row = 0
        self.count = 0

    def pause_s(self, error: SuiteError, *, lasted_s: float) -> float | None:
        """Count a failure.

        Args:
            error: why the run failed.
            lasted_s: how long it had lasted.

        Returns:
            How long to wait before the next try; None for no further one.
        """
        if isinstance(error, FINAL) or not self._pauses_s:
            return None
        if lasted_s > self._pauses_s[-1]:
            self._in_a_row = 0
        pause_s = self._pauses_s[min(self._in_a_row, len(self._pauses_s) - 1)]
        self._in_a_row += 1
        self.count += 1
        return pause_s
