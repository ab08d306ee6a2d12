"""The container engine and compose, as commands: Docker's, or podman's by `CONTAINER_ENGINE`."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
ENGINE: Final = os.environ.get("CONTAINER_ENGINE", "docker")
PROJECT: Final = "act-e2e"
TAG: Final = "e2e"
OPERATOR: Final = "var/tokens/operator.token"
TRANSCRIPT: Final = ROOT / "reports" / "containers.txt"
_BEGAN: Final = time.monotonic()


class Failed(Exception):
    """Something did not hold."""


def image(service: str) -> str:
    """Name the image of a service, as the compose file does."""
    return f"autocryptotrader/{service}:{TAG}"


def say(text: str) -> None:
    """Tell where the run is, and keep it."""
    line = f"[{time.monotonic() - _BEGAN:6.1f} s] {text}"
    print(line, flush=True)
    TRANSCRIPT.parent.mkdir(exist_ok=True)
    with TRANSCRIPT.open("a", encoding="utf-8") as kept:
        kept.write(f"{line}\n")


def run(*command: str, check: bool = True, **more: Any) -> str:
    """Run a command; its output.

    Raises:
        Failed: it did not end well.
    """
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=3600, **more
    )
    if check and done.returncode != 0:
        shown = f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        raise Failed(f"{' '.join(command)[:200]}: exit code {done.returncode}\n{shown}")
    return str(done.stdout).strip()


def compose_command() -> list[str]:
    """Find compose: the plugin of the engine, or the older program, or podman's.

    Raises:
        Failed: there is none.
    """
    if ENGINE == "podman":
        if shutil.which("podman-compose") is None:
            raise Failed("podman-compose is not installed")
        return ["podman-compose", "-f", "docker-compose.yml", "-f", "deploy/compose/podman.yml"]
    if subprocess.run(
        ["docker", "compose", "version"], capture_output=True, check=False
    ).returncode:
        if shutil.which("docker-compose") is None:
            raise Failed("neither `docker compose` nor docker-compose is installed")
        return ["docker-compose"]
    return ["docker", "compose"]


class Stack:
    """One profile of the compose file, in a project of its own.

    Args:
        profile: of it.
        env: variables of the file.
    """

    def __init__(self, profile: str, env: Mapping[str, str] | None = None) -> None:
        self.profile = profile
        self._env = (
            os.environ | {"COMPOSE_PROJECT_NAME": PROJECT, "SUITE_TAG": TAG} | dict(env or {})
        )
        self._command = [*compose_command(), "--profile", profile]

    def compose(self, *words: str, check: bool = True) -> str:
        return run(*self._command, *words, env=self._env, check=check)

    def down(self) -> None:
        """End all of it, volumes too."""
        # podman-compose removes volumes before the containers that were scaled, hence twice.
        for _ in range(2 if ENGINE == "podman" else 1):
            self.compose("down", "--volumes", "--remove-orphans", check=False)

    def containers(self, service: str) -> list[str]:
        """Ids of a service's containers."""
        labels = (f"com.docker.compose.project={PROJECT}", f"com.docker.compose.service={service}")
        filters = [word for label in labels for word in ("--filter", f"label={label}")]
        return run(ENGINE, "ps", "-aq", "--no-trunc", *filters).split()

    def container(self, service: str) -> str:
        """Id of the only one.

        Raises:
            Failed: there is none, or there are several.
        """
        found = self.containers(service)
        if len(found) != 1:
            raise Failed(f"{service} has {len(found)} containers")
        return found[0]

    def await_healthy(self, services: Sequence[str], *, limit_s: float = 600) -> None:
        """Wait until all containers of services are healthy."""

        def healthy() -> bool:
            return all(
                all(health(one) == "healthy" for one in found)
                for found in (self.containers(service) for service in services)
                if found
            ) and all(self.containers(service) for service in services)

        try:
            eventually(healthy, f"{', '.join(services)} healthy", limit_s=limit_s)
        except Failed as failure:
            logs = self.compose("logs", "--no-color", "--tail", "40", check=False)
            raise Failed(f"{failure}\n{logs[-8000:]}") from None


def eventually(holds: Callable[[], bool], what: str, *, limit_s: float = 300) -> None:
    """Wait for an effect.

    Raises:
        Failed: it does not come.
    """
    begin = time.monotonic()
    while not holds():
        if time.monotonic() - begin > limit_s:
            raise Failed(f"not within {limit_s:.0f} s: {what}")
        time.sleep(1)
    say(f"{what} ({time.monotonic() - begin:.0f} s)")


def inspect(container: str, form: str) -> str:
    return run(ENGINE, "inspect", "--format", form, container)


def health(container: str) -> str:
    if ENGINE == "podman":  # it leaves the clock to systemd, which need not be there
        run(ENGINE, "healthcheck", "run", container, check=False)
    return inspect(container, "{{if .State.Health}}{{.State.Health.Status}}{{end}}")


def restarts(container: str) -> int:
    return int(inspect(container, "{{.RestartCount}}"))


def python(container: str, code: str, *, check: bool = True) -> str:
    """Run a few lines in a container, by its own user."""
    return run(ENGINE, "exec", container, "python", "-c", code, check=check)


_ASK: Final = """
import json, sys, urllib.error, urllib.request as r
def ask(url, token_file, body):
    token = open(token_file).read().strip() if token_file else ""
    head = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    try:
        return r.urlopen(r.Request(url, data, head), timeout=30).read().decode()
    except urllib.error.HTTPError as error:
        return json.dumps({"error": error.code, "told": error.read().decode()[:300]})
    except OSError as error:
        return json.dumps({"error": 0, "told": str(error)})
print(ask(*json.loads(sys.argv[1])))
"""


def ask(container: str, url: str, *, token_file: str = "", body: object = None) -> Any:
    """Ask a service from inside a container."""
    given = json.dumps([url, token_file, body])
    return json.loads(run(ENGINE, "exec", container, "python", "-c", _ASK, given))


def kill_inside(container: str) -> None:
    """Kill the service in a container, so that its engine sees a crash and no command."""
    python(
        container,
        "import os, signal\n"
        "own = os.getpid()\n"
        "found = sorted(int(p) for p in os.listdir('/proc') if p.isdigit() and int(p) > 1)\n"
        "os.kill(next(p for p in found if p != own), signal.SIGKILL)\n",
        check=False,
    )
