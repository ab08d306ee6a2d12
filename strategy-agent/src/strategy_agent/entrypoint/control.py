"""The control API of the process: look at its traders, and tell them what to do.

It answers from a thread of its own, so that a strategy that hangs can still be looked at. Reads are
open on loopback; every write needs the operator's token, and so does every read elsewhere.
"""

import asyncio
import socket
import threading
import time
from typing import Annotated, Any, Final

import msgspec
import uvicorn
from fastapi import APIRouter, Depends, FastAPI, Query
from fastapi.responses import Response

from strategy_agent.entrypoint.commands import command_routes
from strategy_agent.entrypoint.controlled import Controlled
from strategy_agent.entrypoint.decisions import decision_routes
from strategy_agent.entrypoint.instances import hosting_routes, instance_routes
from strategy_agent.entrypoint.metrics import show_figures
from strategy_agent.settings import Settings
from suite.errors import ConfigError, StorageError, one_line
from suite.service.app import install_chassis
from suite.service.health import Health
from suite.service.tokens import ADMIN, Grant, TokenStore, require

OPERATOR: Final = Grant(name="operator", scopes=frozenset({ADMIN}))
CLOSE_LIMIT_S: Final = 1
STALLED_S: Final = 60.0
"""How long the traders' event loop may stand still before the process counts as unhealthy."""


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
        statuses = [instance.status for instance in alpha.instances]
        found = [f"{one.trader_id}: {one.obstacle}" for one in statuses if one.obstacle]
        detail: dict[str, str | int] = {"joined": len(statuses) - len(found)}
        if found:
            detail["reason"] = one_line("; ".join(found))
        return Health(ok=not found, detail=detail)

    tokens = TokenStore()
    tokens.ensure_file(settings.state_dir / "tokens", OPERATOR)
    if settings.control_token.get_secret_value():
        tokens.accept(settings.control_token.get_secret_value(), OPERATOR)
    chassis = install_chassis(app, settings, health=health, ready=ready, tokens=tokens)
    show_figures(chassis.metrics.registry, alpha, moved.stalled_s)
    reads = [] if settings.is_loopback else [Depends(require(ADMIN))]
    app.include_router(_reads(controlled), dependencies=reads)
    app.include_router(command_routes(controlled))
    app.include_router(decision_routes(controlled, slow_s=settings.slow_decision_s))
    app.include_router(instance_routes(controlled))
    if controlled.hosts is not None:
        app.include_router(hosting_routes(controlled, controlled.hosts))
    return app


def _reads(controlled: Controlled) -> APIRouter:
    router, alpha = APIRouter(), controlled.alpha

    @router.get("/status", summary="What the traders do, and their sums", response_model=dict)
    async def status() -> Response:
        # Plain values, and there may be a thousand rows, asked for once a second.
        return Response(msgspec.json.encode(alpha.get_status()), media_type="application/json")

    @router.get("/instances/{instance}", summary="What one trader does")
    async def one(instance: str) -> dict[str, Any]:
        return alpha.instance(instance).status.as_dict()

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
        world = asked.run.world or ""  # before they are read: a run of the next one may begin
        found = await asyncio.to_thread(asked.decisions, limit, before)
        more = found[-1]["decision"] if len(found) == limit else None
        name = asked.spec.trader_id
        return {"instance": name, "world": world, "decisions": found, "before": more}

    @router.get("/config", summary="The traders as configured, secrets by their names")
    async def config() -> dict[str, Any]:
        return {"traders": [instance.written for instance in alpha.instances]}

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


class ControlServer:
    """The control API, served in a thread of its own.

    A thread that is still inside of compiled code when the interpreter goes away crashes the
    process, so it is to be closed.

    Args:
        app: served.
        listener: where.
    """

    def __init__(self, app: FastAPI, listener: socket.socket) -> None:
        host, port = listener.getsockname()[:2]
        self.url = f"http://{host}:{port}"
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=CLOSE_LIMIT_S,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="control", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Answer what was asked, and end; not for longer than a moment."""
        self._server.should_exit = True
        self._thread.join(2 * CLOSE_LIMIT_S)


def start(settings: Settings, controlled: Controlled) -> ControlServer:
    """Serve in a thread of its own until it is closed.

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
    return ControlServer(app, listener)
