"""What a trader's process tells of its model; a plugin may tell of itself what it likes."""

from typing import Any

import pytest

from portfolio_service.application.manager import ProcessStatus


def test_a_model_is_shown_as_it_was_told() -> None:
    last = {"number": 2, "begun_ms": 7, "verdict": "refused", "reason": "sane: no", "gates": []}
    told = {"state": "READY", "model_id": "m-1", "closed_trades": 3, "last_attempt": last}
    found = ProcessStatus(strategy=told).model
    assert found is not None
    assert ("READY", "m-1", 3) == (found.state, found.model_id, found.closed_trades)
    assert found.last_attempt is not None
    assert ("refused", "sane: no") == (found.last_attempt.verdict, found.last_attempt.reason)


@pytest.mark.parametrize("told", [{}, {"anything": 1}, {"state": 3}, {"state": "x", "refused": []}])
def test_what_is_no_model_is_none(told: dict[str, Any]) -> None:
    assert ProcessStatus(strategy=told).model is None
