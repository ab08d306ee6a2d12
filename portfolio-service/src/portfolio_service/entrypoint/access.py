"""Who may do what: bearer tokens for programs, sessions for browsers.

A login exchanges a token for a session, whose opaque id is in a cookie that no page can read. What
a page sends with it counts as a person's only where the browser says that the page is ours.
"""

import contextlib
from collections import deque
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import HTTPConnection
from starlette.responses import Response

from portfolio_service.entrypoint.replies import reply
from suite.clock import Clock
from suite.errors import Forbidden, Unauthorized
from suite.service.tokens import (
    ADMIN,
    Grant,
    Require,
    TokenStore,
    open_to_all,
)

READ: Final = "read:portfolio"
OPERATOR: Final = Grant(name="operator", scopes=frozenset({ADMIN}))
VIEWER: Final = Grant(name="viewer", scopes=frozenset({READ}))
COOKIE: Final = "portfolio_session"
_OPEN: Final[dict[str, Any]] = {"security": []}
_SESSIONS_MAX: Final = 1000
_SAFE: Final = frozenset({"GET", "HEAD"})


class Login(BaseModel):
    """What somebody shows to be let in: the operator's token, or the viewer's."""

    model_config = ConfigDict(extra="forbid", strict=True)

    token: Annotated[str, Field(min_length=1, max_length=200)]


class Sessions:
    """Sessions of browsers, each as good as the token that it was begun with.

    Args:
        tokens: accepted by the process.
        wall: its time.
        hours: how long a session lasts.
    """

    def __init__(self, tokens: TokenStore, wall: Clock, hours: float) -> None:
        self._tokens = tokens
        self._wall = wall
        self._lasts_ms = round(hours * 3_600_000)
        self._names: deque[str] = deque()
        self._number = 0

    def begin(self, token: str) -> tuple[str, Grant]:
        """Begin a session; its secret, and what it allows.

        Raises:
            Unauthorized: the token is unknown.
        """
        grant = self._tokens.verify(token)
        if "~" in grant.name:
            raise Unauthorized("unknown token")  # a session is no token to log in with
        self._number += 1
        session = Grant(
            name=f"{grant.name}~{self._number}",
            scopes=grant.scopes,
            expires_at_ms=self._wall.now_ms() + self._lasts_ms,
        )
        self._names.append(session.name)
        while len(self._names) > _SESSIONS_MAX:
            self._tokens.revoke(name=self._names.popleft())
        return self._tokens.issue(session), session

    def end(self, grant: Grant) -> None:
        """End a session."""
        if grant.name in self._names:
            self._names.remove(grant.name)
            self._tokens.revoke(name=grant.name)


class Allowed(Require):
    """The caller's grant by its token, or by its session; else 401 or 403."""

    async def __call__(self, connection: HTTPConnection) -> Grant:
        """Check who is there."""
        store: TokenStore = connection.app.state.chassis.tokens
        secret = connection.cookies.get(COOKIE)
        if secret is None or "authorization" in connection.headers:
            return store.authorize(connection.scope, self.scope)
        grant = store.verify(secret)
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
        secret, grant = sessions.begin(body.token.strip())
        answer = reply(_shown(grant))
        answer.set_cookie(
            COOKIE,
            secret,
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
            sessions.end(store.verify(connection.cookies.get(COOKIE, "")))
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
