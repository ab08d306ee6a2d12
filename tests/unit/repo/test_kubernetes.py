"""The manifests of `deploy/kubernetes`: rendered by kubectl, valid, hardened, of this repository.

Without kubectl the same rules are held against the files as they are written.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from tests.unit.repo.test_compose import SERVICES
from tests.unit.repo.test_settings_listed import SERVICES as SETTINGS

from suite.service.settings import known_names

ROOT: Final = Path(__file__).parents[3]
FOLDER: Final = ROOT / "deploy" / "kubernetes"
OVERLAYS: Final = ("backtest", "paper", "live")
KUBECTL: Final = shutil.which("kubectl")
PORTS: Final = {
    "data-collector": 8000,
    "virtual-exchange": 8100,
    "hyperliquid-exchange": 8200,
    "trader-manager": 8400,
    "portfolio-service": 8500,
}
ENV_FILES: Final = {"strategy-agent": "agent", "virtual-exchange": "backtest"} | {
    "data-collector": "collector"
}
WORKLOADS: Final = {"Deployment", "StatefulSet"}
SOURCES: Final = sorted(
    path
    for path in FOLDER.rglob("*.yaml")
    if path.name not in {"kustomization.yaml", "traders.yaml"}
)


def documents(text: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(text) if one]


@cache
def rendered(overlay: str) -> str:
    if KUBECTL is None:
        pytest.skip("kubectl is not installed: the files were looked at as they are written")
    command = [KUBECTL, "kustomize", str(FOLDER / "overlays" / overlay)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def of_kind(found: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    return [one for one in found if one["kind"] in kinds]


def templates(found: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Pod templates by the names of their workloads; a patch of one is none."""
    for one in of_kind(found, *WORKLOADS):
        if "selector" in one["spec"]:
            yield one["metadata"]["name"], one["spec"]["template"]


def containers(template: dict[str, Any]) -> list[dict[str, Any]]:
    return [*template["spec"].get("initContainers", ()), *template["spec"]["containers"]]


def settings_of(service: str) -> set[str]:
    return {text.upper() for text in known_names(SETTINGS[ENV_FILES.get(service, service)])}


def check_pod(name: str, template: dict[str, Any]) -> None:
    """Hold a pod against the standard `restricted`, and more."""
    spec = template["spec"]
    security = spec["securityContext"]
    assert security["runAsNonRoot"] is True
    assert 10001 == security["runAsUser"]
    assert {"type": "RuntimeDefault"} == security["seccompProfile"]
    assert spec["enableServiceLinks"] is False
    assert spec["automountServiceAccountToken"] is (name == "trader-manager")
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    assert not [one for one in spec["volumes"] if "hostPath" in one]
    volumes = {one["name"] for one in spec["volumes"]} | {"state"}
    for container in containers(template):
        own = container["securityContext"]
        assert own["allowPrivilegeEscalation"] is False
        assert own["readOnlyRootFilesystem"] is True
        assert {"drop": ["ALL"]} == own["capabilities"]
        for kind in ("limits", "requests"):
            assert {"cpu", "memory"} == set(container["resources"][kind])
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
        assert not container["image"].endswith(":latest")
    for container in spec["containers"]:
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert probe in container, f"{name} has no {probe}"


def check_variables(template: dict[str, Any]) -> None:
    """Every variable is a setting of the service whose image it is."""
    for container in containers(template):
        service = container["image"].rpartition("/")[2].partition(":")[0]
        told = {one["name"] for one in container.get("env", ())}
        assert told <= settings_of(service), f"{service}: {told - settings_of(service)}"
        assert not [
            one for one in told if one.endswith(("TOKEN", "TOKENS", "SECRET", "KEY", "DSN"))
        ]


def outward(policies: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Who may reach which addresses by number."""
    found: dict[str, set[str]] = {}
    for policy in policies:
        for rule in policy["spec"].get("egress", ()):
            for peer in rule["to"]:
                if "ipBlock" in peer:
                    name = policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"]
                    found.setdefault(name, set()).add(peer["ipBlock"]["cidr"])
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_files_are_hardened_as_they_are_written(path: Path) -> None:
    found = documents(path.read_text())
    assert found
    for name, template in templates(found):
        check_pod(name, template)
        check_variables(template)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_rendered_pods_are_hardened(overlay: str) -> None:
    found = documents(rendered(overlay))
    pods = dict(templates(found))
    assert {"trader-manager", "portfolio-service", "strategy-agent"} < set(pods)
    for name, template in pods.items():
        check_pod(name, template)
        check_variables(template)
        for container in containers(template):
            _, colon, tag = container["image"].rpartition(":")
            assert colon
            assert "0.1.0" == tag


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_rendered_manifests_are_valid(overlay: str) -> None:
    """By the schemas of the API, unknown fields refused."""
    import kubernetes_validate

    for one in documents(rendered(overlay)):
        kubernetes_validate.validate(one, "1.37", strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_everything_is_in_a_namespace_of_its_own(overlay: str) -> None:
    found = documents(rendered(overlay))
    (namespace,) = of_kind(found, "Namespace")
    assert f"autocryptotrader-{overlay}" == namespace["metadata"]["name"]
    labels = namespace["metadata"]["labels"]
    assert "restricted" == labels["pod-security.kubernetes.io/enforce"]
    others = [one for one in found if one["kind"] != "Namespace"]
    assert {f"autocryptotrader-{overlay}"} == {one["metadata"]["namespace"] for one in others}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_ports_are_those_of_compose(overlay: str) -> None:
    found = documents(rendered(overlay))
    pods = dict(templates(found))
    for service in of_kind(found, "Service"):
        name = service["metadata"]["name"]
        (port,) = service["spec"]["ports"]
        assert PORTS[name] == port["port"]
        (main,) = pods[name]["spec"]["containers"]
        assert [PORTS[name]] == [one["containerPort"] for one in main["ports"]]
        published = SERVICES.get(name, {}).get("ports", [])
        assert all(one.endswith(f":{PORTS[name]}") for one in published)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_addresses_are_settings_and_lead_to_services(overlay: str) -> None:
    found = documents(rendered(overlay))
    services = {one["metadata"]["name"] for one in of_kind(found, "Service")}
    for one in of_kind(found, "ConfigMap"):
        name = one["metadata"]["name"]
        if name == "traders":
            continue
        readers = {"addresses": {"trader-manager", "portfolio-service"}}
        for reader in readers.get(name, {"hyperliquid-exchange"}):
            assert set(one["data"]) <= settings_of(reader)
        inside = [text for text in one["data"].values() if text.startswith("http://")]
        assert inside
        for text in inside:
            host, _, port = text.removeprefix("http://").rpartition(":")
            service = host.rpartition(".")[2]
            assert service in services
            assert PORTS[service] == int(port)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_selectors_find_what_is_there(overlay: str) -> None:
    found = documents(rendered(overlay))
    labels = [template["metadata"]["labels"] for _, template in templates(found)]
    names = {one["metadata"]["name"] for one in of_kind(found, *WORKLOADS)}
    for one in of_kind(found, "Service", "PodDisruptionBudget", *WORKLOADS):
        selector = one["spec"]["selector"]
        wanted = selector.get("matchLabels", selector)
        assert any(wanted.items() <= given.items() for given in labels), one["metadata"]["name"]
    assert names == {one["metadata"]["name"] for one in of_kind(found, "PodDisruptionBudget")}
    for one in of_kind(found, "HorizontalPodAutoscaler"):
        assert one["spec"]["scaleTargetRef"]["name"] in names


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_only_two_services_reach_out(overlay: str) -> None:
    found = documents(rendered(overlay))
    policies = of_kind(found, "NetworkPolicy")
    (closed,) = (one for one in policies if one["metadata"]["name"] == "nothing")
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} == closed["spec"]
    reached = outward(policies)
    private = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"}
    assert private == reached.pop("trader-manager")
    outside = {"backtest": set(), "paper": {"data-collector"}} | {
        "live": {"data-collector", "hyperliquid-exchange"}
    }
    assert outside[overlay] == set(reached)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_traders_pods_have_the_image_of_the_agents(overlay: str) -> None:
    pods = dict(templates(documents(rendered(overlay))))
    (manager,) = pods["trader-manager"]["spec"]["containers"]
    told = {one["name"]: one.get("value") for one in manager["env"]}
    (agent,) = pods["strategy-agent"]["spec"]["containers"]
    assert agent["image"] == told["TRADER_MANAGER_KUBERNETES_IMAGE"]


@pytest.fixture
def live_files(tmp_path: Path) -> Path:
    for name in ("keys", "watchdog-keys"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "anna.key").write_text("0x" + "1" * 64)
    (tmp_path / "accounts.yaml").write_text("accounts:\n  - trader_id: anna\n")
    (tmp_path / "exchange.env").write_text("")
    return tmp_path


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_secrets_are_those_that_the_pods_mount(overlay: str, live_files: Path) -> None:
    """And settings that go into a file are settings of who reads it."""
    made = {one["metadata"]["name"]: one["stringData"] for one in _secrets(overlay, live_files)}
    mounted = {
        volume["secret"]["secretName"]
        for _, template in templates(documents(rendered(overlay)))
        for volume in template["spec"]["volumes"]
        if "secret" in volume
    }
    assert mounted == set(made)
    for name, files in made.items():
        if name.endswith("-settings"):
            lines = files[".env"].splitlines()
            told = {line.partition("=")[0] for line in lines}
            assert told <= settings_of(name.removesuffix("-settings"))


def test_tokens_are_new_each_time_and_fit_together(live_files: Path) -> None:
    from dotenv import dotenv_values

    first, second = (
        {one["metadata"]["name"]: one["stringData"] for one in _secrets("live", live_files)}
        for _ in range(2)
    )
    manager = first["trader-manager-tokens"]["operator.token"]
    assert manager != second["trader-manager-tokens"]["operator.token"]
    assert f"MANAGER_TOKEN={manager}" in first["portfolio-service-settings"][".env"]
    path = live_files / "manager.env"
    path.write_text(first["trader-manager-settings"][".env"])
    told = dotenv_values(path)
    token = first["hyperliquid-exchange-tokens"]["anna.token"]
    assert {"anna": token} == json.loads(told["TRADER_TOKENS"] or "")


def test_settings_of_models_reach_agents_and_their_manager(live_files: Path) -> None:
    """By one Secret that need not be there; a key is in no other, and in no file here."""
    for name in ("strategy-agent", "trader-manager"):
        ((_, template),) = templates(documents((FOLDER / "base" / f"{name}.yaml").read_text()))
        told = [one.get("secretRef") for one in template["spec"]["containers"][0]["envFrom"]]
        assert {"name": "models", "optional": True} in told
    file = live_files / "models.env"
    text = (ROOT / "deploy" / "env" / "models.env.example").read_text()
    file.write_text(f"{text}LLM_MODE=live\nOPENAI_API_KEY=sk-canary\n")
    command = [sys.executable, str(FOLDER / "make_secrets.py"), "paper", "--models", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    made = {one["metadata"]["name"]: one["stringData"] for one in json.loads(done.stdout)["items"]}
    assert {"LLM_MODE": "live", "OPENAI_API_KEY": "sk-canary"} == made.pop("models")
    assert "sk-canary" not in json.dumps(made)
    file.write_text("LLM_MODE live\n")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (2, "") == (done.returncode, done.stdout)
    assert "models.env:1 is not NAME=value" in done.stderr


def test_a_live_folder_that_lacks_something_is_told(tmp_path: Path) -> None:
    done = _run("live", tmp_path)
    assert 2 == done.returncode
    assert "accounts.yaml" in done.stderr
    assert "" == done.stdout


def _run(overlay: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(FOLDER / "make_secrets.py"), overlay, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def _secrets(overlay: str, folder: Path) -> list[dict[str, Any]]:
    done = _run(overlay, folder)
    assert 0 == done.returncode, done.stderr
    items: list[dict[str, Any]] = json.loads(done.stdout)["items"]
    return items
