"""The container file: hardened in every service, and it names nothing that is not there."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import data_collector.settings
import hyperliquid_exchange.settings
import strategy_agent.settings
import virtual_exchange.settings
from suite.service.settings import ServiceSettings, known_names

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docker-compose.yml").read_text()
DOCUMENT: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
EXAMPLE = (ROOT / "deploy" / "env" / "live.env.example").read_text()
SETTINGS: dict[str, type[ServiceSettings]] = {
    "data-collector": data_collector.settings.Settings,
    "hyperliquid-exchange": hyperliquid_exchange.settings.Settings,
    "strategy-agent": strategy_agent.settings.Settings,
    "virtual-exchange": virtual_exchange.settings.Settings,
}
LIVE = {name for name, service in SERVICES.items() if "live" in service["profiles"]}


def binds(name: str) -> dict[str, dict[str, Any]]:
    """Mounts from this machine of a service, by the place in its container."""
    mounts = SERVICES[name].get("volumes", [])
    return {mount["target"]: mount for mount in mounts if isinstance(mount, dict)}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_hardened(name: str) -> None:
    """Nothing of the image can be written, no right can be gained."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert ["ALL"] == service["cap_drop"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert all("noexec" in place and "size=" in place for place in service["tmpfs"])
    assert service["pids_limit"] > 0
    ways_out = {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices", "user"}
    assert not ways_out & set(service)
    assert (ROOT / service["build"]["dockerfile"]).is_file()


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_this_machine_alone(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_every_variable_is_a_setting(name: str) -> None:
    """Of the service that the image has, which would refuse to start with a misspelt one."""
    settings = SETTINGS[SERVICES[name]["build"]["args"]["SERVICE"]]
    known = {text.upper() for text in known_names(settings)}
    assert set(SERVICES[name].get("environment", {})) <= known


def test_what_the_file_asks_for_is_listed_with_its_default() -> None:
    asked = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", TEXT))
    assert len(re.findall(r"\$\{", TEXT)) == len(re.findall(r"\$\{\w+:-[^}]*\}", TEXT))
    listed = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    assert asked == listed


def test_a_live_agent_is_told_two_addresses_and_where_its_token_is() -> None:
    told = SERVICES["strategy-agent"]["environment"]
    assert told == {
        "TRADING_URL": "http://hyperliquid-exchange:8200",
        "DATA_SERVICE_URL": "http://data-collector:8000",
        "TRADER_TOKENS_DIR": "/run/live/tokens",
    }
    assert "hyperliquid" == SERVICES["data-collector"]["environment"]["DATA_COLLECTOR_COLLECT"]


def test_keys_are_where_they_sign_and_nowhere_else() -> None:
    """And nothing that is mounted from this machine can be written."""
    assert {"data-collector", "hyperliquid-exchange", "strategy-agent", "watchdog"} == LIVE
    for name in SERVICES:
        assert all(mount["read_only"] is True for mount in binds(name).values())
        assert ("/run/live/keys" in binds(name)) == (name == "hyperliquid-exchange")
        assert ("/run/live/watchdog-keys" in binds(name)) == (name == "watchdog")
    assert "/run/live/tokens" in binds("strategy-agent")
    assert not any("live-state" in str(one) for one in SERVICES["strategy-agent"]["volumes"])


def test_secrets_are_files() -> None:
    """A variable is shown by whatever shows the container."""
    secret = re.compile("KEY|TOKEN$|TOKENS$|SECRET|PASSWORD|WEBHOOK|DATABASE_URL")
    for service in SERVICES.values():
        assert [] == [name for name in service.get("environment", {}) if secret.search(name)]
    assert not secret.search(" ".join(re.findall(r"^#?([A-Z_]+)=", EXAMPLE, re.MULTILINE)))


def test_the_watchdog_is_a_process_of_its_own() -> None:
    """With the configuration of what it watches, and the state folder that both write to."""
    proxy, watchdog = SERVICES["hyperliquid-exchange"], SERVICES["watchdog"]
    assert ["serve"] == proxy["command"]
    assert ["watchdog", "--url", "http://hyperliquid-exchange:8200"] == watchdog["command"]
    assert proxy["environment"] == watchdog["environment"]
    for service in (proxy, watchdog):
        assert "live-state:/var/lib/service" in service["volumes"]
        assert {"core": 0} == service["ulimits"]


def test_traders_reach_the_proxy_and_the_collector_alone() -> None:
    """Their network ends there."""
    assert ["live"] == SERVICES["strategy-agent"]["networks"]
    assert DOCUMENT["networks"]["live"]["internal"] is True
    for name in LIVE - {"strategy-agent"}:
        assert ["default", "live"] == SERVICES[name]["networks"]
    others = set(SERVICES) - LIVE
    assert not [name for name in others if "live" in SERVICES[name].get("networks", [])]
