"""What `/ready` says of the traders: how many are wanted, and why some of them do not run."""

from collections.abc import Iterable
from typing import Final

from suite.errors import one_line
from suite.service.health import Detail
from trader_manager.application.supervisor import Condition
from trader_manager.domain.traders import DesiredState

_TOLD: Final = 3
"""Traders whose trouble is told; `GET /traders` has all."""


def fleet_detail(conditions: Iterable[Condition]) -> Detail:
    """Count the traders that shall run; those whose world has ended have done so.

    Args:
        conditions: of all traders.

    Returns:
        `status` is `degraded` where one that shall run does not, for a reason; the manager itself
        is ready all the same.
    """
    wanted = [
        one
        for one in conditions
        if one.trader.desired is DesiredState.RUNNING and one.sighting.actual != "ended"
    ]
    fallen = [one for one in wanted if one.sighting.actual != "running"]
    why = {one.trader.trader_id: one.problem or one.sighting.reason for one in fallen}
    told = [f"{name}: {text}" for name, text in why.items() if text]
    counted: Detail = {
        "wanted": len(wanted),
        "running": len(wanted) - len(fallen),
        "failed": len(told),
    }
    if not told:
        return counted
    return {"status": "degraded", **counted, "traders": one_line("; ".join(told[:_TOLD]))}
