"""The control API of the process: `/health`, `/ready`, `/metrics` and `/status`. It only reads."""

import socket
import threading
from collections.abc import Sequence
from typing import Any

import uvicorn
from fastapi import FastAPI

from strategy_agent.application.status import Status
from strategy_agent.settings import Settings
from suite.errors import ConfigError, StorageError
from suite.service.app import install_chassis
from suite.service.health import Health


def create_app(settings: Settings, statuses: Sequence[Status]) -> FastAPI:
    """Build the application.

    Args:
        settings: of the process.
        statuses: of its traders.
    """
    app = FastAPI(title="strategy-agent")

    def health() -> Health:
        failed = sum(status.state == "failed" for status in statuses)
        return Health(ok=failed < len(statuses), detail={"failed": failed})

    def ready() -> Health:
        joined = sum(status.state in {"running", "ended"} for status in statuses)
        return Health(ok=joined == len(statuses), detail={"joined": joined})

    install_chassis(app, settings, health=health, ready=ready)

    @app.get("/status")
    async def get_status() -> dict[str, Any]:
        return {"traders": [status.as_dict() for status in statuses]}

    return app


def start(settings: Settings, statuses: Sequence[Status]) -> str:
    """Serve in a thread of its own for as long as the process lives.

    A thread, since the traders own the event loop and its signals.

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
    try:
        listener = socket.create_server((settings.host, settings.port))
    except OSError as error:
        raise StorageError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}"
        ) from None
    config = uvicorn.Config(
        create_app(settings, statuses), log_config=None, access_log=False, server_header=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="control", daemon=True
    )
    thread.start()
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}"
