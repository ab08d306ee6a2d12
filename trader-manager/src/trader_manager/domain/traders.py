"""A trader as it is wanted, and who may run it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from suite.errors import Conflict
from suite.ids import AccountId, RunId, TraderId


class DesiredState(StrEnum):
    """What the operator wants of a trader; the supervisor brings reality to it."""

    RUNNING = "running"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedTrader:
    """What an operator says about a trader.

    Attributes:
        trader_id: unique; a removed trader's may be used again.
        spec: its entry as written: secrets are still names, `${NAME}`. Plain JSON values.
        account_id: the account it trades on, of which there is one among all not removed.
        desired: whether it should run.
        runtime: name of the runtime that runs it.
        origin: the traders file that brought it; empty where somebody added it by the API.
        leaving: it is in that file no more: stopped, and removed once it is flat.
    """

    trader_id: TraderId
    spec: Mapping[str, Any]
    account_id: AccountId
    desired: DesiredState
    runtime: str
    origin: str = ""
    leaving: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTrader(WantedTrader):
    """A trader as it is stored.

    Attributes:
        generation: rises by one with every change, from 1; also over a removal.
        created_ms, updated_ms: by the database's clock, epoch ms.
        removed_ms: the same; None while it is there.
    """

    generation: int
    created_ms: int
    updated_ms: int
    removed_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to run one trader, and to write in its name.

    Attributes:
        trader_id: whose.
        holder: who has it: one process of an agent.
        fence: rises with every claim, release and removal, and where a trader moves whose lease
            ran out; a lower one writes nothing.
        expires_ms: by the database's clock, epoch ms; from then on others may claim the trader.
    """

    trader_id: TraderId
    holder: str
    fence: int
    expires_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A lease with the trader it is for, as wanted at present."""

    lease: Lease
    trader: StoredTrader


class LeaseLost(Conflict):
    """Somebody else may run the trader by now: stop at once, nothing was written."""

    code = "lease_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """An end of a run that nobody asked for.

    Attributes:
        trader_id: whose.
        run_id: of the run; each crashes once at most.
        generation: of the trader that the run was started with.
        reason: one line.
        crashed_ms: by the database's clock, epoch ms; 0 where it is not stored yet.
    """

    trader_id: TraderId
    run_id: RunId
    generation: int
    reason: str
    crashed_ms: int = 0
