"""How a world's buffer is laid out and grown: the Python side of `kernel.layout`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perp_engine.kernel import layout as at
from perp_engine.rules import BarPath, FillAt, LimitFill, Rules
from perp_engine.tape import Tape
from suite.bars import DAY_MS, HOUR_MS, I64
from suite.checks import check
from suite.fixed import PRODUCT_LIMIT, RATE_ONE, mul_div_floor
from suite.instrument import Instrument

ACCOUNTS_MAX = 1 << 12
_PATHS = {
    BarPath.PESSIMISTIC: at.PESSIMISTIC,
    BarPath.OHLC: at.HIGH_FIRST,
    BarPath.OLHC: at.LOW_FIRST,
    BarPath.RECORDED: at.RECORDED,
}


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many rows the tables have that depend on what happens."""

    orders: int
    events: int
    sent: int


def flat_tape(tape: Tape) -> I64:
    """Bars as the kernel reads them, shape (words,): a view, unless detail follows them."""
    bars = tape.bars.reshape(-1)
    if tape.detail is None:
        return bars
    return np.concatenate([bars, tape.detail.first.reshape(-1), tape.detail.rows.reshape(-1)])


def check_world(instruments: Sequence[Instrument], tape: Tape, accounts: int, rules: Rules) -> None:
    """Refuse what 64 bits cannot carry, or what makes no sense."""
    check(len(instruments) == tape.symbols, "one instrument a symbol")
    check(0 < accounts <= ACCOUNTS_MAX, f"1 to {ACCOUNTS_MAX} accounts")
    check(tape.length > 0, "a tape has bars")
    check(5 * tape.highest_price * at.SIZE_LIMIT < PRODUCT_LIMIT, "prices beyond 64-bit notionals")
    rates = [rules.half_spread, rules.slippage, rules.impact, rules.participation]
    fees = [(tier.taker, tier.maker) for tier in rules.fee_tiers]
    fees.append((rules.taker_fee, rules.maker_fee))
    if not all(0 <= rate <= RATE_ONE for rate in rates):
        raise ValueError("half spread, slippage, impact and participation are from 0 to 1")
    if not all(abs(taker) < RATE_ONE and abs(maker) < RATE_ONE for taker, maker in fees):
        raise ValueError("a fee is below 1")
    if rules.decision_latency_ms < 0:
        raise ValueError("latency is not negative")
    volumes = [tier.volume_usd for tier in rules.fee_tiers]
    if volumes and (volumes[0] != 0 or volumes != sorted(set(volumes))):
        raise ValueError("fee tiers start at 0 and rise")
    for instrument in instruments:
        bounds = [tier.lower_bound_usd for tier in instrument.tiers]
        if not bounds or bounds[0] != 0 or bounds != sorted(set(bounds)):
            raise ValueError(f"{instrument.coin}: margin tiers start at 0 and rise")
        if not all(0 <= tier.maintenance < RATE_ONE for tier in instrument.tiers):
            raise ValueError(f"{instrument.coin}: a maintenance rate is from 0 to below 1")


def new_buffer(
    instruments: tuple[Instrument, ...], tape: Tape, accounts: int, rules: Rules, capacity: Capacity
) -> I64:
    """Lay out an empty world before its first bar.

    Returns:
        Shape (words,), zero but for the header, rules, instruments and funding stamps.
    """
    symbols = len(instruments)
    leaves = 1 << (accounts - 1).bit_length()
    volumes = accounts * at.VOLUME_DAYS if rules.fee_tiers else 0
    widths = (
        (at.AT_ACCOUNT, accounts * at.ACCOUNT_WORDS),
        (at.AT_SYMBOL, symbols * at.SYMBOL_WORDS),
        (at.AT_POSITION, accounts * symbols * at.POSITION_WORDS),
        (at.AT_LOW, symbols * 2 * leaves),
        (at.AT_HIGH, symbols * 2 * leaves),
        (at.AT_PLAY, symbols),
        (at.AT_TIER, sum(len(one.tiers) for one in instruments) * at.TIER_WORDS),
        (at.AT_FEE, len(rules.fee_tiers) * at.FEE_WORDS),
        (at.AT_VOLUME, volumes),
        (at.AT_FUNDING, 2 * sum(len(table) for table in tape.funding)),
        (at.AT_SENT, capacity.sent),
        (at.AT_ORDER, capacity.orders * at.ORDER_WORDS),
        (at.AT_EVENT, capacity.events * at.EVENT_WORDS),
    )
    m = np.zeros(at.HEADER + sum(width for _, width in widths) + at.SCRATCH_WORDS, np.int64)
    start = at.HEADER
    for word, width in widths:
        m[word] = start
        start += width
    m[at.ACCOUNTS], m[at.LEAVES], m[at.SYMBOLS] = accounts, leaves, symbols
    m[at.BARS], m[at.START_MS], m[at.INTERVAL_MS] = tape.length, tape.start_ms, tape.interval_ms
    m[at.ORDERS_MAX], m[at.EVENTS_MAX], m[at.SENT_MAX] = (
        capacity.orders,
        capacity.events,
        capacity.sent,
    )
    if tape.detail is not None:
        m[at.AT_DETAIL] = tape.bars.size
    m[at.NEXT_CANCEL], m[at.SYNCED] = at.HIGHEST, -1
    _write_rules(m, rules, accounts, tape)
    _write_symbols(m, instruments, tape, rules)
    _write_positions(m, instruments, accounts, leaves)
    orders = rows(m, at.AT_ORDER, at.ORDER_WORDS, capacity.orders)
    orders[:-1, at.ORDER_NEXT] = m[at.AT_ORDER] + at.ORDER_WORDS * np.arange(1, capacity.orders)
    m[at.FREE_ORDER] = m[at.AT_ORDER]
    return m


def _write_rules(m: I64, rules: Rules, accounts: int, tape: Tape) -> None:
    m[at.HALF_SPREAD], m[at.SLIPPAGE], m[at.IMPACT] = (
        rules.half_spread,
        rules.slippage,
        rules.impact,
    )
    m[at.PARTICIPATION], m[at.MIN_NOTIONAL] = rules.participation, rules.min_notional_usd
    m[at.THROUGH] = rules.limit_fill is LimitFill.THROUGH
    m[at.AT_CLOSE] = rules.fill_at is FillAt.CLOSE
    m[at.PATH] = _PATHS[rules.bar_path]
    m[at.PARTIAL_USD], m[at.LATENCY] = rules.partial_liquidation_usd, rules.decision_latency_ms
    table = rows(m, at.AT_ACCOUNT, at.ACCOUNT_WORDS, accounts)
    table[:, at.TAKER], table[:, at.MAKER] = rules.taker_fee, rules.maker_fee
    table[:, at.SEQUENCE_BAR] = -1
    m[at.FEE_TIERS], m[at.NEXT_DAY] = len(rules.fee_tiers), at.HIGHEST
    if rules.fee_tiers:
        m[at.NEXT_DAY] = tape.start_ms // DAY_MS * DAY_MS + DAY_MS
        fees = rows(m, at.AT_FEE, at.FEE_WORDS, len(rules.fee_tiers))
        fees[:] = [(tier.volume_usd, tier.taker, tier.maker) for tier in rules.fee_tiers]
        table[:, at.TAKER], table[:, at.MAKER] = fees[0, at.FEE_TAKER], fees[0, at.FEE_MAKER]


def _write_symbols(m: I64, instruments: tuple[Instrument, ...], tape: Tape, rules: Rules) -> None:
    table = rows(m, at.AT_SYMBOL, at.SYMBOL_WORDS, len(instruments))
    stamp, tier = int(m[at.AT_FUNDING]), int(m[at.AT_TIER])
    first_hour = -(-tape.start_ms // HOUR_MS) * HOUR_MS
    for symbol, (row, instrument) in enumerate(zip(table, instruments, strict=True)):
        stamps = tape.funding[symbol]
        row[at.DOLLAR] = 10**instrument.price_decimals
        row[at.MAX_LEVERAGE] = instrument.max_leverage
        row[at.LAST_BAR] = tape.last_bar(symbol)
        row[at.NEXT_STAMP], row[at.LAST_STAMP] = stamp, stamp + stamps.size
        m[stamp : stamp + stamps.size] = stamps.ravel()
        stamp += stamps.size
        row[at.HOURLY_RATE] = rules.funding_rate if len(stamps) == 0 else 0
        row[at.NEXT_HOUR] = first_hour if len(stamps) == 0 else at.HIGHEST
        tiers = tier_table(instrument)
        m[tier : tier + tiers.size] = tiers.ravel()
        row[at.FIRST_TIER] = tier
        tier += tiers.size
        row[at.LAST_TIER] = tier - at.TIER_WORDS
    names = [instrument.coin for instrument in instruments]
    rows(m, at.AT_PLAY, 1, len(names))[:, 0] = sorted(range(len(names)), key=names.__getitem__)


def tier_table(instrument: Instrument) -> I64:
    """Margin tiers with their deductions, shape (tiers, 4)."""
    table: list[tuple[int, int, int, int]] = []
    deduction, rate = 0, 0
    for tier in instrument.tiers:
        if table:
            deduction += mul_div_floor(tier.lower_bound_usd, tier.maintenance - rate, RATE_ONE)
        rate = tier.maintenance
        table.append((tier.lower_bound_usd, rate, deduction, tier.max_leverage))
    return np.array(table, np.int64)


def _write_positions(
    m: I64, instruments: tuple[Instrument, ...], accounts: int, leaves: int
) -> None:
    symbols = len(instruments)
    positions = rows(m, at.AT_POSITION, at.POSITION_WORDS, accounts * symbols)
    leverage = np.array([instrument.max_leverage for instrument in instruments], np.int64)
    positions[:, at.LEVERAGE] = np.repeat(leverage, accounts)
    positions[:, at.BUDGET_BAR] = positions[:, at.LIQUIDATED_BAR] = -1
    rows(m, at.AT_LOW, 1, symbols * 2 * leaves)[:] = at.LOWEST
    rows(m, at.AT_HIGH, 1, symbols * 2 * leaves)[:] = at.HIGHEST


def rows(m: I64, word: int, width: int, count: int) -> I64:
    """Rows of one table as a view, for set-up, reads and tests.

    Args:
        word: header word that says where the table starts.
        width: words of a row.
        count: number of rows.
    """
    start = int(m[word])
    return m[start : start + width * count].reshape(count, width)


def grown(m: I64, more: int, events: int) -> I64:
    """A copy of a world with room for `more` orders and `events` events; rows keep their places.

    The event table, behind the orders, must be empty.
    """
    start = int(m[at.AT_ORDER]) + int(m[at.ORDERS_MAX]) * at.ORDER_WORDS
    end = int(m[at.AT_ORDER]) + more * at.ORDER_WORDS
    wider = np.zeros(end + events * at.EVENT_WORDS + at.SCRATCH_WORDS, np.int64)
    wider[:start] = m[:start]
    fresh = np.arange(start, end, at.ORDER_WORDS)
    if len(fresh):
        wider[fresh + at.ORDER_NEXT] = np.append(fresh[1:], m[at.FREE_ORDER])
        wider[at.FREE_ORDER] = start
    wider[at.ORDERS_MAX], wider[at.AT_EVENT], wider[at.EVENTS_MAX] = more, end, events
    return wider
