"""`GET /gpt-latest/{symbol}` without the framework, where its answer is encoded already.

All traders of a fleet ask for the same snapshots once a bar. What `Snapshots` has at hand is sent
by a few lines of plain ASGI; everything else, errors too, is left to the route of the same path.
"""

from typing import Final
from urllib.parse import parse_qsl

from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from data_collector.application.snapshots import Snapshots
from data_collector.entrypoint.replies import NOT_MODIFIED, has_it
from suite.bodies import Encoded
from suite.moments import parse_timestamp

PREFIX: Final = "/gpt-latest/"


class Shortcut(BaseRoute):
    """Stands before the routes.

    Args:
        snapshots: what is at hand.
        endpoint: of the route that it stands before; requests are counted as that one's.
    """

    methods = frozenset({"GET"})
    path = PREFIX + "{symbol:path}"

    def __init__(self, snapshots: Snapshots, endpoint: object) -> None:
        self.endpoint = endpoint
        self._snapshots = snapshots

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Look for an answer that is ready."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope.get("root_path"):
            return Match.NONE, {}
        path: str = scope["path"]
        if not path.startswith(PREFIX):
            return Match.NONE, {}
        answer = self._ready(path[len(PREFIX) :], scope["query_string"])
        if answer is None:
            return Match.NONE, {}
        return Match.FULL, {"endpoint": self.endpoint, "answer": answer}

    def _ready(self, symbol: str, query: bytes) -> Encoded | None:
        timestamp = None
        if query:
            asked = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
            timestamp = asked.pop("timestamp", None)
            if asked:
                return None
        try:
            as_of_ms = None if timestamp is None else parse_timestamp(timestamp)
        except ValueError:
            return None
        return self._snapshots.ready(symbol, as_of_ms)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what was found; the request has no body to read."""
        del receive
        answer: Encoded = scope["answer"]
        tag = f'"{answer.digest}"'
        headers = [(b"etag", tag.encode()), (b"cache-control", b"no-cache")]
        known = next((value for name, value in scope["headers"] if name == b"if-none-match"), None)
        if known is not None and has_it(known.decode("latin-1"), tag):
            status, body = NOT_MODIFIED, b""
        else:
            status, body = 200, answer.body
            headers += [
                (b"content-type", b"application/json"),
                (b"content-length", b"%d" % len(body)),
            ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
