"""A venue, traders and a store for tests of collecting, all in memory and told what to do."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import fields
from decimal import Decimal
from typing import Any

import numpy as np

from suite.addresses import account_address
from suite.contracts.clock import ClockState
from suite.contracts.hyperliquid_info import (
    ClearinghouseState,
    LedgerRow,
    MarginSummary,
    UserFill,
)
from suite.errors import Conflict, UpstreamUnavailable
from suite.fixed import USD_ONE, Usd, format_fixed
from suite.ids import AccountId, TraderId, WorldId
from trader_manager.application.agents import Decided
from trader_manager.application.runtime import Sighting
from trader_manager.application.venue_reads import FundingReceipt
from trader_manager.domain.records import (
    EMPTY_SERIES,
    Batch,
    Decision,
    EquitySample,
    EquitySeries,
    FundingPayment,
    ModelBill,
    News,
    Progress,
    Reached,
    Trade,
    TraderPerformance,
    TradeTotals,
)
from trader_manager.domain.traders import DesiredState, StoredTrader

AWAY = UpstreamUnavailable("it is away")
NO_SUMMARY = MarginSummary(
    accountValue="0.0", totalNtlPos="0.0", totalRawUsd="0.0", totalMarginUsed="0.0"
)


def followed(name: str) -> StoredTrader:
    return StoredTrader(
        trader_id=TraderId(name), spec={"strategy": {"kind": "hodl"}}, account_id=AccountId(name),
        desired=DesiredState.RUNNING, runtime="process", generation=1, created_ms=0, updated_ms=0,
        removed_ms=None,
    )  # fmt: skip


def fill(tid: int, time_ms: int, *, fee: str = "0.25") -> UserFill:
    return UserFill(
        coin="BTC", px="60000.0", sz="0.001", side="B", time=time_ms, startPosition="0.0",
        dir="Open Long", closedPnl="0.0", hash="0x0", oid=tid, crossed=True, fee=fee, tid=tid,
    )  # fmt: skip


class ScriptedVenue:
    """One account for all; every read happens at `now_ms`, and may be followed by something."""

    def __init__(self) -> None:
        self.now_ms = 1000
        self.world = "w"
        self.equity = 10_000_000_000
        self.cash = ""
        """Empty for one that every row changes in a way that nothing explains."""
        self.away = False
        self.fills_told: list[UserFill] = []
        self.funding_told: list[FundingReceipt] = []
        self.ledger_told: list[LedgerRow] = []
        self.after_state: list[Any] = []
        self.asked: list[str] = []

    def deposit(self, time_ms: int, usd: str) -> None:
        row = LedgerRow(time=time_ms, hash=str(time_ms), delta={"type": "deposit", "usdc": usd})
        self.ledger_told.append(row)

    async def clock(self) -> ClockState:
        self._answer("clock")
        await asyncio.sleep(0)
        return ClockState(mode="paced", now_ms=self.now_ms, speed=60.0, world=self.world)

    async def address(self, trader_id: str, account: str) -> str:
        return account_address(account)

    async def state(self, user: str) -> ClearinghouseState:
        self._answer(f"state {user}")
        await asyncio.sleep(0)  # no answer is there at once
        value = format_fixed(self.equity, 6)
        rows = len(self.fills_told) + len(self.funding_told) + len(self.ledger_told)
        cash = format_fixed(self.equity + rows, 6)
        told = ClearinghouseState(
            marginSummary=MarginSummary(
                accountValue=value, totalNtlPos="0.0", totalRawUsd=self.cash or cash,
                totalMarginUsed="0.0",
            ),
            crossMarginSummary=NO_SUMMARY, crossMaintenanceMarginUsed="0.0", withdrawable="0.0",
            assetPositions=(), time=self.now_ms,
        )  # fmt: skip
        if self.after_state:
            self.after_state.pop(0)()
        return told

    async def fills(self, user: str, *, from_ms: int, to_ms: int) -> tuple[UserFill, ...]:
        self._answer(f"fills {from_ms}")
        return tuple(row for row in self.fills_told if from_ms <= row.time <= to_ms)

    async def funding(self, user: str, *, from_ms: int, to_ms: int) -> tuple[FundingReceipt, ...]:
        self._answer("funding")
        return tuple(row for row in self.funding_told if from_ms <= row.time_ms <= to_ms)

    async def ledger(self, user: str, *, from_ms: int, to_ms: int) -> tuple[LedgerRow, ...]:
        self._answer("ledger")
        return tuple(row for row in self.ledger_told if from_ms <= row.time <= to_ms)

    def _answer(self, what: str) -> None:
        self.asked.append(what)
        if self.away:
            raise AWAY


class ScriptedAgents:
    """Tells the decisions of a journal, as the control API does."""

    def __init__(self) -> None:
        self.journal: list[dict[str, Any]] = []
        self.world = "w"
        self.away = False
        self.hangs = False
        self.asked = 0

    def decide(self, number: int, **body: Any) -> None:
        row = {"decision": number, "now_ms": number * 1000, "results": [], **body}
        self.journal.append(row)

    async def decisions(
        self, trader_id: str, sighting: Sighting, *, limit: int, before: int | None = None
    ) -> Decided:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.away:
            raise AWAY
        found = [one for one in self.journal if before is None or one["decision"] < before]
        return Decided(world=self.world, rows=found[: -limit - 1 : -1])

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


class MemoryRecords:
    """Records as the database keeps them: once, and never changed."""

    def __init__(self, *names: str) -> None:
        self.traders = [followed(name) for name in names]
        self.rows: dict[tuple[object, ...], Any] = {}
        self.positions: dict[TraderId, Any] = {}
        self.away = False
        self.saves = 0
        self.reads: list[dict[TraderId, Reached]] = []

    async def list_traders(self, *, with_removed: bool = False) -> tuple[StoredTrader, ...]:
        self._answer()
        return tuple(self.traders)

    async def save_records(self, batch: Batch, *, lease: object = None) -> int:
        self._answer()
        self.saves += 1
        new: dict[tuple[object, ...], Any] = {
            **{("trade", row.trader_id, row.tid): row for row in batch.trades},
            **{("paid", row.trader_id, row.time_ms, row.coin): row for row in batch.funding},
            **{("equity", row.trader_id, row.time_ms): row for row in batch.equity},
            **{("decision", row.trader_id, row.number): row for row in batch.decisions},
        }
        for key, row in new.items():
            if self.rows.get(key, row) != row:
                raise Conflict(f"another row of {key}")
        before = len(self.rows)
        self.rows |= new
        self.positions |= {row.trader_id: row for row in batch.positions}
        return len(self.rows) - before

    def of(self, kind: str, name: str = "a") -> list[Any]:
        return [row for key, row in self.rows.items() if key[:2] == (kind, name)]

    async def get_progress(self, world: WorldId) -> Mapping[TraderId, Progress]:
        self._answer()
        return {
            one.trader_id: Progress(
                last_trade_ms=max((row.time_ms for row in self.of("trade", name)), default=None),
                last_equity_ms=max((row.time_ms for row in self.of("equity", name)), default=None),
                last_decision=max((row.number for row in self.of("decision", name)), default=None),
            )
            for one in self.traders
            if (name := one.trader_id)
        }

    async def get_trader_performance(
        self, world: WorldId, trader_id: TraderId
    ) -> TraderPerformance:
        fees = sum((row.fee_usd for row in self.of("trade", trader_id)), Decimal(0))
        return TraderPerformance(
            trader_id=trader_id, first=None, last=None, totals=TradeTotals(fees_usd=fees)
        )

    async def get_trades(
        self,
        world: WorldId,
        trader_id: TraderId,
        *,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> tuple[Trade, ...]:
        return tuple(row for row in self.of("trade", trader_id) if row.time_ms >= (since_ms or 0))

    async def get_funding(
        self,
        world: WorldId,
        trader_id: TraderId,
        *,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> tuple[FundingPayment, ...]:
        rows = sorted(self.of("paid", trader_id), key=lambda row: (row.time_ms, row.coin))
        return tuple(row for row in rows if row.time_ms >= (since_ms or 0))

    async def get_model_bill(self, world: WorldId, trader_id: TraderId) -> ModelBill:
        thoughts = [row.body.get("llm") or {} for row in self.of("decision", trader_id)]
        usd = sum(int(Decimal(one.get("llm_cost_usd", 0)) * USD_ONE) for one in thoughts)
        return ModelBill(usd=Usd(usd), tokens=sum(one.get("tokens", 0) for one in thoughts))

    async def replaying(self, world: WorldId, names: Sequence[TraderId]) -> frozenset[TraderId]:
        found = set[TraderId]()
        for name in names:
            said = [(row.body.get("llm") or {}).get("source") for row in self.of("decision", name)]
            if [source for source in said if source][-1:] == ["replay"]:
                found.add(name)
        return frozenset(found)

    async def get_equity_series(
        self,
        world: WorldId,
        *,
        trader_id: TraderId | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> Mapping[TraderId, EquitySeries]:
        names = {str(key[1]) for key in self.rows if key[0] == "equity"}
        found = {}
        for name in sorted(names if trader_id is None else names & {trader_id}):
            rows = [
                row
                for row in sorted(self.samples(name), key=lambda row: row.time_ms)
                if (since_ms or 0) <= row.time_ms < (until_ms or 1 << 62)
            ]
            columns = {
                field.name: np.array([getattr(row, field.name) for row in rows], np.int64)
                for field in fields(EquitySeries)
            }
            if rows:
                found[TraderId(name)] = EquitySeries(**columns)
        return found

    async def read_on(
        self, world: WorldId, after: Mapping[TraderId, Reached]
    ) -> Mapping[TraderId, News]:
        self._answer()
        self.reads.append(dict(after))
        found = {TraderId(str(key[1])) for key in self.rows if key[0] == "equity"} | after.keys()
        return {name: await self._news(world, name, after.get(name, Reached())) for name in found}

    async def _news(self, world: WorldId, name: TraderId, reached: Reached) -> News:
        series = await self.get_equity_series(world, trader_id=name, since_ms=reached.equity_ms + 1)
        trades = sorted(self.of("trade", name), key=lambda row: (row.time_ms, row.tid))
        paid = sorted(self.of("paid", name), key=lambda row: (row.time_ms, row.coin))
        return News(
            series=series.get(name, EMPTY_SERIES),
            trades=tuple(row for row in trades if row.time_ms >= reached.trade_ms),
            funding=tuple(row for row in paid if row.time_ms >= reached.funding_ms),
        )

    async def get_decisions(
        self, world: WorldId, trader_id: TraderId, *, after: int = -1, limit: int = 1000
    ) -> tuple[Decision, ...]:
        rows = sorted(self.of("decision", trader_id), key=lambda row: row.number)
        return tuple(row for row in rows if row.number > after)[:limit]

    def samples(self, name: str = "a") -> list[EquitySample]:
        return self.of("equity", name)

    def _answer(self) -> None:
        if self.away:
            raise AWAY

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)
