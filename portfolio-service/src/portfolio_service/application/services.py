"""Whether the other services are there, and what they say of themselves."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, Protocol

import msgspec

from portfolio_service.application.answers import FundingRow
from portfolio_service.domain.risk import funding_direction
from suite.clock import Clock
from suite.contracts.drift import DriftSummary, DriftSums
from suite.errors import NotFound, SuiteError, one_line

ServiceState = Literal["up", "degraded", "failing", "down"]
_HOURS: Final = 24
_BUDGETS_MAX: Final = 100


class ServiceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One service.

    Attributes:
        url: without anything secret in it.
        state: `up`; `degraded` by its own word; `failing` where it answers that it does not work;
            `down` where it does not answer.
        reason: why it is not up.
        detail: figures that it tells.
        at_ms: wall time of that; took_ms: how long the answer took.
    """

    name: str
    url: str
    state: ServiceState
    reason: str = ""
    detail: dict[str, Any] = {}
    at_ms: int = 0
    took_ms: float = 0.0


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """What a person should know.

    Attributes:
        level: `warning` or `critical`.
        source: a service, a trader, or `portfolio`.
    """

    level: str
    source: str
    text: str
    at_ms: int = 0


class DriftReport(msgspec.Struct, frozen=True, kw_only=True):
    """The last drift report of the live proxy.

    Attributes:
        state: `known`; `none` where nobody had one made yet; `unknown` where the proxy is silent.
        reason: why it is not known.
        as_of_ms: when it was made; since_ms: from when on orders are in it.
    """

    state: Literal["known", "none", "unknown"] = "known"
    reason: str = ""
    as_of_ms: int = 0
    since_ms: int = 0
    summaries: tuple[DriftSummary, ...] = ()


_sums: Final = msgspec.json.Decoder(DriftSums)


def _known(sums: DriftSums) -> DriftReport:
    return DriftReport(as_of_ms=sums.as_of_ms, since_ms=sums.since_ms, summaries=sums.summaries)


class SystemAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/system`.

    Attributes:
        budgets: what is left of rate limits, by service, where one tells.
        safety: what the live proxy says of its kill switch; null where none is configured.
        drift: how far its orders were from the model; null likewise.
    """

    now_ms: int
    services: tuple[ServiceRow, ...]
    alerts: tuple[Alert, ...]
    budgets: dict[str, Any]
    safety: dict[str, Any] | None
    drift: DriftReport | None


class ServiceReads(Protocol):
    """Asks other services."""

    @property
    def services(self) -> Mapping[str, str]:
        """Addresses by name, without anything secret in them."""
        ...

    async def probe(self, name: str) -> tuple[int, Mapping[str, Any]]:
        """Ask whether a service is ready: the status of its answer, and what it says.

        Raises:
            SuiteError: it does not answer.
        """
        ...

    async def market(self) -> Mapping[str, tuple[float, float | None]]:
        """Read the funding rate of an hour and the mark, by coin, from the venue.

        Raises:
            SuiteError: it is away, or refuses.
        """
        ...

    async def data(self, path: str, query: Mapping[str, str]) -> bytes:
        """Read an answer of the data service that is handed on as it is.

        Raises:
            SuiteError: it is away, or refuses, in its words.
        """
        ...

    async def budget(self, account: str) -> Mapping[str, int] | None:
        """Read how many requests an account has used, and may; None where that costs too much.

        Raises:
            SuiteError: the venue is away, or refuses.
        """
        ...

    async def safety(self) -> Mapping[str, Any] | None:
        """Read the safety level of the live proxy; None where none is configured.

        Raises:
            SuiteError: it is away, or refuses.
        """
        ...

    async def drift(self) -> bytes | None:
        """Read the sums of the live proxy's drift report; None where no proxy is configured.

        Raises:
            NotFound: no report was made yet.
            SuiteError: it is away, or refuses.
        """
        ...


class Services:
    """Looks after what is known of the other services.

    Args:
        reads: asks them.
        wall: its time.

    Attributes:
        rows: by name, as of the last round.
        funding: by coin, likewise.
        safety: likewise.
        drift: likewise; None where no live proxy is configured.
        budgets: requests that accounts of traders have used, and may, by trader.
    """

    def __init__(self, reads: ServiceReads, wall: Clock) -> None:
        self._reads = reads
        self._wall = wall
        self.rows: dict[str, ServiceRow] = {}
        self.funding: tuple[FundingRow, ...] = ()
        self.funding_trouble = "the venue has not been asked yet"
        self.safety: dict[str, Any] | None = None
        self.drift: DriftReport | None = None
        self.budgets: dict[str, Mapping[str, int]] = {}

    async def look_at_budgets(self, accounts: Mapping[str, str]) -> None:
        """Ask how much each account may still send.

        Args:
            accounts: by trader; the first of many.
        """
        found: dict[str, Mapping[str, int]] = {}
        for name, account in list(accounts.items())[:_BUDGETS_MAX]:
            try:
                told = await self._reads.budget(account)
            except SuiteError:
                continue
            if told is None:
                return
            found[name] = told
        self.budgets = found

    async def look(self) -> None:
        """Ask all of them, side by side."""
        await asyncio.gather(
            self._look_at_market(),
            self._look_at_safety(),
            self._look_at_drift(),
            *map(self._probe, self._reads.services),
        )

    async def _probe(self, name: str) -> None:
        clock, url = asyncio.get_running_loop().time, self._reads.services[name]
        begun_s, at_ms = clock(), self._wall.now_ms()
        try:
            status, detail = await self._reads.probe(name)
        except SuiteError as error:
            self.rows[name] = ServiceRow(
                name=name, url=url, state="down", reason=one_line(str(error)), at_ms=at_ms
            )
            return
        said = str(detail.get("status", ""))
        state: ServiceState = "up" if status == 200 else "failing"
        if state == "up" and said not in {"ok", ""}:
            state = "degraded"
        told = {n: value for n, value in detail.items() if n not in {"status", "service"}}
        words = (str(value) for value in told.values() if isinstance(value, str))
        self.rows[name] = ServiceRow(
            name=name,
            url=url,
            state=state,
            reason="" if state == "up" else one_line("; ".join(words)),
            detail=told,
            at_ms=at_ms,
            took_ms=round((clock() - begun_s) * 1000, 1),
        )

    async def _look_at_market(self) -> None:
        try:
            market = await self._reads.market()
        except SuiteError as error:
            self.funding_trouble = one_line(str(error))
            return
        self.funding_trouble = ""
        self.funding = tuple(
            FundingRow(
                symbol=coin,
                funding_rate=rate,
                daily_yield=round(rate * _HOURS, 12),
                direction=funding_direction(rate),
                mark_price=mark,
            )
            for coin, (rate, mark) in sorted(market.items())
        )

    async def _look_at_safety(self) -> None:
        try:
            told = await self._reads.safety()
        except NotFound:
            told = None
        except SuiteError as error:
            told = {"level": "unknown", "reason": one_line(str(error))}
        self.safety = None if told is None else dict(told)

    async def _look_at_drift(self) -> None:
        """Read the report; figures of a proxy that is silent are not shown as if they held."""
        try:
            told = await self._reads.drift()
            self.drift = None if told is None else _known(_sums.decode(told))
        except NotFound as error:
            self.drift = DriftReport(state="none", reason=one_line(str(error)))
        except (SuiteError, msgspec.DecodeError) as error:
            self.drift = DriftReport(state="unknown", reason=one_line(str(error)))

    @property
    def ordered(self) -> Sequence[ServiceRow]:
        """Those that were asked, in the order in which they are named."""
        return [self.rows[name] for name in self._reads.services if name in self.rows]

    def alerts(self) -> Sequence[Alert]:
        """What is wrong with them."""
        return [
            Alert(
                level="critical" if row.state in {"down", "failing"} else "warning",
                source=row.name,
                text=row.reason or row.state,
                at_ms=row.at_ms,
            )
            for row in self.ordered
            if row.state != "up"
        ]
