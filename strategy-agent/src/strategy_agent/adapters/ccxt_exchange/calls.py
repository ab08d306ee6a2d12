"""Calls of ccxt, and what it means when one fails.

An action was refused only where the exchange itself has answered so, or where nothing has left.
Whatever else ends a call leaves its fate unknown.
"""

import asyncio
import decimal
import json
import re
from collections import Counter
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from strategy_agent.adapters.ccxt_exchange.access import (
    CcxtAccess,
    check_abilities,
    check_access,
    habits_of,
    redirected,
)
from suite.clock import Clock
from suite.errors import ConfigError, UpstreamRefused, UpstreamTimeout, UpstreamUnavailable

_SLOW_DOWN: Final = frozenset({418, 429})
_SERVER_ERROR: Final = 500
_NOT_SURE: Final = re.compile(r"status unknown|unknown error|duplicat", re.IGNORECASE)
"""Binance says so of -1006 and -1007, and of -1000 and a 503. A duplicate is one of what was sent
before: nothing is sent twice from here, so a gateway did it, and the first may have arrived."""
_LONGEST_WINDOW_MS: Final = 60_000
_REQUEST_MS: Final = 10_000
_LONGEST_TEXT: Final = 200

_SAID: Final[tuple[tuple[str, str], ...]] = (
    (
        r"post.?only|maker only|-5022|as maker|GTX",
        "Post only order would have immediately matched",
    ),
    (r"reduce.?only", "Reduce only order would increase position"),
    (r"too many|rate limit|-1003|-1015", "Too many requests"),
)
"""Words by which the trader's loop knows what a refusal means, in front of the exchange's own."""


@dataclass(slots=True)
class Trace:
    """What became of the one acting request of a call.

    Attributes:
        expires_ms: from when on the exchange must refuse it, wall time.
        left: its first byte may have left.
        status: of the answer; None without one.
        refused: the exchange's own words were read as a refusal.
        retry_after_ms: how long it wants to be left alone.
    """

    expires_ms: int
    left: bool = False
    status: int | None = None
    refused: bool = False
    retry_after_ms: int | None = None


_TRACE: ContextVar[Trace | None] = ContextVar("ccxt_trace", default=None)


class NotFound(UpstreamRefused):
    """The exchange does not know the order."""


class CcxtCalls:
    """One account at one exchange, as ccxt reaches it.

    Args:
        access: see there.
        wall: the machine's clock.

    Attributes:
        api: the exchange object; of `ccxt.pro`.
        habits: how the exchange does things.
        requests: how often what was called, by ccxt's names.

    Raises:
        ConfigError: it must not, or cannot, start.
    """

    def __init__(self, access: CcxtAccess, wall: Clock) -> None:
        import ccxt.pro

        check_access(access, ccxt.pro.exchanges)
        self.access = access
        self.habits = habits_of(access.exchange)
        self.requests: Counter[str] = Counter()
        self._ccxt = ccxt.pro
        base = getattr(ccxt.pro, access.exchange)
        made = type(access.exchange, (_Traced, base), {"wall": wall, "expiry": self.habits.expiry})
        self.api: Any = made({**access.keys, "timeout": _REQUEST_MS, "number": str})
        check_abilities(access, self.api)
        self.api.has = {**self.api.has, "fetchCurrencies": False}  # wants more rights than trading
        self.api.options |= {
            "maxRetriesOnFailure": 0,
            "warnOnFetchOpenOrdersWithoutSymbol": False,
            "adjustForTimeDifference": True,
            "defaultType": "swap",
        }
        if access.url:
            self.api.urls["api"] = redirected(self.api.urls["api"], access.url)
        elif access.sandbox:
            self._enter_sandbox()

    def _enter_sandbox(self) -> None:
        """Choose the exchange's play money, in the form in which it still has it."""
        try:
            if "demo" in self.api.urls:
                self.api.enable_demo_trading(True)
            else:
                self.api.set_sandbox_mode(True)
        except self._ccxt.NotSupported:
            raise ConfigError(
                f"{self.access.exchange} has no sandbox: it trades real money only, which needs "
                "CCXT_SANDBOX=false and ALLOW_DIRECT_CCXT_LIVE=true"
            ) from None

    async def read(self, method: str, *arguments: Any) -> Any:
        """Ask for something.

        Raises:
            NotFound: there is no such order.
            UpstreamRefused: the exchange said no.
            UpstreamUnavailable: it did not answer.
        """
        self.requests[method] += 1
        try:
            # ccxt changes the rounding of the context it runs in
            with decimal.localcontext():
                return await getattr(self.api, method)(*arguments)
        except self._ccxt.OrderNotFound as error:
            raise NotFound(self._words(error)) from None
        except self._ccxt.ExchangeError as error:
            raise UpstreamRefused(f"{self.access.exchange}: {self._words(error)}") from None
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever ends a call
            raise UpstreamUnavailable(
                f"{self.access.exchange} did not answer {method}: {type(error).__name__}"
            ) from None

    async def act(self, method: str, *arguments: Any, expires_ms: int) -> Any:
        """Do something, once; never again by itself.

        Raises:
            NotFound: refused, because there is no such order.
            UpstreamRefused: refused, in the exchange's words.
            UpstreamTimeout: nobody knows what became of it.
        """
        self.requests[method] += 1
        trace = Trace(expires_ms=expires_ms)
        token = _TRACE.set(trace)
        try:
            with decimal.localcontext():
                return await getattr(self.api, method)(*arguments)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever ends a call
            raise self._judged(error, trace, method) from None
        finally:
            _TRACE.reset(token)

    async def close(self) -> None:
        """Close the connections."""
        await self.api.close()

    def _judged(
        self, error: Exception, trace: Trace, method: str
    ) -> UpstreamRefused | UpstreamTimeout:
        words, status = self._words(error), trace.status
        own = trace.refused and status is not None and status < _SERVER_ERROR
        own = own and not isinstance(error, self._ccxt.RequestTimeout)
        refused = status in _SLOW_DOWN or (own and not _NOT_SURE.search(words))
        if trace.left and not refused:
            answer = "no answer" if status is None else f"status {status}"
            name = self.access.exchange
            return UpstreamTimeout(
                f"{name}: nobody knows what became of {method}: {type(error).__name__}, {answer}",
                retry_after_ms=trace.retry_after_ms,
            )
        if isinstance(error, self._ccxt.OrderNotFound):
            return NotFound(words)
        if status in _SLOW_DOWN:
            words = f"too many requests: {words}"
        return UpstreamRefused(words)

    def _words(self, error: Exception) -> str:
        """Take the exchange's own words out of an exception; addresses carry signatures."""
        text = str(error).removeprefix(self.access.exchange).strip()
        _, brace, rest = text.partition("{")
        try:
            said = json.loads(brace + rest)
        except ValueError:
            said = None
        if isinstance(said, dict):
            text = _message_in(said) or text
        if "://" in text:
            text = type(error).__name__
        for secret in self.access.keys.values():
            text = text.replace(secret, "...") if secret else text
        return " ".join(text.split())[:_LONGEST_TEXT]


def spoken(words: str) -> str:
    """Put the loop's words for a refusal in front of the exchange's own."""
    for pattern, ours in _SAID:
        if re.search(pattern, words, re.IGNORECASE):
            return words if ours.lower() in words.lower() else f"{ours}: {words}"
    return words


def _message_in(said: dict[str, Any]) -> str:
    """Find the words in the body of a refusal; that of Binance, Hyperliquid, and most others."""
    code, message = said.get("code"), said.get("msg") or said.get("message")
    if message:
        return f"{message} ({code})" if code is not None else str(message)
    response = said.get("response")
    if isinstance(response, str):
        return response
    if isinstance(response, dict):
        statuses = response.get("data", {}).get("statuses", ())
        return next((str(s["error"]) for s in statuses if isinstance(s, dict) and "error" in s), "")
    return ""


_Exchange: Any = object  # its bases are an exchange of ccxt, chosen by its name


class _Traced(_Exchange):  # type: ignore[misc]
    """An exchange that tells of its acting requests, and lets them expire.

    Attributes:
        wall: the machine's clock.
        expiry: how its requests expire, see `Habits`.
    """

    wall: Clock
    expiry: str | None

    def sign(self, path: str, *arguments: Any, **named: Any) -> Any:
        """Sign; here a request that waited for the rate limit gets its time stamp."""
        trace = _TRACE.get()
        if self.expiry == "recvWindow" and trace is not None:
            left_ms = trace.expires_ms - self.wall.now_ms()
            if left_ms <= 0:
                raise UpstreamRefused("held back: it had expired before it left")
            window_ms = min(left_ms, _LONGEST_WINDOW_MS)
            api, method, parameters, *more = arguments
            arguments = (api, method, {**parameters, "recvWindow": window_ms}, *more)
        return super().sign(path, *arguments, **named)

    def sign_l1_action(
        self, action: Any, nonce: Any, vault: Any = None, expires: Any = None
    ) -> Any:
        """Sign an action of Hyperliquid, its expiry included."""
        trace = _TRACE.get()
        if expires is None and trace is not None:
            expires = trace.expires_ms
        return super().sign_l1_action(action, nonce, vault, expires)

    async def request(self, path: str, *arguments: Any, **named: Any) -> Any:
        """Send; the expiry that was signed goes along."""
        trace = _TRACE.get()
        if self.expiry == "expiresAfter" and trace is not None and path == "exchange":
            api, method, parameters, *more = arguments
            parameters = {**parameters, "expiresAfter": trace.expires_ms}
            arguments = (api, method, parameters, *more)
        return await super().request(path, *arguments, **named)

    async def fetch(self, url: Any, method: Any = "GET", *arguments: Any, **named: Any) -> Any:
        """Note that the request leaves."""
        if (trace := _acting(url, method)) is not None:
            trace.left = True
        return await super().fetch(url, method, *arguments, **named)

    def on_rest_response(self, code: int, *arguments: Any) -> Any:
        """Note that it was answered."""
        _reason, url, method, headers, *_ = arguments
        if (trace := _acting(url, method)) is not None:
            trace.status = code
            asked = {name.lower(): value for name, value in headers.items()}.get("retry-after")
            if asked is not None and asked.isdecimal():
                trace.retry_after_ms = 1000 * int(asked)
        return super().on_rest_response(code, *arguments)

    def handle_errors(self, code: int, reason: str, url: str, method: str, *more: Any) -> Any:
        """Note that the exchange's own words are a refusal."""
        try:
            return super().handle_errors(code, reason, url, method, *more)
        except Exception:
            if (trace := _acting(url, method)) is not None:
                trace.refused = True
            raise

    async def handle_builder_fee_approval(self) -> bool:
        """Pay no fee to the makers of ccxt."""
        return True

    async def set_ref(self) -> bool:
        """Name nobody as who brought the customer."""
        return True


def _acting(url: str, method: str) -> Trace | None:
    """Find the trace of a request that acts; one that only reads has none."""
    return None if method == "GET" or url.endswith("/info") else _TRACE.get()
