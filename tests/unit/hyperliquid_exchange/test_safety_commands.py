"""A kill by command where the service does not answer."""

from pathlib import Path

import pytest
from tests.support.live_accounts import anna, bert, write_accounts

from hyperliquid_exchange import safety_commands
from hyperliquid_exchange.places import safety_of
from hyperliquid_exchange.safety_commands import kill
from hyperliquid_exchange.settings import Settings
from suite.errors import NotFound, UpstreamUnavailable


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    accounts = write_accounts(tmp_path, [anna(), bert()])
    found = Settings(accounts=accounts, state_dir=tmp_path / "state")
    safety_of(found.state_dir).mkdir(parents=True)

    def nobody(*_: object) -> None:
        raise UpstreamUnavailable("the service does not answer")

    monkeypatch.setattr(safety_commands, "_settings", lambda: found)
    monkeypatch.setattr(safety_commands, "_ask", nobody)
    return found


def placed(settings: Settings) -> set[str]:
    return {path.name for path in safety_of(settings.state_dir).iterdir()}


@pytest.mark.parametrize(("trader", "name"), [("anna", "KILL.anna"), ("all", "KILL")])
def test_a_kill_goes_by_file(settings: Settings, trader: str, name: str) -> None:
    kill(trader=trader)
    assert {name} == placed(settings)


def test_a_misspelt_trader_is_not_called_killed(settings: Settings) -> None:
    """Its file would forbid nothing to anybody, and a person would believe it does."""
    with pytest.raises(NotFound, match="no trader 'ana' here"):
        kill(trader="ana")
    assert set() == placed(settings)


def test_an_accounts_file_that_cannot_be_read_keeps_no_kill(settings: Settings) -> None:
    assert settings.accounts is not None
    settings.accounts.write_text("{")
    kill(trader="ana")
    assert {"KILL.ana"} == placed(settings)
