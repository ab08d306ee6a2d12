"""Decisions of one trader that are not recorded, from the control API of its process.

A decision is told without its results until the venue has answered (`results` null), and a run that
goes on after a kill may tell the same number again. It is one decision: the newest line of a number
counts, and the newest number waits for its results.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from suite.errors import UpstreamRefused
from suite.fixed import USD_ONE, Usd
from suite.ids import TraderId, WorldId
from trader_manager.application.agents import AgentControl, Decided
from trader_manager.application.runtime import Sighting
from trader_manager.domain.records import LIVE_WORLD, NO_BILL, Decision, ModelBill

_COST: Final = re.compile(r"\d{1,12}(\.\d{1,18})?", re.ASCII)
_PAGE: Final = 500
"""Read at one time; a long backlog takes several, oldest first."""


class DecisionReader:
    """Reads the decisions of one trader on from where they are recorded.

    Args:
        world: that they are taken in.
        trader_id: whose they are.
        last: highest number that is recorded; 0 before one.
        bill: of language models, for those that are recorded.

    Attributes:
        last, bill: the same, with what was read.
        trouble: why nothing can be read; empty when it can.
    """

    def __init__(
        self, world: WorldId, trader_id: TraderId, last: int, bill: ModelBill = NO_BILL
    ) -> None:
        self.last = last
        self.bill = bill
        self.trouble = ""
        self._world = world
        self._trader_id = trader_id

    async def read(self, agents: AgentControl, sighting: Sighting) -> tuple[Decision, ...]:
        """Read some that follow the last one, in order; cut short, nothing of it has happened.

        Raises:
            SuiteError: its process does not answer.
        """
        decided = await agents.decisions(self._trader_id, sighting, limit=_PAGE)
        told = decided.rows if self._is_of(decided) else ()
        newest = _number(told[0]) if told else 0
        self.trouble = ""
        if not told:
            return ()
        if newest < self.last:
            self.trouble = (
                f"its decisions count anew: the newest is {newest}, {self.last} is recorded"
            )
            return ()
        if len(told) == _PAGE and _number(told[-1]) > self.last + 1:
            told = await self._oldest(agents, sighting, told)
        return tuple(self._take(told, newest))

    async def _oldest(
        self, agents: AgentControl, sighting: Sighting, newest: Sequence[Mapping[str, Any]]
    ) -> Sequence[Mapping[str, Any]]:
        """Read the page that follows the last one, where the newest page is a later one."""

        async def page(before: int) -> Sequence[Mapping[str, Any]]:
            told = await agents.decisions(self._trader_id, sighting, limit=_PAGE, before=before)
            return [row for row in told.rows if self._is_of(told) and _number(row) > self.last]

        found = await page(self.last + _PAGE + 1)
        if found:
            return found
        found = newest  # numbers were left out, as many as there may be: sought from the end
        while earlier := await page(_number(found[-1])):
            found = earlier
        return found

    def _is_of(self, told: Decided) -> bool:
        """Tell whether decisions are of the world that is collected.

        A process tells those of its last run until it has begun in a new world.
        """
        return (told.world or LIVE_WORLD) == self._world

    def _take(self, told: Sequence[Mapping[str, Any]], newest: int) -> list[Decision]:
        """Take a page of them in, newest first as it is told."""
        rows = {number: row for row in reversed(told) if (number := _number(row)) > self.last}
        if newest in rows and rows[newest].get("results") is None:
            del rows[newest]
        self.last = max(rows, default=max(self.last, newest - 1))
        for row in rows.values():
            self.bill = _added(self.bill, row.get("llm"))
        return [
            Decision(
                world=self._world,
                trader_id=self._trader_id,
                number=number,
                time_ms=_whole(row, "now_ms"),
                body=row,
            )
            for number, row in sorted(rows.items())
        ]


def _added(bill: ModelBill, thought: object) -> ModelBill:
    """Add what one decision cost; what is no number costs nothing."""
    if not isinstance(thought, Mapping):
        return bill
    cost, tokens = str(thought.get("llm_cost_usd", 0)), thought.get("tokens")
    usd = int(Decimal(cost) * USD_ONE) if _COST.fullmatch(cost) else 0
    more = tokens if isinstance(tokens, int) and 0 <= tokens < 10**12 else 0
    return ModelBill(usd=Usd(bill.usd + usd), tokens=bill.tokens + more)


def _number(row: Mapping[str, Any]) -> int:
    return _whole(row, "decision")


def _whole(row: Mapping[str, Any], name: str) -> int:
    value = row.get(name)
    if not isinstance(value, int):
        raise UpstreamRefused(f"a decision without {name}: this is no strategy-agent's")
    return value
