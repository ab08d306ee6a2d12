"""The runner, with real processes and sockets."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import httpx
import pytest

from suite.service.watching import EXIT_OVERDUE

Start: TypeAlias = Callable[..., subprocess.Popen[str]]
SERVICE = Path(__file__).with_name("demo_service.py")
pytestmark = pytest.mark.process


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def run(*args: str, **env: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(SERVICE), *args]
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            command, cwd=tmp_path, env=os.environ | env, stdout=pipe, stderr=pipe, text=True
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


def url_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"demo ready on (http://127\.0\.0\.1:\d+)\n", line)
    assert found, line or (process.stderr.read() if process.stderr else "")
    return found[1]


def test_sigterm_finishes_open_requests_and_exits_with_0(start: Start) -> None:
    process = start("serve")
    url = url_of(process)
    answers: list[str] = []

    def ask() -> None:
        with httpx.Client(trust_env=False) as client, client.stream("GET", f"{url}/slow") as reply:
            answers.append(reply.read().decode())

    asking = threading.Thread(target=ask)
    asking.start()
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    for _ in range(3):
        process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=10)
    asking.join(timeout=10)
    assert (0, "closed\n", "") == (process.returncode, out, err)
    assert answers == ['"serve"']


def test_a_stop_that_hangs_for_good_is_over_in_time(start: Start) -> None:
    process = start("hang-stop")
    url_of(process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert EXIT_OVERDUE == process.returncode
    assert "not ended in time; still open: " in err


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def answer(url: str) -> tuple[int, dict[str, object]]:
    """Ask until somebody answers."""
    with httpx.Client(trust_env=False, timeout=60) as client:
        while True:
            try:
                reply = client.get(url)
                return reply.status_code, json.loads(reply.content)
            except httpx.TransportError:
                continue


def test_after_many_crashes_a_start_waits_and_says_so(start: Start) -> None:
    for _ in range(4):
        process = start("serve")
        url_of(process)
        process.kill()
        process.communicate()
    port = free_port()
    waiting = start("serve", "--port", str(port), CRASH_DELAY_S="3600")
    code, body = answer(f"http://127.0.0.1:{port}/health")
    assert (200, "waiting", 4) == (code, body["status"], body["crashes"])
    assert 503 == answer(f"http://127.0.0.1:{port}/ready")[0]
    waiting.send_signal(signal.SIGTERM)
    out, _ = waiting.communicate(timeout=60)
    assert (0, "") == (waiting.returncode, out)  # a wanted end is no fifth crash
    process = start("serve", CRASH_DELAY_S="0.5")
    assert 4 == answer(f"{url_of(process)}/health")[1]["crashes"]


def test_port_already_taken_is_one_line_and_exit_1(start: Start) -> None:
    port = url_of(start("serve")).rpartition(":")[2]
    second = start("serve", "--port", port)
    out, err = second.communicate(timeout=20)
    expected = f"demo: port {port} on 127.0.0.1 is already taken; choose another with --port\n"
    assert (1, "", expected) == (second.returncode, out, err)


@pytest.mark.parametrize(
    ("args", "code", "reason"),
    [
        (["fail-start"], 1, "demo: journal is damaged\n"),
        (["bug-start"], 1, "demo: demo could not start: ZeroDivisionError: oops\n"),
        (["serve", "--host", "0.0.0.0"], 2, "demo: refusing to listen on 0.0.0.0: "),
        (["serve", "--host", "no.such.host.invalid"], 2, "demo: refusing to listen on "),
        (["serve", "--port", "99999"], 2, "demo: bad settings: DEMO_PORT: "),
        (["--bogus"], 2, "demo: No such option: --bogus"),
    ],
)
def test_failed_start_is_one_line_and_an_exit_code(
    start: Start, args: list[str], code: int, reason: str
) -> None:
    process = start(*args)
    out, err = process.communicate(timeout=20)
    assert (code, "") == (process.returncode, out)
    last = err.splitlines(keepends=True)[-1]
    assert last.startswith(reason)
    assert "Traceback" not in re.sub(r'(?m)^\{.*"lifespan_failed".*$', "", err)


def test_broken_promise_stops_the_process_with_exit_1(start: Start) -> None:
    process = start("serve")
    with httpx.Client(trust_env=False) as client:
        assert client.get(f"{url_of(process)}/broken-promise").status_code == 500
    _, err = process.communicate(timeout=10)
    assert process.returncode == 1
    assert err.splitlines()[-1] == "demo: demo stopped because of a bug: money appeared"
