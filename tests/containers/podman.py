"""The part of the manifests that has no state of its own, run by `podman play kube`.

podman 4.3 knows no mount of one file of a Secret and no address of a pod as a variable, so what has
a state, whose token is such a file, is held against the rules of Kubernetes alone.
"""

import base64
import json
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

import yaml
from tests.containers.engine import ROOT, Failed, eventually, image, run, say

POD: Final = "strategy-agent-pod-0"
_VOLUMES: Final = ("strategy-agent-token", "strategy-agent-settings")
"""What podman makes of a Secret and a ConfigMap, and keeps."""
_LOCAL: Final = f"localhost/{image('strategy-agent')}"


def podman() -> None:
    """Have an agent's Deployment run, as it is rendered but for the image's name, and look.

    Raises:
        Failed: it does not run, or not as the manifest says.
    """
    saved = subprocess.Popen(("docker", "save", image("strategy-agent")), stdout=subprocess.PIPE)
    run("podman", "load", stdin=saved.stdout)
    if saved.wait() != 0:
        raise Failed(f"no image {image('strategy-agent')}: run the part `build` first")
    manifest = ROOT / "reports" / "strategy-agent.yaml"
    _write(manifest)
    run("podman", "play", "kube", str(manifest))
    try:
        eventually(lambda: _answer("/health") == 200, "a Deployment of agents is played, and lives")
        eventually(lambda: _answer("/ready") == 200, "it is ready to claim traders", limit_s=60)
        _restricted()
        logs = run("podman", "logs", f"{POD}-strategy-agent", check=False)
        if "act_" in logs:
            raise Failed("its log has a token")
    finally:
        run("podman", "play", "kube", "--down", str(manifest), check=False)
        run("podman", "volume", "rm", "--force", *_VOLUMES, check=False)
        run("podman", "rmi", "--force", _LOCAL, check=False)
        manifest.unlink()
    if run("podman", "ps", "-aq"):
        raise Failed("left over by `--down`")
    say("down: nothing is left")


def _write(path: Path) -> None:
    """Write the Deployment and its Secret."""
    rendered = run("kubectl", "kustomize", "deploy/kubernetes/overlays/backtest")
    (deployment,) = (
        one
        for one in yaml.safe_load_all(rendered)
        if (one["kind"], one["metadata"]["name"]) == ("Deployment", "strategy-agent")
    )
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    if not container["image"].startswith("strategy-agent:"):
        raise Failed(f"the Deployment has the image {container['image']}")
    container["image"] = _LOCAL
    token = base64.b64encode(b"act_" + b"x" * 43).decode()
    secret: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "strategy-agent-token"},
        "data": {"agent.token": token},
    }
    path.write_text(yaml.safe_dump_all([secret, deployment]))


def _answer(path: str) -> int:
    """Ask its control API; 0 where nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:8300{path}", timeout=5) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def _restricted() -> None:
    (seen,) = json.loads(run("podman", "inspect", f"{POD}-strategy-agent"))
    host = seen["HostConfig"]
    found = (seen["Config"]["User"], host["ReadonlyRootfs"], host["Memory"], seen["EffectiveCaps"])
    if found[:3] != ("10001:10001", True, 512 << 20) or found[3]:
        raise Failed(f"user, root, memory and capabilities are {found}")
    say("user 10001, nothing of the image can be written, 512 MiB, no capability")
