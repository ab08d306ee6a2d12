"""A world with everything around it: built from a request, ready to be traded in."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar

from perp_engine.commands import CancelAll, NewOrder
from strategy_core.remembering import configuration_of
from suite.clock import Clock
from suite.contracts.clock import ClockState
from suite.contracts.guards import GuardSummary
from suite.contracts.trader import BALANCE_MAX_USD, TraderSpec
from suite.contracts.world import AccountRequest, WorldRequest
from suite.enums import Side, Tif
from suite.errors import BadRequest
from suite.fixed import USD_DECIMALS, Size, Usd, parse_fixed
from suite.ids import AccountId
from suite.instrument import coin_of
from virtual_exchange.application.clock.barrier import Barrier
from virtual_exchange.application.clock.views import Views
from virtual_exchange.application.exchange.gateway import Gateway, Strictness
from virtual_exchange.application.exchange.identity import Identity
from virtual_exchange.application.exchange.keys import RequestKeys
from virtual_exchange.application.exchange.simple import Venue
from virtual_exchange.application.exchange.trading import Trading
from virtual_exchange.application.exchange.transfers import Transfers
from virtual_exchange.application.info.queries import Queries
from virtual_exchange.application.info.snapshots import MarketData
from virtual_exchange.application.inputs import Acting, Fund, InputClock, Recorder
from virtual_exchange.application.latency_queue import LatencyQueue
from virtual_exchange.application.market.disguise import concealed, unmasked
from virtual_exchange.application.market.markets import Markets
from virtual_exchange.application.market.rules import rules_of
from virtual_exchange.application.opening import accounts_of, know_agents, open_accounts
from virtual_exchange.application.paper.run import PaperRun
from virtual_exchange.application.ports import MarketSource
from virtual_exchange.application.report.manifest import run_manifest
from virtual_exchange.application.report.results import canonical_report
from virtual_exchange.application.stream.streams import Streams
from virtual_exchange.application.world import World
from virtual_exchange.domain.accounts import Account
from virtual_exchange.domain.market import Market
from virtual_exchange.domain.masking import Mask
from virtual_exchange.domain.record import RunRecord

T = TypeVar("T")
_FREE = Strictness()
_MOST_ACCOUNTS = 4096
_ROOM, _FAUCET_ROOM = 16, 256
"""Accounts that may be opened later, when the request does not say."""


@dataclass(slots=True, kw_only=True)
class Session:
    """One world and the parts that act on it and read it.

    Attributes:
        request: what it was built from.
        strategies: configuration of its trader by account, for the report.
        keys: of the requests that carry one.
        paper: what moves it with a live market, None where its market is recorded.
        unique_id: names this world and no other, also over a restart of the service.
        guards: what traders have said at their end of what guarded them, by account.
        recorder: through which everything comes that changes it from outside.
        tokens: account by SHA-256 of the token, hex; of a world that is kept.
    """

    request: WorldRequest
    world: World
    venue: Venue
    queries: Queries
    data: MarketData
    barrier: Barrier
    identity: Identity
    gateway: Gateway
    transfers: Transfers
    streams: Streams
    trading: Trading
    keys: RequestKeys
    strategies: dict[str, dict[str, Any]] = field(default_factory=dict)
    paper: PaperRun | None = None
    unique_id: str = field(default_factory=lambda: secrets.token_hex(8))
    guards: dict[int, GuardSummary] = field(default_factory=dict)
    recorder: Recorder
    tokens: dict[str, str] = field(default_factory=dict)
    _reports: dict[bool, bytes] = field(default_factory=dict)
    _reported: int = 0
    _reporting: Lock = field(default_factory=Lock)

    @property
    def mask(self) -> Mask | None:
        """What its market hides, None when it hides nothing."""
        mask = self.world.market.mask
        return mask if mask is not None and mask.hides else None

    @property
    def paced(self) -> bool:
        """Time goes on by itself."""
        return self.request.clock != "lockstep"

    @property
    def interval(self) -> str:
        """Length of the engine's bars: of a paper world a second, of what feeds it."""
        if self.paper is not None:
            return f"{self.world.market.tape.interval_ms / 1000:g}s"
        return self.request.interval

    @property
    def speed(self) -> float:
        """World seconds per second, 0 where steps move time."""
        if self.paper is not None:
            return self.paper.speed
        return self.request.speed if self.paced else 0.0

    def take(self, it: Acting[T]) -> T:
        """Let an input change the world, written down before where the world is kept.

        Raises:
            StorageError: it could not be written down, and has changed nothing.
            SuiteError: what it refuses itself.
        """
        return self.recorder.take(self, it)

    def admit(self, account: str, digest: str, *, alone: bool) -> None:
        """Remember the token of an account.

        Args:
            account: its id.
            digest: of the token, hex.
            alone: those that it had are given up.
        """
        if alone:
            self.tokens = {key: name for key, name in self.tokens.items() if name != account}
        self.tokens[digest] = account

    def open_accounts(self, wanted: Sequence[AccountRequest]) -> tuple[Account, ...]:
        """Let more traders in, all or none of them; time waits for each from its join on.

        Raises:
            BadRequest: an account cannot be as it is wanted.
            Conflict: one is there already, there is no room, or the world has finished.
        """
        opened = open_accounts(self.world, self.identity, wanted)
        for account in opened:
            self.streams.acted(account.index)
        return opened

    def leave(self, account: int, guards: GuardSummary | None = None) -> None:
        """Take a participant out of time.

        Args:
            account: its account.
            guards: what it says of what guarded it: taken at the end of the world, the first time.
        """
        self.barrier.leave(account)
        if guards is not None and self.world.finished and account not in self.guards:
            self.guards[account] = guards

    def give_up(self, account: int) -> None:
        """Flatten an account whose participant its supervisor has given up; time goes on.

        Raises:
            NotFound: it takes no part.
        """
        self.barrier.give_up(account)
        world = self.world
        if world.finished:
            return
        world.apply(CancelAll(account=account))
        for symbol in world.engine.held(account):
            size = world.engine.position(account, symbol).size
            side = Side.SELL if size > 0 else Side.BUY
            order = NewOrder(
                symbol=symbol, side=side, size=Size(abs(size)), tif=Tif.IOC, reduce_only=True
            )
            self.trading.place(world.books[account], (order,))

    def clock_state(self) -> ClockState:
        """What `GET /clock` says."""
        return ClockState(
            mode="wall" if self.request.clock == "paper" else self.request.clock,
            now_ms=self.world.now_ms,
            speed=self.speed,
            finished=self.world.finished,
            world=self.unique_id,
            waits_for=self.barrier.waits_for,
        )

    def record(self, *, as_shown: bool = False) -> RunRecord:
        """What the run has left behind so far.

        Args:
            as_shown: by the names, prices and dates that a masked world shows, for those in it;
                else by the recorded ones, for its operator.
        """
        record = self.world.record(run_id=self.world.name, strategies=self.strategies)
        for index, account in enumerate(record.accounts):
            account.degraded = index in self.barrier.degraded
            account.guards = self.guards.get(index)
        record.manifest |= run_manifest(self.request, record)
        if self.barrier.late:
            record.manifest["late_bars"] = self.barrier.late
        mask = self.world.market.mask
        if mask is None:
            return record
        return concealed(record, mask) if as_shown and mask.hides else unmasked(record, mask)

    def final_report(self, *, as_shown: bool) -> bytes:
        """Canonical report of a world that has ended, made once, and again for each last word.

        Takes as long as a report does: to be called beside the event loop. What is sent after the
        end changes nothing in the world, so it may go on meanwhile.

        Args:
            as_shown: as of `record`.
        """
        reading = as_shown and self.mask is not None
        with self._reporting:
            if self._reported != (told := len(self.guards)):
                self._reports.clear()
                self._reported = told
            if reading not in self._reports:
                self._reports[reading], _ = canonical_report(self.record(as_shown=reading))
            return self._reports[reading]


def open_session(
    request: WorldRequest,
    *,
    source: MarketSource | Markets | Market,
    clock: Clock,
    world_id: str = "",
    encoded: bool = False,
    warn: Callable[..., object] = lambda *_args, **_values: None,
    strictness: Strictness = _FREE,
) -> Session:
    """Build a world.

    Args:
        request: what is wanted.
        source: of its market; `Markets` where worlds share them; the market itself where it is
            there already.
        clock: wall time, for the limits on silence and for `time_shift`.
        world_id: its name, empty for the default world.
        encoded: snapshots in replies are JSON already; for HTTP.
        warn: told of signed actions that the live venue would refuse.
        strictness: what its gateway refuses of what could be understood.

    Raises:
        BadRequest: something in the request cannot be.
        DataGap: the market is not stored.
        StorageError: a stored file is damaged.
    """
    clock = clock if isinstance(clock, InputClock) else InputClock(clock)
    accounts = accounts_of(request.accounts)
    rules = rules_of(request)
    market = source if isinstance(source, Market) else _recorded(request, source, clock)
    world = World(
        world_id=world_id,
        market=market,
        rules=rules,
        accounts=accounts,
        capacity=capacity_of(request),
    )
    trading = Trading(world)
    identity = Identity(world, clock, faucet_usd=_faucet(request))
    know_agents(identity, request.accounts)
    venue, queries = Venue(world, trading), Queries(world, identity)
    data, latency_queue = MarketData(world), LatencyQueue(world, request.latency)
    barrier = Barrier(
        world=world,
        venue=venue,
        views=Views(world, queries, data, encoded=encoded),
        clock=clock,
        latency_queue=latency_queue,
        expected=_expected(request, world),
        paced=request.clock != "lockstep",
        supervised=request.supervised,
    )
    streams = Streams(world, queries)

    def touch(account: int) -> None:
        barrier.touch(account)
        streams.acted(account)

    gateway = Gateway(
        world,
        identity=identity,
        trading=trading,
        latency_queue=latency_queue,
        touch=touch,
        warn=warn,
        limits=queries.limits,
        strictness=strictness,
    )
    if request.time_shift == "now":
        _catch_up(world, clock.now_ms())
    session = Session(
        request=request,
        world=world,
        venue=venue,
        queries=queries,
        data=data,
        barrier=barrier,
        identity=identity,
        gateway=gateway,
        transfers=Transfers(world),
        streams=streams,
        trading=trading,
        keys=RequestKeys(clock),
        recorder=Recorder(clock),
    )
    return _through_inputs(session)


def _through_inputs(session: Session) -> Session:
    """Let what a signature or a read brings about be inputs too."""
    session.gateway.note = session.recorder.note
    session.identity.fund = lambda address: session.take(Fund(address=address))
    return session


def _catch_up(world: World, now_ms: int) -> None:
    """Play a world whose dates are this week's up to now, unless it ends before."""
    bar = world.market.tape.bar_at(now_ms)
    if bar < world.end_bar:
        world.play(bar)


def _recorded(request: WorldRequest, source: MarketSource | Markets, clock: Clock) -> Market:
    markets = source if isinstance(source, Markets) else Markets(source)
    return markets.of(request, now_ms=clock.now_ms())


def capacity_of(request: WorldRequest) -> int:
    """Room for accounts, those that are opened later included."""
    room = _FAUCET_ROOM if request.faucet else _ROOM
    return request.capacity or min(_MOST_ACCOUNTS, len(request.accounts) + room)


def world_request(
    traders: tuple[TraderSpec, ...],
    *,
    symbols: tuple[str, ...] = (),
    more_accounts: tuple[AccountRequest, ...] = (),
    more_participants: tuple[str, ...] = (),
    **settings: Any,
) -> WorldRequest:
    """Ask for the world of a set of traders: an account each, all of them expected.

    Args:
        traders: who trades.
        symbols: coins of the world; those of the traders when none is named.
        more_accounts, more_participants: besides those of the traders.
        settings: further fields of the request.

    Raises:
        BadRequest: a trader wants a coin that the world lacks.
    """
    accounts = tuple(
        AccountRequest(id=trader.account_id, initial_balance=trader.initial_balance)
        for trader in traders
    )
    named = dict.fromkeys(coin for trader in traders for coin in trader.symbols)
    if symbols:
        coins = {_coin(name) for name in symbols}
        for trader in traders:
            lacking = [name for name in trader.symbols if _coin(name) not in coins]
            if lacking:
                raise BadRequest(
                    f"{trader.trader_id} trades {lacking[0]}, which is not in --symbols"
                )
    return WorldRequest(
        symbols=symbols or tuple(named),
        accounts=(*accounts, *more_accounts),
        participants=(*(account.id for account in accounts), *more_participants),
        **settings,
    )


def _coin(name: str) -> str:
    try:
        return coin_of(name)
    except ValueError as error:
        raise BadRequest(str(error)) from None


def strategies_of(traders: tuple[TraderSpec, ...]) -> dict[str, dict[str, Any]]:
    """Configuration of each account's trader."""
    return {trader.account_id: configuration_of(trader) for trader in traders}


def _faucet(request: WorldRequest) -> Usd:
    try:
        usd = parse_fixed(request.faucet, USD_DECIMALS)
    except ValueError as error:
        raise BadRequest(f"faucet: {error}") from None
    if not 0 <= request.faucet <= BALANCE_MAX_USD:
        raise BadRequest("faucet: must not be negative, and at most 1e11")
    return Usd(usd)


def _expected(request: WorldRequest, world: World) -> list[int]:
    names = request.participants
    if names is None:
        names = tuple(a.id for a in request.accounts) if request.clock == "lockstep" else ()
    unknown = [name for name in names if AccountId(name) not in world.by_id]
    if unknown:
        raise BadRequest(f"participant {unknown[0]!r} has no account in this world")
    return [world.by_id[AccountId(name)].index for name in names]
