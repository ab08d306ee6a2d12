"""Opaque bearer tokens with scopes.

A token is 256 random bits behind the prefix `act_`, so that scanners find a leaked one. The process
keeps only its SHA-256. Scopes are words with an optional object:

    read:market            market data
    read:account:<id>      state of one account
    trade:<id>             orders of one account
    admin                  everything

A route names what it needs; `trade` without an object means that any `trade:<id>` will do and the
handler acts for `grant.account`, never for an account named in the body.
"""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TextIO, TypeVar

import structlog
from starlette.requests import HTTPConnection
from starlette.types import Scope

from suite.clock import Clock
from suite.errors import ConfigError, Forbidden, Unauthorized
from suite.service.clock import SystemClock

PREFIX: Final = "act_"
ADMIN: Final = "admin"
OPEN: Final = "open"
_FILE_MODE: Final = 0o400
_DIRECTORY_MODE: Final = 0o700
_SCOPE_ATTRIBUTE: Final = "suite_scope"
_BEARER: Final = b"bearer "
_NOTED: Final = "suite_caller"
_DAY_MS: Final = 86_400_000
TOKEN_DAYS: Final = 365.0
"""How long a token in a file lasts, from when it was written."""
_LOOK_MS: Final = 1_000
_log = structlog.get_logger(__name__)

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a token allows.

    Attributes:
        name: whose it is, for logs; never the token.
        scopes: what it covers.
        account: the one account it acts for, empty for none.
        realm: the world it belongs to, empty for the service itself.
        expires_at_ms: epoch ms from which it is refused, None for never.
    """

    name: str
    scopes: frozenset[str]
    account: str = ""
    realm: str = ""
    expires_at_ms: int | None = None

    def covers(self, needed: str, *, realm: str = "") -> bool:
        """Say whether the grant allows a scope.

        Args:
            needed: a scope; without an object, any object of the grant will do.
            realm: where it is needed. The service's own `admin` reaches into every realm.
        """
        if ADMIN in self.scopes and self.realm in {"", realm}:
            return True
        if self.realm != realm:
            return False
        return needed in self.scopes or any(s.startswith(f"{needed}:") for s in self.scopes)


def account_grant(account: str, *, realm: str = "", expires_at_ms: int | None = None) -> Grant:
    """Make the usual grant of a trader: its own account, and market data."""
    scopes = frozenset({"read:market", f"read:account:{account}", f"trade:{account}"})
    return Grant(
        name=account, scopes=scopes, account=account, realm=realm, expires_at_ms=expires_at_ms
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who was recognized, for the audit.

    Attributes:
        name: of the grant.
        token_id: the first digits of the token's SHA-256.
        needed: the scope that was asked for.
    """

    name: str
    token_id: str
    needed: str


@dataclass(slots=True)
class _TokenFile:
    """A token that is kept in a file.

    Attributes:
        path: of it.
        grant: what the token in it allows, whichever that is.
        written_ns: when that was written.
        looked_ms: when that was looked at.
    """

    path: Path
    grant: Grant
    written_ns: int
    looked_ms: int


class TokenStore:
    """The tokens a process accepts, by SHA-256.

    A token in a file is over some time after it was written. A process that starts writes a new
    one then; while it runs, it takes what `rotate_file` writes, and the former is over at once.

    Args:
        clock: wall time.

    Attributes:
        days: how long a token in a file lasts.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.days = TOKEN_DAYS
        self._clock = clock or SystemClock()
        self._grants: dict[bytes, Grant] = {}
        self._files: dict[bytes, _TokenFile] = {}
        self._looked_ms = 0

    def issue(self, grant: Grant) -> str:
        """Make a new token for a grant; the caller shows it once and forgets it."""
        token = PREFIX + secrets.token_urlsafe(32)
        self._grants[digest_of(token)] = grant
        return token

    def accept_digest(self, digest: bytes, grant: Grant) -> None:
        """Take a token that was made elsewhere, by its SHA-256."""
        self._grants[digest] = grant

    def find(self, digest: bytes) -> Grant | None:
        """Find the grant of a token by its SHA-256, be it expired; None where it is not known."""
        return self._grants.get(digest)

    def knows(self, token: str) -> bool:
        """Whether a secret is a token that is accepted at present."""
        try:
            self.verify(token)
        except Unauthorized:
            return False
        return True

    def accept(self, token: str, grant: Grant) -> None:
        """Take a token made elsewhere.

        Raises:
            ConfigError: it is too short to be a secret.
        """
        if len(token) < len(PREFIX) + 32:
            raise ConfigError(f"the token of {grant.name} is shorter than 256 bits")
        self._grants[digest_of(token)] = grant

    def revoke(
        self, *, name: str | None = None, account: str | None = None, realm: str | None = None
    ) -> int:
        """Forget all tokens of a name, of an account, of a realm, or of all that are given.

        Returns:
            How many they were.
        """
        gone = [
            key
            for key, grant in self._grants.items()
            if (name is None or grant.name == name)
            and (account is None or grant.account == account)
            and (realm is None or grant.realm == realm)
        ]
        for key in gone:
            del self._grants[key]
            self._files.pop(key, None)
        return len(gone)

    def verify(self, token: str) -> Grant:
        """Find the grant of a token.

        Raises:
            Unauthorized: unknown or expired.
        """
        # Looked up by hash: how long that takes says nothing about any token.
        digest = digest_of(token)
        self._look_at_file(digest)
        grant = self._grants.get(digest)
        if grant is None:
            raise Unauthorized("unknown token")
        if grant.expires_at_ms is not None and self._clock.now_ms() >= grant.expires_at_ms:
            raise Unauthorized(f"the token of {grant.name} has expired")
        return grant

    def authorize(self, scope: Scope, needed: str, *, realm: str | None = None) -> Grant:
        """Check the bearer token of an ASGI request; for routes without FastAPI.

        Args:
            scope: of the request.
            needed: the scope it needs.
            realm: where; the path parameter `world_id` when not given.

        Raises:
            Unauthorized: no token, or one that is not known.
            Forbidden: it does not cover the scope.
        """
        for name, value in scope["headers"]:
            if name == b"authorization" and value[: len(_BEARER)].lower() == _BEARER:
                token = value[len(_BEARER) :].decode("latin-1").strip()
                break
        else:
            raise Unauthorized("a bearer token is required")
        grant = self.verify(token)
        where = scope.get("path_params", {}).get("world_id", "") if realm is None else realm
        note(scope, grant, token, needed)
        if not grant.covers(needed, realm=where):
            raise Forbidden(f"the token of {grant.name} does not cover {needed}")
        return grant

    def ensure_file(self, directory: Path, grant: Grant) -> Path:
        """Accept the token in `<directory>/<name>.token`, writing a new one at the first start.

        Returns:
            The file, mode 0400.

        Raises:
            ConfigError: others may read the file, or it cannot be read or written.
        """
        path = directory / f"{grant.name}.token"
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=_DIRECTORY_MODE)
            if not path.exists():
                _write_new(path, PREFIX + secrets.token_urlsafe(32))
            elif self._clock.now_ms() >= self._expires_ms(path.stat().st_mtime_ns):
                rotate_file(path)
                _log.warning("token_renewed", name=grant.name, after_days=self.days)
            self._accept_file(path, grant)
        except OSError as error:
            raise ConfigError(f"cannot use {path}: {error.strerror}") from None
        return path

    def _accept_file(self, path: Path, grant: Grant) -> None:
        found = path.stat()
        if found.st_mode & 0o077:
            raise ConfigError(f"{path} is readable by others; run: chmod 400 {path}")
        token = path.read_text(encoding="ascii").strip()
        written_ns = found.st_mtime_ns
        expires_ms = self._expires_ms(written_ns)
        self.accept(token, replace(grant, expires_at_ms=expires_ms))
        self._files[digest_of(token)] = _TokenFile(path, grant, written_ns, self._clock.now_ms())

    def _expires_ms(self, written_ns: int) -> int:
        return written_ns // 1_000_000 + round(self.days * _DAY_MS)

    def _look_at_file(self, digest: bytes) -> None:
        """See once a second whether a token was rotated; of one that is unknown, whether any."""
        now_ms, file = self._clock.now_ms(), self._files.get(digest)
        if file is not None:
            if abs(now_ms - file.looked_ms) >= _LOOK_MS:
                file.looked_ms = now_ms
                self._renew(digest, file)
        elif digest not in self._grants and abs(now_ms - self._looked_ms) >= _LOOK_MS:
            self._looked_ms = now_ms
            for held, one in list(self._files.items()):
                self._renew(held, one)

    def _renew(self, digest: bytes, file: _TokenFile) -> None:
        try:
            if file.path.stat().st_mtime_ns == file.written_ns:
                return
            self._grants.pop(digest, None)
            del self._files[digest]
            self._accept_file(file.path, file.grant)
            _log.warning("token_rotated", name=file.grant.name)
        except (OSError, UnicodeDecodeError, ConfigError) as error:
            # Whoever took the file away meant it: what was in it is over.
            self._grants.pop(digest, None)
            self._files.pop(digest, None)
            _log.error("token_gone", name=file.grant.name, reason=type(error).__name__)


def note(scope: Scope, grant: Grant, token: str, needed: str) -> None:
    """Write down in a request who was recognized, for the audit."""
    digits = digest_of(token).hex()[:12]
    scope[_NOTED] = Caller(name=grant.name, token_id=digits, needed=needed)


def noted(scope: Scope) -> Caller | None:
    """Who was recognized in a request; None for nobody."""
    found = scope.get(_NOTED)
    return found if isinstance(found, Caller) else None


def shown_secrets(scope: Scope) -> Iterator[str]:
    """What a request shows for who it is: its bearer token, and what is in its cookies."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            yield value.partition(b" ")[2].decode("latin-1").strip()
        elif name == b"cookie":
            for part in value.split(b";"):
                yield part.partition(b"=")[2].decode("latin-1").strip()


class Require:
    """FastAPI dependency: the caller's grant, or 401 or 403. Made by `require`."""

    def __init__(self, scope: str) -> None:
        self.scope = scope

    async def __call__(self, connection: HTTPConnection) -> Grant:
        """Check the connection's token against the service's store."""
        store: TokenStore = connection.app.state.chassis.tokens
        return store.authorize(connection.scope, self.scope)


def require(scope: str) -> Require:
    """Declare what a route needs: `grant: Annotated[Grant, Depends(require("trade"))]`."""
    return Require(scope)


def scoped(scope: str) -> Callable[[F], F]:
    """Declare what a raw ASGI endpoint needs; it calls `TokenStore.authorize` itself."""

    def mark(endpoint: F) -> F:
        setattr(endpoint, _SCOPE_ATTRIBUTE, scope)
        return endpoint

    return mark


def open_to_all(reason: str) -> Callable[[F], F]:
    """Declare that a write route needs no token, and why: `"authenticated by its signature"`."""
    return scoped(f"{OPEN}: {reason}")


def declared_scopes(endpoint: object, dependencies: Iterable[object]) -> tuple[str, ...]:
    """List what an endpoint and its dependencies declare; empty when they declare nothing.

    Args:
        endpoint: a function, or a raw ASGI application.
        dependencies: the callables that FastAPI runs before it.
    """
    marked = getattr(endpoint, _SCOPE_ATTRIBUTE, None)
    found = [item.scope for item in dependencies if isinstance(item, Require)]
    return tuple(found) + ((marked,) if marked else ())


def rotate_file(path: Path) -> None:
    """Write a new token into a file, whole or not at all; the former is over.

    Raises:
        ConfigError: there is no such file, or it cannot be written.
    """
    if not path.is_file():
        raise ConfigError(f"no token in {path}")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.unlink(missing_ok=True)
        flags = os.O_CREAT | os.O_WRONLY | os.O_EXCL
        with os.fdopen(os.open(draft, flags, _FILE_MODE), "w") as file:
            file.write(f"{PREFIX}{secrets.token_urlsafe(32)}\n")
            _sync(file)
        draft.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None


def _write_new(path: Path, token: str) -> None:
    """Create a token file whole or not at all; if another process was first, keep its file."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY, _FILE_MODE), "w") as file:
        file.write(f"{token}\n")
        _sync(file)
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
    _sync_folder(path.parent)


def _sync(file: TextIO) -> None:
    """Have it survive a power cut: an empty token would keep the service from its next start."""
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def digest_of(token: str) -> bytes:
    """Hash a token, as it is kept: from the hash nobody gets the token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
