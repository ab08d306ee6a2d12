"""The fleet: traders added, changed, removed, started, stopped and looked at by their ids."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from typing import Any

from suite.contracts.leaderboard import LeaderboardRow
from suite.contracts.trader import near
from suite.errors import (
    BadRequest,
    Conflict,
    NotFound,
    SuiteError,
    UpstreamRefused,
    UpstreamTimeout,
    trouble_of,
)
from suite.ids import AccountId, TraderId
from trader_manager.application.agents import AgentControl, Command
from trader_manager.application.board import Board, Compared
from trader_manager.application.claims import REPLICAS
from trader_manager.application.config_loader import ConfigLoader
from trader_manager.application.held import held_coins
from trader_manager.application.ports import Store
from trader_manager.application.runtime import Ending, Sighting
from trader_manager.application.supervisor import Condition, Supervisor
from trader_manager.application.trader import Trader
from trader_manager.application.venue_reads import VenueReads
from trader_manager.domain.records import Moment
from trader_manager.domain.traders import DesiredState, StoredTrader, WantedTrader


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a wish.

    Attributes:
        done: traders that took it.
        refused: those that did not, and why.
        unknown: those that may have taken it or not: they were told, and did not answer.
    """

    done: tuple[str, ...]
    refused: Mapping[str, str]
    unknown: Mapping[str, str] = field(default_factory=dict)


class TraderManager:
    """Manages traders of every kind; what is wanted is stored, and the supervisor brings it about.

    Args:
        store: of what is wanted.
        supervisor: brings it about.
        agents: control of running traders.
        loader: judges what somebody wrote down.
        venue: says which positions there are.
        board: says who does how well.
        runtime: where traders run that name none.
        runtimes: names of all there are.

    Attributes:
        written_in: names the traders file that says how a trader is; empty where none does.
    """

    def __init__(
        self,
        *,
        store: Store,
        supervisor: Supervisor,
        agents: AgentControl,
        loader: ConfigLoader,
        venue: VenueReads,
        board: Board,
        runtime: str,
        runtimes: Collection[str],
    ) -> None:
        self._store = store
        self._supervisor = supervisor
        self._agents = agents
        self._loader = loader
        self._venue = venue
        self._runtime = runtime
        self._runtimes = runtimes
        self.written_in: Callable[[StoredTrader], str] = lambda _: ""
        self.board = board

    # what is wanted

    async def add_trader(
        self,
        entry: Mapping[str, Any],
        *,
        runtime: str = "",
        start: bool = True,
        origin: str = "",
    ) -> StoredTrader:
        """Take a trader in.

        Args:
            entry: of `traders.yaml`, in any way of writing; secrets as `${NAME}`.
            runtime: where it shall run, where its entry does not say.
            start: at once.
            origin: the traders file that it is from; empty where it is from none.

        Raises:
            BadRequest: something in the entry is wrong; all of it is told.
            Conflict: its id or its account is taken.
        """
        desired = DesiredState.RUNNING if start else DesiredState.STOPPED
        wanted = replace(self._wanted(entry, runtime or self._runtime, desired), origin=origin)
        with suppress(NotFound):
            await self._store.get_trader(wanted.trader_id)
            raise Conflict(f"there is a trader {wanted.trader_id} already")
        added = await self._store.save_trader(wanted)
        self._supervisor.wake()
        return added

    async def change_trader(
        self,
        entry: Mapping[str, Any],
        *,
        generation: int,
        runtime: str = "",
        origin: str = "",
        back: bool = False,
    ) -> StoredTrader:
        """Give a trader another configuration; one that runs begins anew with it.

        Args:
            entry: as it shall be.
            generation: that the change was made from.
            runtime: where it shall run from now on, where its entry does not say; where it does at
                present, when not given.
            origin: the traders file that says so; empty where it is a person.
            back: it was leaving, and is in its file again: it shall run.

        Raises:
            BadRequest: something in the entry is wrong.
            Conflict: it was changed meanwhile, its account is taken, nobody would look after a
                position that it holds, or may hold, or a traders file says how it is.
            NotFound: there is no such trader.
        """
        before = await self._get(str(entry.get("trader_id", "")))
        if not origin and (where := self.written_in(before)):
            raise Conflict(f"{before.trader_id} is as {where} says: change its entry there")
        claimed = (runtime or before.runtime) == REPLICAS
        wanted = self._wanted(entry, runtime, DesiredState.STOPPED, claimed=claimed)
        await self._check_kept(before, wanted)
        wanted = replace(
            wanted,
            desired=DesiredState.RUNNING if back else before.desired,
            runtime=wanted.runtime or before.runtime,
            origin=before.origin,
            leaving=before.leaving and not back,
        )
        changed = await self._store.save_trader(wanted, generation=generation)
        self._supervisor.wake()
        return changed

    async def remove_trader(self, trader_id: str, *, force: bool = False) -> None:
        """End a trader and forget it; what it did stays written.

        Args:
            trader_id: whom.
            force: whatever it holds; somebody else looks after that.

        Raises:
            NotFound: there is none.
            Conflict: it holds a position, or that is not known: nobody would look after it; or an
                agent has claimed it, and may trade for as long as its lease lasts.
        """
        trader = await self._get(trader_id)
        if not force and (held := await held_coins(self._venue, trader)):
            stopped = trader.desired is DesiredState.STOPPED
            first = f"; it is stopped: POST /traders/{trader_id}/start before" if stopped else ""
            raise Conflict(f"{trader_id} holds {', '.join(held)}: flatten it first{first}")
        await self._store.remove_trader(TraderId(trader_id))
        self._supervisor.wake()

    async def dismiss(self, trader: StoredTrader) -> None:
        """Bring one a step nearer to its removal that is in its file no more: first it ends.

        Raises:
            Ending: it is ending yet.
            Conflict: it holds a position, or that is not known.
        """
        name = trader.trader_id
        if not trader.leaving or trader.desired is DesiredState.RUNNING:
            if trader.leaving and (held := await held_coins(self._venue, trader)):
                raise Conflict(
                    f"{name} is in the file no more and was started again: it holds "
                    f"{', '.join(held)}; flatten it, and it ends"
                )
            wanted = _wish(trader, desired=DesiredState.STOPPED, leaving=True)
            await self._store.save_trader(wanted, generation=trader.generation)
            self._supervisor.wake()
            raise Ending(f"{name} is in the file no more: it is being stopped")
        condition = self._supervisor.conditions.get(name)
        known = condition is not None and condition.trader.generation == trader.generation
        if condition is None or not known or condition.sighting.actual in {"running", "failed"}:
            raise Ending(f"{name} is in the file no more: it is being stopped")
        try:
            await self.remove_trader(name)
        except Conflict as error:
            raise Conflict(f"{name} is in the file no more and is stopped; {error}") from None

    async def start(self, trader_id: str) -> StoredTrader:
        """Want a trader to run; one that has failed, or waits after crashes, begins anew at once.

        Raises:
            NotFound: there is none.
            Conflict: it runs, or is about to.
        """
        return await self._want(trader_id, DesiredState.RUNNING)

    async def stop(self, trader_id: str) -> StoredTrader:
        """Want a trader not to run: it cancels its entries and ends; its stops stay at the venue.

        Raises:
            NotFound: there is none.
            Conflict: it does not run, and is not about to.
        """
        return await self._want(trader_id, DesiredState.STOPPED)

    async def start_all(self) -> Outcome:
        """Want all to run, as `start` does with one."""
        return await self._want_all(DesiredState.RUNNING)

    async def stop_all(self) -> Outcome:
        """Want none to run."""
        return await self._want_all(DesiredState.STOPPED)

    # what is so

    async def get_trader(self, trader_id: str) -> Trader:
        """Look at one.

        Raises:
            NotFound: there is none.
        """
        return await self._view(await self._get(trader_id))

    async def list_traders(self) -> tuple[Trader, ...]:
        """Look at all, side by side: one that does not answer holds up nobody."""
        traders = await self._store.list_traders()
        return tuple(await asyncio.gather(*(self._view(trader) for trader in traders)))

    async def compare_performance(
        self,
        *,
        since_ms: int | None = None,
        until_ms: int | None = None,
        trader_ids: Sequence[str] | None = None,
    ) -> Compared:
        """Compare traders as `Board.compare_performance` does."""
        return await self.board.compare_performance(
            since_ms=since_ms, until_ms=until_ms, trader_ids=trader_ids
        )

    async def get_best_performer(self) -> tuple[Moment, LeaderboardRow | None]:
        """Find the first competitor of the leaderboard; None where nobody is ranked."""
        return await self.board.get_best_performer()

    async def decisions(
        self, trader_id: str, *, limit: int = 50, before: int | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """Read a running trader's decisions, newest first.

        Raises:
            NotFound: there is none.
            UpstreamUnavailable: it does not run, or does not answer.
        """
        view = await self._get(trader_id)
        sighting = self._condition(view).sighting
        told = await self._agents.decisions(trader_id, sighting, limit=limit, before=before)
        return told.rows

    async def run_once(self, trader_id: str | None = None, *, reason: str = "") -> Outcome:
        """Wake one, or all that run, and let them decide now."""
        return await self.tell("run-once", trader_id, reason=reason)

    async def tell(self, command: Command, trader_id: str | None = None, *, reason: str) -> Outcome:
        """Give a command to one, or to all that are wanted to run; one that refuses hinders nobody.

        Raises:
            NotFound: there is no trader of that id.
            Conflict: the one that was named is stopped.
            UpstreamTimeout: the one that was named may have taken it or not.
            SuiteError: the one that was named refused.
        """
        if trader_id is not None:
            trader = await self._get(trader_id)
            stopped = trader.desired is DesiredState.STOPPED
            if stopped and not self._condition(trader).sighting.control_url:
                raise Conflict(f"{trader_id} is stopped: POST /traders/{trader_id}/start first")
            traders: tuple[StoredTrader, ...] = (trader,)
        else:
            traders = tuple(
                trader
                for trader in await self._store.list_traders()
                if trader.desired is DesiredState.RUNNING
            )
        answers = await asyncio.gather(
            *(
                self._agents.tell(
                    trader.trader_id, self._condition(trader).sighting, command, reason=reason
                )
                for trader in traders
            ),
            return_exceptions=True,
        )
        troubles: dict[str, SuiteError] = {}
        for trader, answer in zip(traders, answers, strict=True):
            if isinstance(answer, SuiteError):
                troubles[trader.trader_id] = answer
            elif isinstance(answer, Exception):  # of one that answers as nobody expects
                troubles[trader.trader_id] = UpstreamRefused(trouble_of(answer))
            elif isinstance(answer, BaseException):
                raise answer
        if trader_id is not None and troubles:
            raise troubles[trader_id]
        unknown = {n: str(why) for n, why in troubles.items() if isinstance(why, UpstreamTimeout)}
        return Outcome(
            done=tuple(one.trader_id for one in traders if one.trader_id not in troubles),
            refused={n: str(why) for n, why in troubles.items() if n not in unknown},
            unknown=unknown,
        )

    # parts

    def _wanted(
        self,
        entry: Mapping[str, Any],
        runtime: str,
        desired: DesiredState,
        *,
        claimed: bool = False,
    ) -> WantedTrader:
        claimed = claimed or runtime == REPLICAS
        config = self._loader.load({"traders": [dict(entry)]}, claimed=claimed)
        if config.problems:
            raise BadRequest("; ".join(config.problems))
        (spec,) = config.traders
        place = config.runtimes.get(spec.trader_id, runtime)
        if place and place not in self._runtimes:
            known = ", ".join(self._runtimes)
            raise BadRequest(f"there is no runtime {place[:40]!r} here; there are {known}")
        return WantedTrader(
            trader_id=TraderId(spec.trader_id),
            spec=config.written[spec.trader_id],
            account_id=AccountId(spec.account_id),
            desired=desired,
            runtime=place,
        )

    async def _check_kept(self, before: StoredTrader, wanted: WantedTrader) -> None:
        """Refuse a change that leaves a position to nobody.

        Raises:
            Conflict: another account while this one holds something, or without a coin it holds.
        """
        moves = wanted.account_id != before.account_id
        if not moves and wanted.spec.get("symbols") == before.spec.get("symbols"):
            return
        claimed = before.runtime == REPLICAS
        (spec,) = self._loader.load({"traders": [dict(wanted.spec)]}, claimed=claimed).traders
        kept = () if moves else spec.symbols
        left = [coin for coin in await held_coins(self._venue, before) if coin not in kept]
        if left:
            raise Conflict(f"{before.trader_id} holds {', '.join(left)}: flatten it first")

    async def _get(self, trader_id: str) -> StoredTrader:
        if not trader_id.isprintable():  # no database takes all of them
            raise NotFound(f"there is no trader {trader_id[:64]!r}")
        try:
            return await self._store.get_trader(TraderId(trader_id))
        except NotFound:
            known = [trader.trader_id for trader in await self._store.list_traders()]
            hint = near(trader_id, known)
            raise NotFound(f"there is no trader {trader_id[:64]!r}{hint}") from None

    async def _want(self, trader_id: str, desired: DesiredState) -> StoredTrader:
        trader = await self._get(trader_id)
        fallen = desired is DesiredState.RUNNING and self._has_fallen(trader)
        if trader.desired is desired and not fallen:
            seen = self._condition(trader).sighting.actual
            to = "to run" if desired is DesiredState.RUNNING else "to be stopped"
            raise Conflict(f"{trader_id} is {to} already, and seen {seen}")
        if fallen:  # it begins anew, as one that is stopped and started
            await self._store.set_desired([trader.trader_id], DesiredState.STOPPED)
        (wanted,) = await self._store.set_desired([trader.trader_id], desired)
        self._supervisor.wake()
        return wanted

    async def _want_all(self, desired: DesiredState) -> Outcome:
        known = await self._store.list_traders()
        traders = [one.trader_id for one in known]
        if desired is DesiredState.RUNNING:
            fallen = [one.trader_id for one in known if self._has_fallen(one)]
            if fallen:
                await self._store.set_desired(fallen, DesiredState.STOPPED)
        wanted = await self._store.set_desired(traders, desired) if traders else ()
        self._supervisor.wake()
        return Outcome(done=tuple(one.trader_id for one in wanted), refused={})

    def _has_fallen(self, trader: StoredTrader) -> bool:
        """Tell whether a trader that shall run, as it is wanted at present, was seen not to."""
        condition = self._supervisor.conditions.get(trader.trader_id)
        if condition is None or condition.trader.generation != trader.generation:
            return False
        return condition.sighting.actual in {"failed", "crashed"}

    async def _view(self, trader: StoredTrader) -> Trader:
        condition = self._condition(trader)
        status: Mapping[str, Any] | None = None
        if condition.sighting.control_url:
            try:
                status = await self._agents.status(trader.trader_id, condition.sighting)
            except Exception:  # noqa: BLE001 - one that answers as nobody expects hides nobody
                status = None
        return Trader(
            trader=trader,
            condition=condition,
            status=status,
            agents=self._agents,
            board=self.board,
        )

    def _condition(self, trader: StoredTrader) -> Condition:
        known = self._supervisor.conditions.get(trader.trader_id)
        return known or Condition(trader=trader, sighting=Sighting(actual="absent"))


def _wish(trader: StoredTrader, **changed: Any) -> WantedTrader:
    """Say what is wanted of a trader at present, some of it changed."""
    kept = {one.name: getattr(trader, one.name) for one in fields(WantedTrader)}
    return WantedTrader(**kept | changed)
