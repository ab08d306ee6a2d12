"""Running an application: bind, announce, serve, stop.

    raise SystemExit(serve(create_app(settings), settings))

The first SIGTERM or SIGINT stops accepting, ends what is open within the limit and closes the
lifespan; further SIGTERMs change nothing. The exit code is 0 after such a stop, and the process is
gone 20 seconds after it whatever hangs. After more than three crashes of late it waits a minute
before it starts, and says so at `/health`.
"""

import contextlib
import errno
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Final, Literal

import msgspec
import structlog
import uvicorn
from fastapi import FastAPI
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from suite.errors import ConfigError, StorageError, SuiteError
from suite.service.app import Chassis
from suite.service.clock import SystemClock
from suite.service.lifecycle import STOP_BUDGET_S
from suite.service.logging import traceback_of
from suite.service.settings import ServedSettings
from suite.service.starts import Starts
from suite.service.watching import Watch
from suite.service.websocket import WebSocketProtocol

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_log = structlog.get_logger(__name__)


def serve(app: FastAPI, settings: ServedSettings) -> None:
    """Run an application until it is told to stop.

    Prints one line with the URL to stdout as soon as it answers.

    Args:
        app: with the chassis installed.
        settings: of the service.

    Raises:
        ConfigError: the address may not be used without `TRUSTED_NETWORK=true`.
        StorageError: the port is taken or not permitted.
        SuiteError: the service could not start, or stopped because of a bug.
    """
    if not settings.is_loopback and not settings.trusted_network:
        raise ConfigError(
            f"refusing to listen on {settings.host}: other machines could reach it; "
            "use 127.0.0.1, or set TRUSTED_NETWORK=true where the network is yours"
        )
    chassis: Chassis = app.state.chassis
    pause_ms = round(settings.crash_delay_s * 1000)
    folder = settings.state_dir / "starts"
    with (
        _bind(settings.host, settings.port) as listener,
        Starts(folder, app.title, SystemClock(), pause_ms=pause_ms) as starts,
    ):
        try:
            if starts.delay_ms and not _wait(app.title, settings, listener, starts):
                starts.ended_well()
                return
            chassis.crashes = starts.crashes
            _run(app, settings, listener)
        except SuiteError as error:
            if chassis.bug is None and type(error) is not SuiteError:
                starts.ended_well()  # what is wrong was told; to start at once again is in order
            raise
        except OSError as error:
            # Two processes may bind the same free port; the second to listen is told here.
            starts.ended_well()
            raise _port_error(settings.host, settings.port, error) from None
        starts.ended_well()


def _run(app: FastAPI, settings: ServedSettings, listener: socket.socket) -> None:
    chassis: Chassis = app.state.chassis
    guarded = _Lifespan(app)
    parts = chassis.parts
    watch = Watch(
        lambda: parts.beats, stalled_s=settings.stall_limit_s, still_open=parts.still_open
    )

    def told() -> None:
        parts.deadline_s = time.monotonic() + STOP_BUDGET_S
        watch.end_within(STOP_BUDGET_S)

    server = _Server(_config(guarded, settings), app.title, listener, chassis.on_stop, told)
    chassis.on_bug = server.stop
    watch.start()
    try:
        server.run(sockets=[listener])
    except SystemExit:
        raise _start_failure(app.title, guarded.failure) from None
    finally:
        watch.close()
    if chassis.bug is not None:
        raise SuiteError(f"{app.title} stopped because of a bug: {chassis.bug}")
    if guarded.failure is not None:
        raise _start_failure(app.title, guarded.failure)


def _wait(title: str, settings: ServedSettings, listener: socket.socket, starts: Starts) -> bool:
    """Answer for a service that crashed too often, until it may start again.

    Returns:
        Whether it shall start: False where it was told to end meanwhile.
    """
    _log.error("crash_loop", crashes=starts.crashes, waits_s=round(starts.delay_ms / 1000))
    until_s = time.monotonic() + starts.delay_ms / 1000

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = {
            "status": "waiting",
            "service": title,
            "crashes": starts.crashes,
            "starts_in_s": max(0, round(until_s - time.monotonic())),
        }
        # It is alive, and to start it anew would not help: only what needs it is refused.
        status = 200 if scope["path"] == "/health" else 503
        reply = Response(msgspec.json.encode(body), status, media_type="application/json")
        await reply(scope, receive, send)

    server = _Pause(_config(answer, settings, lifespan="off"), until_s)
    server.run(sockets=[listener.dup()])  # it closes what it was given
    return not server.was_told


def _config(
    app: ASGIApp, settings: ServedSettings, *, lifespan: Literal["on", "off"] = "on"
) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan=lifespan,
        ws=WebSocketProtocol,
        ws_max_size=settings.body_limit_bytes,
        ws_per_message_deflate=False,  # each connection would compress the same again
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=settings.shutdown_timeout_s,
    )


def _bind(host: str, port: int) -> socket.socket:
    """Take the port without listening yet: a client is refused until the service can answer."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise _port_error(host, port, error) from None
    return listener


def _port_error(host: str, port: int, error: OSError) -> StorageError:
    if error.errno == errno.EADDRINUSE:
        return StorageError(f"port {port} on {host} is already taken; choose another with --port")
    return StorageError(f"cannot listen on {host}:{port}: {error.strerror or error}")


def _start_failure(title: str, failure: BaseException | None) -> SuiteError:
    if isinstance(failure, SuiteError):
        return failure
    reason = f"{type(failure).__name__}: {failure}" if failure else "the start was interrupted"
    return SuiteError(f"{title} could not start: {reason}")


class _Server(uvicorn.Server):
    """uvicorn, with an announcement and an exit code of its own."""

    def __init__(
        self,
        config: uvicorn.Config,
        title: str,
        listener: socket.socket,
        on_stop: Sequence[Callable[[], None]],
        told: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._title = title
        self._listener = listener
        self._on_stop = on_stop
        self._told = told

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say where."""
        await super().startup(sockets=sockets)
        host, port = self._listener.getsockname()[:2]
        name = f"[{host}]" if ":" in host else host
        sys.stdout.write(f"{self._title} ready on http://{name}:{port}\n")
        sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, after those were told that hold requests open."""
        for tell in self._on_stop:
            tell()
        await super().shutdown(sockets=sockets)

    def stop(self, _bug: BaseException) -> None:
        """Stop as on SIGTERM."""
        self._end()

    def _end(self) -> None:
        if not self.should_exit:
            self._told()
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals without raising them again afterwards: a wanted stop exits with 0."""
        with _captured(self._on_signal):
            yield

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.should_exit and number == signal.SIGINT:
            self.force_exit = True  # a second Ctrl-C on a terminal: the user has waited enough
        self._end()


@contextlib.contextmanager
def _captured(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Have a handler take the signals that end a service, and nobody else."""
    before = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


class _Pause(uvicorn.Server):
    """uvicorn for a while; the first signal ends it."""

    def __init__(self, config: uvicorn.Config, until_s: float) -> None:
        super().__init__(config)
        self._until_s = until_s
        self.was_told = False

    async def on_tick(self, counter: int) -> bool:
        """Look at the time."""
        return await super().on_tick(counter) or time.monotonic() >= self._until_s

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals as a wish to end."""
        with _captured(self._on_signal):
            yield

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.should_exit = self.was_told = True


class _Lifespan:
    """An application whose failed start or stop is kept as an exception, not printed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.failure: BaseException | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass requests through; watch the lifespan."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        failed = ""

        async def watch(message: Message) -> None:
            nonlocal failed
            if message["type"].endswith(".failed"):
                failed = message["type"]  # its message is a traceback; ours follows
            else:
                await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:  # noqa: BLE001  told in one line by `serve`
            self.failure = error
            if not isinstance(error, SuiteError):
                _log.error("lifespan_failed", exception=traceback_of(error))
            await send({"type": failed or "lifespan.startup.failed", "message": ""})
