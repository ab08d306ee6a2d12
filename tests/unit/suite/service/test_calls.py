"""What an answer of a service that is no answer means."""

import random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from suite.service.calls import ServiceCalls


@pytest.mark.parametrize(
    ("after", "wait_ms"),
    [("7", 7000), ("0", 0), ("", 1000), ("²", 1000), ("\u0663", 1000), ("1_0", 1000),
     ("9" * 5000, 1000), ("Wed, 21 Oct 2026 07:28:00 GMT", 1000)],
)  # fmt: skip
def test_wait_that_is_asked_for_is_seconds_in_ascii_digits(after: str, wait_ms: int) -> None:
    calls = ServiceCalls(
        cast("Any", None),
        "here",
        name="the venue",
        hints={},
        connect_window_s=1,
        retry_window_s=1,
        jitter=random.Random(1),
    )
    answer = SimpleNamespace(status=429, reason="", headers={"retry-after": after})
    assert wait_ms == calls.fault(cast("Any", answer), b"slow down").retry_after_ms
