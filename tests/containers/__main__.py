"""Build the images, run the profiles and hurt them: `make e2e-containers`.

Needs a container engine (`DOCKER_HOST`, or the usual socket) and compose; by
`CONTAINER_ENGINE=podman` it takes podman and podman-compose. Everything it starts is of the project
`act-e2e`, and is gone at the end, volumes too. Ports 8000 to 8500 must be free.
`--only build,backtest,paper,live` does a part; `podman` is one too, for who has both engines. What
it says is kept in reports/containers.txt.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.containers import live
from tests.containers.engine import (
    ENGINE,
    OPERATOR,
    PROJECT,
    Failed,
    Stack,
    ask,
    eventually,
    image,
    inspect,
    kill_inside,
    python,
    restarts,
    run,
    say,
)
from tests.containers.podman import podman

MB: Final = 1_000_000
LIMITS_MB: Final = {
    "virtual-exchange": 500,
    "hyperliquid-exchange": 500,  # drift plays orders again on the engine
    "strategy-agent": 500,
    "data-collector": 350,
    "trader-manager": 350,
    "portfolio-service": 350,
}
"""Above the base: 500 with the engine or the features compiled (the compiler alone is 154), 350
without."""
MANAGER: Final = "http://127.0.0.1:8400"
STAY: Final = ("virtual-exchange", "trader-manager", "strategy-agent", "portfolio-service")


def build() -> None:
    """Build every image, and weigh it.

    Raises:
        Failed: one is too large, or runs as root.
    """
    sizes = {service: _built(service) for service in LIMITS_MB}
    if over := [name for name, size in sizes.items() if size > LIMITS_MB[name] * MB]:
        raise Failed(f"too large: {', '.join(over)}")
    _built("virtual-exchange", "ml")
    given = ("--rm", "--entrypoint", "python", f"{image('virtual-exchange')}-ml")
    run(ENGINE, "run", *given, "-c", "import strategy_models, xgboost, virtual_exchange.main")
    say("virtual-exchange with `ml` has what its traders want")


def _built(service: str, extras: str = "") -> int:
    """Build an image; the bytes of its layers above the base."""
    name = f"{image(service)}-{extras}" if extras else image(service)
    say(f"building {name}")
    recipe = ("-f", "deploy/docker/python-service.Dockerfile")
    given = ("--build-arg", f"SERVICE={service}", "--build-arg", f"EXTRAS={extras}")
    run(ENGINE, "build", *recipe, *given, "-t", name, ".")
    layers = run(ENGINE, "history", "--human=false", "--format", "{{.Size}}\t{{.CreatedBy}}", name)
    own = 0
    for line in layers.splitlines():
        size, _, made_by = line.partition("\t")
        if "ADD file" in made_by or "Imported" in made_by or made_by == "":
            break  # of the base
        own += int(size)
    user = inspect(name, "{{.Config.User}}")
    allowed = "" if extras else f", {LIMITS_MB[service]} allowed"
    say(f"{name}: {own / MB:.0f} MB above the base{allowed}; user {user}")
    if user != "10001":
        raise Failed(f"{name} runs as {user!r}")
    return own


def traders(stack: Stack) -> list[dict[str, Any]]:
    told = ask(stack.container("trader-manager"), f"{MANAGER}/traders", token_file=OPERATOR)
    found: list[dict[str, Any]] = told["traders"] if isinstance(told, dict) else told
    return found


def _status(trader: dict[str, Any]) -> dict[str, Any]:
    return trader.get("status") or {}


def _decisions(stack: Stack) -> int:
    return sum(int(_status(one).get("decisions", 0)) for one in traders(stack))


def _all_trade(stack: Stack) -> Callable[[], bool]:
    def holds() -> bool:
        found = traders(stack)
        states = [_status(one).get("state") for one in found]
        return len(found) >= 5 and all(state == "running" for state in states)

    return holds


def _goes_on(stack: Stack, what: str) -> None:
    eventually(_all_trade(stack), f"{what}: all traders run", limit_s=300)
    before = _decisions(stack)
    eventually(lambda: _decisions(stack) > before, f"{what}: decisions are made")


def _closed(stack: Stack) -> None:
    """Look at what a container may do."""
    for service in STAY:
        one = stack.containers(service)[0]
        if python(one, "import os; print(os.getuid())") != "10001":
            raise Failed(f"{service} does not run as user 10001")
        written = python(one, "open('/opt/service/x', 'w')", check=False)
        wrote = run(ENGINE, "exec", one, "sh", "-c", "touch /usr/x && echo yes || true")
        if "yes" in wrote or written:
            raise Failed(f"{service} can write to its image")
        if "act_" in inspect(one, "{{json .Config}}"):
            raise Failed(f"{service} shows a token to `inspect`")
    reach = "import socket; socket.create_connection(('1.1.1.1', 443), 3); print('out')"
    # deploy/compose/podman.yml says why those with a port do reach out there.
    for service in STAY if ENGINE == "docker" else ("strategy-agent",):
        if "out" in python(stack.containers(service)[0], reach, check=False):
            raise Failed(f"{service} reaches out")
    say("nobody is root, no image can be written to, nobody reaches out who should not")


def backtest() -> None:
    """Run the arena and hurt it.

    Raises:
        Failed: something did not hold.
    """
    stack = Stack("backtest")
    try:
        stack.compose("up", "-d")
        stack.await_healthy(STAY)
        _closed(stack)
        _goes_on(stack, "the arena")
        eventually(
            lambda: sum(int(_status(one).get("fills", 0)) for one in traders(stack)) > 0,
            "the arena: orders are filled",
        )
        published = run("curl", "-sf", "http://127.0.0.1:8500/health")
        say(f"the dashboard's port answers: {published[:80]}")
        if ENGINE == "docker" or Path("/run/systemd/private").exists():
            _kill(stack)
        else:
            say("nothing is killed: without systemd podman begins no container with a check anew")
        _partition(stack)
        _scale(stack)
    finally:
        stack.down()
    _gone()


def paper() -> None:
    """Trade paper money in a market that is live, as far as the collector can tell.

    Raises:
        Failed: it does not trade.
    """
    stack = Stack("paper", {"DATA_COLLECTOR_URL": "http://stand-in:8100"})
    try:
        stack.compose("up", "--no-start", "data-collector")  # its networks are there now
        live.live_market()
        stack.compose("up", "-d")
        stack.await_healthy(("data-collector", "paper-exchange", *STAY[1:]))
        _goes_on(stack, "paper money")
        eventually(
            lambda: sum(int(_status(one).get("fills", 0)) for one in traders(stack)) > 0,
            "paper money: orders are filled",
        )
    finally:
        live.clean(stack)
    _gone()


def _began_anew(container: str, before: int) -> bool:
    return restarts(container) > before


def _kill(stack: Stack) -> None:
    for service in ("strategy-agent", "trader-manager"):
        one = stack.container(service)
        before = restarts(one)
        kill_inside(one)
        eventually(partial(_began_anew, one, before), f"{service} was killed, and is begun anew")
        stack.await_healthy([service])
        _goes_on(stack, f"after the death of {service}")


def _partition(stack: Stack) -> None:
    one, network = stack.container("virtual-exchange"), f"{PROJECT}_inside"
    run(ENGINE, "network", "disconnect", network, one)
    lost = "a trader says that the venue is lost"
    eventually(
        lambda: any(_status(trader).get("connection") == "lost" for trader in traders(stack)), lost
    )
    run(ENGINE, "network", "connect", "--alias", "virtual-exchange", network, one)
    _goes_on(stack, "after the partition of the venue")


def _scale(stack: Stack) -> None:
    stack.compose("up", "-d", "--scale", "strategy-agent=5")
    eventually(lambda: len(stack.containers("strategy-agent")) == 5, "five agents")
    stack.await_healthy(["strategy-agent"])
    held = [str(one["holder"]) for one in traders(stack) if one.get("holder")]
    holders = {one.partition("/")[0] for one in held}
    say(f"{len(holders)} agents hold {len(traders(stack))} traders")
    _goes_on(stack, "with five agents")
    # The agent that has them all goes, and gives them back: the others take over.
    holder = next(str(one["holder"]) for one in traders(stack) if one.get("holder"))
    run(ENGINE, "stop", "-t", "30", holder.partition("-")[0])
    _goes_on(stack, "without the one that held them")


def _gone() -> None:
    for kind in (["ps", "-aq"], ["volume", "ls", "-q"], ["network", "ls", "-q"]):
        left = run(ENGINE, *kind, "--filter", f"label=com.docker.compose.project={PROJECT}")
        if left:
            raise Failed(f"left over by `down`: {ENGINE} {' '.join(kind)}: {left}")
    say("down: nothing is left")


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="build,backtest,paper,live")
    parts: dict[str, Callable[[], None]] = {
        "build": build,
        "backtest": backtest,
        "paper": paper,
        "live": live.run_live,
        "podman": podman,
    }
    asked = parser.parse_args().only.split(",")
    try:
        run(ENGINE, "info")
        for name in asked:
            say(f"== {name}")
            parts[name]()
            if name == "live":
                _gone()
    except Failed as failure:
        say(f"FAILED: {failure}")
        return 1
    say("all of it held")
    return 0


if __name__ == "__main__":
    sys.exit(main())
