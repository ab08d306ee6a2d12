"""Traders as pods of a cluster, through the official client's asyncio part."""

import asyncio
import base64
import os
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec
from pydantic import SecretStr

from suite.clock import Clock
from suite.errors import (
    ConfigError,
    Conflict,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
    one_line,
)
from trader_manager.adapters.kubernetes_pods import objects
from trader_manager.adapters.kubernetes_pods.objects import PodRules, name_of
from trader_manager.application.runtime import Launch, Sighting
from trader_manager.domain.agent_words import last_line
from trader_manager.domain.reserved import agent_settings

_CALL_S: Final = 20.0
_GONE_S: Final = objects.GRACE_S + 30.0
"""A node takes some time to say that a pod is gone."""
_PAUSE_S: Final = 0.2
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}")
_OVER: Final = frozenset({"Succeeded", "Failed"})
_NOT_FOUND: Final = 404
_TAKEN: Final = 409


class KubernetesPods:
    """A `Runtime` of a cluster.

    Args:
        rules: how pods are made.
        wall: the machine's clock.
        connect: opens the client; by kubeconfig, or as a pod of the cluster, when not given.
    """

    def __init__(
        self, rules: PodRules, wall: Clock, *, connect: Callable[[], Awaitable[Any]] | None = None
    ) -> None:
        self._rules = rules
        self._wall = wall
        self._connect = connect or _by_configuration
        self._client: Any = None
        self._opening = asyncio.Lock()
        self._tokens: dict[str, SecretStr] = {}

    async def close(self) -> None:
        """Let go of the connections; the pods run on."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def start(self, launch: Launch) -> None:
        """Start a trader; nothing where it runs already.

        Raises:
            Conflict: somebody else has started it this moment.
            UpstreamTimeout: the pod before it is not gone yet.
            SuiteError: the cluster refuses.
        """
        if _NAME.fullmatch(launch.trader_id) is None:
            raise ConfigError(f"{launch.trader_id[:64]!r} is no name of a trader")
        rules, now_ms = self._rules, self._wall.now_ms()
        before = await self._read("pod", launch.trader_id)
        if before is not None:
            if not _is_ending(before) and _phase(before) not in _OVER:
                return
            await self._delete_pod(before)
        control_token = secrets.token_urlsafe(32)
        await self._put("config_map", objects.config_map(rules, launch, now_ms))
        await self._put(
            "secret", objects.secret(rules, launch, now_ms, control_token=control_token)
        )
        if rules.storage:
            await self._create("persistent_volume_claim", objects.claim(rules, launch, now_ms))
        settings = agent_settings(os.environ)
        if not await self._create("pod", objects.pod(rules, launch, now_ms, settings)):
            raise Conflict(f"there is a pod of {launch.trader_id} already: somebody started it")

    async def stop(self, trader_id: str) -> None:
        """End a trader in order; the cluster ends it by force after its grace.

        Raises:
            UpstreamTimeout: it is not gone: its node may be away, and it may trade there yet.
        """
        found = await self._read("pod", trader_id)
        if found is not None:
            await self._delete_pod(found)

    async def look(self, trader_id: str) -> Sighting:
        """See what a trader is doing."""
        found = await self._read("pod", trader_id)
        if found is None:
            return Sighting(actual="absent")
        await self._learn_tokens([found])
        return self._sighting(found)

    async def look_all(self) -> Mapping[str, Sighting]:
        """See what all traders are doing: one question, and one more when there are new ones."""
        listed = await self._call(
            "list_namespaced_pod",
            self._rules.namespace,
            label_selector=f"{objects.FLEET}={self._rules.prefix}",
        )
        pods = (listed or {}).get("items") or []
        await self._learn_tokens(pods)
        return {_trader_of(pod): self._sighting(pod) for pod in pods}

    async def forget(self, trader_id: str) -> None:
        """Let go of a trader that does not run: its secrets, its entry; its disk stays."""
        found = await self._read("pod", trader_id)
        if found is not None and _phase(found) not in _OVER:
            return
        if found is not None:
            await self._delete_pod(found)
        for kind in ("secret", "config_map"):
            await self._call(f"delete_namespaced_{kind}", *self._place(trader_id))

    # objects

    def _place(self, trader_id: str) -> tuple[str, str]:
        return name_of(self._rules, trader_id), self._rules.namespace

    async def _read(self, kind: str, trader_id: str) -> Mapping[str, Any] | None:
        found = await self._call(f"read_namespaced_{kind}", *self._place(trader_id))
        if found is None or _label(found) != self._rules.prefix:
            return None
        return found if _mark(found, objects.TRADER) == trader_id else None

    async def _create(self, kind: str, body: Mapping[str, Any]) -> bool:
        """Create an object; whether it was not there before."""
        name = f"create_namespaced_{kind}"
        try:
            await self._call(name, self._rules.namespace, body)
        except Conflict:
            return False
        return True

    async def _put(self, kind: str, body: Mapping[str, Any]) -> None:
        """Create an object, or replace it."""
        if not await self._create(kind, body):
            name = f"replace_namespaced_{kind}"
            await self._call(name, body["metadata"]["name"], self._rules.namespace, body)

    async def _delete_pod(self, found: Mapping[str, Any]) -> None:
        """Delete this very pod, and wait until it is gone."""
        trader_id, uid = _mark(found, objects.TRADER), found["metadata"]["uid"]
        if not _is_ending(found):
            try:
                await self._call(
                    "delete_namespaced_pod",
                    *self._place(trader_id),
                    body={"preconditions": {"uid": uid}},
                )
            except Conflict:
                return  # it is another one by now
        deadline = asyncio.get_running_loop().time() + _GONE_S
        while (there := await self._read("pod", trader_id)) is not None:
            if there["metadata"]["uid"] != uid:
                return
            if asyncio.get_running_loop().time() > deadline:
                raise UpstreamTimeout(
                    f"the pod of {trader_id} does not go; its node may be away, and it may trade "
                    "there yet, so no other is begun"
                )
            await asyncio.sleep(_PAUSE_S)

    async def _learn_tokens(self, pods: list[Mapping[str, Any]]) -> None:
        """Read the tokens of control APIs that are not known yet, all at once."""
        uids = {pod["metadata"]["uid"]: pod["metadata"]["name"] for pod in pods}
        if len(pods) > 1:
            self._tokens = {uid: one for uid, one in self._tokens.items() if uid in uids}
        new = {uid: name for uid, name in uids.items() if uid not in self._tokens}
        if not new:
            return
        only = (
            {"field_selector": f"metadata.name={next(iter(new.values()))}"} if len(new) == 1 else {}
        )
        listed = await self._call(
            "list_namespaced_secret",
            self._rules.namespace,
            label_selector=f"{objects.FLEET}={self._rules.prefix}",
            **only,
        )
        by_name = {one["metadata"]["name"]: one for one in (listed or {}).get("items") or []}
        for uid, name in new.items():
            coded = by_name.get(name, {}).get("data", {}).get(objects.CONTROL_TOKEN, "")
            if coded:
                self._tokens[uid] = SecretStr(base64.b64decode(coded).decode())

    def _sighting(self, pod: Mapping[str, Any]) -> Sighting:
        phase, status = _phase(pod), pod.get("status") or {}
        seen = Sighting(
            actual="running",
            generation=int(_mark(pod, objects.GENERATION) or 0),
            world=_mark(pod, objects.WORLD),
            started_ms=int(_mark(pod, objects.STARTED_MS) or 0),
        )
        if _is_ending(pod):
            return seen  # until the node has said that it is gone
        if phase in _OVER:
            return replace(
                seen,
                actual="ended" if phase == "Succeeded" else "crashed",
                reason="" if phase == "Succeeded" else _reason_of(status),
            )
        address = status.get("podIP") or ""
        return replace(
            seen,
            control_url=f"http://{address}:{objects.PORT}" if address else "",
            control_token=self._tokens.get(pod["metadata"]["uid"], SecretStr("")),
            reason=_waits_for(status),
        )

    async def _call(self, name: str, *args: Any, **more: Any) -> Mapping[str, Any] | None:
        """Ask the API server; None where there is no object to read or to delete.

        Raises:
            Conflict: it is there already, or another one.
            UpstreamRefused: it refuses, in its words.
            UpstreamUnavailable: it does not answer.
        """
        import aiohttp

        try:
            async with self._opening:
                if self._client is None:
                    self._client = await self._connect()
            api = await asyncio.to_thread(_core, self._client)
            ask = getattr(api, f"{name}_without_preload_content")
            reply = await ask(*args, **more, _request_timeout=_CALL_S)
            content = await reply.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            said = one_line(f"{type(error).__name__}: {error}")
            raise UpstreamUnavailable(f"the cluster does not answer: {said}") from None
        if reply.status == _NOT_FOUND and name.startswith(("read_", "delete_")):
            return None  # anywhere else it is the namespace that is not there
        if reply.status >= 400:
            kind = Conflict if reply.status == _TAKEN else UpstreamRefused
            raise kind(f"the cluster: {_message(content)}")
        try:
            return msgspec.json.decode(content, type=dict[str, Any])
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise UpstreamRefused(
                f"the cluster answers as none does: {_message(content)}"
            ) from None


def _core(client: Any) -> Any:
    """Make the part of the client for pods; importing it takes more than a second."""
    from kubernetes.aio import client as library

    return library.CoreV1Api(client)


async def _by_configuration() -> Any:
    from kubernetes.aio import client as library
    from kubernetes.aio import config

    try:
        if os.environ.get("KUBERNETES_SERVICE_HOST"):
            config.load_incluster_config()
        else:
            await config.load_kube_config()
    except config.ConfigException as error:
        raise ConfigError(f"no cluster is configured: {one_line(str(error))}") from None
    return library.ApiClient()


def _message(content: bytes) -> str:
    try:
        return one_line(str(msgspec.json.decode(content)["message"]))
    except (msgspec.DecodeError, ValueError, RecursionError, LookupError, TypeError):
        return one_line(content[:500].decode(errors="replace"))


def _mark(found: Mapping[str, Any], name: str) -> str:
    return str((found["metadata"].get("annotations") or {}).get(name, ""))


def _trader_of(pod: Mapping[str, Any]) -> str:
    """Tell whose pod it is; one that names nobody stands under its own name."""
    return _mark(pod, objects.TRADER) or f"pod {pod['metadata']['name']}"


def _label(found: Mapping[str, Any]) -> str:
    return str((found["metadata"].get("labels") or {}).get(objects.FLEET, ""))


def _phase(pod: Mapping[str, Any]) -> str:
    return str((pod.get("status") or {}).get("phase", "Pending"))


def _is_ending(pod: Mapping[str, Any]) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def _states(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    for one in status.get("containerStatuses") or ():
        state = (one.get("state") or {}).get(kind)
        if state:
            found: Mapping[str, Any] = state
            return found
    return {}


def _reason_of(status: Mapping[str, Any]) -> str:
    """Find out why a pod failed: the last that its container said, or what the node says of it."""
    ended = _states(status, "terminated")
    said = last_line(str(ended.get("message") or ""))
    why = ended.get("reason") or status.get("reason") or ""
    if why == "OOMKilled" or not said:
        told = status.get("message") or f"exit code {ended.get('exitCode', 'unknown')}"
        return one_line(f"{why or 'failed'}: {told}")
    return one_line(said)


def _waits_for(status: Mapping[str, Any]) -> str:
    """Say what a pod that does not run yet waits for: an image, a node."""
    waiting = _states(status, "waiting")
    if waiting.get("reason") not in {None, "ContainerCreating", "PodInitializing"}:
        return one_line(f"{waiting['reason']}: {waiting.get('message', '')}")
    for one in status.get("conditions") or ():
        if one.get("type") == "PodScheduled" and one.get("status") == "False":
            return one_line(f"{one.get('reason', '')}: {one.get('message', '')}")
    return ""
