"""Canned orders against the real gate and the real list of actions."""

from dataclasses import replace

from tests.support.gate_setting import FACTS, OVERALL, UNIVERSE, account
from tests.unit.hyperliquid_exchange.test_preflight_checks import ALICE

from hyperliquid_exchange.application.preflight.drills import action_refusals, gate_refusals
from hyperliquid_exchange.application.preflight.safety import (
    MUST_REFUSE,
    check_actions,
    check_gate,
)
from suite.fixed import Rate, Usd


def test_gate_refuses_every_canned_order_by_its_own_rule() -> None:
    """And lets a good one leave."""
    told = gate_refusals(account(), OVERALL, UNIVERSE, FACTS.mids)
    assert told["good"] is None
    assert {
        "oversize": "order_size",
        "off_collar": "collar",
        "wrong_symbol": "symbol",
        "duplicate": "duplicate",
        "flipping": "order_size",
    } == {name: (told[name] or "").partition(":")[0] for name in MUST_REFUSE}
    assert "PASS" == check_gate(told).status


def test_limits_that_refuse_everything_are_seen() -> None:
    """A good order would not leave."""
    told = gate_refusals(account(max_order_usd=Usd(1)), OVERALL, UNIVERSE, FACTS.mids)
    assert "FAIL" == check_gate(told).status


def test_collar_is_tried_just_beyond() -> None:
    told = gate_refusals(account(price_collar=Rate(500_000_000)), OVERALL, UNIVERSE, FACTS.mids)
    assert (told["off_collar"] or "").startswith("collar")


def test_without_a_price_nothing_can_be_tried() -> None:
    assert {} == gate_refusals(account(), OVERALL, UNIVERSE, {})
    stranger = replace(ALICE, symbols=("DOGE",))
    assert {} == gate_refusals(stranger, OVERALL, UNIVERSE, FACTS.mids)


def test_every_action_that_moves_money_is_refused() -> None:
    refused = action_refusals()
    assert {"withdraw3", "usdSend", "approveAgent", "subAccountTransfer"} <= refused.keys()
    assert {True} == set(refused.values())
    assert "PASS" == check_actions(refused).status
