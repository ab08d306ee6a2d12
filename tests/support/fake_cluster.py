"""A FAKE cluster: the API server's answers for the calls of one adapter, and one node.

Whoever asks is the account of `deploy/kubernetes`: what its Role does not grant is 403.

It is no Kubernetes. It speaks the shapes of the API (paths, `metadata.uid`, `deletionTimestamp`,
`Status` bodies, 404 and 409) for the objects that a trader is made of, keeps them in memory, and
runs each pod as a real process of this machine: the arguments of its container, its environment out
of `env` and the Secret of `envFrom`, its entry out of the ConfigMap, a folder for its claim, an
address of the loopback of its own. What a scheduler, a volume or a probe does is not here.
"""

import asyncio
import base64
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from aiohttp import web

KINDS: Final = ("configmaps", "secrets", "persistentvolumeclaims", "pods")
AGENT: Final = str(Path(sys.executable).with_name("strategy-agent"))


_ROLE: Final = Path(__file__).parents[2] / "deploy" / "kubernetes" / "base" / "trader-manager.yaml"
_VERBS: Final = {"POST": "create", "PUT": "update", "DELETE": "delete"}


@cache
def _granted() -> frozenset[tuple[str, str]]:
    """Kinds and verbs of the manager's Role."""
    (role,) = (one for one in yaml.safe_load_all(_ROLE.read_text()) if one["kind"] == "Role")
    return frozenset(
        (kind, verb)
        for rule in role["rules"]
        for kind in rule["resources"]
        for verb in rule["verbs"]
    )


@web.middleware
async def _by_role(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    kind, name = request.match_info["kind"], request.match_info.get("name")
    verb = _VERBS.get(request.method) or ("get" if name else "list")
    if (kind, verb) not in _granted():
        return _status(403, "Forbidden", f"the account cannot {verb} {kind}")
    return await handler(request)


class FakeCluster:
    """An API server and its node.

    Args:
        folder: of the pods' files.

    Attributes:
        url: of the API server.
        objects: by kind and name.
        calls: methods and paths that it was asked.
    """

    def __init__(self, folder: Path) -> None:
        self.url = ""
        self.objects: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in KINDS}
        self.calls: list[str] = []
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ends: set[asyncio.Task[None]] = set()
        self._addresses = 10
        application = web.Application(middlewares=[_by_role])
        base = "/api/v1/namespaces/default/{kind}"
        application.router.add_get(base, self._list)
        application.router.add_post(base, self._create)
        application.router.add_get(base + "/{name}", self._read)
        application.router.add_put(base + "/{name}", self._replace)
        application.router.add_delete(base + "/{name}", self._delete)
        self._runner = web.AppRunner(application)

    async def open(self) -> None:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def close(self) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()
        for end in self._ends:
            end.cancel()
        await asyncio.gather(*self._ends, return_exceptions=True)
        await self._runner.cleanup()

    def kill(self, name: str) -> None:
        """Kill what runs in a pod, as its node would for want of memory."""
        self._processes[name].send_signal(signal.SIGKILL)

    # the API server

    async def _list(self, request: web.Request) -> web.Response:
        self.calls.append(f"{request.method} {request.path}")
        self._observe()
        wanted = dict(
            part.split("=", 1) for part in request.query.get("labelSelector", "").split(",") if part
        )
        items = [
            one
            for one in self._of(request).values()
            if wanted.items() <= one["metadata"]["labels"].items()
        ]
        return web.json_response({"kind": "List", "apiVersion": "v1", "items": items})

    async def _create(self, request: web.Request) -> web.Response:
        self.calls.append(f"{request.method} {request.path}")
        body = await request.json()
        name, kind = body["metadata"]["name"], request.match_info["kind"]
        if name in self._of(request):
            return _status(409, "AlreadyExists", f'{kind} "{name}" already exists')
        body["metadata"]["uid"] = str(uuid.uuid4())
        self._of(request)[name] = _stored(body)
        if kind == "pods":
            self._run(name, body)
        return web.json_response(body, status=201)

    async def _read(self, request: web.Request) -> web.Response:
        self._observe()
        name = request.match_info["name"]
        found = self._of(request).get(name)
        if found is None:
            return _status(404, "NotFound", f'"{name}" not found')
        return web.json_response(found)

    async def _replace(self, request: web.Request) -> web.Response:
        body = await request.json()
        name = request.match_info["name"]
        body["metadata"]["uid"] = self._of(request)[name]["metadata"]["uid"]
        self._of(request)[name] = _stored(body)
        return web.json_response(body)

    async def _delete(self, request: web.Request) -> web.Response:
        name, kind = request.match_info["name"], request.match_info["kind"]
        found = self._of(request).get(name)
        if found is None:
            return _status(404, "NotFound", f'"{name}" not found')
        options = await request.json() if request.can_read_body else {}
        uid = (options.get("preconditions") or {}).get("uid", found["metadata"]["uid"])
        if uid != found["metadata"]["uid"]:
            return _status(409, "Conflict", f"the UID in the precondition ({uid}) does not match")
        if kind == "pods":
            found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            end = asyncio.create_task(self._end(name, found))
            self._ends.add(end)
            end.add_done_callback(self._ends.discard)
        else:
            del self._of(request)[name]
        return web.json_response(found)

    def _of(self, request: web.Request) -> dict[str, dict[str, Any]]:
        return self.objects[request.match_info["kind"]]

    # the node

    def _run(self, name: str, pod: dict[str, Any]) -> None:
        (container,) = pod["spec"]["containers"]
        volumes = {one["name"]: one for one in pod["spec"]["volumes"]}
        claim = volumes["state"].get("persistentVolumeClaim", {}).get("claimName")
        home = self._folder / (f"claims/{claim}" if claim else f"pods/{pod['metadata']['uid']}")
        entry = self._folder / f"pods/{pod['metadata']['uid']}-entry"
        for folder in (home, entry):
            folder.mkdir(parents=True, exist_ok=True)
        for file, text in self.objects["configmaps"][name]["data"].items():
            (entry / file).write_text(text)
        self._addresses += 1
        address = f"127.0.0.{self._addresses}"
        environment = {
            **{key: os.environ[key] for key in ("PATH", "HOME", "PYTHONPATH") if key in os.environ},
            **{
                key: base64.b64decode(value).decode()
                for source in container["envFrom"]
                for key, value in self.objects["secrets"][source["secretRef"]["name"]][
                    "data"
                ].items()
            },
            **{one["name"]: one["value"] for one in container["env"]},
            "STRATEGY_AGENT_HOST": address,
        }
        arguments = [str(one).replace("/etc/trader", str(entry)) for one in container["args"]]
        with (self._folder / f"pods/{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                [AGENT, *arguments], cwd=home, env=environment, stdout=log, stderr=log
            )
        pod["status"] = {"phase": "Running", "podIP": address}

    def _observe(self) -> None:
        """Note which containers have ended."""
        for name, pod in self.objects["pods"].items():
            code = self._processes[name].poll()
            if code is None or pod["status"]["phase"] != "Running":
                continue
            said = (self._folder / f"pods/{name}.log").read_text()[-2000:]
            ended = {
                "exitCode": code if code >= 0 else 128 - code,
                "reason": "Completed" if code == 0 else "Error",
                "message": said if code else "",
            }
            pod["status"]["phase"] = "Succeeded" if code == 0 else "Failed"
            pod["status"]["containerStatuses"] = [{"state": {"terminated": ended}}]

    async def _end(self, name: str, pod: dict[str, Any]) -> None:
        process = self._processes[name]
        process.terminate()
        for _ in range(pod["spec"]["terminationGracePeriodSeconds"] * 10):
            if process.poll() is not None:
                break
            await asyncio.sleep(0.1)
        process.kill()
        process.wait()
        if self.objects["pods"].get(name) is pod:
            del self.objects["pods"][name]


def _stored(body: dict[str, Any]) -> dict[str, Any]:
    """An object as it is kept: a Secret's texts are coded, and not there in clear."""
    if body["kind"] == "Secret":
        coded = {
            key: base64.b64encode(value.encode()).decode()
            for key, value in body.pop("stringData", {}).items()
        }
        body["data"] = {**body.get("data", {}), **coded}
    return body


def _status(code: int, reason: str, message: str) -> web.Response:
    body = {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    }  # fmt: skip
    return web.json_response(body, status=code)
