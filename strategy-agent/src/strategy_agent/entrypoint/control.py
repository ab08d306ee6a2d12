"""The control API of the process: look at its traders, and tell them what to do.

It answers from a thread of its own, so that a strategy that hangs can still be looked at. Reads are
open on loopback; every write needs the operator's token, and so does every read elsewhere.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final, TypeVar

import uvicorn
from fastapi import APIRouter, Depends, FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from strategy_agent.application.alpha_loop import AlphaLoop, CommandResult
from strategy_agent.application.instance import StrategyInstance
from strategy_agent.settings import Settings
from strategy_core.registry import PLUGIN
from suite.errors import BadRequest, ConfigError, StorageError, UpstreamTimeout
from suite.service.app import install_chassis
from suite.service.health import Health
from suite.service.tokens import ADMIN, Grant, TokenStore, require

T = TypeVar("T")

OPERATOR: Final = Grant(name="operator", scopes=frozenset({ADMIN}))
ANSWER_LIMIT_S: Final = 10.0
STALLED_S: Final = 60.0
"""How long the traders' event loop may stand still before the process counts as unhealthy."""

Operator = Annotated[Grant, Depends(require(ADMIN))]
Reason = Annotated[str, Field(max_length=500)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class CommandBody(_Body):
    """Why, and to whom; to all when no instance is named."""

    reason: Reason = ""
    instance: str | None = None


class NewInstance(_Body):
    """A trader to take in, with the words of an entry of `traders.yaml`."""

    id: str
    type: str
    symbol: str | list[str]
    params: dict[str, Any] = Field(default_factory=dict)
    interval: str = "15m"
    risk: dict[str, Any] = Field(default_factory=dict)
    account: str = ""
    token: SecretStr | None = None
    reason: Reason = ""


class NewSymbol(_Body):
    """What an instance shall trade from now on."""

    symbol: str | list[str]
    reason: Reason = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Controlled:
    """What the control API acts on.

    Attributes:
        alpha: the instances.
        loop: the event loop they live in.
        use_token: takes the token of a new instance's account.
    """

    alpha: AlphaLoop
    loop: asyncio.AbstractEventLoop
    use_token: Callable[[str, SecretStr], None]

    async def within(self, do: Callable[[], Awaitable[T]]) -> T:
        """Do something where the instances live.

        Raises:
            UpstreamTimeout: their event loop stands still.
        """
        if asyncio.get_running_loop() is self.loop:
            return await do()

        async def done() -> T:
            return await do()

        future = asyncio.run_coroutine_threadsafe(done(), self.loop)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), ANSWER_LIMIT_S)
        except TimeoutError:
            raise UpstreamTimeout(
                f"the traders did not answer within {ANSWER_LIMIT_S:g} s; look at /status"
            ) from None

    async def call(self, do: Callable[[], T]) -> T:
        """Call a plain function where the instances live."""

        async def done() -> T:
            return do()

        return await self.within(done)


def create_app(settings: Settings, controlled: Controlled) -> FastAPI:
    """Build the application.

    Args:
        settings: of the process.
        controlled: what it acts on.

    Raises:
        ConfigError: the operator's token cannot be kept.
    """
    app = FastAPI(title="strategy-agent", version="0.1.0")
    alpha = controlled.alpha
    moved = _Movement(controlled.loop)

    def health() -> Health:
        states = [instance.status.state for instance in alpha.instances]
        failed = states.count("failed")
        stalled_s = moved.stalled_s()
        ok = (failed < len(states) or not states) and stalled_s < STALLED_S
        return Health(ok=ok, detail={"failed": failed, "stalled_s": round(stalled_s, 1)})

    def ready() -> Health:
        states = [instance.status.state for instance in alpha.instances]
        joined = sum(state in {"running", "ended"} for state in states)
        return Health(ok=joined == len(states), detail={"joined": joined})

    tokens = TokenStore()
    tokens.ensure_file(settings.state_dir / "tokens", OPERATOR)
    install_chassis(app, settings, health=health, ready=ready, tokens=tokens)
    reads = [] if settings.is_loopback else [Depends(require(ADMIN))]
    app.include_router(_reads(controlled), dependencies=reads)
    app.include_router(_commands(controlled))
    app.include_router(_instances(controlled))
    return app


def _reads(controlled: Controlled) -> APIRouter:
    router, alpha = APIRouter(), controlled.alpha

    @router.get("/status", summary="What the traders do, and their sums")
    async def status() -> dict[str, Any]:
        return alpha.get_status()

    @router.get("/positions", summary="Positions, orders and equity as last seen, by trader")
    async def positions() -> dict[str, Any]:
        return {
            one.status.trader_id: {
                "now_ms": one.status.now_ms,
                "equity": one.status.equity,
                "positions": dict(one.status.positions),
                "open_orders": one.status.open_orders,
            }
            for one in alpha.instances
        }

    @router.get("/decisions", summary="Decisions with verdicts and results, newest first")
    async def decisions(
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
        before: Annotated[int | None, Query(ge=1)] = None,
        instance: str = "default",
    ) -> dict[str, Any]:
        asked = alpha.instance(instance)
        found = await asyncio.to_thread(asked.decisions, limit, before)
        more = found[-1]["decision"] if len(found) == limit else None
        return {"instance": asked.spec.trader_id, "decisions": found, "before": more}

    @router.get("/config", summary="The traders as configured, secrets by their names")
    async def config() -> dict[str, Any]:
        return {"traders": [instance.written for instance in alpha.instances]}

    return router


def _commands(controlled: Controlled) -> APIRouter:
    router, alpha = APIRouter(), controlled.alpha
    acts: dict[str, tuple[str, Callable[..., CommandResult]]] = {
        "start": ("Begin again; out of STOPPED with a reason", alpha.start),
        "pause": ("Take no new risk", alpha.pause),
        "resume": ("Go on; out of STOPPED or a pause by a person with a reason", alpha.resume),
        "stop": ("Decide no more; exits go on until flat", alpha.stop),
        "flatten": ("Close the positions", alpha.flatten),
        "run-once": ("Wake now, and decide", alpha.run_once),
    }
    for name, (summary, act) in acts.items():
        router.add_api_route(
            f"/{name}",
            _telling(controlled, act, needs_reason=name not in {"start", "run-once"}),
            methods=["POST"],
            summary=summary,
        )
    return router


def _telling(
    controlled: Controlled, act: Callable[..., CommandResult], *, needs_reason: bool
) -> Callable[..., Awaitable[dict[str, Any]]]:
    async def tell(grant: Operator, body: CommandBody | None = None) -> dict[str, Any]:
        asked = body or CommandBody()
        if needs_reason and not asked.reason.strip():
            raise BadRequest('reason: say why, {"reason": "..."}; it is kept in the journal')
        result = await controlled.call(
            lambda: act(asked.instance, actor=grant.name, reason=asked.reason)
        )
        return asdict(result)

    return tell


def _instances(controlled: Controlled) -> APIRouter:
    router, alpha = APIRouter(), controlled.alpha

    @router.post("/instances", status_code=201, summary="Take a trader in and start it")
    async def add(body: NewInstance, grant: Operator) -> dict[str, Any]:
        more = body.model_dump(include={"params", "interval", "risk", "account"})

        if body.type.startswith(PLUGIN):
            raise BadRequest(
                "type: a plugin is code; only the traders file of the process names it"
            )

        def take_in() -> StrategyInstance:
            added = alpha.add_strategy_instance(body.id, body.type, body.symbol, **more)
            if body.token is not None:  # it connects after this
                controlled.use_token(body.id, body.token)
            added.note("add", actor=grant.name, reason=body.reason)
            return added

        return (await controlled.call(take_in)).status.as_dict()

    @router.delete("/instances/{instance}", summary="Stop a trader and forget it")
    async def remove(instance: str, grant: Operator, reason: Reason = "") -> dict[str, Any]:
        async def forget() -> None:
            alpha.instance(instance).note("remove", actor=grant.name, reason=reason)
            await alpha.remove_strategy_instance(instance)

        await controlled.within(forget)
        return alpha.get_status()

    @router.put("/instances/{instance}/symbol", summary="Let a trader trade another coin")
    async def set_symbol(instance: str, body: NewSymbol, grant: Operator) -> dict[str, Any]:
        async def change() -> dict[str, Any]:
            changed = alpha.instance(instance)
            changed.note("set-symbol", actor=grant.name, reason=body.reason)
            await alpha.set_symbol(body.symbol, instance)
            return changed.status.as_dict()

        return await controlled.within(change)

    return router


class _Movement:
    """Whether the event loop of the traders moves, as seen from another thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._asked_s: float | None = None

    def stalled_s(self) -> float:
        """Tell for how long a question has been waiting; ask another one."""
        now_s = time.monotonic()
        if self._asked_s is None:
            self._asked_s = now_s
            self._loop.call_soon_threadsafe(self._moved)
        return now_s - self._asked_s

    def _moved(self) -> None:
        self._asked_s = None


def start(settings: Settings, controlled: Controlled) -> str:
    """Serve in a thread of its own for as long as the process lives.

    Returns:
        The address.

    Raises:
        ConfigError: the address may not be used without `TRUSTED_NETWORK=true`.
        StorageError: the port is taken or not permitted.
    """
    if not settings.is_loopback and not settings.trusted_network:
        raise ConfigError(
            f"refusing to listen on {settings.host}: other machines could reach it; "
            "use 127.0.0.1, or set TRUSTED_NETWORK=true where the network is yours"
        )
    app = create_app(settings, controlled)
    try:
        listener = socket.create_server((settings.host, settings.port))
    except OSError as error:
        raise StorageError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}"
        ) from None
    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="control", daemon=True
    )
    thread.start()
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}"
