"""Checks of the accounts at the venue, 10 to 35."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hyperliquid_exchange.domain.accounts import LiveAccount
from hyperliquid_exchange.domain.facts import AccountFacts, RestingOrder
from suite.bars import DAY_MS
from suite.checklist import Line, failed, judged, passed, skipped, warned
from suite.instrument import Instrument

EXPIRY_MS: Final = 7 * DAY_MS
RESERVE_REQUESTS: Final = 500
RESERVE_SHARE: Final = 0.2
SLOW_MS: Final = 2000
TAKER_FEE, MAKER_FEE = "0.00045", "0.00015"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the venue says of one trader's account.

    Attributes:
        account: the trader.
        signer_role: `userRole` of the key: its role, and the user that it is an agent of.
        address_role: `userRole` of the account: its role, and the master of a sub-account.
        expires_ms: when the agent's approval ends; None where the venue does not say.
        leverages: chosen at the venue, by coin.
        facts: positions, orders, value; None where no snapshot was pushed.
        requests_used, requests_cap: of the address's budget of actions.
        volume_usd: traded ever, USD.
        taker_fee, maker_fee: that the account pays, fractions as told.
        known_cloids, known_oids: names of orders that the journal has.
        known_triggers: stops and targets that were sent without a name, and whose answer told none:
            asset, whether they buy, `tp` or `sl`, trigger price in the instrument's units.
    """

    account: LiveAccount
    signer_role: tuple[str, str | None]
    address_role: tuple[str, str | None]
    expires_ms: int | None
    leverages: Mapping[str, int]
    facts: AccountFacts | None
    requests_used: int
    requests_cap: int
    volume_usd: float
    taker_fee: str
    maker_fee: str
    known_cloids: frozenset[str]
    known_oids: frozenset[int]
    known_triggers: frozenset[tuple[int, bool, str, int]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How the venue was reached.

    Attributes:
        rest_ms: how long a read took; None where it was not answered, and `fault` why.
        ws_ms: how long a subscription took to bring its snapshot.
        is_encrypted: by TLS.
        is_loopback: the venue is on this machine.
        special_statuses: of `exchangeStatus`; None where all is as ever.
    """

    rest_ms: int | None
    ws_ms: int | None
    fault: str
    is_encrypted: bool
    is_loopback: bool
    special_statuses: str | None


def check_agents(seen: Sequence[Seen]) -> Line:
    """10: each key is an agent of the expected master, and no account's own."""
    faults = []
    for one in seen:
        account, name = one.account, one.account.trader_id
        role, user = one.signer_role
        if account.signer in {account.address, account.master}:
            faults.append(f"{name}: the key is the account's own, it could withdraw")
        elif role != "agent":
            faults.append(f"{name}: {account.signer} is no approved agent but {role}")
        elif user != account.master:
            faults.append(f"{name}: {account.signer} is an agent of {user}, not {account.master}")
        if account.vault is None:
            continue
        role, master = one.address_role
        if role not in {"subAccount", "vault"}:
            faults.append(f"{name}: {account.address} is no sub-account but {role}")
        elif role == "subAccount" and master != account.master:
            faults.append(f"{name}: {account.address} is a sub-account of {master}")
    return judged(
        10,
        "agents",
        faults,
        f"{len(seen)} keys are agents of their masters",
        "approve the agent with the master wallet, or name the right master in the accounts file",
    )


def check_expiry(seen: Sequence[Seen], now_ms: int) -> Line:
    """12: an approval ends at a time that somebody has to know."""
    name, fix = "approval of agents", "approve a new agent with the master wallet; rotate the key"
    faults, told = [], []
    for one in seen:
        trader = one.account.trader_id
        if one.expires_ms is None:
            told.append(f"{trader} without an end that the venue tells")
            continue
        days = (one.expires_ms - now_ms) // DAY_MS
        if one.expires_ms - now_ms <= EXPIRY_MS:
            faults.append(f"{trader}: ends in {max(days, 0)} days")
        else:
            told.append(f"{trader} {days} days")
    return judged(12, name, faults, ", ".join(told), fix)


def check_symbols(seen: Sequence[Seen], universe: Sequence[Instrument]) -> Line:
    """19: what may be traded is there, at a leverage that the venue allows."""
    listed = {instrument.coin: instrument for instrument in universe}
    faults = []
    for one in seen:
        account = one.account
        for coin in account.symbols:
            if coin not in listed:
                faults.append(f"{account.trader_id}: {coin} is not listed")
            elif account.limits.max_leverage > listed[coin].max_leverage:
                faults.append(
                    f"{account.trader_id}: {coin} allows {listed[coin].max_leverage}x at most"
                )
    told = f"{len(listed)} coins are listed"
    fix = "correct symbols or max_leverage in the accounts file"
    unlisted = [fault for fault in faults if "not listed" in fault]
    if unlisted or not faults:
        return judged(19, "symbols", unlisted, told, fix)
    return warned(19, "symbols", "; ".join(faults), fix)


def check_leverage(seen: Sequence[Seen]) -> Line:
    """20: what is chosen at the venue is within the limits here."""
    faults = [
        f"{one.account.trader_id}: {coin} has {leverage}x, above what is allowed here"
        for one in seen
        for coin, leverage in sorted(one.leverages.items())
        if coin in one.account.symbols and leverage > one.account.limits.max_leverage
    ]
    fix = "set a lower leverage: POST /exchange/leverage"
    if faults and not _any_position(seen):
        return warned(20, "leverage", "; ".join(faults), fix)
    return judged(20, "leverage", faults, "at the venue as allowed here", fix)


def _any_position(seen: Sequence[Seen]) -> bool:
    return any(one.facts is not None and one.facts.positions for one in seen)


def check_balances(seen: Sequence[Seen]) -> Line:
    """21: a key can lose all that is in its account, so that is no more than it needs."""
    faults, much = [], []
    for one in seen:
        if one.facts is None:
            continue
        name, value = one.account.trader_id, one.facts.equity_usd
        if value <= 0:
            faults.append(f"{name}: has no money")
        elif value <= one.account.limits.max_day_loss_usd:
            much.append(f"{name}: the whole account may be lost within a day")
        elif value > one.account.limits.max_account_usd:
            much.append(f"{name}: holds more than its limits let it use")
    fix = "transfer with the master wallet, or change the limits"
    if much and not faults:
        return warned(21, "balances", "; ".join(much), fix)
    return judged(21, "balances", faults, "each within what its limits are for", fix)


def check_unknown(open_intents: int) -> Line:
    """25: the fate of everything that was sent is known."""
    faults = [f"{open_intents} actions whose fate is not known"] if open_intents else []
    return judged(
        25,
        "no unknown orders",
        faults,
        "the fate of every action is known",
        "start the service: it resolves them by what the venue says; then ask again",
    )


def check_orders(seen: Sequence[Seen]) -> Line:
    """26 and 28: every order and position at the venue is accounted for."""
    faults = []
    for one in seen:
        if one.facts is None:
            continue
        coins = [instrument.coin for instrument in one.facts.instruments]
        strange = [order for order in one.facts.orders if not _is_known(order, one)]
        if strange:
            faults.append(
                f"{one.account.trader_id}: orders that were not sent from here: "
                + ", ".join(str(order.oid) for order in strange)
            )
        faults += [
            f"{one.account.trader_id}: a position in {coins[asset]}, which it may not trade"
            for asset in one.facts.positions
            if coins[asset] not in one.account.symbols
        ]
    return judged(
        26,
        "orders and positions",
        faults,
        "all are accounted for",
        "cancel or close what is not ours at the venue, or give the trader an account of its own",
    )


def _is_known(order: RestingOrder, one: Seen) -> bool:
    if order.oid in one.known_oids or (order.cloid or "") in one.known_cloids:
        return True
    if order.trigger is None or order.trigger_price is None or order.cloid is not None:
        return False
    what = (order.asset, order.is_buy, order.trigger, int(order.trigger_price))
    return what in one.known_triggers


def check_stops(seen: Sequence[Seen]) -> Line:
    """27: whatever happens to this machine, a position has a stop at the venue."""
    faults = []
    for one in seen:
        if one.facts is None:
            continue
        for asset, size in one.facts.positions.items():
            instrument = one.facts.instruments[asset]
            mid = one.facts.mids.get(asset)
            held = [order for order in one.facts.orders if order.asset == asset]
            stops = [order for order in held if _protects(order, size, mid)]
            covered = sum(order.size or abs(size) for order in stops)
            if covered < abs(size):
                left = instrument.format_size(abs(size) - covered)
                faults.append(f"{one.account.trader_id}: {left} {instrument.coin} without a stop")
    return judged(
        27,
        "stops",
        faults,
        "every position has its stop at the venue",
        "place a reduce-only stop for the whole position, or close it",
    )


def _protects(order: RestingOrder, size: int, mid: int | None) -> bool:
    """Whether an order is a stop of a position, on its losing side."""
    closes = order.is_buy == (size < 0)
    loses = (
        mid is None or order.trigger_price is None or ((order.trigger_price < mid) == (size > 0))
    )
    return order.trigger == "sl" and order.reduce_only and closes and loses


def check_reached(reached: Reached) -> Line:
    """30: REST and WebSocket answer, and nobody in between reads along."""
    name, fix = "venue", "look at the network, and at HYPERLIQUID_EXCHANGE_UPSTREAM_URL"
    if reached.rest_ms is None:
        return failed(30, name, f"REST: {reached.fault}", fix)
    told = f"REST {reached.rest_ms} ms"
    if not reached.is_encrypted and not reached.is_loopback:
        return failed(30, name, f"{told}, not encrypted", "an address that begins with https")
    if reached.rest_ms > SLOW_MS:
        return warned(30, name, f"{told}, which is slow", fix)
    return passed(30, name, told)


def check_stream(reached: Reached, seen: Sequence[Seen]) -> Line:
    """31: the accounts' own stream brings their whole state."""
    faults = [f"{one.account.trader_id}: no snapshot" for one in seen if one.facts is None]
    if reached.ws_ms is None:
        faults.insert(0, f"WebSocket: {reached.fault or 'no snapshot came'}")
    told = f"{len(seen)} snapshots within {reached.ws_ms} ms"
    return judged(31, "account stream", faults, told, "look at the network; start again")


def check_budgets(seen: Sequence[Seen]) -> Line:
    """32: there is room for exits in the budget of actions."""
    faults, told = [], []
    for one in seen:
        left = one.requests_cap - one.requests_used
        if left < max(RESERVE_REQUESTS, RESERVE_SHARE * 10_000):
            faults.append(f"{one.account.trader_id}: {left} of {one.requests_cap} actions left")
        else:
            told.append(f"{one.account.trader_id} {left}")
    return judged(
        32,
        "budget of actions",
        faults,
        "left: " + ", ".join(told),
        "trade volume earns actions, or buy some (reserveRequestWeight) with the master wallet",
    )


def check_dead_man(seen: Sequence[Seen]) -> Line:
    """33: whether the venue would cancel by itself, which also takes the stops away."""
    able = [one.account.trader_id for one in seen if one.volume_usd >= 1_000_000]
    plan = "stops rest at the venue and the watchdog cancels what adds risk"
    if able:
        return passed(33, "scheduleCancel", f"open to {', '.join(able)}; not relied on: {plan}")
    return passed(33, "scheduleCancel", f"refused below 1,000,000 USD traded; not needed: {plan}")


def check_status(reached: Reached) -> Line:
    """34: the venue says nothing out of the ordinary."""
    if reached.special_statuses:
        return warned(34, "venue's status", reached.special_statuses, "wait until it is over")
    return passed(34, "venue's status", "nothing special")


def check_fees(seen: Sequence[Seen]) -> Line:
    """35: the fees of backtests are the fees that are paid."""
    other = [
        f"{one.account.trader_id}: taker {one.taker_fee}, maker {one.maker_fee}"
        for one in seen
        if float(one.taker_fee) > float(TAKER_FEE) or float(one.maker_fee) > float(MAKER_FEE)
    ]
    if other:
        return warned(35, "fees", "; ".join(other), "backtest with these fees")
    return passed(35, "fees", f"no higher than taker {TAKER_FEE}, maker {MAKER_FEE}")


def check_market(ages_ms: Mapping[str, int | None], *, is_named: bool) -> Line:
    """36: the collector has every symbol, up to now.

    Args:
        ages_ms: by coin, how old its newest bar's end is; None where there is none.
        is_named: whether a collector is named at all.
    """
    name, fix = "market data", "start the data-collector for these symbols (DATA_SERVICE_URL)"
    if not is_named:
        return skipped(36, name, "DATA_SERVICE_URL is not set", fix, required=False)
    stale = [
        f"{coin}: " + ("no bars" if age is None else f"{age // 1000} s old")
        for coin, age in sorted(ages_ms.items())
        if age is None or age > 180_000
    ]
    if stale:
        return warned(36, name, "; ".join(stale), fix)
    return passed(36, name, f"{len(ages_ms)} symbols up to date")
