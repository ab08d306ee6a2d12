"""Names of orders."""

import hashlib

from strategy_core.orders.identity import cloid_for, share_of


def test_an_id_is_the_first_half_of_a_hash_of_the_decision() -> None:
    """Account, trader, decision, leg and generation, and nothing else."""
    text = b"acc|t|7|0/stop|2"
    assert "0x" + hashlib.sha256(text).hexdigest()[:32] == cloid_for("acc", "t", 7, "0/stop", 2)


def test_every_part_of_the_decision_makes_another_id() -> None:
    """No two orders of a run share a name, whatever stands beside what."""
    parts = [
        (account, trader, decision, leg, generation)
        for account in ("a", "b")
        for trader in ("a", "b")
        for decision in (1, 11)
        for leg in (1, 11, "1/stop")
        for generation in (0, 1)
    ]
    assert len(parts) == len({cloid_for(*part) for part in parts})


def test_shares_of_ids_are_spread_over_the_unit() -> None:
    """They stand for chance where the same decision must do the same again."""
    shares = [share_of(cloid_for("a", "t", decision, 0)) for decision in range(1000)]
    assert 0 <= min(shares) < 0.01
    assert 0.99 < max(shares) < 1
    assert 0.45 < sum(shares) / 1000 < 0.55
