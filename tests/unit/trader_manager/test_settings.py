"""Settings of the manager that cannot be."""

import pytest

from suite.errors import ConfigError
from trader_manager.bootstrap import build
from trader_manager.settings import Settings


@pytest.mark.parametrize("seconds", [0.0, 0.1, 60.0])
def test_a_cadence_is_none_or_at_least_a_tenth_of_a_second(seconds: float) -> None:
    assert seconds == Settings.load(cadence_s=seconds).cadence_s


@pytest.mark.parametrize("seconds", [0.05, 0.0999, -1.0, 604_801.0, 1e99])
def test_a_shorter_cadence_is_refused_at_the_start(seconds: float) -> None:
    with pytest.raises(ConfigError, match="CADENCE_S"):
        Settings.load(cadence_s=seconds)


def test_an_empty_token_of_the_venues_operator_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """`$(cat FILE)` of a file that is not there yet."""
    monkeypatch.setenv("VENUE_OPERATOR_TOKEN", "")
    said = dict.fromkeys(("on_trouble", "on_collecting", "on_file", "on_ending"), print)
    with pytest.raises(ConfigError, match="VENUE_OPERATOR_TOKEN is set and empty"):
        build(Settings.load(trading_url="http://venue"), on_change=print, **said)
