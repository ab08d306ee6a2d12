"""Each limit one unit below, at, and one unit above it; and that what only reduces passes."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.unit.strategy_core.fake_venue import INSTRUMENTS, spec_of
from tests.unit.strategy_core.risk.test_gate import order, resting, see

from strategy_core.port import Observation
from strategy_core.registry import limits_of, problems
from strategy_core.risk.gate import RiskGate
from strategy_core.risk.limits import RiskLimits
from strategy_core.risk.memory import RiskMemory
from suite.contracts.hyperliquid_info import FillLiquidation, UserFill
from suite.contracts.venue import Action, LimitType, OrderType, PlaceOrder, SetLeverage
from suite.enums import Tif, TraderStatus

NOW_MS = 1_746_403_200_000
"""A UTC midnight."""
EQUITY = Decimal(1000)
UNIT = Decimal("0.00001")
ONE_CENT = Decimal("0.01")


def fill(**changes: Any) -> UserFill:
    """A losing close of 1 BTC, its trade flat afterwards."""
    whole = UserFill(
        coin="BTC", px="100", sz="1", side="A", time=NOW_MS, startPosition="1", dir="Close Long",
        closedPnl="-5", hash="", oid=1, crossed=True, fee="0.1", tid=1,
    )  # fmt: skip
    return msgspec.structs.replace(whole, **changes)


def told(tid: int) -> UserFill:
    return fill(tid=tid)


OPENING = fill(side="B", startPosition="0", closedPnl="0", fee="0")


@dataclass
class Trial:
    """A gate, and what a rule is tried with."""

    limits: RiskLimits
    memory: RiskMemory

    def gate(self) -> RiskGate:
        return RiskGate(
            self.limits, symbols=("BTC", "ETH"), instruments=INSTRUMENTS, memory=self.memory
        )

    def verdicts(self, seen: Observation, *actions: Action) -> list[str]:
        return [v.rule or "passes" for v in self.gate().judge(actions, seen).verdicts]

    def begin(self, seen: Observation, *, equity: Decimal = EQUITY, at_ms: int = NOW_MS) -> None:
        self.gate().begin(replace(seen, equity=equity, now_ms=at_ms))


def now(seen: Observation, at_ms: int = NOW_MS) -> Observation:
    return replace(seen, now_ms=at_ms)


def ioc(size: Decimal | str, price: str, *, reduce: bool = False) -> PlaceOrder:
    made = order(str(size), px=price, reduce=reduce)
    return msgspec.structs.replace(made, order_type=OrderType(limit=LimitType(tif=Tif.IOC)))


def exposure(trial: Trial, step: int) -> list[str]:
    """1500 USD of BTC at 100: 15, more or less one lot."""
    return trial.verdicts(see(), order(str(15 + step * UNIT)))


def leverage(trial: Trial, step: int) -> list[str]:
    """2000 USD in all, of which 1000 are ETH."""
    return trial.verdicts(see({"ETH": "100"}), order(str(10 + step * UNIT)))


def set_leverage(trial: Trial, step: int) -> list[str]:
    return trial.verdicts(see(), SetLeverage(coin="BTC", leverage=2 + step))


def order_notional(trial: Trial, step: int) -> list[str]:
    """1000 USD an order."""
    trial.limits = msgspec.structs.replace(trial.limits, max_order_notional=1.0)
    return trial.verdicts(see(), order(str(10 + step * UNIT)))


def margin(trial: Trial, step: int) -> list[str]:
    """100 USD are free; at leverage 40 a unit of 100 USD takes 2.5 and a fee of 0.05."""
    seen = replace(see(), available=Decimal("2.55"))
    return trial.verdicts(seen, order(str(1 + step * UNIT)))


def actions(trial: Trial, step: int) -> list[str]:
    """5 actions."""
    return trial.verdicts(see(), *[order(f"1.{n}") for n in range(5 + step)])[-1:]


def open_orders(trial: Trial, step: int) -> list[str]:
    """10 at rest, and one more."""
    orders = tuple(resting("0.1", oid=n) for n in range(9 + step))
    return trial.verdicts(see(orders=orders), order("1", px="99"))


def rate(trial: Trial, step: int) -> list[str]:
    """10 within 60 s, this one counted."""
    trial.memory.order_times = [NOW_MS - 59_999] * (9 + step)
    return trial.verdicts(now(see()), order("1"))


def executions(trial: Trial, step: int) -> list[str]:
    """The 20th fill is the last."""
    trial.memory.executions = 19 + step
    trial.begin(replace(see(), fills=(OPENING,)))
    return trial.verdicts(now(see()), order("1"))


def day_loss(trial: Trial, step: int) -> list[str]:
    """30 of 1000 USD, lost by the next bar."""
    trial.begin(see())
    trial.begin(see(), equity=EQUITY - 30 - step * ONE_CENT, at_ms=NOW_MS + 1)
    return trial.verdicts(now(see(), NOW_MS + 1), order("1"))


def drawdown_pause(trial: Trial, step: int) -> list[str]:
    """100 of 1000 USD, some days later."""
    trial.begin(see())
    later = NOW_MS + 5 * 86_400_000
    trial.begin(see(), equity=EQUITY - 100 - step * ONE_CENT, at_ms=later)
    return trial.verdicts(now(see(), later), order("1"))


def drawdown_stop(trial: Trial, step: int) -> list[str]:
    """200 of 1000 USD: from there on STOPPED, before that PAUSED only."""
    trial.begin(see())
    later = NOW_MS + 5 * 86_400_000
    trial.begin(see(), equity=EQUITY - 200 - step * ONE_CENT, at_ms=later)
    stopped = trial.gate().status is TraderStatus.STOPPED
    return ["stopped" if stopped else "passes"]


def collar(trial: Trial, step: int) -> list[str]:
    """2 % above a mid of 1000; the tick there is 0.1."""
    seen = see(mids={"BTC": "1000"})
    return trial.verdicts(seen, ioc("0.1", str(1020 + step * Decimal("0.1"))))


def exit_collar(trial: Trial, step: int) -> list[str]:
    """5 % below a mid of 1000."""
    seen = see({"BTC": "1"}, mids={"BTC": "1000"})
    return trial.verdicts(seen, ioc("-1", str(950 - step * Decimal("0.1")), reduce=True))


def duplicate(trial: Trial, step: int) -> list[str]:
    """The same again after 2 s, a millisecond less or more; then it is no repetition."""
    trial.verdicts(now(see()), order("1"))
    return trial.verdicts(now(see(), NOW_MS + 2000 - step), order("1"))


def loss_streak(trial: Trial, step: int) -> list[str]:
    """Three losses in a row."""
    trial.begin(replace(see(), fills=tuple(map(told, range(3 + step)))))
    return trial.verdicts(now(see(), NOW_MS + 1), order("1"))


def loss_cool_down(trial: Trial, step: int) -> list[str]:
    """60 minutes after the last of them."""
    trial.begin(replace(see(), fills=tuple(map(told, range(3)))))
    return trial.verdicts(now(see(), NOW_MS + 3_600_000 - step), order("1"))


def liquidation_cool_down(trial: Trial, step: int) -> list[str]:
    """60 minutes after a liquidation."""
    liquidated = fill(liquidation=FillLiquidation(liquidatedUser="", markPx="1", method="market"))
    trial.begin(replace(see(), fills=(liquidated,)))
    return trial.verdicts(now(see(), NOW_MS + 3_600_000 - step), order("1"))


def market_age(trial: Trial, step: int) -> list[str]:
    """60 s, one millisecond more or less."""
    return _aged(trial, market_age_ms=60_000 + step)


def account_age(trial: Trial, step: int) -> list[str]:
    """20 s."""
    return _aged(trial, account_age_ms=20_000 + step)


def two_bars(trial: Trial, step: int) -> list[str]:
    """Two bars of 5 s."""
    return _aged(trial, market_age_ms=10_000 + step, interval_ms=5_000)


def _aged(
    trial: Trial, *, market_age_ms: int = 0, account_age_ms: int = 0, interval_ms: int = 900_000
) -> list[str]:
    trouble = trial.limits.staleness(
        interval_ms=interval_ms, market_age_ms=market_age_ms, account_age_ms=account_age_ms
    )
    trial.gate().begin(now(see()), trouble=trouble)
    return trial.verdicts(now(see()), order("1"))


COIN, PASS = "max_coin_exposure", "passes"
TRIALS: list[tuple[Callable[[Trial, int], list[str]], tuple[str, str, str]]] = [
    # verdict one unit below the limit, at it, one unit above it
    (exposure, (PASS, PASS, COIN)),
    (leverage, (PASS, PASS, "max_leverage")),
    (set_leverage, (PASS, PASS, "max_leverage")),
    (order_notional, (PASS, PASS, "max_order_notional")),
    (margin, (PASS, PASS, "margin")),
    (actions, (PASS, PASS, "too_many_actions")),
    (open_orders, (PASS, PASS, "max_open_orders")),
    (rate, (PASS, PASS, "max_orders_per_minute")),
    (executions, (PASS, "paused", "paused")),
    (day_loss, (PASS, "paused", "paused")),
    (drawdown_pause, (PASS, "paused", "paused")),
    (drawdown_stop, (PASS, "stopped", "stopped")),
    (collar, (PASS, PASS, "collar")),
    (exit_collar, (PASS, PASS, "collar")),
    (duplicate, (PASS, PASS, "duplicate")),
    (loss_streak, (PASS, "cool_down", "cool_down")),
    (loss_cool_down, (PASS, PASS, "cool_down")),
    (liquidation_cool_down, (PASS, PASS, "cool_down")),
    (market_age, (PASS, PASS, "paused")),
    (account_age, (PASS, PASS, "paused")),
    (two_bars, (PASS, PASS, "paused")),
]


def trial() -> Trial:
    limits = RiskLimits(
        max_leverage=2.0, max_coin_exposure=1.5, max_order_notional=20.0, max_actions=5,
        max_open_orders=10, max_orders_per_minute=10, max_executions=20, loss_streak=3,
    )  # fmt: skip
    return Trial(limits, RiskMemory())


@pytest.mark.parametrize(("rule", "expected"), TRIALS)
def test_a_limit_trips_at_its_own_number(
    rule: Callable[[Trial, int], list[str]], expected: tuple[str, str, str]
) -> None:
    """One unit below passes; at the limit and above as the table says."""
    found = tuple(rule(trial(), step)[-1] for step in (-1, 0, 1))
    print(f"| {rule.__name__} | {' | '.join(found)} |")
    assert expected == found


@pytest.mark.parametrize("rule", [rule for rule, _ in TRIALS])
@pytest.mark.parametrize("long", [True, False])
def test_what_only_reduces_passes_whatever_limit_has_tripped(
    rule: Callable[[Trial, int], list[str]], long: bool
) -> None:
    """After the trip, with every throttle used up and a thousand other orders before it."""
    tried = trial()
    rule(tried, 1)
    tried.memory.order_times = [NOW_MS] * 1200
    size = "80" if long else "-80"
    close = order("-80" if long else "80", reduce=True)
    adding = [order("1" if long else "-1")] * 1000
    seen = now(see({"BTC": size}), NOW_MS + 1)
    assert ["passes"] == tried.verdicts(seen, close)
    assert ["passes"] == tried.verdicts(seen, *adding, close)[-1:]


@pytest.mark.parametrize("blocked", ["paused", "stopped", "cool_down", "too_many_actions"])
def test_the_closing_part_of_any_order_passes_as_reduce_only(blocked: str) -> None:
    """A flip becomes a close, without the legs of the entry that it is no more."""
    tried = trial()
    if blocked == "paused":
        tried.gate().begin(now(see()), trouble=("stale_market",))
    elif blocked == "stopped":
        tried.memory.state.stopped = True
    elif blocked == "cool_down":
        tried.memory.cool_downs["BTC"] = NOW_MS + 1
    before = [order(f"0.2{n}", "ETH") for n in range(5 if blocked == "too_many_actions" else 0)]
    flip = order("-9")
    done = tried.gate().judge([*before, flip], now(see({"BTC": "4"})))
    assert f"clamped(9 -> 4): {blocked}" == str(done.verdicts[-1])
    sent = done.actions[-1]
    assert isinstance(sent, PlaceOrder)
    assert (Decimal(4), True, False) == (sent.sz, sent.reduce_only, sent.is_buy)


# ---- the file -----------------------------------------------------------------------------------


def test_no_limit_has_an_off_value() -> None:
    """None, infinity, zero and anything beyond the bound are refused for every number."""
    for field in msgspec.structs.fields(RiskLimits):
        if field.name == "at_day_loss":
            continue
        for value in (None, float("inf"), 1e12, 0, -1, False):
            found = problems(spec_of("flat", risk={field.name: value}))
            assert len(found) == 1, (field.name, value, found)
            assert found[0].startswith(f"risk.{field.name}: ")


def test_limits_that_contradict_each_other_are_told() -> None:
    """A pause that would come after the stop."""
    risk = {"drawdown_pause": 0.2, "drawdown_stop": 0.1}
    assert ["risk: drawdown_pause (0.2) must be below drawdown_stop (0.1)"] == problems(
        spec_of("flat", risk=risk)
    )


def test_a_yardstick_has_wider_limits_which_its_trader_may_narrow() -> None:
    """A market that falls by 30 % does not stop `hodl`, unless its owner says so."""
    assert ("hold", 0.95) == (
        limits_of(spec_of("hodl")).at_day_loss, limits_of(spec_of("hodl")).drawdown_stop
    )  # fmt: skip
    narrowed = limits_of(spec_of("hodl", risk={"drawdown_pause": 0.1, "drawdown_stop": 0.3}))
    assert (0.3, "hold") == (narrowed.drawdown_stop, narrowed.at_day_loss)
    assert RiskLimits() == limits_of(spec_of("random"))


# ---- several coins ------------------------------------------------------------------------------


@pytest.mark.parametrize("coins", [1, 2, 13, 50, 200])
def test_limits_on_numbers_grow_with_the_coins_and_what_is_set_wins(coins: int) -> None:
    """A maker of 10 levels on both sides of each coin is never cut off; the bounds hold."""
    symbols = tuple(f"C{n}" for n in range(coins))
    limits = limits_of(spec_of("fixed_spread", symbols=symbols))
    bounded = min(coins, 50)
    assert 20 * bounded <= limits.max_actions <= 1000
    assert min(1000, 30 * coins) <= limits.max_open_orders <= 1000
    assert min(1200, 60 * coins) <= limits.max_orders_per_minute <= 1200
    narrow = limits_of(spec_of("fixed_spread", symbols=symbols, risk={"max_actions": 3}))
    assert (3, limits.max_open_orders) == (narrow.max_actions, narrow.max_open_orders)


def test_a_maker_of_ten_levels_on_thirteen_coins_places_all_its_quotes() -> None:
    symbols = tuple(f"C{n}" for n in range(13))
    spec = spec_of("fixed_spread", symbols=symbols)
    lattice = {coin: dataclasses.replace(INSTRUMENTS["BTC"], coin=coin) for coin in symbols}
    gate = RiskGate(limits_of(spec), symbols=symbols, instruments=lattice, memory=RiskMemory())
    seen = see(mids=dict.fromkeys(symbols, "100.0"))
    quotes = [
        order(f"{sign}0.11", coin, str(100 - int(f"{sign}1") * level))
        for coin in symbols
        for level in (1, *[round(1 + n / 10, 1) for n in range(1, 10)])
        for sign in ("", "-")
    ]
    verdicts = gate.judge(quotes, seen).verdicts
    assert {"accepted"} == {str(verdict) for verdict in verdicts}
    assert len(quotes) == 260
