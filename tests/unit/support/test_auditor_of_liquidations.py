"""The auditor follows liquidations, settlements and fee tiers, and finds what is planted there."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.support.audited_orders import AuditReport
from tests.support.audited_runs import (
    BAR_1,
    BAR_2,
    MARKET,
    MINUTE,
    PATH_0,
    PATH_1,
    ROWS,
    TAKEN,
    Log,
    advanced,
    check,
    closed,
    deposit,
    fill,
    make_tape,
    opened,
    planted,
)

from perp_engine.commands import (
    Advance,
    PlaceOrders,
    SetLeverage,
)
from perp_engine.events import (
    Event,
    FeesSet,
    InsuranceMoved,
    LeverageSet,
    Liquidated,
)
from perp_engine.rules import FeeTier, Rules
from perp_engine.tape import CLOSE, LOW, NO_BAR, VOLUME, Tape
from suite.enums import FillCause, MarginMode, Side
from suite.fixed import Price, Rate, Size, Usd

RUINED = Liquidated(
    time_ms=PATH_1,
    account=0,
    symbol=0,
    mode=MarginMode.CROSS,
    mark=Price(982_887),
    equity_usd=Usd(12_285_932),
    maintenance_usd=Usd(12_286_088),
)
# 982,887 less 50 (49.14 rounded up), less 99 (98.28 rounded up).
SOLD = fill(
    BAR_1 + 1, BAR_1 + 1, PATH_1, Side.SELL,
    trade=(1000, 982_738, 982_887, 1000), booked=(-17_413_000, 442_233),
    cause=FillCause.LIQUIDATION,
)  # fmt: skip
SEIZED = fill(
    BAR_2 + 1, BAR_2 + 1, 2 * MINUTE, Side.SELL,
    trade=(1000, 970_000, 970_000, 1000), booked=(-30_151_000, 0),
    cause=FillCause.BACKSTOP,
)  # fmt: skip
INSURED = InsuranceMoved(time_ms=2 * MINUTE, account=0, symbol=0, usd=Usd(601_068))


def ruined_log(*events: Event) -> Log:
    """A long of 33 times its money, opened at the first boundary; nobody pays funding."""
    leverage = SetLeverage(account=0, symbol=0, leverage=40)
    told = LeverageSet(time_ms=0, account=0, symbol=0, leverage=40)
    buy = PlaceOrders(account=0, orders=(MARKET,))
    return [
        deposit(30_000_000),
        (leverage, [told]),
        (buy, [opened(1, 0), TAKEN, closed(1, 0)]),
        (Advance(until_bar=3), [*events, advanced(3)]),
    ]


def ruin_tape() -> Tape:
    """Bar 1 falls to 982,000, bar 2 opens at 970,000; no funding."""
    rows = [list(row) for row in ROWS]
    rows[1][LOW] = 982_000
    rows[2] = [970_000, 971_000, 969_000, 970_000, 10_000]
    tape = make_tape([tuple(row) for row in rows])
    return replace(tape, funding=(np.array([(1 << 50, 0)], np.int64),))


def calm_tape() -> Tape:
    """The same gap after a bar that did no harm."""
    bars = ruin_tape().bars.copy()
    bars[0, [LOW, CLOSE], 1] = 990_000
    return replace(ruin_tape(), bars=bars)


def test_liquidations_without_a_fault_pass() -> None:
    """Sold to the market inside a bar; taken over by the backstop at a gap."""
    sold = check(ruined_log(RUINED, SOLD), ruin_tape(), cash=11_694_699)
    assert AuditReport(faults=[], fills=2, liquidations=1) == sold
    gap = replace(
        RUINED,
        time_ms=2 * MINUTE,
        mark=Price(970_000),
        equity_usd=Usd(-601_068),
        maintenance_usd=Usd(12_125_000),
    )
    seized = check(ruined_log(gap, SEIZED, INSURED), calm_tape(), cash=0)
    assert AuditReport(faults=[], fills=2, liquidations=1) == seized
    cases: tuple[tuple[Any, dict[str, Any], str], ...] = (
        (SEIZED, {"price": 970_001}, "backstop price is 970001"),
        (SEIZED, {"fee_usd": 1}, "fee is 1, must be 0"),
        (SEIZED, {"size": 999}, "size taken over is 999"),
        (INSURED, {"usd": 601_067}, "insured cash is 601067, must be 601068"),
    )
    for event, fields, expected in cases:
        log = planted(ruined_log(gap, SEIZED, INSURED), event, replace(event, **fields))
        faults = check(log, calm_tape()).faults
        assert any(expected in fault for fault in faults), faults
    faults = check(ruined_log(gap, SEIZED), calm_tape()).faults
    assert any("is flat and owes 601068" in fault for fault in faults)


@pytest.mark.parametrize(
    ("event", "fields", "expected"),
    [
        (RUINED, {"mark": 982_888}, "liquidated without need"),
        (RUINED, {"mark": 981_000}, "mark outside 982000 to"),
        (RUINED, {"equity_usd": 12_285_933}, "equity is 12285933, must be 12285932"),
        (RUINED, {"maintenance_usd": 12_286_087}, "maintenance is 12286087, must be 12286088"),
        (RUINED, {"mode": MarginMode.ISOLATED}, "mode is isolated, must be cross"),
        (SOLD, {"price": 982_739}, "a taker's price is 982739, must be 982738"),
        (SOLD, {"reference_price": 982_900}, "reference is 982900, must be 982887"),
        (SOLD, {"size": 200}, "size sold is 200, must be 1000"),
        (SOLD, {"is_taker": False}, "the venue trades as a taker only"),
        (SOLD, {"side": Side.BUY}, "the venue opened a position"),
        (SOLD, {"oid": 1}, "the venue used an order's oid"),
        (SOLD, {"cause": FillCause.BACKSTOP}, "taken over with 12285932 of 12286088"),
        (SOLD, {"order_size_left": 1}, "size left is 1, must be 0"),
    ],
)
def test_changed_liquidation_is_found(event: Event, fields: dict[str, Any], expected: str) -> None:
    """When it was due, at what price, how much."""
    changed: Any = replace(event, **fields)
    log = planted(ruined_log(RUINED, SOLD), event, changed)
    faults = check(log, ruin_tape()).faults
    assert any(expected in fault for fault in faults), faults


def test_large_position_is_sold_by_a_fifth_first() -> None:
    """Above the notional of the rules; the rounded fifth is the larger one."""
    rules = Rules(partial_liquidation_usd=Usd(100_000_000))
    faults = check(ruined_log(RUINED, SOLD), ruin_tape(), rules).faults
    assert any("size sold is 1000, must be 200" in fault for fault in faults), faults


def test_maintenance_of_a_higher_tier_is_continuous() -> None:
    """At 1,000 USD of notional the second tier begins: its rate, less the deduction of 17.5 USD."""
    higher = replace(RUINED, mark=Price(1_002_000), time_ms=PATH_0)
    faults = check(ruined_log(higher, SOLD), ruin_tape()).faults
    assert any("must be 12560000" in fault for fault in faults), faults


def test_coin_is_settled_at_its_last_mark_once_its_data_has_ended() -> None:
    """Without a fee, at the first boundary after its last bar."""
    bars = make_tape().bars.copy()
    bars[0, VOLUME, 1:] = NO_BAR
    tape = replace(ruin_tape(), bars=bars)
    settled = fill(
        BAR_1 + 1, BAR_1 + 1, MINUTE, Side.SELL,
        trade=(1000, 999_500, 999_500, 1000), booked=(-651_000, 0), cause=FillCause.SETTLEMENT,
    )  # fmt: skip
    assert check(ruined_log(settled), tape, cash=30_000_000 - 450_068 - 651_000).faults == []
    for fields, expected in (
        ({"price": Price(999_501)}, "settlement price is 999501"),
        ({"size": Size(10)}, "settled size is 10"),
        ({"fee_usd": Usd(1)}, "fee is 1, must be 0"),
        ({"cause": FillCause.ORDER}, "no trade can happen there and then"),
    ):
        changed = replace(settled, **fields)
        faults = check(ruined_log(changed), tape).faults
        assert any(expected in fault for fault in faults), faults


def test_fees_follow_the_notional_of_the_days_before() -> None:
    """A day's volume counts from the next midnight on; the event that tells so is checked."""
    tiers = (
        FeeTier(volume_usd=Usd(0), taker=Rate(450_000), maker=Rate(150_000)),
        FeeTier(volume_usd=Usd(10**9), taker=Rate(400_000), maker=Rate(100_000)),
    )
    day = 1440 * MINUTE
    tape = replace(ruin_tape(), start_ms=day - 2 * MINUTE)
    start, midnight = tape.start_ms, day
    told = FeesSet(time_ms=midnight, account=0, taker=Rate(400_000), maker=Rate(100_000))
    cheaper = fill(
        BAR_2 + 1, BAR_2 + 1, midnight, Side.SELL,
        trade=(1000, 969_854, 970_000, 1000), booked=(-30_297_000, 387_942),
    )  # fmt: skip
    sell = replace(MARKET, side=Side.SELL)
    log: Log = [
        (
            PlaceOrders(account=0, orders=(MARKET,)),
            [opened(1, start), replace(TAKEN, time_ms=start), closed(1, start)],
        ),
        (Advance(until_bar=2), [told, replace(advanced(2), time_ms=midnight)]),
        (
            PlaceOrders(account=0, orders=(sell,)),
            [opened(BAR_2 + 1, midnight), cheaper, closed(BAR_2 + 1, midnight)],
        ),
    ]
    rules = Rules(fee_tiers=tiers)
    assert check(log, tape, rules).faults == []
    dearer = planted(log, cheaper, replace(cheaper, fee_usd=Usd(436_435)))
    assert any("fee is 436435, must be 387942" in f for f in check(dearer, tape, rules).faults)
    untold = planted(log, told, replace(told, taker=Rate(450_000)))
    assert any("fees is (450000" in fault for fault in check(untold, tape, rules).faults)
