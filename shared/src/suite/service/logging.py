"""Structured logs: events with key-values, to stderr, without secrets.

    log = structlog.get_logger()
    log.info("order_rejected", reason="min_notional", coin="BTC")

`bound(trader_id=..., run_id=...)` adds keys to every event of the current task; the chassis does so
with `request_id`. stdout belongs to the commands.
"""

import logging
import re
import sys
from contextlib import AbstractContextManager
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

REDACTED = "[redacted]"
_SECRET_KEY = re.compile(
    r"(^|_)(token|authorization|password|passwd|secret|private_key|api_key|mnemonic|cookie)$"
)
_SECRET_VALUE = re.compile(r"\bact_[A-Za-z0-9_-]{20,}|\bBearer\s+\S+")


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide values under secret names, and tokens wherever they are in text."""
    for key, value in event.items():
        if _SECRET_KEY.search(key.lower()):
            event[key] = REDACTED
        elif isinstance(value, str):
            event[key] = _SECRET_VALUE.sub(REDACTED, value)
    return event


def configure_logging(
    *,
    level: Literal["debug", "info", "warning", "error"] = "info",
    style: Literal["auto", "json", "console"] = "auto",
    stream: TextIO | None = None,
) -> None:
    """Set up the logs of this process; libraries' own records take the same path.

    Args:
        level: least severe event that is written.
        style: `auto` is `console` on a terminal, else `json`.
        stream: stderr when not given.
    """
    out = stream or sys.stderr
    if style == "auto":
        style = "console" if out.isatty() else "json"
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    tail: list[Processor] = (
        [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer()]
        if style == "json"
        # The pretty traceback of the library prints local variables, secrets among them.
        else [
            redact,
            structlog.dev.ConsoleRenderer(
                colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *tail],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Their information is ours already (one event a request), or chatter.
    for chatty in ("uvicorn", "httpx", "httpcore", "websockets", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def bound(**values: str | int) -> AbstractContextManager[None]:
    """Add keys to every event of the current task while the context is open."""
    return structlog.contextvars.bound_contextvars(**values)
