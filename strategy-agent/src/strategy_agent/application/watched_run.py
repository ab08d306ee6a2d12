"""What a trader's run shows while it is driven, and what it is told from outside."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from strategy_agent.application.alerts import Alerts
from strategy_agent.application.command_queue import CommandQueue
from strategy_agent.application.memory_keeper import MemoryKeeper, Scene
from strategy_agent.application.parts import Parts
from strategy_agent.application.ports import Journal, MemoryStore
from strategy_agent.application.presence import Presence
from strategy_agent.application.status import CONNECTED, LOST, SIMULATION, Status, reasons_of
from strategy_core.asking import Decided
from strategy_core.deciding import DecisionFault
from strategy_core.journal import DecisionRecord
from strategy_core.memory import TraderMemory
from strategy_core.orders.memory import fill_key
from strategy_core.port import Decision, Observation
from strategy_core.risk.commands import Command, Pause, Resume
from strategy_core.risk.status import StatusChange, StatusMachine
from suite.account.events import StatePush
from suite.account.view import view_of
from suite.contracts.clock import AccountView, WaitReply
from suite.contracts.hyperliquid_info import UserFill
from suite.contracts.venue import Action
from suite.enums import TraderStatus
from suite.errors import Conflict, StorageError

_LOOK: Final = "look"
"""Why a turn is taken that somebody wants only to see what is so."""
_FILLS_KNOWN: Final = 2000
"""The latest fills, by which one that is told again is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Orders asked for from outside, and who waits for what becomes of them."""

    actions: tuple[Action, ...]
    told: "asyncio.Future[DecisionRecord]"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ordered:
    """A decision made for the strategy, and who waits for what becomes of it."""

    decision: Decision
    told: "asyncio.Future[DecisionRecord]"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """A command, and who waits for what it changes."""

    command: Command
    told: "asyncio.Future[str]"


class WatchedRun:
    """The runs of one trader, one after the other; a `Watcher` of each.

    Args:
        status: of the trader; written here while a run is driven.
        alerts: of the trader.

    Attributes:
        memory: of the present or last run, None before the first; the loop's, to be read only.
        urgent: something came since the venue's last reply that wants a turn at once.
        latest_market_data: the last snapshot of each coin.
        latest_funding_rate: the last settled rate of each coin, as its snapshot says it.
        latest_account_data: the account as the venue last showed it, None before that.
        queue: commands that came and are not obeyed yet.
        store: of the memory, None before the first connection.
        scene: of the present turn, None before the first reply.
        world: of the venue, that the present or last run is of; None before the first.
    """

    def __init__(self, status: Status, alerts: Alerts) -> None:
        self.memory: TraderMemory | None = None
        self.urgent = False
        self.latest_market_data: dict[str, Mapping[str, Any]] = {}
        self.latest_funding_rate: dict[str, Any] = {}
        self.latest_account_data: AccountView | None = None
        self.queue = CommandQueue()
        self.store: MemoryStore | None = None
        self.scene: Scene | None = None
        self.world: str | None = None
        self._next_world = ""
        self._status = status
        self._alerts = alerts
        self._keeper: MemoryKeeper | None = None
        self._journal: Journal | None = None
        self._goes_on = False
        self._fills: dict[str, None] = {}
        self._refused: set[str] = set()
        self._waiting: list[_Asked] = []
        self._carried: list[_Asked] = []
        self._given: list[_Given] = []
        self._ordered: _Ordered | None = None
        self._obeyed: _Ordered | None = None
        self._looks = self._asks = False
        self._next_turns: list[asyncio.Future[str]] = []
        self._model_fault = ""

    def connected(self, parts: Parts) -> None:
        """Learn where the next run keeps what it remembers and tells."""
        self._journal, self.store = parts.journal, parts.memory
        self._next_world = parts.clock.world
        self._goes_on = parts.clock.mode != "lockstep"  # a full disk holds back no exit
        presence = parts.presence
        presence.on_change = lambda: self._see_venue(presence)
        self._see_venue(presence)

    def disconnected(self, parts: Parts, *, tries_again: bool) -> None:
        """Learn that the run is over; a venue that is lost stays so until there is another one."""
        status = self._status
        parts.presence.on_change = lambda: None
        status.waits_for = ()
        if not tries_again or not status.lost_since_ms:
            status.connection, status.lost_since_ms, status.lost_reason = SIMULATION, 0, ""

    def _see_venue(self, presence: Presence) -> None:
        """Show whether the venue is there and its world has begun; tell what has changed."""
        status, since_ms = self._status, presence.lost_since_ms
        if since_ms is not None:
            status.connection = LOST
            if not status.lost_since_ms:
                status.lost_since_ms, status.lost_reason = since_ms, presence.reason
                self._alerts.tell("connection", f"the venue is lost: {presence.reason}")
        else:
            status.connection = CONNECTED
            if status.lost_since_ms:
                status.lost_since_ms, status.lost_reason = 0, ""
                self._alerts.tell("connection", "the venue is back")
        if presence.waits_for != status.waits_for:
            status.waits_for = presence.waits_for
            self._alerts.tell("world", status.obstacle if status.waits_for else "it has begun")

    def ask(self, actions: Sequence[Action]) -> "asyncio.Future[DecisionRecord]":
        """Have orders placed with the next decision; its record comes, or the future is canceled.

        Raises:
            Conflict: the trader is STOPPED and decides nothing.
        """
        if self._status.status == TraderStatus.STOPPED:
            raise Conflict(f"{self._status.trader_id} is STOPPED and decides nothing")
        told: asyncio.Future[DecisionRecord] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Asked(actions=tuple(actions), told=told))
        self._asks = True
        return told

    def execute(self, decision: Decision) -> "asyncio.Future[DecisionRecord]":
        """Have a decision carried out in the strategy's place, by the next turn; its record comes.

        Raises:
            Conflict: the trader is STOPPED and decides nothing, or another one waits.
        """
        name = self._status.trader_id
        if self._status.status == TraderStatus.STOPPED:
            raise Conflict(f"{name} is STOPPED and decides nothing")
        if self._ordered is not None or self._obeyed is not None:
            raise Conflict(f"{name} carries out another decision; one at a time")
        told: asyncio.Future[DecisionRecord] = asyncio.get_running_loop().create_future()
        self._ordered, self._asks = _Ordered(decision=decision, told=told), True
        return told

    def withdraw(self) -> bool:
        """Take back a decision that no turn has taken yet; say whether there was one."""
        ordered, self._ordered = self._ordered, None
        if ordered is not None:
            ordered.told.cancel()
        return ordered is not None

    def put(self, command: Command) -> "asyncio.Future[str]":
        """Accept a command.

        Returns:
            What becomes of it, once a turn has taken it: what changed, or a `Conflict` that says
            why it was refused.
        """
        self.queue.put(command)
        self._asks = True
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._given.append(_Given(command=command, told=told))
        return told

    def next_turn(self, *, looks: bool = False) -> "asyncio.Future[str]":
        """Say when the next turn begins.

        Args:
            looks: it is wanted for what it sees only; the strategy is not asked for it.
        """
        self._looks |= looks
        self._asks |= not looks
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._next_turns.append(told)
        return told

    async def leave(self) -> None:
        """Have the memory let go of the last request: its answer is nobody's any more."""
        if self._keeper is None:
            return
        pending = self._keeper.leave()
        try:
            if pending is not None:
                self.recorded(pending)
        except StorageError as fault:
            self._alerts.tell("failure", f"the last turn is not in the journal: {fault}")
        try:
            await self._keeper.finish()
        except Exception as fault:  # noqa: BLE001  the end of a run must come to its own end
            self._alerts.tell("failure", f"{fault}; it is tried again before the next start")

    async def left(self) -> None:
        """See to it that the next run finds what the last one has left.

        Raises:
            StorageError: the disk still refuses it; a run that began now would go on with a reply
                from before its entries were canceled.
        """
        if self._keeper is not None:
            await self._keeper.finish()

    def over(self) -> None:
        """Tell who waits for orders or a turn that none comes any more; commands are kept."""
        for asked in self._waiting + self._carried:
            asked.told.cancel()
        self.withdraw()
        if self._obeyed is not None:
            self._obeyed.told.cancel()
        self._obeyed, self.scene = None, None
        self._waiting, self._carried = [], []
        for told in self._next_turns:
            told.cancel()
        self._next_turns = []
        self._status.deciding_since_ms = 0

    def forget_commands(self) -> None:
        """Drop commands that no turn took: the world that they were about is over."""
        self.queue.clear()
        for given in self._given:
            given.told.cancel()
        self._given = []

    def decisions(self, limit: int, before: int | None) -> list[dict[str, Any]]:
        """Read the journal of the present or last run back, newest decision first.

        Before the first run of a process has begun the journal is of another process, and perhaps
        of another world.
        """
        if self._journal is None or self.world is None:
            return []
        return self._journal.decisions(limit, before)

    # what the run tells it

    def began(self, keeper: MemoryKeeper, commands: tuple[Command, ...]) -> None:
        """See what the run begins with."""
        self._keeper, self.memory, self._status.error = keeper, keeper.memory, ""
        self.world = self._next_world
        self._refused.clear()
        self.queue.begin(commands)

    def commands(self) -> tuple[Command, ...]:
        """Hand over the commands that came since the last turn."""
        return self.queue.take()

    def answered(self, command: Command, change: StatusChange) -> None:
        """Tell who gave a command what it changed, or why it was refused."""
        taken = [given for given in self._given if given.command is command]
        self._given = [given for given in self._given if given.command is not command]
        for told in (given.told for given in taken if not given.told.done()):
            if change.refused:
                asked = isinstance(command, Resume) and change.causes
                left = f" ({', '.join(change.causes)})" if asked else ""
                told.set_exception(Conflict(f"{change.refused}{left}"))
                told.exception()  # it may be that nobody asks for it
            else:
                after = change.after.value
                told.set_result(after if change.before == after else f"{change.before} -> {after}")

    def kept(self, fault: StorageError | None) -> None:
        """See that what the last turn took is remembered, or why it is not."""
        self._disk_refuses("memory_not_kept", fault)
        if fault is not None or self.store is None:
            return
        if not (self.queue.obeyed() or "commands_not_kept" in self._refused):
            return
        try:
            self.store.keep_commands(self.queue.lasting)
        except StorageError as refused:
            if not self._goes_on:
                raise
            fault = refused
        self._disk_refuses("commands_not_kept", fault)

    @property
    def trouble(self) -> tuple[str, ...]:
        """Why no new risk may be taken at present, as far as the disk is concerned."""
        return tuple(self._refused)

    def _disk_refuses(self, cause: str, fault: StorageError | None) -> None:
        """Note what the disk does not take; when it begins, the next turn is wanted at once."""
        if fault is None:
            self._refused.discard(cause)
        elif cause not in self._refused:
            self._refused.add(cause)
            self.urgent = True
            self._alerts.tell("failure", f"{fault}; until it can be kept, only exits go out")

    def seen(self, reply: WaitReply) -> WaitReply:
        """Say how the trader shall see a reply: one who only looks asks no strategy."""
        if self._keeper is not None:
            self.scene = self._keeper.scene(reply)
        only_looks, self._looks, self._asks = self._looks and not self._asks, False, False
        if not only_looks or "asked" not in reply.woke_by:
            return reply
        reasons = tuple(reason for reason in reply.woke_by if reason != "asked")
        return msgspec.structs.replace(reply, woke_by=reasons or (_LOOK,))

    def shown(self, reply: WaitReply) -> None:
        """See what the venue answered."""
        status, self.urgent = self._status, False
        status.state, status.now_ms = "running", reply.now_ms
        status.fills += sum(map(self._is_new, reply.fills))
        turns, self._next_turns = self._next_turns, []
        for told in (told for told in turns if not told.done()):
            told.set_result("its turn has begun")
        if reply.account is not None:
            self.see_account(reply.account)
        if reply.snapshots:
            self.see_market(reply.snapshots)

    def _is_new(self, fill: UserFill) -> bool:
        """Whether a fill is told for the first time; a join tells the latest again."""
        key = fill_key(fill)
        known = key in self._fills
        self._fills[key] = None
        while len(self._fills) > _FILLS_KNOWN:
            del self._fills[next(iter(self._fills))]
        return not known

    def moved(self, memory: TraderMemory) -> None:
        """See what the trader may do after this move, and why."""
        state, status = memory.risk.state, self._status
        before, known = status.status, status.causes
        status.causes = {name: cause.reason for name, cause in state.causes.items()}
        allocation = memory.risk.allocation
        status.allocation = "" if allocation is None else f"{allocation:f}"
        status.status = StatusMachine(state, symbols=status.symbols).status.value
        new = {name: why for name, why in status.causes.items() if name not in known}
        if status.status != before:
            told = f"{before} -> {status.status}: {reasons_of(status.causes)}"
            self._alerts.tell("status", told)
        elif new:
            told = f"{status.status} for another cause too: {reasons_of(new)}"
            self._alerts.tell("status", told)

    def asked(self, wall_ms: int) -> None:
        """See that the strategy is asked, or still is."""
        self._status.deciding_since_ms = self._status.deciding_since_ms or wall_ms

    def given(self) -> Decision | None:
        """Take a decision that somebody else has made; the turn after it tells what became of it.

        That turn is at once, and is one that only looks.
        """
        if self._ordered is None:
            return None
        self._obeyed, self._ordered = self._ordered, None
        self._looks = self.urgent = True
        return self._obeyed.decision

    def decided(self, observation: Observation, answer: Decided) -> Decided:
        """See what the strategy answered, and add what was asked for from outside.

        Orders from outside go out without the strategy where it fails; its pause comes then with
        the next turn, which is at once.
        """
        self._status.deciding_since_ms = 0
        self._status.decisions += 1
        if self._ordered is not None:  # it waited for this thought to come to its end
            self.urgent = self._asks = True
        fault = answer.reason if isinstance(answer, DecisionFault) else ""
        if fault:
            self._status.faults += 1
            self._status.last_fault = fault
            self._alerts.tell("decision", fault)
        elif isinstance(answer, Decision) and answer.thought is not None:
            self._see_model(answer.thought.trouble)
        if not self._waiting:
            return answer
        self._carried, self._waiting = self._waiting, []
        asked = tuple(action for one in self._carried for action in one.actions)
        if not isinstance(answer, DecisionFault):
            return replace(answer, actions=(*asked, *answer.actions))
        self.queue.put(Pause(actor="loop", reason=fault[:500], cause="strategy"))
        self.urgent = True
        return Decision(actions=asked, reasoning=f"orders from outside only: {fault}")

    def _see_model(self, fault: str) -> None:
        """Tell once that a model moves nothing, and why; it is asked again."""
        if fault and fault != self._model_fault:
            self._alerts.tell("model", fault)
        self._model_fault = self._status.model_fault = fault

    def recorded(self, record: DecisionRecord) -> None:
        """See what became of a decision."""
        self._status.turn = record.decision
        for change in record.changes:
            if change.refused:
                told = f"{change.event} by {change.actor} refused: {change.refused}"
                self._alerts.tell("command", told)
        if record.verdicts:
            kept_back = (one for one in record.verdicts if one.outcome != "accepted")
            self._status.last_verdict = str(next(kept_back, record.verdicts[-1]))
        if self._journal is not None:
            try:
                self._journal.write("decision", record)
            except StorageError as fault:
                if not self._goes_on:
                    raise
                self._disk_refuses("journal_not_kept", fault)
            else:
                self._disk_refuses("journal_not_kept", None)
        obeyed, self._obeyed = self._obeyed, None
        if obeyed is not None and not obeyed.told.done():
            obeyed.told.set_result(record)
        carried, self._carried = self._carried, []
        for asked in carried:
            if not asked.told.done():
                asked.told.set_result(record)

    def forgot(self, reason: str) -> None:
        """Tell that the strategy goes on without what it should have remembered."""
        self._alerts.tell("decision", reason)

    def told(self, of_itself: dict[str, Any]) -> None:
        """Show what the strategy tells people of itself."""
        self._status.strategy = of_itself

    def missed(self) -> None:
        """Note that a sign of life did not get through."""
        self._status.missed_heartbeats += 1

    def see_account(self, account: AccountView) -> None:
        """Take over what the venue says of the account."""
        self.latest_account_data = account
        self._status.show(account)

    def see_state(self, push: StatePush) -> None:
        """Take over what the venue answered when it was asked; nonsense is not shown."""
        with suppress(ValueError):
            self.see_account(view_of(push.state, push.open_orders))

    def see_market(self, snapshots: Mapping[str, Mapping[str, Any]]) -> None:
        """Take over snapshots."""
        self.latest_market_data.update(snapshots)
        for coin, snapshot in snapshots.items():
            self.latest_funding_rate[coin] = snapshot.get("funding")
