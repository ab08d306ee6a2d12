"""The container file: hardened in every service, and it names nothing that is not there."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import data_collector.settings
import hyperliquid_exchange.settings
import portfolio_service.settings
import strategy_agent.settings
import strategy_models.settings
import trader_manager.settings
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
    "portfolio-service": portfolio_service.settings.Settings,
    "strategy-agent": strategy_agent.settings.Settings,
    "trader-manager": trader_manager.settings.Settings,
    "virtual-exchange": virtual_exchange.settings.Settings,
}
LOOKS = {"prometheus", "grafana"}
IMAGES = {*LOOKS, "redis"}
"""Of others; the rest is built here."""
BUILT = sorted(set(SERVICES) - IMAGES)
PROFILES = {
    "backtest": {"market", "tokens", "virtual-exchange"}
    | {"trader-manager", "strategy-agent", "portfolio-service"},
    "paper": {"data-collector", "tokens", "paper-exchange"}
    | {"trader-manager", "strategy-agent", "portfolio-service"},
    "live": {"data-collector", "hyperliquid-exchange", "watchdog", "tokens", "live-tokens"}
    | {"live-manager", "live-agent", "live-portfolio"},
    "observability": LOOKS,
    "cache": {"redis"},
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
    ways_out = {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"}
    assert not ways_out & set(service)
    assert service.get("user", "999:999") == "999:999"  # instead of root, where an image has that
    assert 0 < service["cpus"] <= 2
    assert service["mem_limit"] in {"512m", "1g", "2g"}
    assert [] == [one for one in service.get("env_file", []) if "example" not in one]
    if name in IMAGES:
        assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", service["image"])
    else:
        assert (ROOT / service["build"]["dockerfile"]).is_file()


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_this_machine_alone(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("profile", PROFILES)
def test_profiles_have_what_they_need(profile: str) -> None:
    """And nothing waits for what is not there."""
    named = {name for name, service in SERVICES.items() if profile in service["profiles"]}
    assert PROFILES[profile] == named
    for name in named:
        waited = set(SERVICES[name].get("depends_on", {}))
        assert waited <= named
        for other in waited:
            condition = SERVICES[name]["depends_on"][other]["condition"]
            once = SERVICES[other].get("restart") == "no"
            assert condition == f"service_{'completed_successfully' if once else 'healthy'}"


@pytest.mark.parametrize("name", SERVICES)
def test_what_stays_is_watched(name: str) -> None:
    service = SERVICES[name]
    assert ("healthcheck" in service) != (service["restart"] == "no")


@pytest.mark.parametrize("name", SERVICES)
def test_only_what_must_reaches_out(name: str) -> None:
    out = {"data-collector", "hyperliquid-exchange", "watchdog"}
    networks = set(SERVICES[name]["networks"])
    assert networks <= set(DOCUMENT["networks"])
    assert ("outside" in networks) == (name in out)
    assert "inside" in networks
    if "ports" in SERVICES[name]:  # an internal network publishes nothing
        assert networks & {"ports", "outside"}


def test_networks_end_where_they_shall() -> None:
    networks = DOCUMENT["networks"]
    assert networks["inside"]["internal"] is True
    masquerade = "com.docker.network.bridge.enable_ip_masquerade"
    assert "false" == networks["ports"]["driver_opts"][masquerade]


def test_old_and_other_composes_can_read_it() -> None:
    """docker-compose 1.29 and podman-compose know no top-level name, nor newer forms of keys."""
    assert {"services", "networks", "volumes"} == {
        key for key in DOCUMENT if not key.startswith("x-")
    }
    for service in SERVICES.values():
        assert all(isinstance(one, str) for one in service.get("env_file", []))
        for mount in service.get("volumes", []):
            assert "bind" not in mount or isinstance(mount, str)
        assert not {"develop", "pull_policy", "deploy", "annotations"} & set(service)


class _Loader(yaml.SafeLoader):
    """Takes what is to replace another value for the value."""


def _replacing(loader: _Loader, node: yaml.Node) -> object:
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node)
    assert isinstance(node, yaml.MappingNode)
    return loader.construct_mapping(node)


_Loader.add_constructor("!override", _replacing)


def test_podman_is_told_in_its_own_words() -> None:
    """It takes neither the option of Docker's bridge nor an owner by number."""
    path = ROOT / "deploy" / "compose" / "podman.yml"
    other = yaml.load(path.read_text(), _Loader)
    docker_alone = {name for name, one in DOCUMENT["networks"].items() if "driver_opts" in one}
    assert docker_alone == set(other["networks"])
    by_number = {
        name: [mount.replace(",uid=10001,mode=0700,noexec", ",noexec,U") for mount in one["tmpfs"]]
        for name, one in SERVICES.items()
        if "uid=" in "".join(one.get("tmpfs", []))
    }
    assert by_number == {name: one["tmpfs"] for name, one in other["services"].items()}


def test_docker_compose_reads_it() -> None:
    if (command := shutil.which("docker-compose")) is None:
        pytest.skip("docker-compose is not installed: its rules were looked at above")
    done = subprocess.run(
        [command, "-f", str(ROOT / "docker-compose.yml"), "config", "-q"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (0, "") == (done.returncode, done.stdout), done.stderr


@pytest.mark.parametrize("name", BUILT)
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


@pytest.mark.parametrize(
    ("live", "else_", "more"),
    [
        ("live-manager", "trader-manager", {"TRADER_TOKENS_DIR": "/tokens/traders"}),
        ("live-agent", "strategy-agent", {}),
        (
            "live-portfolio",
            "portfolio-service",
            {
                "PORTFOLIO_SERVICE_LIVE": "true",
                "VENUE_TOKEN_FILE": "/tokens/operator/operator.token",
            },
        ),
    ],
)
def test_live_is_the_same_with_two_other_addresses(
    live: str, else_: str, more: dict[str, str]
) -> None:
    """And where tokens are: agents are told nothing else, since their manager tells them."""
    addresses = {
        "TRADING_URL": "http://hyperliquid-exchange:8200",
        "DATA_SERVICE_URL": "http://data-collector:8000",
    }
    usual = SERVICES[else_]["environment"]
    other = addresses | more if "TRADING_URL" in usual else {}
    assert usual | other == SERVICES[live]["environment"]
    kept = {"image", "build", "env_file", "networks", "ports", "healthcheck", "entrypoint"}
    for key in kept - ({"networks"} if live != "live-agent" else set()):
        assert SERVICES[else_].get(key) == SERVICES[live].get(key), key
    assert "hyperliquid" == SERVICES["data-collector"]["environment"]["DATA_COLLECTOR_COLLECT"]


def test_nothing_of_a_backtest_is_left_where_money_is_real() -> None:
    """No state is shared with another profile: a trader of an arena is not there."""
    of_live = {
        str(one).partition(":")[0]
        for name in LIVE - {"data-collector", "tokens"}
        for one in SERVICES[name].get("volumes", [])
        if isinstance(one, str)
    }
    elsewhere = {
        str(one).partition(":")[0]
        for name in set(SERVICES) - LIVE
        for one in SERVICES[name].get("volumes", [])
        if isinstance(one, str)
    }
    assert {"manager-tokens", "agent-token"} == of_live & elsewhere


def test_keys_are_where_they_sign_and_nowhere_else() -> None:
    """And nothing that is mounted from this machine can be written."""
    for name in SERVICES:
        assert all(mount["read_only"] is True for mount in binds(name).values())
        assert ("/run/live/keys" in binds(name)) == (name == "hyperliquid-exchange")
        assert ("/run/live/watchdog-keys" in binds(name)) == (name == "watchdog")
    for name in ("live-manager", "live-agent", "live-portfolio"):
        assert not any("live-state" in str(one) for one in SERVICES[name]["volumes"])


def test_tokens_are_handed_to_who_needs_them(tmp_path: Path) -> None:
    """The job's own words, run twice: a token that was rotated takes the place of the old one."""
    job = SERVICES["live-tokens"]
    (words,) = job["command"]
    for place in ("/state", "/tokens", "/tmp/tokens"):
        words = re.sub(rf"(?<![\w/]){place}", f"{tmp_path}/{place.strip('/')}", words)
    written = tmp_path / "state/var/tokens"
    for folder in (written, tmp_path / "tokens/traders", tmp_path / "tokens/operator"):
        folder.mkdir(parents=True)
    (tmp_path / "tmp").mkdir()
    for turn in ("old", "new"):
        for name in ("anna", "reader", "operator", "risk-pause", "risk-resume"):
            path = written / f"{name}.token"
            path.unlink(missing_ok=True)
            path.write_text(f"{turn} {name}")
            path.chmod(0o400)
        subprocess.run([*job["entrypoint"], words], check=True, timeout=20)
        shutil.rmtree(tmp_path / "tmp/tokens")  # a container's is empty at each start
    handed = {
        str(path.relative_to(tmp_path / "tokens")): path.read_text()
        for path in (tmp_path / "tokens").rglob("*")
        if path.is_file()
    }
    assert handed == {
        "traders/anna.token": "new anna",
        "traders/reader.token": "new reader",
        "operator/operator.token": "new operator",
    }


def test_secrets_are_files() -> None:
    """A variable is shown by whatever shows the container."""
    secret = re.compile("KEY|TOKEN$|TOKENS$|SECRET|PASSWORD|WEBHOOK|DATABASE_URL")
    for service in SERVICES.values():
        told = {name for name in service.get("environment", {}) if secret.search(name)}
        assert told <= {"MANAGER_TOKEN_FILE", "VENUE_TOKEN_FILE"}  # which name a file
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


@pytest.mark.parametrize("name", ["strategy-agent", "live-agent"])
def test_traders_reach_the_suite_alone(name: str) -> None:
    """Their network ends there, and of its tokens they have their own."""
    assert ["inside"] == SERVICES[name]["networks"]
    shared = [one for one in SERVICES[name]["volumes"] if "tokens:" in str(one)]
    assert [] == shared


def test_the_arena_of_the_file_is_in_order() -> None:
    from strategy_agent.bootstrap import problems_with_plugins
    from suite.contracts.trader import parse_traders

    text = (ROOT / "deploy" / "compose" / "traders.yaml").read_text()
    found = parse_traders(yaml.safe_load(text), {}, check=problems_with_plugins)
    assert len(found.traders) >= 5


@pytest.mark.parametrize("name", ["strategy-agent", "live-agent", "trader-manager"])
def test_settings_of_models_reach_who_asks_them(name: str) -> None:
    """From one file, whose names are settings of models; keys are not among them."""
    *_, models = SERVICES[name]["env_file"]
    assert "${MODELS_ENV:-./deploy/env/models.env.example}" == models
    text = (ROOT / "deploy" / "env" / "models.env.example").read_text()
    listed = set(re.findall(r"^#?([A-Z_]+)=", text, re.MULTILINE))
    assert {one.upper() for one in known_names(strategy_models.settings.Settings)} == listed


def test_agents_reach_providers_by_a_file_of_its_own() -> None:
    """Without it their network ends here; with it they reach out, and nothing else changes."""
    added = yaml.safe_load((ROOT / "deploy" / "compose" / "models.yml").read_text())
    assert {"services"} == set(added)
    for name, service in added["services"].items():
        assert name in {"strategy-agent", "live-agent"}
        assert {"networks": ["inside", "outside"]} == service
    assert {"strategy-agent", "live-agent"} == set(added["services"])
