"""Questions of the preflight to the venue: who an address is, what it has, whether it is reached.

Asked once, by a person; nothing here repeats. What cannot be read is told as unreadable, for the
checks to judge.
"""

# ruff: noqa: N815 - the names are the wire's

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from hyperliquid_exchange.domain.facts import AccountFacts, RestingOrder
from suite.clock import Clock
from suite.contracts.hyperliquid_info import ClearinghouseState
from suite.errors import SuiteError, UpstreamRefused
from suite.fixed import USD_DECIMALS, Price, Size, Usd, parse_fixed
from suite.instrument import Instrument
from suite.service.feed_socket import FeedSocket
from suite.service.upstream import Upstream

SNAPSHOT_S: Final = 10.0
"""How long the snapshots of all accounts are waited for."""
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})

T = TypeVar("T")


class _Order(msgspec.Struct):
    coin: str
    side: str
    limitPx: str
    sz: str
    oid: int
    triggerPx: str = "0.0"
    isTrigger: bool = False
    reduceOnly: bool = False
    orderType: str = ""
    cloid: str | None = None


class _RoleData(msgspec.Struct):
    user: str | None = None
    master: str | None = None


class _Role(msgspec.Struct):
    role: str
    data: _RoleData | None = None


class _Agent(msgspec.Struct):
    address: str
    validUntil: int | None = None


class _RateLimit(msgspec.Struct):
    cumVlm: str
    nRequestsUsed: int
    nRequestsCap: int


class _Fees(msgspec.Struct):
    userCrossRate: str
    userAddRate: str


class _Status(msgspec.Struct):
    time: int
    specialStatuses: Any = None


class _WebData(msgspec.Struct):
    agentAddress: str | None = None
    agentValidUntil: int | None = None


class _Frame(msgspec.Struct):
    channel: str
    data: msgspec.Raw = msgspec.Raw(b"null")


class _OfUser(msgspec.Struct):
    user: str = ""


_frame = msgspec.json.Decoder(_Frame)
_of_user = msgspec.json.Decoder(_OfUser)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the venue says of one address, as it is.

    Attributes:
        role, of: what it is, and the user or master that it belongs to.
        agents: approved by it, with the end of each approval.
        requests_used, requests_cap: of its budget of actions.
        volume_usd: traded ever.
        taker_fee, maker_fee: that it pays.
    """

    role: str
    of: str | None
    agents: Mapping[str, int | None]
    requests_used: int
    requests_cap: int
    volume_usd: float
    taker_fee: str
    maker_fee: str


class VenueProbe:
    """Asks a venue.

    Args:
        url: of it.
        clock: wall time, which the venue's is held against.
    """

    def __init__(self, url: str, clock: Clock) -> None:
        self._url = url
        self._clock = clock
        self._upstream = Upstream("the venue", url, attempts=2, timeout_s=10.0)

    @property
    def is_encrypted(self) -> bool:
        """Whether nobody in between reads along."""
        return urlsplit(self._url).scheme == "https"

    @property
    def is_loopback(self) -> bool:
        """Whether the venue is on this machine."""
        return urlsplit(self._url).hostname in _LOOPBACK

    async def status(self) -> tuple[int, int, str | None]:
        """Ask how the venue is.

        Returns:
            How long the answer took, how far its clock is ahead of ours, ms, and what is special.

        Raises:
            SuiteError: it does not answer.
        """
        begun, before = time.perf_counter(), self._clock.now_ms()
        told = await self._ask(_Status, type="exchangeStatus")
        took = int((time.perf_counter() - begun) * 1000)
        special = None if not told.specialStatuses else str(told.specialStatuses)
        return took, told.time - before - took // 2, special

    async def header_skew_ms(self) -> int | None:
        """Compare the clock of the server in front of the venue with ours; it tells seconds."""
        async with httpx.AsyncClient(timeout=10.0, trust_env=not self.is_loopback) as client:
            try:
                reply = await client.post(f"{self._url}/info", json={"type": "exchangeStatus"})
                told = parsedate_to_datetime(reply.headers["date"]).timestamp()
            except (httpx.HTTPError, KeyError, ValueError, TypeError):
                return None
        # it is cut to a second, so half of one is the best guess
        skew = int((told + 0.5) * 1000) - self._clock.now_ms()
        return 0 if abs(skew) <= 500 else skew

    async def role(self, address: str) -> tuple[str, str | None]:
        """Ask what an address is, and whose.

        Raises:
            SuiteError: it does not answer.
        """
        told = await self._ask(_Role, type="userRole", user=address)
        data = told.data or _RoleData()
        belongs = data.user or data.master
        return told.role, None if belongs is None else belongs.lower()

    async def account(self, address: str, master: str) -> Asked:
        """Ask what an account is, and what its master has approved.

        Raises:
            SuiteError: it does not answer.
        """
        role, of = await self.role(address)
        limit = await self._ask(_RateLimit, type="userRateLimit", user=address)
        fees = await self._ask(_Fees, type="userFees", user=address)
        agents: dict[str, int | None] = {
            agent.address.lower(): agent.validUntil
            for agent in await self._ask(list[_Agent], type="extraAgents", user=master)
        }
        web = await self._ask(_WebData, type="webData2", user=master)
        if web.agentAddress is not None:
            agents.setdefault(web.agentAddress.lower(), web.agentValidUntil)
        return Asked(
            role=role,
            of=of,
            agents=agents,
            requests_used=limit.nRequestsUsed,
            requests_cap=limit.nRequestsCap,
            volume_usd=float(limit.cumVlm),
            taker_fee=fees.userCrossRate,
            maker_fee=fees.userAddRate,
        )

    async def facts(
        self, address: str, universe: Sequence[Instrument]
    ) -> tuple[AccountFacts, dict[str, int]]:
        """Read an account's state and the leverage of its positions.

        Raises:
            SuiteError: it does not answer, or in another shape.
        """
        state = await self._ask(ClearinghouseState, type="clearinghouseState", user=address)
        orders = await self._ask(list[_Order], type="frontendOpenOrders", user=address)
        mids = await self._ask(dict[str, str], type="allMids")
        places = {instrument.coin: place for place, instrument in enumerate(universe)}
        held = [row.position for row in state.assetPositions]
        try:
            facts = AccountFacts(
                equity_usd=Usd(parse_fixed(state.marginSummary.accountValue, USD_DECIMALS)),
                positions={
                    places[row.coin]: size
                    for row in held
                    if (size := universe[places[row.coin]].parse_size(row.szi))
                },
                orders=tuple(
                    _resting(order, places[order.coin], universe[places[order.coin]])
                    for order in orders
                    if order.coin in places
                ),
                mids={places[coin]: _mid(mid, universe[places[coin]]) for coin, mid in mids.items()
                      if coin in places},
                instruments=tuple(universe),
                age_s=0.0,
                trouble=(),
                executions=0,
                net_deposits_usd=Usd(0),
                state_age_s=0.0,
            )  # fmt: skip
        except (KeyError, ValueError) as error:
            raise UpstreamRefused(f"the venue tells an account of another shape: {error}") from None
        return facts, {row.coin: row.leverage.value for row in held}

    async def snapshots_ms(self, addresses: Sequence[str]) -> int | None:
        """Subscribe to the whole state of accounts, and tell how long all of it took.

        Returns:
            None where one did not come in time.

        Raises:
            SuiteError: there is no connection.
        """
        begun = time.perf_counter()
        socket = FeedSocket(f"ws{self._url.removeprefix('http')}/ws")
        waiting = {address.lower() for address in addresses}
        try:
            async with asyncio.timeout(SNAPSHOT_S):
                await socket.open()
                for address in addresses:
                    subscription = {"type": "webData2", "user": address}
                    await socket.send({"method": "subscribe", "subscription": subscription})
                while waiting:
                    frame = _frame.decode(await socket.receive())
                    if frame.channel == "webData2":
                        waiting.discard(_of_user.decode(frame.data).user.lower())
        except (TimeoutError, msgspec.DecodeError):
            return None
        finally:
            await socket.close()
        return int((time.perf_counter() - begun) * 1000)

    async def close(self) -> None:
        """Close the connections."""
        await self._upstream.close()

    async def _ask(self, kind: type[T], **body: Any) -> T:
        decoder = msgspec.json.Decoder(kind)
        return await self._upstream.read(decoder, "/info", body=body)


async def reached(probe: VenueProbe) -> tuple[int | None, int | None, str | None, str]:
    """Ask for the status; where there is no answer the last word says why."""
    try:
        took, skew, special = await probe.status()
    except SuiteError as error:
        return None, None, None, str(error)
    return took, skew, special, ""


def _resting(order: _Order, asset: int, instrument: Instrument) -> RestingOrder:
    trigger: Any = None
    if order.isTrigger:
        trigger = "sl" if order.orderType.startswith("Stop") else "tp"
    return RestingOrder(
        oid=order.oid,
        cloid=None if order.cloid is None else order.cloid.lower(),
        asset=asset,
        is_buy=order.side == "B",
        price=Price(instrument.parse_price(order.limitPx)),
        size=Size(instrument.parse_size(order.sz)),
        reduce_only=order.reduceOnly,
        trigger=trigger,
        trigger_price=Price(instrument.parse_price(order.triggerPx)) if order.isTrigger else None,
    )


def _mid(text: str, instrument: Instrument) -> Price:
    """A mid may lie between two prices of the lattice; the lower one is near enough."""
    return Price(parse_fixed(text, instrument.price_decimals + 6) // 10**6)
