"""`deploy/env/` lists every setting of the services that are built, with its default."""

import re
from pathlib import Path

import pytest

import data_collector.settings
import hyperliquid_exchange.settings
import portfolio_service.settings
import strategy_agent.settings
import strategy_models.settings
import trader_manager.settings
import virtual_exchange.settings
from suite.service.settings import EnvironmentSettings, known_names

FOLDER = Path(__file__).parents[3] / "deploy" / "env"
SERVICES: dict[str, type[EnvironmentSettings]] = {
    "agent": strategy_agent.settings.Settings,
    "backtest": virtual_exchange.settings.Settings,
    "collector": data_collector.settings.Settings,
    "hyperliquid-exchange": hyperliquid_exchange.settings.Settings,
    "models": strategy_models.settings.Settings,
    "portfolio-service": portfolio_service.settings.Settings,
    "trader-manager": trader_manager.settings.Settings,
}


def listed(name: str) -> list[tuple[str, str, str]]:
    """Read the lines of a file: `#` where it is commented out, name, value."""
    text = (FOLDER / f"{name}.env.example").read_text()
    return re.findall(r"^(#?)([A-Z_]+)=(.*)$", text, re.MULTILINE)


def written(settings: EnvironmentSettings) -> dict[str, str]:
    return {name: str(value) for name, value in settings}


@pytest.mark.parametrize("name", SERVICES)
def test_every_setting_is_listed_once(name: str) -> None:
    known = [text.upper() for text in known_names(SERVICES[name])]
    assert sorted(known) == sorted(setting for _, setting, _ in listed(name))


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_commented_out_is_the_default(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all of it in force, nothing is otherwise."""
    monkeypatch.chdir(tmp_path)
    plain = written(SERVICES[name].load())
    lines = [f"{setting}={value}" for comment, setting, value in listed(name) if comment]
    (tmp_path / ".env").write_text("\n".join(lines))
    assert plain == written(SERVICES[name].load())
