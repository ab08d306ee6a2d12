"""The dashboard: files that need no build, no other host and no inline script.

All of them are read, hashed and compressed once, when the service starts. A browser that has one
is told so; nothing is ever taken from its cache unasked, so that a new version is seen at once.
"""

import gzip
import hashlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page may do: run and fetch what this service has, and nothing else."""
_HEADERS: Final = {
    "cache-control": "no-cache",
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "referrer-policy": "no-referrer",
    "vary": "accept-encoding",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
_TEXT: Final = "text/plain; charset=utf-8"
_VENDORED: Final = (
    "lightweight-charts.js",
    "lightweight-charts.LICENSE",
    "lightweight-charts.NOTICE",
    "structures.js",
)
INDEX: Final = "index.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebFile:
    """A file as it is sent.

    Attributes:
        tag: strong, of the content.
        packed: the same, compressed.
    """

    media_type: str
    tag: str
    body: bytes
    packed: bytes


def read_files() -> dict[str, WebFile]:
    """Read all files by their path below the root."""
    own = files("portfolio_service") / "web"
    shared = files("suite.page") / "assets"
    found = {name: _read(name, one) for name, one in _walked(own, "")}
    return found | {name: _read(name, shared / name) for name in _VENDORED}


def _walked(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for one in folder.iterdir():
        name = prefix + one.name
        if one.is_dir():
            yield from _walked(one, f"{name}/")
        else:
            yield name, one


def _read(name: str, file: Traversable) -> WebFile:
    body = file.read_bytes()
    return WebFile(
        media_type=_TYPES.get("." + name.rpartition(".")[2], _TEXT),
        tag=f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        body=body,
        packed=gzip.compress(body, mtime=0),
    )


def add_web(app: FastAPI) -> None:
    """Serve the dashboard at `/`; what is in it is no secret, what it shows needs a login."""
    for name, file in read_files().items():
        path = "/" if name == INDEX else f"/{name}"
        app.add_route(path, _sender(file), methods=["GET"], include_in_schema=False)


def _sender(file: WebFile) -> Callable[[Request], Awaitable[Response]]:
    headers = {**_HEADERS, "etag": file.tag}

    async def send(request: Request) -> Response:
        known = request.headers.get("if-none-match", "")
        if file.tag in {one.strip().removeprefix("W/") for one in known.split(",")}:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            packed = {**headers, "content-encoding": "gzip"}
            return Response(file.packed, media_type=file.media_type, headers=packed)
        return Response(file.body, media_type=file.media_type, headers=headers)

    return send
