"""Tokens are random, known only by hash, and cover exactly what they say."""

from pathlib import Path

import pytest

from suite.clock import ManualClock
from suite.errors import ConfigError, Forbidden, Unauthorized
from suite.service.token_file import read_token
from suite.service.tokens import Grant, TokenStore, account_grant


def request_with(header: str | None, **path: str) -> dict[str, object]:
    headers = [] if header is None else [(b"authorization", header.encode())]
    return {"type": "http", "headers": headers, "path_params": path}


def test_issued_token_is_256_random_bits_behind_a_prefix() -> None:
    store = TokenStore()
    first, second = store.issue(account_grant("a")), store.issue(account_grant("a"))
    assert first != second
    assert first.startswith("act_")
    assert len(first) == 4 + 43
    assert store.verify(first).account == "a"


def test_store_does_not_hold_the_token() -> None:
    store = TokenStore()
    token = store.issue(account_grant("a"))
    assert token not in repr(vars(store))


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic abc",
        "Bearer act_wrong",
        "Bearer \udce9".encode("utf-8", "surrogateescape").decode("latin-1"),
    ],
)
def test_missing_or_wrong_token_is_unauthorized(header: str | None) -> None:
    with pytest.raises(Unauthorized):
        TokenStore().authorize(request_with(header), "trade")


def test_scope_without_object_is_covered_by_any_object_of_the_grant() -> None:
    grant = account_grant("alice")
    assert grant.covers("trade")
    assert grant.covers("trade:alice")
    assert not grant.covers("trade:bob")
    assert not grant.covers("trad")
    assert not grant.covers("admin")


def test_realm_separates_worlds_but_not_from_the_operator() -> None:
    alice = account_grant("alice", realm="w1")
    operator = Grant(name="operator", scopes=frozenset({"admin"}))
    world_admin = Grant(name="owner", scopes=frozenset({"admin"}), realm="w1")
    assert alice.covers("trade", realm="w1")
    assert not alice.covers("trade", realm="w2")
    assert not alice.covers("trade")
    assert operator.covers("trade", realm="w2")
    assert world_admin.covers("trade", realm="w1")
    assert not world_admin.covers("trade", realm="w2")


def test_realm_of_a_request_is_its_world() -> None:
    store = TokenStore()
    token = store.issue(account_grant("alice", realm="w1"))
    header = f"Bearer {token}"
    assert store.authorize(request_with(header, world_id="w1"), "trade").account == "alice"
    with pytest.raises(Forbidden, match="the token of alice does not cover trade"):
        store.authorize(request_with(header, world_id="w2"), "trade")


def test_token_expires() -> None:
    clock = ManualClock(1_000)
    store = TokenStore(clock)
    token = store.issue(account_grant("a", expires_at_ms=2_000))
    clock.advance_to(1_999)
    assert store.verify(token).name == "a"
    clock.advance_to(2_000)
    with pytest.raises(Unauthorized, match="expired"):
        store.verify(token)


def test_revoked_token_is_unknown_at_once() -> None:
    store = TokenStore()
    gone, kept = store.issue(account_grant("a", realm="w")), store.issue(account_grant("b"))
    assert store.revoke(realm="w") == 1
    assert store.verify(kept).name == "b"
    with pytest.raises(Unauthorized):
        store.verify(gone)


def test_token_file_is_private_and_survives_a_restart(tmp_path: Path) -> None:
    operator = Grant(name="operator", scopes=frozenset({"admin"}))
    path = TokenStore().ensure_file(tmp_path / "tokens", operator)
    assert path.stat().st_mode & 0o777 == 0o400
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [path] == list(path.parent.iterdir())
    again = TokenStore()
    again.ensure_file(tmp_path / "tokens", operator)
    assert again.verify(path.read_text().strip()).scopes == operator.scopes


def test_token_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = TokenStore().ensure_file(tmp_path, Grant(name="x", scopes=frozenset()))
    path.chmod(0o444)
    with pytest.raises(ConfigError, match="readable by others"):
        TokenStore().ensure_file(tmp_path, Grant(name="x", scopes=frozenset()))


def test_a_token_is_read_where_a_service_wrote_it(tmp_path: Path) -> None:
    """One that is not there is none; one that others can read is refused; names lead nowhere."""
    folder = tmp_path / "tokens"
    path = TokenStore().ensure_file(folder, account_grant("anna"))
    assert path.read_text().strip() == read_token(folder, "anna")
    assert "" == read_token(folder, "bert")
    (tmp_path / "else.token").write_text("x")
    assert "" == read_token(folder, "a/../../else")
    path.chmod(0o440)
    with pytest.raises(ConfigError, match=r"readable by others; run: chmod 400"):
        read_token(folder, "anna")


def test_short_token_is_refused() -> None:
    with pytest.raises(ConfigError, match="shorter than 256 bits"):
        TokenStore().accept("act_changeme", account_grant("a"))
