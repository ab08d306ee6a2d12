"""The objects that a trader is in a cluster: valid, named, bounded, and without secrets in them."""

import json
from typing import Any

import kubernetes_validate
import pytest
from pydantic import SecretStr

from trader_manager.adapters.kubernetes_pods import PodRules, objects
from trader_manager.adapters.kubernetes_pods.pods import _reason_of, _waits_for
from trader_manager.application.runtime import Launch

RULES = PodRules(image="strategy-agent:0.1.0", storage_class="fast")


def launch(name: str = "anna") -> Launch:
    return Launch(
        trader_id=name,
        written={"trader_id": name, "name": "${KEY}", "strategy": {"kind": "hodl"}},
        secrets={"KEY": SecretStr("secret-of-a-model")},
        generation=7,
        venue_url="http://venue:8100",
        data_url="http://data:8100",
        token=SecretStr("act_token"),
        seed=3,
    )


def made(name: str = "anna", rules: PodRules = RULES) -> dict[str, dict[str, Any]]:
    one = launch(name)
    return {
        "config_map": objects.config_map(rules, one, 5),
        "secret": objects.secret(rules, one, 5, control_token="ctl_token"),
        "claim": objects.claim(rules, one, 5),
        "pod": objects.pod(rules, one, 5, {"STRATEGY_AGENT_LOCAL_STEPS": "true"}),
    }


@pytest.mark.parametrize("name", ["anna", "Anna_B.2", "x" * 64])
@pytest.mark.parametrize("storage", ["1Gi", ""])
def test_objects_are_what_the_api_says_they_are(name: str, storage: str) -> None:
    """Strictly: no key that it does not know."""
    for body in made(name, PodRules(image="i", storage=storage)).values():
        kubernetes_validate.validate(body, "1.32", strict=True)


def test_a_key_that_the_api_does_not_know_is_found() -> None:
    """So the test above can fail."""
    pod = made()["pod"]
    pod["spec"]["containers"][0]["enviroment"] = []
    with pytest.raises(kubernetes_validate.ValidationError, match="enviroment"):
        kubernetes_validate.validate(pod, "1.32", strict=True)


def test_secrets_are_in_the_secret_only() -> None:
    bodies = made()
    assert {
        "KEY": "secret-of-a-model",
        "TRADER_TOKEN": "act_token",
        "STRATEGY_AGENT_CONTROL_TOKEN": "ctl_token",
    } == bodies.pop("secret")["stringData"]
    for value in ("secret-of-a-model", "act_token", "ctl_token"):
        assert value not in json.dumps(bodies)
    assert "${KEY}" in bodies["config_map"]["data"]["traders.yaml"]


def test_a_pod_may_do_little() -> None:
    """Not root, nothing but its volumes can be written, bounded, never restarted by the cluster."""
    spec = made()["pod"]["spec"]
    (container,) = spec["containers"]
    assert ("Never", False, 30) == (
        spec["restartPolicy"],
        spec["automountServiceAccountToken"],
        spec["terminationGracePeriodSeconds"],
    )
    assert spec["securityContext"]["runAsNonRoot"]
    assert {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    } == container["securityContext"]
    assert {"memory": "512Mi", "cpu": "1000m"} == container["resources"]["limits"]
    assert "FallbackToLogsOnError" == container["terminationMessagePolicy"]
    assert {"/etc/trader", "/var/lib/service", "/tmp", "/var/cache/service"} == {
        one["mountPath"] for one in container["volumeMounts"]
    }


def test_each_trader_has_a_name_of_its_own() -> None:
    """Though names of a cluster are lower case, and short."""
    ids = ["anna", "Anna", "ANNA", "an.na", "an-na", "an_na", "a" * 31, "a" * 64, "x-", "trader-x"]
    ids += ["x-a", "a", "_"]
    names = [objects.name_of(RULES, one) for one in ids]
    for prefix in ("trader-x", "t" * 20):  # another manager of the namespace
        names += [objects.name_of(PodRules(image="i", prefix=prefix), one) for one in ids]
    assert 3 * len(ids) == len(set(names))
    assert "trader.anna" == names[0]
    assert max(map(len, names)) < 64


@pytest.mark.parametrize(
    ("terminated", "more", "said"),
    [
        ({"exitCode": 2, "reason": "Error", "message": "a\nstrategy-agent: no\n"}, {}, "no"),
        ({"exitCode": 137, "reason": "OOMKilled"}, {}, "OOMKilled: exit code 137"),
        ({"exitCode": 137, "reason": "Error"}, {}, "Error: exit code 137"),
        (None, {"reason": "Evicted", "message": "low on disk"}, "Evicted: low on disk"),
        (None, {}, "failed: exit code unknown"),
    ],
)
def test_a_pod_that_failed_says_why(
    terminated: dict[str, Any] | None, more: dict[str, Any], said: str
) -> None:
    """The last that it said, or what the node says of it."""
    states = [] if terminated is None else [{"state": {"terminated": terminated}}]
    assert said == _reason_of({"containerStatuses": states, **more})


def test_a_pod_that_does_not_run_says_what_it_waits_for() -> None:
    """An image that is not there, a node that has no room; not that it is about to run."""
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    pulled = {"containerStatuses": [{"state": {"waiting": waiting}}]}
    assert "ImagePullBackOff: no such image" == _waits_for(pulled)
    creating = {"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}
    assert "" == _waits_for(creating)
    unplaced = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "m",
    }
    assert "Unschedulable: m" == _waits_for({"conditions": [unplaced]})
