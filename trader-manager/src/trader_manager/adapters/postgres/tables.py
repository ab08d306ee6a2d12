"""What the parts of the store have in common."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from suite.errors import BadRequest
from suite.service.database import Database


class Tables:
    """Some tables of the service.

    Args:
        database: open while any of them is used.
    """

    def __init__(self, database: Database) -> None:
        self._database = database


def epoch_ms(column: str) -> str:
    """Write a time stamp as epoch ms in SQL, under the name of its column."""
    name = column.rpartition(".")[2].removesuffix("_at")
    return f"(extract(epoch FROM {column}) * 1000)::bigint AS {name}_ms"


def refuse_no_json(value: Any, place: str) -> None:
    """Look for what JSON would lose or change silently: dates, NaN, keys that are no texts.

    Raises:
        BadRequest: there is such a thing.
    """
    if odd := next(_not_json(value, place), None):
        raise BadRequest(f"{odd} is not JSON")


def _not_json(value: Any, place: str) -> Iterator[str]:
    match value:
        case None | bool() | int() | str():
            return
        case float() if math.isfinite(value):
            return
        case Mapping():
            for key, item in value.items():
                if not isinstance(key, str):
                    yield f"the key {key!r} of {place}"
                yield from _not_json(item, f"{place}.{key}")
        case list() | tuple():
            for index, item in enumerate(value):
                yield from _not_json(item, f"{place}[{index}]")
        case _:
            yield place
