"""What makes a FastAPI application a service of the suite.

    app = FastAPI(title="virtual-exchange", lifespan=lifespan)
    install_chassis(app, settings, health=container.health, ready=container.is_ready)

adds the edge (`middleware.py`), the error texts (`faults.py`), `/health`, `/ready`, `/metrics` and
`/docs` (`describing.py`).
What the parts need later is in `app.state.chassis`.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from suite.errors import SuiteError
from suite.service import faults
from suite.service.audit import AuditLog
from suite.service.business import BusinessLog
from suite.service.clock import SystemClock
from suite.service.describing import describe_locally
from suite.service.disk import DiskWatch
from suite.service.guarding import Guard
from suite.service.health import Detail, Health, Probe, always_ok, ask
from suite.service.lifecycle import Parts
from suite.service.locks import locks_set
from suite.service.metrics import Figure, Figures, HttpMetrics
from suite.service.middleware import LOOPBACK_NAMES, Edge, EdgeRules
from suite.service.settings import ServiceSettings
from suite.service.tokens import TokenStore, declared_scopes

_READ_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Chassis:
    """The parts of a service that its routes and its runner share.

    Attributes:
        tokens: accepted bearer tokens.
        metrics: registry for the service's own metrics.
        bug: the broken promise that stops the process, None while all hold.
        on_bug: called once with it; the runner sets it.
        on_stop: called when the process is told to stop, while it waits for open requests yet:
            for those that would not end by themselves.
        parts: what is opened, works and is closed with the service.
        crashes: of the service of late, before this start.
        disk: how full the disks are that are written to.
        business: what became of traders and their money, a line each.
    """

    def __init__(
        self, app: FastAPI, tokens: TokenStore, disk: DiskWatch, business: BusinessLog
    ) -> None:
        self.tokens = tokens
        self.metrics = HttpMetrics()
        self.bug: BaseException | None = None
        self.on_bug: Callable[[BaseException], None] | None = None
        self.on_stop: list[Callable[[], None]] = []
        self.parts = Parts(self.fail)
        self.crashes = 0
        self.disk = disk
        self.business = business
        self._app = app
        self._templates: dict[object, str] = {}

    def fail(self, bug: BaseException) -> None:
        """Stop the process because of a bug; also for background tasks that end with one."""
        if self.bug is None:
            self.bug = bug
            if self.on_bug is not None:
                self.on_bug(bug)

    def route_of(self, scope: Scope) -> str:
        """Name the path template of a routed request; `unmatched` without one."""
        endpoint = scope.get("endpoint")
        if endpoint is None:
            return "unmatched"
        template = self._templates.get(endpoint)
        if template is None:
            for route in iter_route_contexts(self._app.routes):
                self._templates.setdefault(route.endpoint, route.path or "unmatched")
            template = self._templates.setdefault(endpoint, "unmatched")
        return template


def install_chassis(
    app: FastAPI,
    settings: ServiceSettings,
    *,
    health: Probe = always_ok,
    ready: Probe = always_ok,
    tokens: TokenStore | None = None,
    reserved: tuple[str, ...] = (),
    unaudited: re.Pattern[str] | None = None,
) -> Chassis:
    """Give an application what all services have; call it once, before adding routes.

    Args:
        app: the application.
        settings: of the service.
        health: whether it makes progress.
        ready: whether it may be sent requests.
        tokens: accepted tokens; an empty store when not given.
        reserved: beginnings of paths that no rate holds up: the ways out.
        unaudited: paths of writes that are written down elsewhere, or change nothing.

    Returns:
        The shared parts, also in `app.state.chassis`.
    """
    business = BusinessLog(settings.state_dir / "business" / f"{app.title}.jsonl", SystemClock())
    disk = DiskWatch(settings.state_dir)
    chassis = Chassis(app, tokens or TokenStore(), disk, business)
    chassis.tokens.days = settings.token_days
    _note_life(chassis, app.title)
    _watch_disk(chassis)
    audit = AuditLog(settings.state_dir / "audit" / f"{app.title}.jsonl", SystemClock(), unaudited)
    app.state.chassis = chassis
    app.add_exception_handler(SuiteError, faults.on_fault)
    app.add_exception_handler(HTTPException, faults.on_http_error)
    app.add_exception_handler(RequestValidationError, faults.on_invalid_request)
    app.add_middleware(
        Edge,
        rules=edge_rules(settings),
        metrics=chassis.metrics,
        route_of=chassis.route_of,
        on_bug=chassis.fail,
        guard=Guard(chassis.tokens.knows, rate_per_s=settings.request_rate, reserved=reserved),
        audit=audit,
    )

    locked = locks_set(settings)
    locks: Detail = {"locks": ", ".join(locked)} if locked else {}

    async def get_health(_request: Request) -> Response:
        own, parts = await ask(health), chassis.parts.health()
        told: Detail = {"crashes": chassis.crashes} if chassis.crashes else {}
        disk: Detail = {"disk": chassis.disk.disk.text} if chassis.disk.disk.is_filling else {}
        detail = {**own.detail, **parts.detail, **told, **disk, **locks}
        return _health_response(app.title, Health(ok=own.ok and parts.ok, detail=detail))

    async def get_ready(_request: Request) -> Response:
        found = await ask(ready)
        detail = {**found.detail, **locks}
        return _health_response(app.title, Health(ok=found.ok, detail=detail))

    async def get_metrics(_request: Request) -> Response:
        return Response(chassis.metrics.render(), media_type=chassis.metrics.content_type)

    for path, endpoint in (
        ("/health", get_health),
        ("/ready", get_ready),
        ("/metrics", get_metrics),
    ):
        app.add_route(path, endpoint, methods=["GET"], include_in_schema=False)
    describe_locally(app)
    return chassis


def _note_life(chassis: Chassis, title: str) -> None:
    """Have start and end in the business log; being first, it is closed last."""

    async def started() -> None:
        chassis.business.tell("started", title)

    async def ended() -> None:
        chassis.business.tell("ended", title)
        chassis.business.close()

    chassis.parts.add("business", start=started, stop=ended)


def _watch_disk(chassis: Chassis) -> None:
    """Look at the disk for as long as the service runs, and show what was found."""
    disk = chassis.disk
    chassis.parts.work("disk", disk.run)
    text = "Share in use of the fullest disk that is written to."
    figure = Figure(name="process_disk_used_ratio", text=text, read=lambda: disk.disk.used)
    Figures(chassis.metrics.registry, (figure,))


def edge_rules(settings: ServiceSettings) -> EdgeRules:
    """Derive what is let in from the settings."""
    named = frozenset(name.lower() for name in settings.allowed_hosts)
    is_open = settings.trusted_network and not settings.is_loopback and not named
    return EdgeRules(
        hosts=None if is_open else LOOPBACK_NAMES | named | {settings.host.lower()},
        origins=frozenset(origin.lower().rstrip("/") for origin in settings.allowed_origins),
        body_limit_bytes=settings.body_limit_bytes,
    )


def undeclared_write_routes(app: FastAPI) -> list[str]:
    """List routes that change something and declare no scope; a test keeps this empty.

    A route declares one with `Depends(require(...))`, `@scoped(...)` or `@open_to_all(reason)`.
    WebSocket routes and mounted applications count as writing: what they do cannot be seen here.
    """
    return [
        f"{'/'.join(sorted(route.methods or {'ANY'}))} {route.path}"
        for route in iter_route_contexts(app.routes)
        if not _only_reads(route) and not declared_scopes(_target(route), _dependencies(route))
    ]


def _only_reads(route: RouteContext) -> bool:
    return route.methods is not None and route.methods <= _READ_METHODS


def _target(route: RouteContext) -> object:
    return route.endpoint or getattr(route.original_route, "app", None)


def _dependencies(route: RouteContext) -> Iterator[object]:
    waiting = [getattr(route.original_route, "dependant", None), getattr(route, "dependant", None)]
    while waiting:
        dependant = waiting.pop()
        if dependant is not None:
            yield dependant.call
            waiting.extend(dependant.dependencies)


def _health_response(service: str, health: Health) -> Response:
    body = {"status": "ok" if health.ok else "failing", "service": service, **health.detail}
    status = 200 if health.ok else 503
    return Response(msgspec.json.encode(body), status, media_type="application/json")
