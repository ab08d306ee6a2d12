"""What people do with the ladder: forbid, see it done at the venue, and allow again."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

from hyperliquid_exchange.application.flattening import Report, SafetyWork
from hyperliquid_exchange.application.safety import KillLadder
from hyperliquid_exchange.application.safety_ports import Preflight
from hyperliquid_exchange.domain.clearing import Clearing, scope_name, words_for
from hyperliquid_exchange.domain.safety import EVERYBODY, Cause, Level
from suite.clock import Clock
from suite.errors import NotFound
from suite.ids import TraderId

QUIET_S: Final = 3.0
"""How long a kill waits for what was leaving when it came."""
WORK_S: Final = 5.0
"""How long it waits for the work at the venue, which goes on without it."""


class Losses(Protocol):
    """What the gate measures, and a person lets it measure anew."""

    def forgive(self, scope: TraderId | str) -> None:
        """Measure losses from now on."""
        ...

    def allow_executions(self, scope: TraderId | str) -> None:
        """Count fills from now on."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a change of level has come to.

    Attributes:
        is_quiet: nothing that may add risk was leaving any more; when not, it may still arrive.
        reports: of the work at the venue, as far as it has come.
    """

    is_quiet: bool
    reports: tuple[Report, ...]


class SafetyControl:
    """The ladder as people use it.

    Args:
        ladder: see there.
        work: at the venue.
        preflight: the last result of the checklist.
        losses: of the gate.
        traders: that there are.
        clock: wall time.
        quiet: waits until nothing that may add risk is leaving that was when it was called; of a
            trader, or of all.
        by_gate: the name under which the gate sets causes.
    """

    def __init__(
        self,
        *,
        ladder: KillLadder,
        work: SafetyWork,
        preflight: Preflight,
        losses: Losses,
        traders: Sequence[TraderId],
        clock: Clock,
        quiet: Callable[[TraderId | None], Awaitable[None]],
        by_gate: str = "gate",
    ) -> None:
        self._ladder = ladder
        self._work = work
        self._preflight = preflight
        self._losses = losses
        self._traders = tuple(traders)
        self._clock = clock
        self._quiet = quiet
        self._by_gate = by_gate
        self._tasks: set[asyncio.Task[Report]] = set()
        ladder.on_clear.append(self._forgive)

    def scope(self, name: str) -> TraderId | str:
        """Read a scope as people write it: a trader, or `all`.

        Raises:
            NotFound: there is no such trader.
        """
        scope = EVERYBODY if name == scope_name(EVERYBODY) else name
        if scope != EVERYBODY and scope not in self._traders:
            raise NotFound(f"there is no trader {name[:64]!r} here")
        return scope

    async def forbid(
        self, scope: TraderId | str, level: Level, *, by: str, reason: str, flatten: bool = False
    ) -> Done:
        """Forbid, and see to it at the venue; it is in force before anything is waited for.

        Args:
            scope: a trader, or everybody.
            level: how much.
            by: who.
            reason: in one line.
            flatten: close positions too.
        """
        self._ladder.engage(
            Cause(
                scope=scope,
                level=level,
                by=by,
                reason=reason,
                since_ms=self._clock.now_ms(),
                flatten=flatten,
            )
        )
        names = self._names(scope)
        is_quiet = True
        try:
            async with asyncio.timeout(QUIET_S):
                await self._quiet(None if scope == EVERYBODY else TraderId(scope))
        except TimeoutError:
            is_quiet = False
        tasks = [asyncio.create_task(self._work.carry_out(name, flatten=flatten)) for name in names]
        self._tasks.update(tasks)
        for task in tasks:
            task.add_done_callback(self._tasks.discard)
        done, _ = await asyncio.wait(tasks, timeout=WORK_S) if tasks else (set(), set())
        reports = [task.result() for task in tasks if task in done]
        unfinished = [name for name, task in zip(names, tasks, strict=True) if task not in done]
        return Done(is_quiet=is_quiet, reports=(*reports, *map(self._under_way, unfinished)))

    def allow(
        self,
        scope: TraderId | str,
        *,
        by: str,
        may_end_kill: bool,
        words: str,
        executions: bool,
    ) -> Sequence[Cause]:
        """Allow again what was forbidden to a scope; a person asks.

        Args:
            scope: a trader, or everybody; the causes of the one are not those of the other.
            by: who.
            may_end_kill: the token has `risk:resume` by name.
            words: what was typed.
            executions: fills are counted from now on.

        Returns:
            What was cleared.

        Raises:
            Conflict: something may not be cleared so; nothing is.
            StorageError: it could not be written down.
        """
        cleared = self._ladder.clear(
            scope,
            Clearing(
                by=by,
                is_person=True,
                may_end_kill=may_end_kill,
                words=words,
                preflight=self._preflight.trouble(self._clock.now_ms()),
            ),
        )
        if executions:
            self._losses.allow_executions(scope)
        return cleared

    def tell(self, names: Iterable[TraderId] | None = None) -> dict[str, Any]:
        """Tell levels, causes, and what was done at the venue.

        Args:
            names: of the traders that are told of; None for all.
        """
        shown = self._traders if names is None else tuple(names)
        causes = self._ladder.causes
        return {
            "levels": {name: self._ladder.level(name).name for name in shown},
            "causes": [
                {
                    "scope": scope_name(cause.scope),
                    "level": cause.level.name,
                    "by": cause.by,
                    "reason": cause.reason,
                    "since_ms": cause.since_ms,
                    "flatten": cause.flatten,
                    "typed": words_for(cause.scope) if cause.level is Level.KILLED else None,
                }
                for cause in causes
                if cause.scope == EVERYBODY or cause.scope in shown
            ],
            "reports": [
                asdict(self._work.reports[name]) for name in shown if name in self._work.reports
            ],
        }

    async def close(self) -> None:
        """Stop waiting for work; what is not finished is seen at the next start."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _names(self, scope: TraderId | str) -> list[TraderId]:
        return [name for name in self._traders if scope in {EVERYBODY, name}]

    def _under_way(self, name: TraderId) -> Report:
        return Report(trader_id=name, at_ms=self._clock.now_ms(), trouble="still under way")

    def _forgive(self, cause: Cause) -> None:
        if cause.by == self._by_gate:
            self._losses.forgive(cause.scope)
