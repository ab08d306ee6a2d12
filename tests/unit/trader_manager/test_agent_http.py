"""What processes say of their traders, and what stands in their place."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import msgspec
import pytest
from pydantic import SecretStr
from tests.support.waiting import until

from suite.errors import Conflict, NotFound, UpstreamRefused, UpstreamTimeout, UpstreamUnavailable
from trader_manager.adapters.agent_http import AgentHttp
from trader_manager.application.runtime import Launch, Sighting
from trader_manager.domain import peers

THERE = Sighting(actual="running", control_url="http://agent")


def launch() -> Launch:
    return Launch(
        trader_id="a", written={}, generation=1, venue_url="http://v", data_url="http://v"
    )


@pytest.fixture
async def agents() -> AsyncIterator[AgentHttp]:
    made = AgentHttp()
    yield made
    await made.close()


async def answering(agents: AgentHttp, answer: Any) -> None:
    """Put a server that says one thing in the place of the process."""
    await saying(agents, msgspec.json.encode(answer))


async def saying(agents: AgentHttp, content: bytes) -> None:
    await agents.close()
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=content))
    agents._client = httpx.AsyncClient(transport=transport)


async def test_the_row_of_a_trader_is_found(agents: AgentHttp) -> None:
    """Among those of its process."""
    rows = [{"trader_id": "b"}, {"trader_id": "a", "state": "failed"}]
    await answering(agents, {"traders": rows})
    assert "failed" == (await agents.status("a", THERE))["state"]
    with pytest.raises(NotFound, match="does not know it"):
        await agents.status("c", THERE)


@pytest.mark.parametrize("answer", [None, [], "x", {}, {"traders": 3}, {"traders": {"a": {}}}])
async def test_what_is_no_agent_is_told(agents: AgentHttp, answer: Any) -> None:
    """Somebody else may have its port by now."""
    await answering(agents, answer)
    with pytest.raises(UpstreamRefused, match="a does not answer as a strategy-agent does"):
        await agents.status("a", THERE)


async def test_those_who_ask_one_process_at_a_time_share_its_answer(agents: AgentHttp) -> None:
    """A thousand traders of one process are one question; the next one is asked anew."""
    asked: list[str] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        await asyncio.sleep(0.01)
        rows = [{"trader_id": f"t{number}", "turn": number} for number in range(1000)]
        return httpx.Response(200, json={"traders": rows})

    await agents.close()
    agents._client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    found = await asyncio.gather(*(agents.status(f"t{number}", THERE) for number in range(1000)))
    assert (1, list(range(1000))) == (len(asked), [row["turn"] for row in found])
    await agents.status("t1", THERE)
    assert 2 == len(asked)


async def test_each_question_is_the_one_that_the_control_api_has(agents: AgentHttp) -> None:
    """With the token of that process, and of nobody else."""
    asked: list[tuple[str, str, Any, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        body = msgspec.json.decode(request.content) if request.content else None
        path = request.url.raw_path.decode()
        asked.append((request.method, path, body, request.headers["authorization"]))
        every = {"world": "w", "decisions": [], "record": {}, "traders": {"a": {}}}
        return httpx.Response(200, json=every)

    await agents.close()
    agents._client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    there = replace(THERE, control_token=SecretStr("tok"))
    await agents.tell("a", there, "pause", reason="news")
    await agents.leave("a", there)
    await agents.preview("a", there)
    await agents.execute("a", there, {"actions": []}, reason="why")
    await agents.decisions("a", there, limit=5, before=9)
    await agents.host(replace(launch(), token=SecretStr("act")), there)
    assert [
        ("POST", "/pause", {"instance": "a", "reason": "news"}),
        ("POST", "/instances/a/leave", {}),
        ("POST", "/run-once", {"instance": "a", "dry": True}),
        ("POST", "/decisions", {"instance": "a", "decision": {"actions": []}, "reason": "why"}),
        ("GET", "/decisions?limit=5&instance=a&before=9", None),
        ("PUT", "/instances/a", {"entry": {}, "secrets": {}, "token": "act"}),
    ] == [tuple(one[:3]) for one in asked]
    assert {"Bearer tok"} == {one[3] for one in asked}


async def test_a_thousand_of_one_process_are_told_in_one_request(agents: AgentHttp) -> None:
    """Each has its own answer; another command, reason or process is another request."""
    asked: list[tuple[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        body = msgspec.json.decode(request.content)
        asked.append((request.url.path, body))
        if request.url.path != "/tell":
            return httpx.Response(200, json={"state": "taken"})
        rows = {name: {"state": "taken", "reason": ""} for name in body["instances"][2:]}
        rows[body["instances"][0]] = {"state": "refused", "reason": "it is STOPPED"}
        return httpx.Response(200, json={"traders": rows})

    await agents.close()
    agents._client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    names = [f"t{number}" for number in range(1000)]
    tells = [agents.tell(name, THERE, "run-once", reason="now") for name in names]
    tells.append(agents.tell("t0", THERE, "pause", reason="now"))
    elsewhere = Sighting(actual="running", control_url="http://other")
    tells.append(agents.tell("x", elsewhere, "run-once", reason="now"))
    told = await asyncio.gather(*tells, return_exceptions=True)
    assert ["t0: it is STOPPED", "t1 does not answer as a strategy-agent does"] == [
        str(one) for one in told[:2]
    ]
    assert (Conflict, UpstreamRefused) == (type(told[0]), type(told[1]))
    assert [{"accepted": [name], "state": "taken", "reason": ""} for name in names[2:]] == told[
        2:1000
    ]
    assert [
        ("/tell", {"command": "run-once", "instances": names, "reason": "now"}),
        ("/pause", {"instance": "t0", "reason": "now"}),
        ("/run-once", {"instance": "x", "reason": "now"}),
    ] == asked


async def test_who_does_not_wait_any_more_takes_nobody_along(agents: AgentHttp) -> None:
    await answering(agents, {"traders": {n: {"state": "taken", "reason": ""} for n in "ab"}})
    first, second = (asyncio.create_task(agents.tell(n, THERE, "pause", reason="")) for n in "ab")
    await asyncio.sleep(0)
    first.cancel()
    assert "taken" == (await second)["state"]


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("http://10.0.0.5:83O0", ""),
        ("http://127.0.0.1:99999", ""),
        ("http://[::1", ""),
        ("ftp://agent", ""),
        ("http://127.0.0.1:1", "t\u00f6ken"),
    ],
)
async def test_where_nobody_can_be_asked_is_no_answer(
    agents: AgentHttp, url: str, token: str
) -> None:
    """Address and token are what somebody told: neither is more than a trader's own trouble."""
    there = Sighting(actual="running", control_url=url, control_token=SecretStr(token))
    for asked in (agents.status("a", there), agents.tell("a", there, "run-once", reason="")):
        with pytest.raises(UpstreamUnavailable, match="a does not answer: "):
            await asked


@pytest.mark.parametrize(
    "content",
    [
        *(b"null", b"[]", b"{}", b"7", b'"\xff"', b"[" * 100_000),
        b'{"decisions":3,"record":3,"traders":{"a":3}}',
        b'{"decisions":[3],"record":[],"traders":{"b":{}}}',
    ],
)
async def test_an_answer_of_another_shape_is_none(agents: AgentHttp, content: bytes) -> None:
    """To whatever was asked."""
    await saying(agents, content)
    for asked in (
        agents.decisions("a", THERE, limit=1),
        agents.preview("a", THERE),
        agents.execute("a", THERE, {}, reason=""),
    ):
        with pytest.raises(UpstreamRefused, match="a does not answer as a strategy-agent does"):
            await asked


async def hangs_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take what comes, and answer nothing."""
    await _reader.readuntil(b"\r\n\r\n")
    writer.close()


async def is_slow(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer as an agent whose traders take longer than a request may."""
    await _reader.readuntil(b"\r\n\r\n")
    said = b"the traders did not answer within 10 s; look at /status"
    writer.write(
        b"HTTP/1.1 504 Gateway Timeout\r\ncontent-length: %d\r\n\r\n%s" % (len(said), said)
    )
    writer.close()


@pytest.mark.parametrize("peer", [hangs_up, is_slow])
async def test_what_was_told_and_not_answered_is_not_refused(agents: AgentHttp, peer: Any) -> None:
    """It may be carried out; what was only read is just not there."""
    async with await asyncio.start_server(peer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        there = Sighting(actual="running", control_url=f"http://127.0.0.1:{port}")
        for told in (
            agents.execute("a", there, {}, reason="why"),
            agents.tell("a", there, "flatten", reason="why"),
            agents.host(launch(), there),
        ):
            with pytest.raises(UpstreamTimeout, match=r"a.*whether it was done is not known"):
                await told
        if peer is hangs_up:
            with pytest.raises(UpstreamUnavailable, match="a does not answer: "):
                await agents.status("a", there)


async def test_a_name_that_means_a_machines_own_services_is_told_nothing(
    agents: AgentHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever claims a trader says where it is; names are looked at as they are called."""
    came: list[bytes] = []

    async def listens(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await reader.read())
        writer.close()

    monkeypatch.setattr(peers, "_METADATA", frozenset({"127.0.0.1"}))
    async with await asyncio.start_server(listens, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        there = Sighting(
            actual="running",
            control_url=f"http://localhost:{port}/latest",
            control_token=SecretStr("t"),
        )
        for asked in (agents.status("a", there), agents.execute("a", there, {}, reason="")):
            with pytest.raises(UpstreamUnavailable, match="a does not answer: ConnectError"):
                await asked
        await until(lambda: len(came) == 2)
    assert [b"", b""] == came
