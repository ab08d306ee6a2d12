"""Guessers are held up and who is allowed is not; floods, headers and depths have their limits."""

import json
from typing import Any

import pytest
from starlette.types import Scope

from suite.service.guarding import (
    DEPTH_MAX,
    FAILURES_MAX,
    HEADER_BYTES,
    WINDOW_S,
    Guard,
    is_deep,
    secured,
)

REFUSED = 0
"""Not listened to: 401 with a time to wait."""


class Watched:
    """A guard, and a clock that is set by hand."""

    def __init__(self, **more: Any) -> None:
        self.now_s = 1000.0
        self.guard = Guard(lambda secret: secret == "good", now_s=lambda: self.now_s, **more)

    def status(self, token: str = "", peer: str = "10.0.0.1", path: str = "/x") -> int:
        """Ask once, and be answered as the route would: 401 for a wrong token."""
        scope = request(token, peer, path)
        refusal = self.guard.refusal(scope)
        if refusal is not None:
            return REFUSED if refusal.status_code == 401 else refusal.status_code
        status = 200 if token == "good" else 401
        self.guard.answered(scope, status)
        return status


def request(token: str = "", peer: str = "10.0.0.1", path: str = "/x") -> Scope:
    headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
    return {"type": "http", "method": "POST", "path": path, "headers": headers, "client": (peer, 1)}


def test_after_many_wrong_tokens_a_peer_is_refused_for_a_minute() -> None:
    watched = Watched()
    statuses = [watched.status("wrong") for _ in range(FAILURES_MAX + 1)]
    assert [401] * FAILURES_MAX + [REFUSED] == statuses
    assert (REFUSED, 401) == (watched.status(), watched.status("wrong", peer="10.0.0.2"))
    watched.now_s += WINDOW_S
    assert 401 == watched.status("wrong")


def test_who_is_allowed_is_answered_meanwhile() -> None:
    """Else anybody on the machine could keep the operator from the kill switch."""
    watched = Watched()
    for _ in range(FAILURES_MAX):
        watched.status("wrong")
    assert (REFUSED, 200) == (watched.status("wrong"), watched.status("good"))


def test_whether_it_lives_may_be_asked_meanwhile() -> None:
    watched = Watched()
    for _ in range(FAILURES_MAX):
        watched.status("wrong")
    assert watched.guard.refusal({**request(), "method": "GET"}) is None


def test_a_few_wrong_tokens_a_minute_are_forgotten() -> None:
    watched = Watched()
    for _ in range(5):
        assert {401} == {watched.status("wrong") for _ in range(FAILURES_MAX - 1)}
        watched.now_s += WINDOW_S


def test_no_token_at_all_is_no_guess() -> None:
    watched = Watched()
    assert {401} == {watched.status() for _ in range(FAILURES_MAX * 3)}


def test_a_cookie_is_a_guess_too() -> None:
    watched = Watched()
    scope = {**request(), "headers": [(b"cookie", b"a=b; session=wrong")]}
    for _ in range(FAILURES_MAX):
        watched.guard.answered(scope, 401)
    refusal = watched.guard.refusal(scope)
    assert refusal is not None
    assert "60" == refusal.headers["retry-after"]


def test_a_flood_is_refused_but_for_the_ways_out() -> None:
    watched = Watched(rate_per_s=10, reserved=("/safety",))
    assert [200] * 20 + [429] == [watched.status("good") for _ in range(21)]
    assert 200 == watched.status("good", path="/safety/kill")
    assert 401 == watched.status(peer="10.0.0.2")  # of another, nothing is taken
    watched.now_s += 0.5
    assert [200] * 5 + [429] == [watched.status("good") for _ in range(6)]


def test_headers_have_a_size() -> None:
    guard = Watched().guard
    fits = {**request(), "headers": [(b"x", b"y" * (HEADER_BYTES - 1))]}
    assert guard.refusal(fits) is None
    refusal = guard.refusal({**request(), "headers": [(b"x", b"y" * HEADER_BYTES)]})
    assert refusal is not None
    assert 431 == refusal.status_code


def nested(depth: int) -> object:
    value: object = 1
    for number in range(depth):
        value = [value] if number % 2 else {"a": value}
    return value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (nested(DEPTH_MAX), False),
        (nested(DEPTH_MAX + 1), True),
        ([nested(3)] * 500, False),
        (["[" * 1000, {"x": '{[\\"' * 1000}] * 3, False),
        ([nested(DEPTH_MAX - 1), "]" * 50], False),
        ([nested(DEPTH_MAX), "]" * 50], True),
        (list(zip(["]"] * 30, [nested(DEPTH_MAX)] * 30, strict=True)), True),
        ({"text": 'a"]]]}}}' * 30, "deep": nested(DEPTH_MAX)}, True),
    ],
)
def test_depth_is_that_of_the_values(value: object, expected: bool) -> None:
    for separators in ((",", ":"), (" , ", " : ")):
        assert expected == is_deep(json.dumps(value, separators=separators).encode())


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 21 + b'"', b"]" * 99 + b"[" * 21]
)
def test_what_is_no_json_is_judged_as_well(body: bytes) -> None:
    assert is_deep(body)


def test_a_page_keeps_its_own_policy() -> None:
    page = [(b"content-security-policy", b"script-src 'self'")]
    secured(page)
    assert 1 == len(page)
    report = [(b"content-type", b"text/html; charset=utf-8")]
    secured(report)
    assert b"x-frame-options" in dict(report)
    assert b"content-security-policy" not in dict(report)
    data = [(b"cache-control", b"max-age=5")]
    secured(data)
    assert {b"x-content-type-options", b"x-frame-options", b"content-security-policy"} < {
        name for name, _ in data
    }
    assert [b"max-age=5"] == [value for name, value in data if name == b"cache-control"]
