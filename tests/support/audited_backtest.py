"""Backtests of traders whose every event is looked at again."""

from dataclasses import dataclass
from typing import Any

import pytest
from tests.support.audited_orders import AuditReport
from tests.support.auditor import audit

from perp_engine.commands import Command
from perp_engine.engine import Engine
from perp_engine.events import Event
from suite.clock import ManualClock
from suite.contracts.trader import TraderSpec
from virtual_exchange.application.backtest import run_backtest
from virtual_exchange.application.ports import MarketSource
from virtual_exchange.application.session import world_request
from virtual_exchange.domain.record import RunRecord


@dataclass(frozen=True, slots=True)
class AuditedRun:
    """A finished run, and what the auditor found in it."""

    record: RunRecord
    audited: AuditReport


def audited_backtest(
    traders: tuple[TraderSpec, ...], source: MarketSource, **settings: Any
) -> AuditedRun:
    """Run traders in one world, and audit every command and event of its engine."""
    log: list[tuple[Command, tuple[Event, ...]]] = []
    engines: set[Engine] = set()
    apply = Engine.apply

    def recorded(engine: Engine, command: Command) -> tuple[Event, ...]:
        events = apply(engine, command)
        log.append((command, events))
        engines.add(engine)
        return events

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "apply", recorded)
        record = run_backtest(
            world_request(traders, **settings),
            traders,
            source=source,
            clock=ManualClock(0),
            progress=lambda _done: None,
        )
    assert not any(account.guards and account.guards.faults for account in record.accounts)
    (engine,) = engines
    states = [engine.account(account) for account in range(len(traders))]
    money = [state.cash_usd + state.isolated_usd for state in states]
    return AuditedRun(
        record, audit(engine.instruments, engine.tape, engine.rules, log, money=money)
    )
