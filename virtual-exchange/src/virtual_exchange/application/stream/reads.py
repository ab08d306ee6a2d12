"""Reads of `/info`, for the channels that show the same."""

from collections.abc import Callable
from typing import Any

import msgspec

from virtual_exchange.application.info.queries import Queries
from virtual_exchange.application.info.request import InfoBody

Ask = Callable[..., Any]
"""Answer of an info request: `ask("l2Book", coin="BTC")`."""


def asker(queries: Queries) -> Ask:
    """Ask what `POST /info` would be asked."""

    def ask(kind: str, **fields: Any) -> Any:
        return queries.info(msgspec.convert({"type": kind, **fields}, InfoBody), None)

    return ask
