"""The way of an agent to a venue, as its bootstrap makes it."""

import random

from suite.service.calls import ServiceCalls
from suite.service.http import step_session


def venue_calls(
    url: str, token: str | None, *, timeout_s: float | None = None, window_s: float = 5.0
) -> ServiceCalls:
    """Make it; reads are tried for as long as the window."""
    return ServiceCalls(
        step_session(url, token=token, timeout_s=timeout_s),
        url,
        name="the venue",
        hints={},
        connect_window_s=window_s,
        retry_window_s=window_s,
        jitter=random.Random(1),
    )
