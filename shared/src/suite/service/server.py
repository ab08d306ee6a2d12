"""Running an application: bind, announce, serve, stop.

    raise SystemExit(serve(create_app(settings), settings))

The first SIGTERM or SIGINT stops accepting, ends what is open within the limit and closes the
lifespan; further SIGTERMs change nothing. The exit code is 0 after such a stop.
"""

import contextlib
import errno
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Final

import structlog
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from suite.errors import ConfigError, StorageError, SuiteError
from suite.service.app import Chassis
from suite.service.logging import traceback_of
from suite.service.settings import ServiceSettings
from suite.service.websocket import WebSocketProtocol

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_log = structlog.get_logger(__name__)


def serve(app: FastAPI, settings: ServiceSettings) -> None:
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
    with _bind(settings.host, settings.port) as listener:
        guarded = _Lifespan(app)
        server = _Server(_config(guarded, settings), app.title, listener, chassis.on_stop)
        chassis.on_bug = server.stop
        try:
            server.run(sockets=[listener])
        except SystemExit:
            raise _start_failure(app.title, guarded.failure) from None
        except OSError as error:
            # Two processes may bind the same free port; the second to listen is told here.
            raise _port_error(settings.host, settings.port, error) from None
    if chassis.bug is not None:
        raise SuiteError(f"{app.title} stopped because of a bug: {chassis.bug}")
    if guarded.failure is not None:
        raise _start_failure(app.title, guarded.failure)


def _config(app: ASGIApp, settings: ServiceSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="on",
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
    ) -> None:
        super().__init__(config)
        self._title = title
        self._listener = listener
        self._on_stop = on_stop

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
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals without raising them again afterwards: a wanted stop exits with 0."""
        before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.should_exit and number == signal.SIGINT:
            self.force_exit = True  # a second Ctrl-C on a terminal: the user has waited enough
        self.should_exit = True


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
