"""What a venue says of accounts, over HTTP, page by page."""

import random
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from pydantic import SecretStr

from suite.addresses import account_address, is_address
from suite.contracts.clock import ClockState
from suite.contracts.hyperliquid_info import ClearinghouseState, LedgerRow, UserFill
from suite.errors import Conflict, UpstreamRefused
from suite.fixed import parse_decimal
from suite.service.calls import ServiceCalls
from suite.service.http import shown, step_session
from trader_manager.application.venue_reads import FundingReceipt

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")

_TIMEOUT_S: Final = 10.0
_WINDOW_S: Final = 5.0
"""How long one read is tried; the next round tries again anyway."""
_CONNECTIONS: Final = 8
_HINT: Final = "the live venue wants a token for reads: VENUE_READER_TOKEN"
_SHORT: Final = 100
"""Rows of a page that is surely not the most a venue tells at once."""
_encode = msgspec.json.Encoder().encode


class _FundingDelta(msgspec.Struct):
    coin: str
    usdc: str


class _FundingRow(msgspec.Struct):
    time: int
    delta: _FundingDelta


class _Candle(msgspec.Struct):
    t: int
    o: str
    h: str
    l: str  # noqa: E741 - the wire's own name
    c: str


class VenueReadsHttp:
    """A `VenueReads` over HTTP; connects when it is first asked.

    Args:
        url: of the venue, or of one world of it.
        token: that reads all accounts, where the venue wants one.
        token_of: tells the token of a trader; None where none is named.

    Attributes:
        url: the same.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        token_of: Callable[[str], SecretStr | None] = lambda _: None,
    ) -> None:
        self.url = url
        self._token = token
        self._token_of = token_of
        self._addresses: dict[tuple[str, str], str] = {}
        self._opened: ServiceCalls | None = None
        self._clock = msgspec.json.Decoder(ClockState)
        self._mids = msgspec.json.Decoder(dict[str, str])
        self._state = msgspec.json.Decoder(ClearinghouseState)
        self._fills = msgspec.json.Decoder(tuple[UserFill, ...])
        self._funding = msgspec.json.Decoder(tuple[_FundingRow, ...])
        self._candles = msgspec.json.Decoder(tuple[_Candle, ...])
        self._ledger = msgspec.json.Decoder(tuple[LedgerRow, ...])

    async def close(self) -> None:
        """Let go of the connections."""
        if self._opened is not None:
            await self._opened.close()

    async def clock(self) -> ClockState:
        """`GET /clock`."""
        return await self._calls.read("GET", "clock", None, self._clock, reason="clock")

    async def address(self, trader_id: str, account: str) -> str:
        """Ask with the trader's own token, where one is named; a simulated venue's follows."""
        if is_address(account):
            return account_address(account)
        known = (trader_id, account)
        if known not in self._addresses:
            token = self._token_of(trader_id)
            clock = await (self.clock() if token is None else self._clock_of(token))
            if not (clock.address or clock.world):
                raise Conflict(
                    f"{account} is no address, and a real venue knows accounts by theirs"
                )
            self._addresses[known] = account_address(clock.address or account)
        return self._addresses[known]

    async def _clock_of(self, token: SecretStr) -> ClockState:
        """Ask which account a token acts for."""
        calls = self._through(
            step_session(
                self.url, token=token.get_secret_value(), timeout_s=_TIMEOUT_S, connections=1
            )
        )
        try:
            return await calls.read("GET", "clock", None, self._clock, reason="clock")
        finally:
            await calls.close()

    async def mids(self) -> dict[str, str]:
        """`POST /info` of type `allMids`."""
        return await self._calls.read(
            "POST", "info", {"type": "allMids"}, self._mids, reason="allMids"
        )

    async def state(self, user: str) -> ClearinghouseState:
        """`POST /info` of type `clearinghouseState`."""
        body = {"type": "clearinghouseState", "user": user}
        return await self._calls.read("POST", "info", body, self._state, reason=body["type"])

    async def fills(self, user: str, *, from_ms: int, to_ms: int) -> tuple[UserFill, ...]:
        """`POST /info` of type `userFillsByTime`."""
        asked = {"type": "userFillsByTime", "user": user, "endTime": to_ms}
        return await self._pages(asked, from_ms, self._fills, lambda row: row.tid)

    async def funding(self, user: str, *, from_ms: int, to_ms: int) -> tuple[FundingReceipt, ...]:
        """`POST /info` of type `userFunding`."""
        asked = {"type": "userFunding", "user": user, "endTime": to_ms}
        rows = await self._pages(
            asked, from_ms, self._funding, lambda row: (row.time, row.delta.coin)
        )
        try:
            return tuple(
                FundingReceipt(
                    time_ms=row.time,
                    coin=row.delta.coin,
                    received_usd=parse_decimal(row.delta.usdc),
                )
                for row in rows
            )
        except ValueError as error:
            raise UpstreamRefused(f"the venue tells funding that is {error}") from None

    async def ledger(self, user: str, *, from_ms: int, to_ms: int) -> tuple[LedgerRow, ...]:
        """`POST /info` of type `userNonFundingLedgerUpdates`."""
        asked = {"type": "userNonFundingLedgerUpdates", "user": user, "endTime": to_ms}
        return await self._pages(asked, from_ms, self._ledger, _encode)

    async def candles(
        self, coin: str, *, interval: str, from_ms: int, to_ms: int
    ) -> tuple[tuple[Any, ...], ...]:
        """`POST /info` of type `candleSnapshot`."""
        span = {"coin": coin, "interval": interval, "startTime": from_ms, "endTime": to_ms}
        body = {"type": "candleSnapshot", "req": span}
        rows = await self._calls.read("POST", "info", body, self._candles, reason="candleSnapshot")
        return tuple((row.t, row.o, row.h, row.l, row.c) for row in rows)

    @property
    def _calls(self) -> ServiceCalls:
        if self._opened is None:
            self._opened = self._through(
                step_session(
                    self.url,
                    token=self._token or None,
                    timeout_s=_TIMEOUT_S,
                    connections=_CONNECTIONS,
                )
            )
        return self._opened

    def _through(self, session: "aiohttp.ClientSession") -> ServiceCalls:
        return ServiceCalls(
            session,
            shown(self.url),
            name="the venue",
            hints={401: _HINT, 403: _HINT},
            connect_window_s=_WINDOW_S,
            retry_window_s=_WINDOW_S,
            jitter=random.Random(),  # noqa: S311 - pauses only
        )

    async def _pages(
        self,
        asked: dict[str, Any],
        from_ms: int,
        decoder: msgspec.json.Decoder[tuple[T, ...]],
        key: Callable[[T], Hashable],
    ) -> tuple[T, ...]:
        """Read on from the last row that was told until no other one comes."""
        found: dict[Hashable, T] = {}
        while True:
            body = {**asked, "startTime": from_ms}
            page = await self._calls.read("POST", "info", body, decoder, reason=asked["type"])
            fresh = {key(row): row for row in page if key(row) not in found}
            found |= fresh
            if not fresh or len(page) < _SHORT:
                return _by_time(list(found.values()))
            from_ms = max(_time_of(row) for row in page)


def _time_of(row: object) -> int:
    time_ms: int = row.time  # type: ignore[attr-defined]
    return time_ms


def _by_time(rows: Sequence[T]) -> tuple[T, ...]:
    return tuple(sorted(rows, key=_time_of))
