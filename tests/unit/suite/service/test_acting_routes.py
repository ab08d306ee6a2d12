"""The rows of `/exchange/order` and its siblings: their keys, their expiry, their answers."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest

from suite.contracts.venue import Action, PlaceOrder
from suite.errors import BadRequest
from suite.service.acting_routes import (
    acting_routes,
    answer_of,
    expires_ms_of,
    key_of,
    key_of_noop,
)
from suite.service.raw_routes import Answer, Call, Route, answer

Asked: TypeAlias = Call[None]


def call(**headers: str) -> Asked:
    async def nothing() -> dict[str, str]:
        return {}

    raw = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    return Call({"headers": raw}, None, b"", None, nothing)


def test_rows_act_and_need_a_token_that_may_trade() -> None:
    made: list[tuple[str, type[Action]]] = []

    def acting(name: str, kind: type[Action]) -> Callable[[Asked], Awaitable[Answer]]:
        made.append((name, kind))
        return noop

    async def noop(_call: Asked) -> Answer:
        return answer(None)

    routes: tuple[Route[Asked], ...] = acting_routes(Route, acting, noop)
    names = ["order", "cancel", "modify", "leverage", "isolated-margin", "noop"]
    assert [f"/exchange/{name}" for name in names] == [route.path for route in routes]
    assert {("POST", "trade")} == {(route.method, route.scope) for route in routes}
    assert ("order", PlaceOrder) == made[0]
    assert names[:-1] == [name for name, _ in made]


@pytest.mark.parametrize("key", ["k", "a b", "~" * 64])
def test_key_is_read(key: str) -> None:
    asked = call(idempotency_key=key)
    assert (key, key) == (key_of(asked), key_of_noop(asked))


@pytest.mark.parametrize("key", ["", " k", "k ", "~" * 65, "a\tb", "é"])
def test_key_that_cannot_be_one_is_refused(key: str) -> None:
    with pytest.raises(BadRequest, match="1 to 64 printable ASCII"):
        key_of(call(idempotency_key=key))


def test_only_a_noop_needs_a_key() -> None:
    assert key_of(call()) is None
    with pytest.raises(BadRequest, match="missing"):
        key_of_noop(call())


def test_expiry_is_a_time_in_epoch_ms() -> None:
    assert (None, 1_790_000_000_000) == (
        expires_ms_of(call()),
        expires_ms_of(call(expires_after="1790000000000")),
    )
    for text in ("", "soon", "-1", "1.5", "9" * 17):
        with pytest.raises(BadRequest, match="not a time in epoch ms"):
            expires_ms_of(call(expires_after=text))


def test_answer_names_the_key_and_says_whether_it_was_given_before() -> None:
    told = answer_of("k", {"status": "ok"}, replayed=True)
    assert b'{"status":"ok"}' == told.body
    assert ((b"idempotency-key", b"k"), (b"idempotent-replayed", b"true")) == told.headers
