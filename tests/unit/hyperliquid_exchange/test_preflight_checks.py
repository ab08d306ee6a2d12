"""Every check of the preflight, green and red."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hyperliquid_exchange.application.preflight import access
from hyperliquid_exchange.application.preflight import host as on_host
from hyperliquid_exchange.application.preflight import safety as on_safety
from hyperliquid_exchange.application.preflight import venue as on_venue
from hyperliquid_exchange.application.preflight.access import DatabaseSeen, TokenFile
from hyperliquid_exchange.application.preflight.host import Host, KeyFile
from hyperliquid_exchange.application.preflight.venue import Reached, Seen
from hyperliquid_exchange.domain.accounts import GlobalLimits, LiveAccount, TraderLimits
from hyperliquid_exchange.domain.facts import AccountFacts, RestingOrder
from hyperliquid_exchange.domain.safety import EVERYBODY, Cause, Level
from suite.bars import DAY_MS
from suite.checklist import Line
from suite.fixed import Price, Rate, Size, Usd
from suite.ids import TraderId
from suite.instrument import default_instrument

NOW_MS = 1_790_000_000_000
USD = 1_000_000
MASTER, SUB, AGENT, OTHER = ("0x" + digit * 40 for digit in "1234")
BTC, ETH = default_instrument("BTC", 1), default_instrument("ETH", 2)

LIMITS = TraderLimits(
    max_order_usd=Usd(1_000 * USD),
    max_position_usd=Usd(5_000 * USD),
    max_account_usd=Usd(10_000 * USD),
    max_leverage=5,
    max_open_orders=20,
    max_orders_per_s=5,
    max_orders_per_minute=60,
    max_day_loss_usd=Usd(100 * USD),
    max_drawdown_usd=Usd(300 * USD),
    max_executions=100,
    price_collar=Rate(50_000_000),
    duplicate_s=5.0,
    facts_age_s=20.0,
)
OVERALL = GlobalLimits(
    max_gross_usd=Usd(20_000 * USD), max_orders_per_s=10, max_day_loss_usd=Usd(500 * USD)
)
ALICE = LiveAccount(
    trader_id=TraderId("alice"),
    address=SUB,
    master=MASTER,
    signer=AGENT,
    native="resign",
    client_signers=(OTHER,),
    symbols=("BTC", "ETH"),
    limits=LIMITS,
)
HOST = Host(
    has_native_curve=True,
    optimized=False,
    disk_free=0.5,
    fsync_ms=(1.0, 2.0),
    open_files_max=65_536,
    uid=10_001,
    has_capabilities=False,
    listens=True,
    trusted_network=False,
    leaks=(),
)
KEY = KeyFile(path="keys/alice.key", mode=0o400, is_own=True, signer=AGENT)
STOP = RestingOrder(
    oid=7,
    cloid="0x" + "c" * 32,
    asset=1,
    is_buy=False,
    price=Price(100_000),
    size=Size(10_000),
    reduce_only=True,
    trigger="sl",
    trigger_price=Price(190_000),
)
FACTS = AccountFacts(
    equity_usd=Usd(1_000 * USD),
    positions={1: Size(10_000)},
    orders=(STOP,),
    mids={1: Price(200_000)},
    instruments=(BTC, ETH),
    age_s=0.5,
    trouble=(),
    executions=0,
    net_deposits_usd=Usd(0),
    state_age_s=0.5,
)
SEEN = Seen(
    account=ALICE,
    signer_role=("agent", MASTER),
    address_role=("subAccount", MASTER),
    expires_ms=NOW_MS + 30 * DAY_MS,
    leverages={"ETH": 5},
    facts=FACTS,
    requests_used=100,
    requests_cap=10_000,
    volume_usd=1_000.0,
    taker_fee="0.00045",
    maker_fee="0.00015",
    known_cloids=frozenset({"0x" + "c" * 32}),
    known_oids=frozenset(),
)
REACHED = Reached(
    rest_ms=80,
    ws_ms=200,
    fault="",
    is_encrypted=True,
    is_loopback=False,
    special_statuses=None,
)
CAUSE = Cause(scope=EVERYBODY, level=Level.KILLED, by="operator", reason="drill", since_ms=NOW_MS)
REFUSED: dict[str, str | None] = dict.fromkeys(on_safety.MUST_REFUSE, "no")


def h(**more: Any) -> Host:
    return replace(HOST, **more)


def k(**more: Any) -> list[KeyFile]:
    return [replace(KEY, **more)]


def s(**more: Any) -> list[Seen]:
    return [replace(SEEN, **more)]


def account(**more: Any) -> list[Seen]:
    return s(account=replace(ALICE, **more))


def facts(**more: Any) -> list[Seen]:
    return s(facts=replace(FACTS, **more))


TRIGGERS = frozenset({(1, False, "sl", 190_000)})


def nameless(**more: Any) -> list[Seen]:
    """A stop that a client has sent without an id of its own."""
    stop = replace(STOP, cloid=None)
    return s(facts=replace(FACTS, orders=(stop,)), known_cloids=frozenset(), **more)


def r(**more: Any) -> Reached:
    return replace(REACHED, **more)


def limits(**more: Any) -> list[LiveAccount]:
    return [replace(ALICE, limits=replace(LIMITS, **more))]


def t(name: str = "alice", **more: Any) -> TokenFile:
    usual = TokenFile(name=name, mode=0o400, is_secret=True, digest=name, days_left=365)
    return replace(usual, **more)


def d(**more: Any) -> DatabaseSeen:
    usual = DatabaseSeen(version="15.4", waits_for_disk=True, is_superuser=False, took_ms=2)
    return replace(usual, **more)


NAMES = frozenset({"alice", "operator"})
CASES: list[tuple[int, Callable[[], Line], str]] = [
    (1, lambda: access.check_build("a", None, serves=False), "SKIP"),
    (1, lambda: access.check_build("a", None, serves=True), "WARN"),
    (1, lambda: access.check_build("a", "b", serves=True), "FAIL"),
    (1, lambda: access.check_build("a", "a", serves=True), "PASS"),
    (13, lambda: access.check_tokens([], NAMES), "SKIP"),
    (13, lambda: access.check_tokens([t(), t("operator")], NAMES), "PASS"),
    (13, lambda: access.check_tokens([t(mode=0o440)], NAMES), "FAIL"),
    (13, lambda: access.check_tokens([t(is_secret=False)], NAMES), "FAIL"),
    (13, lambda: access.check_tokens([t(), t("operator", digest="alice")], NAMES), "FAIL"),
    (13, lambda: access.check_tokens([t("bob")], NAMES), "WARN"),
    (13, lambda: access.check_tokens([t(), t("operator", days_left=6)], NAMES), "WARN"),
    (13, lambda: access.check_tokens([t(mode=0o440, days_left=6)], NAMES), "FAIL"),
    (15, lambda: access.check_doors(None, serves=False), "SKIP"),
    (15, lambda: access.check_doors(None, serves=True), "SKIP"),
    (15, lambda: access.check_doors({"GET /clock": 401}, serves=True), "PASS"),
    (15, lambda: access.check_doors({"GET /clock": 200}, serves=True), "FAIL"),
    (15, lambda: access.check_doors({}, serves=True), "FAIL"),
    (23, lambda: access.check_database(None, "", is_named=False), "SKIP"),
    (23, lambda: access.check_database(None, "", is_named=True), "SKIP"),
    (23, lambda: access.check_database(None, "cannot be used", is_named=True), "FAIL"),
    (23, lambda: access.check_database(d(), "", is_named=True), "PASS"),
    (23, lambda: access.check_database(d(waits_for_disk=False), "", is_named=True), "FAIL"),
    (23, lambda: access.check_database(d(is_superuser=True), "", is_named=True), "WARN"),
    (48, lambda: access.check_mandate([ALICE], OVERALL), "PASS"),
    (2, lambda: on_host.check_curve(HOST), "PASS"),
    (2, lambda: on_host.check_curve(h(has_native_curve=False)), "FAIL"),
    (3, lambda: on_host.check_assertions(HOST), "PASS"),
    (3, lambda: on_host.check_assertions(h(optimized=True)), "FAIL"),
    (4, lambda: on_host.check_clock({"venue": 10, "ntp": -249}, required=True), "PASS"),
    (4, lambda: on_host.check_clock({"venue": 10}, required=True), "WARN"),
    (4, lambda: on_host.check_clock({"venue": 10, "ntp": -250}, required=True), "WARN"),
    (4, lambda: on_host.check_clock({"venue": 10, "ntp": -1000}, required=True), "FAIL"),
    (4, lambda: on_host.check_clock({}, required=True), "FAIL"),
    (4, lambda: on_host.check_clock({}, required=False), "SKIP"),
    (5, lambda: on_host.check_disk(HOST), "PASS"),
    (5, lambda: on_host.check_disk(h(disk_free=0.19)), "WARN"),
    (5, lambda: on_host.check_disk(h(fsync_ms=(1.0, 20.0))), "WARN"),
    (5, lambda: on_host.check_disk(h(disk_free=0.04)), "FAIL"),
    (5, lambda: on_host.check_disk(h(fsync_ms=(1.0, 250.0))), "FAIL"),
    (6, lambda: on_host.check_files(HOST), "PASS"),
    (6, lambda: on_host.check_files(h(open_files_max=1024)), "WARN"),
    (7, lambda: on_host.check_owner(HOST), "PASS"),
    (7, lambda: on_host.check_owner(h(service="process 7 on here")), "PASS"),
    (7, lambda: on_host.check_owner(h(other_owner="process 7 has it")), "FAIL"),
    (8, lambda: on_host.check_privileges(HOST), "PASS"),
    (8, lambda: on_host.check_privileges(h(uid=0)), "WARN"),
    (8, lambda: on_host.check_privileges(h(has_capabilities=True)), "WARN"),
    (9, lambda: on_host.check_key_files(k()), "PASS"),
    (9, lambda: on_host.check_key_files(k(mode=None)), "FAIL"),
    (9, lambda: on_host.check_key_files(k(mode=0o440)), "FAIL"),
    (9, lambda: on_host.check_key_files(k(mode=0o600)), "WARN"),
    (9, lambda: on_host.check_key_files(k(mode=0o644)), "FAIL"),
    (9, lambda: on_host.check_key_files(k(is_own=False)), "FAIL"),
    (9, lambda: on_host.check_key_files(k(signer=None)), "FAIL"),
    (10, lambda: on_venue.check_agents(s()), "PASS"),
    (10, lambda: on_venue.check_agents(s(signer_role=("missing", None))), "FAIL"),
    (10, lambda: on_venue.check_agents(s(signer_role=("agent", OTHER))), "FAIL"),
    (10, lambda: on_venue.check_agents(s(address_role=("subAccount", OTHER))), "FAIL"),
    (10, lambda: on_venue.check_agents(s(address_role=("user", None))), "FAIL"),
    (10, lambda: on_venue.check_agents(account(signer=MASTER)), "FAIL"),
    (10, lambda: on_venue.check_agents(account(signer=SUB)), "FAIL"),
    (11, lambda: on_host.check_leaks(HOST), "PASS"),
    (11, lambda: on_host.check_leaks(h(leaks=("environment X",))), "FAIL"),
    (12, lambda: on_venue.check_expiry(s(), NOW_MS), "PASS"),
    (12, lambda: on_venue.check_expiry(s(expires_ms=None), NOW_MS), "PASS"),
    (12, lambda: on_venue.check_expiry(s(expires_ms=NOW_MS + 7 * DAY_MS), NOW_MS), "FAIL"),
    (12, lambda: on_venue.check_expiry(s(expires_ms=NOW_MS - 1), NOW_MS), "FAIL"),
    (14, lambda: on_host.check_listener(HOST), "PASS"),
    (14, lambda: on_host.check_listener(h(listens=False, trusted_network=True)), "WARN"),
    (14, lambda: on_host.check_listener(h(listens=False)), "FAIL"),
    (16, lambda: on_host.check_redaction('{"a": "[redacted]"}', "act_x"), "PASS"),
    (16, lambda: on_host.check_redaction('{"a": "act_x"}', "act_x"), "FAIL"),
    (17, lambda: on_host.check_limits([ALICE], OVERALL), "PASS"),
    (17, lambda: on_host.check_limits([], OVERALL), "FAIL"),
    (17, lambda: on_host.check_limits(limits(max_order_usd=Usd(6_000 * USD)), OVERALL), "FAIL"),
    (17, lambda: on_host.check_limits(limits(max_account_usd=Usd(1_000 * USD)), OVERALL), "FAIL"),
    (17, lambda: on_host.check_limits(limits(max_account_usd=Usd(30_000 * USD)), OVERALL), "FAIL"),
    (17, lambda: on_host.check_limits(limits(max_executions=0), OVERALL), "FAIL"),
    (18, lambda: on_host.check_network({"setting": "testnet", "accounts": "testnet"}), "PASS"),
    (18, lambda: on_host.check_network({"setting": "mainnet", "accounts": "testnet"}), "FAIL"),
    (19, lambda: on_venue.check_symbols(s(), (BTC, ETH)), "PASS"),
    (19, lambda: on_venue.check_symbols(s(), (BTC,)), "FAIL"),
    (
        19,
        lambda: on_venue.check_symbols(
            account(limits=replace(LIMITS, max_leverage=30)), (BTC, ETH)
        ),
        "WARN",
    ),
    (20, lambda: on_venue.check_leverage(s()), "PASS"),
    (20, lambda: on_venue.check_leverage(s(leverages={"ETH": 6})), "FAIL"),
    (
        20,
        lambda: on_venue.check_leverage(
            s(leverages={"ETH": 6}, facts=replace(FACTS, positions={}))
        ),
        "WARN",
    ),
    (20, lambda: on_venue.check_leverage(s(leverages={"SOL": 20})), "PASS"),
    (21, lambda: on_venue.check_balances(facts()), "PASS"),
    (21, lambda: on_venue.check_balances(facts(equity_usd=Usd(0))), "FAIL"),
    (21, lambda: on_venue.check_balances(facts(equity_usd=Usd(99 * USD))), "WARN"),
    (21, lambda: on_venue.check_balances(facts(equity_usd=Usd(11_000 * USD))), "WARN"),
    (24, lambda: on_safety.check_journal(12, ""), "PASS"),
    (24, lambda: on_safety.check_journal(None, "record 7 is broken"), "FAIL"),
    (25, lambda: on_venue.check_unknown(0), "PASS"),
    (25, lambda: on_venue.check_unknown(1), "FAIL"),
    (26, lambda: on_venue.check_orders(s()), "PASS"),
    (26, lambda: on_venue.check_orders(s(known_cloids=frozenset())), "FAIL"),
    (
        26,
        lambda: on_venue.check_orders(s(known_cloids=frozenset(), known_oids=frozenset({7}))),
        "PASS",
    ),
    (26, lambda: on_venue.check_orders(account(symbols=("BTC",))), "FAIL"),
    (26, lambda: on_venue.check_orders(nameless()), "FAIL"),
    (26, lambda: on_venue.check_orders(nameless(known_triggers=TRIGGERS)), "PASS"),
    (27, lambda: on_venue.check_stops(s()), "PASS"),
    (27, lambda: on_venue.check_stops(facts(orders=())), "FAIL"),
    (27, lambda: on_venue.check_stops(facts(orders=(replace(STOP, size=Size(9_999)),))), "FAIL"),
    (27, lambda: on_venue.check_stops(facts(orders=(replace(STOP, size=Size(0)),))), "PASS"),
    (27, lambda: on_venue.check_stops(facts(orders=(replace(STOP, is_buy=True),))), "FAIL"),
    (27, lambda: on_venue.check_stops(facts(orders=(replace(STOP, reduce_only=False),))), "FAIL"),
    (27, lambda: on_venue.check_stops(facts(orders=(replace(STOP, trigger="tp"),))), "FAIL"),
    (27, lambda: on_venue.check_stops(facts(orders=(replace(STOP, asset=0),))), "FAIL"),
    (
        27,
        lambda: on_venue.check_stops(facts(orders=(replace(STOP, trigger_price=Price(210_000)),))),
        "FAIL",
    ),
    (30, lambda: on_venue.check_reached(r()), "PASS"),
    (30, lambda: on_venue.check_reached(r(rest_ms=None, fault="refused")), "FAIL"),
    (30, lambda: on_venue.check_reached(r(is_encrypted=False)), "FAIL"),
    (30, lambda: on_venue.check_reached(r(is_encrypted=False, is_loopback=True)), "PASS"),
    (30, lambda: on_venue.check_reached(r(rest_ms=2001)), "WARN"),
    (31, lambda: on_venue.check_stream(r(), s()), "PASS"),
    (31, lambda: on_venue.check_stream(r(ws_ms=None), s()), "FAIL"),
    (31, lambda: on_venue.check_stream(r(), s(facts=None)), "FAIL"),
    (32, lambda: on_venue.check_budgets(s()), "PASS"),
    (32, lambda: on_venue.check_budgets(s(requests_used=8_001)), "FAIL"),
    (33, lambda: on_venue.check_dead_man(s()), "PASS"),
    (33, lambda: on_venue.check_dead_man(s(volume_usd=2e6)), "PASS"),
    (34, lambda: on_venue.check_status(r()), "PASS"),
    (34, lambda: on_venue.check_status(r(special_statuses="post only")), "WARN"),
    (35, lambda: on_venue.check_fees(s()), "PASS"),
    (35, lambda: on_venue.check_fees(s(taker_fee="0.0005")), "WARN"),
    (36, lambda: on_venue.check_market({"ETH": 60_000}, is_named=True), "PASS"),
    (36, lambda: on_venue.check_market({"ETH": None}, is_named=True), "WARN"),
    (36, lambda: on_venue.check_market({"ETH": 200_000}, is_named=True), "WARN"),
    (36, lambda: on_venue.check_market({}, is_named=False), "SKIP"),
    (37, lambda: on_safety.check_latch([]), "PASS"),
    (37, lambda: on_safety.check_latch([CAUSE]), "FAIL"),
    (37, lambda: on_safety.check_latch([replace(CAUSE, scope="alice")]), "FAIL"),
    (37, lambda: on_safety.check_latch([replace(CAUSE, by="preflight")]), "PASS"),
    (38, lambda: on_safety.check_watchdog(900, other_key=True), "PASS"),
    (38, lambda: on_safety.check_watchdog(None, other_key=None), "FAIL"),
    (38, lambda: on_safety.check_watchdog(10_000, other_key=True), "FAIL"),
    (38, lambda: on_safety.check_watchdog(900, other_key=False), "FAIL"),
    (39, lambda: on_safety.check_alerts(1), "PASS"),
    (39, lambda: on_safety.check_alerts(1, None), "PASS"),
    (39, lambda: on_safety.check_alerts(1, "the webhook answered 404"), "FAIL"),
    (39, lambda: on_safety.check_alerts(0), "SKIP"),
    (40, lambda: on_safety.check_gate(REFUSED | {"good": None}), "PASS"),
    (40, lambda: on_safety.check_gate(REFUSED | {"oversize": None}), "FAIL"),
    (40, lambda: on_safety.check_gate(REFUSED | {"good": "size: no"}), "FAIL"),
    (40, lambda: on_safety.check_gate({}, fault="no facts"), "FAIL"),
    (41, lambda: on_safety.check_actions({"withdraw3": True, "usdSend": True}), "PASS"),
    (41, lambda: on_safety.check_actions({"withdraw3": False, "usdSend": True}), "FAIL"),
    (41, lambda: on_safety.check_actions({}), "FAIL"),
]


@pytest.mark.parametrize(
    ("number", "check", "status"),
    [pytest.param(*case, id=f"{case[0]}-{case[2]}-{place}") for place, case in enumerate(CASES)],
)
def test_check_says_what_it_found(number: int, check: Callable[[], Line], status: str) -> None:
    """Its number, a reason in one line, and what to do where it is not green."""
    line = check()
    assert (number, status) == (line.number, line.status), line
    assert line.reason
    assert "\n" not in line.reason
    assert bool(line.fix) or status in {"PASS", "SKIP"}
    assert not line.fix or status != "PASS"


def test_every_check_is_shown_green_and_red() -> None:
    """None is left out of the table."""
    modules = (on_host, on_venue, on_safety, access)
    checks = {name for module in modules for name in vars(module) if name.startswith("check_")}
    tried = {number: set() for number, _, _ in CASES}  # type: dict[int, set[str]]
    for number, _, status in CASES:
        tried[number].add(status)
    assert len(checks) == len(tried)
    told = {33, 48}  # they only tell
    for number, statuses in tried.items():
        assert "PASS" in statuses
        assert number in told or statuses - {"PASS"}
