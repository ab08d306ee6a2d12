"""What a trader is in a cluster: a pod, its entry, its secrets and its disk.

A bare pod rather than a Deployment, a StatefulSet or a Job: its name is the fence. The API server
has one object of a name at a time and keeps it until the node has said that its containers are
gone, so two pods of one trader never run at once, whoever asks for them; a Deployment begins a
second one beside a node that is cut off. And `restartPolicy: Never` leaves it to the supervisor, as
everywhere else, what becomes of one that ended: controllers would restart it behind its back.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from trader_manager.application.runtime import Launch

FLEET: Final = "autocryptotrader/fleet"
TRADER: Final = "autocryptotrader/trader"
GENERATION: Final = "autocryptotrader/generation"
WORLD: Final = "autocryptotrader/world"
STARTED_MS: Final = "autocryptotrader/started-ms"
CONTROL_TOKEN: Final = "STRATEGY_AGENT_CONTROL_TOKEN"  # noqa: S105 - the name of a variable
PORT: Final = 8300
CONFIG: Final = "/etc/trader"
HOME: Final = "/var/lib/service"
GRACE_S: Final = 30
_USER: Final = 10001
"""Of the image, see `deploy/docker`."""
_PLAIN: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_ODD: Final = re.compile(r"[^a-z0-9-]+")
_SLUG: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRules:
    """How pods are made.

    Attributes:
        image: of strategy-agent.
        namespace: of the objects.
        prefix: of their names; another for each manager of a namespace.
        storage: of each trader's disk, as `1Gi`; empty for none, so that a trader whose pod is gone
            begins without what it remembered.
        storage_class: of the disks; the cluster's usual one when empty.
        memory_mb, cpus: of one trader at most.
    """

    image: str
    namespace: str = "default"
    prefix: str = "trader"
    storage: str = "1Gi"
    storage_class: str = ""
    memory_mb: int = 512
    cpus: float = 1.0


def name_of(rules: PodRules, trader_id: str) -> str:
    """Name the objects of a trader: a name of DNS, of one trader of one manager only.

    No prefix has a dot in it, and no id that is taken as it is.
    """
    if _PLAIN.fullmatch(trader_id) and len(trader_id) <= _SLUG:
        return f"{rules.prefix}.{trader_id}"
    digest = hashlib.sha256(trader_id.encode()).hexdigest()[:10]
    readable = _ODD.sub("-", trader_id.lower())[:_SLUG].strip("-") or "odd"
    return f"{rules.prefix}.{readable}.{digest}"


def _metadata(rules: PodRules, launch: Launch, now_ms: int) -> dict[str, Any]:
    return {
        "name": name_of(rules, launch.trader_id),
        "namespace": rules.namespace,
        "labels": {
            "app.kubernetes.io/name": "strategy-agent",
            "app.kubernetes.io/managed-by": "trader-manager",
            FLEET: rules.prefix,
        },
        "annotations": {
            TRADER: launch.trader_id,
            GENERATION: str(launch.generation),
            WORLD: launch.world,
            STARTED_MS: str(now_ms),
        },
    }


def config_map(rules: PodRules, launch: Launch, now_ms: int) -> dict[str, Any]:
    """Make what holds the entry; secrets are names in it."""
    entry = yaml.safe_dump({"traders": [dict(launch.written)]}, sort_keys=False)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(rules, launch, now_ms),
        "data": {"traders.yaml": entry},
    }


def secret(rules: PodRules, launch: Launch, now_ms: int, *, control_token: str) -> dict[str, Any]:
    """Make what holds the values of those names, and the tokens."""
    named = {name: value.get_secret_value() for name, value in launch.secrets.items()}
    tokens = {"TRADER_TOKEN": launch.token.get_secret_value(), CONTROL_TOKEN: control_token}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _metadata(rules, launch, now_ms),
        "type": "Opaque",
        "stringData": {**named, **tokens},
    }


def claim(rules: PodRules, launch: Launch, now_ms: int) -> dict[str, Any]:
    """Make what asks for its disk: journal and memory, which outlive its pods."""
    spec: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": rules.storage}},
    }
    if rules.storage_class:
        spec["storageClassName"] = rules.storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": _metadata(rules, launch, now_ms),
        "spec": spec,
    }


def pod(
    rules: PodRules, launch: Launch, now_ms: int, settings: Mapping[str, str]
) -> dict[str, Any]:
    """Make the pod: not root, its file system read-only, bounded, watched, never restarted.

    Args:
        rules: how pods are made.
        launch: the trader.
        now_ms: epoch ms.
        settings: of the agent, none of which is a secret.
    """
    name = name_of(rules, launch.trader_id)
    disk = {"persistentVolumeClaim": {"claimName": name}} if rules.storage else {"emptyDir": {}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(rules, launch, now_ms),
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": GRACE_S,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "runAsGroup": _USER,
                "fsGroup": _USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [_container(rules, launch, settings)],
            "volumes": [
                {"name": "entry", "configMap": {"name": name}},
                {"name": "state", **disk},
                {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
                {"name": "cache", "emptyDir": {"sizeLimit": "128Mi"}},
            ],
        },
    }


def _container(rules: PodRules, launch: Launch, settings: Mapping[str, str]) -> dict[str, Any]:
    limits = {"memory": f"{rules.memory_mb}Mi", "cpu": f"{round(rules.cpus * 1000)}m"}
    environment = {
        **settings,
        "TRADING_URL": launch.venue_url,
        "DATA_SERVICE_URL": launch.data_url,
        "STRATEGY_AGENT_SEED": str(launch.seed),
        "STRATEGY_AGENT_PAUSED": launch.paused,
        "STRATEGY_AGENT_HOST": "0.0.0.0",  # noqa: S104 - the address of a pod
        "TRUSTED_NETWORK": "true",
    }
    command = ["run", "--config", f"{CONFIG}/traders.yaml", "--trader", launch.trader_id]
    answers = {"tcpSocket": {"port": PORT}, "periodSeconds": 10}
    return {
        "name": "strategy-agent",
        "image": rules.image,
        "args": [*command, "--quiet", "--control-port", str(PORT)],
        "workingDir": HOME,
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "envFrom": [{"secretRef": {"name": name_of(rules, launch.trader_id)}}],
        "ports": [{"name": "control", "containerPort": PORT}],
        "resources": {"limits": limits, "requests": {**limits, "cpu": "50m"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        # Ready says whether it trades. That it answers is life: one that failed for good says so
        # for a person to read, and is not to be killed for it.
        "startupProbe": {**answers, "periodSeconds": 2, "failureThreshold": 60},
        "livenessProbe": {**answers, "failureThreshold": 6},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": PORT}, "periodSeconds": 10},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "entry", "mountPath": CONFIG, "readOnly": True},
            {"name": "state", "mountPath": HOME},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - of the pod alone
            {"name": "cache", "mountPath": "/var/cache/service"},
        ],
    }
