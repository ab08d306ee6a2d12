"""What a trader is doing, for those who look at the process."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

from suite.contracts.clock import AccountView
from suite.fixed import is_decimal

SIMULATION: Final = "simulation mode"
"""An instance without a connection: nothing it wants reaches an exchange."""

State = Literal["idle", "starting", "running", "retrying", "stopping", "ended", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What a person should know.

    Attributes:
        at_ms: wall time.
        kind: `connection`, `decision`, `stop` or `failure`.
    """

    trader_id: str
    at_ms: int
    kind: str
    text: str


@dataclass(slots=True)
class Status:
    """One trader of the process; written by its task only.

    Attributes:
        symbols: coins it may trade.
        state: of its task.
        connection: `connected`, or `simulation mode`.
        status: LIVE, PAUSED or STOPPED: what it may do.
        causes: why it is PAUSED, each with its reason.
        now_ms: the venue's time of the last turn, 0 before it.
        equity: USD then, as text.
        positions: signed sizes by coin, as text.
        turn: number of the last turn in the journal, over all restarts.
        decisions, faults: how many questions to the strategy came to their end, and how many of
            them without a decision; both since the process began.
        deciding_since_ms: machine's time at which the present question was put, 0 without one.
        fills: since the process began.
        last_verdict: the guard's on the last intent it judged.
        last_fault: why the strategy gave no decision, when it last gave none.
        missed_heartbeats: heartbeats that did not get through.
        error: why it failed, empty otherwise; retries: how often it failed since its start.
        alert: the last thing that a person should know.
        stopped: what its stop did with its orders, empty before one.
    """

    trader_id: str
    kind: str
    symbols: tuple[str, ...] = ()
    state: State = "idle"
    connection: str = SIMULATION
    status: str = "LIVE"
    causes: Mapping[str, str] = field(default_factory=dict)
    now_ms: int = 0
    equity: str = ""
    positions: Mapping[str, str] = field(default_factory=dict)
    open_orders: int = 0
    turn: int = 0
    decisions: int = 0
    faults: int = 0
    deciding_since_ms: int = 0
    fills: int = 0
    last_verdict: str = ""
    last_fault: str = ""
    missed_heartbeats: int = 0
    error: str = ""
    retries: int = 0
    alert: str = ""
    stopped: str = ""

    def show(self, account: AccountView) -> None:
        """Take over what the venue says of the account.

        A size that cannot be read is shown as it is, as it may be one; such an equity is not.
        """
        equity = account.state.marginSummary.accountValue
        if is_decimal(equity):
            self.equity = equity
        held = (row.position for row in account.state.assetPositions)
        self.positions = {
            one.coin: one.szi for one in held if not is_decimal(one.szi) or Decimal(one.szi)
        }
        self.open_orders = len(account.open_orders)

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


def reasons_of(causes: Mapping[str, str]) -> str:
    """Tell causes in words; what is known about one beside its name where it says more."""
    told = (name if why in {"", name} else f"{name} ({why})" for name, why in causes.items())
    return ", ".join(told) or "no cause left"
