"""A server that speaks OpenAI's or Anthropic's protocol and does wrong what it is told to."""

import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Act = Callable[["_Handler"], None]
"""What it does with a request, in place of an answer."""


@dataclass
class ModelServer:
    """What it was asked, and what it does next.

    Attributes:
        script: what is done with the next requests, in order; after that it answers.
        text: of answers.
        answers: makes the text of the answer to a request, in the place of `text`.
        bodies: of all requests.
        headers: of all requests.
        paths: of all requests.
        usage: that an answer tells; None for none.
        release: lets those go on that hang.
    """

    script: deque[Act] = field(default_factory=deque)
    text: str = "hold"
    answers: Callable[[Mapping[str, Any]], str] | None = None
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    usage: dict[str, Any] | None = field(
        default_factory=lambda: {"prompt_tokens": 100, "completion_tokens": 10}
    )
    release: threading.Event = field(default_factory=threading.Event)
    url: str = ""
    die: Callable[[], None] = lambda: None

    def does(self, *acts: Act) -> None:
        """Say what it does with the next requests."""
        self.script.extend(acts)


def status(code: int, told: object = None, **headers: str) -> Act:
    """Refuse with a status."""

    def act(handler: "_Handler") -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        handler.reply(code, json.dumps(told or {}).encode(), named)

    return act


def error(code: int, message: str, kind: str = "", **headers: str) -> Act:
    """Refuse as OpenAI does."""
    return status(code, {"error": {"message": message, "code": kind or None}}, **headers)


def body(content: bytes | object) -> Act:
    """Answer with any body."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return lambda handler: handler.reply(200, raw)


def cut(handler: "_Handler") -> None:
    """Promise more than is sent, and hang up."""
    content = handler.answer()
    handler.begin(200, {"content-length": str(len(content))})
    handler.wfile.write(content[: len(content) // 2])
    handler.hang_up()


def hang(handler: "_Handler") -> None:
    """Say nothing until released."""
    handler.of.release.wait(30)


def drip(handler: "_Handler") -> None:
    """Send byte after byte, without an end, until released or left."""
    handler.begin(200, {})
    while not handler.of.release.wait(0.01):
        handler.wfile.write(b" ")


def flood(handler: "_Handler") -> None:
    """Send more than any answer holds."""
    handler.begin(200, {})
    for _ in range(64):
        handler.wfile.write(b" " * (1 << 20))


def answer(handler: "_Handler") -> None:
    """Answer as it should."""
    handler.reply(200, handler.answer())


class _Handler(BaseHTTPRequestHandler):
    of: ModelServer
    close_connection = True

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        self.body: dict[str, Any] = json.loads(self.rfile.read(length))
        self.of.bodies.append(self.body)
        self.of.headers.append({name.lower(): value for name, value in self.headers.items()})
        self.of.paths.append(self.path)
        act = self.of.script.popleft() if self.of.script else answer
        try:
            act(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def answer(self) -> bytes:
        text = self.of.text if self.of.answers is None else self.of.answers(self.body)
        if self.path.endswith("/messages"):
            told: dict[str, Any] = {
                "content": [{"type": "text", "text": text}],
                "stop_reason": "end_turn",
                "usage": {"input_tokens": 100, "output_tokens": 10},
            }
        else:
            message = {"role": "assistant", "content": text}
            told = {"choices": [{"index": 0, "finish_reason": "stop", "message": message}]}
            if self.of.usage is not None:
                told["usage"] = self.of.usage
        return json.dumps(told).encode()

    def reply(self, code: int, content: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.begin(code, {"content-length": str(len(content)), **(headers or {})})
        self.wfile.write(content)

    def begin(self, code: int, headers: Mapping[str, str]) -> None:
        self.send_response_only(code)
        for name, value in {"content-type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def hang_up(self) -> None:
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[ModelServer]:
    """Serve on a free port while the context is open."""
    told = ModelServer()
    handler = type("Handler", (_Handler,), {"of": told})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    told.url = f"http://127.0.0.1:{server.server_address[1]}/v1"

    def die() -> None:
        server.shutdown()
        server.server_close()  # nobody listens any more

    told.die = die
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield told
    finally:
        told.release.set()
        server.shutdown()
        server.server_close()
        thread.join()
