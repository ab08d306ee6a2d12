"""Logs are events, and no secret leaves through them."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from suite.service.logging import bound, configure_logging
from suite.service.tokens import TokenStore, account_grant


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    out = io.StringIO()
    configure_logging(style="json", stream=out)
    yield out
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_event_carries_what_is_bound(stream: io.StringIO) -> None:
    with bound(trader_id="alice"):
        structlog.get_logger("x").info("order_rejected", reason="min_notional")
    structlog.get_logger("x").info("after")
    structlog.get_logger("x").debug("below_the_level")
    first, second = lines(stream)
    assert ("order_rejected", "min_notional", "alice", "info") == (
        first["event"],
        first["reason"],
        first["trader_id"],
        first["level"],
    )
    assert "trader_id" not in second


def test_secrets_are_hidden_by_name_and_by_shape(stream: io.StringIO) -> None:
    token = TokenStore().issue(account_grant("a"))
    log = structlog.get_logger("x")
    log.info("a", trader_token="canary", api_key="canary", Authorization="canary", token_count=3)
    log.info("b", text=f"sent {token} to it", header=f"Bearer {token}")
    logging.getLogger("library").warning("seen %s", token)
    text = stream.getvalue()
    assert "canary" not in text
    assert token not in text
    assert lines(stream)[0]["token_count"] == 3


def test_exception_is_one_line_of_json(stream: io.StringIO) -> None:
    try:
        int("bad")
    except ValueError:
        structlog.get_logger("x").exception("failed")
    (event,) = lines(stream)
    assert "ValueError: invalid literal" in str(event["exception"])
