"""A service for the tests of the runner: started as a process, told what to do by arguments."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import typer
from fastapi import FastAPI

from suite.checks import InvariantViolated
from suite.errors import StorageError
from suite.service.app import install_chassis
from suite.service.cli import run_command
from suite.service.logging import configure_logging
from suite.service.server import serve
from suite.service.settings import ServiceSettings, settings_config


class Settings(ServiceSettings):
    model_config = settings_config("DEMO_")

    shutdown_timeout_s: int = 3


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    if "fail-start" in sys.argv[1:]:
        raise StorageError("journal is damaged")
    if "bug-start" in sys.argv[1:]:
        raise ZeroDivisionError("oops")
    yield
    print("closed", flush=True)


def command(how: str, port: int = 0, host: str = "127.0.0.1") -> None:
    """Serve."""
    app = FastAPI(title="demo", lifespan=lifespan)
    settings = Settings.load(port=port, host=host)
    configure_logging(style=settings.log_format)
    install_chassis(app, settings)

    @app.get("/slow")
    async def slow() -> str:
        print("working", flush=True)
        await asyncio.sleep(0.3)
        return how

    @app.get("/broken-promise")
    async def broken() -> None:
        raise InvariantViolated("money appeared")

    serve(app, settings)


if __name__ == "__main__":
    typer_app = typer.Typer()
    typer_app.command()(command)
    run_command(typer_app, name="demo")
