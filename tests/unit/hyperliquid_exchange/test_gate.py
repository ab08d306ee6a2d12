"""Every limit of the gate at one unit below it, at it, and one above."""

from dataclasses import replace
from typing import Any

import pytest
from tests.support.gate_setting import (
    ANNA,
    BERT,
    NOW_MS,
    OVERALL,
    USD,
    Setting,
    account,
    item,
    order,
    resting,
    trigger,
)

from hyperliquid_exchange.domain import gate
from hyperliquid_exchange.domain.gate import RULES
from hyperliquid_exchange.domain.safety import Cause, Level
from suite.contracts.hyperliquid_exchange import (
    Cancel,
    CancelItem,
    Modify,
    Noop,
    ScheduleCancel,
    Twap,
    TwapOrder,
    UpdateIsolatedMargin,
    UpdateLeverage,
    VaultTransfer,
)
from suite.fixed import Price, Rate, Size, Usd

AROUND = pytest.mark.parametrize("beyond", [-1, 0, 1], ids=["below", "at", "above"])


def setting(**limits: Any) -> Setting:
    return Setting(accounts=[account(**limits)])


@AROUND
def test_order_notional(beyond: int) -> None:
    one = setting(max_order_usd=Usd(500 * USD - beyond))  # the order is worth 500 USD

    assert ("order_size" if beyond > 0 else None) == one.rule(order(item("0.01")))


def test_an_order_is_worth_the_mid_where_its_price_is_lower() -> None:
    one = setting(max_order_usd=Usd(500 * USD - 1))

    assert one.rule(order(item("0.01", "40000"))) == "order_size"
    assert one.rule(order(item("0.01", "60000", is_buy=False))) == "order_size"


@AROUND
@pytest.mark.parametrize("is_buy", [True, False])
def test_price_collar(beyond: int, is_buy: bool) -> None:
    one = setting(price_collar=Rate(20_000_000))
    price = 500_000 + (10_000 + beyond) * (1 if is_buy else -1)  # two percent

    found = one.rule(order(item("0.01", f"{price / 10}", is_buy=is_buy)))

    assert ("collar" if beyond > 0 else None) == found


@AROUND
def test_collar_of_a_trigger_is_around_the_price_it_waits_for(beyond: int) -> None:
    one = setting(price_collar=Rate(20_000_000))
    price = f"{(600_000 + 12_000 + beyond) / 10}"

    found = one.rule(order(trigger("0.01", "60000", price=price, is_buy=True, reduce_only=False)))

    assert ("collar" if beyond > 0 else None) == found


@pytest.mark.parametrize(
    ("at", "rule"),
    [("25000", None), ("24999.9", "trigger"), ("100000", None), ("100000.1", "trigger")],
)
def test_a_trigger_waits_between_half_and_double_of_the_mid(at: str, rule: str | None) -> None:
    assert rule == setting().rule(order(trigger("0.001", at, is_buy=True, reduce_only=False)))


@AROUND
@pytest.mark.parametrize("held", ["position", "resting", "left", "left and rests"])
def test_position_in_a_coin(beyond: int, held: str) -> None:
    """0.01 are there already in one of four forms, 0.01 more are asked for: 1,000 USD."""
    one = setting(max_position_usd=Usd(1_000 * USD - beyond))
    name = "0x" + "7" * 32
    if held == "position":
        one.tell(positions={0: Size(1_000)})
    elif held == "resting":
        one.tell(orders=(resting(1, 1_000, 500_000),))
    else:
        one.judge(order(item("0.01", "49999", cloid=name)))
        if held == "left and rests":
            one.tell(orders=(resting(1, 1_000, 499_990, cloid=name),))

    assert ("position" if beyond > 0 else None) == one.rule(order(item("0.01")))


@AROUND
def test_a_short_position_with_sells(beyond: int) -> None:
    one = setting(max_position_usd=Usd(1_000 * USD - beyond))
    one.tell(positions={0: Size(-1_000)})

    assert ("position" if beyond > 0 else None) == one.rule(order(item("0.01", is_buy=False)))


def test_an_order_against_a_position_does_not_rely_on_it() -> None:
    """It may be gone by the time the order fills."""
    one = setting(max_position_usd=Usd(1_000 * USD))
    one.tell(positions={0: Size(2_000)})

    assert one.rule(order(item("0.02", is_buy=False))) is None
    one = setting(max_position_usd=Usd(1_000 * USD))
    one.tell(positions={0: Size(2_000)})
    assert one.rule(order(item("0.0201", is_buy=False))) == "position"


def test_a_position_that_has_grown_beyond_its_limit_takes_reduce_only_orders_alone() -> None:
    one = setting(max_position_usd=Usd(1_000 * USD))
    one.tell(positions={0: Size(3_000)})

    assert one.rule(order(item("0.03", is_buy=False, reduce_only=True))) is None
    assert one.rule(order(item("0.0001", is_buy=False))) == "position"
    assert one.rule(order(item("0.00001"))) == "position"
    assert one.rule(order(item("0.1", "2000", asset=1))) is None


@AROUND
def test_notional_of_the_account(beyond: int) -> None:
    one = setting(max_account_usd=Usd(1_000 * USD - beyond))
    one.tell(positions={1: Size(-2_500)})  # 500 USD of ETH

    assert ("account" if beyond > 0 else None) == one.rule(order(item("0.01")))


@AROUND
@pytest.mark.parametrize("held", ["position", "left", "unknown"])
def test_gross_of_all_traders(beyond: int, held: str) -> None:
    """500 USD are with the other trader; of one that is not known, all that it may have."""
    overall = replace(OVERALL, max_gross_usd=Usd(1_000 * USD - beyond))
    one = Setting(
        accounts=[account(), account(BERT, max_account_usd=Usd(500 * USD))], overall=overall
    )
    if held == "position":
        one.tell(BERT, positions={0: Size(1_000)})
        one.gate.observe(BERT)
    elif held == "left":
        one.judge(order(item("0.01")), BERT)
    else:
        one.known[BERT] = None

    assert ("gross" if beyond > 0 else None) == one.rule(order(item("0.01")))


@AROUND
def test_leverage(beyond: int) -> None:
    action = UpdateLeverage(asset=0, isCross=True, leverage=5)

    assert ("leverage" if beyond > 0 else None) == setting(max_leverage=5 - beyond).rule(action)


@AROUND
def test_open_orders(beyond: int) -> None:
    """Two rest, one has left, two are asked for."""
    one = setting(max_open_orders=5 - beyond)
    one.tell(orders=(resting(1, 10, 400_000), resting(2, 10, 400_000, is_buy=False, stop=400_000)))
    one.judge(order(item("0.001", "40001")))
    wanted = order(item("0.001", "40002"), item("0.001", "40003"))

    assert ("open_orders" if beyond > 0 else None) == one.rule(wanted)


@AROUND
def test_orders_within_a_second(beyond: int) -> None:
    one = setting(max_orders_per_s=4 - beyond)
    one.judge(order(item("0.001", "40001"), item("0.001", "40002")))
    wanted = order(item("0.001", "40003"), item("0.001", "40004"))

    one.now_s += 0.999
    assert ("rate" if beyond > 0 else None) == one.rule(wanted)

    one.now_s += 0.001  # a second after the first two
    assert one.rule(order(item("0.001", "40005"))) is None


@AROUND
def test_orders_within_a_minute(beyond: int) -> None:
    one = setting(max_orders_per_minute=3 - beyond, facts_age_s=1e9)
    for price in ("40001", "40002"):
        one.judge(order(item("0.001", price)))
        one.now_s += 1

    one.now_s += 57.999
    assert ("rate" if beyond > 0 else None) == one.rule(order(item("0.001", "40003")))

    one.now_s += 0.001
    assert one.rule(order(item("0.001", "40004"))) is None


@AROUND
def test_orders_of_all_traders_within_a_second(beyond: int) -> None:
    overall = replace(OVERALL, max_orders_per_s=2 - beyond)
    one = Setting(accounts=[account(), account(BERT)], overall=overall)
    one.judge(order(item("0.001")), BERT)

    assert ("rate" if beyond > 0 else None) == one.rule(order(item("0.001")))


@pytest.mark.parametrize(("age_s", "rule"), [(19.999, None), (20.0, "stale"), (20.001, "stale")])
def test_stale_facts_add_nothing(age_s: float, rule: str | None) -> None:
    one = setting(facts_age_s=20.0)
    one.tell(age_s=age_s)

    assert rule == one.rule(order(item("0.001")))
    assert one.rule(order(item("0.001", is_buy=False, reduce_only=True))) is None


def test_trouble_and_no_facts_at_all_add_nothing() -> None:
    one = setting()
    one.tell(trouble=("reconciling",))
    assert one.rule(order(item("0.001"))) == "stale"

    one.known[ANNA] = None
    assert one.rule(order(item("0.001"))) == "stale"
    assert one.rule(order(item("5", is_buy=False, reduce_only=True))) is None
    assert one.rule(Cancel(cancels=[CancelItem(a=0, o=1)])) is None


def test_an_equal_order_is_refused_until_its_time_is_over() -> None:
    one = setting(duplicate_s=2.0)
    one.judge(order(item("0.001", "40000", cloid="0x" + "1" * 32)))

    one.now_s += 1.999
    assert one.rule(order(item("0.001", "40000", cloid="0x" + "2" * 32))) == "duplicate"
    assert one.rule(order(item("0.001", "40000", is_buy=False), item("0.001", "40001"))) is not None
    one.now_s += 0.001
    assert one.rule(order(item("0.001", "40000"))) is None


def test_equal_orders_in_one_action_are_refused() -> None:
    assert setting().rule(order(item("0.001"), item("0.001"))) == "duplicate"


def test_only_listed_coins_may_be_entered() -> None:
    one = setting()

    assert one.rule(order(item("0.1", "100", asset=2))) == "symbol"
    assert one.rule(order(item("0.1", "100", asset=77))) == "symbol"
    assert one.rule(UpdateLeverage(asset=2, isCross=True, leverage=1)) == "symbol"


def test_a_coin_without_a_price_may_not_be_entered() -> None:
    one = setting()
    one.tell(mids={1: Price(200_000)})

    assert one.rule(order(item("0.001"))) == "price"


def test_a_coin_that_is_held_without_a_price_stops_every_entry() -> None:
    one = setting()
    one.tell(positions={2: Size(1)}, mids={0: Price(500_000)})

    assert one.rule(order(item("0.001"))) == "account"


def test_what_only_reduces_passes_whatever_the_limits_say() -> None:
    one = setting(max_orders_per_s=1, max_executions=1)
    one.tell(
        positions={0: Size(1_000), 2: Size(-5)},
        executions=5,
        trouble=("account_differs",),
        equity_usd=Usd(0),
    )
    for _ in range(50):
        assert one.rule(order(item("0.01", "1", is_buy=False, reduce_only=True))) is None
        assert one.rule(order(item("0.05", "900", asset=2, reduce_only=True))) is None
        assert one.rule(order(trigger("0.01", "45000"))) is None
        assert one.rule(Cancel(cancels=[CancelItem(a=0, o=1)])) is None
        assert one.rule(Noop()) is None
        assert one.rule(UpdateIsolatedMargin(asset=0, isBuy=True, ntli=5)) is None
        assert one.rule(ScheduleCancel(time=None)) is None


def test_a_reduce_only_order_larger_than_all_it_could_reduce_is_judged_by_size() -> None:
    one = setting(max_order_usd=Usd(600 * USD))
    one.tell(positions={0: Size(1_000)})

    assert one.rule(order(item("0.01", is_buy=False, reduce_only=True))) is None
    assert one.rule(order(item("0.02", is_buy=False, reduce_only=True))) == "order_size"
    assert not one.judge(order(item("0.0101", is_buy=False, reduce_only=True))).adds_risk

    one.tell(trouble=("reconciling",))
    assert one.rule(order(item("0.02", is_buy=False, reduce_only=True))) is None


def test_an_entry_with_its_stop_and_target_is_one_group() -> None:
    one = setting()
    group = order(
        item("0.01"),
        trigger("0.01", "45000"),
        trigger("0.01", "60000", tpsl="tp"),
        grouping="normalTpsl",
    )

    verdict = one.judge(group)

    assert (verdict.refusal, verdict.adds_risk, verdict.coins) == (None, True, ("BTC",))


@pytest.mark.parametrize(
    ("at", "size", "adds"),
    [("46000", "0.01", False), ("45000", "0.02", False), ("44999.9", "0.01", True),
     ("46000", "0.00999", True)],
)  # fmt: skip
def test_a_stop_may_be_tightened_and_is_judged_when_it_is_loosened(
    at: str, size: str, adds: bool
) -> None:
    one = setting()
    one.tell(
        positions={0: Size(2_000)},
        orders=(resting(9, 1_000, 450_000, is_buy=False, reduce_only=True, stop=450_000),),
    )

    assert adds is one.judge(Modify(oid=9, order=trigger(size, at))).adds_risk

    one.tell(trouble=("reconciling",))
    found = one.rule(Modify(oid=9, order=trigger(size, at)))
    assert ("stale" if adds else None) == found


def test_a_stop_that_becomes_a_limit_order_or_is_not_known_is_judged() -> None:
    one = setting()
    one.tell(
        positions={0: Size(1_000)},
        orders=(resting(9, 1_000, 450_000, is_buy=False, reduce_only=True, stop=450_000),),
    )
    limit = item("0.01", "60000", is_buy=False, reduce_only=True)

    assert one.judge(Modify(oid=9, order=limit)).adds_risk
    assert one.judge(Modify(oid=10, order=trigger("0.01", "46000"))).adds_risk


def test_one_refused_item_refuses_the_whole_action() -> None:
    one = setting(max_order_usd=Usd(500 * USD))

    assert one.rule(order(item("0.001"), item("0.02", "40000"))) == "order_size"
    assert one.rule(order(item("0.001"))) is None  # nothing of it counts


def test_what_moves_money_or_is_not_listed_never_leaves() -> None:
    twap = TwapOrder(twap=Twap(a=0, b=True, s="1", r=False, m=5, t=False))
    away = VaultTransfer(vaultAddress="0x" + "0" * 40, isDeposit=True, usd=1)

    assert setting().rule(twap) == "action"
    assert setting().rule(away) == "action"


def test_what_left_counts_until_a_state_younger_than_its_answer_is_told() -> None:
    one = setting(max_position_usd=Usd(700 * USD))
    verdict = one.judge(order(item("0.01")))
    assert one.rule(order(item("0.005"))) == "position"

    one.gate.settled(ANNA, verdict)
    one.now_s += 10
    one.tell(state_age_s=9.5)  # told half a second after the answer: too close
    assert one.rule(order(item("0.005"))) == "position"

    one.tell(state_age_s=9.0, trouble=("reconciling",))
    one.gate.observe(ANNA)
    one.tell(state_age_s=9.5, trouble=())
    assert one.rule(order(item("0.005"))) == "position"

    one.tell(state_age_s=9.0)
    assert one.rule(order(item("0.005"))) is None


def test_what_an_earlier_process_left_unknown_counts() -> None:
    one = setting(max_position_usd=Usd(700 * USD))
    verdict = one.gate.restore(ANNA, order(item("0.01")))

    assert verdict.adds_risk
    assert one.rule(order(item("0.005"))) == "position"


def test_two_orders_that_share_a_name_are_two() -> None:
    one = setting(max_position_usd=Usd(1_200 * USD))
    name = "0x" + "7" * 32
    one.judge(order(item("0.01", "49999", cloid=name)))
    one.now_s += 5
    one.judge(order(item("0.01", "49999", cloid=name)))
    one.tell(orders=(resting(1, 1_000, 499_990, cloid=name),))

    assert one.rule(order(item("0.005"))) == "position"


def test_below_the_reserve_of_requests_only_what_reduces_leaves() -> None:
    one = setting()
    one.budgets.told(account().address, used=9_499, cap=10_000)
    assert one.rule(order(item("0.001"))) is None  # the last before the reserve of 500

    assert one.rule(order(item("0.001", "40001"))) == "budget"
    assert one.rule(Cancel(cancels=[CancelItem(a=0, o=1)])) is None
    assert one.rule(order(item("0.001", is_buy=False, reduce_only=True))) is None


def test_a_level_forbids_what_adds_risk_by_what_it_replaces() -> None:
    one = setting()
    one.tell(
        positions={0: Size(1_000)},
        orders=(resting(9, 1_000, 450_000, is_buy=False, reduce_only=True, stop=450_000),),
    )
    one.ladder.engage(
        Cause(scope=ANNA, level=Level.PAUSED, by="operator", reason="why", since_ms=NOW_MS)
    )

    assert one.rule(Modify(oid=9, order=trigger("0.01", "44000"))) == "safety"
    assert one.rule(Modify(oid=9, order=trigger("0.01", "46000"))) is None
    assert one.rule(order(item("0.01", is_buy=False, reduce_only=True))) is None
    assert one.rule(order(item("0.001"))) == "safety"


def test_numbers_finer_than_the_lattice_are_judged_as_larger() -> None:
    one = setting(max_order_usd=Usd(500 * USD))

    assert one.rule(order(item("0.01000001"))) == "order_size"


def test_every_rule_has_a_name_of_its_own() -> None:
    names = [name for name, _ in RULES]

    assert len(names) == len(set(names))


@pytest.mark.parametrize("asset", [3, 9_999, 10_000, 10_107, 100_000, 110_003])
def test_reduce_only_means_nothing_where_there_are_no_positions(asset: int) -> None:
    """Spot pairs and the markets of builders have their own ids; a sale there is a sale."""
    one = setting()

    assert one.rule(order(item("1", "1", asset=asset, is_buy=False, reduce_only=True))) == "symbol"
    assert one.rule(UpdateIsolatedMargin(asset=asset, isBuy=True, ntli=1)) == "symbol"
    assert one.rule(Cancel(cancels=[CancelItem(a=asset, o=1)])) is None


def test_the_way_out_is_open_while_nobody_knows_what_is_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = setting()
    one.known[ANNA] = None
    monkeypatch.setattr(one, "universe", lambda: ())

    assert one.rule(order(item("1", is_buy=False, reduce_only=True))) is None
    assert one.rule(order(item("1", asset=10_000, is_buy=False, reduce_only=True))) == "symbol"


def test_a_stop_of_the_whole_position_only_reduces() -> None:
    """Size 0 is whatever is held: nobody can say how much risk it would be."""
    stop = trigger("0", "49000", reduce_only=False)

    assert setting().rule(order(stop, grouping="positionTpsl")) == "order_size"
    stop.r = True
    assert setting().rule(order(stop, grouping="positionTpsl")) is None


def test_thousands_of_exits_are_judged_by_one_look_at_what_is_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who holds the loop for minutes holds up a kill."""
    looks = 0

    def counted(*_: Any, **__: Any) -> int:
        nonlocal looks
        looks += 1
        return 10**9

    monkeypatch.setattr(gate, "reducible", counted)
    exits = [item("0.001", is_buy=False, reduce_only=True) for _ in range(3_000)]
    assert setting().rule(order(*exits)) is None
    assert 1 == looks


def test_what_an_earlier_process_sent_counts_once_it_can_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At a start nothing is listed yet: an order without a size would be no exposure."""
    one = Setting(accounts=[account(max_account_usd=Usd(900 * USD))])
    with monkeypatch.context() as early:
        early.setattr(one, "universe", lambda: ())
        facts, one.known[ANNA] = one.known[ANNA], None
        one.gate.restore(ANNA, order(item("0.01")))  # 500 USD
        one.known[ANNA] = facts

    assert one.rule(order(item("0.01", "49000"))) == "account"
