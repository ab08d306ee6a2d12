"""What `/exchange` answers."""

from typing import Any, Final

Answer = dict[str, Any]

DONE: Final[Answer] = {"status": "ok", "response": {"type": "default"}}


def err(text: str) -> Answer:
    """The action as a whole is refused."""
    return {"status": "err", "response": text}


def ok(kind: str, value: Any) -> Answer:
    """It was carried out, with a value of its kind."""
    return {"status": "ok", "response": {"type": kind, "data": value}}


def data(kind: str, **values: Any) -> Answer:
    """It was carried out, with named values of its kind."""
    return ok(kind, values)
