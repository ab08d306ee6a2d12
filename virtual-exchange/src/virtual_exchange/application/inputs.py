"""What changes a world from outside, and how it is written down before it acts.

A world is its request, and what came to it, in order: played again, the same inputs at the same
times make the same world, to the byte of its report. Time is no input in lockstep: it follows from
the steps, so each input says after how many moves it came.

While an input acts, the wall clock stands at the time that is written down with it: a nonce that
was taken once is taken again when it is played back.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias, TypeVar

import msgspec

from suite.clock import Clock
from suite.contracts.clock import WaitReply, WaitRequest, Want
from suite.contracts.guards import GuardSummary
from suite.contracts.venue import (
    Action,
    ActionReply,
    CancelOrder,
    ModifyOrder,
    PlaceOrder,
)
from suite.contracts.world import AccountRequest, Transfer, TransferDone, WorldRequest
from suite.errors import StorageError, SuiteError
from virtual_exchange.application.clock.participant import Ticket
from virtual_exchange.application.exchange.answers import Answer
from virtual_exchange.application.exchange.keys import Kept
from virtual_exchange.application.latency_queue import Delivery, answered
from virtual_exchange.application.ports import WorldJournal
from virtual_exchange.application.world import Stops
from virtual_exchange.domain.accounts import Account

if TYPE_CHECKING:
    from virtual_exchange.application.session import Session

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
EXPIRED: Final = ActionReply(status="err", response="Action already expired")


class _Input(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", omit_defaults=True):
    """Something that changes a world; all of them have `act`."""


class Acting(Protocol[T_co]):
    """An input, by what it answers."""

    def act(self, session: "Session") -> T_co:
        """Change the world."""
        ...


class Join(_Input, frozen=True, tag="join"):
    """`Barrier.join`."""

    account: int
    want: Want

    def act(self, session: "Session") -> WaitReply:
        return session.barrier.join(self.account, self.want)


class Wait(_Input, frozen=True, tag="wait"):
    """`Barrier.wait`."""

    account: int
    request: WaitRequest

    def act(self, session: "Session") -> Ticket:
        return session.barrier.wait(self.account, self.request)


class Wake(_Input, frozen=True, tag="wake"):
    """`Barrier.wake`."""

    account: int
    step_seq: int

    def act(self, session: "Session") -> None:
        session.barrier.wake(self.account, self.step_seq)


class Leave(_Input, frozen=True, tag="leave"):
    """`Session.leave`."""

    account: int
    guards: GuardSummary | None = None

    def act(self, session: "Session") -> None:
        session.leave(self.account, self.guards)


class GiveUp(_Input, frozen=True, tag="give_up"):
    """`Session.give_up`."""

    account: int

    def act(self, session: "Session") -> None:
        session.give_up(self.account)


class Drop(_Input, frozen=True, tag="drop"):
    """Participants whom time waits for no longer: `Barrier.drop_silent`."""

    accounts: tuple[int, ...]

    def act(self, session: "Session") -> None:
        session.barrier.drop_silent(self.accounts)


class Tick(_Input, frozen=True, tag="tick"):
    """A bar of a paced world."""

    def act(self, session: "Session") -> None:
        session.barrier.tick()


class Play(_Input, frozen=True, tag="play"):
    """A piece of the way of a world that its operator moves."""

    until_bar: int

    def act(self, session: "Session") -> None:
        session.world.advance(self.until_bar, Stops())


class Send(_Input, frozen=True, tag="send"):
    """An action of the simple gateway; with a key it acts once."""

    account: int
    action: Action
    expired: bool = False
    key: str = ""
    fingerprint: bytes = b""

    def act(self, session: "Session") -> Kept:
        """Carry it out, or tell what became of the one that used the key."""

        def send() -> Delivery[ActionReply]:
            if self.expired:
                return answered(EXPIRED)
            return session.barrier.send(self.account, self.action)

        if not self.key:
            return Kept(send(), replayed=False)
        return session.keys.once(
            self.account, self.key, self.fingerprint, send, urgent=_is_urgent(self.action)
        )


def _is_urgent(action: Action) -> bool:
    return isinstance(action, CancelOrder) or (
        isinstance(action, PlaceOrder | ModifyOrder) and action.reduce_only
    )


class EndKey(_Input, frozen=True, tag="end_key"):
    """A noop with a key."""

    account: int
    key: str

    def act(self, session: "Session") -> Kept:
        return session.keys.noop(self.account, self.key)


class Post(_Input, frozen=True, tag="post"):
    """A signed action: written down once it is known who signed, see `Recorder.note`."""

    body: bytes

    def act(self, session: "Session") -> Delivery[Answer]:
        return session.gateway.post(self.body)


class Fund(_Input, frozen=True, tag="fund"):
    """An address that the faucet opens an account for."""

    address: str

    def act(self, session: "Session") -> None:
        session.identity.open_funded(self.address)


class Open(_Input, frozen=True, tag="open"):
    """Accounts that the operator opens."""

    accounts: tuple[AccountRequest, ...]

    def act(self, session: "Session") -> tuple[Account, ...]:
        return session.open_accounts(self.accounts)


class Move(_Input, frozen=True, tag="move"):
    """Money that the operator moves."""

    transfer: Transfer

    def act(self, session: "Session") -> TransferDone:
        return session.transfers.move(self.transfer)


class Admit(_Input, frozen=True, tag="admit"):
    """A token of an account, by its SHA-256, hex; the ones before it may be given up."""

    account: str
    digest: str
    alone: bool = False

    def act(self, session: "Session") -> None:
        session.admit(self.account, self.digest, alone=self.alone)


Input: TypeAlias = (
    Join
    | Wait
    | Wake
    | Leave
    | GiveUp
    | Drop
    | Tick
    | Play
    | Send
    | EndKey
    | Post
    | Fund
    | Open
    | Move
    | Admit
)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """An input as it is written down.

    Attributes:
        moves: that time had made before it, in lockstep.
        at_ms: wall time.
    """

    moves: int
    at_ms: int
    it: Input


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """First record of a journal: what a world is made of.

    Attributes:
        unique_id: as of `Session`.
        at_ms: wall time at which it was built.
        data: of the manifest, what its market was read from.
        rate_limited, signatures: how strict its gateway is.
    """

    world_id: str
    unique_id: str
    request: WorldRequest
    at_ms: int
    data: Any
    rate_limited: bool
    signatures: Literal["any", "mainnet", "testnet"]


_encode = msgspec.json.Encoder().encode
_record = msgspec.json.Decoder(Record).decode
_head = msgspec.json.Decoder(Head).decode


def head_of(content: bytes) -> Head:
    """Read the first record.

    Raises:
        StorageError: it is none of this version.
    """
    try:
        return _head(content)
    except msgspec.MsgspecError as error:
        raise StorageError(f"its first record is of another version ({error})") from None


class InputClock:
    """The wall clock as a world sees it: it stands while an input acts.

    Args:
        clock: the machine's.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._standing: int | None = None

    def now_ms(self) -> int:
        """Wall time, or that of the input that acts."""
        return self._clock.now_ms() if self._standing is None else self._standing

    @contextmanager
    def standing(self, at_ms: int) -> Iterator[None]:
        """Stand at a time while the context is open."""
        self._standing = at_ms
        try:
            yield
        finally:
            self._standing = None


class Recorder:
    """Lets inputs act on a world, each written down before.

    Args:
        clock: of the world.

    Attributes:
        journal: where they are written down; None for a world that nobody keeps.
        records: that were written down or played back.
    """

    def __init__(self, clock: InputClock) -> None:
        self._clock = clock
        self._acting: Record | None = None
        self._noted = False
        self.journal: WorldJournal | None = None
        self.records = 0

    def take(self, session: "Session", it: Acting[T]) -> T:
        """Write an input down and let it act; what it brings about itself is a part of it.

        Raises:
            StorageError: it could not be written, and has not acted.
            SuiteError: what it says itself; played back it says the same.
        """
        if self._acting is not None:
            return it.act(session)
        at_ms = self._clock.now_ms()
        record = Record(moves=session.barrier.moves, at_ms=at_ms, it=it)  # type: ignore[arg-type]
        self._acting = record
        self._noted = False
        try:
            with self._clock.standing(at_ms):
                if not isinstance(record.it, Post):
                    self.note()
                return it.act(session)
        finally:
            self._acting = None

    def note(self) -> None:
        """Write down the input that acts; once, before it changes anything.

        Raises:
            StorageError: the journal does not take it.
        """
        if self.journal is None or self._acting is None or self._noted:
            return
        self.journal.append(_encode(self._acting))
        self._noted = True
        self.records += 1

    def begin(self, journal: WorldJournal, head: Head) -> None:
        """Keep a world from its beginning on.

        Raises:
            StorageError: the journal does not take it.
        """
        journal.append(_encode(head))
        self.journal = journal

    def play_back(self, session: "Session", contents: Iterable[bytes]) -> None:
        """Let inputs act again, as they did.

        Raises:
            StorageError: a record is of another version, or does not fit what came before it.
        """
        for content in contents:
            try:
                record = _record(content)
            except msgspec.MsgspecError as error:
                raise StorageError(
                    f"record {self.records + 2} is of another version ({error})"
                ) from None
            self._again(session, record)
            self.records += 1
        while session.barrier.move():
            pass  # as far as time had gone, or would have

    def _again(self, session: "Session", record: Record) -> None:
        while session.barrier.moves < record.moves:
            if not session.barrier.move():
                raise StorageError(f"record {self.records + 2} is of a time that never comes")
        self._acting = record
        self._noted = True
        try:
            with self._clock.standing(record.at_ms):
                record.it.act(session)
        except SuiteError:
            return  # it was refused the first time too
        finally:
            self._acting = None
