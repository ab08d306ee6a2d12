"""The instances of one process: added, removed, started, stopped and looked at by their ids."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import msgspec

from strategy_agent.application.instance import StrategyInstance
from strategy_agent.application.parts import ProcessContext
from strategy_agent.application.status import Alert
from strategy_core.registry import problems
from strategy_core.risk.commands import Allocate, Command, Flatten, Pause, Resume, Stop
from suite.contracts.trader import TradersFileError, TraderSpec, near, parse_traders
from suite.enums import TraderStatus
from suite.errors import ConfigError, Conflict, NotFound, SuiteError

DEFAULT: Final = "default"
"""Names the first instance, whatever its id."""
OPERATOR: Final = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """Who accepted a command, and who did not and why.

    Attributes:
        accepted: whose next turn takes it.
        refused: why others do not, by trader.
        pending: what becomes of it, by trader; a `Conflict` where the turn refuses it.
    """

    accepted: tuple[str, ...]
    refused: Mapping[str, str]
    pending: Mapping[str, "asyncio.Future[str]"] = field(default_factory=dict)


class AlphaLoop:
    """Hosts strategy instances; each trades by itself, with its own account and connection.

    By default a process has one. Several in one process are for trusted code: an endless loop in
    compiled code, or a leak, is contained by a process only.

    Args:
        context: what all instances have alike.
        on_alert: told of each instance's alerts.
    """

    def __init__(
        self, context: ProcessContext, *, on_alert: Callable[[Alert], None] = lambda _: None
    ) -> None:
        self._context = context
        self._on_alert = on_alert
        self._instances: dict[str, StrategyInstance] = {}
        self._changes: set[asyncio.Task[None]] = set()
        self._stirred = asyncio.Event()
        self._closing = False

    @property
    def instances(self) -> tuple[StrategyInstance, ...]:
        """All of them, in the order in which they were added."""
        return tuple(self._instances.values())

    @property
    def misconfigured(self) -> bool:
        """Whether nothing has begun, because a person must change something for every trader."""
        return bool(self._instances) and all(
            isinstance(instance.failure, ConfigError) and instance.memory is None
            for instance in self._instances.values()
        )

    def instance(self, strategy_id: str = DEFAULT) -> StrategyInstance:
        """Find one.

        Raises:
            NotFound: there is none of that id.
        """
        found = self._instances.get(strategy_id)
        if found is None and strategy_id == DEFAULT and self._instances:
            found = next(iter(self._instances.values()))
        if found is None:
            known = ", ".join(self._instances) or "none"
            hint = near(strategy_id, self._instances)
            raise NotFound(f"no instance {strategy_id[:64]!r}{hint}; there are {known}")
        return found

    def add(
        self,
        spec: TraderSpec,
        *,
        written: Mapping[str, Any] | None = None,
        context: ProcessContext | None = None,
    ) -> StrategyInstance:
        """Take a trader in; it begins with `start`.

        Args:
            spec: the trader.
            written: its configuration as written, secrets by their names.
            context: of its own, where it has another venue than the process.

        Raises:
            Conflict: its id or its account is taken.
        """
        self._check_free(spec)
        context = context or self._context
        added = StrategyInstance(spec, context, written=written, on_alert=self._on_alert)
        self._instances[spec.trader_id] = added
        return added

    async def check(self, spec: TraderSpec, token: str | None = None) -> None:
        """Find out whether a trader could be added; nothing is changed.

        Args:
            spec: the trader.
            token: of its account, where it is not one that the process knows.

        Raises:
            Conflict: its id or its account is taken.
            TradersFileError: the venue does not trade its coins.
            SuiteError: the venue does not accept the token, refuses, or cannot be reached.
        """
        self._check_free(spec)
        await self._check_venue(spec, token)

    def _check_free(self, spec: TraderSpec) -> None:
        for other in self._instances.values():
            if spec.trader_id == other.spec.trader_id:
                raise Conflict(f"there is an instance {spec.trader_id} already")
            if spec.account_id == other.spec.account_id:
                raise Conflict(f"account {spec.account_id} is traded by {other.spec.trader_id}")

    async def _check_venue(self, spec: TraderSpec, token: str | None = None) -> None:
        found = await self._context.objections(spec, token)
        if found:
            raise TradersFileError([f"traders[{spec.trader_id}].{text}" for text in found])

    def begin(self, instance: StrategyInstance) -> None:
        """Start one of them; nothing when it trades already."""
        instance.start()
        self._stirred.set()

    def add_strategy_instance(
        self,
        strategy_id: str = DEFAULT,
        strategy_type: str = "fixed_spread",
        symbol: str | Sequence[str] = "BTC",
        **more: Any,
    ) -> StrategyInstance:
        """Take a trader in and start it, inside a running event loop.

        Args:
            strategy_id: its id, and that of its account unless `account` says otherwise.
            strategy_type: kind of its strategy.
            symbol: the coin it may trade, or several.
            more: `params` of the strategy, and the other keys of an entry of `traders.yaml`.

        Raises:
            TradersFileError: something is wrong; all of it is told.
            Conflict: its id or its account is taken.
        """
        params = more.pop("params", {})
        symbols = [symbol] if isinstance(symbol, str) else list(symbol)
        entry = {
            "trader_id": strategy_id,
            "strategy": {"kind": strategy_type, "params": params},
            "symbols": symbols,
            **more,
        }
        (spec,) = parse_traders({"traders": [entry]}, {}, check=problems).traders
        added = self.add(spec, written=entry)
        self.begin(added)
        return added

    async def let_go(self, instance: StrategyInstance) -> None:
        """Stop an instance and forget it, whatever it holds: somebody else looks after that."""
        await instance.stop()
        self._instances.pop(instance.spec.trader_id, None)
        self._stirred.set()

    async def remove_strategy_instance(
        self, strategy_id: str, *, actor: str = OPERATOR, reason: str = ""
    ) -> None:
        """Stop an instance and forget it; its journal and memory stay on disk.

        Once begun it comes to its end, also when nobody waits for it any more.

        Raises:
            NotFound: there is none of that id.
            Conflict: it holds a position, which nobody would look after.
        """
        gone = self.instance(strategy_id)
        _check_flat(gone)
        gone.note("remove", actor=actor, reason=reason)
        await self._to_its_end(self._remove(gone))

    def let_leave(self, strategy_id: str, *, actor: str = OPERATOR, reason: str = "") -> None:
        """Have an instance leave its venue's time with its next end, however that comes.

        Without it an instance that ends with its process, or is released, is to come back, and a
        venue whose time waits for it goes on waiting.

        Raises:
            NotFound: there is none of that id.
        """
        leaving = self.instance(strategy_id)
        leaving.note("leave", actor=actor, reason=reason)
        leaving.leaves = True

    async def release_strategy_instance(
        self, strategy_id: str, *, actor: str = OPERATOR, reason: str = ""
    ) -> None:
        """Stop an instance that is to come back, and let go of it, whatever it holds.

        It ends as with its process: what could open a position is canceled, what protects one
        stays, and a venue whose time waits for it goes on waiting. Once begun it comes to its end,
        also when nobody waits for it any more.

        Raises:
            NotFound: there is none of that id.
        """
        gone = self.instance(strategy_id)
        gone.note("release", actor=actor, reason=reason)
        await self._to_its_end(self._release(gone))

    async def _release(self, gone: StrategyInstance) -> None:
        await gone.stop()
        self._instances.pop(gone.spec.trader_id, None)
        self._stirred.set()

    async def _remove(self, gone: StrategyInstance) -> None:
        was_running = gone.running
        await gone.stop(leave=True)
        try:
            _check_flat(gone)  # an entry may have been filled before it was canceled
        except Conflict:
            if was_running:
                gone.start()
            raise
        self._instances.pop(gone.spec.trader_id, None)
        self._stirred.set()

    async def set_symbol(
        self,
        symbol: str | Sequence[str],
        strategy_id: str = DEFAULT,
        *,
        actor: str = OPERATOR,
        reason: str = "",
    ) -> None:
        """Let an instance trade another coin: it stops, and goes on with that.

        The venue is asked first. Once begun it comes to its end, also when nobody waits for it any
        more.

        Raises:
            NotFound: there is none of that id.
            Conflict: it holds a position in a coin that it would no longer trade.
            TradersFileError: the symbol is wrong, or the venue does not trade it.
            SuiteError: the venue cannot be asked.
        """
        instance = self.instance(strategy_id)
        symbols = [symbol] if isinstance(symbol, str) else list(symbol)
        raw = {**msgspec.to_builtins(instance.spec), "symbols": symbols}
        (spec,) = parse_traders({"traders": [raw]}, {}, check=problems).traders
        _check_held(instance, spec)
        await self._check_venue(spec)
        instance.note("set-symbol", actor=actor, reason=reason)
        await self._to_its_end(self._switch(instance, spec, symbols))

    async def _switch(
        self, instance: StrategyInstance, spec: TraderSpec, symbols: list[str]
    ) -> None:
        was_running = instance.running
        await instance.stop()
        try:
            _check_held(instance, spec)  # an entry may have been filled before it was canceled
            instance.spec = spec
            instance.written = {**instance.written, "symbols": symbols}
            instance.status.symbols = spec.symbols
        finally:
            if was_running:
                instance.start()

    async def _to_its_end(self, change: Coroutine[Any, Any, None]) -> None:
        """Wait for a change that goes on when the waiting is given up."""
        task = asyncio.create_task(change)
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)
        await asyncio.shield(task)

    def get_status(self) -> dict[str, Any]:
        """Tell what all of them do, and their sums."""
        statuses = [instance.status for instance in self._instances.values()]
        equity = sum((Decimal(s.equity) for s in statuses if s.equity), Decimal(0))
        return {
            "running": sum(status.state == "running" for status in statuses),
            "retrying": sum(status.state == "retrying" for status in statuses),
            "failed": sum(status.state == "failed" for status in statuses),
            "equity": str(equity),
            "traders": [status.as_dict() for status in statuses],
        }

    def start(
        self, strategy_id: str | None = None, *, actor: str = OPERATOR, reason: str = ""
    ) -> CommandResult:
        """Start one, or all that do not run; one that is STOPPED resumes, which needs a reason."""

        def begin(instance: StrategyInstance) -> "asyncio.Future[str] | None":
            if not instance.running or instance.status.state == "retrying":
                instance.note("start", actor=actor, reason=reason)
                self.begin(instance)
            elif instance.status.status == TraderStatus.STOPPED:
                return instance.command(Resume(actor=actor, reason=reason))
            return None

        return self._each(strategy_id, begin)

    def stop(
        self, strategy_id: str | None = None, *, actor: str = OPERATOR, reason: str = ""
    ) -> CommandResult:
        """Let one, or all, take no more decisions; exits go on until they are flat."""
        return self._tell(strategy_id, Stop(actor=actor, reason=reason))

    def pause(
        self, strategy_id: str | None = None, *, actor: str = OPERATOR, reason: str = ""
    ) -> CommandResult:
        """Let one, or all, take no new risk."""
        return self._tell(strategy_id, Pause(actor=actor, reason=reason))

    def resume(
        self, strategy_id: str | None = None, *, actor: str = OPERATOR, reason: str = ""
    ) -> CommandResult:
        """Let one, or all, go on."""
        return self._tell(strategy_id, Resume(actor=actor, reason=reason))

    def flatten(
        self, strategy_id: str | None = None, *, actor: str = OPERATOR, reason: str = ""
    ) -> CommandResult:
        """Close the positions of one, or of all."""
        return self._tell(strategy_id, Flatten(actor=actor, reason=reason))

    def allocate(
        self,
        strategy_id: str | None = None,
        *,
        usd: Decimal | None,
        actor: str = OPERATOR,
        reason: str = "",
    ) -> CommandResult:
        """Let one, or all, use this much of its account; all of it where none is given."""
        return self._tell(strategy_id, Allocate(actor=actor, reason=reason, usd=usd))

    def run_once(
        self, strategy_id: str | None = None, *, actor: str = OPERATOR, reason: str = ""
    ) -> CommandResult:
        """Wake one, or all, now."""
        return self._each(strategy_id, lambda instance: instance.run_once(actor, reason))

    def _tell(self, strategy_id: str | None, command: Command) -> CommandResult:
        return self._each(strategy_id, lambda instance: instance.command(command))

    def _each(
        self,
        strategy_id: str | None,
        do: Callable[[StrategyInstance], "asyncio.Future[str] | None"],
    ) -> CommandResult:
        """Do something to one, or to all; of all, one that refuses hinders no other.

        Raises:
            SuiteError: the one that was named refused, or all did.
        """
        accepted: list[str] = []
        refused: dict[str, SuiteError] = {}
        pending: dict[str, asyncio.Future[str]] = {}
        for instance in self._chosen(strategy_id):
            name = instance.spec.trader_id
            try:
                told = do(instance)
            except SuiteError as error:
                refused[name] = error
                continue
            accepted.append(name)
            if told is not None:
                pending[name] = told
        if refused and not accepted:
            raise next(iter(refused.values()))
        return CommandResult(
            accepted=tuple(accepted),
            refused={name: str(error) for name, error in refused.items()},
            pending=pending,
        )

    def _chosen(self, strategy_id: str | None) -> tuple[StrategyInstance, ...]:
        return self.instances if strategy_id is None else (self.instance(strategy_id),)

    async def run(self, *, stays: bool = False) -> None:
        """Start all and wait until all have ended, also those that come later.

        Args:
            stays: wait on until each has come to the end of its world or `close` is called, as one
                that failed can be looked at and started again. Not where all failed by their
                configuration before anything began.
        """
        for instance in self._instances.values():
            instance.start()
        await self._all_over()
        stays = stays and not self.misconfigured
        while stays and not self._closing and not self._ended:
            await self._stirred.wait()
            self._stirred.clear()
            await self._all_over()

    async def host(self) -> None:
        """Wait until `close` is called, whoever comes and goes meanwhile, and be there nobody."""
        while not self._closing:
            self._stirred.clear()
            await self._stirred.wait()
        await self._all_over()

    async def _all_over(self) -> None:
        while waiting := [i.finished() for i in self._instances.values() if i.running]:
            await asyncio.gather(*waiting)
            await self._changed()

    @property
    def _ended(self) -> bool:
        states = [instance.status.state for instance in self._instances.values()]
        return bool(states) and all(state == "ended" for state in states)

    async def close(self) -> None:
        """End all tasks, side by side; one that cannot be stopped in order holds up nobody."""
        self._closing = True
        await self._changed()
        await asyncio.gather(*(instance.stop() for instance in self._instances.values()))
        self._stirred.set()

    async def _changed(self) -> None:
        if self._changes:
            await asyncio.wait(self._changes)


def _check_flat(instance: StrategyInstance) -> None:
    if instance.status.positions:
        held = ", ".join(instance.status.positions)
        raise Conflict(f"{instance.spec.trader_id} holds {held}: flatten it first")


def _check_held(instance: StrategyInstance, spec: TraderSpec) -> None:
    held = [coin for coin in instance.status.positions if coin not in spec.symbols]
    if held:
        raise Conflict(f"{instance.spec.trader_id} holds {', '.join(held)}: flatten it first")
