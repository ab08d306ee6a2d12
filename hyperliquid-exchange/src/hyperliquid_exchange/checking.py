"""The checklist, put together: what the commands `doctor` and `preflight` look at.

Nothing is changed anywhere and nothing is signed: the keys are read for their addresses, the
journal is verified on a copy, the gate and the list of actions are tried dry.
"""

import asyncio
import io
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from hyperliquid_exchange.adapters import host_probes
from hyperliquid_exchange.adapters.accounts_file import read_accounts_file
from hyperliquid_exchange.adapters.beat_file import BeatFile
from hyperliquid_exchange.adapters.collected_bars import CollectorBars
from hyperliquid_exchange.adapters.intent_journal import IntentJournal, JournalRules
from hyperliquid_exchange.adapters.order_log import OrderLog
from hyperliquid_exchange.adapters.safety_files import SafetyFiles
from hyperliquid_exchange.adapters.signer_ownership import holder_of
from hyperliquid_exchange.adapters.venue_history import InfoHistory
from hyperliquid_exchange.adapters.venue_probe import VenueProbe, reached
from hyperliquid_exchange.application.preflight import host as on_host
from hyperliquid_exchange.application.preflight import safety as on_safety
from hyperliquid_exchange.application.preflight import venue as on_venue
from hyperliquid_exchange.application.preflight.drills import action_refusals, gate_refusals
from hyperliquid_exchange.application.preflight.elsewhere import other_lines
from hyperliquid_exchange.application.preflight.host import Host, KeyFile
from hyperliquid_exchange.application.preflight.lines import Result, Running
from hyperliquid_exchange.application.preflight.venue import Reached, Seen
from hyperliquid_exchange.checking_access import access_lines, alert_line
from hyperliquid_exchange.custody import Custody, open_custody
from hyperliquid_exchange.domain.accounts import LiveAccount
from hyperliquid_exchange.domain.live_orders import SentOrder, nameless_triggers
from hyperliquid_exchange.domain.safety import EVERYBODY, Cause, Level
from hyperliquid_exchange.places import (
    intents_of,
    orders_of,
    safety_of,
    signers_of,
    watchdog_beat_of,
)
from hyperliquid_exchange.running import running_of
from hyperliquid_exchange.settings import Settings
from hyperliquid_exchange.upstreams import is_stand_in
from suite.bars import DAY_MS, HOUR_MS
from suite.checklist import Line, failed, skipped
from suite.clock import Clock
from suite.errors import ConfigError, StorageError, SuiteError
from suite.ids import TraderId
from suite.instrument import Instrument
from suite.service.clock import SystemClock
from suite.service.logging import hide_secrets, redact
from suite.service.tokens import PREFIX

_STAND_IN_SKEW_MS: Final = DAY_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the checklist looks at.

    Attributes:
        settings: of the service.
        accounts_path: the accounts file.
        custody: accounts and keys.
        key_paths: files with keys, by address of the key.
        upstream_url: of the venue.
        data_url: of the data-collector; empty where none is named.
        is_stand_in: the venue is no Hyperliquid.
        journal: folder of the intents.
        owners: folder of the locks of signers.
        orders: folder of the orders that were sent.
        causes: tells what is stopped.
        beat: tells how old the watchdog's last beat is, ms, and whether its key is its own.
        clock: wall time.
        environment: variables.
    """

    settings: Settings
    accounts_path: Path
    custody: Custody
    key_paths: Mapping[str, Path]
    upstream_url: str
    data_url: str
    is_stand_in: bool
    journal: Path
    owners: Path
    orders: Path
    causes: Callable[[], Sequence[Cause]]
    beat: Callable[[], tuple[int | None, bool | None]]
    clock: Clock
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def accounts(self) -> tuple[LiveAccount, ...]:
        """The traders."""
        return tuple(self.custody.accounts.values())

    @property
    def running(self) -> Running:
        """What is about to trade."""
        return running_of(self.settings, self.accounts_path, self.custody)


def surroundings(settings: Settings) -> Surroundings:
    """Read the accounts and the keys of a service.

    Raises:
        ConfigError: no accounts file is named, or something in it, a key or an address is wrong.
    """
    if settings.accounts is None:
        raise ConfigError("HYPERLIQUID_EXCHANGE_ACCOUNTS is not set: the file of traders and keys")
    stand_in, environment = is_stand_in(settings), dict(os.environ)
    custody = open_custody(
        settings.accounts,
        network=settings.network,
        is_stand_in=stand_in,
        environment=dict(environment),
    )
    written = read_accounts_file(settings.accounts, network=settings.network)
    key_paths: dict[str, Path] = {}
    for entry in written.accounts:
        if entry.key.file is not None:
            key_paths[custody.accounts[entry.trader_id].signer] = entry.key.file
        elif entry.key.env is not None:
            environment.pop(entry.key.env, None)  # named on purpose, on the testnet
    state, clock = settings.state_dir, SystemClock()
    return Surroundings(
        settings=settings,
        accounts_path=settings.accounts,
        custody=custody,
        key_paths=key_paths,
        upstream_url=settings.upstream_url or "",
        data_url=settings.data_service_url or "",
        is_stand_in=stand_in,
        journal=intents_of(state),
        owners=signers_of(state),
        orders=orders_of(state),
        causes=lambda: _causes(state, clock, list(custody.accounts)),
        beat=lambda: _beat(state, clock, custody),
        clock=clock,
        environment=environment,
    )


def _beat(state: Path, clock: Clock, custody: Custody) -> tuple[int | None, bool | None]:
    """Tell how old the watchdog's last beat is, ms, and whether its keys are its own."""
    beat = BeatFile(watchdog_beat_of(state)).read()
    if beat is None:
        return None, None
    theirs = set(beat.signers)
    mine = {account.signer for account in custody.accounts.values()}
    return max(0, clock.now_ms() - beat.at_ms), None if not theirs else not theirs & mine


def _causes(state: Path, clock: Clock, traders: Sequence[TraderId]) -> Sequence[Cause]:
    """Tell everything that is stopped, by the ladder and by files; nothing is written.

    Raises:
        StorageError: it cannot be read.
    """
    folder = safety_of(state)
    if not folder.exists():
        return ()
    files = SafetyFiles(folder, clock)
    is_new = not (folder / "safety.json").exists() and not (folder / "safety.log").exists()
    found = [] if is_new else list(files.load())
    for scope in (EVERYBODY, *traders):
        reason = files.sentinel(scope)
        if reason is not None:
            found.append(
                Cause(scope=scope, level=Level.KILLED, by="sentinel", reason=reason, since_ms=0)
            )
    return found


def examine(around: Surroundings) -> Result:
    """Look at what needs no venue."""
    lines = [*_on_host(around), on_host.check_clock({}, required=False)]
    journal, unknown = asyncio.run(_journal(around))
    channels = 1 if around.settings.alert_webhook_url.get_secret_value() else 0
    lines += [journal, on_venue.check_unknown(unknown), *_safety(around)]
    lines += [on_safety.check_alerts(channels, None), *asyncio.run(_access(around))]
    return _result(around, "offline", lines)


async def preflight(around: Surroundings) -> Result:
    """Look at everything."""
    probe = VenueProbe(around.upstream_url, around.clock)
    history = InfoHistory(around.upstream_url)
    try:
        lines = await _at_venue(around, probe, history)
    finally:
        await asyncio.gather(probe.close(), history.close())
    journal, unknown = await _journal(around)
    lines += [
        *_on_host(around),
        journal,
        on_venue.check_unknown(unknown),
        *_safety(around),
        await _market(around),
        await alert_line(around.settings, around.clock),
        *await _access(around),
    ]
    return _result(around, "live", lines)


def _result(around: Surroundings, mode: str, lines: Sequence[Line]) -> Result:
    running = around.running
    return Result(
        mode="live" if mode == "live" else "offline",
        network=running.network,
        as_of_ms=around.clock.now_ms(),
        config_hash=running.config_hash,
        build_hash=running.build_hash,
        accounts=running.accounts,
        lines=tuple(sorted([*lines, *other_lines(around.accounts)], key=lambda line: line.number)),
    )


async def _access(around: Surroundings) -> list[Line]:
    serves = bool(_owners(around)[0])
    build = around.running.build_hash
    return await access_lines(around.settings, around.custody, build, around.clock, serves=serves)


# this machine


def _on_host(around: Surroundings) -> list[Line]:
    settings, folder = around.settings, around.settings.state_dir
    try:
        fsync_ms = host_probes.fsync_times_ms(folder)
        free = host_probes.disk_free(folder)
    except (StorageError, OSError) as error:
        return [failed(5, "disk", str(error), "make the state folder writable"), *_rest(around)]
    service, other_owner = _owners(around)
    found = Host(
        has_native_curve=host_probes.has_native_curve(),
        optimized=host_probes.is_optimized(),
        disk_free=free,
        fsync_ms=fsync_ms,
        open_files_max=host_probes.open_files_max(),
        uid=os.geteuid(),
        has_capabilities=host_probes.has_capabilities(),
        listens=settings.is_loopback,
        trusted_network=settings.trusted_network,
        leaks=_leaks(around),
        service=service,
        other_owner=other_owner,
    )
    return [
        on_host.check_curve(found),
        on_host.check_assertions(found),
        on_host.check_disk(found),
        on_host.check_files(found),
        on_host.check_owner(found),
        on_host.check_privileges(found),
        on_host.check_leaks(found),
        on_host.check_listener(found),
        *_rest(around),
    ]


def _rest(around: Surroundings) -> list[Line]:
    named: dict[str, str] = {
        "HYPERLIQUID_EXCHANGE_NETWORK": around.settings.network,
        "accounts file": around.custody.network,
    }
    if not around.is_stand_in:
        known = "testnet" if "testnet" in around.upstream_url else "mainnet"
        named["address of the venue"] = known
    canary = f"{PREFIX}{secrets.token_urlsafe(32)}"
    return [
        on_host.check_key_files([_key_file(path, key) for key, path in around.key_paths.items()]),
        on_host.check_redaction(_logged(canary), canary),
        on_host.check_limits(around.accounts, around.custody.limits),
        on_host.check_network(named),
    ]


def _key_file(path: Path, address: str) -> KeyFile:
    mode, is_own = host_probes.mode_of(path)
    return KeyFile(path=str(path), mode=mode, is_own=is_own, signer=address)


def _logged(canary: str) -> str:
    """Write what a log line of a text with a secret in it would be."""
    written = io.StringIO()
    log = structlog.wrap_logger(
        structlog.PrintLogger(written),
        processors=[redact, structlog.processors.JSONRenderer()],
    )
    log.info("canary", text=f"a request with Bearer {canary}", token=canary, inner={"a": [canary]})
    return hide_secrets(written.getvalue())


def _leaks(around: Surroundings) -> tuple[str, ...]:
    """Look for keys of the accounts, and of their agents, where none should be."""
    people = {one.address for one in around.accounts} | {one.master for one in around.accounts}
    agents = {one.signer for one in around.accounts}
    named = [around.accounts_path, Path(".env"), *Path().glob("*.env")]
    files = [path for path in named if path not in set(around.key_paths.values())]
    return host_probes.leaked_keys(around.environment, files, frozenset(people | agents))


def _owners(around: Surroundings) -> tuple[str, str]:
    """Tell which process is the service, and what is wrong about who has the signers.

    The locks are in the service's own folder: who has all of them is the service itself, which may
    well run while it is looked at.
    """
    try:
        found = {one.signer: holder_of(around.owners, one.signer) for one in around.accounts}
    except StorageError:
        return "", ""  # the disk is another line's
    holders = set(found.values()) - {""}
    if len(holders) == 1 and all(found.values()):
        return holders.pop(), ""
    told = ", ".join(f"{who} has {signer}" for signer, who in found.items() if who)
    return "", told


def journal_files(folder: Path) -> list[Path]:
    """List the segments of a journal."""
    return sorted(folder.glob("*.intents"))


async def _journal(around: Surroundings) -> tuple[Line, int]:
    """Verify a copy of the journal; tell how many intents are open."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        try:
            for path in journal_files(around.journal):
                shutil.copyfile(path, copy / path.name)
            journal = IntentJournal(copy, around.clock, rules=JournalRules(reserve_bytes=0))
        except (StorageError, OSError) as error:
            text = str(error).replace(name, str(around.journal))
            return on_safety.check_journal(None, text), 0
        unknown = len(journal.open_intents())
        await journal.close()
        count = len(journal_files(copy))
    return on_safety.check_journal(count, ""), unknown


def _safety(around: Surroundings) -> list[Line]:
    beat_ms, other_key = around.beat()
    try:
        latch = on_safety.check_latch(around.causes())
    except SuiteError as error:
        latch = failed(37, "kill latch", str(error), "make the state folder readable")
    return [
        latch,
        on_safety.check_watchdog(beat_ms, other_key=other_key),
        on_safety.check_actions(action_refusals()),
    ]


# the venue


async def _at_venue(around: Surroundings, probe: VenueProbe, history: InfoHistory) -> list[Line]:
    took, skew, special, fault = await reached(probe)
    if took is None:
        unreached = Reached(
            rest_ms=None,
            ws_ms=None,
            fault=fault,
            is_encrypted=probe.is_encrypted,
            is_loopback=probe.is_loopback,
            special_statuses=None,
        )
        return [on_venue.check_reached(unreached), *_unasked(fault)]
    try:
        universe = await history.universe()
        sent = OrderLog(around.orders, around.clock).sent(0)
        seen = [await _seen(account, probe, universe, sent) for account in around.accounts]
        ws_ms = await probe.snapshots_ms([account.address for account in around.accounts])
    except SuiteError as error:
        return _unasked(str(error))
    how = Reached(
        rest_ms=took,
        ws_ms=ws_ms,
        fault="",
        is_encrypted=probe.is_encrypted,
        is_loopback=probe.is_loopback,
        special_statuses=special,
    )
    skews = {} if skew is None else {"venue": skew}
    header = await probe.header_skew_ms()
    if header is not None:
        skews["its server"] = header
    if around.is_stand_in:  # its clock may be that of its bars
        skews = {name: one for name, one in skews.items() if abs(one) < _STAND_IN_SKEW_MS}
    now_ms = around.clock.now_ms()
    return [
        on_host.check_clock(skews, required=not around.is_stand_in),
        on_venue.check_agents(seen),
        on_venue.check_expiry(seen, now_ms),
        on_venue.check_symbols(seen, universe),
        on_venue.check_leverage(seen),
        on_venue.check_balances(seen),
        on_venue.check_orders(seen),
        on_venue.check_stops(seen),
        on_venue.check_reached(how),
        on_venue.check_stream(how, seen),
        on_venue.check_budgets(seen),
        on_venue.check_dead_man(seen),
        on_venue.check_status(how),
        on_venue.check_fees(seen),
        _drill(around, universe, seen),
    ]


def _unasked(fault: str) -> list[Line]:
    """Fail what could not be asked."""
    names = {
        10: "agents",
        12: "approval of agents",
        19: "symbols",
        20: "leverage",
        21: "balances",
        26: "orders and positions",
        27: "stops",
        31: "account stream",
        32: "budget of actions",
        40: "risk gate",
    }
    fix = "make the venue answer, then ask again"
    return [skipped(number, name, fault, fix, required=True) for number, name in names.items()]


async def _seen(
    account: LiveAccount,
    probe: VenueProbe,
    universe: Sequence[Instrument],
    sent: Sequence[SentOrder],
) -> Seen:
    asked = await probe.account(account.address, account.master)
    signer_role = await probe.role(account.signer)
    facts, leverages = await probe.facts(account.address, universe)
    return Seen(
        account=account,
        signer_role=signer_role,
        address_role=(asked.role, asked.of),
        expires_ms=asked.agents.get(account.signer),
        leverages=leverages,
        facts=facts,
        requests_used=asked.requests_used,
        requests_cap=asked.requests_cap,
        volume_usd=asked.volume_usd,
        taker_fee=asked.taker_fee,
        maker_fee=asked.maker_fee,
        known_cloids=frozenset(one.leg.cloid for one in sent if one.leg.cloid is not None),
        known_oids=frozenset(one.oid for one in sent if one.oid is not None),
        known_triggers=nameless_triggers(account.trader_id, sent, universe),
    )


def _drill(around: Surroundings, universe: Sequence[Instrument], seen: Sequence[Seen]) -> Line:
    """Try the gate of every trader; the worst line counts."""
    lines = []
    for one in seen:
        mids = {} if one.facts is None else one.facts.mids
        told = gate_refusals(one.account, around.custody.limits, universe, mids)
        fault = "" if told else f"{one.account.trader_id}: no price of its symbols is known"
        lines.append(on_safety.check_gate(told, fault))
    if not lines:
        return on_safety.check_gate({}, "no trader is named")
    return next((line for line in lines if line.status == "FAIL"), lines[0])


async def _market(around: Surroundings) -> Line:
    coins = sorted({coin for account in around.accounts for coin in account.symbols})
    if not around.data_url:
        return on_venue.check_market({}, is_named=False)
    bars, now_ms = CollectorBars(around.data_url), around.clock.now_ms()
    ages: dict[str, int | None] = {}
    try:
        for coin in coins:
            newest = await bars.newest_ms(coin, now_ms - HOUR_MS)
            ages[coin] = None if newest is None else now_ms - newest
    except SuiteError:
        ages = dict.fromkeys(coins)
    finally:
        await bars.close()
    return on_venue.check_market(ages, is_named=True)
