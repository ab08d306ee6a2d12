"""Structured logs: events with key-values, to stderr, without secrets.

    log = structlog.get_logger()
    log.info("order_rejected", reason="min_notional", coin="BTC")
    log.error("feed_failed", exception=traceback_of(error))

`bound(trader_id=..., run_id=...)` adds keys to every event of the current task; the chassis does so
with `request_id`. stdout belongs to the commands.

A secret is hidden where it has a telling name, and where a text holds something of its shape: in
values, however deep, in messages of exceptions, and once more in the finished line. No traceback
shows local variables. `traceback_of` keeps that promise also in a process that never called
`configure_logging`, where structlog would print them.
"""

import logging
import re
import sys
import traceback
from contextlib import AbstractContextManager
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

REDACTED = "[redacted]"
_SECRET_KEY = re.compile(
    r"(^|[_-])(token|authorization|password|passwd|secret|private[_-]key|api[_-]key|mnemonic|cookie)$"
)
_SECRET_TEXT = re.compile(
    r"""act_[A-Za-z0-9_-]{32,}"""  # ours, see `suite.service.tokens`
    r"""|\bBearer\s+[^\s"'\\,;\x1b]+"""
    r"""|\b(?i:bearer)\s+[^\s"'\\,;\x1b]{16,}"""  # not "a bearer token is required"
)


def hide_secrets(text: str) -> str:
    """Replace what has the shape of a token."""
    return _SECRET_TEXT.sub(REDACTED, text)


def traceback_of(error: BaseException) -> str:
    """Write the traceback of an exception for a log: files, lines and messages, no variables."""
    return hide_secrets("".join(traceback.format_exception(error)).rstrip("\n"))


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide values under secret names, and tokens wherever they are in text."""
    for key, value in event.items():
        if key != "exc_info":  # not text yet; whoever makes it text uses `traceback_of`
            event[key] = _redacted(key, value)
    return event


def _redacted(name: object, value: Any) -> Any:
    if _names_a_secret(name):
        return REDACTED
    match value:
        case str():
            return hide_secrets(value)
        case dict():
            return {key: _redacted(key, inner) for key, inner in value.items()}
        case [key, _] if _names_a_secret(key):  # a header, as ASGI has them
            return [key, REDACTED]
        case list() | tuple():
            return [_redacted("", inner) for inner in value]
    return value


def _names_a_secret(name: object) -> bool:
    text = name.decode("latin-1") if isinstance(name, bytes) else name
    return isinstance(text, str) and _SECRET_KEY.search(text.lower()) is not None


def _hide_in_line(_logger: WrappedLogger, _method: str, line: Any) -> str:
    """Look at the finished line too: it has the text of values that are no text themselves."""
    return hide_secrets(line)


def _plain_traceback(stream: TextIO, exc_info: structlog.typing.ExcInfo) -> None:
    stream.write(f"\n{traceback_of(exc_info[1])}")


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
    renderers: list[Processor] = (
        [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer()]
        if style == "json"
        # The library's own formatter prints local variables, secrets among them.
        else [
            redact,
            structlog.dev.ConsoleRenderer(
                colors=out.isatty(), exception_formatter=_plain_traceback
            ),
        ]
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *renderers,
                _hide_in_line,
            ],
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
