"""The fleet: traders added, changed, removed, started, stopped and looked at by their ids."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from suite.contracts.trader import near
from suite.errors import BadRequest, Conflict, NotFound, SuiteError
from suite.ids import AccountId, TraderId
from trader_manager.application.agents import AgentControl, Command
from trader_manager.application.config_loader import ConfigLoader
from trader_manager.application.held import held_coins
from trader_manager.application.ports import Store
from trader_manager.application.runtime import Sighting
from trader_manager.application.supervisor import Condition, Supervisor
from trader_manager.application.venue_reads import VenueReads
from trader_manager.domain.traders import DesiredState, StoredTrader, WantedTrader


@dataclass(frozen=True, slots=True, kw_only=True)
class TraderView:
    """One trader: what is wanted, what is seen, and what it says.

    Attributes:
        status: of its process; None where that does not answer, which is unknown and not nothing.
    """

    trader: StoredTrader
    condition: Condition
    status: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a wish.

    Attributes:
        done: traders that took it.
        refused: those that did not, and why.
        problems: what is wrong in a document, each with its place.
    """

    done: tuple[str, ...]
    refused: Mapping[str, str]
    problems: tuple[str, ...] = ()


class TraderManager:
    """Manages traders of every kind; what is wanted is stored, and the supervisor brings it about.

    Args:
        store: of what is wanted.
        supervisor: brings it about.
        agents: control of running traders.
        loader: judges what somebody wrote down.
        venue: says which positions there are.
        runtime: where traders run that name none.
    """

    def __init__(
        self,
        *,
        store: Store,
        supervisor: Supervisor,
        agents: AgentControl,
        loader: ConfigLoader,
        venue: VenueReads,
        runtime: str,
    ) -> None:
        self._store = store
        self._supervisor = supervisor
        self._agents = agents
        self._loader = loader
        self._venue = venue
        self._runtime = runtime

    # what is wanted

    async def add_trader(
        self, entry: Mapping[str, Any], *, runtime: str = "", start: bool = True
    ) -> StoredTrader:
        """Take a trader in.

        Args:
            entry: of `traders.yaml`, in any way of writing; secrets as `${NAME}`.
            runtime: where it shall run.
            start: at once.

        Raises:
            BadRequest: something in the entry is wrong; all of it is told.
            Conflict: its id or its account is taken.
        """
        desired = DesiredState.RUNNING if start else DesiredState.STOPPED
        wanted = self._wanted(entry, runtime, desired)
        with suppress(NotFound):
            await self._store.get_trader(wanted.trader_id)
            raise Conflict(f"there is a trader {wanted.trader_id} already")
        added = await self._store.save_trader(wanted)
        self._supervisor.wake()
        return added

    async def change_trader(self, entry: Mapping[str, Any], *, generation: int) -> StoredTrader:
        """Give a trader another configuration; one that runs begins anew with it.

        Args:
            entry: as it shall be.
            generation: that the change was made from.

        Raises:
            BadRequest: something in the entry is wrong.
            Conflict: it was changed meanwhile, its account is taken, or nobody would look after a
                position that it holds, or may hold.
            NotFound: there is no such trader.
        """
        wanted = self._wanted(entry, "", DesiredState.STOPPED)
        before = await self._get(wanted.trader_id)
        await self._check_kept(before, wanted)
        wanted = WantedTrader(
            trader_id=before.trader_id,
            spec=wanted.spec,
            account_id=wanted.account_id,
            desired=before.desired,
            runtime=before.runtime,
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
            Conflict: it holds a position, or that is not known: nobody would look after it.
        """
        trader = await self._get(trader_id)
        if not force and (held := await held_coins(self._venue, trader)):
            raise Conflict(f"{trader_id} holds {', '.join(held)}: flatten it first")
        await self._store.remove_trader(TraderId(trader_id))
        self._supervisor.wake()

    async def load(self, document: Any) -> Outcome:
        """Take in all traders of a document; those that are there and differ are changed.

        One that is wrong keeps nobody else out.
        """
        config = self._loader.load(document)
        done: list[str] = []
        refused: dict[str, str] = {}
        known = {one.trader_id: one for one in await self._store.list_traders()}
        for spec in config.traders:
            before = known.get(TraderId(spec.trader_id))
            entry = config.written[spec.trader_id]
            try:
                if before is None:
                    await self.add_trader(entry)
                else:
                    await self.change_trader(entry, generation=before.generation)
                done.append(spec.trader_id)
            except SuiteError as error:
                refused[spec.trader_id] = str(error)
        return Outcome(done=tuple(done), refused=refused, problems=config.problems)

    async def start(self, trader_id: str) -> StoredTrader:
        """Want a trader to run.

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
        """Want all to run."""
        return await self._want_all(DesiredState.RUNNING)

    async def stop_all(self) -> Outcome:
        """Want none to run."""
        return await self._want_all(DesiredState.STOPPED)

    # what is so

    async def get_trader(self, trader_id: str) -> TraderView:
        """Look at one.

        Raises:
            NotFound: there is none.
        """
        return await self._view(await self._get(trader_id))

    async def list_traders(self) -> tuple[TraderView, ...]:
        """Look at all, side by side: one that does not answer holds up nobody."""
        traders = await self._store.list_traders()
        return tuple(await asyncio.gather(*(self._view(trader) for trader in traders)))

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
        return await self._agents.decisions(trader_id, sighting, limit=limit, before=before)

    async def run_once(self, trader_id: str | None = None, *, reason: str = "") -> Outcome:
        """Wake one, or all that run, and let them decide now."""
        return await self.tell("run-once", trader_id, reason=reason)

    async def tell(self, command: Command, trader_id: str | None = None, *, reason: str) -> Outcome:
        """Give a command to one, or to all that are wanted to run; one that refuses hinders nobody.

        Raises:
            NotFound: there is no trader of that id.
            SuiteError: the one that was named refused.
        """
        if trader_id is not None:
            traders: tuple[StoredTrader, ...] = (await self._get(trader_id),)
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
        refused: dict[str, SuiteError] = {}
        for trader, answer in zip(traders, answers, strict=True):
            if isinstance(answer, SuiteError):
                refused[trader.trader_id] = answer
            elif isinstance(answer, BaseException):
                raise answer
        if trader_id is not None and refused:
            raise refused[trader_id]
        done = tuple(one.trader_id for one in traders if one.trader_id not in refused)
        return Outcome(done=done, refused={name: str(why) for name, why in refused.items()})

    # parts

    def _wanted(
        self, entry: Mapping[str, Any], runtime: str, desired: DesiredState
    ) -> WantedTrader:
        config = self._loader.load({"traders": [dict(entry)]})
        if config.problems:
            raise BadRequest("; ".join(config.problems))
        (spec,) = config.traders
        return WantedTrader(
            trader_id=TraderId(spec.trader_id),
            spec=config.written[spec.trader_id],
            account_id=AccountId(spec.account_id),
            desired=desired,
            runtime=runtime or self._runtime,
        )

    async def _check_kept(self, before: StoredTrader, wanted: WantedTrader) -> None:
        """Refuse a change that leaves a position to nobody.

        Raises:
            Conflict: another account while this one holds something, or without a coin it holds.
        """
        moves = wanted.account_id != before.account_id
        if not moves and wanted.spec.get("symbols") == before.spec.get("symbols"):
            return
        (spec,) = self._loader.load({"traders": [dict(wanted.spec)]}).traders
        kept = () if moves else spec.symbols
        left = [coin for coin in await held_coins(self._venue, before) if coin not in kept]
        if left:
            raise Conflict(f"{before.trader_id} holds {', '.join(left)}: flatten it first")

    async def _get(self, trader_id: str) -> StoredTrader:
        try:
            return await self._store.get_trader(TraderId(trader_id))
        except NotFound:
            known = [trader.trader_id for trader in await self._store.list_traders()]
            hint = near(trader_id, known)
            raise NotFound(f"there is no trader {trader_id[:64]!r}{hint}") from None

    async def _want(self, trader_id: str, desired: DesiredState) -> StoredTrader:
        trader = await self._get(trader_id)
        if trader.desired is desired:
            seen = self._condition(trader).sighting.actual
            raise Conflict(f"{trader_id} is {desired} already ({seen})")
        (wanted,) = await self._store.set_desired([trader.trader_id], desired)
        self._supervisor.wake()
        return wanted

    async def _want_all(self, desired: DesiredState) -> Outcome:
        traders = [one.trader_id for one in await self._store.list_traders()]
        wanted = await self._store.set_desired(traders, desired) if traders else ()
        self._supervisor.wake()
        return Outcome(done=tuple(one.trader_id for one in wanted), refused={})

    async def _view(self, trader: StoredTrader) -> TraderView:
        condition = self._condition(trader)
        status: Mapping[str, Any] | None = None
        if condition.sighting.control_url:
            try:
                status = await self._agents.status(trader.trader_id, condition.sighting)
            except SuiteError:
                status = None
        return TraderView(trader=trader, condition=condition, status=status)

    def _condition(self, trader: StoredTrader) -> Condition:
        known = self._supervisor.conditions.get(trader.trader_id)
        return known or Condition(trader=trader, sighting=Sighting(actual="absent"))
