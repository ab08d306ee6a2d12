"""What driving a trader needs from outside."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from strategy_core.memory import TraderMemory
from strategy_core.replaying import KeptDecision
from strategy_core.risk.commands import Command
from suite.account.events import AccountEvent, FundingPayment, StatePush
from suite.contracts.clock import ClockState, JoinRequest, WaitReply, WaitRequest
from suite.contracts.hyperliquid_info import LedgerRow, UserFill
from suite.contracts.venue import Action, ActionReply
from suite.feeds import FeedListener


class Steps(Protocol):
    """Time as the trader's loop sees it; whether the venue or the agent sleeps is hidden here.

    Every call may raise a `SuiteError`.
    """

    async def join(self, request: JoinRequest) -> WaitReply:
        """Take part from now on."""
        ...

    async def wait(self, request: WaitRequest) -> WaitReply:
        """Carry out orders and sleep until woken."""
        ...

    async def heartbeat(self) -> None:
        """Say that a decision is still being made."""
        ...

    def wake(self) -> None:
        """End the present `wait` at once, woken by `asked`; nothing without one."""
        ...

    @property
    def trouble(self) -> tuple[str, ...]:
        """Why no new risk may be taken at present, e.g. `stale_account`; empty when all is well."""
        ...

    @property
    def account_age_ms(self) -> int:
        """Since the account's stream was last alive; 0 where time is the venue's."""
        ...

    @property
    def market_age_ms(self) -> int:
        """Since prices last came; 0 where time is the venue's."""
        ...


class Venue(Steps, Protocol):
    """The venue contract where the venue owns time."""

    async def clock(self) -> ClockState:
        """Ask what time it is and how it moves."""
        ...

    async def meta(self) -> object:
        """Ask what can be traded: the venue's `meta`, decoded."""
        ...


class DurableIntent(msgspec.Struct, frozen=True, kw_only=True):
    """An action that is written down before its first byte goes out.

    Attributes:
        key: 32 hex digits derived from the decision, equal for equal decisions; an order without a
            cloid of its own has `0x` and the key. An exchange executes a key at most once.
        action: what is asked; a re-send carries these very bytes.
        decided_ms: when it was decided, the venue's time.
        expires_ms: from when on the exchange must refuse it, wall time, epoch ms.
    """

    key: str
    action: Action
    decided_ms: int
    expires_ms: int


class OrderGateway(Protocol):
    """Where the orders of one account go."""

    async def send(self, intent: DurableIntent) -> ActionReply:
        """Send an action; again with the same intent it never acts twice.

        Raises:
            UpstreamTimeout: the answer never came, or is not the exchange's: whether it was
                carried out is not known.
        """
        ...

    async def resolve(self, intent: DurableIntent) -> ActionReply | None:
        """Find out what became of an intent whose fate is unknown; it is not sent again after that.

        Returns:
            The exchange's answer to it; None with proof that it was not and will not be executed.

        Raises:
            UpstreamTimeout: there is no evidence yet.
        """
        ...


class AccountReads(Protocol):
    """The venue's own answers about one account; every call may raise a `SuiteError`."""

    async def fetch_account(self) -> StatePush:
        """Ask for positions, balances and open orders."""
        ...

    async def fetch_fills(self, start_ms: int) -> tuple[UserFill, ...]:
        """Ask for the account's fills since a time, that time included."""
        ...

    async def fetch_ledger(self, start_ms: int) -> tuple[LedgerRow, ...] | None:
        """Ask how money moved otherwise since a time, that time included, oldest first.

        Returns:
            None where the exchange does not say.
        """
        ...


class AccountHistory(AccountReads, Protocol):
    """What an account has been paid and has paid besides its fills."""

    async def fetch_fundings(self, start_ms: int) -> tuple[FundingPayment, ...]:
        """Ask for funding received and paid since a time, that time included, oldest first."""
        ...


class ExchangeConnection(OrderGateway, AccountHistory, Protocol):
    """One account at one exchange: the venue contract, or any exchange of ccxt.

    Its reads are for a (re)connect and for people who ask, never for a cycle.
    """

    async def meta(self) -> object:
        """Ask what can be traded: in the shape of the venue's `meta`, decoded."""
        ...


class AccountStream(Protocol):
    """The pushes about one account, over one connection after the other."""

    async def run(self) -> None:
        """Connect, read and tell until cancelled."""
        ...

    def reconnect(self, reason: str) -> None:
        """End the present connection and open another, which begins with snapshots."""
        ...


class AccountListener(FeedListener[AccountEvent], Protocol):
    """Who is told of an account's pushes."""

    def heard(self) -> None:
        """Something came, if only a pong."""
        ...


class MarketData(Protocol):
    """Market data of the data contract."""

    async def snapshot(self, coin: str, at_ms: int | None) -> dict[str, Any]:
        """Ask for the market-data snapshot of a coin.

        Args:
            coin: its name.
            at_ms: a minute that has closed; None for the newest there is.

        Raises:
            SuiteError: there is none, or not of that time yet.
        """
        ...


class Delivery(Protocol):
    """The way of a trader's actions to its exchange."""

    async def carry_out(
        self, actions: Sequence[Action], *, turn: int, decided_ms: int
    ) -> tuple[ActionReply, ...]:
        """Send the actions of a decision in their order; one answer for each."""
        ...

    @property
    def unknown(self) -> Mapping[str, DurableIntent]:
        """Intents of unknown fate, the oldest of each coin that has one."""
        ...

    @property
    def trouble(self) -> tuple[str, ...]:
        """Why no new risk may be taken on any coin, e.g. `kill_latch`; empty when all is well."""
        ...


class IntentLog(Protocol):
    """Where intents are kept, durably."""

    @property
    def generation(self) -> int:
        """How often the log was opened, this time included; never the same twice."""
        ...

    def begin(self, intent: DurableIntent) -> None:
        """Write an intent down; on return it survives a power cut.

        Raises:
            StorageError: it could not be written.
        """
        ...

    def settle(self, key: str, reply: ActionReply | None) -> None:
        """Note what became of it; None when it was never executed. May be lost in a crash."""
        ...

    def holds(self, intent: DurableIntent) -> bool:
        """Whether this very intent was written down and its fate not noted."""
        ...

    def open_intents(self) -> tuple[DurableIntent, ...]:
        """Tell the intents whose fate was not noted, oldest first."""
        ...


class RiskLatch(Protocol):
    """Forbids new risk once it is engaged, until a human clears it."""

    @property
    def engaged(self) -> bool:
        """New risk is forbidden."""
        ...

    def engage(self, reason: str) -> None:
        """Forbid new risk, also after a restart."""
        ...


class Journal(Protocol):
    """What a trader leaves behind."""

    def write(self, kind: str, record: object) -> None:
        """Append a record: `run, decision, command, alert, result`, and what else the loop tells.

        Raises:
            StorageError: it cannot be kept.
        """
        ...

    def decisions(self, limit: int, before: int | None = None) -> list[dict[str, Any]]:
        """Read decisions of the present run back, newest first, those before a number."""
        ...

    def close(self) -> None:
        """Let go of the file; reading goes on."""
        ...


class DecisionStore(Protocol):
    """What a slow strategy has decided so far, so that it is asked for nothing twice."""

    @property
    def kept(self) -> Sequence[KeptDecision]:
        """What it decided in an earlier run of the same world, oldest first."""
        ...

    def keep(self, decision: KeptDecision) -> None:
        """Keep one more, before it is acted on.

        Raises:
            StorageError: it cannot be kept.
        """
        ...


class Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A trader's memory as it is kept.

    Attributes:
        version: of this form.
        account: that the trader traded on.
        spec: a digest of the trader's configuration, see `digest_of_trader`.
        venue: where the trader was.
        world: which one it had, see `ClockState`.
        now_ms: the venue's time then.
        memory: of the loop.
        request: that it was kept before, unanswered; None where only the memory counts.
    """

    version: Literal[1] = 1
    trader_id: str
    account: str
    spec: str
    venue: str
    world: str = ""
    now_ms: int
    memory: TraderMemory
    request: WaitRequest | None = None


class MemoryStore(Protocol):
    """Where one trader's memory is kept, durably."""

    def load(self) -> Kept | None:
        """Read it; None when there is none.

        Raises:
            StorageError: there is one and it cannot be used: the trader must not start.
        """
        ...

    def encode(self, kept: Kept) -> bytes:
        """Take a picture of a memory, which may change after that: JSON, empty to keep none."""
        ...

    def write(self, content: bytes) -> None:
        """Keep a picture; on return it survives a power cut. May be called from any thread.

        Raises:
            StorageError: it cannot be kept.
        """
        ...

    def load_commands(self) -> tuple[Command, ...]:
        """Read the commands that were accepted and perhaps not obeyed.

        Raises:
            StorageError: there are some and they cannot be used: the trader must not start.
        """
        ...

    def keep_commands(self, commands: Sequence[Command]) -> None:
        """Keep these instead; on return they survive a power cut.

        Raises:
            StorageError: they cannot be kept.
        """
        ...

    def forget(self) -> None:
        """Remove all: the world it was about is over."""
        ...
