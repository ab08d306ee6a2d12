"""LIVE while it runs, STOPPED while not, PAUSED until it is resumed, unknown where nobody says."""

import pytest

from portfolio_service.domain.statuses import SeenTrader, Status, status_of


def seen(actual: str = "running", *, desired: str = "running", **more: str) -> SeenTrader:
    return SeenTrader(desired=desired, actual=actual, **more)


@pytest.mark.parametrize(
    ("now", "before", "wanted"),
    [
        (seen(state="running", says="LIVE"), "unknown", "LIVE"),
        (seen(state="running", says="PAUSED"), "LIVE", "PAUSED"),
        (seen(state="running", says="LIVE"), "PAUSED", "LIVE"),
        (seen(state="running", says="STOPPED"), "LIVE", "STOPPED"),
        (seen(state="running", says="DANCING"), "LIVE", "unknown"),
        (seen(state="ended", says="LIVE"), "LIVE", "STOPPED"),
        (seen(state="failed", says="LIVE", trouble="no token"), "LIVE", "STOPPED"),
        (seen(), "LIVE", "unknown"),
        (seen("crashed"), "LIVE", "STOPPED"),
        (seen("crashed"), "PAUSED", "PAUSED"),
        (seen("absent"), "PAUSED", "PAUSED"),
        (seen("absent", desired="stopped"), "PAUSED", "STOPPED"),
        (seen("absent", desired="stopped"), "unknown", "STOPPED"),
        (seen("ended"), "LIVE", "STOPPED"),
    ],
)
def test_a_trader_is_what_it_does(now: SeenTrader, before: Status, wanted: Status) -> None:
    assert wanted == status_of(now, before)[0]


def test_why_is_told() -> None:
    assert "its process does not answer" == status_of(seen(), "LIVE")[1]
    assert "no token" == status_of(seen(state="failed", trouble="no token"), "LIVE")[1]
    assert "it is to run, and seen crashed" == status_of(seen("crashed"), "LIVE")[1]
    assert "" == status_of(seen(state="running", says="LIVE"), "LIVE")[1]
