"""Tokens in files expire, are rotated while the service runs, and are over at once."""

import os
from pathlib import Path

import pytest

from suite.clock import ManualClock
from suite.errors import ConfigError, Unauthorized
from suite.service.tokens import ADMIN, TOKEN_DAYS, Grant, TokenStore, rotate_file

NOW_MS = 1_800_000_000_000
DAY_MS = 86_400_000
OPERATOR = Grant(name="operator", scopes=frozenset({ADMIN}))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


def kept(store: TokenStore, folder: Path, written_ms: int = NOW_MS) -> tuple[Path, str]:
    """Keep a token that was written then."""
    path = store.ensure_file(folder, OPERATOR)
    os.utime(path, ns=(written_ms * 1_000_000, written_ms * 1_000_000))
    path = store.ensure_file(folder, OPERATOR)
    return path, path.read_text().strip()


def test_a_token_in_a_file_expires(tmp_path: Path, clock: ManualClock) -> None:
    store = TokenStore(clock)
    _, token = kept(store, tmp_path)
    assert NOW_MS + TOKEN_DAYS * DAY_MS == store.verify(token).expires_at_ms
    clock.advance_to(NOW_MS + round(TOKEN_DAYS * DAY_MS))
    with pytest.raises(Unauthorized, match="expired"):
        store.verify(token)


def test_one_that_is_over_is_written_anew_by_the_next_start(
    tmp_path: Path, clock: ManualClock
) -> None:
    path, token = kept(TokenStore(clock), tmp_path, NOW_MS - round(TOKEN_DAYS * DAY_MS))
    assert "operator.token" == path.name
    former = TokenStore(clock)
    os.utime(path, ns=(0, 0))
    former.ensure_file(tmp_path, OPERATOR)
    assert token != path.read_text().strip()
    assert 0o400 == path.stat().st_mode & 0o777


def test_a_rotated_token_counts_at_once_and_the_former_no_more(
    tmp_path: Path, clock: ManualClock
) -> None:
    store = TokenStore(clock)
    path, former = kept(store, tmp_path)
    rotate_file(path)
    token = path.read_text().strip()
    clock.advance_to(NOW_MS + 1_000)
    with pytest.raises(Unauthorized):
        store.verify(former)
    assert "operator" == store.verify(token).name
    assert 0o400 == path.stat().st_mode & 0o777


def test_a_token_whose_file_is_taken_away_is_over(tmp_path: Path, clock: ManualClock) -> None:
    store = TokenStore(clock)
    path, token = kept(store, tmp_path)
    path.unlink()
    clock.advance_to(NOW_MS + 1_000)
    with pytest.raises(Unauthorized):
        store.verify(token)


def test_a_file_that_others_may_read_is_no_token(tmp_path: Path, clock: ManualClock) -> None:
    store = TokenStore(clock)
    path, token = kept(store, tmp_path)
    rotate_file(path)
    path.chmod(0o444)
    new = path.read_text().strip()
    clock.advance_to(NOW_MS + 1_000)
    for one in (token, new):
        with pytest.raises(Unauthorized):
            store.verify(one)


def test_there_is_nothing_to_rotate_without_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no token in"):
        rotate_file(tmp_path / "nobody.token")
