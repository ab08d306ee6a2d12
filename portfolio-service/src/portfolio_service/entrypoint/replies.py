"""Answers as JSON: exact numbers are numbers, with the digits that they have."""

from typing import Final

import msgspec
from starlette.responses import Response

JSON: Final = "application/json"
_encode = msgspec.json.Encoder(decimal_format="number").encode
_KEPT_BY_NOBODY: Final = {"cache-control": "no-store"}


def encoded(body: object) -> bytes:
    """Write a value as it is answered with."""
    return _encode(body)


def reply(body: object) -> Response:
    """Answer with a value."""
    return raw(encoded(body))


def raw(body: bytes) -> Response:
    """Answer with what is encoded already, here or by another service."""
    return Response(body, media_type=JSON, headers=_KEPT_BY_NOBODY)
