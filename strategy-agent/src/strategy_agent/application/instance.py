"""One trader of the process: its own strategy, connection, memory and journal.

Whatever goes wrong in it ends here: its status says so, an alert is raised, and the others go on.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import msgspec

from strategy_agent.application.command_queue import CommandQueue
from strategy_agent.application.driving import drive
from strategy_agent.application.parts import Parts, ProcessContext
from strategy_agent.application.pnl_and_fees import PnlReport, fetch_pnl_and_fees
from strategy_agent.application.ports import Journal, MemoryStore
from strategy_agent.application.retrying import Retries
from strategy_agent.application.status import SIMULATION, Alert, Status, reasons_of
from strategy_agent.application.thinking import Decided
from strategy_core.deciding import DecisionFault
from strategy_core.journal import DecisionRecord, TraderResult
from strategy_core.memory import TraderMemory
from strategy_core.port import Decision, Observation
from strategy_core.risk.commands import Command, Pause
from strategy_core.risk.status import StatusMachine
from suite.contracts.clock import AccountView, WaitReply
from suite.contracts.hyperliquid_info import OpenOrder
from suite.contracts.trader import TraderSpec
from suite.contracts.venue import Action, CancelOrder
from suite.enums import TraderStatus
from suite.errors import Conflict, StorageError, SuiteError, one_line

CANCEL_LIMIT_S: Final = 10.0
"""How long a stop may take to cancel what rests at the venue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Orders asked for from outside, and who waits for what becomes of them."""

    actions: tuple[Action, ...]
    told: "asyncio.Future[DecisionRecord]"


class StrategyInstance:
    """One trader, from its start to its end, and perhaps again.

    Attributes:
        spec: the trader.
        written: its configuration as it was written, secrets by their names.
        status: what it is doing.
        alert: the last thing that a person should know, None for nothing yet.
        latest_market_data: the last snapshot of each coin.
        latest_funding_rate: the last settled rate of each coin, as its snapshot says it.
        latest_account_data: the account as the venue last showed it, None before that.
        result: of the last run that came to an end.
        failure: why it failed for good, None when it did not.
        memory: of the present or last run, None before the first; the loop's, to be read only.
        urgent: something came since the venue's last reply that wants a turn at once.

    Args:
        on_alert: told of each alert.
    """

    def __init__(
        self,
        spec: TraderSpec,
        context: ProcessContext,
        *,
        written: Mapping[str, Any] | None = None,
        on_alert: Callable[[Alert], None] = lambda _: None,
    ) -> None:
        self.spec = spec
        self.written = written if written is not None else msgspec.to_builtins(spec)
        self.status = Status(spec.trader_id, spec.strategy.kind, spec.symbols)
        self.alert: Alert | None = None
        self.latest_market_data: dict[str, Mapping[str, Any]] = {}
        self.latest_funding_rate: dict[str, Any] = {}
        self.latest_account_data: AccountView | None = None
        self.result: TraderResult | None = None
        self.failure: SuiteError | None = None
        self.memory: TraderMemory | None = None
        self.urgent = False
        self._context = context
        self._on_alert = on_alert
        self._parts: Parts | None = None
        self._journal: Journal | None = None
        self._task: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()
        self._try_now = asyncio.Event()
        self._real_time = False
        self._retries = Retries(())
        self._stops = self._leaves = False
        self._notes: list[dict[str, Any]] = []
        self._queue = CommandQueue()
        self._refused: set[str] = set()
        self._store: MemoryStore | None = None
        self._waiting: list[_Asked] = []
        self._carried: list[_Asked] = []

    # from its start to its end

    @property
    def running(self) -> bool:
        """Its task has not ended."""
        return self._task is not None and not self._task.done()

    @property
    def use_real_exchange(self) -> bool:
        """It is connected: orders reach its exchange, be that a simulated one."""
        return self._parts is not None

    def start(self) -> None:
        """Begin to trade; nothing when it does already. One that waits for a try, tries now."""
        self._try_now.set()
        if not self.running:
            self.failure, self.status.error, self.status.state = None, "", "starting"
            self.status.retries, self._stops, self._real_time = 0, False, False
            self._settled.clear()
            self._task = asyncio.create_task(self._run(), name=self.spec.trader_id)

    async def connected(self) -> bool:
        """Wait until it is connected, or cannot be; say which."""
        await self._settled.wait()
        return self.use_real_exchange

    async def finished(self) -> None:
        """Wait until it has ended; the outcome is in `result` and `failure`."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def stop(self, *, leave: bool = False) -> None:
        """End the task: what could still open a position is canceled, what protects one stays.

        Args:
            leave: tell the venue that time need not wait for this account any more; not where the
                trader is to come back.
        """
        if self._task is not None and not self._task.done():
            self.status.state, self._stops, self._leaves = "stopping", True, leave
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        try:
            await self._supervised()
        except asyncio.CancelledError:
            self.status.state = "idle"
        finally:
            self._settled.set()

    async def _supervised(self) -> None:
        """Trade; where that fails in real time, do so again after a pause."""
        self._retries = Retries(self._context.retry_pauses_s)
        while (pause_s := await self._connect_and_trade()) is not None:
            self._try_now.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._try_now.wait(), pause_s)
            self.status.state = "starting"

    async def _connect_and_trade(self) -> float | None:
        """Do one run; say after how long it is to be tried again, None for not again."""
        begun_s = asyncio.get_running_loop().time()
        try:
            parts = await self._context.connect(self.spec)
        except Exception as error:  # noqa: BLE001  of this trader alone
            return self._failed(error, begun_s)
        self._parts, self._journal, self._store = parts, parts.journal, parts.memory
        self._real_time = parts.clock.mode == "wall"
        self.status.connection = "connected"
        self._settled.set()
        pause_s: float | None = None
        try:
            await self._trade(parts)
        except asyncio.CancelledError:
            await self._cancel_entries(parts)
            if self._leaves:
                with contextlib.suppress(SuiteError):
                    await parts.leave()
            raise
        except Exception as error:  # noqa: BLE001  of this trader alone
            await self._cancel_entries(parts)
            pause_s = self._failed(error, begun_s)
        finally:
            self._parts, self.status.connection = None, SIMULATION
            for asked in self._waiting + self._carried:
                asked.told.cancel()
            self._waiting, self._carried = [], []
            await self._let_go(parts)
        return pause_s

    async def _trade(self, parts: Parts) -> None:
        self._write_notes(parts)
        self.result = await drive(self.spec, parts, self._context, self)
        self._queue.clear()
        self.status.state, self.status.now_ms = "ended", self.result.ended_ms
        self.status.equity = str(self.result.equity)
        parts.journal.write("result", self.result)

    async def _let_go(self, parts: Parts) -> None:
        try:
            await parts.close()
        except Exception as error:  # noqa: BLE001  a run that is over must not fail by it
            self._tell("failure", f"what it used could not be closed: {self._fault_of(error)}")

    async def _cancel_entries(self, parts: Parts) -> None:
        """Cancel what could still open a position; orders it did not place itself are told."""
        try:
            async with asyncio.timeout(CANCEL_LIMIT_S):
                view = await parts.account.fetch_account()
                self._see_account(view)
                entries = [order for order in view.open_orders if not order.reduceOnly]
                foreign = [order.oid for order in entries if not self._placed(order)]
                own = [CancelOrder(coin=o.coin, oid=o.oid) for o in entries if self._placed(o)]
                replies = await parts.cancel(own) if own else ()
        except Exception as error:  # noqa: BLE001  the end of a run must come to its own end
            reason = str(error) or f"no answer within {CANCEL_LIMIT_S:g} s"
            self._tell("stop", f"resting orders may be left at the venue: {reason}")
            return
        refused = [reply.response for reply in replies if reply.status == "err"]
        if refused:
            self._tell("stop", f"{len(refused)} cancellations were refused: {refused[0]}")
        if foreign:
            self._tell("stop", f"orders of others are left as they are: {foreign}")

    def _placed(self, order: OpenOrder) -> bool:
        """Whether an order is the trader's own."""
        if self.memory is None:
            return False
        orders = self.memory.orders
        named = order.cloid is not None and orders.child(order.cloid.lower()) is not None
        return named or orders.child_of(order.oid) is not None

    def _failed(self, error: Exception, begun_s: float) -> float | None:
        """Say after how long a run that failed is tried again; one that was stopped is not."""
        if self._stops:
            self.status.state = "idle"
            return None
        fault, retries = self._fault_of(error), self._retries
        self.status.error = str(fault)
        lasted_s = asyncio.get_running_loop().time() - begun_s
        pause_s = retries.pause_s(fault, lasted_s=lasted_s) if self._real_time else None
        if pause_s is None:
            self.failure, self.status.state = fault, "failed"
            self._tell("connection" if self.memory is None else "failure", str(fault))
        else:
            self.status.state, self.status.retries = "retrying", retries.count
            said = f"{fault}; failure {retries.count}, tried again in {pause_s:g} s"
            self._tell("failure", said)
        return pause_s

    def _fault_of(self, error: Exception) -> SuiteError:
        if isinstance(error, SuiteError):
            return error
        said = f"trader {self.spec.trader_id} failed: {type(error).__name__}: {error}"
        fault = SuiteError(said)
        fault.__cause__ = error
        return fault

    def _tell(self, kind: str, text: str) -> None:
        self.alert = Alert(
            trader_id=self.spec.trader_id,
            at_ms=self._context.wall.now_ms(),
            kind=kind,
            text=one_line(text),
        )
        self.status.alert = f"{kind}: {self.alert.text}"
        if self._parts is not None:
            with contextlib.suppress(SuiteError):
                self._parts.journal.write("alert", asdict(self.alert))
        self._on_alert(self.alert)

    # what others tell it

    def command(self, command: Command) -> None:
        """Give a command; it takes effect at once, in a turn of its own, or with the next run.

        Raises:
            Conflict: the instance is not connected nor about to be again, so nothing can obey.
            StorageError: it is obeyed, but cannot be kept or journaled.
        """
        if self._store is None or self.status.state != "retrying":
            self._wake(self._connected())
        self._queue.put(command)
        fields = msgspec.to_builtins(command)
        try:
            if self._store is not None:
                self._store.keep_commands(self._queue.lasting)
            self.note(fields.pop("type"), **fields)
        except StorageError as error:
            said = f"it is obeyed, but a restart may not know of it: {error}"
            raise StorageError(said) from None

    def run_once(self, actor: str, reason: str) -> None:
        """Wake the trader now.

        Raises:
            Conflict: the instance is not connected.
        """
        self._wake(self._connected())
        self.note("run-once", actor=actor, reason=reason)

    def note(self, command: str, **fields: Any) -> None:
        """Keep in the journal what a person or a program wanted; once it is open, if it is not."""
        self._notes.append({"command": command, "at_ms": self._context.wall.now_ms(), **fields})
        if self._parts is not None:
            self._write_notes(self._parts)

    def _write_notes(self, parts: Parts) -> None:
        while self._notes:
            parts.journal.write("command", self._notes[0])
            del self._notes[0]

    async def place_orders(self, actions: Sequence[Action]) -> DecisionRecord:
        """Have orders placed with the trader's next decision, after the same guards as its own.

        Returns:
            The record of that decision, once the venue has answered: the verdicts and results of
            these orders come first in it.

        Raises:
            Conflict: in simulation mode, STOPPED, or it ends before the answer.
        """
        parts = self._connected()
        if self.status.status == TraderStatus.STOPPED:
            raise Conflict(f"{self.spec.trader_id} is STOPPED and decides nothing")
        told: asyncio.Future[DecisionRecord] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Asked(actions=tuple(actions), told=told))
        self._wake(parts)
        try:
            return await told
        except asyncio.CancelledError:
            if told.cancelled() and self._parts is None:
                raise Conflict("the instance stopped before its orders were answered") from None
            raise

    # what others ask it

    async def fetch_market_data(self) -> dict[str, Mapping[str, Any]]:
        """Ask for a snapshot of each coin, now."""
        parts = self._connected()
        return {coin: await parts.market.snapshot(coin, None) for coin in self.spec.symbols}

    async def fetch_open_orders(self) -> tuple[OpenOrder, ...]:
        """Ask the venue for the account's open orders, now."""
        return (await self._connected().account.fetch_account()).open_orders

    async def fetch_pnl_and_fees(self, start_time: int) -> PnlReport:
        """Ask the venue what the account's trades and positions brought.

        Args:
            start_time: of the first fill or payment that counts, the venue's time, epoch ms.
        """
        account = self._connected().account
        fills = await account.fetch_fills(start_time)
        fundings = await account.fetch_fundings(start_time)
        return fetch_pnl_and_fees(start_time, fills=fills, fundings=fundings)

    async def refresh_data(self) -> bool:
        """Ask for account and market data now; between two turns they come by themselves.

        Returns:
            Whether all of it is fresh; where not, an alert says why.
        """
        try:
            self.latest_account_data = await self._connected().account.fetch_account()
            self._see_market(await self.fetch_market_data())
        except SuiteError as error:
            self._tell("connection", f"data could not be refreshed: {error}")
            return False
        return True

    def decisions(self, limit: int, before: int | None) -> list[dict[str, Any]]:
        """Read the journal back, newest decision first."""
        return self._journal.decisions(limit, before) if self._journal is not None else []

    def _wake(self, parts: Parts) -> None:
        self.urgent = True
        parts.steps.wake()

    def _connected(self) -> Parts:
        if self._parts is None:
            reason = f": {self.status.error}" if self.status.error else ""
            raise Conflict(f"{self.spec.trader_id} is in {SIMULATION}{reason}")
        return self._parts

    # what the run tells it

    def began(self, memory: TraderMemory, commands: tuple[Command, ...]) -> None:
        """See what the run begins with."""
        self.memory, self.status.error = memory, ""
        self._refused.clear()
        self._queue.begin(commands)

    def commands(self) -> tuple[Command, ...]:
        """Hand over the commands that came since the last turn."""
        return self._queue.take()

    def kept(self, fault: StorageError | None) -> None:
        """See that what the last turn took is remembered, or why it is not."""
        self._disk_refuses("memory_not_kept", fault)
        if fault is None and self._queue.obeyed() and self._store is not None:
            self._store.keep_commands(self._queue.lasting)

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
            self._tell("failure", f"{fault}; until it can be kept, only exits go out")

    def shown(self, reply: WaitReply) -> None:
        """See what the venue answered."""
        status, self.urgent = self.status, False
        status.state, status.now_ms = "running", reply.now_ms
        status.fills += len(reply.fills)
        if reply.account is not None:
            self._see_account(reply.account)
        if reply.snapshots:
            self._see_market(reply.snapshots)

    def moved(self, memory: TraderMemory) -> None:
        """See what the trader may do after this move, and why."""
        state, status = memory.risk.state, self.status
        before, known = status.status, status.causes
        status.causes = {name: cause.reason for name, cause in state.causes.items()}
        status.status = StatusMachine(state, symbols=self.spec.symbols).status.value
        new = {name: why for name, why in status.causes.items() if name not in known}
        if status.status != before:
            self._tell("status", f"{before} -> {status.status}: {reasons_of(status.causes)}")
        elif new:
            self._tell("status", f"{status.status} for another cause too: {reasons_of(new)}")

    def decided(self, observation: Observation, answer: Decided) -> Decided:
        """See what the strategy answered, and add what was asked for from outside.

        Orders from outside go out without the strategy where it fails; its pause comes then with
        the next turn, which is at once.
        """
        fault = answer.reason if isinstance(answer, DecisionFault) else ""
        if fault:
            self.status.faults += 1
            self.status.last_fault = fault
            self._tell("decision", fault)
        if not self._waiting:
            return answer
        self._carried, self._waiting = self._waiting, []
        asked = tuple(action for one in self._carried for action in one.actions)
        if not isinstance(answer, DecisionFault):
            return replace(answer, actions=(*asked, *answer.actions))
        self._queue.put(Pause(actor="loop", reason=fault[:500], cause="strategy"))
        self.urgent = True
        return Decision(actions=asked, reasoning=f"orders from outside only: {fault}")

    def recorded(self, record: DecisionRecord) -> None:
        """See what became of a decision."""
        self.status.decisions = record.decision
        for change in record.changes:
            if change.refused:
                self._tell("command", f"{change.event} by {change.actor} refused: {change.refused}")
        if record.verdicts:
            self.status.last_verdict = str(record.verdicts[-1])
        if self._journal is not None:
            try:
                self._journal.write("decision", record)
            except StorageError as fault:
                if not self._real_time:
                    raise
                self._disk_refuses("journal_not_kept", fault)
            else:
                self._disk_refuses("journal_not_kept", None)
        carried, self._carried = self._carried, []
        for asked in carried:
            if not asked.told.done():
                asked.told.set_result(record)

    def missed(self) -> None:
        """Note that a sign of life did not get through."""
        self.status.missed_heartbeats += 1

    def _see_account(self, account: AccountView) -> None:
        self.latest_account_data = account
        self.status.show(account)

    def _see_market(self, snapshots: Mapping[str, Mapping[str, Any]]) -> None:
        self.latest_market_data.update(snapshots)
        for coin, snapshot in snapshots.items():
            self.latest_funding_rate[coin] = snapshot.get("funding")
