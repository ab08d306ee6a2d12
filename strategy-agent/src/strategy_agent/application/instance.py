"""One trader of the process: its own strategy, connection, memory and journal.

Whatever goes wrong in it ends here: its status says so, an alert is raised, and the others go on.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from strategy_agent.application.alerts import Alerts
from strategy_agent.application.driving import drive
from strategy_agent.application.parts import Parts, ProcessContext
from strategy_agent.application.pnl_and_fees import PnlReport, fetch_pnl_and_fees
from strategy_agent.application.rehearsing import Proposal, rehearse
from strategy_agent.application.retrying import FINAL, Retries, may_be_tried_again
from strategy_agent.application.status import SIMULATION, Alert, Status
from strategy_agent.application.stopping import cancel_entries
from strategy_agent.application.venue_world import WorldChanged
from strategy_agent.application.watched_run import WatchedRun
from strategy_core.journal import DecisionRecord, TraderResult
from strategy_core.memory import TraderMemory
from strategy_core.port import Decision
from strategy_core.risk.commands import Command, Pause
from suite.contracts.clock import AccountView, ClockMode
from suite.contracts.guards import GuardSummary
from suite.contracts.hyperliquid_info import OpenOrder
from suite.contracts.trader import TraderSpec
from suite.contracts.venue import Action
from suite.errors import Conflict, InUse, StorageError, SuiteError

LOOK_LIMIT_S: Final = 3.0
"""How long a turn is waited for that brings what is so now; then the last one counts."""
EXECUTE_LIMIT_S: Final = 5.0
"""How long a decision waits for a turn that takes it."""
STARTER: Final = "starter"
"""In whose name one begins PAUSED: whoever starts it."""
LEAVE_LIMIT_S: Final = 10.0
"""How long the venue may take to hear that time need not wait any more."""


class StrategyInstance:
    """One trader, from its start to its end, and perhaps again.

    Attributes:
        spec: the trader.
        written: its configuration as it was written, secrets by their names.
        status: what it is doing.
        alerts: what a person should know.
        result: of the last run that came to an end.
        failure: why it failed for good, None when it did not.
        run: what the present or last run shows.
        leaves: its next end is for good: it tells the venue that time need not wait for it any
            more. One that is to come back goes on in the middle of its step instead.

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
        self.alerts = Alerts(self.status, context.wall, on_alert)
        self.run = WatchedRun(self.status, self.alerts)
        self.result: TraderResult | None = None
        self.failure: SuiteError | None = None
        self._context = context
        self._parts: Parts | None = None
        self._task: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()
        self._try_now = asyncio.Event()
        self._mode: ClockMode | None = None
        self._retries = Retries(())
        self._stops = self.leaves = False
        self._notes: list[dict[str, Any]] = []

    # what it shows

    @property
    def alert(self) -> Alert | None:
        """The last thing that a person should know, None for nothing yet."""
        return self.alerts.last

    @property
    def latest_market_data(self) -> dict[str, Mapping[str, Any]]:
        """The last snapshot of each coin."""
        return self.run.latest_market_data

    @property
    def latest_funding_rate(self) -> dict[str, Any]:
        """The last settled rate of each coin, as its snapshot says it."""
        return self.run.latest_funding_rate

    @property
    def latest_account_data(self) -> AccountView | None:
        """The account as the venue last showed it, None before that."""
        return self.run.latest_account_data

    @property
    def memory(self) -> TraderMemory | None:
        """What the present or last run remembers, None before the first; to be read only."""
        return self.run.memory

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
            self.status.lasting = False
            self.status.retries, self.status.stopped = 0, ""
            self._stops, self.leaves, self._mode = False, False, None
            self._settled.clear()
            self._task = asyncio.create_task(self._run(), name=self.spec.trader_id)

    def begin_paused(self, reason: str) -> None:
        """Have its first turn take a pause that ends by a person's resume; before its start."""
        self.run.queue.put(Pause(actor=STARTER, reason=reason))
        self.note("pause", actor=STARTER, reason=reason)

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
            leave: it does not come back, see `leaves`.
        """
        if self._task is not None and not self._task.done():
            self.status.state, self._stops = "stopping", True
            self.leaves = self.leaves or leave
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
        """Trade; where that fails and the world goes on, do so again after a pause."""
        self._retries = Retries(self._context.retry_pauses_s)
        while (pause_s := await self._connect_and_trade()) is not None:
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
        self._parts, self._mode = parts, parts.clock.mode
        self.alerts.journal = parts.journal
        self.run.connected(parts)
        self._settled.set()
        pause_s: float | None = None
        try:
            await self._trade(parts)
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None:
                task.uncancel()  # Python 3.11.2 takes a limit of time below for this cancellation
            await self.run.leave()
            await self._cancel_entries(parts)
            if self.leaves:
                await self._leave_time(parts, None)
            raise
        except Exception as error:  # noqa: BLE001  of this trader alone
            pause_s = self._failed(error, begun_s)
            anew = isinstance(error, WorldChanged)
            if not (parts.resumes_steps and pause_s is not None) or anew:
                await self.run.leave()
                if not anew:  # nothing of it is in another one
                    await self._cancel_entries(parts)
        finally:
            self._parts = None
            self.run.disconnected(parts, tries_again=pause_s is not None)
            self.alerts.journal = None
            self.run.over()
            await self._let_go(parts)
        return pause_s

    async def _trade(self, parts: Parts) -> None:
        self._write_notes(parts)
        await self.run.left()
        self.result = await drive(self.spec, parts, self._context, self.run)
        self.run.forget_commands()
        self.status.state, self.status.now_ms = "ended", self.result.ended_ms
        self.status.equity = str(self.result.equity)
        parts.journal.write("result", self.result)
        await self._leave_time(parts, self.result.guards)

    async def _leave_time(self, parts: Parts, guards: GuardSummary | None) -> None:
        """Tell the venue; its world may be over and gone, or not answer."""
        with contextlib.suppress(SuiteError, TimeoutError):
            async with asyncio.timeout(LEAVE_LIMIT_S):
                await parts.leave(guards)

    async def _let_go(self, parts: Parts) -> None:
        try:
            await parts.close()
        except Exception as error:  # noqa: BLE001  a run that is over must not fail by it
            self.alerts.tell(
                "failure", f"what it used could not be closed: {self._fault_of(error)}"
            )

    async def _cancel_entries(self, parts: Parts) -> None:
        run = self.run
        self.status.stopped = await cancel_entries(
            parts, run.memory, seen=run.see_state, tell=self.alerts.tell
        )

    def _failed(self, error: Exception, begun_s: float) -> float | None:
        """Say after how long a run that failed is tried again; one that was stopped is not."""
        if self._stops:
            self.status.state = "idle"
            return None
        fault, retries = self._fault_of(error), self._retries
        self.status.error = str(fault)
        self.status.lasting = isinstance(fault, FINAL) and not isinstance(fault, InUse)
        lasted_s = asyncio.get_running_loop().time() - begun_s
        pause_s = None
        if may_be_tried_again(fault, self._mode, patient=self._context.patient):
            pause_s = retries.pause_s(fault, lasted_s=lasted_s)
        if pause_s is None:
            self.failure, self.status.state = fault, "failed"
            self.alerts.tell("connection" if self.run.memory is None else "failure", str(fault))
        else:
            self._try_now.clear()  # whoever says start from here on means the next try
            self.status.state, self.status.retries = "retrying", retries.count
            said = f"{fault}; failure {retries.count}, tried again in {pause_s:g} s"
            self.alerts.tell("world" if isinstance(fault, WorldChanged) else "failure", said)
        return pause_s

    def _fault_of(self, error: Exception) -> SuiteError:
        if isinstance(error, SuiteError):
            return error
        said = f"trader {self.spec.trader_id} failed: {type(error).__name__}: {error}"
        fault = SuiteError(said)
        fault.__cause__ = error
        return fault

    # what others tell it

    def command(self, command: Command) -> "asyncio.Future[str]":
        """Give a command; it takes effect at once, in a turn of its own, or with the next run.

        Returns:
            What becomes of it, once a turn has taken it, see `WatchedRun.put`.

        Raises:
            Conflict: the instance is not connected nor about to be again, so nothing can obey.
            StorageError: it is obeyed, but cannot be kept or journaled.
        """
        if self.run.store is None or self.status.state != "retrying":
            self._wake(self._connected())
        told = self.run.put(command)
        fields = msgspec.to_builtins(command)
        try:
            if self.run.store is not None:
                self.run.store.keep_commands(self.run.queue.lasting)
            self.note(fields.pop("type"), **fields)
        except StorageError as error:
            said = f"it is obeyed, but a restart may not know of it: {error}"
            raise StorageError(said) from None
        return told

    def run_once(self, actor: str, reason: str) -> "asyncio.Future[str]":
        """Wake the trader now.

        Returns:
            Done when its turn begins.

        Raises:
            Conflict: the instance is not connected.
        """
        self._wake(self._connected())
        told = self.run.next_turn()
        self.note("run-once", actor=actor, reason=reason)
        return told

    def adopt(self, actor: str, reason: str) -> tuple[str, ...]:
        """Believe the venue's account where it differs from its own messages: a person has looked.

        Returns:
            What had differed.

        Raises:
            Conflict: the instance is not connected, or its venue owns the steps.
            StorageError: it cannot be journaled, so nothing was adopted.
        """
        parts = self._connected()
        if parts.adopt is None:
            raise Conflict(
                f"the venue owns the steps of {self.spec.trader_id} and sends its account with "
                "each: there is nothing that could differ, so nothing to adopt"
            )
        self.note("adopt", actor=actor, reason=reason)
        differed = parts.adopt()
        self._wake(parts)
        return differed

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
        told = self.run.ask(actions)
        self._wake(parts)
        try:
            return await told
        except asyncio.CancelledError:
            if told.cancelled() and self._parts is None:
                raise Conflict("the instance stopped before its orders were answered") from None
            raise

    def look(self) -> "asyncio.Future[str] | None":
        """Have the trader take a turn for what is so now; its strategy is not asked for it.

        Returns:
            Done when the turn begins; None where the trader is not connected.
        """
        if self._parts is None:
            return None
        told = self.run.next_turn(looks=True)
        self._wake(self._parts)
        return told

    async def preview(self) -> Proposal:
        """Say what the trader would decide now; nothing of it is carried out or remembered.

        A lockstep world stands still between its turns, so there it is the last one that is seen.

        Raises:
            Conflict: the instance is not connected, has not begun, or is STOPPED.
            StorageError: it keeps no memory, so nothing can be tried.
        """
        parts = self._connected()
        if parts.clock.mode != "lockstep":
            told = self.look()
            await asyncio.wait((told,) if told else (), timeout=LOOK_LIMIT_S)
        scene, trouble = self.run.scene, (*parts.steps.trouble, *self.run.trouble)
        if scene is None:
            raise Conflict(f"{self.spec.trader_id} has not begun")
        return await rehearse(self.spec, parts, self._context, scene, trouble=trouble)

    async def execute(self, decision: Decision, *, actor: str, reason: str) -> DecisionRecord:
        """Have a decision carried out in the strategy's place, judged by what is so then.

        Returns:
            The record of that turn, once the venue has answered.

        Raises:
            Conflict: not connected, STOPPED, another decision is being carried out, or no turn took
                it in time: it is withdrawn then.
        """
        parts = self._connected()
        told = self.run.execute(decision)
        self.note("execute", actor=actor, reason=reason)
        self._wake(parts)
        try:
            await asyncio.wait((told,), timeout=EXECUTE_LIMIT_S)
            if not told.done() and self.run.withdraw():
                raise Conflict(f"no turn took it within {EXECUTE_LIMIT_S:g} s: it is withdrawn")
            return await told
        except asyncio.CancelledError:
            self.run.withdraw()
            if told.cancelled() and self._parts is None:
                raise Conflict("the instance stopped before the decision was answered") from None
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
            self.run.see_state(await self._connected().account.fetch_account())
            self.run.see_market(await self.fetch_market_data())
        except SuiteError as error:
            self.alerts.tell("connection", f"data could not be refreshed: {error}")
            return False
        return True

    def decisions(self, limit: int, before: int | None) -> list[dict[str, Any]]:
        """Read the journal back, newest decision first."""
        return self.run.decisions(limit, before)

    def _wake(self, parts: Parts) -> None:
        self.run.urgent = True
        parts.steps.wake()

    def _connected(self) -> Parts:
        if self._parts is None:
            reason = f": {self.status.error}" if self.status.error else ""
            raise Conflict(f"{self.spec.trader_id} is in {SIMULATION}{reason}")
        return self._parts
