"""Processes that are started here, whatever they say and however they end."""

import asyncio
import sys

import pytest

from suite.errors import SuiteError
from suite.service.output_lines import lines_of
from virtual_exchange.adapters.processes import child as processes
from virtual_exchange.adapters.processes.agents import AgentProcess
from virtual_exchange.adapters.processes.child import Child

pytestmark = pytest.mark.process


async def started(program: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("", None),
        ("raise SystemExit(3)", "exit code 3"),
        ("raise SystemExit('strategy-agent: no such coin')", "strategy-agent: no such coin"),
        ("import sys; sys.exit('x' * 200_000 + '\\nthe reason\\n\\n')", "the reason"),
        ("import sys; sys.exit('x' * 200_000)", "x" * 4096),
        ("import sys\nfor n in range(200_000): print(n, file=sys.stderr)\nsys.exit(1)", "199999"),
    ],
)
async def test_reason_of_an_end_is_the_last_line_however_much_was_said(
    program: str, reason: str | None
) -> None:
    """A line may be longer than the buffer of a stream, and be the only one."""
    child = Child(await started(program))
    assert reason == await child.ended()
    await child.stop()


async def test_agent_that_says_much_is_heard_to_its_end() -> None:
    """The reason is told without the name of the program."""
    program = "import sys; sys.exit('x' * 200_000 + '\\nstrategy-agent: no such coin')"
    agent = AgentProcess("ann", Child(await started(program)))
    with pytest.raises(SuiteError, match=r"^agent ann stopped: no such coin$"):
        await agent.finished()
    await agent.stop()


async def test_process_that_does_not_listen_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """After it was asked; one that has ended is left alone."""
    monkeypatch.setattr(processes, "_STOP_S", 0.1)
    deaf = "import signal; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True)"
    process = await started(deaf + "\nsignal.pause()")
    child = Child(process)
    assert process.stdout is not None
    assert "deaf" == await anext(lines_of(process.stdout))
    await child.stop()
    await child.stop()
    assert -9 == process.returncode
