"""What a trader is doing, for those who look at the process."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

from suite.contracts.clock import AccountView

SIMULATION: Final = "simulation mode"
"""An instance without a connection: nothing it wants reaches an exchange."""
CONNECTED: Final = "connected"
LOST: Final = "lost"
"""The venue does not answer; what the instance knows of it is old."""

State = Literal["idle", "starting", "running", "retrying", "stopping", "ended", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What a person should know.

    Attributes:
        at_ms: wall time.
        kind: `connection`, `world`, `status`, `command`, `decision`, `model`, `stop` or
            `failure`.
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
        connection: `connected`, `lost`, or `simulation mode`.
        lost_since_ms: machine's time since which nothing comes from the venue, 0 while it is there;
            lost_reason: in words.
        waits_for: accounts that the world waits for before it begins.
        status: LIVE, PAUSED or STOPPED: what it may do.
        causes: why it is PAUSED, each with its reason.
        now_ms: the venue's time of the last turn, 0 before it.
        equity: USD then, as text.
        positions: signed sizes by coin, as text.
        allocation: what it may use of its account, USD, as text; empty for all of it.
        turn: number of the last turn in the journal, over all restarts.
        decisions, faults: how many questions to the strategy came to their end, and how many of
            them without a decision; both since the process began.
        deciding_since_ms: machine's time at which the present question was put, 0 without one.
        fills: since the process began.
        last_verdict: the guard's on the last decision it judged: the first that kept something
            back, where one did.
        last_fault: why the strategy gave no decision, when it last gave none.
        model_fault: why its language model gave no answer when last asked, or none that could be
            used, or may open nothing; empty where it did and may.
        missed_heartbeats: heartbeats that did not get through.
        error: why it failed, empty otherwise; retries: how often it failed since its start;
            lasting: the failure stays until a person has changed something.
        alert: the last thing that a person should know; alert_ms: when that was, wall time.
        stopped: what its stop did with its orders, empty before one.
        strategy: what the strategy tells of itself, as of which model it trades by and why not.
    """

    trader_id: str
    kind: str
    symbols: tuple[str, ...] = ()
    state: State = "idle"
    connection: str = SIMULATION
    lost_since_ms: int = 0
    lost_reason: str = ""
    waits_for: tuple[str, ...] = ()
    status: str = "LIVE"
    causes: Mapping[str, str] = field(default_factory=dict)
    now_ms: int = 0
    equity: str = ""
    positions: Mapping[str, str] = field(default_factory=dict)
    allocation: str = ""
    open_orders: int = 0
    turn: int = 0
    decisions: int = 0
    faults: int = 0
    deciding_since_ms: int = 0
    fills: int = 0
    last_verdict: str = ""
    last_fault: str = ""
    model_fault: str = ""
    missed_heartbeats: int = 0
    error: str = ""
    lasting: bool = False
    retries: int = 0
    alert: str = ""
    alert_ms: int = 0
    stopped: str = ""
    strategy: Mapping[str, Any] = field(default_factory=dict)

    def show(self, account: AccountView) -> None:
        """Take over what the venue says of the account.

        A size that is none is shown as it is, as it may be one; such an equity is not.
        """
        if account.equity.is_finite():
            self.equity = str(account.equity)
        self.positions = {held.coin: str(held.size) for held in account.positions if held.size}
        self.open_orders = len(account.open_orders)

    @property
    def obstacle(self) -> str:
        """Why it does not trade as it should at present, empty where it does or has ended."""
        if self.waits_for:
            waited = ", ".join(self.waits_for)
            return f"the world has not begun: it waits for {waited} to join"
        if self.lost_since_ms:
            since = datetime.fromtimestamp(self.lost_since_ms / 1000, UTC)
            return f"the venue is lost since {since:%H:%M:%S} UTC: {self.lost_reason}"
        if self.state in {"running", "ended"}:
            return ""
        return f"{self.state}: {self.error}" if self.error else self.state

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


def reasons_of(causes: Mapping[str, str]) -> str:
    """Tell causes in words; what is known about one beside its name where it says more."""
    told = (name if why in {"", name} else f"{name} ({why})" for name, why in causes.items())
    return ", ".join(told) or "no cause left"
