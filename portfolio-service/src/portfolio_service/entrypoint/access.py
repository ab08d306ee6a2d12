"""Who may do what: bearer tokens for programs, sessions for browsers.

A login exchanges a token for a session, whose opaque id is in a cookie that no page can read. What
a page sends with it counts as a person's only where the browser says that the page is ours.
"""

import contextlib
import secrets
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import HTTPConnection
from starlette.responses import Response

from portfolio_service.application.ports import SessionStore, StoredSession
from portfolio_service.entrypoint.replies import reply
from suite.clock import Clock
from suite.errors import Forbidden, SuiteError, Unauthorized
from suite.service.tokens import (
    ADMIN,
    PREFIX,
    Grant,
    Require,
    TokenStore,
    digest_of,
    note,
    open_to_all,
)

READ: Final = "read:portfolio"
OPERATOR: Final = Grant(name="operator", scopes=frozenset({ADMIN}))
VIEWER: Final = Grant(name="viewer", scopes=frozenset({READ}))
COOKIE: Final = "portfolio_session"
_OPEN: Final[dict[str, Any]] = {"security": []}
_SESSIONS_MAX: Final = 1000
_MARK: Final = "~"
_SAFE: Final = frozenset({"GET", "HEAD"})


class Login(BaseModel):
    """What somebody shows to be let in: the operator's token, or the viewer's."""

    model_config = ConfigDict(extra="forbid", strict=True)

    token: Annotated[str, Field(min_length=1, max_length=200)]


class Sessions:
    """Sessions of browsers, each as good as the token that it was begun with.

    They outlive the process, by their hashes; not the token: with another token in its file, what
    was begun with the former one is over. A database that is away keeps nobody out.

    Args:
        tokens: accepted by the process.
        store: keeps them.
        wall: its time.
        hours: how long a session lasts.
    """

    def __init__(self, tokens: TokenStore, store: SessionStore, wall: Clock, hours: float) -> None:
        self._tokens = tokens
        self._store = store
        self._wall = wall
        self._lasts_ms = round(hours * 3_600_000)
        self._kept: dict[str, bytes] = {}

    @property
    def lasts_s(self) -> int:
        """How long a browser keeps one, seconds."""
        return self._lasts_ms // 1000

    async def recall(self) -> None:
        """Take over those of before this process began, and forget the ones that are over.

        Raises:
            SuiteError: the database is away.
        """
        now_ms, over = self._wall.now_ms(), []
        for one in await self._store.sessions():
            parent = self._tokens.find(one.parent)
            if one.expires_ms <= now_ms or parent is None or parent.name != one.role:
                over.append(one.digest)
                continue
            grant = _session_of(parent, one.digest, one.expires_ms)
            self._tokens.accept_digest(one.digest, grant)
            self._kept[grant.name] = one.digest
        if over:
            await self._store.drop_sessions(over)

    async def begin(self, token: str) -> tuple[str, Grant]:
        """Begin a session; its secret, and what it allows.

        Raises:
            Unauthorized: the token is unknown.
        """
        parent = self._tokens.verify(token)
        if _MARK in parent.name:
            raise Unauthorized("unknown token")  # a session is no token to log in with
        secret = PREFIX + secrets.token_urlsafe(32)
        digest, expires_ms = digest_of(secret), self._wall.now_ms() + self._lasts_ms
        grant = _session_of(parent, digest, expires_ms)
        self._tokens.accept_digest(digest, grant)
        self._kept[grant.name] = digest
        with contextlib.suppress(SuiteError):
            await self._store.save_session(
                StoredSession(
                    digest=digest,
                    parent=digest_of(token),
                    role=parent.name,
                    expires_ms=expires_ms,
                )
            )
        while len(self._kept) > _SESSIONS_MAX:
            await self._forget(next(iter(self._kept)))
        return secret, grant

    async def end(self, grant: Grant) -> None:
        """End a session."""
        if grant.name in self._kept:
            await self._forget(grant.name)

    async def _forget(self, name: str) -> None:
        digest = self._kept.pop(name)
        self._tokens.revoke(name=name)
        with contextlib.suppress(SuiteError):
            await self._store.drop_sessions([digest])


def _session_of(parent: Grant, digest: bytes, expires_ms: int) -> Grant:
    """Make the grant of a session; its name tells whose it is and which, and nothing secret."""
    name = f"{parent.name}{_MARK}{digest.hex()[:12]}"
    return Grant(name=name, scopes=parent.scopes, expires_at_ms=expires_ms)


class Allowed(Require):
    """The caller's grant by its token, or by its session; else 401 or 403."""

    async def __call__(self, connection: HTTPConnection) -> Grant:
        """Check who is there."""
        store: TokenStore = connection.app.state.chassis.tokens
        secret = connection.cookies.get(COOKIE)
        if secret is None or "authorization" in connection.headers:
            return store.authorize(connection.scope, self.scope)
        grant = store.verify(secret)
        note(connection.scope, grant, secret, self.scope)
        method = connection.scope.get("method", "GET")
        if method not in _SAFE and "origin" not in connection.headers:
            raise Forbidden("a session is for pages: programs show their token")
        if not grant.covers(self.scope):
            raise Forbidden(f"{role(grant)} may look, and change nothing")
        return grant


Reader = Annotated[Grant, Depends(Allowed(READ))]
Operator = Annotated[Grant, Depends(Allowed(ADMIN))]


def role(grant: Grant) -> str:
    """What somebody is: `operator` or `viewer`."""
    return OPERATOR.name if ADMIN in grant.scopes else VIEWER.name


def still_allowed(connection: HTTPConnection) -> bool:
    """Whether who watches a stream has not been logged out since."""
    store: TokenStore = connection.app.state.chassis.tokens
    shown = connection.headers.get("authorization", "").partition(" ")[2].strip()
    try:
        store.verify(shown or connection.cookies.get(COOKIE, ""))
    except Unauthorized:
        return False
    return True


def make_access_router(sessions: Sessions) -> APIRouter:
    """Make the routes of logins."""
    router = APIRouter(tags=["access"])

    @router.post("/api/login", summary="Exchange a token for a session", openapi_extra=_OPEN)
    @open_to_all("it is where somebody shows who they are")
    async def login(body: Login, connection: HTTPConnection) -> Response:
        secret, grant = await sessions.begin(body.token.strip())
        answer = reply(_shown(grant))
        answer.set_cookie(
            COOKIE,
            secret,
            max_age=sessions.lasts_s,
            httponly=True,
            samesite="strict",
            secure=connection.scope["scheme"] == "https",
            path="/",
        )
        return answer

    @router.post("/api/logout", summary="End the session", openapi_extra=_OPEN)
    @open_to_all("it ends what the caller itself has")
    async def logout(connection: HTTPConnection) -> Response:
        store: TokenStore = connection.app.state.chassis.tokens
        with contextlib.suppress(Unauthorized):
            await sessions.end(store.verify(connection.cookies.get(COOKIE, "")))
        answer = reply({"logged_out": True})
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return answer

    @router.get("/api/session", summary="Who is logged in, and may do what")
    async def session(grant: Reader) -> Response:
        return reply(_shown(grant))

    return router


def _shown(grant: Grant) -> dict[str, Any]:
    return {
        "role": role(grant),
        "may_change": ADMIN in grant.scopes,
        "expires_ms": grant.expires_at_ms,
    }
