"""What an answer of a service that is no answer means."""

import random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from suite.errors import Conflict, JoinFirst
from suite.service.calls import ServiceCalls


def calls() -> ServiceCalls:
    return ServiceCalls(
        cast("Any", None),
        "here",
        name="the venue",
        hints={},
        connect_window_s=1,
        retry_window_s=1,
        jitter=random.Random(1),
    )


@pytest.mark.parametrize(("code", "kind"), [("join_first", JoinFirst), ("conflict", Conflict)])
def test_a_step_that_is_not_known_is_told_from_other_conflicts(
    code: str, kind: type[Conflict]
) -> None:
    """By the name of the fault, not by its text."""
    answer = SimpleNamespace(status=409, reason="", headers={"x-error-code": code})
    assert kind is type(calls().fault(cast("Any", answer), b"no"))


@pytest.mark.parametrize(
    ("after", "wait_ms"),
    [("7", 7000), ("0", 0), ("", 1000), ("²", 1000), ("\u0663", 1000), ("1_0", 1000),
     ("9" * 5000, 1000), ("Wed, 21 Oct 2026 07:28:00 GMT", 1000)],
)  # fmt: skip
def test_wait_that_is_asked_for_is_seconds_in_ascii_digits(after: str, wait_ms: int) -> None:
    answer = SimpleNamespace(status=429, reason="", headers={"retry-after": after})
    assert wait_ms == calls().fault(cast("Any", answer), b"slow down").retry_after_ms
