"""The one place that sees every part: settings in, container out."""

import asyncio
import os
import random
import secrets
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import structlog

from hyperliquid_exchange.adapters.hyperliquid_http import HyperliquidHttp
from hyperliquid_exchange.adapters.hyperliquid_ws import StreamLimits, VenueLines
from hyperliquid_exchange.adapters.intent_journal.journal import IntentJournal, JournalRules
from hyperliquid_exchange.adapters.keystore import hide_process
from hyperliquid_exchange.adapters.nonce_file import NonceFiles
from hyperliquid_exchange.adapters.order_log import LoggedIntents, OrderLog
from hyperliquid_exchange.adapters.preflight_file import NAME as PREFLIGHT
from hyperliquid_exchange.adapters.safety_files import MarksFile, PreflightFile, SafetyFiles
from hyperliquid_exchange.adapters.signer_lease import SignerLease
from hyperliquid_exchange.adapters.signer_ownership import SignerOwnership, this_process
from hyperliquid_exchange.adapters.signing import AgentSigner
from hyperliquid_exchange.application.account_watch import AccountWatch
from hyperliquid_exchange.application.adopting import Adopting
from hyperliquid_exchange.application.budgets import Budgets, keep_told
from hyperliquid_exchange.application.flattening import SafetyWork, WorkRules
from hyperliquid_exchange.application.gate import RiskGate
from hyperliquid_exchange.application.last_hop import LastHop
from hyperliquid_exchange.application.leaving import Parts
from hyperliquid_exchange.application.native import Native
from hyperliquid_exchange.application.operator_path import OperatorPath
from hyperliquid_exchange.application.reads import Reads
from hyperliquid_exchange.application.requests import Counts
from hyperliquid_exchange.application.safety import KillLadder
from hyperliquid_exchange.application.safety_control import SafetyControl
from hyperliquid_exchange.application.simple import SimpleRest
from hyperliquid_exchange.application.streams import Streams
from hyperliquid_exchange.application.translating import Translator
from hyperliquid_exchange.application.venue_desk import VenueDesk
from hyperliquid_exchange.custody import Custody, open_custody
from hyperliquid_exchange.domain.accounts import LiveAccount
from hyperliquid_exchange.domain.budgets import RESERVED_SHARE, WEIGHT_A_MINUTE
from hyperliquid_exchange.domain.flattening import FlattenRules
from hyperliquid_exchange.domain.progress import Beat
from hyperliquid_exchange.domain.reading import readers
from hyperliquid_exchange.domain.safety import Level
from hyperliquid_exchange.entrypoint.safety import PAUSER, RESUMER, trader_grant
from hyperliquid_exchange.entrypoint.services import READ_ALL, Services
from hyperliquid_exchange.guarding import Guards, guards_of
from hyperliquid_exchange.places import intents_of, orders_of, safety_of, signers_of
from hyperliquid_exchange.running import PreflightGate, await_preflight, running_of
from hyperliquid_exchange.settings import Settings
from hyperliquid_exchange.upstreams import is_stand_in, time_at
from suite.errors import ConfigError, StorageError, SuiteError, UpstreamUnavailable
from suite.fixed import Usd
from suite.ids import TraderId
from suite.service.clock import SystemClock
from suite.service.feed import FeedMetrics
from suite.service.health import Health
from suite.service.tokens import ADMIN, Grant, TokenStore

OPERATOR: Final = Grant(name="operator", scopes=frozenset({ADMIN}))
READER: Final = Grant(name="reader", scopes=frozenset({READ_ALL}))
"""Sees all accounts and can do nothing: for who compares and shows them."""
_SAVE_S: Final = 1.0
_FORGET_S: Final = 3600.0
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Live:
    """Everything that lives while the service runs.

    Attributes:
        custody: accounts and keys.
        ownership: of the signers.
        lease: of them, between machines; None where this one is the only one.
        journal: of intents.
        orders: that were sent, for reports.
        upstream, streams: the venue.
        reads: of it, for traders.
        watch: what it pushes of the accounts.
        budgets: what the venue still takes.
        ladder, work: what is forbidden, and what that means at the venue.
        gate: hard limits.
        hop: the way out.
        control: the ladder as people use it.
        guards: what watches over the service from inside.
    """

    custody: Custody
    ownership: SignerOwnership
    lease: SignerLease | None
    journal: IntentJournal
    orders: OrderLog
    upstream: HyperliquidHttp
    streams: Streams
    reads: Reads
    watch: AccountWatch
    budgets: Budgets
    ladder: KillLadder
    work: SafetyWork
    gate: RiskGate
    hop: LastHop
    control: SafetyControl
    guards: Guards


@dataclass(slots=True)
class Container:
    """The service: its parts exist once it is open.

    Attributes:
        tokens: accepted.
        token_files: where they were written, by trader id, and that of the operator.
        on_bug: told of a background task that ended.
        feeds: shows the connections to the venue; None for who serves no metrics.
        build: hash of the code that serves.
        records: told of all alerts.
    """

    settings: Settings
    tokens: TokenStore
    clock: SystemClock = field(default_factory=SystemClock)
    token_files: dict[str, Path] = field(default_factory=dict)
    on_bug: Callable[[BaseException], None] | None = None
    feeds: FeedMetrics | None = None
    live: Live | None = None
    build: str = ""
    records: list[Callable[[str, str], None]] = field(default_factory=list)
    _services: Services | None = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def services(self) -> Services:
        """What the routes work with.

        Raises:
            UpstreamUnavailable: the service is not open.
        """
        if self._services is None:
            raise UpstreamUnavailable("the service is starting or stopping")
        return self._services

    def control(self) -> SafetyControl:
        """The ladder as people use it.

        Raises:
            UpstreamUnavailable: the service is not open.
        """
        if self.live is None:
            raise UpstreamUnavailable("the service is starting or stopping")
        return self.live.control

    def adopting(self) -> Adopting:
        """What believes the venue for an operator.

        Raises:
            UpstreamUnavailable: the service is not open.
        """
        if self.live is None:
            raise UpstreamUnavailable("the service is starting or stopping")
        live = self.live
        return Adopting(live.custody.accounts, live.watch, live.hop.in_flight)

    def beat(self) -> Beat:
        """The last beat.

        Raises:
            UpstreamUnavailable: the service is not open.
        """
        if self.live is None:
            raise UpstreamUnavailable("the service is starting or stopping")
        return self.live.guards.pulse.beat

    def watchdog_silent_s(self) -> float | None:
        """Seconds since the watchdog got on; None while it never did, or nothing is open."""
        return None if self.live is None else self.live.guards.pulse.watchdog_silent_s

    def clock_skew_s(self) -> float | None:
        """What is certain of the venue's time less ours; None where it is not known."""
        skew = None if self.live is None else self.live.guards.clock.skew
        return None if skew is None else skew.proven_ms / 1000

    def alert(self, kind: str, text: str) -> None:
        """Tell people; the log alone before there is a way to."""
        if self.live is None:
            _log.warning("alert", kind=kind, text=text)
        else:
            self.live.guards.alerts.tell(kind, text)

    def levels(self) -> list[Level]:
        """How much is forbidden to each trader."""
        live = self.live
        return [] if live is None else [live.ladder.level(name) for name in live.custody.accounts]

    def counts(self) -> Counts | None:
        """What went out; None while nothing is open."""
        return None if self.live is None else self.live.hop.counts

    async def open(self) -> None:
        """Read keys, take the signers, and begin to follow the accounts.

        Raises:
            ConfigError: a setting, a file or a key is wrong.
            InUse: another process signs with one of the keys.
            StorageError: what was written down before cannot be read.
        """
        live = self.live = _build(self.settings, self.clock, self.feeds)
        accounts, live.guards.alerts.records = live.custody.accounts, self.records
        if live.lease is not None:
            await live.lease.take(account.signer for account in accounts.values())
        self._write_tokens()
        self._services = Services(
            accounts=accounts,
            simple=SimpleRest(live.hop, Translator(live.watch), live.upstream),
            native=Native(live.hop, network=live.custody.network, clock=self.clock),
            reads=live.reads,
            streams=live.streams,
            readers=readers(accounts),
            clock=self.clock,
            time=time_at(live.upstream, self.settings, self.clock),
            new_key=new_key,
        )
        preflight = self._preflight_gate(live)
        preflight.look()
        live.hop.recover(accounts)
        for name, work in (
            ("streams", live.streams.run()),
            ("accounts", _after_a_turn(live.watch.run())),
            ("safety", live.work.run()),
            ("marks", _keep_marks(live.gate)),
            ("budgets", keep_told(live.budgets, live.upstream, _addresses(accounts))),
            ("preflight", await_preflight(preflight)),
            ("orders", _keep_orders(live.orders)),
            *live.guards.parts(),
        ):
            self._tasks.append(asyncio.create_task(self._supervised(name, work)))

    def _preflight_gate(self, live: Live) -> PreflightGate:
        """Make what keeps new risk from real money until the checklist is green."""
        settings, custody = self.settings, live.custody
        running = running_of(settings, settings.accounts or Path(), custody)
        self.build = running.build_hash
        return PreflightGate(
            running,
            settings.state_dir,
            live.ladder,
            self.clock,
            is_needed=custody.network == "mainnet" and not is_stand_in(settings),
        )

    def _write_tokens(self) -> None:
        """Accept the tokens in files, written at the first start.

        One a trader, the operator's, one that only reads, one that only forbids and one that ends
        kills.
        """
        folder = self.settings.state_dir / "tokens"
        for grant in (OPERATOR, READER, PAUSER, RESUMER):
            self.token_files[grant.name] = self.tokens.ensure_file(folder, grant)
        for trader_id in self.live.custody.accounts if self.live else ():
            path = self.tokens.ensure_file(folder / Path(trader_id).parent, trader_grant(trader_id))
            self.token_files[trader_id] = path

    async def _supervised(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run a part; where it ends, the process does, and what it held is found again."""
        try:
            await work
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - the supervisor: the process stops
            _log.critical("part_failed", part=name, reason=f"{type(error).__name__}: {error}")
            if self.on_bug is not None:
                self.on_bug(error)

    async def close(self) -> None:
        """Stop; what is open stays so in the journal."""
        self._services = None
        live = self.live
        if live is None:
            return
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await live.control.close()
        await live.hop.close()
        await live.upstream.close()
        try:
            live.gate.save()
        except StorageError as fault:
            _log.warning("marks_not_saved", reason=str(fault))
        await live.journal.close()
        if live.lease is not None:
            await live.lease.close()
        live.ownership.close()

    def health(self) -> Health:
        """Whether all parts run; what the venue does is told, and no failure of this process."""
        live = self.live
        if live is None:
            return Health(ok=False, detail={"reason": "starting"})
        counts = live.hop.counts
        detail: dict[str, str | int] = {
            "traders": len(live.custody.accounts),
            "network": live.custody.network,
            "build": self.build,
            "decided": counts.decided,
            "left": counts.left,
            "unknown": sum(len(live.hop.unknown(name)) for name in live.custody.accounts),
        }
        clock, accounts = live.guards.clock.trouble, live.watch.trouble
        alerts, journal = live.guards.alerts.trouble, live.journal.trouble
        troubles = {"journal": journal, "clock": clock, "accounts": accounts, "alerts": alerts}
        detail |= {name: text for name, text in troubles.items() if text}
        ended = any(task.done() for task in self._tasks)
        return Health(ok=not ended, detail=detail)


def build(settings: Settings) -> Container:
    """Wire the service; opens nothing."""
    return Container(settings, TokenStore(SystemClock()))


def new_key() -> str:
    """Make the key of a request that brings none."""
    return secrets.token_hex(16)


def _build(settings: Settings, clock: SystemClock, feeds: FeedMetrics | None) -> Live:
    if settings.accounts is None:
        raise ConfigError(
            "HYPERLIQUID_EXCHANGE_ACCOUNTS is not set: the file of traders, keys and limits"
        )
    stand_in = is_stand_in(settings)
    url = str(settings.upstream_url).rstrip("/")
    trouble = hide_process()
    if trouble:
        _log.warning("keys_could_be_seen", reason=trouble)
    custody = open_custody(
        settings.accounts,
        network=settings.network,
        is_stand_in=stand_in,
        environment=os.environ,
    )
    me, database = this_process(clock), settings.database_url.get_secret_value()
    lease = SignerLease(database, me) if database else None
    ownership = SignerOwnership(signers_of(settings.state_dir), me, lease=lease)
    ownership.take(account.signer for account in custody.accounts.values())
    try:
        streams = _streams(settings, url, feeds)
        return _wire(settings, clock, custody, (ownership, lease), url, streams)
    except BaseException:
        ownership.close()
        raise


def _wire(
    settings: Settings,
    clock: SystemClock,
    custody: Custody,
    owned: tuple[SignerOwnership, SignerLease | None],
    url: str,
    streams: Streams,
) -> Live:
    ownership, lease = owned
    folder, accounts, traders = settings.state_dir, custody.accounts, tuple(custody.accounts)
    nonces = NonceFiles(folder / "nonces", clock)
    for account in accounts.values():
        nonces.open(account.signer)
    rules = JournalRules(reserve_bytes=settings.journal_reserve_mb << 20)
    journal = IntentJournal(intents_of(folder), clock, rules=rules)
    orders = OrderLog(orders_of(folder), clock)
    ladder = KillLadder(SafetyFiles(safety_of(folder), clock), traders, clock)
    upstream = HyperliquidHttp(url)
    budgets, time = _budgets(settings), time_at(upstream, settings, clock)
    watch = AccountWatch(accounts, streams=streams, upstream=upstream, safety=ladder, clock=clock)
    gate = RiskGate(
        accounts=tuple(accounts.values()),
        overall=custody.limits,
        facts=watch,
        safety=ladder,
        marks=MarksFile(safety_of(folder)),
        clock=clock,
        budgets=budgets,
    )
    signer = AgentSigner(accounts, custody.wallets, network=custody.network, ownership=ownership)
    parts = Parts(
        upstream=upstream,
        signer=signer,
        ownership=ownership,
        nonces=nonces,
        log=LoggedIntents(journal, orders),
        gate=gate,
        safety=ladder,
        facts=watch,
    )
    hop = LastHop(parts, clock=clock, jitter=random.SystemRandom())
    watch.in_flight = hop.in_flight
    work = _safety_work(settings, ladder, hop, upstream, accounts)
    control = SafetyControl(
        ladder=ladder,
        work=work,
        preflight=PreflightFile(folder / PREFLIGHT),
        losses=gate,
        traders=traders,
        clock=clock,
        quiet=hop.quiet,
    )
    return Live(
        custody=custody,
        ownership=ownership,
        lease=lease,
        journal=journal,
        orders=orders,
        upstream=upstream,
        streams=streams,
        reads=Reads(upstream, budgets),
        watch=watch,
        budgets=budgets,
        ladder=ladder,
        work=work,
        gate=gate,
        hop=hop,
        control=control,
        guards=guards_of(settings, ladder, watch, traders, clock, (upstream, budgets, time)),
    )


def _safety_work(
    settings: Settings,
    ladder: KillLadder,
    hop: LastHop,
    upstream: HyperliquidHttp,
    accounts: Mapping[TraderId, LiveAccount],
) -> SafetyWork:
    rules = FlattenRules()
    # an order that closes fits below the limit of an entry, at the far end of its collar too
    most = min((one.limits.max_order_usd for one in accounts.values()), default=rules.slice_usd)
    rules = replace(rules, slice_usd=Usd(min(rules.slice_usd, most * 100 // 103)))
    return SafetyWork(
        ladder=ladder,
        desk=VenueDesk(upstream, accounts),
        path=OperatorPath(hop, accounts, new_key),
        traders=tuple(accounts),
        clock=SystemClock(),
        unsettled=hop.unsettled,
        rules=WorkRules(flatten=rules, keep_paused=settings.keep_paused_entries),
    )


def _streams(settings: Settings, url: str, feeds: FeedMetrics | None) -> Streams:
    return Streams(
        VenueLines(
            f"ws{url.removeprefix('http')}/ws",
            chance=random.SystemRandom(),
            limits=StreamLimits(silence_s=settings.stream_silence_s),
            metrics=feeds,
        )
    )


def _budgets(settings: Settings) -> Budgets:
    """Count what the venue takes of this address; no setting makes that more than it does."""
    budgets, limit = Budgets(), settings.weight_per_minute
    budgets.weight.limit = limit if is_stand_in(settings) else min(limit, WEIGHT_A_MINUTE)
    budgets.weight.reserve = budgets.weight.limit // RESERVED_SHARE
    return budgets


def _addresses(accounts: Mapping[TraderId, LiveAccount]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(account.address for account in accounts.values()))


async def _after_a_turn(work: Coroutine[Any, Any, None]) -> None:
    """Run once what was started before has begun."""
    await asyncio.sleep(0)
    await work


async def _keep_orders(orders: OrderLog) -> None:
    """Forget orders that no report asks for any more, once an hour."""
    while True:
        orders.forget_old()
        await asyncio.sleep(_FORGET_S)


async def _keep_marks(gate: RiskGate) -> None:
    """See where the traders stand, whether they order or not, and write it down."""
    while True:
        await asyncio.sleep(_SAVE_S)
        gate.look()
        try:
            gate.save()
        except SuiteError as fault:
            _log.warning("marks_not_saved", reason=str(fault))
