"""One trader of a fleet, as its manager gives it: what is wanted, what is seen, what it decides.

    trader = await manager.get_trader("anna")
    proposal = await trader.get_decision()                     # nothing is sent
    record = await trader.execute_decision(proposal["decision"], reason="looks right")

Whatever it decides is judged in its own process: nothing here, and nobody who calls, gets past its
guards.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from suite.contracts.leaderboard import LeaderboardRow
from trader_manager.application.agents import AgentControl
from trader_manager.application.board import Board
from trader_manager.application.supervisor import Condition
from trader_manager.domain.records import Positions
from trader_manager.domain.traders import StoredTrader


@dataclass(frozen=True, slots=True, kw_only=True)
class Trader:
    """One trader, as of when it was asked for.

    Attributes:
        trader: as it is wanted.
        condition: where it stands.
        status: of its process; None where that does not answer, which is unknown and not nothing.
        agents: control of running traders.
        board: what traders did.
    """

    trader: StoredTrader
    condition: Condition
    status: Mapping[str, Any] | None
    agents: AgentControl = field(repr=False)
    board: Board = field(repr=False)

    @property
    def trader_id(self) -> str:
        """Its id."""
        return self.trader.trader_id

    async def get_decision(self) -> Mapping[str, Any]:
        """Say what it would decide now: `decision`, `verdicts` on it, and what would be `sent`.

        A copy decides in its process; nothing is carried out.

        Raises:
            Conflict: it is STOPPED, or has not begun.
            UpstreamUnavailable: it does not run, or does not answer.
        """
        return await self.agents.preview(self.trader_id, self.condition.sighting)

    async def allocate(self, usd: Decimal | None, *, reason: str) -> Mapping[str, Any]:
        """Let it use so much of its account, USD, or all of it; the answer is what became of it.

        Raises:
            Conflict: it refuses, with its reason.
            UpstreamUnavailable: it does not run, or cannot be reached: it has not taken it.
            UpstreamTimeout: it was told and did not answer in time: it may have taken it.
        """
        sighting = self.condition.sighting
        return await self.agents.allocate(self.trader_id, sighting, usd, reason=reason)

    async def execute_decision(
        self, decision: Mapping[str, Any], *, reason: str
    ) -> Mapping[str, Any]:
        """Have a decision carried out in its strategy's place, judged by what is so then.

        Args:
            decision: as `get_decision` shows one.
            reason: for its journal.

        Returns:
            The record of that turn: verdicts, what was sent, and the venue's answers.

        Raises:
            BadRequest: it is no decision.
            Conflict: it is STOPPED, or no turn took it in time: it is withdrawn then.
            UpstreamUnavailable: it does not run, or cannot be reached: it has not taken it.
            UpstreamTimeout: it was told and did not answer in time: it may have taken it.
        """
        sighting = self.condition.sighting
        return await self.agents.execute(self.trader_id, sighting, decision, reason=reason)

    async def get_positions(self) -> Positions | None:
        """Read its latest known positions; None where nothing is recorded, which is not flat."""
        return (await self.board.get_positions(self.trader_id))[1]

    async def get_performance(self) -> LeaderboardRow:
        """Read its row of a leaderboard that it is alone on."""
        compared = await self.board.compare_performance(trader_ids=[self.trader_id])
        return next(row for row in compared.board.rows if row.trader_id == self.trader_id)
