"""A service for the tests of the runner: started as a process, told what to do by arguments."""

import asyncio
import sys
import time

import typer
from fastapi import FastAPI

from suite.checks import InvariantViolated
from suite.errors import StorageError
from suite.service import server
from suite.service.app import install_chassis
from suite.service.cli import run_command
from suite.service.lifecycle import lifespan
from suite.service.logging import configure_logging
from suite.service.server import serve
from suite.service.settings import ServedSettings, settings_config


class Settings(ServedSettings):
    model_config = settings_config("DEMO_")

    shutdown_timeout_s: int = 3


async def begin() -> None:
    if "fail-start" in sys.argv[1:]:
        raise StorageError("journal is damaged")
    if "bug-start" in sys.argv[1:]:
        raise ZeroDivisionError("oops")


async def end() -> None:
    if "hang-stop" in sys.argv[1:]:
        time.sleep(1000)  # noqa: ASYNC251 - nothing in the event loop can end this
    print("closed", flush=True)


def command(how: str, port: int = 0, host: str = "127.0.0.1") -> None:
    """Serve."""
    app = FastAPI(title="demo", lifespan=lifespan)
    settings = Settings.load(port=port, host=host)
    configure_logging(style=settings.log_format)
    chassis = install_chassis(app, settings)
    chassis.parts.add("demo", start=begin, stop=end)
    if how == "hang-stop":
        vars(server)["STOP_BUDGET_S"] = 1.0

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
