"""`/traders`: the fleet as its operator sees and steers it."""

from decimal import Decimal
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from suite.errors import BadRequest, one_line
from suite.service.tokens import ADMIN, Grant, require
from trader_manager.application.agents import Command
from trader_manager.application.config_loader import schema
from trader_manager.application.fleet import Outcome, TraderManager
from trader_manager.application.supervisor import Supervisor
from trader_manager.application.trader import Trader
from trader_manager.domain.traders import StoredTrader

OPERATOR: Final = Grant(name="operator", scopes=frozenset({ADMIN}))
Reason = Annotated[str, Field(max_length=500)]
_COMMANDS: Final[dict[Command, str]] = {
    "run-once": "Let a trader decide now",
    "pause": "Let a trader take no new risk",
    "resume": "Let a trader go on",
    "flatten": "Close a trader's positions",
}


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class NewTrader(_Body):
    """A trader to take in.

    Attributes:
        entry: of `traders.yaml`; secrets as `${NAME}`.
        runtime: where it shall run; the usual place when not given.
        start: at once.
    """

    entry: dict[str, Any]
    runtime: str = ""
    start: bool = True


class ChangedTrader(_Body):
    """Another configuration of a trader, and the generation that the change was made from."""

    entry: dict[str, Any]
    generation: int


class Allocation(_Body):
    """How much of its account a trader may use, USD; all of it where none is given."""

    usd: Annotated[Decimal, Field(strict=False, ge=0, max_digits=18, decimal_places=6)] | None = (
        None
    )
    reason: Reason = ""


class Told(_Body):
    """Why a command is given."""

    reason: Reason = ""


def make_router(manager: TraderManager, supervisor: Supervisor, venue_url: str) -> APIRouter:
    """Make the routes; what a trader is and does may be seen by the operator only.

    Args:
        manager: of all traders.
        supervisor: brings them to what is wanted.
        venue_url: where they trade.
    """
    router = APIRouter(dependencies=[Depends(require(ADMIN))])

    @router.get("/traders", summary="All traders: what is wanted, what is seen, what they say")
    async def list_traders() -> dict[str, Any]:
        traders = [_shown(view) for view in await manager.list_traders()]
        return {"traders": traders, "trouble": supervisor.trouble, "venue": venue_url}

    @router.post("/traders", status_code=201, summary="Take a trader in, and start it")
    async def add(body: NewTrader) -> dict[str, Any]:
        return _wanted(await manager.add_trader(body.entry, runtime=body.runtime, start=body.start))

    @router.get("/traders/{trader_id}", summary="One trader")
    async def show(trader_id: str) -> dict[str, Any]:
        return _shown(await manager.get_trader(trader_id))

    @router.put("/traders/{trader_id}", summary="Give a trader another configuration")
    async def change(trader_id: str, body: ChangedTrader) -> dict[str, Any]:
        named = body.entry.get("trader_id", trader_id)
        if named != trader_id:
            raise BadRequest(
                f"entry.trader_id is {one_line(str(named))[:64]!r}, and the route's {trader_id!r}: "
                "a trader keeps its id; take one of another id in by POST /traders"
            )
        entry = {**body.entry, "trader_id": trader_id}
        return _wanted(await manager.change_trader(entry, generation=body.generation))

    @router.delete("/traders/{trader_id}", summary="End a trader that is flat, and forget it")
    async def remove(
        trader_id: str,
        force: Annotated[bool, Query(description="whatever it holds")] = False,  # noqa: FBT002
    ) -> dict[str, Any]:
        await manager.remove_trader(trader_id, force=force)
        return {"removed": trader_id}

    @router.post("/traders/{trader_id}/allocate", summary="Let a trader use so much of its account")
    async def allocate(trader_id: str, body: Allocation) -> dict[str, Any]:
        trader = await manager.get_trader(trader_id)
        return dict(await trader.allocate(body.usd, reason=body.reason))

    @router.get("/traders/{trader_id}/decisions", summary="Decisions, newest first")
    async def decisions(
        trader_id: str,
        limit: Annotated[int, Query(ge=1, le=1000, description="at most so many")] = 50,
        before: Annotated[
            int | None, Query(ge=1, description="those of a lower number only")
        ] = None,
    ) -> dict[str, Any]:
        found = await manager.decisions(trader_id, limit=limit, before=before)
        return {"decisions": list(found)}

    _add_wishes(router, manager)
    for name, summary in _COMMANDS.items():
        _add_command(router, manager, name, summary)
    return router


def _add_wishes(router: APIRouter, manager: TraderManager) -> None:
    @router.post("/traders/{trader_id}/start", summary="Want a trader to run")
    async def start(trader_id: str) -> dict[str, Any]:
        return _wanted(await manager.start(trader_id))

    @router.post("/traders/{trader_id}/stop", summary="Want a trader not to run")
    async def stop(trader_id: str) -> dict[str, Any]:
        return _wanted(await manager.stop(trader_id))

    @router.post("/start-all", summary="Want all traders to run")
    async def start_all() -> dict[str, Any]:
        return _outcome(await manager.start_all())

    @router.post("/stop-all", summary="Want no trader to run")
    async def stop_all() -> dict[str, Any]:
        return _outcome(await manager.stop_all())

    @router.get("/schema", summary="JSON schema of traders.yaml")
    async def traders_schema() -> dict[str, Any]:
        return schema()


def _add_command(router: APIRouter, manager: TraderManager, command: Command, summary: str) -> None:
    async def one(trader_id: str, body: Told | None = None) -> dict[str, Any]:
        reason = (body or Told()).reason
        return _outcome(await manager.tell(command, trader_id, reason=reason))

    async def everybody(body: Told | None = None) -> dict[str, Any]:
        return _outcome(await manager.tell(command, reason=(body or Told()).reason))

    router.add_api_route(
        f"/traders/{{trader_id}}/{command}",
        one,
        methods=["POST"],
        operation_id=f"{command}_one",
        summary=summary,
    )
    router.add_api_route(
        f"/{command}",
        everybody,
        methods=["POST"],
        operation_id=f"{command}_all",
        summary=f"{summary}: all",
    )


def _wanted(trader: StoredTrader) -> dict[str, Any]:
    return {
        "trader_id": trader.trader_id,
        "entry": trader.spec,
        "account": trader.account_id,
        "desired": trader.desired,
        "runtime": trader.runtime,
        "generation": trader.generation,
    }


def _shown(view: Trader) -> dict[str, Any]:
    sighting = view.condition.sighting
    return {
        **_wanted(view.trader),
        "actual": sighting.actual,
        "step": view.condition.step,
        "waits_ms": view.condition.waits_ms,
        "problem": view.condition.problem,
        "reason": sighting.reason,
        "pid": sighting.pid,
        "since_ms": sighting.started_ms,
        "holder": sighting.holder,
        "lease_age_ms": sighting.lease_age_ms,
        "control_url": sighting.control_url,
        "status": view.status,
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "done": list(outcome.done),
        "refused": dict(outcome.refused),
        "unknown": dict(outcome.unknown),
    }
