"""A backtest over HTTP: this process serves the world, each trader is a process of its own."""

import asyncio
import contextlib
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import uvicorn

from strategy_core.registry import PLUGIN
from suite.contracts.trader import TraderSpec
from suite.contracts.world import WorldCreated, WorldRequest
from suite.errors import BadRequest, SuiteError, UpstreamUnavailable
from suite.service.http import admin_client
from virtual_exchange.adapters.processes.agents import AgentProcess, agent_command
from virtual_exchange.adapters.traders_file import write_masked
from virtual_exchange.application.backtest import Progress
from virtual_exchange.application.session import Session, strategies_of
from virtual_exchange.bootstrap import OPERATOR, Container, build
from virtual_exchange.domain.record import RunRecord
from virtual_exchange.main import create_app
from virtual_exchange.running import TraderRun
from virtual_exchange.settings import Settings

_LOOK_S = 0.2


def run_http_backtest(run: TraderRun, progress: Progress) -> RunRecord:
    """Serve a world on a free loopback port, start an agent for each trader, and wait for the end.

    Whatever happens, nothing that was started is left behind.

    Args:
        run: what to run.
        progress: told now and then.

    Raises:
        SuiteError: the world cannot be built, or an agent stopped with an error.
    """
    with asyncio.Runner(loop_factory=_fastest_loop()) as runner:
        return runner.run(_run(run, progress))


def _fastest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Choose uvloop where it is installed; it is not made for every platform."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _run(run: TraderRun, progress: Progress) -> RunRecord:
    agent_command()
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        with tempfile.TemporaryDirectory(prefix="virtual-exchange-") as folder:
            settings = Settings.load(
                data=run.data, host="127.0.0.1", port=0, state_dir=Path(folder)
            ).model_copy(update={"symbols": (), "keep_worlds": "none"})
            async with _serving(settings) as (url, container):
                token = container.token_files[OPERATOR.name].read_text().strip()
                created = await _create(url, token, run.request)
                session = container.services.worlds.get(created.world_id)
                session.strategies = strategies_of(run.traders)
                if session.mask is not None:
                    shown = Path(folder) / "traders.yaml"
                    write_masked(run.traders_file, shown, session.mask.names)
                    run = replace(run, traders_file=shown)
                await _trade(run, created, session, progress)
                return session.record()
    except asyncio.CancelledError:
        raise SuiteError("interrupted; everything was stopped") from None


async def _create(url: str, token: str, request: WorldRequest) -> WorldCreated:
    async with admin_client(url, token=token, timeout_s=120.0) as client:
        reply = await client.post(
            "/worlds",
            content=msgspec.json.encode(request),
            headers={"content-type": "application/json"},
        )
    if reply.status_code >= 500:
        raise SuiteError(reply.text)
    if reply.status_code >= 400:
        raise BadRequest(reply.text)
    return msgspec.json.decode(reply.content, type=WorldCreated)


async def _trade(
    run: TraderRun, created: WorldCreated, session: Session, progress: Progress
) -> None:
    """Run all agents to their end; the first that fails ends the run."""
    agents: list[AgentProcess] = []
    waiting: set[asyncio.Future[None]] = set()
    try:
        for traders in _processes_of(run):
            for trader in traders:
                if run.journal is not None:
                    (run.journal / f"{trader.trader_id}.jsonl").unlink(missing_ok=True)
            agents.append(
                await AgentProcess.start(
                    traders_file=run.traders_file,
                    tokens={one.trader_id: created.tokens[one.account_id] for one in traders},
                    base_url=created.base_url,
                    seed=run.request.seed,
                    journal=run.journal,
                    decisions=run.decisions.get(traders[0].trader_id),
                )
            )
        waiting = {asyncio.ensure_future(agent.finished()) for agent in agents}
        while waiting:
            progress(session.world.done)
            done, waiting = await asyncio.wait(
                waiting, timeout=_LOOK_S, return_when=asyncio.FIRST_EXCEPTION
            )
            for task in done:
                task.result()
    finally:
        await asyncio.gather(*(agent.stop() for agent in agents))
        await asyncio.gather(*waiting, return_exceptions=True)
    session.world.play(session.world.end_bar)
    progress(1.0)


def _processes_of(run: TraderRun) -> list[tuple[TraderSpec, ...]]:
    """Say which traders share a process: none, or all built-in ones where that is wanted."""
    shared: list[TraderSpec] = []
    alone: list[TraderSpec] = []
    for trader in run.traders:
        apart = trader.strategy.kind.startswith(PLUGIN) or trader.trader_id in run.decisions
        (alone if apart or not run.together else shared).append(trader)
    return [*((trader,) for trader in alone), *((tuple(shared),) if shared else ())]


class _Server(uvicorn.Server):
    """uvicorn that leaves signals to the run it belongs to."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signal."""
        yield


@contextlib.asynccontextmanager
async def _serving(settings: Settings) -> AsyncIterator[tuple[str, Container]]:
    """Serve the virtual exchange on a free port while the context is open."""
    container = build(settings)
    app = create_app(settings, container)
    # The protocol is named: asyncio turns Nagle's delay off for such sockets only.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            app,
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
        )
        server = _Server(config)
        serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        try:
            while not server.started:
                if serving.done():
                    await serving
                    raise UpstreamUnavailable("the virtual exchange did not start")
                await asyncio.sleep(0.01)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", container
        finally:
            server.should_exit = True
            await asyncio.gather(serving, return_exceptions=True)
